//! What transforms have learned: never ahead of the checkpoint, kept over a stop, started without if damaged.

use std::sync::{Arc, Mutex};

use lograil_event::Batch;
use lograil_plugin::{Outputs, Transform, TransformContext, TransformError};
use lograil_runtime::Running;
use lograil_testkit::SimFiles;

use crate::fakes::{Fake, Faults, Lines, lines, plan, store};
use crate::{Shared, numbered, options, seams};

/// What starting transforms were told: how many events their predecessors had learned from.
type Told = Arc<Mutex<Vec<Option<u64>>>>;

/// Learns how many events there were.
struct Learns {
    told: Told,
    known: u64,
}

impl Transform for Learns {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let known = context.state.map(|state| String::from_utf8_lossy(&state).parse().unwrap());
        self.told.lock().unwrap().push(known);
        self.known = known.unwrap_or(0);
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        self.known += batch.len() as u64;
        out.emit(batch);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.known.to_string().into_bytes())
    }
}

fn learns(told: &Told) -> Fake {
    let told = Arc::clone(told);
    Fake::Transform(Box::new(move || Box::new(Learns { told: Arc::clone(&told), known: 0 })))
}

/// As the sink stores every line once, in order, its lines after the restart are what the checkpoint says.
#[tokio::test]
async fn a_state_is_never_ahead_of_the_checkpoint_whatever_moment_it_is_cut_off() {
    let (mut ahead, mut behind, mut of_use) = (0, 0, 0);
    for seed in 0..60_u64 {
        let (disk, told, files) = (Shared::default(), Told::default(), SimFiles::new());
        let (_dir, options) = options();
        for restart in 0..200 {
            let faults = Faults { write_failures: seed % 3, ..Faults::default() };
            let plan = plan(vec![
                ("in", lines(600, 1 + seed % 4), &[]),
                ("learns", learns(&told), &["in"]),
                ("out", store(&disk, faults), &["learns"]),
            ]);
            let mut running = Running::start(plan, options.clone(), seams(&files)).await.unwrap();
            // The sink has gone back to what the checkpoint says.
            let checkpointed = disk.lock().unwrap().lines.len() as u64;
            let known = told.lock().unwrap().last().copied().flatten().unwrap_or(0);
            ahead += u64::from(known > checkpointed);
            behind += u64::from(known < checkpointed);
            of_use += u64::from(known > 0);
            let turns = (seed * 37 + restart * 101) % 60 * (restart / 4 + 1);
            let cut_off = async {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                () = running.wait() => {
                    assert!(running.finish().await.is_clean());
                    break;
                }
                () = cut_off => running.abandon(),
            }
            running.wait().await;
            running.crash().await;
        }
        assert_eq!(disk.lock().unwrap().lines, numbered(0..600), "seed {seed}");
    }
    assert_eq!(ahead, 0);
    assert!(behind > 0 && of_use > 50, "behind {behind}, of use {of_use}");
}

#[tokio::test]
async fn a_clean_stop_keeps_all_and_a_damaged_state_is_left_out() {
    let (disk, told, files) = (Shared::default(), Told::default(), SimFiles::new());
    let (dir, options) = options();
    let run = |count: u64| {
        let plan = plan(vec![
            ("in", lines(count, 3), &[]),
            ("learns", learns(&told), &["in"]),
            ("out", store(&disk, Faults::default()), &["learns"]),
        ]);
        let (options, seams) = (options.clone(), seams(&files));
        async move {
            let mut running = Running::start(plan, options, seams).await.unwrap();
            running.wait().await;
            assert!(running.finish().await.is_clean());
        }
    };
    run(10).await;
    let left = dir.path().join("states/gone.state");
    files.write(&left, "of a transform that is no more");
    run(20).await;
    assert!(!files.exists(&left));
    let path = dir.path().join("states/learns.state");
    let state = files.text(&path);
    assert!(state.starts_with("lograil-state 1 ") && state.ends_with("20"), "{state}");
    files.write(&path, state.replace("20", "30"));
    run(30).await;
    assert_eq!(*told.lock().unwrap(), [None, Some(10), None]);
}

#[tokio::test]
async fn a_refused_change_leaves_the_states_of_transforms_alone() {
    let (disk, told, files) = (Shared::default(), Told::default(), SimFiles::new());
    let (dir, options) = options();
    let source = Fake::Source(Box::new(|| {
        Box::new(Lines { count: 50, per_batch: 5, replays: true, endless: true })
    }))
    .spec();
    let out = store(&disk, Faults::default()).spec();
    let broken = Faults { never_opens: true, ..Faults::default() };
    let first = plan(vec![
        ("in", Fake::Made(source), &[]),
        ("learns", learns(&told), &["in"]),
        ("out", Fake::Made(out), &["learns"]),
    ]);
    let wrong = plan(vec![
        ("in", Fake::Made(source), &[]),
        ("out", Fake::Made(out), &["in"]),
        ("more", store(&disk, broken), &["in"]),
    ]);
    let mut running = Running::start(first, options, seams(&files)).await.unwrap();
    let path = dir.path().join("states/learns.state");
    while !files.exists(&path) || disk.lock().unwrap().lines.len() < 50 {
        tokio::task::yield_now().await;
    }
    assert!(running.reload(wrong).await.is_err());
    assert!(files.exists(&path));
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
}
