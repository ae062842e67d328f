//! Topologies that change while they run: nothing is lost, what is kept is not touched, what cannot be is not tried.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use lograil_config::Plan;
use lograil_event::Batch;
use lograil_plugin::{
    BoxFuture, ComponentSpec, Outputs, Source, SourceContext, SourceError, Transform,
    TransformContext, TransformError,
};
use lograil_runtime::{Running, RuntimeError, Seams};
use lograil_testkit::{ManualClock, SimFiles};

use crate::fakes::{Fake, Faults, Lines, Refuses, keep, lines, plan, store};
use crate::{Shared, numbered, options, seams};

/// A small generator of choices, repeatable.
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

pub async fn turns(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

pub fn assert_each_once(disk: &Shared, count: u64, which: &str) {
    let lines = &disk.lock().unwrap().lines;
    let number = |line: &String| line[5..].parse::<u64>().unwrap();
    let distinct: BTreeSet<u64> = lines.iter().map(number).collect();
    let lost: Vec<u64> = (0..count).filter(|number| !distinct.contains(number)).collect();
    let doubled = lines.len() - distinct.len();
    assert!(lost.is_empty() && doubled == 0, "{which}: lost {lost:?}, doubled {doubled}");
}

/// Components that may be in a plan; each reload takes another choice of them, some in a new version.
struct Kit {
    input: [ComponentSpec; 2],
    first: [ComponentSpec; 2],
    second: [ComponentSpec; 2],
    out: [ComponentSpec; 2],
    side: ComponentSpec,
}

const LINES: u64 = 1500;

impl Kit {
    fn new(out: &Shared, side: &Shared, seed: u64) -> Self {
        let faults = Faults { write_failures: seed % 4, ..Faults::default() };
        let pass = || keep("line", "x").spec();
        Self {
            input: [lines(LINES, 1 + seed % 4).spec(), lines(LINES, 2).spec()],
            first: [pass(), pass()],
            second: [pass(), pass()],
            out: [store(out, faults).spec(), store(out, Faults::default()).spec()],
            side: store(side, Faults::default()).spec(),
        }
    }

    /// A plan in which every line still reaches `out` once.
    fn plan(&self, dice: &mut Dice) -> Plan {
        let mut one = |of: &[ComponentSpec; 2]| Fake::Made(of[dice.throw(2) as usize]);
        let mut all = vec![("in", one(&self.input), &[][..])];
        let (first, second, out) = (one(&self.first), one(&self.second), one(&self.out));
        let last: &[&str] = match dice.throw(5) {
            0 => &["in"],
            1 => {
                all.push(("first", first, &["in"]));
                &["first"]
            }
            2 => {
                all.push(("first", first, &["in"]));
                all.push(("second", second, &["first"]));
                &["second"]
            }
            3 => {
                all.push(("second", second, &["in"]));
                all.push(("first", first, &["second"]));
                &["first"]
            }
            _ => {
                all.push(("second", second, &["in"]));
                &["second"]
            }
        };
        all.push(("out", out, last));
        if dice.throw(3) == 0 {
            all.push(("side", Fake::Made(self.side), last));
        }
        plan(all)
    }
}

#[tokio::test]
async fn a_topology_that_changes_all_the_time_delivers_every_line_once() {
    let (mut applied, mut refused) = (0, 0);
    for seed in 0..60 {
        let (out, side) = (Shared::default(), Shared::default());
        let (kit, mut dice) = (Kit::new(&out, &side, seed), Dice(seed));
        let (_dir, options) = options();
        let mut running =
            Running::start(kit.plan(&mut dice), options, seams(&SimFiles::new())).await.unwrap();
        for _ in 0..30 {
            tokio::select! {
                biased;
                () = running.wait() => break,
                () = turns(dice.throw(40)) => {}
            }
            match running.reload(kit.plan(&mut dice)).await {
                Ok(_) => applied += 1,
                Err(RuntimeError::Refused(_)) => refused += 1,
                Err(error) => panic!("seed {seed}: {error}"),
            }
        }
        running.wait().await;
        let status = running.observer().status();
        assert!(running.finish().await.is_clean(), "seed {seed}");
        assert_each_once(&out, LINES, &format!("seed {seed}"));
        crate::assert_balanced(&status);
    }
    assert!(applied > 600 && refused * 20 < applied, "{applied} applied, {refused} refused");
}

/// As above, and the whole is cut off at any moment and started again.
#[tokio::test]
async fn reloads_and_crashes_together_store_every_line_once() {
    let mut cut_off_between = 0;
    for seed in 0..60 {
        let (out, side) = (Shared::default(), Shared::default());
        let (kit, mut dice) = (Kit::new(&out, &side, seed), Dice(seed ^ 0x5EED));
        let (files, (_dir, options)) = (SimFiles::new(), options());
        'restarts: for restart in 0.. {
            let plan = kit.plan(&mut dice);
            let mut running = Running::start(plan, options.clone(), seams(&files)).await.unwrap();
            for _ in 0..=dice.throw(4) {
                tokio::select! {
                    biased;
                    () = running.wait() => {
                        assert!(running.finish().await.is_clean(), "seed {seed}");
                        break 'restarts;
                    }
                    () = turns(dice.throw(60) * (restart / 4 + 1)) => {}
                }
                let _refused = running.reload(kit.plan(&mut dice)).await;
            }
            turns(dice.throw(30)).await;
            running.abandon();
            running.wait().await;
            running.crash().await;
            let stored = out.lock().unwrap().lines.len() as u64;
            cut_off_between += u64::from(stored > 0 && stored < LINES);
        }
        assert_each_once(&out, LINES, &format!("seed {seed}"));
    }
    assert!(cut_off_between > 60, "{cut_off_between}");
}

/// Notes when it is started, with what, and when it is flushed.
struct Notes {
    log: Arc<Mutex<Vec<String>>>,
    name: &'static str,
    seen: u64,
}

impl Transform for Notes {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let state = context.state.map(|state| String::from_utf8_lossy(&state).into_owned());
        self.seen = state.as_ref().map_or(0, |state| state.parse().unwrap());
        self.log.lock().unwrap().push(format!("{} starts with {state:?}", self.name));
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        self.seen += batch.len() as u64;
        out.emit(batch);
    }

    fn flush(&mut self, _: &mut Outputs) {
        self.log.lock().unwrap().push(format!("{} is flushed", self.name));
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.seen.to_string().into_bytes())
    }
}

fn notes(log: &Arc<Mutex<Vec<String>>>, name: &'static str) -> ComponentSpec {
    let log = Arc::clone(log);
    Fake::Transform(Box::new(move || Box::new(Notes { log: Arc::clone(&log), name, seen: 0 })))
        .spec()
}

fn endless(count: u64) -> ComponentSpec {
    Fake::Source(Box::new(move || {
        Box::new(Lines { count, per_batch: 10, replays: true, endless: true })
    }))
    .spec()
}

/// Waits until a store has so many lines.
async fn stored(disk: &Shared, count: usize) {
    while disk.lock().unwrap().lines.len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_kept_is_not_touched_and_what_changes_takes_over() {
    let (disk, log) = (Shared::default(), Arc::<Mutex<Vec<String>>>::default());
    let (source, old, new) = (endless(100), notes(&log, "old"), notes(&log, "new"));
    let (other, out) = (notes(&log, "other"), store(&disk, Faults::default()).spec());
    let with = |middle: ComponentSpec, inputs: &'static [&'static str]| {
        plan(vec![
            ("in", Fake::Made(source), &[]),
            ("kept", Fake::Made(other), &["in"]),
            ("middle", Fake::Made(middle), inputs),
            ("out", Fake::Made(out), &["middle"]),
        ])
    };
    let (_dir, options) = options();
    let files = SimFiles::new();
    let mut running = Running::start(with(old, &["kept"]), options, seams(&files)).await.unwrap();
    stored(&disk, 100).await;
    let changes = running.reload(with(old, &["kept"])).await.unwrap();
    assert!(changes.is_empty(), "{changes:?}");
    let changes = running.reload(with(new, &["kept"])).await.unwrap();
    assert_eq!(changes.changed, ["middle"]);
    // Only the inputs differ: nobody is started anew.
    let changes = running.reload(with(new, &["in"])).await.unwrap();
    assert!(changes.is_empty(), "{changes:?}");
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_eq!(disk.lock().unwrap().lines, numbered(0..100));
    let wanted = [
        "other starts with None",
        "old starts with None",
        "new starts with Some(\"100\")",
        "old is flushed",
    ];
    assert_eq!(log.lock().unwrap()[..4], wanted);
    assert_eq!(log.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn a_component_may_become_one_of_another_kind_under_its_id() {
    let (disk, other) = (Shared::default(), Shared::default());
    let (source, pass) = (endless(200), keep("line", "x").spec());
    let (out, sink) =
        (store(&disk, Faults::default()).spec(), store(&other, Faults::default()).spec());
    let as_transform = || {
        plan(vec![
            ("in", Fake::Made(source), &[]),
            ("it", Fake::Made(pass), &["in"]),
            ("out", Fake::Made(out), &["it"]),
        ])
    };
    let as_sink = || {
        plan(vec![
            ("in", Fake::Made(source), &[]),
            ("it", Fake::Made(sink), &["in"]),
            ("out", Fake::Made(out), &["in"]),
        ])
    };
    let (_dir, options) = options();
    let mut running =
        Running::start(as_transform(), options, seams(&SimFiles::new())).await.unwrap();
    for _ in 0..5 {
        turns(13).await;
        let changes = running.reload(as_sink()).await.unwrap();
        assert_eq!((changes.added, changes.removed), (vec!["it".into()], vec!["it".into()]));
        turns(13).await;
        running.reload(as_transform()).await.unwrap();
    }
    stored(&disk, 200).await;
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_each_once(&disk, 200, "");
}

#[tokio::test]
async fn what_does_not_start_or_open_leaves_everything_as_it_was() {
    let disk = Shared::default();
    let (source, pass) = (endless(5000), keep("line", "x").spec());
    let out = store(&disk, Faults::default()).spec();
    let refuses = Fake::Transform(Box::new(|| Box::new(Refuses))).spec();
    let broken = store(&disk, Faults { never_opens: true, ..Faults::default() }).spec();
    let with = |pass: ComponentSpec, out: ComponentSpec, more: Option<ComponentSpec>| {
        let mut all = vec![
            ("in", Fake::Made(source), &[][..]),
            ("pass", Fake::Made(pass), &["in"]),
            ("out", Fake::Made(out), &["pass"]),
        ];
        all.extend(more.map(|more| ("more", Fake::Made(more), &["in"][..])));
        plan(all)
    };
    let (_dir, options) = options();
    let mut running =
        Running::start(with(pass, out, None), options, seams(&SimFiles::new())).await.unwrap();
    for wrong in [
        with(refuses, out, None),
        with(pass, broken, None),
        with(pass, out, Some(broken)),
        with(pass, out, Some(refuses)),
    ] {
        turns(50).await;
        let error = running.reload(wrong).await.unwrap_err();
        assert!(matches!(error, RuntimeError::Open { .. }), "{error}");
    }
    let mut other = with(pass, out, None);
    other.global.buffer.max_bytes.0 += 1;
    let error = running.reload(other).await.unwrap_err().to_string();
    assert_eq!(error, "[buffer] cannot change while the program runs: start it anew");
    stored(&disk, 5000).await;
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_eq!(disk.lock().unwrap().lines, numbered(0..5000));
}

#[tokio::test]
async fn a_sink_whose_open_does_not_return_holds_up_neither_a_reload_nor_a_stop() {
    let disk = Shared::default();
    let stuck = store(&Shared::default(), Faults { open_stuck: true, ..Faults::default() }).spec();
    let (source, out) = (endless(100), store(&disk, Faults::default()).spec());
    let with = |more: Option<&'static str>| {
        let mut all = vec![("in", Fake::Made(source), &[][..]), ("out", Fake::Made(out), &["in"])];
        all.extend(more.map(|id| (id, Fake::Made(stuck), &["in"][..])));
        plan(all)
    };
    let ((_dir, options), clock) = (options(), ManualClock::new());
    let seams = Seams { clock: clock.shared(), ..seams(&SimFiles::new()) };
    let mut running = Running::start(with(None), options, seams).await.unwrap();
    let (changed, ()) = tokio::join!(running.reload(with(Some("more"))), turns_of(&clock, 10));
    assert_eq!(changed.unwrap().added, ["more"]);
    stored(&disk, 100).await;
    running.reload(with(None)).await.unwrap();

    let stopper = running.stopper();
    let stop = async {
        turns(20).await;
        stopper.request();
        turns_of(&clock, 10).await;
    };
    let (refused, ()) = tokio::join!(running.reload(with(Some("another"))), stop);
    assert_eq!(refused.unwrap_err().to_string(), "the topology is ending");
    running.stop();
    let (_, ()) = tokio::join!(running.wait(), turns_of(&clock, 300));
    let outcome = running.finish().await;
    assert!(outcome.failures.is_empty(), "{outcome:?}");
}

/// Lets so many half seconds pass, and everything happen that waits for them.
async fn turns_of(clock: &ManualClock, half_seconds: u32) {
    for _ in 0..half_seconds {
        turns(50).await;
        clock.advance(Duration::from_millis(500));
    }
    turns(50).await;
}

#[tokio::test]
async fn a_sink_that_tries_for_ever_can_be_changed_and_removed() {
    let (disk, other) = (Shared::default(), Shared::default());
    let source = endless(2000);
    let away = Faults { write_failures: u64::MAX, ..Faults::default() };
    let (away, here) = (store(&disk, away).spec(), store(&disk, Faults::default()).spec());
    let out = store(&other, Faults::default()).spec();
    let with = |sink: Option<ComponentSpec>| {
        let mut all = vec![("in", Fake::Made(source), &[][..]), ("out", Fake::Made(out), &["in"])];
        all.extend(sink.map(|sink| ("sink", Fake::Made(sink), &["in"][..])));
        plan(all)
    };
    let (_dir, options) = options();
    let mut running =
        Running::start(with(Some(away)), options, seams(&SimFiles::new())).await.unwrap();
    turns(500).await;
    assert!(other.lock().unwrap().lines.len() < 2000, "the edge is full and the source waits");
    running.reload(with(Some(here))).await.unwrap();
    stored(&disk, 2000).await;
    stored(&other, 2000).await;
    assert_eq!(disk.lock().unwrap().lines, numbered(0..2000));

    // Removed for good: what waits for it is given up after a time and holds nobody up.
    let (more, disk) = (endless(4000), Shared::default());
    let away = Faults { write_failures: u64::MAX, ..Faults::default() };
    let away = store(&disk, away).spec();
    let with = |sink: Option<ComponentSpec>| {
        let mut all = vec![("in", Fake::Made(more), &[][..]), ("out", Fake::Made(out), &["in"])];
        all.extend(sink.map(|sink| ("gone", Fake::Made(sink), &["in"][..])));
        plan(all)
    };
    running.reload(with(Some(away))).await.unwrap();
    turns(500).await;
    running.reload(with(None)).await.unwrap();
    stored(&other, 4000).await;
    while running.observer().status().in_flight_batches > 0 {
        tokio::task::yield_now().await;
    }
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_eq!(other.lock().unwrap().lines, numbered(0..4000));
    assert!(disk.lock().unwrap().lines.is_empty());
}

#[tokio::test]
async fn what_a_sink_cannot_commit_is_written_by_the_one_that_replaces_it() {
    let disk = Shared::default();
    let source = endless(500);
    let never = Faults { never_commits: true, ..Faults::default() };
    let (never, out) = (store(&disk, never).spec(), store(&disk, Faults::default()).spec());
    let with = |out| plan(vec![("in", Fake::Made(source), &[]), ("out", Fake::Made(out), &["in"])]);
    let (_dir, options) = options();
    let mut running = Running::start(with(never), options, seams(&SimFiles::new())).await.unwrap();
    turns(300).await;
    running.reload(with(out)).await.unwrap();
    stored(&disk, 500).await;
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_eq!(disk.lock().unwrap().lines, numbered(0..500));
}

/// Reads what nobody else could read again.
struct Once(Arc<AtomicU64>);

impl Source for Once {
    fn run(
        self: Box<Self>,
        mut context: SourceContext,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            context.shutdown.requested().await;
            Ok(())
        })
    }

    fn restarts(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_source_whose_input_would_be_lost_is_not_changed() {
    let (disk, runs) = (Shared::default(), Arc::new(AtomicU64::new(0)));
    let once = || {
        let runs = Arc::clone(&runs);
        Fake::Source(Box::new(move || Box::new(Once(Arc::clone(&runs))))).spec()
    };
    let (first, second) = (once(), once());
    let out = store(&disk, Faults::default()).spec();
    let with =
        |source| plan(vec![("in", Fake::Made(source), &[]), ("out", Fake::Made(out), &["in"])]);
    let (_dir, options) = options();
    let mut running = Running::start(with(first), options, seams(&SimFiles::new())).await.unwrap();
    turns(10).await;
    let error = running.reload(with(second)).await.unwrap_err().to_string();
    assert!(error.contains("cannot be stopped without losing input"), "{error}");
    running.reload(with(first)).await.unwrap();
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_change_that_one_sink_refuses_doubles_nothing_in_another() {
    let (disk, other) = (Shared::default(), Shared::default());
    let (source, peer) = (endless(500), Arc::new(AtomicBool::new(false)));
    let holds = Faults { peer: Some(Arc::clone(&peer)), ..Faults::default() };
    let keeps_none = Faults { never_commits: true, keeps_none: true, ..Faults::default() };
    let with = || {
        plan(vec![
            ("in", Fake::Made(source), &[]),
            ("holds", Fake::Made(store(&disk, holds.clone()).spec()), &["in"]),
            ("keeps_none", Fake::Made(store(&other, keeps_none.clone()).spec()), &["in"]),
        ])
    };
    let (_dir, options) = options();
    let mut running = Running::start(with(), options, seams(&SimFiles::new())).await.unwrap();
    turns(300).await;
    let error = running.reload(with()).await.unwrap_err().to_string();
    assert!(error.contains("`keeps_none` cannot commit"), "{error}");
    peer.store(true, Ordering::Relaxed);
    stored(&disk, 500).await;
    turns(300).await;
    running.abandon();
    running.wait().await;
    running.crash().await;
    assert_each_once(&disk, 500, "");
}

#[tokio::test]
async fn who_listens_to_a_component_that_is_removed_hears_the_end() {
    let disk = Shared::default();
    let (source, pass) = (endless(200), keep("line", "x").spec());
    let out = store(&disk, Faults::default()).spec();
    let with = |pass: Option<ComponentSpec>| {
        let input: &[&str] = if pass.is_some() { &["pass"] } else { &["in"] };
        let mut all = vec![("in", Fake::Made(source), &[][..]), ("out", Fake::Made(out), input)];
        all.extend(pass.map(|pass| ("pass", Fake::Made(pass), &["in"][..])));
        plan(all)
    };
    let (_dir, options) = options();
    let mut running =
        Running::start(with(Some(pass)), options, seams(&SimFiles::new())).await.unwrap();
    let (mut gone, mut kept) = ["pass", "out"].map(|id| running.observer().tap(id).unwrap()).into();
    running.reload(with(None)).await.unwrap();
    stored(&disk, 200).await;
    let next = |tap: &mut lograil_runtime::TapListener| loop {
        match tap.next().now_or_never() {
            Some(Some(_)) => {}
            end => return end.is_some(),
        }
    };
    assert!(next(&mut gone));
    assert!(!next(&mut kept));
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
}
