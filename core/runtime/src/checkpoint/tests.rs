//! The tracker by example.

use super::*;

fn position(offset: u32) -> Vec<PositionUpdate> {
    vec![PositionUpdate { stream: "f".into(), position: Some(offset.to_string()) }]
}

fn offset(snapshot: &Snapshot, source: &str) -> Option<String> {
    snapshot.positions.get(source).and_then(|streams| streams.get("f").cloned())
}

/// One source and a stateful sink: the position and the sink's length always fit together.
#[test]
fn a_cut_holds_what_is_durable_and_nothing_more() {
    let tracker = Tracker::new(Snapshot::default());
    let source = tracker.source("in");
    let sink = tracker.track_sink("out", "0".into());
    let mut acks: Vec<Acks> =
        (1..=3).map(|i| tracker.begin(source, position(i * 10)).into()).collect();
    assert_eq!(tracker.cut().unwrap().sink_states["out"], "0");
    for (i, ack) in acks.iter().enumerate().take(2) {
        tracker.written(sink, ack, format!("{}", (i + 1) * 100));
    }
    assert_eq!(tracker.cut(), None);
    tracker.committed(sink);
    for ack in acks.drain(..2) {
        ack.resolve(AckStatus::Delivered);
    }
    let snapshot = tracker.cut().unwrap();
    assert_eq!(offset(&snapshot, "in").as_deref(), Some("20"));
    assert_eq!(snapshot.sink_states["out"], "200");
    assert_eq!(tracker.in_flight(), 1);
}

#[test]
fn positions_wait_for_the_batches_before_them() {
    let tracker = Tracker::new(Snapshot::default());
    let source = tracker.source("in");
    let first: Acks = tracker.begin(source, position(10)).into();
    let second: Acks = tracker.begin(source, position(20)).into();
    second.resolve(AckStatus::Delivered);
    assert_eq!(tracker.cut().and_then(|s| offset(&s, "in")), None);
    first.resolve(AckStatus::Rejected);
    assert_eq!(tracker.cut().and_then(|s| offset(&s, "in")).as_deref(), Some("20"));
}

/// The fast sink is ahead of the slow one: its state in the snapshot is that of the common batches.
#[test]
fn a_sink_that_is_ahead_goes_back_to_the_common_batches() {
    let tracker = Tracker::new(Snapshot::default());
    let source = tracker.source("in");
    let fast = tracker.track_sink("fast", "0".into());
    let slow = tracker.track_sink("slow", "0".into());
    let acks: Vec<Acks> = (1..=3).map(|i| tracker.begin(source, position(i * 10)).into()).collect();
    for (i, ack) in acks.iter().enumerate() {
        tracker.written(fast, ack, format!("fast{}", i + 1));
        ack.clone().resolve(AckStatus::Delivered);
    }
    tracker.committed(fast);
    tracker.written(slow, &acks[0], "slow1".into());
    tracker.committed(slow);
    let mut acks = acks.into_iter();
    acks.next().unwrap().resolve(AckStatus::Delivered);
    let snapshot = tracker.cut().unwrap();
    assert_eq!(offset(&snapshot, "in").as_deref(), Some("10"));
    assert_eq!(snapshot.sink_states["fast"], "fast1");
    assert_eq!(snapshot.sink_states["slow"], "slow1");
}

/// Two sources interleave in one sink; the undelivered batch of one holds the other back.
#[test]
fn an_undelivered_batch_holds_back_what_was_written_after_it() {
    let tracker = Tracker::new(Snapshot::default());
    let (a, b) = (tracker.source("a"), tracker.source("b"));
    let both = tracker.track_sink("both", "0".into());
    let from_a: Acks = tracker.begin(a, position(10)).into();
    let from_b: Acks = tracker.begin(b, position(10)).into();
    tracker.written(both, &from_a, "1".into());
    tracker.written(both, &from_b, "2".into());
    tracker.committed(both);
    let elsewhere = from_a.clone();
    from_a.resolve(AckStatus::Delivered);
    from_b.resolve(AckStatus::Delivered);
    let snapshot = tracker.cut().unwrap();
    assert_eq!(snapshot.sink_states["both"], "0");
    assert_eq!(offset(&snapshot, "b"), None, "it was written behind a's, which is still open");
    assert_eq!(tracker.cut(), None);
    elsewhere.resolve(AckStatus::Delivered);
    let snapshot = tracker.cut().unwrap();
    assert_eq!(snapshot.sink_states["both"], "2");
    assert_eq!(offset(&snapshot, "b").as_deref(), Some("10"));
}

/// A diamond that never fits must not stop the checkpoint for good.
#[test]
fn a_cut_that_never_fits_is_forced_in_the_end() {
    let tracker = Tracker::new(Snapshot::default());
    let source = tracker.source("in");
    let sink = tracker.track_sink("out", "0".into());
    let first: Acks = tracker.begin(source, position(10)).into();
    let second: Acks = tracker.begin(source, position(20)).into();
    tracker.written(sink, &second, "1".into());
    tracker.written(sink, &first, "2".into());
    tracker.committed(sink);
    first.resolve(AckStatus::Delivered);
    let taken: Vec<_> = (0..=STALLED_CUTS_MAX).filter_map(|_| tracker.cut()).collect();
    assert_eq!(offset(taken.last().unwrap(), "in").as_deref(), Some("10"));
    second.resolve(AckStatus::Delivered);
    let snapshot = tracker.cut().unwrap();
    assert_eq!(offset(&snapshot, "in").as_deref(), Some("20"));
}

#[test]
fn a_forgotten_stream_leaves_the_snapshot() {
    let tracker = Tracker::new(Snapshot::default());
    let source = tracker.source("in");
    Acks::from(tracker.begin(source, position(10))).resolve(AckStatus::Delivered);
    tracker.cut();
    let forget = vec![PositionUpdate { stream: "f".into(), position: None }];
    Acks::from(tracker.begin(source, forget)).resolve(AckStatus::Delivered);
    assert_eq!(tracker.cut().and_then(|s| offset(&s, "in")), None);
}

#[test]
fn an_errored_batch_is_never_passed() {
    let tracker = Tracker::new(Snapshot::default());
    let source = tracker.source("in");
    drop(tracker.begin(source, position(10)));
    Acks::from(tracker.begin(source, position(20))).resolve(AckStatus::Delivered);
    assert_eq!(tracker.cut().and_then(|s| offset(&s, "in")), None);
}

/// Two sinks read two sources in opposite skew, so that no cut fits; a third source goes on meanwhile. The
/// first two must not be held back for ever, and what is remembered of them must stay bounded.
#[test]
fn a_source_that_moves_on_does_not_hide_one_that_is_stuck() {
    let tracker = Tracker::new(Snapshot::default());
    let [a, b, c] = ["a", "b", "c"].map(|id| tracker.source(id));
    let [one, two] = ["one", "two"].map(|id| tracker.track_sink(id, "0".into()));
    let mut early: Vec<Acks> = [a, b].map(|s| tracker.begin(s, position(0)).into()).into();
    let mut freed = false;
    for round in 1..=2 * STALLED_CUTS_MAX {
        let late: Vec<Acks> = [a, b].map(|s| tracker.begin(s, position(round)).into()).into();
        // `one` is a batch of `a` ahead, `two` a batch of `b`.
        for (sink, first, second) in [(one, &late[0], &early[1]), (two, &late[1], &early[0])] {
            tracker.written(sink, first, format!("{round}+"));
            tracker.written(sink, second, format!("{round}"));
            tracker.committed(sink);
        }
        std::mem::replace(&mut early, late)
            .into_iter()
            .for_each(|ack| ack.resolve(AckStatus::Delivered));
        Acks::from(tracker.begin(c, position(round))).resolve(AckStatus::Delivered);
        let snapshot = tracker.cut().unwrap();
        assert_eq!(offset(&snapshot, "c"), Some(round.to_string()));
        freed |= offset(&snapshot, "a").is_some() && offset(&snapshot, "b").is_some();
    }
    assert!(freed);
}

/// Every step of the search lowers a cut by one batch: the worst case for its cost.
#[test]
fn a_large_backlog_is_cut_in_a_blink() {
    const BATCHES: u32 = 50_000;
    let tracker = Tracker::new(Snapshot::default());
    let [a, b] = ["a", "b"].map(|id| tracker.source(id));
    let [one, two] = ["one", "two"].map(|id| tracker.track_sink(id, "0".into()));
    let begin =
        |source| (0..BATCHES).map(|i| Acks::from(tracker.begin(source, position(i)))).collect();
    let [from_a, from_b]: [Vec<Acks>; 2] = [a, b].map(begin);
    for i in 0..BATCHES as usize {
        tracker.written(one, &from_a[i], String::new());
        tracker.written(two, &from_b[i], String::new());
        if i > 0 {
            tracker.written(one, &from_b[i - 1], String::new());
            tracker.written(two, &from_a[i - 1], String::new());
        }
    }
    tracker.committed(one);
    tracker.committed(two);
    for ack in from_a.into_iter().chain(from_b).take(2 * BATCHES as usize - 1) {
        ack.resolve(AckStatus::Delivered);
    }
    let start = std::time::Instant::now();
    tracker.cut();
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}

/// A sink that is gone from the topology writes no more, or untracked: what it had then is no place to go
/// back to.
#[test]
fn the_state_of_a_sink_that_is_not_tracked_any_more_is_forgotten() {
    let states = ["kept", "gone"].map(|id| (id.to_owned(), "100".to_owned()));
    let snapshot = Snapshot { sink_states: states.into(), ..Snapshot::default() };
    let tracker = Tracker::new(snapshot);
    tracker.forget_sinks(|id| id == "kept");
    let snapshot = tracker.cut().unwrap();
    assert_eq!(snapshot.sink_states.keys().collect::<Vec<_>>(), ["kept"]);
}
