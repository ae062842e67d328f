//! Programs that change events, run over a batch: first every event is evaluated and its writes are noted, then
//! the notes are applied. An event whose program does not reach its end is left exactly as it was.

use bumpalo::Bump;
use lograil_event::{Batch, Changes};

use crate::columns::{Columns, Row};
use crate::compile::Mode;
use crate::context::{Context, Stop};
use crate::error::{EvalError, ExprError};
use crate::plan::{Plan, statements};
use crate::program::Program;
use crate::rows::{Rows, Split};
use crate::value::Value;
use crate::writer::{FieldWriter, Texts};

/// Memory for one event that is kept for the next one.
const MEMORY_BYTES_KEPT: usize = 1 << 20;

/// A compiled program that changes events.
#[derive(Debug)]
pub struct Script {
    program: Program,
    /// How it is carried out column by column, if it can be; otherwise it is event by event.
    plan: Option<Plan>,
}

/// Why an event was left as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unchanged {
    /// The program ended it with `abort`, and perhaps a message.
    Aborted(Option<String>),
    /// A call with `!` failed, or a bound was reached.
    Failed(EvalError, String),
}

/// The working memory of a [`Script`], for one batch after the other.
#[derive(Debug, Default)]
pub struct Workspace {
    bump: Bump,
    texts: Texts,
    columns: Columns,
    rows: Rows,
    changes: Changes,
}

impl Workspace {
    /// The events of the last batch that became none or several, in their order.
    #[must_use]
    pub fn splits(&self) -> &[Split] {
        self.rows.splits()
    }

    /// What is still to be changed of the last batch.
    pub fn changes(&mut self) -> &mut Changes {
        &mut self.changes
    }
}

impl Script {
    /// Compiles a source; reports all mistakes that can be found, in the order of their places. What can fail
    /// must be handled.
    pub fn compile(source: &str) -> Result<Self, Vec<ExprError>> {
        let program = Program::compile_as(source, Mode::Change)?;
        let plan = Plan::of(&program.node, program.roots.len());
        Ok(Self { program, plan })
    }

    /// What is suspicious about the source but no mistake.
    #[must_use]
    pub fn warnings(&self) -> &[ExprError] {
        self.program.warnings()
    }

    /// Whether there are events it fails on or aborts, other than by a bound.
    #[must_use]
    pub fn is_fallible(&self) -> bool {
        self.program.is_fallible()
    }

    /// Runs the program over every event of the batch. `now_ns` is what `now()` gives. Events that were left as
    /// they were are told to `unchanged`, in their order, by their place in the batch as it came;
    /// [`Workspace::splits`] has those that became none or several.
    pub fn run(
        &self,
        batch: &mut Batch,
        now_ns: i64,
        workspace: &mut Workspace,
        unchanged: impl FnMut(usize, Unchanged),
    ) {
        self.evaluate(batch, now_ns, workspace, unchanged);
        workspace.changes.apply(batch);
        workspace.changes.clear();
    }

    /// As [`Self::run`], but [`Workspace::changes`] may have changes that are still to be made, before any of the batch's
    /// events is changed otherwise.
    pub fn evaluate(
        &self,
        batch: &mut Batch,
        now_ns: i64,
        workspace: &mut Workspace,
        mut unchanged: impl FnMut(usize, Unchanged),
    ) {
        workspace.changes.clear();
        if batch.is_empty() {
            return;
        }
        workspace.texts.clear(self.program.roots.len());
        workspace.rows.clear();
        let keys = self.program.keys(batch);
        match &self.plan {
            Some(plan) => {
                self.run_columns(plan, batch, &keys, now_ns, workspace, &mut unchanged);
                let Workspace { columns, texts, changes, .. } = workspace;
                columns.write(plan, batch, texts, &self.program.roots, &keys, changes);
            }
            None => {
                self.run_rows(batch, &keys, now_ns, workspace, &mut unchanged);
                workspace.rows.write(batch, &workspace.texts, &self.program.roots, keys);
            }
        }
        take_back(&mut workspace.bump);
    }

    fn run_columns(
        &self,
        plan: &Plan,
        batch: &Batch,
        keys: &[u32],
        now_ns: i64,
        workspace: &mut Workspace,
        unchanged: &mut impl FnMut(usize, Unchanged),
    ) {
        let Workspace { bump, texts, columns, .. } = workspace;
        columns.clear(plan, batch.len());
        if plan.steps.is_empty() {
            return;
        }
        let Program { node, roots, variables, .. } = &self.program;
        let statements = statements(node);
        take_back(bump);
        let mut clean = state_of(bump);
        for event in 0..batch.len() {
            // Most statements need no memory, and asking costs less than taking back.
            if state_of(bump) != clean {
                take_back(bump);
                clean = state_of(bump);
            }
            let context = Context::new(batch.event(event), keys, roots, bump, *variables);
            let context = context.at(now_ns);
            let len = texts.len();
            let writer = FieldWriter::new(batch, event, texts);
            let mut row = Row { event, plan, columns, writer };
            let result = plan.steps.iter().try_for_each(|at| row.step(&statements[*at], &context));
            if let Err(error) = result
                && let Err(why) = outcome(&context, Err(error))
            {
                columns.fail(event);
                texts.truncate(len);
                unchanged(event, why);
            }
        }
    }

    fn run_rows(
        &self,
        batch: &Batch,
        keys: &[u32],
        now_ns: i64,
        workspace: &mut Workspace,
        unchanged: &mut impl FnMut(usize, Unchanged),
    ) {
        let Workspace { bump, texts, rows, .. } = workspace;
        let Program { node, roots, variables, .. } = &self.program;
        for event in 0..batch.len() {
            take_back(bump);
            let context = Context::new(batch.event(event), keys, roots, bump, *variables);
            let context = context.at(now_ns).writable();
            let result = outcome(&context, node.eval(&context).map(|_| ()));
            let len = texts.len();
            let noted = result.and_then(|()| {
                let writer = FieldWriter::new(batch, event, texts);
                rows.take(event, writer, &context).map_err(|error| failed(&context, error))
            });
            if let Err(why) = noted {
                texts.truncate(len);
                unchanged(event, why);
            }
        }
    }
}

/// Takes the memory of one event back. What is kept counts as taken by the next one, so that much is not kept.
#[inline]
fn take_back(bump: &mut Bump) {
    bump.reset();
    if bump.allocated_bytes() > MEMORY_BYTES_KEPT {
        *bump = Bump::new();
    }
}

/// What changes when something is put there.
#[inline]
fn state_of(bump: &Bump) -> (usize, usize) {
    (bump.chunk_capacity(), bump.allocated_bytes())
}

/// Whether the program came to an end that counts, of its last statement or by `return`.
#[inline(never)]
fn outcome(context: &Context<'_>, result: Result<(), EvalError>) -> Result<(), Unchanged> {
    result.or_else(|error| match context.stop.get() {
        Stop::Return => Ok(()),
        Stop::Abort(message) => {
            let message = message.map(|text| String::from_utf8_lossy(text).into_owned());
            Err(Unchanged::Aborted(message))
        }
        Stop::None | Stop::Fatal => Err(failed(context, error)),
    })
}

#[cold]
fn failed(context: &Context<'_>, error: EvalError) -> Unchanged {
    let text = match context.message(error) {
        Value::String(text) => String::from_utf8_lossy(text).into_owned(),
        _ => error.to_string(),
    };
    Unchanged::Failed(error, text)
}

#[cfg(test)]
impl Script {
    /// The script, carried out event by event.
    pub(crate) fn by_rows(self) -> Self {
        Self { plan: None, ..self }
    }

    /// Whether it is carried out column by column.
    pub(crate) fn is_planned(&self) -> bool {
        self.plan.is_some()
    }

    /// The value of the program for one event, as JSON, or the error's text.
    pub(crate) fn value(&self, batch: &Batch, now_ns: i64) -> Result<String, String> {
        let bump = Bump::new();
        let program = &self.program;
        let keys = program.keys(batch);
        let event = batch.event(0);
        let context = Context::new(event, &keys, &program.roots, &bump, program.variables);
        let context = context.at(now_ns).writable();
        match program.node.eval(&context) {
            Ok(value) => Ok(value.to_string()),
            Err(error) => match failed(&context, error) {
                Unchanged::Failed(_, text) => Err(text),
                Unchanged::Aborted(_) => Err("aborted".to_owned()),
            },
        }
    }
}
