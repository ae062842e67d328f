//! What happens one after the other: assignments, branches, blocks, and the ends of a program.

use lograil_event::json_text::PathStep;

use super::state::{Place, State};
use super::{Compiler, Mode, Typed};
use crate::ast::{Assign, Call, Closure, Expr, ExprKind, If};
use crate::constant::Constant;
use crate::context::{Path, Target};
use crate::error::{ExprError, Span};
use crate::functions::{ClosureShape, ClosureTakes};
use crate::kind::Kind;
use crate::nested::Leave;
use crate::node::{self, AssignResult, Node};

/// Closures inside each other: each level is looked at several times to find the types.
const CLOSURES_MAX: usize = 4;

/// What a closure runs over.
#[derive(Clone, Copy)]
pub(super) struct Over {
    pub kind: Kind,
    /// The types of what is inside.
    pub inside: Kind,
}

impl Compiler {
    /// The place that an expression names; `new` makes a variable that is not there yet.
    pub(super) fn target(&mut self, expr: &Expr, new: bool) -> Option<(Target, Place)> {
        let (name, steps) = match &expr.kind {
            ExprKind::Path(segments) => {
                let steps = segments.clone();
                let target = match segments.split_first() {
                    None => Target::Event,
                    Some((PathStep::Name(root), rest)) => {
                        Target::Path(Path { root: self.root(root), rest: rest.into() })
                    }
                    Some((PathStep::Index(_), _)) => {
                        self.expr(expr);
                        return None;
                    }
                };
                return Some((target, Place { slot: None, steps }));
            }
            ExprKind::Variable(name) if name == "_" && new => {
                return Some((
                    Target::Nothing,
                    Place { slot: Some(usize::MAX), steps: Vec::new() },
                ));
            }
            ExprKind::Variable(name) => (name, Vec::new()),
            ExprKind::Query(inner, steps) => match &inner.kind {
                ExprKind::Variable(name) => (name, steps.clone()),
                _ => return None,
            },
            _ => return None,
        };
        let slot = match self.slot(name) {
            Some(slot) => slot,
            None if new => {
                self.scope.push((name.clone(), self.slots));
                self.slots += 1;
                self.slots - 1
            }
            None => {
                self.expr(expr);
                return None;
            }
        };
        let target = Target::Variable(slot, steps.clone().into());
        Some((target, Place { slot: Some(slot), steps }))
    }

    pub(super) fn assign(&mut self, parts: &Assign) -> Typed {
        let span = &parts.target.span;
        let writes = |expr: &Expr| matches!(expr.kind, ExprKind::Path(_));
        if self.mode == Mode::Look
            && (writes(&parts.target) || parts.error.as_ref().is_some_and(writes))
        {
            let error = ExprError::new(span.clone(), "a condition cannot change the event");
            return self.error(
                error.help("`=` assigns, a comparison is `==`; to change events use `remap`"),
            );
        }
        let Some(error) = &parts.error else { return self.assign_one(parts) };
        let risks = self.risks.len();
        let before = self.state.clone();
        self.guards += 1;
        let value = self.expr(&parts.value);
        self.guards -= 1;
        self.risks.truncate(risks);
        self.state.merge(&before);
        if !value.fallible {
            let warning = ExprError::new(
                parts.value.span.clone(),
                "this cannot fail, the error is always null",
            );
            self.warnings.push(warning);
        }
        let default = default_of(value.kind);
        let kind = value.kind | default.value().kind();
        let ok = self.target(&parts.target, true);
        let bad = self.target(error, true);
        let (Some((ok, ok_place)), Some((bad, bad_place))) = (ok, bad) else {
            return Typed::unknown();
        };
        if matches!(bad, Target::Event) {
            let error =
                ExprError::new(error.span.clone(), "an error is a text, which cannot be the event");
            return self.error(error.help("write `ok, err = ...`"));
        }
        // Where the value fails, the event is as it was.
        let kind = match ok {
            Target::Event => value.kind | self.state.kind(&ok_place),
            _ => kind,
        };
        self.warn_of_lost_items(&ok_place, &parts.target.span);
        self.note(&ok, &ok_place, kind);
        if !matches!(ok, Target::Nothing) {
            // Of an empty object no member is there, of an empty array all items are what they are.
            if let Some(items) = value.items {
                self.state.set_items(&ok_place, items);
            }
        }
        self.note(&bad, &bad_place, Kind::STRING | Kind::NULL);
        let node = AssignResult { ok, error: bad, default, value: value.node };
        Typed::new(Node::AssignResult(Box::new(node)), value.kind | Kind::STRING, false)
    }

    fn assign_one(&mut self, parts: &Assign) -> Typed {
        let value = if parts.merge {
            self.merge(&parts.target, &parts.value)
        } else {
            self.expr(&parts.value)
        };
        let Some((target, place)) = self.target(&parts.target, true) else {
            return Typed::unknown();
        };
        self.warn_of_lost_items(&place, &parts.target.span);
        self.note(&target, &place, value.kind);
        if !matches!(target, Target::Nothing) {
            for (name, kind) in &value.members {
                self.state.set_member(&place, name, *kind);
            }
            if let Some(items) = value.items {
                self.state.set_items(&place, items);
            }
        }
        Typed {
            members: value.members,
            items: value.items,
            ..Typed::new(Node::Assign(target, Box::new(value.node)), value.kind, value.fallible)
        }
    }

    /// A field of an event that is an array by now makes one object of it, and the events that its items would have
    /// become are gone.
    fn warn_of_lost_items(&mut self, place: &Place, span: &Span) {
        let event = Place { slot: None, steps: Vec::new() };
        let is_field = place.slot.is_none() && !place.steps.is_empty();
        if is_field && self.state.kind(&event) == Kind::ARRAY {
            let warning = ExprError::new(
                span.clone(),
                "`.` is an array here: this replaces all of its items by one object with this field",
            );
            self.warnings.push(warning.help(
                "to set a field of each item write `. = map_values(.) -> |item| { item.name = ...; item }`, or assign in a `remap` behind this one",
            ));
        }
    }

    fn note(&mut self, target: &Target, place: &Place, kind: Kind) {
        if !matches!(target, Target::Nothing) {
            self.state.set(place, kind);
        }
    }

    /// `del(path)`
    pub(super) fn delete(&mut self, expr: &Expr, leave: Leave, span: &Span) -> Typed {
        if self.mode == Mode::Look && matches!(expr.kind, ExprKind::Path(_)) {
            let error = ExprError::new(span.clone(), "a condition cannot change the event");
            return self.error(error.help("to change events use `remap`"));
        }
        let kind = self.expr(expr).kind;
        let Some((target, place)) = self.target(expr, false) else { return Typed::unknown() };
        match place.steps.last() {
            // The elements behind it move up, and nothing is known of what comes to its place.
            Some(PathStep::Index(_)) => {
                let around =
                    Place { steps: place.steps[..place.steps.len() - 1].to_vec(), ..place };
                let kind = self.state.kind(&around);
                self.state.set(&around, kind);
            }
            Some(PathStep::Name(_)) => {
                let around: Vec<_> = (0..place.steps.len())
                    .map(|len| Place { slot: place.slot, steps: place.steps[..len].to_vec() })
                    .map(|place| (self.state.kind(&place), place))
                    .collect();
                self.state.set(&place, Kind::NULL);
                for (kind, place) in around {
                    let gone = leave == Leave::Full && !place.steps.is_empty();
                    self.state.restore(&place, if gone { kind | Kind::NULL } else { kind });
                }
            }
            None => {
                self.state.set(&place, if place.slot.is_some() { Kind::ANY } else { Kind::OBJECT })
            }
        }
        Typed::new(Node::Delete(target, leave), kind, false)
    }

    /// `unnest(path)`
    pub(super) fn unnest(&mut self, call: &Call, expr: &Expr) -> Typed {
        let typed = self.expr(expr);
        let Some((target, _)) = self.target(expr, false) else { return Typed::unknown() };
        if !typed.kind.intersects(Kind::ARRAY) {
            let message = format!("`unnest` expects array as `path`, this is {}", typed.kind);
            return self.error(ExprError::new(expr.span.clone(), message));
        }
        let fallible = typed.kind != Kind::ARRAY;
        let risks = self.risks.len();
        if fallible {
            let why = format!("`unnest` expects array as `path`, this may be {}", typed.kind);
            self.risk(&expr.span, why);
        }
        self.banged(call, Typed::new(Node::Unnest(target), Kind::ARRAY, fallible), risks)
    }

    pub(super) fn abort(&mut self, message: Option<&Expr>, span: &Span) -> Typed {
        if self.mode == Mode::Look {
            return self.error(ExprError::new(span.clone(), "a condition cannot `abort`"));
        }
        let message = message.map(|expr| {
            let typed = self.expr(expr);
            if typed.kind != Kind::STRING {
                self.risk(
                    &expr.span,
                    format!("`abort` takes a string, this may be {}", typed.kind),
                );
            }
            (typed.fallible || typed.kind != Kind::STRING, Box::new(typed.node))
        });
        let fallible = message.as_ref().is_some_and(|(fallible, _)| *fallible);
        Typed::new(Node::Abort(message.map(|(_, node)| node)), Kind::NEVER, fallible)
    }

    pub(super) fn give_back(&mut self, value: Option<&Expr>, span: &Span) -> Typed {
        if self.mode == Mode::Look || self.closures > 0 {
            let message = "`return` ends a program that changes events, outside of closures";
            return self.error(ExprError::new(span.clone(), message));
        }
        let value = match value {
            Some(expr) => self.expr(expr),
            None => Typed::constant(Constant::Null),
        };
        Typed::new(Node::Return(Box::new(value.node)), Kind::NEVER, value.fallible)
    }

    pub(super) fn conditional(&mut self, parts: &If, span: &Span) -> Typed {
        let condition = self.boolean(&parts.condition, "the condition of `if`");
        let before = self.state.clone();
        let then = self.expr(&parts.then);
        let after_then = std::mem::replace(&mut self.state, before);
        let otherwise = match &parts.otherwise {
            Some(block) => self.expr(block),
            None => Typed::constant(Constant::Null),
        };
        match (then.kind == Kind::NEVER, otherwise.kind == Kind::NEVER) {
            (true, _) => {}
            (false, true) => self.state = after_then,
            (false, false) => self.state.merge(&after_then),
        }
        let kind = then.kind | otherwise.kind;
        let strict = condition.kind == Kind::BOOLEAN;
        let fallible = condition.fallible || then.fallible || otherwise.fallible || !strict;
        let constant = condition.is_constant() && then.is_constant() && otherwise.is_constant();
        let node = Node::If(Box::new([condition.node, then.node, otherwise.node]));
        self.fold(Typed::new(node, kind, fallible), constant, span)
    }

    /// Statements with variables of their own.
    pub(super) fn block(&mut self, statements: &[Expr]) -> Typed {
        let outer = self.scope.len();
        let mut fallible = false;
        let mut nodes = Vec::with_capacity(statements.len());
        let mut kind = Kind::NULL;
        for (index, statement) in statements.iter().enumerate() {
            if nodes.last().is_some() && kind == Kind::NEVER {
                let warning = ExprError::new(statement.span.clone(), "this is never reached");
                self.warnings.push(warning);
            }
            let typed = self.expr(statement);
            let idle = matches!(
                statement.kind,
                ExprKind::Literal(_)
                    | ExprKind::Path(_)
                    | ExprKind::Variable(_)
                    | ExprKind::Not(_)
                    | ExprKind::Binary(..)
                    | ExprKind::Array(_)
                    | ExprKind::Object(_)
            );
            if index + 1 < statements.len() && idle {
                let warning = ExprError::new(statement.span.clone(), "this value is never used");
                self.warnings.push(warning.help("to combine conditions write `&&` or `||`"));
            }
            fallible |= typed.fallible;
            let ended = !nodes.is_empty() && kind == Kind::NEVER;
            kind = if ended { Kind::NEVER } else { typed.kind };
            nodes.push(typed.node);
        }
        self.scope.truncate(outer);
        match nodes.pop() {
            Some(only) if nodes.is_empty() => Typed::new(only, kind, fallible),
            Some(last) => {
                nodes.push(last);
                Typed::new(Node::Block(nodes.into()), kind, fallible)
            }
            None => Typed::constant(Constant::Null),
        }
    }

    /// A closure that runs any number of times over what is in a value.
    pub(super) fn closure(
        &mut self,
        shape: &ClosureShape,
        closure: &Closure,
        over: Over,
    ) -> Option<(node::Closure, bool)> {
        if closure.parameters.len() != shape.takes.len() {
            let message = format!("this closure takes {} parameters", shape.takes.len());
            let error = ExprError::new(closure.span.clone(), message);
            self.error(error.help(shape.example));
            return None;
        }
        if self.closures == CLOSURES_MAX {
            let message = format!("closures are nested more than {CLOSURES_MAX} levels deep");
            self.error(ExprError::new(closure.span.clone(), message));
            return None;
        }
        self.closures += 1;
        // What the body leaves behind is what it may find when it runs again: look until nothing changes.
        for round in 0.. {
            let before = self.state.clone();
            let marks = (self.errors.len(), self.warnings.len(), self.risks.len(), self.slots);
            self.closure_body(shape, closure, over);
            self.errors.truncate(marks.0);
            self.warnings.truncate(marks.1);
            self.risks.truncate(marks.2);
            self.slots = marks.3;
            self.state.merge(&before);
            self.state.forget_from(marks.3);
            if self.state.same(&before) {
                self.state = before;
                break;
            }
            if round > 1 {
                self.state.widen(&before);
                if self.state.same(&before) {
                    break;
                }
            }
        }
        let before = self.state.clone();
        let slots = self.slots;
        let (parameters, body) = self.closure_body(shape, closure, over);
        self.closures -= 1;
        self.state.merge(&before);
        self.state.forget_from(slots);
        if !body.kind.intersects(shape.returns) && body.kind != Kind::NEVER {
            let message =
                format!("this closure must give {}, it gives {}", shape.returns, body.kind);
            self.error(ExprError::new(closure.body.span.clone(), message));
            return None;
        }
        let fits = shape.returns.contains(body.kind);
        if !fits {
            let why = format!("the closure must give {}, it may give {}", shape.returns, body.kind);
            self.risk(&closure.body.span, why);
        }
        let fallible = body.fallible || !fits;
        Some((node::Closure { parameters: parameters.into(), body: body.node }, fallible))
    }

    fn closure_body(
        &mut self,
        shape: &ClosureShape,
        closure: &Closure,
        over: Over,
    ) -> (Vec<Option<usize>>, Typed) {
        let outer = self.scope.len();
        let mut parameters = Vec::new();
        for ((name, _), takes) in closure.parameters.iter().zip(shape.takes) {
            if name == "_" {
                parameters.push(None);
                continue;
            }
            let slot = self.slots;
            self.slots += 1;
            self.scope.push((name.clone(), slot));
            let kind = match takes {
                ClosureTakes::Value => over.inside,
                ClosureTakes::Key if over.kind == Kind::OBJECT => Kind::STRING,
                ClosureTakes::Key if over.kind == Kind::ARRAY => Kind::INTEGER,
                ClosureTakes::Key => Kind::STRING | Kind::INTEGER,
                ClosureTakes::Name => Kind::STRING,
                ClosureTakes::Match => Kind::OBJECT,
            };
            let place = Place { slot: Some(slot), steps: Vec::new() };
            self.state.set(&place, kind);
            if *takes == ClosureTakes::Match {
                self.state.set_member(&place, "string", Kind::STRING);
                self.state.set_member(&place, "captures", Kind::ARRAY);
            }
            parameters.push(Some(slot));
        }
        let body = self.expr(&closure.body);
        self.scope.truncate(outer);
        (parameters, body)
    }
}

/// What the first target of `ok, error =` becomes where the value fails.
fn default_of(kind: Kind) -> Constant {
    match kind {
        Kind::BOOLEAN => Constant::Boolean(false),
        Kind::INTEGER => Constant::Integer(0),
        Kind::FLOAT => Constant::Float(0.0),
        Kind::STRING => Constant::String(Box::default()),
        Kind::TIMESTAMP => Constant::Timestamp(0),
        Kind::ARRAY => Constant::Array(Box::default()),
        Kind::OBJECT => Constant::Object(Box::default()),
        _ => Constant::Null,
    }
}

impl State {
    /// Whether the same is known, in whatever order.
    fn same(&self, other: &Self) -> bool {
        let covers = |a: &Self, b: &Self| a.entries().all(|entry| b.entries().any(|e| e == entry));
        covers(self, other) && covers(other, self)
    }
}
