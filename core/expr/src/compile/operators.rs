//! Operators: their types, and the short forms of those that a test can be.

use lograil_event::json_text::PathStep;

use super::{Compiler, Typed};
use crate::ast::{ArithmeticOp, ChainOp, CompareOp, Expr, ExprKind};
use crate::check::Check;
use crate::constant::Constant;
use crate::error::{ExprError, Span};
use crate::kind::Kind;
use crate::node::Node;

impl Compiler {
    pub(super) fn boolean(&mut self, expr: &Expr, what: &str) -> Typed {
        let typed = self.expr(expr);
        if !typed.kind.intersects(Kind::BOOLEAN) {
            let message = format!("{what} must be boolean, this is {}", typed.kind);
            return self.error(
                ExprError::new(expr.span.clone(), message)
                    .help("compare it with something, as in `.a == 1`"),
            );
        }
        if typed.kind != Kind::BOOLEAN {
            self.risk(&expr.span, format!("{what} may be {}", typed.kind.without(Kind::BOOLEAN)));
        }
        typed
    }

    pub(super) fn not(&mut self, inner: &Expr, span: &Span) -> Typed {
        let inner = self.boolean(inner, "what `!` negates");
        let (fold, strict) = (inner.is_constant(), inner.kind == Kind::BOOLEAN);
        let node = Node::Not(Box::new(inner.node));
        self.fold(Typed::new(node, Kind::BOOLEAN, inner.fallible || !strict), fold, span)
    }

    pub(super) fn compare(
        &mut self,
        op: CompareOp,
        left: &Expr,
        right: &Expr,
        span: &Span,
    ) -> Typed {
        let (l, r) = (self.expr(left), self.expr(right));
        if !op.possible(l.kind, r.kind) {
            return self.error(never_compares(op, &l, &r, span));
        }
        let safe = op.infallible(l.kind, r.kind);
        if !safe {
            let (l, r) = (l.kind, r.kind);
            self.risk(span, format!("`{}` may meet {l} and {r}", op.symbol()));
        }
        let fallible = l.fallible || r.fallible || !safe;
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

    pub(super) fn arithmetic(
        &mut self,
        op: ArithmeticOp,
        left: &Expr,
        right: &Expr,
        span: &Span,
    ) -> Typed {
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
        let divides = matches!(op, ArithmeticOp::Div | ArithmeticOp::Rem);
        let by_number = match &r.node {
            Node::Constant(Constant::Integer(value)) => *value != 0,
            Node::Constant(Constant::Float(value)) => *value != 0.0,
            _ => false,
        };
        let safe = if divides {
            by_number && Kind::NUMBER.contains(l.kind)
        } else {
            op.infallible(l.kind, r.kind)
        };
        if !safe {
            let (l, r) = (l.kind, r.kind);
            self.risk(span, format!("`{}` may meet {l} and {r}", op.symbol()));
        }
        let fallible = l.fallible || r.fallible || !safe;
        let fold = l.is_constant() && r.is_constant();
        let by_zero = divides
            && matches!(r.node, Node::Constant(Constant::Integer(0) | Constant::Float(0.0)));
        if by_zero && self.guards == 0 {
            return self
                .error(ExprError::new(right.span.clone(), "always fails: division by zero"));
        }
        let node = Node::Arithmetic(op, Box::new([l.node, r.node]));
        self.fold(Typed::new(node, kind, fallible), fold, span)
    }

    pub(super) fn coalesce(&mut self, parts: &[Expr], span: &Span) -> Typed {
        let mut nodes = Vec::with_capacity(parts.len());
        let (mut kind, mut fallible, mut constant) = (Kind::NEVER, true, true);
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            self.guards += usize::from(!last);
            let (risks, before) = (self.risks.len(), self.state.clone());
            let typed = self.expr(part);
            self.state.merge(&before);
            self.guards -= usize::from(!last);
            if !last {
                self.risks.truncate(risks);
            }
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

    pub(super) fn logic(&mut self, op: ChainOp, parts: &[Expr], span: &Span) -> Typed {
        let mut nodes = Vec::with_capacity(parts.len());
        let (mut kind, mut fallible, mut constant) = (Kind::NEVER, false, true);
        for part in parts {
            let before = self.state.clone();
            let typed = self.expr(part);
            if !nodes.is_empty() {
                self.state.merge(&before);
            }
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
            if op == ChainOp::And && !plain {
                self.risk(&part.span, format!("`&&` may meet {}", typed.kind));
            }
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

    /// `left | right`: the members of both.
    pub(super) fn merge(&mut self, left: &Expr, right: &Expr) -> Typed {
        let (l, r) = (self.expr(left), self.expr(right));
        for (typed, side) in [(&l, left), (&r, right)] {
            if !typed.kind.intersects(Kind::OBJECT) {
                let message = format!("`|` merges objects, this is {}", typed.kind);
                let error = ExprError::new(side.span.clone(), message);
                return self.error(error.help("did you mean `||`?"));
            }
            if typed.kind != Kind::OBJECT {
                self.risk(&side.span, format!("`|` merges objects, this may be {}", typed.kind));
            }
        }
        let fallible = l.fallible || r.fallible || l.kind != Kind::OBJECT || r.kind != Kind::OBJECT;
        let node = Node::Merge(Box::new([l.node, r.node]));
        Typed { members: r.members, ..Typed::new(node, Kind::OBJECT, fallible) }
    }

    pub(super) fn template(&mut self, parts: &[Expr]) -> Typed {
        let mut fallible = false;
        let mut nodes = Vec::with_capacity(parts.len());
        for part in parts {
            let typed = self.expr(part);
            if !typed.kind.intersects(Kind::STRING) {
                let message = format!("a template takes strings, this is {}", typed.kind);
                let error = ExprError::new(part.span.clone(), message);
                self.error(error.help("turn it into text with `to_string` first"));
            } else if typed.kind != Kind::STRING {
                self.risk(
                    &part.span,
                    format!("a template takes strings, this may be {}", typed.kind),
                );
            }
            fallible |= typed.fallible || typed.kind != Kind::STRING;
            nodes.push(typed.node);
        }
        Typed::new(Node::Template(nodes.into()), Kind::STRING, fallible)
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
