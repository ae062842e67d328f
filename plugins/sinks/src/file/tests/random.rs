//! Random runs with crashes, power losses and failing calls, against an oracle that knows what was sent.

use lograil_plugin::SinkError;
use lograil_testkit::SimOperation;
use lograil_testkit::sim::Fault;
use proptest::prelude::*;

use super::crash::{Checkpoint, deliver, lines, setup, stop_at};
use super::{PATH, Setup};

#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Commit,
    /// A commit whose state reaches the checkpoint.
    Checkpoint,
    Crash,
    PowerLoss(u64),
    Reopen,
    /// The next calls of a kind fail.
    Fail(SimOperation, u64),
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    let operation = prop_oneof![
        Just(SimOperation::Write),
        Just(SimOperation::SetLen),
        Just(SimOperation::Sync),
        Just(SimOperation::SyncDir),
        Just(SimOperation::Rename),
        Just(SimOperation::Remove),
        Just(SimOperation::Open),
        Just(SimOperation::Metadata),
        Just(SimOperation::ReadDir),
    ];
    prop_oneof![
        8 => (1usize..12).prop_map(Step::Write),
        2 => Just(Step::Commit),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
        1 => any::<u64>().prop_map(Step::PowerLoss),
        1 => Just(Step::Reopen),
        2 => (operation, 1u64..4).prop_map(|(operation, times)| Step::Fail(operation, times)),
        1 => Just(Step::Tick),
    ]
}

/// Tries until it works, as the runtime does.
fn persist<T>(setup: &Setup, mut call: impl FnMut() -> Result<T, SinkError>) -> T {
    for _ in 0..20 {
        match call() {
            Ok(done) => return done,
            Err(SinkError::Retry { .. }) => {
                setup.clock.advance(std::time::Duration::from_millis(300));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("it never worked");
}

/// All that was written, the oldest backup first.
fn everything(setup: &Setup) -> String {
    let slot = |path: &std::path::Path| {
        let name = path.display().to_string();
        name[PATH.len()..].trim_start_matches('.').parse::<u32>().unwrap_or(0)
    };
    let mut files = setup.files.list();
    files.sort_by_key(|path| std::cmp::Reverse(slot(path)));
    files.iter().map(|path| setup.files.text(path)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_there_once_and_in_order(steps in proptest::collection::vec(step(), 1..60)) {
        let mut setup = setup(1_000);
        let mut sink = setup.open();
        sink.commit().unwrap();
        let mut saved = (sink.state(), 0);
        let mut sent = 0;
        let all = lines(800);
        for step in steps {
            match step {
                Step::Write(count) => {
                    let batch: Vec<&str> = all[sent..sent + count].iter().map(String::as_str).collect();
                    persist(&setup, || sink.write_lines(&batch));
                    sent += count;
                }
                Step::Commit => persist(&setup, || sink.commit()),
                Step::Checkpoint => {
                    persist(&setup, || sink.commit());
                    saved = (sink.state(), sent);
                }
                Step::Crash | Step::PowerLoss(_) => {
                    drop(sink);
                    setup.files.heal();
                    setup.files = match step {
                        Step::PowerLoss(seed) => setup.files.power_loss(seed),
                        _ => setup.files.crash(),
                    };
                    sink = setup.harness(saved.0.clone()).opened();
                    sent = saved.1;
                }
                Step::Reopen => sink.reopen(),
                Step::Fail(operation, times) => {
                    setup.files.inject(Fault::new(operation).times(times));
                }
                Step::Tick => setup.clock.advance(std::time::Duration::from_secs(1)),
            }
        }
        persist(&setup, || sink.commit());
        let expected: String = all[..sent].iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(everything(&setup), expected);
    }

    #[test]
    fn a_second_stop_during_the_recovery_from_the_first_changes_nothing(
        first in 20u64..400,
        second in 0u64..60,
        third in 0u64..60,
        seed: u64,
    ) {
        let lines = lines(30);
        let reference = setup(2);
        deliver(&reference, &lines, &mut Checkpoint::default()).unwrap();
        let mut stopped = setup(2);
        let mut checkpoint = Checkpoint::default();
        for (round, call) in [first, second, third].into_iter().enumerate() {
            stop_at(&stopped, call);
            let _ = deliver(&stopped, &lines, &mut checkpoint);
            stopped.files.heal();
            stopped.files = match (seed >> round) % 2 {
                0 => stopped.files.crash(),
                _ => stopped.files.power_loss(seed),
            };
        }
        deliver(&stopped, &lines, &mut checkpoint).unwrap();
        prop_assert_eq!(stopped.layout(), reference.layout());
    }
}
