//! Which batches are delivered, and the consistent cut that a checkpoint is made of.
//!
//! A checkpoint says two things that must fit together: up to where each source need not be read again, and
//! what each sink with a state (a file's length) contained then. It is a *cut*: every batch before it is in
//! the sinks' states, no batch behind it is. After a crash the sinks go back to their states and the
//! sources to their positions, and nothing is lost or doubled.
//!
//! A source's batches are numbered. A stateful sink logs which batches each of its writes held and what its
//! state was afterwards. A cut is found by shrinking from "all that is delivered" until it fits: a sink's log
//! is cut before the first write that holds an undelivered batch, and a source's positions before the first
//! batch that lies behind its sink's cut.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lograil_event::{Ack, AckId, AckStatus, Acks};
use lograil_plugin::PositionUpdate;

/// Cuts in a row that may come out empty although batches were delivered, before the next is taken without
/// regard to sink states: then a crash may double events, but the checkpoint moves on.
const STALLED_CUTS_MAX: u32 = 20;

/// What a checkpoint holds, by component id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Positions of each source's streams.
    pub positions: BTreeMap<String, BTreeMap<String, String>>,
    /// State of each sink that has one.
    pub sink_states: BTreeMap<String, String>,
}

#[derive(Default)]
struct SourceTrack {
    id: String,
    /// Sequence of the first entry of `pending`.
    base: u64,
    pending: VecDeque<PendingBatch>,
}

struct PendingBatch {
    resolved: bool,
    positions: Vec<PositionUpdate>,
}

#[derive(Default)]
struct SinkTrack {
    id: String,
    /// Writes since the last cut.
    log: VecDeque<SinkWrite>,
    /// How many of them are durable.
    durable: usize,
}

struct SinkWrite {
    batches: Vec<AckId>,
    state: String,
}

#[derive(Default)]
struct State {
    sources: Vec<SourceTrack>,
    sinks: Vec<SinkTrack>,
    snapshot: Snapshot,
    changed: bool,
    stalled: u32,
}

/// Follows every batch from source to sinks.
#[derive(Default)]
pub(crate) struct Tracker(Mutex<State>);

impl Tracker {
    /// A tracker that starts from what the last checkpoint said.
    pub fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { snapshot, ..State::default() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a source; its number.
    pub fn add_source(&self, id: &str) -> u32 {
        let mut state = self.state();
        state.sources.push(SourceTrack { id: id.to_owned(), ..SourceTrack::default() });
        (state.sources.len() - 1) as u32
    }

    /// Adds a sink that has a state; its number. `state` is what it has now.
    pub fn add_sink(&self, id: &str, sink_state: String) -> usize {
        let mut state = self.state();
        state.snapshot.sink_states.insert(id.to_owned(), sink_state);
        state.changed = true;
        state.sinks.push(SinkTrack { id: id.to_owned(), ..SinkTrack::default() });
        state.sinks.len() - 1
    }

    /// A new batch of a source, with the positions that hold once it and all before it are delivered.
    pub fn begin(self: &Arc<Self>, source: u32, positions: Vec<PositionUpdate>) -> Ack {
        let mut state = self.state();
        let track = &mut state.sources[source as usize];
        let sequence = track.base + track.pending.len() as u64;
        track.pending.push_back(PendingBatch { resolved: false, positions });
        drop(state);
        let tracker = Arc::clone(self);
        Ack::new(AckId { source, sequence }, move |id, status| tracker.resolved(id, status))
    }

    fn resolved(&self, id: AckId, status: AckStatus) {
        if !status.is_resolved() {
            return;
        }
        let mut state = self.state();
        state.changed = true;
        let track = &mut state.sources[id.source as usize];
        let index = id.sequence.checked_sub(track.base).and_then(|i| usize::try_from(i).ok());
        if let Some(batch) = index.and_then(|index| track.pending.get_mut(index)) {
            batch.resolved = true;
        }
    }

    /// A stateful sink has written a batch.
    pub fn written(&self, sink: usize, acks: &Acks, sink_state: String) {
        let write = SinkWrite { batches: acks.ids().collect(), state: sink_state };
        self.state().sinks[sink].log.push_back(write);
    }

    /// A stateful sink has made all its writes durable.
    pub fn committed(&self, sink: usize) {
        let mut state = self.state();
        let track = &mut state.sinks[sink];
        track.durable = track.log.len();
        state.changed = true;
    }

    /// Batches of all sources that are not delivered yet.
    pub fn in_flight(&self) -> u64 {
        let state = self.state();
        let open = |track: &SourceTrack| track.pending.iter().filter(|b| !b.resolved).count();
        state.sources.iter().map(open).sum::<usize>() as u64
    }

    /// The last snapshot could not be saved: the next cut must give one even if nothing happens until then.
    pub fn retry_save(&self) {
        self.state().changed = true;
    }

    /// The newest consistent snapshot, if it differs from the last one taken.
    pub fn cut(&self) -> Option<Snapshot> {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return None;
        }
        let mut cut = Cut::of_all_delivered(&state);
        let wanted = cut.sources.iter().any(|count| *count > 0);
        cut.shrink_until_consistent(&state);
        if wanted && cut.is_empty() {
            state.stalled += 1;
            // Batches move on: look again even if nothing else happens.
            state.changed = true;
            if state.stalled <= STALLED_CUTS_MAX {
                return None;
            }
            cut = Cut::of_all_delivered(&state);
        }
        state.stalled = 0;
        cut.apply(&mut state);
        Some(state.snapshot.clone())
    }
}

/// How many entries of each source and each sink's log lie before the cut.
struct Cut {
    sources: Vec<usize>,
    sinks: Vec<usize>,
}

impl Cut {
    fn of_all_delivered(state: &State) -> Self {
        let delivered =
            |track: &SourceTrack| track.pending.iter().take_while(|batch| batch.resolved).count();
        Self {
            sources: state.sources.iter().map(delivered).collect(),
            sinks: state.sinks.iter().map(|track| track.durable).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.sources.iter().chain(&self.sinks).all(|count| *count == 0)
    }

    fn holds(&self, state: &State, id: AckId) -> bool {
        let source = id.source as usize;
        id.sequence < state.sources[source].base + self.sources[source] as u64
    }

    fn shrink_until_consistent(&mut self, state: &State) {
        while self.shrink_sinks(state) | self.shrink_sources(state) {}
    }

    /// Cuts each log before the first write that holds a batch behind the sources' cut.
    fn shrink_sinks(&mut self, state: &State) -> bool {
        let mut shrunk = false;
        for (sink, track) in state.sinks.iter().enumerate() {
            let kept = track.log.iter().take(self.sinks[sink]);
            let fits = |write: &&SinkWrite| write.batches.iter().all(|id| self.holds(state, *id));
            let count = kept.take_while(fits).count();
            shrunk |= count < self.sinks[sink];
            self.sinks[sink] = count;
        }
        shrunk
    }

    /// Cuts each source before the first batch that lies behind its sink's cut.
    fn shrink_sources(&mut self, state: &State) -> bool {
        let mut shrunk = false;
        for (sink, track) in state.sinks.iter().enumerate() {
            for id in track.log.iter().skip(self.sinks[sink]).flat_map(|write| &write.batches) {
                if self.holds(state, *id) {
                    let source = id.source as usize;
                    // A batch before the base belongs to an older cut that was forced; it stays there.
                    let index = id.sequence.saturating_sub(state.sources[source].base) as usize;
                    shrunk |= index < self.sources[source];
                    self.sources[source] = self.sources[source].min(index);
                }
            }
        }
        shrunk
    }

    fn apply(&self, state: &mut State) {
        let State { sources, sinks, snapshot, .. } = state;
        for (track, count) in sources.iter_mut().zip(&self.sources) {
            let updates = track.pending.drain(..*count).flat_map(|batch| batch.positions);
            for update in updates {
                let positions = snapshot.positions.entry(track.id.clone()).or_default();
                match update.position {
                    Some(position) => positions.insert(update.stream, position),
                    None => positions.remove(&update.stream),
                };
            }
            track.base += *count as u64;
        }
        for (track, count) in sinks.iter_mut().zip(&self.sinks) {
            if let Some(last) = track.log.drain(..*count).next_back() {
                snapshot.sink_states.insert(track.id.clone(), last.state);
            }
            track.durable -= count;
        }
    }
}

#[cfg(test)]
mod tests {
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
        let source = tracker.add_source("in");
        let sink = tracker.add_sink("out", "0".into());
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
        let source = tracker.add_source("in");
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
        let source = tracker.add_source("in");
        let fast = tracker.add_sink("fast", "0".into());
        let slow = tracker.add_sink("slow", "0".into());
        let acks: Vec<Acks> =
            (1..=3).map(|i| tracker.begin(source, position(i * 10)).into()).collect();
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
        let (a, b) = (tracker.add_source("a"), tracker.add_source("b"));
        let both = tracker.add_sink("both", "0".into());
        let from_a: Acks = tracker.begin(a, position(10)).into();
        let from_b: Acks = tracker.begin(b, position(10)).into();
        tracker.written(both, &from_a, "1".into());
        tracker.written(both, &from_b, "2".into());
        tracker.committed(both);
        let elsewhere = from_a.clone();
        from_a.resolve(AckStatus::Delivered);
        from_b.resolve(AckStatus::Delivered);
        assert_eq!(tracker.cut(), None, "b's batch was written behind a's, which is still open");
        elsewhere.resolve(AckStatus::Delivered);
        let snapshot = tracker.cut().unwrap();
        assert_eq!(snapshot.sink_states["both"], "2");
        assert_eq!(offset(&snapshot, "b").as_deref(), Some("10"));
    }

    /// A diamond that never fits must not stop the checkpoint for good.
    #[test]
    fn a_cut_that_never_fits_is_forced_in_the_end() {
        let tracker = Tracker::new(Snapshot::default());
        let source = tracker.add_source("in");
        let sink = tracker.add_sink("out", "0".into());
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
        let source = tracker.add_source("in");
        Acks::from(tracker.begin(source, position(10))).resolve(AckStatus::Delivered);
        tracker.cut();
        let forget = vec![PositionUpdate { stream: "f".into(), position: None }];
        Acks::from(tracker.begin(source, forget)).resolve(AckStatus::Delivered);
        assert_eq!(tracker.cut().and_then(|s| offset(&s, "in")), None);
    }

    #[test]
    fn an_errored_batch_is_never_passed() {
        let tracker = Tracker::new(Snapshot::default());
        let source = tracker.add_source("in");
        drop(tracker.begin(source, position(10)));
        Acks::from(tracker.begin(source, position(20))).resolve(AckStatus::Delivered);
        assert_eq!(tracker.cut().and_then(|s| offset(&s, "in")), None);
    }
}
