//! Syntax tree to compiled tree: names resolved, types checked, constant parts computed.

mod call;

use std::sync::OnceLock;

use lograil_event::Batch;

use lograil_event::json_text::PathStep;

use crate::ast::{ArithmeticOp, BinaryOp, ChainOp, CompareOp, Expr, ExprKind, If, Literal};
use crate::check::Check;
use crate::error::{ExprError, Span};
use crate::functions::{self};
use crate::kind::Kind;
use crate::node::{Context, Node, Path};
use crate::value::{Pattern, Value};

/// A compiled expression and what is known of it.
pub(crate) struct Typed {
    pub node: Node,
    pub kind: Kind,
    /// Whether evaluation can fail.
    pub fallible: bool,
}

#[derive(Default)]
pub(crate) struct Compiler {
    /// First segments of the paths: the fields the program reads.
    pub roots: Vec<String>,
    pub errors: Vec<ExprError>,
    pub warnings: Vec<ExprError>,
    /// How many `??` catch what fails here.
    guards: usize,
}

/// What a constant part is computed over: no event at all.
fn nothing() -> &'static Batch {
    static EMPTY: OnceLock<Batch> = OnceLock::new();
    EMPTY.get_or_init(|| {
        let mut batch = Batch::new();
        batch.edit().push_event(0);
        batch
    })
}

impl Typed {
    fn constant(value: Value<'static>) -> Self {
        Self { kind: value.kind(), node: Node::Constant(value), fallible: false }
    }

    /// Stands for what has been reported; it fits everywhere.
    fn unknown() -> Self {
        Self { node: Node::Event, kind: Kind::ANY | Kind::REGEX, fallible: true }
    }

    fn new(node: Node, kind: Kind, fallible: bool) -> Self {
        Self { node, kind, fallible }
    }

    fn is_constant(&self) -> bool {
        matches!(self.node, Node::Constant(_))
    }
}

impl Compiler {
    fn error(&mut self, error: ExprError) -> Typed {
        self.errors.push(error);
        Typed::unknown()
    }

    pub(crate) fn expr(&mut self, expr: &Expr) -> Typed {
        match &expr.kind {
            ExprKind::Literal(literal) => Typed::constant(constant(literal)),
            ExprKind::Path(segments) => self.path(segments, &expr.span),
            ExprKind::Query(target, segments) => {
                let target = self.expr(target);
                let fold = target.is_constant();
                let node = Node::Query(Box::new(target.node), segments.clone().into());
                self.fold(Typed::new(node, Kind::ANY, target.fallible), fold, &expr.span)
            }
            ExprKind::Variable(name) => self.variable(name, &expr.span),
            ExprKind::Not(inner) => self.not(inner, &expr.span),
            ExprKind::Binary(BinaryOp::Compare(op), left, right) => {
                self.compare(*op, left, right, &expr.span)
            }
            ExprKind::Binary(BinaryOp::Arithmetic(op), left, right) => {
                self.arithmetic(*op, left, right, &expr.span)
            }
            ExprKind::Chain(ChainOp::Coalesce, parts) => self.coalesce(parts, &expr.span),
            ExprKind::Chain(op, parts) => self.logic(*op, parts, &expr.span),
            ExprKind::Call(call) => self.call(call, &expr.span),
            ExprKind::If(parts) => self.conditional(parts, &expr.span),
            ExprKind::Array(items) => self.array(items, &expr.span),
            ExprKind::Object(members) => self.object(members, &expr.span),
            ExprKind::Block(statements) => self.block(statements),
            ExprKind::Error => Typed::unknown(),
        }
    }

    /// Computes a part that depends on no event.
    fn fold(&mut self, typed: Typed, constant: bool, span: &Span) -> Typed {
        if !constant {
            return typed;
        }
        let context = Context { event: nothing().event(0), keys: &[] };
        match typed.node.eval(&context) {
            Ok(value) => Typed::constant(value.into_owned()),
            Err(error) => {
                if self.guards == 0 {
                    self.errors
                        .push(ExprError::new(span.clone(), format!("always fails: {error}")));
                }
                typed
            }
        }
    }

    fn path(&mut self, segments: &[PathStep], span: &Span) -> Typed {
        let (root, rest) = match segments.split_first() {
            None => return Typed::new(Node::Event, Kind::OBJECT, false),
            Some((PathStep::Name(root), rest)) => (root, rest),
            Some((PathStep::Index(_), _)) => {
                let error = ExprError::new(span.clone(), "an event has fields, not elements");
                return self.error(error.help("write the name of a field first: `.items[0]`"));
            }
        };
        let root = self.roots.iter().position(|known| known == root).unwrap_or_else(|| {
            self.roots.push(root.clone());
            self.roots.len() - 1
        });
        Typed::new(Node::Path(Path { root, rest: rest.into() }), Kind::ANY, false)
    }

    fn variable(&mut self, name: &str, span: &Span) -> Typed {
        let error = ExprError::new(span.clone(), format!("unknown variable `{name}`"));
        let known = functions::functions().any(|function| function.name == name);
        self.error(match name {
            "True" | "TRUE" | "False" | "FALSE" | "Null" | "NULL" | "nil" | "None" => {
                let name = name.to_lowercase().replace("nil", "null").replace("none", "null");
                error.help(format!("did you mean `{name}`?"))
            }
            _ if known => error.help(format!("to call the function write `{name}(...)`")),
            _ => error.help(format!("for the field write `.{name}`, for text `\"{name}\"`")),
        })
    }

    fn boolean(&mut self, expr: &Expr, what: &str) -> Typed {
        let typed = self.expr(expr);
        if !typed.kind.intersects(Kind::BOOLEAN) {
            let message = format!("{what} must be boolean, this is {}", typed.kind);
            return self.error(
                ExprError::new(expr.span.clone(), message)
                    .help("compare it with something, as in `.a == 1`"),
            );
        }
        typed
    }

    fn not(&mut self, inner: &Expr, span: &Span) -> Typed {
        let inner = self.boolean(inner, "what `!` negates");
        let (fold, strict) = (inner.is_constant(), inner.kind == Kind::BOOLEAN);
        let node = Node::Not(Box::new(inner.node));
        self.fold(Typed::new(node, Kind::BOOLEAN, inner.fallible || !strict), fold, span)
    }

    fn compare(&mut self, op: CompareOp, left: &Expr, right: &Expr, span: &Span) -> Typed {
        let (l, r) = (self.expr(left), self.expr(right));
        if !op.possible(l.kind, r.kind) {
            return self.error(never_compares(op, &l, &r, span));
        }
        let fallible = l.fallible || r.fallible || !op.infallible(l.kind, r.kind);
        let fold = l.is_constant() && r.is_constant();
        let node = match (l.node, r.node) {
            (Node::Path(path), Node::Constant(value)) => {
                Node::Check(path, Check::compare(op, &value))
            }
            (Node::Constant(value), Node::Path(path)) => {
                Node::Check(path, Check::compare(op.mirrored(), &value))
            }
            (l, r) => Node::Compare(op, Box::new([l, r])),
        };
        self.fold(Typed::new(node, Kind::BOOLEAN, fallible), fold, span)
    }

    fn arithmetic(&mut self, op: ArithmeticOp, left: &Expr, right: &Expr, span: &Span) -> Typed {
        if let (ArithmeticOp::Sub, ExprKind::Path(segments), ExprKind::Variable(name)) =
            (op, &left.kind, &right.kind)
            && let Some(PathStep::Name(field)) = segments.last()
            && left.span.end + 1 == right.span.start
        {
            let error = ExprError::new(span.clone(), format!("unknown variable `{name}`"));
            return self.error(
                error.help(format!("a field name with `-` is quoted: `.\"{field}-{name}\"`")),
            );
        }
        let (l, r) = (self.expr(left), self.expr(right));
        let kind = op.returns(l.kind, r.kind);
        if kind == Kind::NEVER {
            let message = format!("cannot apply `{}` to {} and {}", op.symbol(), l.kind, r.kind);
            let error = ExprError::new(span.clone(), message);
            let text = l.kind == Kind::STRING || r.kind == Kind::STRING;
            return self.error(match (op, text) {
                (ArithmeticOp::Add, true) => {
                    error.help("turn the other side into text with `to_string`")
                }
                (_, true) => error.help("turn text into a number with `to_int` or `to_float`"),
                _ => error,
            });
        }
        let fallible = l.fallible || r.fallible || !op.infallible(l.kind, r.kind);
        let fold = l.is_constant() && r.is_constant();
        let by_zero = matches!(op, ArithmeticOp::Div | ArithmeticOp::Rem)
            && matches!(r.node, Node::Constant(Value::Integer(0) | Value::Float(0.0)));
        if by_zero && self.guards == 0 {
            return self
                .error(ExprError::new(right.span.clone(), "always fails: division by zero"));
        }
        let node = Node::Arithmetic(op, Box::new([l.node, r.node]));
        self.fold(Typed::new(node, kind, fallible), fold, span)
    }

    fn coalesce(&mut self, parts: &[Expr], span: &Span) -> Typed {
        let mut nodes = Vec::with_capacity(parts.len());
        let (mut kind, mut fallible, mut constant) = (Kind::NEVER, true, true);
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            self.guards += usize::from(!last);
            let typed = self.expr(part);
            self.guards -= usize::from(!last);
            if !last && !typed.fallible {
                let span = part.span.clone();
                let warning = ExprError::new(span, "this cannot fail, `??` never takes over");
                self.warnings.push(warning.help(
                    "`??` catches errors; a missing path is null: `if is_null(.a) { 0 } else { .a }`",
                ));
            }
            kind = kind | typed.kind;
            fallible &= typed.fallible;
            constant &= typed.is_constant();
            nodes.push(typed.node);
        }
        self.fold(Typed::new(Node::Coalesce(nodes.into()), kind, fallible), constant, span)
    }

    fn logic(&mut self, op: ChainOp, parts: &[Expr], span: &Span) -> Typed {
        let mut nodes = Vec::with_capacity(parts.len());
        let (mut kind, mut fallible, mut constant) = (Kind::NEVER, false, true);
        for part in parts {
            let typed = self.expr(part);
            let usable = match op {
                ChainOp::And => typed.kind.intersects(Kind::BOOLEAN | Kind::NULL),
                _ => true,
            };
            if !usable {
                let message = format!("`{}` needs booleans, this is {}", op.symbol(), typed.kind);
                let error = ExprError::new(part.span.clone(), message);
                self.error(error.help("compare it with something, as in `.a == 1`"));
                constant = false;
            }
            let plain = (Kind::BOOLEAN | Kind::NULL).contains(typed.kind);
            fallible |= typed.fallible || (op == ChainOp::And && !plain);
            constant &= typed.is_constant();
            kind = kind | typed.kind;
            nodes.push(typed.node);
        }
        let (node, kind) = match op {
            ChainOp::And => (Node::And(nodes.into()), Kind::BOOLEAN),
            _ => (Node::Or(nodes.into()), kind),
        };
        self.fold(Typed::new(node, kind, fallible), constant, span)
    }

    fn conditional(&mut self, parts: &If, span: &Span) -> Typed {
        let condition = self.boolean(&parts.condition, "the condition of `if`");
        let then = self.expr(&parts.then);
        let otherwise = match &parts.otherwise {
            Some(block) => self.expr(block),
            None => Typed::constant(Value::Null),
        };
        let kind = then.kind | otherwise.kind;
        let strict = condition.kind == Kind::BOOLEAN;
        let fallible = condition.fallible || then.fallible || otherwise.fallible || !strict;
        let constant = condition.is_constant() && then.is_constant() && otherwise.is_constant();
        let node = Node::If(Box::new([condition.node, then.node, otherwise.node]));
        self.fold(Typed::new(node, kind, fallible), constant, span)
    }

    fn array(&mut self, items: &[Expr], span: &Span) -> Typed {
        let items: Vec<_> = items.iter().map(|item| self.expr(item)).collect();
        let fallible = items.iter().any(|item| item.fallible);
        let constant = items.iter().all(Typed::is_constant);
        let node = Node::Array(items.into_iter().map(|item| item.node).collect());
        self.fold(Typed::new(node, Kind::ARRAY, fallible), constant, span)
    }

    fn object(&mut self, members: &[(String, Expr)], span: &Span) -> Typed {
        let (mut fallible, mut constant) = (false, true);
        let mut nodes = Vec::with_capacity(members.len());
        for (key, value) in members {
            let typed = self.expr(value);
            fallible |= typed.fallible;
            constant &= typed.is_constant();
            nodes.push((key.clone(), typed.node));
        }
        self.fold(Typed::new(Node::Object(nodes.into()), Kind::OBJECT, fallible), constant, span)
    }

    fn block(&mut self, statements: &[Expr]) -> Typed {
        let mut fallible = false;
        let mut nodes = Vec::with_capacity(statements.len());
        let mut kind = Kind::NULL;
        for (index, statement) in statements.iter().enumerate() {
            let typed = self.expr(statement);
            if index + 1 < statements.len() && !matches!(statement.kind, ExprKind::Error) {
                let warning = ExprError::new(statement.span.clone(), "this value is never used");
                self.warnings.push(warning.help("to combine conditions write `&&` or `||`"));
            }
            fallible |= typed.fallible;
            kind = typed.kind;
            nodes.push(typed.node);
        }
        match nodes.pop() {
            Some(only) if nodes.is_empty() => Typed::new(only, kind, fallible),
            Some(last) => {
                nodes.push(last);
                Typed::new(Node::Block(nodes.into()), kind, fallible)
            }
            None => Typed::constant(Value::Null),
        }
    }
}

fn constant(literal: &Literal) -> Value<'static> {
    match literal {
        Literal::Null => Value::Null,
        Literal::Boolean(value) => Value::Boolean(*value),
        Literal::Integer(value) => Value::Integer(*value),
        Literal::Float(value) => Value::Float(*value),
        Literal::String(text) => Value::String(text.clone().into_bytes().into()),
        Literal::Regex(regex) => Value::Regex(Pattern::Owned(regex.clone())),
        Literal::Timestamp(ns) => Value::Timestamp(*ns),
    }
}

fn never_compares(op: CompareOp, left: &Typed, right: &Typed, span: &Span) -> ExprError {
    let (l, r) = (left.kind, right.kind);
    let message = match op {
        CompareOp::Eq => format!("always false: {l} never equals {r}"),
        CompareOp::Ne => format!("always true: {l} never equals {r}"),
        _ => format!("cannot compare {l} {} {r}", op.symbol()),
    };
    let error = ExprError::new(span.clone(), message);
    let either = l | r;
    if either == Kind::STRING | Kind::INTEGER || either == Kind::STRING | Kind::FLOAT {
        return error.help("write the number without quotes, or turn text into a number with `to_int` or `to_float`");
    }
    if either == Kind::STRING | Kind::TIMESTAMP {
        return error.help("write the timestamp as t'2026-01-31T23:59:59Z'");
    }
    if either.intersects(Kind::REGEX) {
        return error.help("to test text against a pattern write `match(.a, r'...')`");
    }
    if either.intersects(Kind::NULL) && !op.is_equality() {
        return error.help("null has no order; test it with `is_null(.a)` or `exists(.a)`");
    }
    error
}
