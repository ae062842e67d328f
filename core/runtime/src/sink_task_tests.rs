//! One sink task, its edge and its tracker.

use std::path::PathBuf;
use std::sync::Mutex;

use futures::future::BoxFuture;
use lograil_event::{Ack, AckId};
use lograil_plugin::{CommitPolicy, ComponentMetrics, Delivery, LateRejection};
use lograil_testkit::{ManualClock, SimFiles, batch_of_lines};

use super::*;
use crate::checkpoint::Snapshot;

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Keeps a log of its calls; refuses the first event of a batch, twice and for two reasons.
struct Logs {
    log: Log,
    refuses: Refuses,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refuses {
    Nothing,
    AtOnce,
    AtCommit,
    /// Its reader is gone.
    Gone,
    /// Nothing, and it asks for a commit now and then.
    NothingEver,
}

/// How often it asks for it.
const IDLE: Duration = Duration::from_secs(5);

fn rejections() -> Vec<Rejection> {
    let reject = |event, reason: &str| Rejection { event, reason: reason.to_owned() };
    vec![reject(1, "second"), reject(0, "first"), reject(0, "again"), reject(9, "?")]
}

impl Logs {
    fn note(&self, call: &'static str) {
        self.log.lock().unwrap().push(call);
    }
}

impl Sink for Logs {
    fn open(&mut self, _: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { Ok(()) })
    }

    fn write<'a>(&'a mut self, _: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        self.note("write");
        if self.refuses == Refuses::Gone {
            return Box::pin(async { Err(SinkError::Closed) });
        }
        let is_now = self.refuses == Refuses::AtOnce;
        let rejected = if is_now { rejections() } else { Vec::new() };
        Box::pin(async { Ok(Delivery { bytes: 1, rejected }) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        self.note("commit");
        Box::pin(async { Ok(()) })
    }

    fn commit_policy(&self) -> CommitPolicy {
        let rejects_late = self.refuses == Refuses::AtCommit;
        let idle = (self.refuses == Refuses::NothingEver).then_some(IDLE);
        CommitPolicy { rejects_late, idle, ..CommitPolicy::default() }
    }

    fn take_rejected(&mut self) -> Vec<LateRejection> {
        let late = |rejection| LateRejection { batch: 0, rejection };
        rejections().into_iter().map(late).collect()
    }

    fn reopen(&mut self) {
        self.note("reopen");
    }
}

async fn task(
    refuses: Refuses,
    batches: Vec<Batch>,
    outlet: Arc<Outlet>,
) -> (SinkTask, watch::Sender<u64>, Log) {
    let (sender, input) = lograil_buffer::memory(1 << 30);
    for batch in batches {
        sender.send(batch).await.unwrap();
    }
    let (log, (reopen_sender, reopen)) = (Log::default(), watch::channel(0));
    let metrics = ComponentMetrics::detached();
    let context = SinkContext {
        id: "out".into(),
        clock: ManualClock::new().shared(),
        files: SimFiles::new().shared(),
        state: None,
        upstream_replays: false,
        must_keep: false,
        base_dir: PathBuf::new(),
        metrics: metrics.clone(),
    };
    let task = SinkTask {
        sink: Box::new(Logs { log: Arc::clone(&log), refuses }),
        component_type: "logs",
        context,
        is_open: true,
        is_new_to_checkpoint: false,
        threading: Threading::Async,
        after: Vec::new(),
        at_hand: None,
        again: VecDeque::new(),
        progress: 0,
        departures: Departures::default(),
        input,
        outlet,
        counts: Counts::new(metrics),
        tracker: Tracker::new(Snapshot::default()),
        tracked: None,
        reopen,
        uncommitted: Uncommitted::default(),
    };
    (task, reopen_sender, log)
}

fn nowhere() -> Arc<Outlet> {
    Outlet::new(Vec::new(), Counts::new(ComponentMetrics::detached()))
}

#[tokio::test]
async fn files_are_opened_anew_also_while_the_input_never_pauses() {
    let batches = (0..3).map(|_| batch_of_lines(&["line"])).collect();
    let (task, reopen, log) = task(Refuses::Nothing, batches, nowhere()).await;
    reopen.send_replace(1);
    assert!(matches!(task.run(Orders::none()).await, Exit::Over(Ended::Done)));
    assert_eq!(*log.lock().unwrap(), ["reopen", "write", "write", "write", "commit"]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_sink_to_which_nothing_comes_is_called_now_and_then_if_it_asks_for_it() {
    for (refuses, commits) in [(Refuses::NothingEver, 3), (Refuses::Nothing, 0)] {
        let (mut task, _reopen, log) = task(refuses, Vec::new(), nowhere()).await;
        let clock = ManualClock::new();
        task.context.clock = clock.clone().shared();
        let (_sender, input) = lograil_buffer::memory(1 << 30);
        task.input = input;
        let running = tokio::spawn(task.run(Orders::none()));
        for _ in 0..3 {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            clock.advance(IDLE);
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*log.lock().unwrap(), vec!["commit"; commits]);
        running.abort();
    }
}

/// Each commit delivers a part only.
struct Piecemeal {
    left: u64,
}

impl Sink for Piecemeal {
    fn open(&mut self, _: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { Ok(()) })
    }

    fn write<'a>(&'a mut self, _: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async { Ok(Delivery { bytes: 1, rejected: Vec::new() }) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        self.left -= 1;
        let result = if self.left == 0 { Ok(()) } else { Err(SinkError::retry("a part is left")) };
        Box::pin(async { result })
    }

    fn progress(&self) -> u64 {
        u64::MAX - self.left
    }
}

/// A peer that takes one request and refuses the next is not left alone for longer and longer.
#[tokio::test(flavor = "current_thread")]
async fn waits_do_not_grow_while_parts_are_delivered() {
    let (mut task, _reopen, _log) =
        task(Refuses::Nothing, vec![batch_of_lines(&["line"])], nowhere()).await;
    let clock = ManualClock::new();
    task.context.clock = clock.clone().shared();
    task.sink = Box::new(Piecemeal { left: 50 });
    let running = tokio::spawn(task.run(Orders::none()));
    for _ in 0..50 {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_millis(100));
    }
    assert!(running.is_finished());
}

/// A sink that never waits, below an input that never pauses, shares its thread with others all the same.
#[tokio::test(flavor = "current_thread")]
async fn gives_way_to_other_tasks() {
    let batches = (0..1000).map(|_| batch_of_lines(&["line"])).collect();
    let (task, _reopen, log) = task(Refuses::Nothing, batches, nowhere()).await;
    let other = tokio::spawn(async move { log.lock().unwrap().len() });
    assert!(matches!(task.run(Orders::none()).await, Exit::Over(Ended::Done)));
    assert!(other.await.unwrap() < 1000);
}

/// Tiny batches at a standstill of the clock: their acknowledgements must not pile up.
#[tokio::test]
async fn commits_after_so_many_batches_whatever_their_size() {
    let batches = (0..UNCOMMITTED_BATCHES_MAX + 1).map(|_| batch_of_lines(&["x"])).collect();
    let (task, _reopen, log) = task(Refuses::Nothing, batches, nowhere()).await;
    assert!(matches!(task.run(Orders::none()).await, Exit::Over(Ended::Done)));
    let commits = |log: &[&str]| log.iter().filter(|call| **call == "commit").count();
    assert_eq!(commits(&log.lock().unwrap()), 2);
}

/// A sink that names an event twice, or one that is not there, must not shift the reasons of the others.
#[tokio::test]
async fn every_dead_letter_has_its_own_reason() {
    for refuses in [Refuses::AtOnce, Refuses::AtCommit] {
        reasons_are_their_own(refuses).await;
    }
}

async fn reasons_are_their_own(refuses: Refuses) {
    let (sender, mut letters) = lograil_buffer::memory(1 << 20);
    let outlet = Outlet::new(
        vec![(Port::DEAD_LETTER, vec![sender])],
        Counts::new(ComponentMetrics::detached()),
    );
    let fate = Arc::new(Mutex::new(None));
    let told = Arc::clone(&fate);
    let mut batch = batch_of_lines(&["a", "b", "c"]);
    batch.add_acks(
        Ack::new(AckId { source: 0, sequence: 0 }, move |_, status| {
            *told.lock().unwrap() = Some(status);
        })
        .into(),
    );
    let (task, _reopen, _) = task(refuses, vec![batch], outlet).await;
    assert!(matches!(task.run(Orders::none()).await, Exit::Over(Ended::Done)));
    let mut batch = letters.recv().await.unwrap();
    let reasons: Vec<String> = batch
        .iter()
        .map(|event| {
            let why = event.get_named("dead_letter").and_then(|v| v.as_bytes()).unwrap();
            let why: serde_json::Value = serde_json::from_slice(why).unwrap();
            why["reason"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(reasons, ["first", "second"]);
    assert_eq!(*fate.lock().unwrap(), None, "the letters are not delivered yet");
    batch.take_acks().resolve(AckStatus::Delivered);
    assert_eq!(*fate.lock().unwrap(), Some(AckStatus::Delivered));
}

fn watched(batch: &mut Batch) -> Arc<Mutex<Option<AckStatus>>> {
    let fate = Arc::new(Mutex::new(None));
    let told = Arc::clone(&fate);
    let note = move |_, status| *told.lock().unwrap() = Some(status);
    batch.add_acks(Ack::new(AckId { source: 0, sequence: 0 }, note).into());
    fate
}

/// The rest of the topology goes on, and its sources need not wait for what nobody wants any more.
#[tokio::test]
async fn a_removed_sink_whose_reader_is_gone_discards_what_it_has() {
    let mut batch = batch_of_lines(&["a", "b"]);
    let fate = watched(&mut batch);
    let (task, _reopen, _) = task(Refuses::Gone, vec![batch], nowhere()).await;
    let counts = Arc::clone(&task.counts);
    assert!(matches!(task.run(Orders::given(Order::Drain)).await, Exit::Over(Ended::Done)));
    assert_eq!(*fate.lock().unwrap(), Some(AckStatus::Delivered));
    assert_eq!((counts.ledger().received, counts.ledger().discarded), (2, 2));
}

#[tokio::test]
async fn a_removed_sink_gives_up_dead_letters_that_nobody_takes() {
    let (sender, _letters) = lograil_buffer::memory(0);
    // One share is let in whatever its size; there is no room for a second.
    sender.send(batch_of_lines(&["before"])).await.unwrap();
    let counts = Counts::new(ComponentMetrics::detached());
    let outlet = Outlet::new(vec![(Port::DEAD_LETTER, vec![sender])], Arc::clone(&counts));
    let mut batch = batch_of_lines(&["a", "b"]);
    let fate = watched(&mut batch);
    let (mut task, _reopen, _) = task(Refuses::AtOnce, vec![batch], outlet).await;
    task.counts = Arc::clone(&counts);
    let orders = Orders::given(Order::GiveUp);
    task.at_hand = task.input.try_recv();
    counts.received(2);
    assert!(matches!(task.run(orders).await, Exit::Over(Ended::Done)));
    assert_eq!(*fate.lock().unwrap(), Some(AckStatus::Delivered));
    assert_eq!((counts.ledger().dead_lettered, counts.ledger().discarded), (0, 2));
}
