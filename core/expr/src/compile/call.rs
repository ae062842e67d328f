//! Calls: which function, which argument is for which parameter, and whether the types fit.

use super::{Compiler, Typed};
use crate::ast::{Argument, Call, Expr};
use crate::error::{ExprError, Span, closest};
use crate::functions::{self, Accepts, Function};
use crate::kind::Kind;
use crate::node::Node;

impl Compiler {
    pub(super) fn call(&mut self, call: &Call, span: &Span) -> Typed {
        let Some(function) = functions::find(&call.name) else {
            for argument in &call.arguments {
                self.expr(&argument.value);
            }
            let message = format!("unknown function `{}`", call.name);
            let error = ExprError::new(call.name_span.clone(), message);
            let names = functions::functions().map(|function| function.name);
            return self.error(match closest(&call.name, names) {
                Some(name) => error.help(format!("did you mean `{name}`?")),
                None => error,
            });
        };
        let errors = self.errors.len();
        let mut nodes: Vec<Option<Node>> = function.parameters.iter().map(|_| None).collect();
        let (mut fallible, mut constant) = (function.fallible, true);
        for (position, argument) in call.arguments.iter().enumerate() {
            let Some(index) = self.parameter(function, call, position, argument) else { continue };
            if nodes.get(index).is_some_and(Option::is_some) {
                let message = format!("`{}` is given twice", function.parameters[index].name);
                self.error(ExprError::new(argument.value.span.clone(), message));
                continue;
            }
            let typed = self.argument(function, index, &argument.value);
            fallible |= typed.fallible;
            constant &= typed.is_constant();
            nodes[index] = Some(typed.node);
        }
        for (parameter, node) in function.parameters.iter().zip(&nodes) {
            if parameter.required && node.is_none() && self.errors.len() == errors {
                let message = format!("`{}` needs `{}`", function.name, parameter.name);
                let error = ExprError::new(span.clone(), message);
                self.error(error.help(format!("write `{}`", function.signature())));
            }
        }
        if self.errors.len() > errors {
            return Typed { kind: function.returns, ..Typed::unknown() };
        }
        let node = specialise(function, nodes);
        self.fold(Typed::new(node, function.returns, fallible), constant, span)
    }

    /// Which parameter an argument is for.
    fn parameter(
        &mut self,
        function: &'static Function,
        call: &Call,
        position: usize,
        argument: &Argument,
    ) -> Option<usize> {
        let parameters = function.parameters;
        let Some((name, span)) = &argument.name else {
            let named = |argument: &Argument| argument.name.is_some();
            let before = call.arguments[..position].iter().filter(|before| named(before)).count();
            let index = position - before;
            if index < parameters.len() {
                return Some(index);
            }
            let message =
                format!("`{}` takes at most {} arguments", function.name, parameters.len());
            let error = ExprError::new(argument.value.span.clone(), message);
            self.error(error.help(format!("write `{}`", function.signature())));
            return None;
        };
        let index = parameters.iter().position(|parameter| parameter.name == name);
        if index.is_none() {
            let message = format!("`{}` has no parameter `{name}`", function.name);
            let error = ExprError::new(span.clone(), message);
            let names = parameters.iter().map(|parameter| parameter.name);
            self.error(match closest(name, names) {
                Some(name) => error.help(format!("did you mean `{name}`?")),
                None => error.help(format!("write `{}`", function.signature())),
            });
        }
        index
    }

    fn argument(&mut self, function: &'static Function, index: usize, expr: &Expr) -> Typed {
        let parameter = &function.parameters[index];
        let typed = self.expr(expr);
        let accepted = match parameter.accepts {
            Accepts::Path => {
                let path = matches!(typed.node, Node::Path(_) | Node::Event);
                if !path {
                    let message = format!("`{}` takes a path", function.name);
                    let error = ExprError::new(expr.span.clone(), message);
                    return self.error(error.help("write a path such as `.user.id`"));
                }
                return typed;
            }
            Accepts::Value(kind) => kind,
        };
        if typed.kind.intersects(accepted) {
            let fallible = typed.fallible || !accepted.contains(typed.kind);
            return Typed { fallible, ..typed };
        }
        let message = format!(
            "`{}` expects {accepted} as `{}`, this is {}",
            function.name, parameter.name, typed.kind
        );
        let error = ExprError::new(expr.span.clone(), message);
        self.error(match (accepted, typed.kind) {
            (Kind::REGEX, Kind::STRING) => error.help("write the pattern as r'...'"),
            (Kind::STRING, Kind::REGEX) => {
                error.help("write text as \"...\"; a pattern is for `match`")
            }
            (Kind::STRING, _) => error.help("turn it into text with `to_string`"),
            _ => error,
        })
    }
}

/// A call of a path and constants as a check, where the function offers one.
fn specialise(function: &'static Function, mut nodes: Vec<Option<Node>>) -> Node {
    let check = match (nodes.first(), function.check) {
        (Some(Some(Node::Path(_))), Some(specialise)) => specialise(function, &nodes),
        _ => None,
    };
    match (check, nodes.first_mut().and_then(Option::take)) {
        (Some(check), Some(Node::Path(path))) => Node::Check(path, check),
        (_, first) => {
            if let Some(slot) = nodes.first_mut() {
                *slot = first;
            }
            Node::Call(function, nodes.into())
        }
    }
}
