//! The transform `reduce`: merges the events of a key into one.

mod group;
mod names;
mod options;
mod strategy;
mod unique;

use std::sync::Arc;
use std::time::Duration;

use lograil_event::{Batch, Key};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigErrors, Options, Outputs, Threading, Transform,
    TransformContext, TransformError,
};

use crate::condition::OptionCondition;
use crate::event_key::{KeyHasher, append_value};
use crate::field_path::FieldPath;
use crate::lru::Lru;
use group::Group;
use names::Names;
use options::ReduceOptions;

/// Merged events, and bytes of them, from which on a new batch is begun.
const BATCH_EVENTS: usize = 4_096;
const BATCH_BYTES: usize = 1 << 20;

/// How late a group may end.
const TICK: Duration = Duration::from_secs(2);

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "reduce",
    summary: "Merges events of the same key into one, until a condition, a pause or a count ends it.",
    manual: include_str!("README.md"),
    schema: schema_of::<ReduceOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options: &Options| Ok(Box::new(Reduce::new(options.parse()?)?))),
};

struct Reduce {
    group_by: Vec<FieldPath>,
    starts_when: Option<OptionCondition>,
    ends_when: Option<OptionCondition>,
    expire_after: Duration,
    end_every_period: Option<Duration>,
    max_events: u32,
    max_bytes: usize,
    groups: Lru<Group>,
    /// Bytes of memory that all groups hold.
    bytes: usize,
    names: Names,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    /// Groups that have ended, in the order in which they did.
    ended: Vec<Group>,
    /// The number of the current batch.
    batch: u64,
    running: Option<Running>,
}

struct Running {
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    groups: prometheus::IntGauge,
    bytes: prometheus::IntGauge,
    forced: prometheus::IntCounter,
    refused: prometheus::IntCounter,
    has_warned: bool,
}

impl Reduce {
    fn new(options: ReduceOptions) -> Result<Self, ConfigErrors> {
        let checked = options.check()?;
        Ok(Self {
            group_by: checked.group_by,
            starts_when: checked.starts_when,
            ends_when: checked.ends_when,
            expire_after: options.expire_after.0,
            end_every_period: options.end_every_period.map(|period| period.0),
            max_events: options.max_events,
            max_bytes: usize::try_from(options.max_bytes.0).unwrap_or(usize::MAX),
            groups: Lru::new(options.max_groups as usize),
            bytes: 0,
            names: Names::new(checked.strategies),
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            ended: Vec::new(),
            batch: 0,
            running: None,
        })
    }

    fn now(&self) -> Duration {
        self.running.as_ref().map_or(Duration::ZERO, |running| running.clock.monotonic())
    }

    /// Merges the events of a batch; gives how many values were refused, and how many groups had to end early.
    fn merge(&mut self, batch: &Batch, now: Duration) -> (u64, u64) {
        let (mut refused, mut forced) = (0, 0);
        let keys: Vec<Option<Key>> = self.group_by.iter().map(|path| path.key(batch)).collect();
        let mut starts_when = self.starts_when.as_mut().map(|condition| condition.bind(batch));
        let mut ends_when = self.ends_when.as_mut().map(|condition| condition.bind(batch));
        self.names.bind(batch);
        for event in batch.iter() {
            self.hasher.form.clear();
            for (path, key) in self.group_by.iter().zip(&keys) {
                append_value(path.get(event, *key, &mut self.scratch), &mut self.hasher.form);
            }
            let hash = self.hasher.recall();
            if starts_when.as_mut().is_some_and(|condition| condition.holds(event)) {
                end(&mut self.groups, hash, &mut self.bytes, &mut self.ended);
            }
            if self.groups.get(hash).is_none() {
                let group = Group::new(hash, event.timestamp_ns(), now);
                self.bytes += group.bytes;
                if let Some(oldest) = self.groups.insert(hash, group) {
                    self.bytes -= oldest.bytes;
                    self.ended.push(oldest);
                    forced += 1;
                }
            }
            let Some(group) = self.groups.get(hash) else { continue };
            let before = group.bytes;
            refused += group.add(event, &mut self.names, self.batch, now);
            self.bytes = self.bytes + group.bytes - before;
            let is_full = group.events >= self.max_events;
            if ends_when.as_mut().is_some_and(|condition| condition.holds(event)) || is_full {
                end(&mut self.groups, hash, &mut self.bytes, &mut self.ended);
            }
            while self.bytes > self.max_bytes
                && let Some(oldest) = self.groups.pop_oldest()
            {
                self.bytes -= oldest.bytes;
                self.ended.push(oldest);
                forced += 1;
            }
        }
        (refused, forced)
    }

    /// Emits the merged events of the groups that have ended.
    fn emit_ended(&mut self, out: &mut Outputs) {
        let mut ended = std::mem::take(&mut self.ended).into_iter().peekable();
        while ended.peek().is_some() {
            let mut batch = Batch::with_keys(Arc::clone(self.names.table()));
            let mut acks = Vec::new();
            let (mut events, mut bytes, mut merged_away) = (0, 0, 0);
            let mut edit = batch.edit();
            while events < BATCH_EVENTS
                && bytes < BATCH_BYTES
                && let Some(group) = ended.next()
            {
                events += 1;
                bytes += group.bytes;
                merged_away += group.events.saturating_sub(1) as usize;
                acks.push(group.finish(&mut edit));
            }
            for acks in acks {
                batch.add_acks(acks);
            }
            self.names.adopt(batch.shared_keys());
            out.discard("merged", merged_away);
            out.emit(batch);
        }
        if self.names.is_worn() {
            let fields = self.groups.values_mut().flat_map(|group| &mut group.fields);
            self.names.forget(fields.map(|(key, _)| key));
        }
        if let Some(running) = &self.running {
            running.groups.set(self.groups.len() as i64);
            running.bytes.set(self.bytes as i64);
        }
    }

    fn report(&mut self, refused: u64, forced: u64) {
        let Some(running) = &mut self.running else { return };
        running.forced.inc_by(forced);
        running.refused.inc_by(refused);
        // Once a run: the counter tells the rest, and a log line per event would be a flood.
        if refused > 0 && !std::mem::replace(&mut running.has_warned, true) {
            tracing::warn!(
                component_id = &*running.id,
                "a value was left out because its field's merge strategy cannot take its type; further ones are only counted"
            );
        }
    }
}

/// Ends the group of a key, if there is one.
fn end(groups: &mut Lru<Group>, hash: u128, bytes: &mut usize, ended: &mut Vec<Group>) {
    if let Some(group) = groups.remove(hash) {
        *bytes -= group.bytes;
        ended.push(group);
    }
}

impl Transform for Reduce {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        for condition in [&mut self.starts_when, &mut self.ends_when].into_iter().flatten() {
            condition.start(&context);
        }
        let metrics = &context.metrics;
        let forced = "Groups that ended early because of `max_groups` or `max_bytes`.";
        let refused = "Values that a merge strategy could not take.";
        self.running = Some(Running {
            groups: metrics.gauge("groups", "Groups that are held."),
            bytes: metrics.gauge("held_bytes", "Bytes of memory that groups hold."),
            forced: metrics.counter("forced_groups", forced),
            refused: metrics.counter("merge_errors", refused),
            id: context.id,
            clock: context.clock,
            has_warned: false,
        });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let now = self.now();
        self.batch += 1;
        let (refused, forced) = self.merge(&batch, now);
        self.report(refused, forced);
        self.emit_ended(out);
        // The groups have shares of their own; that of the batch is resolved with this empty one.
        let mut rest = Batch::new();
        rest.add_acks(batch.take_acks());
        out.emit(rest);
    }

    fn tick(&mut self, _now_ns: i64, out: &mut Outputs) {
        let now = self.now();
        while self
            .groups
            .oldest()
            .is_some_and(|group| now.saturating_sub(group.extended) >= self.expire_after)
            && let Some(group) = self.groups.pop_oldest()
        {
            self.bytes -= group.bytes;
            self.ended.push(group);
        }
        if let Some(period) = self.end_every_period {
            let due: Vec<u128> = self
                .groups
                .values_mut()
                .filter(|group| now.saturating_sub(group.started) >= period)
                .map(|group| group.hash)
                .collect();
            for hash in due {
                end(&mut self.groups, hash, &mut self.bytes, &mut self.ended);
            }
        }
        self.emit_ended(out);
    }

    /// Pauses and conditions end a group at some time, but none bounds it as long as events come.
    fn held_for(&self) -> Duration {
        self.end_every_period.map_or(Duration::MAX, |period| period.saturating_add(TICK))
    }

    fn flush(&mut self, out: &mut Outputs) {
        while let Some(group) = self.groups.pop_oldest() {
            self.bytes -= group.bytes;
            self.ended.push(group);
        }
        self.emit_ended(out);
    }
}

#[cfg(test)]
mod tests;
