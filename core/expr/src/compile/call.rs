//! Calls: which function, which argument is for which parameter, and whether the types fit.

use bumpalo::Bump;

use super::statements::Over;
use super::{Compiler, Mode, Typed, nothing};
use crate::ast::{Argument, Call, Expr, ExprKind, Literal};
use crate::check::Check;
use crate::constant::Constant;
use crate::context::{Context, Target};
use crate::error::{ExprError, Span, closest};
use crate::functions::{self, Accepts, Arguments, Function, Inside, absent};
use crate::kind::Kind;
use crate::nested::Leave;
use crate::node::Node;
use crate::pattern::named_groups;

/// Functions that VRL once had, and what to write for them.
const RENAMED: [(&str, &str); 4] = [
    (
        "to_timestamp",
        "write `parse_timestamp(.a, \"%+\")` for text, `from_unix_timestamp(.a)` for a number",
    ),
    ("only_fields", "write `. = {\"a\": .a, \"b\": .b}`"),
    ("ip_to_int", "write `ip_aton(.a)`"),
    ("sha256", "write `sha2(.a, variant: \"SHA-256\")`"),
];

/// The arguments of a call.
struct Given {
    /// By the position of their parameter.
    nodes: Vec<Option<Node>>,
    spans: Vec<Span>,
    /// What is known of the first.
    over: Over,
    fallible: bool,
    constant: bool,
}

impl Compiler {
    pub(super) fn call(&mut self, call: &Call, span: &Span) -> Typed {
        let Some(function) = functions::find(&call.name) else {
            return self.unknown_function(call);
        };
        if function.parameters.first().is_some_and(|first| first.accepts == Accepts::Path) {
            return self.path_call(function, call, span);
        }
        let (errors, risks) = (self.errors.len(), self.risks.len());
        let Some(given) = self.arguments(function, call, span) else {
            return Typed { kind: function.returns, ..Typed::unknown() };
        };
        let Given { mut nodes, spans, over, mut fallible, constant } = given;
        let settled = function.settled && self.is_settled(function, &mut nodes, span);
        if self.errors.len() > errors {
            return Typed { kind: function.returns, ..Typed::unknown() };
        }
        if function.fallible && !settled {
            fallible = true;
            self.risk(&call.name_span, format!("`{}` can fail", function.name));
        }
        let nodes = match functions::with_grok(function, nodes) {
            Ok(nodes) => nodes,
            Err((index, problem)) => {
                let span = spans[index].clone();
                return self.error(ExprError { span, ..problem });
            }
        };
        if let Some((index, problem)) = functions::shadowing_group(function, &nodes) {
            return self.error(ExprError { span: spans[index].clone(), ..problem });
        }
        let kind =
            if function.same_kind { function.returns.and(over.kind) } else { function.returns };
        let (members, items) = inside_of(function, &nodes);
        let (node, closure_fallible) = match self.with_closure(function, call, nodes, over) {
            Some(made) => made,
            None => return Typed { kind, ..Typed::unknown() },
        };
        fallible |= closure_fallible;
        let constant = constant && function.closure.is_none() && !function.effect;
        let typed = Typed { members, items, ..Typed::new(node, kind, fallible) };
        let ends = call.bang && fallible && self.mode == Mode::Change;
        let typed = self.banged(call, typed, risks);
        self.fold(typed, constant && !ends, span)
    }

    fn unknown_function(&mut self, call: &Call) -> Typed {
        for argument in &call.arguments {
            self.expr(&argument.value);
        }
        let message = format!("unknown function `{}`", call.name);
        let error = ExprError::new(call.name_span.clone(), message);
        if let Some((_, help)) = RENAMED.iter().find(|(name, _)| *name == call.name) {
            return self.error(error.help(*help));
        }
        if let Some(help) = absent::instead_of(&call.name) {
            return self.error(error.help(help));
        }
        let names = functions::functions().map(|function| function.name);
        self.error(match closest(&call.name, names) {
            Some(name) => error.help(format!("did you mean `{name}`?")),
            None => error,
        })
    }

    /// The arguments by the parameters they are for; nothing, if one is wrong or missing.
    fn arguments(
        &mut self,
        function: &'static Function,
        call: &Call,
        span: &Span,
    ) -> Option<Given> {
        let errors = self.errors.len();
        let over = Over { kind: Kind::ANY, inside: Kind::ANY | Kind::REGEX };
        let nodes: Vec<Option<Node>> = function.parameters.iter().map(|_| None).collect();
        let spans = vec![span.clone(); nodes.len()];
        let mut given = Given { nodes, spans, over, fallible: false, constant: true };
        for (position, argument) in call.arguments.iter().enumerate() {
            let Some(index) = self.parameter(function, call, position, argument) else { continue };
            if given.nodes.get(index).is_some_and(Option::is_some) {
                let message = format!("`{}` is given twice", function.parameters[index].name);
                self.error(ExprError::new(argument.value.span.clone(), message));
                continue;
            }
            let typed = self.argument(function, index, &argument.value);
            given.fallible |= typed.fallible;
            given.constant &= typed.is_constant();
            if index == 0 {
                given.over.kind = typed.kind;
                given.over.inside = typed.items.unwrap_or(given.over.inside);
            }
            given.nodes[index] = Some(typed.node);
            given.spans[index] = argument.value.span.clone();
        }
        for (parameter, node) in function.parameters.iter().zip(&given.nodes) {
            if parameter.required && node.is_none() && self.errors.len() == errors {
                let message = format!("`{}` needs `{}`", function.name, parameter.name);
                let error = ExprError::new(span.clone(), message);
                self.error(error.help(format!("write `{}`", function.signature())));
            }
        }
        (self.errors.len() == errors).then_some(given)
    }

    /// Whether what follows the first argument is written out and right: then the call cannot fail.
    fn is_settled(
        &mut self,
        function: &'static Function,
        nodes: &mut [Option<Node>],
        span: &Span,
    ) -> bool {
        let Some((first, rest)) = nodes.split_first_mut() else { return false };
        if !rest.iter().flatten().all(|node| matches!(node, Node::Constant(_))) {
            return false;
        }
        // Tried out on an empty text.
        let trial = Node::Constant(Constant::String(Box::default()));
        let asked = first.replace(trial);
        let bump = Bump::new();
        let context = Context::new(nothing().event(0), &[], &[], &bump, 0);
        let arguments = Arguments::new(function, nodes, None, &context);
        let failure = function.call(&arguments).err();
        if let Some(first) = nodes.first_mut() {
            *first = asked;
        }
        if let Some(error) = &failure {
            self.errors.push(ExprError::new(span.clone(), format!("always fails: {error}")));
        }
        failure.is_none()
    }

    /// The call, or the call that ends the program where it fails.
    pub(super) fn banged(&mut self, call: &Call, typed: Typed, risks: usize) -> Typed {
        if !call.bang || self.mode == Mode::Look {
            return typed;
        }
        self.risks.truncate(risks);
        if !typed.fallible {
            let warning =
                ExprError::new(call.name_span.clone(), "this cannot fail, the `!` is idle");
            self.warnings.push(warning);
            return typed;
        }
        Typed { node: Node::Bang(Box::new(typed.node)), fallible: false, ..typed }
    }

    fn with_closure(
        &mut self,
        function: &'static Function,
        call: &Call,
        nodes: Vec<Option<Node>>,
        over: Over,
    ) -> Option<(Node, bool)> {
        match (&function.closure, &call.closure) {
            (None, None) => Some((specialise(function, nodes), false)),
            (Some(shape), Some(closure)) => {
                let (closure, fallible) = self.closure(shape, closure, over)?;
                Some((Node::Closure(function, nodes.into(), Box::new(closure)), fallible))
            }
            (Some(shape), None) => {
                let message = format!("`{}` needs a closure", function.name);
                self.error(ExprError::new(call.name_span.clone(), message).help(shape.example));
                None
            }
            (None, Some(closure)) => {
                let message = format!("`{}` takes no closure", function.name);
                self.error(ExprError::new(closure.span.clone(), message));
                None
            }
        }
    }

    /// A call of a function that takes a path, not a value: `exists`, `del`, `unnest`.
    fn path_call(&mut self, function: &'static Function, call: &Call, span: &Span) -> Typed {
        let (mut path, mut leave) = (None, Leave::All);
        for (position, argument) in call.arguments.iter().enumerate() {
            match self.parameter(function, call, position, argument) {
                Some(0) => path = Some(&argument.value),
                Some(_) => leave = self.leave(&argument.value),
                None => return Typed::unknown(),
            }
        }
        let Some(expr) = path else {
            let message = format!("`{}` takes a path", function.name);
            let error = ExprError::new(span.clone(), message);
            return self.error(error.help(format!("write `{}`", function.signature())));
        };
        let is_path = match &expr.kind {
            ExprKind::Path(_) | ExprKind::Variable(_) => true,
            ExprKind::Query(inner, _) => matches!(inner.kind, ExprKind::Variable(_)),
            _ => false,
        };
        if !is_path {
            if !matches!(expr.kind, ExprKind::Error) {
                let message = format!("`{}` takes a path", function.name);
                let error = ExprError::new(expr.span.clone(), message);
                return self.error(error.help("write a path such as `.user.id`"));
            }
            return Typed::unknown();
        }
        match function.name {
            "del" => return self.delete(expr, leave, span),
            "unnest" => return self.unnest(call, expr),
            _ => {}
        }
        match self.target(expr, false) {
            Some((Target::Path(path), _)) => {
                Typed::new(Node::Check(path, Check::Exists), Kind::BOOLEAN, false)
            }
            Some((target, _)) => Typed::new(Node::Exists(target), Kind::BOOLEAN, false),
            None => Typed::unknown(),
        }
    }

    /// `compact` of `del`, which must be written out.
    fn leave(&mut self, expr: &Expr) -> Leave {
        match expr.kind {
            ExprKind::Literal(Literal::Boolean(true)) => Leave::Full,
            ExprKind::Literal(Literal::Boolean(false)) => Leave::All,
            _ => {
                let error = ExprError::new(expr.span.clone(), "`compact` is `true` or `false`");
                self.error(error.help("for one or the other write `if`"));
                Leave::All
            }
        }
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
            Accepts::Path => return typed,
            Accepts::Pattern => Kind::STRING,
            Accepts::Patterns => Kind::ARRAY,
            Accepts::Value(kind) => kind,
        };
        if typed.kind.intersects(accepted) {
            // A function that can fail anyway is one risk, not two.
            let once = function.fallible && !function.settled;
            if !accepted.contains(typed.kind) && !once {
                let (name, kind) = (parameter.name, typed.kind);
                let why = format!(
                    "`{}` expects {accepted} as `{name}`, this may be {kind}",
                    function.name
                );
                self.risk(&expr.span, why);
            }
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

/// What is known of the members or items of what a function returns.
fn inside_of(function: &Function, nodes: &[Option<Node>]) -> (Vec<(String, Kind)>, Option<Kind>) {
    match (function.inside, nodes.get(1)) {
        (Inside::Members(members), _) => {
            (members.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(), None)
        }
        (Inside::Items(kind), _) => (Vec::new(), Some(kind)),
        (Inside::Groups, Some(Some(Node::Constant(Constant::Regex(regex))))) => {
            let kind = |sure| if sure { Kind::STRING } else { Kind::STRING | Kind::NULL };
            let groups = named_groups(regex).into_iter();
            (groups.map(|(name, sure)| (name, kind(sure))).collect(), None)
        }
        _ => (Vec::new(), None),
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
