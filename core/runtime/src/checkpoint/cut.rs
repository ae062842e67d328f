//! Finding a consistent cut: shrinking from "all that is delivered" until sources and sinks fit together.
//!
//! The work grows with the entries of the logs, not with their square: each entry that a sink's cut leaves
//! behind is looked at once, and where a source's cut takes a sink's is looked up.

use lograil_event::AckId;

use super::State;

/// How many entries of each source and each sink's log lie before the cut.
pub(super) struct Cut {
    pub sources: Vec<usize>,
    pub sinks: Vec<usize>,
}

/// For one source and one sink: the first write that holds the source's entry at an index, or a later one.
/// The last index stands for all entries that are not delivered.
struct FirstWrites {
    sink: usize,
    source: usize,
    at: Vec<usize>,
}

impl Cut {
    /// Up to the first batch of each source that is not delivered, and all durable writes.
    pub fn of_all_delivered(state: &State) -> Self {
        let delivered = |track: &super::SourceTrack| {
            track.pending.iter().take_while(|batch| batch.resolved).count()
        };
        Self {
            sources: state.sources.iter().map(delivered).collect(),
            sinks: state.sinks.iter().map(|track| track.durable).collect(),
        }
    }

    /// The largest cut before which lie the same batches in the sources and in the sinks.
    pub fn consistent(state: &State) -> Self {
        let mut cut = Self::of_all_delivered(state);
        let first_writes = cut.first_writes(state);
        for (sink, track) in state.sinks.iter().enumerate() {
            cut.lower_sources(state, sink, track.durable..track.log.len());
        }
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for first in &first_writes {
                let (fits, now) = (first.at[cut.sources[first.source]], cut.sinks[first.sink]);
                if fits < now {
                    cut.sinks[first.sink] = fits;
                    cut.lower_sources(state, first.sink, fits..now);
                    is_settled = false;
                }
            }
        }
        cut
    }

    fn first_writes(&self, state: &State) -> Vec<FirstWrites> {
        let mut all = Vec::new();
        for (sink, track) in state.sinks.iter().enumerate() {
            let mut of_sink: Vec<Vec<usize>> = vec![Vec::new(); self.sources.len()];
            for (write, entry) in track.log.iter().take(track.durable).enumerate() {
                for id in &entry.batches {
                    let Some(index) = index_of(state, *id) else { continue };
                    let delivered = self.sources[id.source as usize];
                    let at = &mut of_sink[id.source as usize];
                    at.resize(delivered + 1, usize::MAX);
                    let first = &mut at[index.min(delivered)];
                    *first = write.min(*first);
                }
            }
            for (source, mut at) in of_sink.into_iter().enumerate().filter(|(_, at)| !at.is_empty())
            {
                let mut later = usize::MAX;
                for first in at.iter_mut().rev() {
                    later = later.min(*first);
                    *first = later;
                }
                all.push(FirstWrites { sink, source, at });
            }
        }
        all
    }

    /// Puts the batches of some writes of a sink, and all behind them, behind the cut.
    fn lower_sources(&mut self, state: &State, sink: usize, writes: std::ops::Range<usize>) {
        for id in state.sinks[sink].log.range(writes).flat_map(|write| &write.batches) {
            if let Some(index) = index_of(state, *id) {
                let count = &mut self.sources[id.source as usize];
                *count = index.min(*count);
            }
        }
    }

    /// Takes what lies before the cut out of the state and into its snapshot.
    pub fn apply(&self, state: &mut State) {
        let State { sources, sinks, snapshot, unsaved, .. } = state;
        for (track, count) in sources.iter_mut().zip(&self.sources) {
            let updates = track.pending.drain(..*count).flat_map(|batch| batch.positions);
            for update in updates {
                *unsaved = true;
                update.apply(snapshot.positions.entry(track.id.clone()).or_default());
            }
            track.base += *count as u64;
        }
        for (track, count) in sinks.iter_mut().zip(&self.sinks) {
            if let Some(last) = track.log.drain(..*count).next_back() {
                snapshot.sink_states.insert(track.id.clone(), last.state);
                *unsaved = true;
            }
            track.durable -= count;
        }
    }
}

/// Where a batch stands among its source's entries; `None` if an earlier cut took it.
fn index_of(state: &State, id: AckId) -> Option<usize> {
    let index = id.sequence.checked_sub(state.sources[id.source as usize].base)?;
    usize::try_from(index).ok()
}
