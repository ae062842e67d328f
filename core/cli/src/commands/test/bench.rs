//! Running a case: the transforms of a plan by themselves, without sources, sinks, edges or a runtime.

use std::collections::VecDeque;
use std::sync::Arc;

use lograil_codec::{Encoder, EncodingConfig};
use lograil_config::{InputRef, Plan, TestCase, TestInput};
use lograil_event::Batch;
use lograil_plugin::{
    Build, ComponentMetrics, Kind, Outputs, Port, SystemClock, Transform, TransformContext,
};
use serde_json::Value;

use super::events;

/// Everything that came out of every output.
#[derive(Default)]
pub(super) struct Captured(Vec<(InputRef, Vec<Value>)>);

impl Captured {
    /// What came out of `id` or `id.port`, in order.
    pub fn from(&self, plan: &Plan, output: &str) -> Vec<Value> {
        let matching = self.0.iter().filter(|(of, _)| plan.output_name(*of) == output);
        matching.flat_map(|(_, events)| events.iter().cloned()).collect()
    }
}

struct Bench<'a> {
    plan: &'a Plan,
    /// By index of the plan; `None` for sources and sinks.
    transforms: Vec<Option<(Box<dyn Transform>, Outputs)>>,
    encoder: Encoder,
    captured: Captured,
}

/// Puts in what a case says and gives what came out.
pub(super) fn run(plan: &Plan, case: &TestCase) -> Result<Captured, String> {
    let encoder = EncodingConfig::default().build().map_err(|error| error.message)?;
    let transforms = plan.components.iter().map(|component| {
        let Build::Transform(build) = component.spec.build else { return Ok(None) };
        let mut transform = build(&component.options).map_err(|errors| format!("{errors:?}"))?;
        let id: Arc<str> = component.id.as_str().into();
        let clock = Arc::new(SystemClock::default());
        let mut context =
            TransformContext::new(Arc::clone(&id), clock, ComponentMetrics::detached());
        context.base_dir.clone_from(&plan.base_dir);
        transform.start(context).map_err(|error| format!("{}: {error}", component.id))?;
        Ok(Some((transform, Outputs::new(id, component.spec.name))))
    });
    let transforms = transforms.collect::<Result<Vec<_>, String>>()?;
    let mut bench = Bench { plan, transforms, encoder, captured: Captured::default() };
    for input in &case.inputs {
        let at = plan.components.iter().position(|component| component.id == input.insert_at);
        let at = at.ok_or_else(|| format!("there is no transform `{}`", input.insert_at))?;
        bench.process(at, batch_of(input)?);
    }
    // What is held back comes out at the end, first to last: the plan is in topological order.
    for at in 0..plan.components.len() {
        bench.flush(at);
    }
    Ok(bench.captured)
}

impl Bench<'_> {
    fn process(&mut self, at: usize, batch: Batch) {
        let mut open = VecDeque::from([(at, batch)]);
        while let Some((at, batch)) = open.pop_front() {
            let Some((transform, outputs)) = &mut self.transforms[at] else { continue };
            transform.process(batch, outputs);
            open.extend(self.pass_on(at));
        }
    }

    fn flush(&mut self, at: usize) {
        let Some((transform, outputs)) = &mut self.transforms[at] else { return };
        transform.flush(outputs);
        for (to, batch) in self.pass_on(at) {
            self.process(to, batch);
        }
    }

    /// Captures what a transform emitted, and says who gets it next.
    fn pass_on(&mut self, at: usize) -> Vec<(usize, Batch)> {
        let Some((_, outputs)) = &mut self.transforms[at] else { return Vec::new() };
        let emitted: Vec<(Port, Batch)> = outputs.take_emitted().collect();
        outputs.take_discarded().for_each(drop);
        let mut next = Vec::new();
        for (port, mut batch) in emitted {
            let from = InputRef { component: at, port };
            self.capture(from, &batch);
            for (to, component) in self.plan.components.iter().enumerate() {
                if component.kind == Kind::Transform && component.inputs.contains(&from) {
                    next.push((to, batch.share()));
                }
            }
        }
        next
    }

    fn capture(&mut self, from: InputRef, batch: &Batch) {
        let mut text = Vec::new();
        self.encoder.encode(batch, &mut text);
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        // What the encoder writes is JSON; a number beyond every float stays text.
        let read = |line: &[u8]| {
            serde_json::from_slice(line)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(line).into_owned()))
        };
        self.captured.0.push((from, lines.map(read).collect()));
    }
}

/// The events of an input: its lines as a source reads them, or its events as `parse` leaves them.
fn batch_of(input: &TestInput) -> Result<Batch, String> {
    if !input.lines.is_empty() && !input.events.is_empty() {
        return Err("an input has `lines` or `events`, not both; write two inputs".to_owned());
    }
    if !input.lines.is_empty() {
        return Ok(events::of_lines(&input.lines));
    }
    let objects = input.events.iter().map(events::written).collect::<Result<Vec<_>, _>>()?;
    events::of_objects(&objects)
}
