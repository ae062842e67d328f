//! Transforms: what changes, drops or splits events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lograil_event::{Batch, Changes};

use crate::clock::Clock;
use crate::dead_letter;
use crate::error::{ConfigError, TransformError};
use crate::metrics::ComponentMetrics;
use crate::spec::Port;

/// Changes batches, one after the other, on one thread at a time. A plain function: it neither waits nor
/// does I/O.
pub trait Transform: Send {
    /// Called once before the first batch. `context.state` is what [`Transform::state`] said before the last
    /// stop, crash or reload; one that makes no sense (of another version, of other options) is to be ignored.
    /// An error ends the start of the topology before anything is read.
    fn start(&mut self, _context: TransformContext) -> Result<(), TransformError> {
        Ok(())
    }

    /// Takes a batch and emits what becomes of it. Every event must be accounted for: emitted, discarded
    /// with a reason, dead-lettered, or held back for later; one that is made here is to be counted with
    /// [`Outputs::create`]. The acknowledgements travel with the batch; a transform that builds
    /// new batches moves them over with `take_acks` and `add_acks`.
    fn process(&mut self, batch: Batch, out: &mut Outputs);

    /// Called about once a second, and at the end of a pause ([`Outputs::pause`]), for transforms that hold
    /// events back. `now_ns` is wall-clock time.
    fn tick(&mut self, _now_ns: i64, _out: &mut Outputs) {}

    /// Called once after the last batch: emit all that is held back.
    fn flush(&mut self, _out: &mut Outputs) {}

    /// How long an event may be held back at most, with its acknowledgement, before what becomes of it leaves by the
    /// unnamed output; `Duration::MAX` where nothing bounds it. A topology is refused in which senders to a source above
    /// would give up before ([`crate::Source::delivery_wait`]). Waiting because an output is full does not count.
    fn held_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether its unnamed output ever carries anything. If not, `inputs = ["id"]` is a mistake in a topology, and
    /// each named output that nothing reads is warned of.
    fn has_unnamed_output(&self) -> bool {
        true
    }

    /// What is suspicious about its options but no mistake: shown when the topology is loaded, where it is written.
    fn warnings(&self) -> Vec<ConfigError> {
        Vec::new()
    }

    /// What it has learned from the events so far, in its own notation, version included; `None` for transforms
    /// that learn nothing. Asked for once after [`Transform::start`], then now and then between two batches.
    /// After a crash the transform gets one that is not ahead of the events that come again: some of what it
    /// had learned may be missing, but nothing was learned from an event that was not delivered. Events that
    /// are held back do not belong into it; they come again by themselves. At most 64 MiB are kept.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }
}

/// What the runtime gives a transform.
#[derive(Clone)]
pub struct TransformContext {
    /// The component's id in the topology.
    pub id: Arc<str>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What [`Transform::state`] said, if there was one.
    pub state: Option<Arc<[u8]>>,
    /// The directory that relative paths of the topology start from.
    pub base_dir: PathBuf,
    /// Counters and gauges of this component.
    pub metrics: ComponentMetrics,
}

impl TransformContext {
    /// A context of a component that starts anew and whose relative paths start from the current directory.
    #[must_use]
    pub fn new(id: Arc<str>, clock: Arc<dyn Clock>, metrics: ComponentMetrics) -> Self {
        Self { id, clock, state: None, base_dir: PathBuf::from("."), metrics }
    }
}

/// A batch that was emitted, and the changes of it that were not made yet.
#[derive(Debug)]
pub(crate) struct Emitted {
    pub port: Port,
    pub batch: Batch,
    pub changes: Changes,
}

/// What a transform made of its input; the runtime empties it after every call.
#[derive(Debug, Default)]
pub struct Outputs {
    component_id: Arc<str>,
    component_type: &'static str,
    emitted: Vec<Emitted>,
    /// Whether changes are left to whoever takes what was emitted.
    defers_changes: bool,
    /// Empty, with the memory of changes that were taken.
    spare_changes: Changes,
    discarded: Vec<(&'static str, u64)>,
    created: u64,
    pause: Option<Duration>,
}

impl Outputs {
    /// An empty set of outputs of the component that dead letters will name.
    #[must_use]
    pub fn new(component_id: Arc<str>, component_type: &'static str) -> Self {
        Self { component_id, component_type, ..Self::default() }
    }

    /// The type of the component, as dead letters name it.
    #[must_use]
    pub fn component_type(&self) -> &'static str {
        self.component_type
    }

    /// Emits a batch. An empty one is fine: its acknowledgements are resolved as delivered.
    pub fn emit(&mut self, batch: Batch) {
        self.emit_to(Port::MAIN, batch);
    }

    /// Emits a batch on a port.
    pub fn emit_to(&mut self, port: Port, batch: Batch) {
        self.emitted.push(Emitted { port, batch, changes: Changes::default() });
    }

    /// Makes changes of a batch and emits it; `changes` are none afterwards. The same as if the changes were made before,
    /// but in a plugin the host makes them in its own arrays, so that a change of a field costs no copy of all.
    pub fn emit_changed(&mut self, mut batch: Batch, changes: &mut Changes) {
        if self.defers_changes {
            let changes = std::mem::replace(changes, std::mem::take(&mut self.spare_changes));
            self.emitted.push(Emitted { port: Port::MAIN, batch, changes });
        } else {
            changes.apply(&mut batch);
            changes.clear();
            self.emit(batch);
        }
    }

    /// Counts events that were dropped as the configuration demands. `reason` is a metric label: a word.
    pub fn discard(&mut self, reason: &'static str, events: usize) {
        if events > 0 {
            self.discarded.push((reason, events as u64));
        }
    }

    /// Counts events that were made here, beyond those that came in: the second and third part of an event
    /// that was split, a summary. Without it the delivery ledger of the component does not add up.
    pub fn create(&mut self, events: usize) {
        self.created += events as u64;
    }

    /// Asks for no further input for a while: what was emitted is delivered, then the runtime waits, then it
    /// calls [`Transform::tick`]. The input waits meanwhile, and so do, once the edges are full, the sources.
    /// A topology that stops does not wait: it goes on to [`Transform::flush`].
    pub fn pause(&mut self, duration: Duration) {
        self.pause = Some(self.pause.map_or(duration, |pause| pause.max(duration)));
    }

    /// Sends all events of `batch` to the dead-letter output; `reason` gives the reason of each.
    pub fn dead_letter<R: AsRef<str>>(&mut self, batch: Batch, reason: impl FnMut(usize) -> R) {
        let batch = dead_letter::convert(batch, &self.component_id, self.component_type, reason);
        self.emit_to(Port::DEAD_LETTER, batch);
    }

    /// What was emitted since the last call, in order.
    pub fn take_emitted(&mut self) -> impl Iterator<Item = (Port, Batch)> + '_ {
        self.emitted.drain(..).map(|mut emitted| {
            emitted.changes.apply(&mut emitted.batch);
            (emitted.port, emitted.batch)
        })
    }

    /// From here on changes are not made: [`Self::take_deferred`] gives them with the batch.
    pub(crate) fn defer_changes(&mut self) {
        self.defers_changes = true;
    }

    /// As [`Self::take_emitted`], with the changes that are still to be made.
    pub(crate) fn take_deferred(&mut self) -> impl Iterator<Item = Emitted> + '_ {
        self.emitted.drain(..)
    }

    /// Takes back changes that [`Self::take_deferred`] gave: the next ones are made in their memory.
    pub(crate) fn reuse(&mut self, mut changes: Changes) {
        changes.clear();
        self.spare_changes = changes;
    }

    /// How many events were created since the last call.
    pub fn take_created(&mut self) -> u64 {
        std::mem::take(&mut self.created)
    }

    /// The pause that was asked for since the last call.
    pub fn take_pause(&mut self) -> Option<Duration> {
        self.pause.take()
    }

    /// What was discarded since the last call.
    pub fn take_discarded(&mut self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.discarded.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use lograil_event::{Change, Field, Key, Placement, Selection};

    use super::*;
    use crate::testing::batch_of_json;

    fn emitted(out: &mut Outputs) -> Batch {
        let mut changes = Changes::default();
        changes.all(Key(0), Placement::Set, Change::set(Field::i64(0, 7)));
        changes.keep(&Selection::of(2, |event| event == 1));
        let one = serde_json::json!({"a": 1});
        out.emit_changed(batch_of_json(&[one.clone(), one]), &mut changes);
        assert!(changes.is_empty(), "they were taken or made");
        out.take_emitted().map(|(_, batch)| batch).next().unwrap_or_default()
    }

    #[test]
    fn changes_are_made_at_the_latest_when_a_batch_is_taken() {
        let mut deferring = Outputs::default();
        deferring.defer_changes();
        for mut out in [Outputs::default(), deferring] {
            let batch = emitted(&mut out);
            assert_eq!((batch.len(), batch.event(0).fields()), (1, &[Field::i64(0, 7)][..]));
        }
    }
}
