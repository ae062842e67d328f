//! Several files and the flags as one topology: its components as they were declared, and the rest.

use std::collections::HashMap;

use lograil_plugin::Kind;

use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, Span, Table, Value};

pub(crate) const KINDS: [Kind; 3] = [Kind::Source, Kind::Transform, Kind::Sink];

/// What the files say.
pub(crate) struct Topology {
    pub components: Vec<Declared>,
    /// The top level without the tables of components.
    pub global: Table,
}

/// A component as it was declared.
pub(crate) struct Declared {
    pub kind: Kind,
    pub id: String,
    pub id_span: Span,
    /// Its whole table, `type` and `inputs` included.
    pub table: Table,
}

impl Declared {
    /// ``source `app` ``, as diagnostics name it.
    pub fn name(&self) -> String {
        format!("{} `{}`", self.kind.name(), self.id)
    }
}

/// Adds the tables of a file to those of the files before it.
pub(crate) fn merge(base: &mut Table, file: Table, diagnostics: &mut Vec<Diagnostic>) {
    for entry in file.entries {
        let Some(existing) = base.get_mut(&entry.key) else {
            base.entries.push(entry);
            continue;
        };
        match (&mut existing.node.value, entry.node.value) {
            (Value::Table(base), Value::Table(table)) => {
                merge_table(&entry.key, base, table, diagnostics);
            }
            (Value::Array(base), Value::Array(cases)) if entry.key == "tests" => {
                base.extend(cases);
            }
            (_, value) => {
                let node = Node::new(entry.node.span, value);
                let again = Entry { key: entry.key, key_span: entry.key_span, node };
                diagnostics.push(given_twice(&again.key, existing.key_span, again.key_span));
            }
        }
    }
}

fn merge_table(name: &str, base: &mut Table, table: Table, diagnostics: &mut Vec<Diagnostic>) {
    for entry in table.entries {
        match base.get(&entry.key) {
            None => base.entries.push(entry),
            Some(first) if KINDS.iter().any(|kind| kind.table() == name) => {
                diagnostics.push(same_id(&entry.key, first.key_span, entry.key_span));
            }
            Some(first) => {
                let path = format!("{name}.{}", entry.key);
                diagnostics.push(given_twice(&path, first.key_span, entry.key_span));
            }
        }
    }
}

fn given_twice(name: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error("duplicate", format!("`{name}` is given twice"))
        .at(again, "given again here")
        .at(first, "first given here")
}

fn same_id(id: &str, first: Span, again: Span) -> Diagnostic {
    Diagnostic::error("duplicate", format!("two components have the id `{id}`"))
        .at(again, "used again here")
        .at(first, "first used here")
        .help("ids are unique in the whole topology, whatever the kind and the file")
}

/// Takes the merged document apart.
pub(crate) fn split(mut root: Table, diagnostics: &mut Vec<Diagnostic>) -> Topology {
    let mut components: Vec<Declared> = Vec::new();
    for kind in KINDS {
        let Some(entry) = root.take(kind.table()) else { continue };
        match entry.node.value {
            Value::Table(table) => {
                let declared = table.entries.into_iter();
                components.extend(declared.filter_map(|entry| component(kind, entry, diagnostics)));
            }
            _ => diagnostics.push(not_a_table(kind, "ID", &entry)),
        }
    }
    let mut first: HashMap<&str, Span> = HashMap::new();
    let mut repeated = Vec::new();
    for (index, component) in components.iter().enumerate() {
        match first.get(component.id.as_str()) {
            Some(span) => {
                diagnostics.push(same_id(&component.id, *span, component.id_span));
                repeated.push(index);
            }
            None => {
                first.insert(&component.id, component.id_span);
            }
        }
    }
    for index in repeated.into_iter().rev() {
        components.remove(index);
    }
    Topology { components, global: root }
}

fn component(kind: Kind, entry: Entry, diagnostics: &mut Vec<Diagnostic>) -> Option<Declared> {
    if !is_id(&entry.key) {
        let message = format!("`{}` cannot be the id of a {}", entry.key, kind.name());
        diagnostics.push(
            Diagnostic::error("id", message)
                .at(entry.key_span, "not an id")
                .help("an id is made of letters, digits, `_` and `-`, and begins with a letter"),
        );
    }
    match entry.node.value {
        Value::Table(table) => {
            Some(Declared { kind, id: entry.key, id_span: entry.key_span, table })
        }
        Value::Invalid => None,
        _ => {
            diagnostics.push(not_a_table(kind, &entry.key.clone(), &entry));
            None
        }
    }
}

fn is_id(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn not_a_table(kind: Kind, id: &str, entry: &Entry) -> Diagnostic {
    let found = entry.node.type_name();
    Diagnostic::error("wrong-type", format!("`{}` must be a table, found {found}", entry.key))
        .at(entry.key_span, "expected table")
        .help(format!("a {} is written as `[{}.{id}]`", kind.name(), kind.table()))
}
