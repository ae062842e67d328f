//! Values from the command line: `--set sources.x.rate=5`.

use toml::de::DeTable;

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::document::{self, Entry, Node, Notation, Span, Table, Text, Value};

/// What diagnostics call the file that stands for the flags.
pub(crate) const FILE_NAME: &str = "--set";

/// The flags as a file, one to a line, with the start of each.
pub(crate) fn file(sets: &[String]) -> SourceFile {
    SourceFile { name: FILE_NAME.to_owned(), text: sets.join("\n") }
}

/// Reads the flags, each as a document of one key.
pub(crate) fn parse(file: usize, sets: &[String], diagnostics: &mut Vec<Diagnostic>) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut offset = 0;
    for set in sets {
        if let Some(table) = parse_one(file, offset, set, diagnostics) {
            tables.push(table);
        }
        offset += set.len() + 1;
    }
    tables
}

fn parse_one(
    file: usize,
    offset: usize,
    set: &str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Table> {
    if let Ok(table) = DeTable::parse(set)
        && !table.get_ref().is_empty()
    {
        return Some(document::convert(file, offset, table.get_ref(), diagnostics));
    }
    // Not TOML as a whole: the value is a string without quotes. The key is still TOML's.
    let parts = set.split_once('=').filter(|(key, _)| !key.trim().is_empty());
    let parsed = parts.and_then(|(key, value)| {
        let document = format!("{key}=0");
        let table = DeTable::parse(&document).ok()?;
        let mut table = document::convert(file, offset, table.get_ref(), diagnostics);
        let start = offset + key.len() + 1;
        replace_leaf(&mut table, value, Span { file, start, end: start + value.len() });
        Some(table)
    });
    if parsed.is_none() {
        let help = "write `--set sources.ID.OPTION=VALUE`";
        let diagnostic = Diagnostic::error("set", "a `--set` names no option");
        let end = offset + set.len();
        diagnostics.push(diagnostic.label(file, offset..end, "not a key and a value").help(help));
    }
    parsed
}

fn replace_leaf(table: &mut Table, value: &str, span: Span) {
    for entry in &mut table.entries {
        if let Value::Table(inner) = &mut entry.node.value {
            replace_leaf(inner, value, span);
        } else {
            let value = value.to_owned();
            let text = Text { value, notation: Notation::Plain, replaced: None };
            entry.node = Node::new(span, Value::String(text));
        }
    }
}

/// Lays `over` over `base`: tables are merged, `name.0` reaches into a list, all else is replaced.
pub(crate) fn apply(base: &mut Table, over: Table) {
    for entry in over.entries {
        let Some(existing) = base.get_mut(&entry.key) else {
            base.entries.push(entry);
            continue;
        };
        apply_entry(&mut existing.node, entry);
    }
}

fn apply_entry(existing: &mut Node, entry: Entry) {
    match (&mut existing.value, entry.node.value) {
        (Value::Table(base), Value::Table(over)) => apply(base, over),
        (Value::Array(nodes), Value::Table(over)) if reaches_into(nodes, &over) => {
            for entry in over.entries {
                let at = entry.key.parse::<usize>().ok();
                if let Some(node) = at.and_then(|at| nodes.get_mut(at)) {
                    apply_entry(node, entry);
                }
            }
        }
        (_, value) => *existing = Node::new(entry.node.span, value),
    }
}

/// Whether all keys of a table are positions in a list.
fn reaches_into(nodes: &[Node], over: &Table) -> bool {
    over.entries.iter().all(|entry| entry.key.parse().is_ok_and(|at: usize| at < nodes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(set: &str) -> (Vec<Table>, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        (parse(0, &[set.to_owned()], &mut diagnostics), diagnostics)
    }

    #[test]
    fn a_value_is_toml_or_else_text() {
        let leaf = |set: &str| {
            let (tables, _) = parsed(set);
            let entry = tables[0].entries[0].clone();
            entry.node.descend(&["b".to_owned()]).value.clone()
        };
        assert!(matches!(leaf("a.b=5"), Value::Integer(5)));
        assert!(matches!(leaf("a.b=[1, 2]"), Value::Array(nodes) if nodes.len() == 2));
        assert!(matches!(leaf("a.b=\"5\""), Value::String(text) if text.value == "5"));
        assert!(
            matches!(leaf("a.b=/var/log/*.log"), Value::String(text) if text.value == "/var/log/*.log")
        );
        assert!(matches!(leaf("a.b="), Value::String(text) if text.value.is_empty()));
    }

    #[test]
    fn a_flag_without_a_key_is_a_mistake() {
        for set in ["", "abc", "=5", "a b=5", "..=5"] {
            let (tables, diagnostics) = parsed(set);
            assert!(tables.is_empty() && diagnostics.len() == 1, "{set}");
        }
    }
}
