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

mod cut;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lograil_event::{Ack, AckId, AckStatus, Acks};
use lograil_plugin::{Clock, PositionUpdate};
use prometheus::Histogram;
use tokio::sync::watch;

use cut::Cut;

/// Cuts in a row that may leave a source where it is although batches of it were delivered, before the next
/// is taken without regard to sink states: then a crash may double events, but the checkpoint moves on.
const STALLED_CUTS_MAX: u32 = 20;

/// Delivered batches of a source that may lie behind a cut, before the next is taken in the same way.
const BACKLOG_BATCHES_MAX: usize = 100_000;

/// What a checkpoint holds, by component id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    /// Positions of each source's streams.
    pub positions: BTreeMap<String, BTreeMap<String, String>>,
    /// State of each sink that has one.
    pub sink_states: BTreeMap<String, String>,
    /// Whether it was taken when all had ended: the sinks hold nothing that came after it.
    pub is_complete: bool,
}

/// How far each source had sent at some moment.
pub(crate) struct Mark(Vec<u64>);

#[derive(Default)]
struct SourceTrack {
    id: String,
    /// Sequence of the first entry of `pending`.
    base: u64,
    pending: VecDeque<PendingBatch>,
    /// Cuts in a row that left it where it was although batches were delivered.
    stalled: u32,
    timing: Option<Timing>,
}

/// Measures how long batches are under way.
struct Timing {
    clock: Arc<dyn Clock>,
    delivery_seconds: Histogram,
}

struct PendingBatch {
    resolved: bool,
    begun: Duration,
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
    /// Something happened since the last look for a cut.
    moved: bool,
    /// The snapshot differs from the one that was given out last.
    unsaved: bool,
    /// Calls of [`Tracker::cut`] so far.
    cuts: u64,
}

/// Follows every batch from source to sinks.
pub(crate) struct Tracker {
    state: Mutex<State>,
    /// The last cut of which the snapshot is durable.
    saved: watch::Sender<u64>,
}

impl Tracker {
    /// A tracker that starts from what the last checkpoint said.
    pub fn new(snapshot: Snapshot) -> Arc<Self> {
        let state = Mutex::new(State { snapshot, ..State::default() });
        Arc::new(Self { state, saved: watch::channel(0).0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a source, which is added if it is new.
    pub fn source(&self, id: &str) -> u32 {
        let mut state = self.state();
        let known = state.sources.iter().position(|track| track.id == id);
        let number = known.unwrap_or_else(|| {
            state.sources.push(SourceTrack { id: id.to_owned(), ..SourceTrack::default() });
            state.sources.len() - 1
        });
        number as u32
    }

    /// The positions of a source behind all that it has sent: where another instance goes on.
    pub fn positions_sent(&self, id: &str) -> BTreeMap<String, String> {
        let state = self.state();
        let mut positions = state.snapshot.positions.get(id).cloned().unwrap_or_default();
        let sent = state.sources.iter().filter(|track| track.id == id);
        for update in sent.flat_map(|track| &track.pending).flat_map(|batch| &batch.positions) {
            update.clone().apply(&mut positions);
        }
        positions
    }

    /// Takes what an earlier run left.
    pub fn adopt(&self, snapshot: Snapshot) {
        let mut state = self.state();
        for (id, positions) in snapshot.positions {
            state.snapshot.positions.entry(id).or_insert(positions);
        }
        for (id, sink_state) in snapshot.sink_states {
            state.snapshot.sink_states.entry(id).or_insert(sink_state);
        }
    }

    /// Measures from now on how long a source's batches are under way.
    pub fn time_source(&self, source: u32, clock: Arc<dyn Clock>, delivery_seconds: Histogram) {
        self.state().sources[source as usize].timing = Some(Timing { clock, delivery_seconds });
    }

    /// Makes the state of a sink part of the checkpoint; its number. `sink_state` is what it has now. A sink that was
    /// opened anew goes on where its predecessor was, so that a crash finds what to undo of both.
    pub fn track_sink(&self, id: &str, sink_state: String) -> usize {
        let mut state = self.state();
        state.unsaved = true;
        if let Some(known) = state.sinks.iter().position(|track| track.id == id) {
            let track = &mut state.sinks[known];
            track.log.push_back(SinkWrite { batches: Vec::new(), state: sink_state });
            track.durable = track.log.len();
            state.moved = true;
            return known;
        }
        state.snapshot.sink_states.insert(id.to_owned(), sink_state);
        // The place of one that is tracked no more.
        let free = state.sinks.iter().position(|track| track.id.is_empty());
        let number = free.unwrap_or_else(|| {
            state.sinks.push(SinkTrack::default());
            state.sinks.len() - 1
        });
        state.sinks[number] = SinkTrack { id: id.to_owned(), ..SinkTrack::default() };
        number
    }

    /// Takes the state of a sink out of the checkpoint. One that writes without being tracked would grow stale, and
    /// a later start would undo what was delivered since.
    pub fn untrack_sink(&self, id: &str) {
        let mut state = self.state();
        if let Some(track) = state.sinks.iter_mut().find(|track| track.id == id) {
            *track = SinkTrack::default();
            state.moved = true;
        }
        state.unsaved |= state.snapshot.sink_states.remove(id).is_some();
    }

    /// The last state of a sink that is known.
    pub fn sink_state(&self, id: &str) -> Option<String> {
        let state = self.state();
        let track = state.sinks.iter().find(|track| track.id == id);
        let written = track.and_then(|track| track.log.back()).map(|write| write.state.clone());
        written.or_else(|| state.snapshot.sink_states.get(id).cloned())
    }

    /// Forgets the states of all sinks but those that `is_kept` names. The state of a sink that writes
    /// without being tracked would grow stale, and a later start would undo what was delivered since.
    pub fn forget_sinks(&self, is_kept: impl Fn(&str) -> bool) {
        let mut state = self.state();
        let before = state.snapshot.sink_states.len();
        state.snapshot.sink_states.retain(|id, _| is_kept(id));
        state.unsaved |= state.snapshot.sink_states.len() < before;
    }

    /// A new batch of a source, with the positions that hold once it and all before it are delivered.
    pub fn begin(self: &Arc<Self>, source: u32, positions: Vec<PositionUpdate>) -> Ack {
        let tracker = Arc::clone(self);
        Ack::new(self.enter(source, positions), move |id, status| tracker.resolved(id, status))
    }

    /// A batch that was put in from outside, whose fate `tell` is told. Nobody offers it again if it is not delivered,
    /// so that it holds up no checkpoint then.
    pub fn begin_injected(
        self: &Arc<Self>,
        source: u32,
        tell: impl Fn(AckStatus) + Send + Sync + 'static,
    ) -> Ack {
        let tracker = Arc::clone(self);
        Ack::new(self.enter(source, Vec::new()), move |id, status| {
            tracker.resolved(id, status.min(AckStatus::Rejected));
            tell(status);
        })
    }

    fn enter(&self, source: u32, positions: Vec<PositionUpdate>) -> AckId {
        let mut state = self.state();
        let track = &mut state.sources[source as usize];
        let sequence = track.base + track.pending.len() as u64;
        let begun = track.timing.as_ref().map_or(Duration::ZERO, |timing| timing.clock.monotonic());
        track.pending.push_back(PendingBatch { resolved: false, begun, positions });
        AckId { source, sequence }
    }

    fn resolved(&self, id: AckId, status: AckStatus) {
        if !status.is_resolved() {
            return;
        }
        let mut state = self.state();
        state.moved = true;
        let track = &mut state.sources[id.source as usize];
        let index = id.sequence.checked_sub(track.base).and_then(|i| usize::try_from(i).ok());
        if let Some(batch) = index.and_then(|index| track.pending.get_mut(index)) {
            batch.resolved = true;
            if let Some(Timing { clock, delivery_seconds }) = &track.timing {
                let period = clock.monotonic().saturating_sub(batch.begun);
                delivery_seconds.observe(period.as_secs_f64());
            }
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
        state.moved = true;
    }

    /// How far each source has sent by now.
    pub fn mark(&self) -> Mark {
        let sent = |track: &SourceTrack| track.base + track.pending.len() as u64;
        Mark(self.state().sources.iter().map(sent).collect())
    }

    /// Whether every batch sent before `mark` lies before the last cut.
    pub fn covers(&self, mark: &Mark) -> bool {
        self.state().sources.iter().zip(&mark.0).all(|(track, sent)| track.base >= *sent)
    }

    /// Batches of all sources that are not delivered yet.
    pub fn in_flight(&self) -> u64 {
        let state = self.state();
        let open = |track: &SourceTrack| track.pending.iter().filter(|b| !b.resolved).count();
        state.sources.iter().map(open).sum::<usize>() as u64
    }

    /// The snapshot of the last cut is durable, or the cut gave none because it is so already.
    pub fn saved(&self) {
        let cuts = self.state().cuts;
        self.saved.send_replace(cuts);
    }

    /// Waits until a batch lies before a cut of which the snapshot is durable.
    pub async fn wait_for_cut(&self, id: AckId) {
        let mut saved = self.saved.subscribe();
        loop {
            let (is_cut, cuts) = {
                let state = self.state();
                (state.sources[id.source as usize].base > id.sequence, state.cuts)
            };
            // The tracker itself holds the sending end, so the waits cannot fail.
            if is_cut {
                let _done = saved.wait_for(|saved| *saved >= cuts).await;
                return;
            }
            let _later = saved.changed().await;
        }
    }

    /// Waits until all that the tracker knows now is durable.
    pub async fn wait_for_save(&self) {
        let next = self.state().cuts + 1;
        // The tracker itself holds the sending end, so the wait cannot fail.
        let mut saved = self.saved.subscribe();
        let _done = saved.wait_for(|saved| *saved >= next).await;
    }

    /// The last snapshot, when all tasks have ended: it is complete if nothing that was sent or written lies behind it.
    pub fn last_cut(&self) -> Option<Snapshot> {
        let snapshot = self.cut();
        let mut state = self.state();
        let is_covered = state.sources.iter().all(|track| track.pending.is_empty())
            && state.sinks.iter().all(|track| track.log.is_empty());
        if !is_covered {
            return snapshot;
        }
        state.snapshot.is_complete = true;
        Some(state.snapshot.clone())
    }

    /// The last snapshot could not be saved: the next cut must give one even if nothing happens until then.
    pub fn retry_save(&self) {
        self.state().unsaved = true;
    }

    /// The newest consistent snapshot, if it differs from the last one taken.
    pub fn cut(&self) -> Option<Snapshot> {
        let mut state = self.state();
        state.cuts += 1;
        if std::mem::take(&mut state.moved) {
            let delivered = Cut::of_all_delivered(&state);
            let cut = Cut::consistent(&state);
            let is_forced = state.note_stalls(&delivered, &cut);
            if is_forced { delivered } else { cut }.apply(&mut state);
        }
        std::mem::take(&mut state.unsaved).then(|| state.snapshot.clone())
    }
}

impl State {
    /// Keeps account of the sources that a cut leaves behind. Whether one has waited for too long.
    fn note_stalls(&mut self, delivered: &Cut, cut: &Cut) -> bool {
        let mut is_forced = false;
        for (source, track) in self.sources.iter_mut().enumerate() {
            let backlog = delivered.sources[source] - cut.sources[source];
            let is_stalled = backlog > 0 && cut.sources[source] == 0;
            track.stalled = if is_stalled { track.stalled + 1 } else { 0 };
            // Stalled cuts count also while nothing else happens.
            self.moved |= backlog > 0;
            is_forced |= track.stalled > STALLED_CUTS_MAX || backlog > BACKLOG_BATCHES_MAX;
        }
        if is_forced {
            self.sources.iter_mut().for_each(|track| track.stalled = 0);
        }
        is_forced
    }
}
