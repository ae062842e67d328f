//! The transform `filter`: events go on if a condition is true.

use lograil_event::{Batch, Changes, Selection};
use lograil_expr::{Condition, EvalError, Stretch};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigError, ConfigErrors, Outputs, Threading, Transform,
    TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::condition::in_option;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "filter",
    summary: "Keeps the events for which a condition is true and drops the others.",
    manual: include_str!("README.md"),
    schema: schema_of::<FilterOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Filter::new(&options.parse()?)?))),
};

/// Options of `filter`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FilterOptions {
    /// The condition: an expression that is true or false, such as `.status >= 500`.
    condition: String,
}

struct Filter {
    condition: Condition,
    /// Which events of the current batch stay.
    kept: Selection,
    changes: Changes,
    has_warned: bool,
    running: Option<Running>,
}

struct Running {
    id: std::sync::Arc<str>,
    errors: prometheus::IntCounter,
}

impl Filter {
    fn new(options: &FilterOptions) -> Result<Self, ConfigErrors> {
        let condition = Condition::compile(&options.condition)
            .map_err(|errors| ConfigErrors(in_option(&["condition"], errors)))?;
        Ok(Self {
            condition,
            kept: Selection::default(),
            changes: Changes::default(),
            has_warned: false,
            running: None,
        })
    }

    fn count_errors(&mut self, count: u64, first: EvalError) {
        let Some(running) = &self.running else { return };
        running.errors.inc_by(count);
        // Once a run: the counter tells the rest, and a log line per event would be a flood.
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                component_id = &*running.id,
                "the condition failed for an event, which was dropped; further ones are only counted: {first}"
            );
        }
    }
}

impl Transform for Filter {
    fn warnings(&self) -> Vec<ConfigError> {
        in_option(&["condition"], self.condition.warnings().to_vec())
    }

    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let help = "Events for which the condition failed; they count as not matching.";
        let errors = context.metrics.counter("condition_errors", help);
        self.running = Some(Running { id: context.id, errors });
        Ok(())
    }

    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        let mut condition = self.condition.bind(&batch);
        let (mut errors, mut first) = (0, None);
        self.kept.clear();
        let mut stretch = Stretch::new(&batch);
        while stretch.all() != 0 {
            let all = stretch.all();
            self.kept.push(condition.test_stretch(&mut stretch, all, |error| {
                errors += 1;
                first.get_or_insert(error);
            }));
            stretch.advance();
        }
        if let Some(first) = first {
            self.count_errors(errors, first);
        }
        // A batch that stays whole may be shared with other branches: leave its arrays alone.
        let dropped = batch.len() - self.kept.count();
        if dropped > 0 {
            self.changes.keep(&self.kept);
            out.discard("filtered", dropped);
        }
        out.emit_changed(batch, &mut self.changes);
    }
}

#[cfg(test)]
mod tests;
