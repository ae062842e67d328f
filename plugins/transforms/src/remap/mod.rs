//! The transform `remap`: a program changes every event.

use std::sync::Arc;

use lograil_event::Batch;
use lograil_expr::{Script, Unchanged, Workspace};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigError, ConfigErrors, Outputs, Threading, Transform,
    TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::condition::in_option;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "remap",
    summary: "Changes events with a program in the expression language.",
    manual: include_str!("README.md"),
    schema: schema_of::<RemapOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Remap::new(options.parse()?)?))),
};

/// Options of `remap`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RemapOptions {
    /// The program, such as `.status = to_int(.status) ?? 0`.
    #[serde(default)]
    #[schemars(extend("x-lograil-file" = "file"))]
    source: String,
    /// A file with the program, instead of `source`. A relative path starts at the directory of the topology's file.
    file: Option<String>,
    /// Whether an event whose program fails goes to the output `dead_letter`, with the reason, instead of going
    /// on as it was.
    #[serde(default)]
    drop_on_error: bool,
    /// Whether an event that the program aborts is dropped instead of going on as it was.
    #[serde(default = "yes")]
    drop_on_abort: bool,
    /// Whether an event that is dropped because it was aborted goes to the output `dead_letter`.
    #[serde(default)]
    reroute_dropped: bool,
}

fn yes() -> bool {
    true
}

struct Remap {
    script: Script,
    options: RemapOptions,
    workspace: Workspace,
    /// Where each event of the current batch goes; empty while all go on.
    fates: Vec<Fate>,
    has_warned: bool,
    running: Option<Running>,
}

struct Running {
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    errors: prometheus::IntCounter,
}

/// Where an event goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    On,
    Dropped,
    DeadLetter(String),
}

impl Remap {
    fn new(options: RemapOptions) -> Result<Self, ConfigErrors> {
        if options.source.trim().is_empty() {
            let error = ConfigError::new(["source"], "there is no program");
            let help = match &options.file {
                Some(_) => "write its statements into the file",
                None => "give one as `source`, or name its file as `file`",
            };
            return Err(error.help(help).into());
        }
        let script = Script::compile(&options.source)
            .map_err(|errors| ConfigErrors(in_option(&["source"], errors)))?;
        Ok(Self {
            script,
            options,
            workspace: Workspace::default(),
            fates: Vec::new(),
            has_warned: false,
            running: None,
        })
    }

    fn count_errors(&mut self, count: u64, first: &str) {
        let Some(running) = &self.running else { return };
        running.errors.inc_by(count);
        // Once a run: the counter tells the rest, and a log line per event would be a flood.
        if !std::mem::replace(&mut self.has_warned, true) {
            tracing::warn!(
                component_id = &*running.id,
                "the program failed for an event, which was left as it was; further ones are only counted: {first}"
            );
        }
    }

    /// Runs the program and notes which events do not go on. What it changes may still have to be made.
    fn run(&mut self, batch: &mut Batch) {
        let now_ns = self.running.as_ref().map_or(0, |running| running.clock.now_ns());
        let (options, fates) = (&self.options, &mut self.fates);
        let (mut errors, mut first) = (0, None);
        let events = batch.len();
        fates.clear();
        let mut set = |index: usize, fate: Fate| {
            fates.resize(events, Fate::On);
            fates[index] = fate;
        };
        self.script.evaluate(batch, now_ns, &mut self.workspace, |index, why| match why {
            Unchanged::Failed(_, reason) => {
                errors += 1;
                first.get_or_insert_with(|| reason.clone());
                if options.drop_on_error {
                    set(index, Fate::DeadLetter(reason));
                }
            }
            Unchanged::Aborted(message) => {
                if options.drop_on_abort && options.reroute_dropped {
                    let message = message.map_or("aborted".to_owned(), |m| format!("aborted: {m}"));
                    set(index, Fate::DeadLetter(message));
                } else if options.drop_on_abort {
                    set(index, Fate::Dropped);
                }
            }
        });
        if let Some(first) = first {
            self.count_errors(errors, &first);
        }
    }

    /// Counts what became none or several, and says where each event of the batch goes as it is now.
    fn account_splits(&mut self, out: &mut Outputs) {
        let splits = self.workspace.splits();
        let vanished = splits.iter().filter(|split| split.count == 0).count();
        out.discard("empty", vanished);
        out.create(splits.iter().map(|split| split.count.saturating_sub(1)).sum());
        if self.fates.is_empty() {
            return;
        }
        let mut splits = splits.iter().peekable();
        let fates = std::mem::take(&mut self.fates).into_iter().enumerate();
        self.fates = fates
            .flat_map(|(index, fate)| {
                let split = splits.next_if(|split| split.index == index);
                std::iter::repeat_n(fate, split.map_or(1, |split| split.count))
            })
            .collect();
    }
}

impl Transform for Remap {
    fn warnings(&self) -> Vec<ConfigError> {
        in_option(&["source"], self.script.warnings().to_vec())
    }

    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let help = "Events for which the program failed; they were left as they were.";
        let errors = context.metrics.counter("program_errors", help);
        self.running = Some(Running { id: context.id, clock: context.clock, errors });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        self.run(&mut batch);
        if self.fates.is_empty() && self.workspace.splits().is_empty() {
            return out.emit_changed(batch, self.workspace.changes());
        }
        self.workspace.changes().apply(&mut batch);
        if !self.workspace.splits().is_empty() {
            self.account_splits(out);
        }
        if !self.fates.is_empty() {
            let fates = &self.fates;
            let is_dead = |index: usize| matches!(fates[index], Fate::DeadLetter(_));
            let dead = batch.split_off_where(is_dead);
            let mut rest = fates.iter().filter(|fate| !matches!(fate, Fate::DeadLetter(_)));
            let dropped = batch.retain(|_| rest.next() == Some(&Fate::On));
            out.discard("aborted", dropped);
            if let Some(dead) = dead {
                let reasons: Vec<&str> = fates
                    .iter()
                    .filter_map(|fate| match fate {
                        Fate::DeadLetter(reason) => Some(reason.as_str()),
                        _ => None,
                    })
                    .collect();
                out.dead_letter(dead, |index| reasons[index]);
            }
        }
        out.emit(batch);
    }
}

#[cfg(test)]
mod tests;
