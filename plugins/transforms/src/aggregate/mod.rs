//! The transform `aggregate`: numbers of many events in windows of time, for each group.

mod column;
mod distinct;
mod function;
mod group;
mod options;
mod windows;

use std::sync::Arc;
use std::time::Duration;

use lograil_event::{Acks, Batch, Field, Key};
use lograil_plugin::error::TransformError;
use lograil_plugin::spec::{no_claims, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigErrors, Options, Outputs, Port, Threading, Transform,
    TransformContext,
};

use crate::event_key::{KeyHasher, append_value};
use crate::event_time::TimeSource;
use crate::field_path::FieldPath;
use column::Column;
use group::{Group, Groups, Pane, held};
use options::{AggregateOptions, Computed, OVERFLOW, PARTIAL, WINDOW_END, WINDOW_START};
use windows::Windows;

/// The output for events whose windows are over.
const LATE: Port = Port(1);

/// Why an event is refused.
const FUTURE: &str = "its time lies more than an hour ahead";

/// Results from which on a new batch is begun.
const BATCH_EVENTS: usize = 4_096;

/// Longest time between two calls that counts as one in which no event came: beyond, the outputs were in the way.
const STEP_MAX: Duration = Duration::from_secs(2);

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "aggregate",
    summary: "Counts, adds and compares the values of many events in windows of time, for each group.",
    manual: include_str!("README.md"),
    schema: schema_of::<AggregateOptions>,
    ports: |_: &serde_json::Value| vec!["late".to_owned()],
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options: &Options| Ok(Box::new(Aggregate::new(&options.parse()?)?))),
};

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Late,
    Future,
}

struct Aggregate {
    group_by: Vec<(String, FieldPath)>,
    computed: Vec<Computed>,
    columns: Vec<Column>,
    time: TimeSource,
    lateness: Duration,
    idle_timeout: Duration,
    max_groups: usize,
    windows: Windows<Pane>,
    /// Groups of all panes.
    groups: usize,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    fates: Vec<Fate>,
    /// The number of the current batch.
    batch: u64,
    /// When the last call was, and how long no event has come.
    called: Duration,
    idle: Duration,
    /// Whether the newest event came when it happened, or nearly so.
    is_live: bool,
    running: Option<Running>,
}

struct Running {
    clock: Arc<dyn Clock>,
    groups: prometheus::IntGauge,
    overflowed: prometheus::IntCounter,
    unusable: prometheus::IntCounter,
}

impl Aggregate {
    fn new(options: &AggregateOptions) -> Result<Self, ConfigErrors> {
        let checked = options.check()?;
        Ok(Self {
            group_by: checked.group_by,
            columns: Column::of(&checked.computed),
            computed: checked.computed,
            time: options.time,
            lateness: Duration::from_nanos(checked.lengths.lateness.unsigned_abs()),
            idle_timeout: options.idle_timeout.0,
            max_groups: options.max_groups as usize,
            windows: Windows::new(checked.lengths),
            groups: 0,
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            fates: Vec::new(),
            batch: 0,
            called: Duration::ZERO,
            idle: Duration::ZERO,
            is_live: true,
            running: None,
        })
    }

    /// Adds the events of a batch to their panes, and fills `fates`.
    fn take(&mut self, batch: &Batch, now_ns: i64) {
        self.batch += 1;
        self.fates.clear();
        let keys: Vec<Option<Key>> =
            self.group_by.iter().map(|(_, path)| path.key(batch)).collect();
        let fields: Vec<Option<Key>> =
            self.columns.iter().map(|column| column.key(batch)).collect();
        let (mut overflowed, mut unusable) = (0, 0);
        for event in batch.iter() {
            let Some(time_ns) = self.time.of(event.timestamp_ns(), now_ns) else {
                self.fates.push(Fate::Future);
                continue;
            };
            let Some(start) = self.windows.pane_of(time_ns, now_ns) else {
                self.fates.push(Fate::Late);
                continue;
            };
            self.fates.push(Fate::Taken);
            let pane = self.windows.pane(start);
            pane.acknowledge(batch, self.batch);
            // A group by one field alone is mostly known by its text.
            let short = match (&*self.group_by, &*keys) {
                ([(_, path)], [key]) => path.short_key(event, *key),
                _ => None,
            };
            let recalled = short.and_then(|short| pane.groups.recall(short));
            let at = recalled.unwrap_or_else(|| {
                self.hasher.form.clear();
                for ((_, path), key) in self.group_by.iter().zip(&keys) {
                    append_value(path.get(event, *key, &mut self.scratch), &mut self.hasher.form);
                }
                let mut own = Some(self.hasher.recall());
                let mut found = pane.groups.find(own);
                if found.is_none() && self.groups >= self.max_groups {
                    own = None;
                    found = pane.groups.find(own);
                    overflowed += 1;
                }
                let at = found.unwrap_or_else(|| {
                    let scratch = &mut self.scratch;
                    let values = own.map(|_| {
                        let pairs = self.group_by.iter().zip(&keys);
                        pairs.map(|((_, path), key)| held(path.get(event, *key, scratch))).collect()
                    });
                    self.groups += 1;
                    pane.groups.insert(own, Group::new(values, &self.computed))
                });
                // What is in the group of the rest may get one of its own.
                if let (Some(short), Some(_)) = (short, own) {
                    pane.groups.note(short, at);
                }
                at
            });
            let Some(group) = pane.groups.get(at) else { continue };
            for (column, key) in self.columns.iter().zip(&fields) {
                let (scratch, hasher) = (&mut self.scratch, &mut self.hasher);
                unusable += column.add(&mut group.states, event, *key, scratch, hasher);
            }
        }
        if let Some(running) = &self.running {
            running.overflowed.inc_by(overflowed);
            running.unusable.inc_by(unusable);
        }
        self.is_live = self.windows.newest().is_some_and(|newest| {
            Duration::from_nanos(now_ns.abs_diff(newest)) <= self.lateness.max(STEP_MAX)
        });
    }

    /// Emits the results of the windows that end up to `until`; those behind the watermark are not whole.
    fn emit_over(&mut self, until: i64, out: &mut Outputs) {
        while let Some(start) = self.windows.next_over(until) {
            let end = self.windows.end_of(start);
            let is_partial = end > self.windows.watermark();
            let mut merged = Groups::default();
            for pane in self.windows.panes_of(start) {
                merged.merge(&pane.groups);
            }
            // The pane's events are in no later window: with these results they are delivered.
            let first = self.windows.close(start).unwrap_or_default();
            self.groups -= first.groups.len();
            self.emit(&merged, (start, end), is_partial, first.acks, out);
        }
        if let Some(running) = &self.running {
            running.groups.set(self.groups as i64);
        }
    }

    fn emit(
        &self,
        groups: &Groups,
        (start, end): (i64, i64),
        is_partial: bool,
        acks: Acks,
        out: &mut Outputs,
    ) {
        let mut groups = groups.iter().peekable();
        while groups.peek().is_some() {
            let mut batch = Batch::new();
            let mut edit = batch.edit();
            let names = self.group_by.iter().map(|(name, _)| name);
            let by: Vec<Key> = names.map(|name| edit.key(name)).collect();
            let [start_key, end_key, partial, overflow] =
                [WINDOW_START, WINDOW_END, PARTIAL, OVERFLOW].map(|name| edit.key(name));
            let results: Vec<Key> =
                self.computed.iter().map(|computed| edit.key(&computed.name)).collect();
            for group in groups.by_ref().take(BATCH_EVENTS) {
                let event = edit.push_event(end);
                edit.append(event, Field::timestamp(start_key.0, start));
                edit.append(event, Field::timestamp(end_key.0, end));
                for (key, value) in by.iter().zip(group.values.iter().flatten()) {
                    if let Some(value) = value {
                        let field = value.field(*key, &mut edit);
                        edit.set(event, field);
                    }
                }
                for ((key, state), computed) in
                    results.iter().zip(&group.states).zip(&self.computed)
                {
                    let field = state.field(*key, &computed.quantiles, &mut edit);
                    edit.append(event, field);
                }
                if group.values.is_none() {
                    edit.append(event, Field::bool(overflow.0, true));
                }
                if is_partial {
                    edit.append(event, Field::bool(partial.0, true));
                }
            }
            out.create(batch.len());
            batch.add_acks(acks.clone());
            out.emit(batch);
        }
        // The share that is left over says nothing by itself.
        let mut rest = Batch::new();
        rest.add_acks(acks);
        out.emit(rest);
    }
}

impl Transform for Aggregate {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let metrics = &context.metrics;
        let overflowed = "Events whose group was one too many.";
        let unusable = "Values that are no numbers where numbers are computed.";
        self.called = context.clock.monotonic();
        self.running = Some(Running {
            groups: metrics.gauge("groups", "Groups that are held."),
            overflowed: metrics.counter("overflowed_events", overflowed),
            unusable: metrics.counter("unusable_values", unusable),
            clock: context.clock,
        });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        if let Some(running) = &self.running {
            let (now_ns, now) = (running.clock.now_ns(), running.clock.monotonic());
            (self.called, self.idle) = (now, Duration::ZERO);
            self.take(&batch, now_ns);
        }
        let fates = std::mem::take(&mut self.fates);
        let taken = fates.iter().filter(|fate| **fate == Fate::Taken).count();
        out.discard("aggregated", taken);
        let mut left = fates.iter().filter(|fate| **fate != Fate::Future);
        // Also without late events: it carries the batch's own share, and the panes have shares of their own.
        if taken == fates.len() {
            batch.retain(|_| false);
        } else {
            if let Some(future) = batch.split_off_where(|event| fates[event] == Fate::Future) {
                out.dead_letter(future, |_| FUTURE);
            }
            batch.retain(|_| left.next() == Some(&Fate::Late));
        }
        out.emit_to(LATE, batch);
        self.fates = fates;
        self.windows.advance(0);
        self.emit_over(self.windows.watermark(), out);
    }

    fn tick(&mut self, now_ns: i64, out: &mut Outputs) {
        let Some(running) = &self.running else { return };
        let now = running.clock.monotonic();
        self.idle += now.saturating_sub(self.called).min(STEP_MAX);
        self.called = now;
        if self.is_live {
            self.windows.advance(i64::try_from(self.idle.as_nanos()).unwrap_or(i64::MAX));
        }
        if self.idle >= self.idle_timeout {
            self.windows.advance_to_end(now_ns);
        }
        self.emit_over(self.windows.watermark(), out);
    }

    fn flush(&mut self, out: &mut Outputs) {
        self.emit_over(i64::MAX, out);
    }

    /// Until the window is over, and late events have come; or until the input has been idle long enough.
    fn held_for(&self) -> Duration {
        let window = Duration::from_nanos(self.windows.length().unsigned_abs());
        window.saturating_add(self.lateness).max(self.idle_timeout).saturating_add(STEP_MAX)
    }
}

#[cfg(test)]
mod tests;
