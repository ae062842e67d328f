//! The transform `burst`: finds bursts of events, tells of them, and can thin them out.

mod detector;
mod key;
mod notice;
mod options;
mod watch;

use std::sync::Arc;

use lograil_event::{Acks, Batch, Field, FieldFlags, Tag};
use lograil_plugin::spec::{no_claims, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigErrors, Outputs, Port, Threading, Transform,
    TransformContext, TransformError,
};
use serde_json::Value;

use crate::notice::events;
use options::{Action, BurstOptions};
use watch::Watch;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "burst",
    summary: "Finds bursts of events, per key and on several time scales; tells of them, and can thin them out.",
    manual: include_str!("README.md"),
    schema: schema_of::<BurstOptions>,
    ports: ports_of,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Bursts::new(&options.parse()?)?))),
};

/// The output of the starts and ends.
const BURSTS: Port = Port(1);

fn ports_of(_options: &Value) -> Vec<String> {
    vec!["bursts".to_owned()]
}

struct Bursts {
    watch: Watch,
    weight_field: String,
    /// The reason of those that are dropped.
    reason: &'static str,
    running: Option<Running>,
}

struct Running {
    clock: Arc<dyn Clock>,
    started: prometheus::IntCounter,
    evicted: prometheus::IntCounter,
    keys: prometheus::IntGauge,
    bursting: prometheus::IntGauge,
}

impl Bursts {
    fn new(options: &BurstOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let Some(watch) = Watch::new(options, &mut errors) else {
            return Err(ConfigErrors(errors));
        };
        let reason = match options.action {
            Action::Annotate | Action::Sample => "sampled",
            Action::Throttle => "throttled",
            Action::Shed => "shed",
        };
        Ok(Self { watch, weight_field: options.weight_field.clone(), reason, running: None })
    }

    /// Emits the notices, and counts.
    fn report(&mut self, acks: impl FnOnce() -> Acks, out: &mut Outputs) {
        let watch = &mut self.watch;
        let notices = watch.notices.len();
        if notices > 0 {
            out.create(notices);
            out.emit_to(BURSTS, events(&watch.notices, &watch.names.field, acks()));
            watch.notices.clear();
        }
        if let Some(running) = &self.running {
            running.started.inc_by(std::mem::take(&mut watch.started));
            running.evicted.inc_by(std::mem::take(&mut watch.evicted));
            running.keys.set(watch.key_count() as i64);
            running.bursting.set(watch.bursting_count() as i64);
        }
    }

    /// Drops what does not pass, and writes into the rest what is known of it.
    fn apply(&mut self, batch: &mut Batch, out: &mut Outputs) {
        let fates = &mut self.watch.fates;
        // A batch that stays as it was may be shared with other branches: leave its arrays alone.
        if fates.iter().any(|fate| !fate.passes) {
            let passes = |event: usize| fates.get(event).is_none_or(|fate| fate.passes);
            out.discard(self.reason, batch.retain(passes));
            fates.retain(|fate| fate.passes);
        }
        if fates.iter().all(|fate| fate.burst.is_none() && fate.weight == 1) {
            return;
        }
        let mut edit = batch.edit();
        let burst_key = edit.key(&self.watch.names.field);
        let weight_key = edit.key(&self.weight_field);
        for (event, fate) in fates.iter().enumerate() {
            if fate.weight > 1 {
                let weight = i64::try_from(fate.weight).unwrap_or(i64::MAX);
                edit.set(event, Field::i64(weight_key.0, weight));
            }
            if let Some((id, factor)) = fate.burst {
                let span = edit.write_text(|out| write_burst(id, factor, out));
                edit.set(event, Field::text(burst_key.0, Tag::Object, span, FieldFlags::NONE));
            }
        }
    }
}

/// Appends the object of an event in a burst; the factor to two places.
fn write_burst(id: u64, factor: f64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(b"{\"inside\":true,\"id\":");
    out.extend_from_slice(digits.format(id).as_bytes());
    out.extend_from_slice(b",\"factor\":");
    let hundredths = (factor.clamp(0.0, 1e15) * 100.0).round() as u64;
    out.extend_from_slice(digits.format(hundredths / 100).as_bytes());
    let rest = (hundredths % 100) as u8;
    out.extend_from_slice(&[b'.', b'0' + rest / 10, b'0' + rest % 10, b'}']);
}

impl Transform for Bursts {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        if let Some(exclude) = &mut self.watch.exclude {
            exclude.start(&context);
        }
        if let Some(state) = &context.state {
            // One of other options is about other streams: then all is learned anew.
            let _resumed = self.watch.resume(state);
        }
        let metrics = &context.metrics;
        self.running = Some(Running {
            started: metrics.counter("bursts", "Bursts that started."),
            evicted: metrics
                .counter("evicted_keys", "Keys forgotten because there were more than `max_keys`."),
            keys: metrics.gauge("keys", "Keys that are remembered."),
            bursting: metrics.gauge("bursting_keys", "Keys that are in a burst."),
            clock: context.clock,
        });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let now_ns = self.running.as_ref().map_or(0, |running| running.clock.now_ns());
        self.watch.watch(&batch, now_ns);
        self.apply(&mut batch, out);
        self.report(|| batch.acks().clone(), out);
        out.emit(batch);
    }

    fn tick(&mut self, now_ns: i64, out: &mut Outputs) {
        self.watch.pass_time(now_ns);
        self.report(Acks::default, out);
    }

    fn flush(&mut self, out: &mut Outputs) {
        self.watch.cut();
        self.report(Acks::default, out);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.watch.state())
    }
}

#[cfg(test)]
mod score;
#[cfg(test)]
mod tests;
