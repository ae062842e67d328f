//! What users of the crate hold: a compiled program, a condition, and a condition bound to a batch.

use bumpalo::Bump;
use lograil_event::{Batch, EventRef, bits};

use crate::ast::CompareOp;
use crate::check::Check;
use crate::compile::{Compiler, Mode};
use crate::context::{Context, KEY_MISSING};
use crate::error::{EvalError, ExprError, Span};
use crate::kind::Kind;
use crate::node::Node;
use crate::parser::parse;
use crate::stretch::{Stretch, Verdict};
use crate::value::Value;

/// A compiled expression that leaves the event as it is.
#[derive(Debug)]
pub struct Program {
    pub(crate) node: Node,
    kind: Kind,
    fallible: bool,
    pub(crate) roots: Vec<String>,
    pub(crate) variables: usize,
    warnings: Vec<ExprError>,
}

impl Program {
    /// Compiles a source; reports all mistakes that can be found, in the order of their places.
    pub fn compile(source: &str) -> Result<Self, Vec<ExprError>> {
        Self::compile_as(source, Mode::Look)
    }

    pub(crate) fn compile_as(source: &str, mode: Mode) -> Result<Self, Vec<ExprError>> {
        let (tree, mut errors) = parse(source);
        let mut compiler = Compiler::new(mode);
        let typed = compiler.expr(&tree);
        errors.append(&mut compiler.errors);
        if mode == Mode::Change && errors.is_empty() {
            errors.extend(compiler.risks.into_iter().map(|(span, why)| unhandled(span, &why)));
        }
        let mut warnings = compiler.warnings;
        warnings.sort_by_key(|warning| warning.span.start);
        sorted(errors)?;
        Ok(Self {
            node: typed.node,
            kind: typed.kind,
            fallible: typed.fallible,
            roots: compiler.roots,
            variables: compiler.slots,
            warnings,
        })
    }

    /// The types the value can have.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether there are events it fails on.
    #[must_use]
    pub fn is_fallible(&self) -> bool {
        self.fallible
    }

    /// What is suspicious about the source but no mistake.
    #[must_use]
    pub fn warnings(&self) -> &[ExprError] {
        &self.warnings
    }

    /// Names of the fields the program reads, each once; a program that reads `.` may read others too.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.roots
    }

    /// Resolves field names to the keys of a batch, once for all its events.
    #[must_use]
    pub fn bind(&self, batch: &Batch) -> BoundProgram<'_> {
        BoundProgram { program: self, keys: self.keys(batch), bump: Bump::new() }
    }

    pub(crate) fn keys(&self, batch: &Batch) -> Box<[u32]> {
        let key = |name: &String| batch.find_key(name).map_or(KEY_MISSING, |key| key.0);
        self.roots.iter().map(key).collect()
    }
}

fn unhandled(span: Span, why: &str) -> ExprError {
    ExprError::new(span, format!("an error is not handled: {why}")).help(
        "give a value to fall back on (`... ?? 0`), take the error (`value, err = ...`), \
         or let it end the program (`f!(...)`, `string!(.a)`)",
    )
}

fn sorted(mut errors: Vec<ExprError>) -> Result<(), Vec<ExprError>> {
    errors.sort_by_key(|error| error.span.start);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// A program bound to the keys of one batch.
#[derive(Debug)]
pub struct BoundProgram<'p> {
    program: &'p Program,
    keys: Box<[u32]>,
    bump: Bump,
}

impl BoundProgram<'_> {
    /// The value for an event of the batch. It borrows from the event and the program.
    pub fn eval<'a>(&'a mut self, event: EventRef<'a>) -> Result<Value<'a>, EvalError> {
        self.bump.reset();
        let program = self.program;
        let variables = program.variables;
        let context = Context::new(event, &self.keys, &program.roots, &self.bump, variables);
        program.node.eval(&context)
    }
}

/// A compiled expression that is true or false.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    /// Whether most events can be told without a context.
    is_plain: bool,
}

impl Condition {
    /// Compiles a source whose value can be a boolean; reports all mistakes that can be found.
    pub fn compile(source: &str) -> Result<Self, Vec<ExprError>> {
        let program = Program::compile(source)?;
        if program.kind.intersects(Kind::BOOLEAN) {
            let is_plain = program.node.is_plain();
            return Ok(Self { program, is_plain });
        }
        let trimmed = source.trim_start();
        let start = source.len() - trimmed.len();
        let message = format!("a condition must be boolean, this is {}", program.kind);
        let error = ExprError::new(start..start + trimmed.trim_end().len(), message);
        Err(vec![if Kind::NUMBER.contains(program.kind) {
            error.help("compare it with a number, as in `.a + 1 > 5`")
        } else {
            error.help("compare it with something, as in `.a == \"b\"`")
        }])
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What is suspicious about the source but no mistake.
    #[must_use]
    pub fn warnings(&self) -> &[ExprError] {
        self.program.warnings()
    }

    /// Fields that must be these texts wherever the condition holds: the `.a == "b"` of the source, alone or
    /// joined by `&&`. A store can look such events up; there may be more that the condition requires.
    #[must_use]
    pub fn required_texts(&self) -> Vec<(&str, &str)> {
        let alone = std::slice::from_ref(&self.program.node);
        let terms = if let Node::And(terms) = &self.program.node { terms } else { alone };
        let required = |term| match term {
            &Node::Check(ref path, Check::Text(CompareOp::Eq, ref text))
                if path.rest.is_empty() =>
            {
                let name = self.program.roots.get(path.root)?;
                Some((name.as_str(), std::str::from_utf8(text).ok()?))
            }
            _ => None,
        };
        terms.iter().filter_map(required).collect()
    }

    /// Resolves field names to the keys of a batch, once for all its events. Keys that are added to the batch
    /// later are not seen: bind again.
    #[must_use]
    pub fn bind(&self, batch: &Batch) -> BoundCondition<'_> {
        BoundCondition { bound: self.program.bind(batch), is_plain: self.is_plain }
    }
}

/// A condition bound to the keys of one batch.
#[derive(Debug)]
pub struct BoundCondition<'c> {
    bound: BoundProgram<'c>,
    is_plain: bool,
}

impl BoundCondition<'_> {
    /// Whether the condition holds for an event of the batch. Null counts as false. An error counts as false
    /// too, by contract with the user: count it and go on.
    #[inline]
    pub fn test(&mut self, event: EventRef<'_>) -> Result<bool, EvalError> {
        let BoundProgram { program, keys, .. } = &self.bound;
        if self.is_plain
            && let Some(holds) = program.node.test_plain(event, keys)
        {
            return Ok(holds);
        }
        self.evaluate(event)
    }

    /// Which of the `wanted` events of a stretch of the batch it holds for, as [`Self::test`] has it; each failure is told
    /// to `failed`.
    pub fn test_stretch(
        &mut self,
        stretch: &mut Stretch<'_>,
        wanted: u64,
        mut failed: impl FnMut(EvalError),
    ) -> u64 {
        let BoundProgram { program, keys, .. } = &self.bound;
        let Verdict { mut holds, unknown } = program.node.test_stretch(stretch, keys, wanted);
        for bit in bits(unknown) {
            match self.evaluate(stretch.event(bit)) {
                Ok(is_true) => holds |= u64::from(is_true) << bit,
                Err(error) => failed(error),
            }
        }
        holds
    }

    /// Apart, so that what most events take stays small.
    #[inline(never)]
    fn evaluate(&mut self, event: EventRef<'_>) -> Result<bool, EvalError> {
        let BoundProgram { program, keys, bump } = &mut self.bound;
        bump.reset();
        let context = Context::new(event, keys, &program.roots, bump, program.variables);
        Ok(program.node.truth(&context)? == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::Condition;

    #[test]
    fn required_texts_are_those_that_every_match_has() {
        let cases: [(&str, &[(&str, &str)]); 6] = [
            (".a == \"x\"", &[("a", "x")]),
            ("\"x\" == .a && .n > 5 && .b == \"y\"", &[("a", "x"), ("b", "y")]),
            (".a == \"x\" || .b == \"y\"", &[]),
            ("!(.a == \"x\")", &[]),
            (".a != \"x\" && .b.c == \"y\"", &[]),
            (".a == 5", &[]),
        ];
        for (source, wanted) in cases {
            assert_eq!(Condition::compile(source).unwrap().required_texts(), wanted, "{source}");
        }
    }
}
