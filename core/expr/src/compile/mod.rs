//! Syntax tree to compiled tree: names resolved, types checked, constant parts computed.

mod call;
mod operators;
mod state;
mod statements;

use std::sync::OnceLock;

use bumpalo::Bump;
use lograil_event::Batch;
use lograil_event::json_text::PathStep;

use crate::ast::{BinaryOp, ChainOp, Expr, ExprKind, Literal};
use crate::constant::Constant;
use crate::context::{Context, Path, Stop};
use crate::error::{ExprError, Span};
use crate::functions;
use crate::kind::Kind;
use crate::node::Node;
use state::{Place, State};

/// A compiled expression and what is known of it.
pub(crate) struct Typed {
    pub node: Node,
    pub kind: Kind,
    /// Whether evaluation can fail.
    pub fallible: bool,
    /// The types of members that an object is known to have.
    members: Vec<(String, Kind)>,
    /// The types of the items, of an array.
    items: Option<Kind>,
}

/// What a program may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    /// Only look: the event stays as it is, and what fails is an error of the event.
    #[default]
    Look,
    /// Change the event; what can fail must be handled.
    Change,
}

#[derive(Default)]
pub(crate) struct Compiler {
    /// First segments of the paths: the fields the program reads.
    pub roots: Vec<String>,
    pub errors: Vec<ExprError>,
    pub warnings: Vec<ExprError>,
    pub mode: Mode,
    /// What can fail and is not handled yet, and why.
    pub risks: Vec<(Span, String)>,
    /// How many `??` catch what fails here.
    guards: usize,
    /// Names in scope and their slots.
    scope: Vec<(String, usize)>,
    /// Slots for variables.
    pub slots: usize,
    state: State,
    closures: usize,
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
    fn constant(constant: Constant) -> Self {
        let kind = constant.value().kind();
        Self::new(Node::Constant(constant), kind, false)
    }

    /// Stands for what has been reported; it fits everywhere.
    fn unknown() -> Self {
        Self::new(Node::Event, Kind::ANY | Kind::REGEX, true)
    }

    fn new(node: Node, kind: Kind, fallible: bool) -> Self {
        Self { node, kind, fallible, members: Vec::new(), items: None }
    }

    fn is_constant(&self) -> bool {
        matches!(self.node, Node::Constant(_))
    }
}

impl Compiler {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    fn error(&mut self, error: ExprError) -> Typed {
        self.errors.push(error);
        Typed::unknown()
    }

    /// Notes what can fail; where nothing handles it, a program that changes events is refused.
    fn risk(&mut self, span: &Span, why: String) {
        self.risks.push((span.clone(), why));
    }

    pub(crate) fn expr(&mut self, expr: &Expr) -> Typed {
        match &expr.kind {
            ExprKind::Literal(literal) => Typed::constant(constant(literal)),
            ExprKind::Path(segments) => self.path(segments, &expr.span),
            ExprKind::Query(target, segments) => {
                let target = self.expr(target);
                let fold = target.is_constant();
                let kind = match target.node {
                    Node::Variable(slot) => {
                        self.state.kind(&Place { slot: Some(slot), steps: segments.clone() })
                    }
                    _ => Kind::ANY | Kind::REGEX,
                };
                let node = Node::Query(Box::new(target.node), segments.clone().into());
                self.fold(Typed::new(node, kind, target.fallible), fold, &expr.span)
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
            ExprKind::Template(parts) => self.template(parts),
            ExprKind::Merge(left, right) => self.merge(left, right),
            ExprKind::Assign(parts) => self.assign(parts),
            ExprKind::Abort(message) => self.abort(message.as_deref(), &expr.span),
            ExprKind::Return(value) => self.give_back(value.as_deref(), &expr.span),
            ExprKind::Error => Typed::unknown(),
        }
    }

    /// Computes a part that depends on no event.
    fn fold(&mut self, typed: Typed, constant: bool, span: &Span) -> Typed {
        if !constant {
            return typed;
        }
        let bump = Bump::new();
        let context = Context::new(nothing().event(0), &[], &[], &bump, 0);
        let computed = typed.node.eval(&context).map(|value| Constant::copy_of(value, &bump));
        debug_assert!(matches!(context.stop.get(), Stop::None | Stop::Fatal), "nothing ends here");
        match computed {
            Ok(constant) => {
                Typed { members: typed.members, items: typed.items, ..Typed::constant(constant) }
            }
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
            None => {
                let kind = self.state.kind(&Place { slot: None, steps: Vec::new() });
                return Typed::new(Node::Event, kind, false);
            }
            Some((PathStep::Name(root), rest)) => (root, rest),
            Some((PathStep::Index(_), _)) => {
                let error = ExprError::new(span.clone(), "an event has fields, not elements");
                return self.error(error.help("write the name of a field first: `.items[0]`"));
            }
        };
        let place = Place { slot: None, steps: segments.to_vec() };
        let (kind, items) = (self.state.kind(&place), self.state.items(&place));
        let path = Path { root: self.root(root), rest: rest.into() };
        Typed { items, ..Typed::new(Node::Path(path), kind, false) }
    }

    /// The number of a field's name.
    fn root(&mut self, name: &str) -> usize {
        self.roots.iter().position(|known| known == name).unwrap_or_else(|| {
            self.roots.push(name.to_owned());
            self.roots.len() - 1
        })
    }

    fn slot(&self, name: &str) -> Option<usize> {
        self.scope.iter().rev().find(|(known, _)| known == name).map(|(_, slot)| *slot)
    }

    fn variable(&mut self, name: &str, span: &Span) -> Typed {
        if let Some(slot) = self.slot(name) {
            let place = Place { slot: Some(slot), steps: Vec::new() };
            let (kind, items) = (self.state.kind(&place), self.state.items(&place));
            return Typed { items, ..Typed::new(Node::Variable(slot), kind, false) };
        }
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

    fn array(&mut self, items: &[Expr], span: &Span) -> Typed {
        let items: Vec<_> = items.iter().map(|item| self.expr(item)).collect();
        let fallible = items.iter().any(|item| item.fallible);
        let constant = items.iter().all(Typed::is_constant);
        let node = Node::Array(items.into_iter().map(|item| item.node).collect());
        self.fold(Typed::new(node, Kind::ARRAY, fallible), constant, span)
    }

    fn object(&mut self, members: &[(String, Expr)], span: &Span) -> Typed {
        let (mut fallible, mut constant) = (false, true);
        let (mut nodes, mut kinds) = (Vec::with_capacity(members.len()), Vec::new());
        for (key, value) in members {
            let typed = self.expr(value);
            fallible |= typed.fallible;
            constant &= typed.is_constant();
            let node = (key.clone(), typed.node);
            // A key that is written twice has the value that is written last.
            match nodes.iter().position(|(known, _): &(String, Node)| known == key) {
                Some(at) => {
                    nodes[at] = node;
                    kinds[at] = (key.clone(), typed.kind);
                }
                None => {
                    nodes.push(node);
                    kinds.push((key.clone(), typed.kind));
                }
            }
        }
        let object = Typed::new(Node::Object(nodes.into()), Kind::OBJECT, fallible);
        self.fold(Typed { members: kinds, ..object }, constant, span)
    }
}

fn constant(literal: &Literal) -> Constant {
    match literal {
        Literal::Null => Constant::Null,
        Literal::Boolean(value) => Constant::Boolean(*value),
        Literal::Integer(value) => Constant::Integer(*value),
        Literal::Float(value) => Constant::Float(*value),
        Literal::String(text) => Constant::String(text.clone().into_bytes().into()),
        Literal::Regex(regex) => Constant::Regex(regex.clone()),
        Literal::Timestamp(ns) => Constant::Timestamp(*ns),
    }
}
