//! A condition of an option: compiled with the place of its mistakes, its failures counted as "does not match".

use std::sync::Arc;

use lograil_event::{Batch, EventRef};
use lograil_expr::{BoundCondition, Condition, EvalError, ExprError, Stretch};
use lograil_plugin::{ConfigError, TransformContext};

/// Mistakes in an expression as mistakes in the option at `path`.
pub(crate) fn in_option(
    path: &[&str],
    errors: impl IntoIterator<Item = ExprError>,
) -> Vec<ConfigError> {
    let of_option = |error: ExprError| ConfigError {
        path: path.iter().map(|&step| step.to_owned()).collect(),
        within: Some(error.span),
        message: error.message,
        help: error.help,
    };
    errors.into_iter().map(of_option).collect()
}

/// A compiled condition that knows which option it came from.
pub(crate) struct OptionCondition {
    condition: Condition,
    /// The option as it is written in TOML, for messages.
    option: String,
    running: Option<Running>,
}

struct Running {
    id: Arc<str>,
    errors: prometheus::IntCounter,
    has_warned: bool,
}

/// A condition bound to one batch; its failures are counted when it is dropped.
pub(crate) struct Test<'c> {
    bound: BoundCondition<'c>,
    failures: u64,
    first: Option<EvalError>,
    option: &'c str,
    running: &'c mut Option<Running>,
}

impl OptionCondition {
    /// Compiles the text of the option at `path`; adds what is wrong with it to `errors`.
    pub(crate) fn compile(
        path: &[&str],
        source: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        match Condition::compile(source) {
            Ok(condition) => Some(Self { condition, option: path.join("."), running: None }),
            Err(found) => {
                errors.extend(in_option(path, found));
                None
            }
        }
    }

    pub(crate) fn start(&mut self, context: &TransformContext) {
        for warning in self.condition.warnings() {
            tracing::warn!(component_id = &*context.id, "{}: {warning}", self.option);
        }
        let help = "Events for which the condition failed; they count as not matching.";
        let errors = context.metrics.counter("condition_errors", help);
        self.running = Some(Running { id: Arc::clone(&context.id), errors, has_warned: false });
    }

    /// Resolves the condition's fields in a batch, once for all its events.
    pub(crate) fn bind(&mut self, batch: &Batch) -> Test<'_> {
        Test {
            bound: self.condition.bind(batch),
            failures: 0,
            first: None,
            option: &self.option,
            running: &mut self.running,
        }
    }
}

impl Test<'_> {
    /// Whether the condition holds; a failure counts as "no".
    #[inline]
    pub(crate) fn holds(&mut self, event: EventRef<'_>) -> bool {
        match self.bound.test(event) {
            Ok(holds) => holds,
            Err(error) => {
                self.failures += 1;
                self.first.get_or_insert(error);
                false
            }
        }
    }

    /// Which of the `wanted` events of a stretch it holds for.
    pub(crate) fn holds_in(&mut self, stretch: &mut Stretch<'_>, wanted: u64) -> u64 {
        let Self { bound, failures, first, .. } = self;
        bound.test_stretch(stretch, wanted, |error| {
            *failures += 1;
            first.get_or_insert(error);
        })
    }
}

impl Drop for Test<'_> {
    fn drop(&mut self) {
        let (Some(first), Some(running)) = (&self.first, self.running.as_mut()) else { return };
        running.errors.inc_by(self.failures);
        // Once a run: the counter tells the rest, and a log line per event would be a flood.
        if !std::mem::replace(&mut running.has_warned, true) {
            tracing::warn!(
                component_id = &*running.id,
                "`{}` failed for an event, which counts as not matching; further ones are only counted: {first}",
                self.option
            );
        }
    }
}
