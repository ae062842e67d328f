//! The transform `anomaly`: how bad an event is by what it says, and how unusual by what came before.

mod alarm;
mod judge;
mod key;
mod method;
mod novelty;
mod options;

use std::sync::Arc;

use lograil_event::{Acks, Batch, Field, FieldFlags, Span, Tag};
use lograil_plugin::spec::{no_claims, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigErrors, Outputs, Port, Threading, Transform,
    TransformContext, TransformError,
};
use serde_json::Value;

use crate::notice::{self, Notice};
use crate::severity::Rater;
use judge::{Judge, Mark};
use options::AnomalyOptions;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "anomaly",
    summary: "Scores how bad an event is and how unusual its numbers, rates and texts are; raises alarms.",
    manual: include_str!("README.md"),
    schema: schema_of::<AnomalyOptions>,
    ports: ports_of,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Anomaly::new(&options.parse()?)?))),
};

/// The output of the alarms.
const ALARMS: Port = Port(1);

fn ports_of(_options: &Value) -> Vec<String> {
    vec!["alarms".to_owned()]
}

struct Anomaly {
    /// How bad events are; none where that is not wanted.
    rater: Option<Rater>,
    /// How unusual they are; none where nothing is to be learned.
    judge: Option<Judge>,
    running: Option<Running>,
}

struct Running {
    clock: Arc<dyn Clock>,
    alarms: prometheus::IntCounter,
    unscored: prometheus::IntCounter,
    evicted: prometheus::IntCounter,
    keys: prometheus::IntGauge,
}

impl Anomaly {
    fn new(options: &AnomalyOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let rater = if options.severity.score_field.is_empty() {
            None
        } else {
            let mut found = Vec::new();
            let rater = Rater::new(&options.severity, &mut found);
            errors.extend(found.into_iter().map(|mut error| {
                error.path.insert(0, "severity".to_owned());
                error
            }));
            rater
        };
        let judge = Judge::new(options, &mut errors);
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        Ok(Self { rater, judge, running: None })
    }

    /// Emits the alarms, and counts.
    fn report(&mut self, acks: impl FnOnce() -> Acks, out: &mut Outputs) {
        let Some(judge) = &mut self.judge else { return };
        let alarms = judge.alarms.len();
        if alarms > 0 {
            out.create(alarms);
            let notices: Vec<Notice> =
                judge.alarms.drain(..).map(|alarm| alarm.notice(&judge.names)).collect();
            out.emit_to(ALARMS, notice::events(&notices, &judge.names.field, acks()));
        }
        if let Some(running) = &self.running {
            running.alarms.inc_by(alarms as u64);
            running.unscored.inc_by(std::mem::take(&mut judge.unscored));
            running.evicted.inc_by(std::mem::take(&mut judge.evicted));
            running.keys.set(judge.key_count() as i64);
        }
    }
}

/// Writes what is known of the events into them.
fn annotate(batch: &mut Batch, judge: &Judge) {
    // A batch without anything to score may be shared with other branches: leave its arrays alone.
    if judge.marks.iter().all(|mark| mark.score.is_none()) {
        return;
    }
    let is_new = batch.find_key(&judge.names.field).is_none();
    let mut edit = batch.edit();
    let key = edit.key(&judge.names.field);
    let mut usual: Option<Span> = None;
    for (event, mark) in judge.marks.iter().enumerate() {
        let Mark { score: Some(score), alarm } = *mark else { continue };
        let span = match alarm {
            Some(alarm) => {
                let object = judge.alarms[alarm].object(&judge.names).to_string();
                edit.push_text(object.as_bytes())
            }
            // Most events of most methods: written once a batch, shared by all.
            None if score == 0.0 => {
                *usual.get_or_insert_with(|| edit.push_text(b"{\"score\":0.0,\"alarm\":false}"))
            }
            None => edit.write_text(|out| write_score(score, out)),
        };
        let field = Field::text(key.0, Tag::Object, span, FieldFlags::NONE);
        if is_new {
            edit.append(event, field);
        } else {
            edit.set(event, field);
        }
    }
}

/// Appends the object of an event that is no alarm; the score to six places.
fn write_score(score: f64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let millionths = (score.clamp(0.0, 1.0) * 1e6).round() as u32;
    // The leading 1 keeps the zeros behind the point.
    let text = digits.format(1_000_000 + millionths % 1_000_000).as_bytes();
    out.extend_from_slice(if millionths < 1_000_000 { b"{\"score\":0." } else { b"{\"score\":1." });
    out.extend_from_slice(&text[1..]);
    out.extend_from_slice(b",\"alarm\":false}");
}

impl Transform for Anomaly {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        if let Some(rater) = &mut self.rater {
            rater.start(&context);
        }
        if let (Some(judge), Some(state)) = (&mut self.judge, &context.state) {
            // One of other options is about other series: then all is learned anew.
            let _resumed = judge.resume(state);
        }
        let metrics = &context.metrics;
        self.running = Some(Running {
            alarms: metrics.counter("alarms", "Alarms."),
            unscored: metrics
                .counter("unscored_events", "Events without a number, rate or text to score."),
            evicted: metrics
                .counter("evicted_keys", "Keys forgotten because there were more than `max_keys`."),
            keys: metrics.gauge("keys", "Keys that are remembered."),
            clock: context.clock,
        });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        if let Some(rater) = &mut self.rater {
            rater.rate(&mut batch);
        }
        if let Some(judge) = &mut self.judge {
            let now_ns = self.running.as_ref().map_or(0, |running| running.clock.now_ns());
            judge.judge(&batch, now_ns);
            annotate(&mut batch, judge);
        }
        self.report(|| batch.acks().clone(), out);
        out.emit(batch);
    }

    fn tick(&mut self, now_ns: i64, out: &mut Outputs) {
        if let Some(judge) = &mut self.judge {
            judge.pass_time(now_ns);
        }
        self.report(Acks::default, out);
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.judge.as_ref().map(Judge::state)
    }
}

#[cfg(test)]
mod nab;
#[cfg(test)]
mod tests;
