//! What users of the crate hold: a compiled program, a condition, and a condition bound to a batch.

use lograil_event::{Batch, EventRef};

use crate::compile::Compiler;
use crate::error::{EvalError, ExprError};
use crate::kind::Kind;
use crate::node::{Context, KEY_MISSING, Node};
use crate::parser::parse;
use crate::value::Value;

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    node: Node,
    kind: Kind,
    fallible: bool,
    roots: Vec<String>,
    warnings: Vec<ExprError>,
}

impl Program {
    /// Compiles a source; reports all mistakes that can be found, in the order of their places.
    pub fn compile(source: &str) -> Result<Self, Vec<ExprError>> {
        let (program, mut warnings, errors) = Self::build(source);
        warnings.sort_by_key(|warning| warning.span.start);
        sorted(errors)?;
        Ok(Self { warnings, ..program })
    }

    fn build(source: &str) -> (Self, Vec<ExprError>, Vec<ExprError>) {
        let (tree, mut errors) = parse(source);
        let mut compiler = Compiler::default();
        let typed = compiler.expr(&tree);
        errors.append(&mut compiler.errors);
        let program = Self {
            node: typed.node,
            kind: typed.kind,
            fallible: typed.fallible,
            roots: compiler.roots,
            warnings: Vec::new(),
        };
        (program, compiler.warnings, errors)
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
        BoundProgram { program: self, keys: self.keys(batch) }
    }

    fn keys(&self, batch: &Batch) -> Box<[u32]> {
        let key = |name: &String| batch.find_key(name).map_or(KEY_MISSING, |key| key.0);
        self.roots.iter().map(key).collect()
    }
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
}

impl BoundProgram<'_> {
    /// The value for an event of the batch. It borrows from the event and the program.
    pub fn eval<'a>(&'a mut self, event: EventRef<'a>) -> Result<Value<'a>, EvalError> {
        self.program.node.eval(&Context { event, keys: &self.keys })
    }
}

/// A compiled expression that is true or false.
#[derive(Debug)]
pub struct Condition {
    program: Program,
}

impl Condition {
    /// Compiles a source whose value can be a boolean; reports all mistakes that can be found.
    pub fn compile(source: &str) -> Result<Self, Vec<ExprError>> {
        let program = Program::compile(source)?;
        if program.kind.intersects(Kind::BOOLEAN) {
            return Ok(Self { program });
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

    /// Resolves field names to the keys of a batch, once for all its events. Keys that are added to the batch
    /// later are not seen: bind again.
    #[must_use]
    pub fn bind(&self, batch: &Batch) -> BoundCondition<'_> {
        BoundCondition { node: &self.program.node, keys: self.program.keys(batch) }
    }
}

/// A condition bound to the keys of one batch.
#[derive(Debug)]
pub struct BoundCondition<'c> {
    node: &'c Node,
    keys: Box<[u32]>,
}

impl BoundCondition<'_> {
    /// Whether the condition holds for an event of the batch. Null counts as false. An error counts as false
    /// too, by contract with the user: count it and go on.
    #[inline]
    pub fn test(&mut self, event: EventRef<'_>) -> Result<bool, EvalError> {
        let context = Context { event, keys: &self.keys };
        Ok(self.node.truth(&context)? == Some(true))
    }
}
