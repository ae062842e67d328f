//! A component's options against its JSON Schema, as far as schemas of option types go, with the mistakes
//! placed in the file.
//!
//! **Invariant:** a value that a variable or a secret stands behind is never quoted, only what was written.

mod branch;
mod scalar;
mod shape;
mod table;
#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::document::{Node, Span, Table, Value};
use crate::suggest;

pub(crate) use shape::annotate;
pub(crate) use table::option_names;

/// Schemas may refer to themselves; deeper than this nobody nests options.
const DEPTH_MAX: usize = 64;

/// Checks the options of one component.
pub(crate) struct Validator<'a> {
    /// The whole schema, which references start from.
    pub root: &'a Json,
    /// Whose options they are: ``source `app` ``.
    pub owner: &'a str,
    /// Names that belong to the table but not to the schema, for suggestions.
    pub extra_names: &'a [&'a str],
}

/// A value's name and where to point when something is missing in it.
#[derive(Clone)]
pub(crate) struct Place {
    /// `encoding.codec`, `include[0]`; empty for the component itself.
    pub path: String,
    pub span: Span,
}

impl Place {
    fn option(&self, key: &str, span: Span) -> Self {
        let path =
            if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, span }
    }

    fn item(&self, at: usize, span: Span) -> Self {
        Self { path: format!("{}[{at}]", self.path), span }
    }
}

impl Validator<'_> {
    /// All mistakes in a component's options. `at` is where the component is named.
    pub fn check(&self, options: &Table, at: Span) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        let place = Place { path: String::new(), span: at };
        let node = Node::new(at, Value::Table(options.clone()));
        self.value(&node, self.root, &place, 0, &mut found);
        found
    }

    fn value(
        &self,
        node: &Node,
        schema: &Json,
        place: &Place,
        depth: usize,
        found: &mut Vec<Diagnostic>,
    ) {
        if depth > DEPTH_MAX || matches!(node.value, Value::Invalid) {
            return;
        }
        let depth = depth + 1;
        if let Some(target) = shape::target(self.root, schema) {
            self.value(node, target, place, depth, found);
        }
        for part in shape::list(schema, "allOf") {
            self.value(node, part, place, depth, found);
        }
        let before = found.len();
        for choice in ["oneOf", "anyOf"] {
            let branches = shape::list(schema, choice);
            if !branches.is_empty() {
                self.branches(node, branches, place, depth, found);
            }
        }
        if found.len() > before {
            return;
        }
        let types = shape::types(schema);
        if !types.is_empty() && !types.iter().any(|name| shape::accepts(name, node)) {
            found.push(self.wrong_type(node, &types, &[schema], place));
            return;
        }
        if let Some(allowed) = shape::values(schema) {
            self.one_of(node, &allowed, place, found);
            return;
        }
        match &node.value {
            Value::Integer(_) | Value::Float(_) => self.number(node, schema, place, found),
            Value::String(text) => self.string(node, text, schema, place, found),
            Value::Array(nodes) => self.array(node, nodes, schema, place, depth, found),
            Value::Table(table) => self.table(table, schema, place, depth, found),
            _ => {}
        }
    }

    fn array(
        &self,
        node: &Node,
        nodes: &[Node],
        schema: &Json,
        place: &Place,
        depth: usize,
        found: &mut Vec<Diagnostic>,
    ) {
        let least = schema.get("minItems").and_then(Json::as_u64).unwrap_or(0);
        let most = schema.get("maxItems").and_then(Json::as_u64).unwrap_or(u64::MAX);
        let len = nodes.len() as u64;
        if len < least {
            let text = format!("needs at least {least}, has {len}");
            found.push(self.mistake("too-few", place, "has too few values").at(node.span, text));
        } else if len > most {
            let text = format!("may have {most}, has {len}");
            found.push(self.mistake("too-many", place, "has too many values").at(node.span, text));
        }
        let first = shape::list(schema, "prefixItems");
        for (at, item) in nodes.iter().enumerate() {
            if let Some(schema) = first.get(at).or_else(|| schema.get("items")) {
                self.value(item, schema, &place.item(at, item.span), depth, found);
            }
        }
    }

    /// An error about the option at `place`: ``option `rate` of source `gen` is too small``.
    fn mistake(&self, code: &'static str, place: &Place, what: &str) -> Diagnostic {
        let message = if place.path.is_empty() {
            format!("{} {what}", self.owner)
        } else {
            format!("option `{}` of {} {what}", place.path, self.owner)
        };
        Diagnostic::error(code, message)
    }

    fn wrong_type(
        &self,
        node: &Node,
        types: &[&str],
        schemas: &[&Json],
        place: &Place,
    ) -> Diagnostic {
        let expected = shape::describe(types);
        let what = format!("is of the wrong type: expected {expected}, found {}", shown(node));
        let diagnostic = self.mistake("wrong-type", place, &what);
        let diagnostic = diagnostic.at(node.span, format!("expected {expected}"));
        let schemas = shape::expand(self.root, schemas);
        let allowed = schemas.iter().filter_map(|schema| shape::values(schema)).flatten();
        let allowed: Vec<&str> = allowed.filter_map(Json::as_str).collect();
        let description = schemas.first().and_then(|schema| shape::description(schema));
        match (allowed.is_empty(), description) {
            (false, _) => diagnostic.help(format!("allowed: {}", suggest::list(allowed))),
            (true, Some(help)) => diagnostic.help(help),
            (true, None) => diagnostic,
        }
    }
}

/// A value as diagnostics may show it, with its type: `string "abc"`.
pub(crate) fn shown(node: &Node) -> String {
    let kind = node.type_name();
    match quoted(node) {
        Some(value) => format!("{kind} {value}"),
        None => kind.to_owned(),
    }
}

/// A scalar as diagnostics may show it; variables as they were written, secrets not at all.
pub(crate) fn quoted(node: &Node) -> Option<String> {
    const CHARS_MAX: usize = 60;
    if node.secret {
        return None;
    }
    match &node.value {
        Value::String(text) => {
            let written = text.replaced.as_ref().map_or(&text.value, |replaced| &replaced.written);
            let short: String = written.chars().take(CHARS_MAX).collect();
            let more = if short.len() < written.len() { "..." } else { "" };
            Some(format!("{:?}", short + more))
        }
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(boolean) => Some(boolean.to_string()),
        Value::Datetime(datetime) => Some(datetime.clone()),
        Value::Array(_) | Value::Table(_) | Value::Invalid => None,
    }
}
