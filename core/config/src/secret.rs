//! What must not be shown: secrets in the text of files and in messages, values of variables in messages.

use std::ops::Range;

use crate::diagnostic::SourceFile;
use crate::document::{Node, Table, Value};

/// What stands for a secret.
const MASK: &str = "***";

/// Variables shorter than this are not looked for in messages: they would match anything.
const VALUE_BYTES_MIN: usize = 4;

/// Marks what looks like a secret in the options of a component whose type is not known.
pub(crate) fn guess(table: &mut Table) {
    for entry in &mut table.entries {
        entry.node.secret |= sounds_secret(&entry.key);
        if let Value::Table(table) = &mut entry.node.value {
            guess(table);
        }
    }
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["password", "passwd", "secret", "token", "api_key", "apikey", "private_key"]
        .iter()
        .any(|word| key.contains(word))
}

/// The values below a table that messages must not repeat.
pub(crate) fn values(table: &Table) -> Vec<String> {
    fn collect(node: &Node, values: &mut Vec<String>) {
        match &node.value {
            Value::String(text) => {
                if node.secret && !text.value.is_empty() {
                    values.push(text.value.clone());
                }
                let variables = text.replaced.iter().flat_map(|replaced| &replaced.values);
                values.extend(variables.filter(|value| value.len() >= VALUE_BYTES_MIN).cloned());
            }
            Value::Array(nodes) => nodes.iter().for_each(|node| collect(node, values)),
            Value::Table(table) => {
                table.entries.iter().for_each(|entry| collect(&entry.node, values));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    table.entries.iter().for_each(|entry| collect(&entry.node, &mut found));
    // The longest first: one may be part of another.
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    found
}

/// A message without the values.
pub(crate) fn scrub(message: &str, values: &[String]) -> String {
    values.iter().fold(message.to_owned(), |message, value| message.replace(value.as_str(), MASK))
}

/// Collects where secrets stand in the files, and the names of their options.
#[derive(Default)]
pub(crate) struct Places {
    spans: Vec<(usize, Range<usize>)>,
    names: Vec<String>,
}

impl Places {
    /// Adds the secrets of a component.
    pub fn add(&mut self, table: &Table) {
        for entry in &table.entries {
            if entry.node.secret && !self.names.contains(&entry.key) {
                self.names.push(entry.key.clone());
            }
            self.add_node(&entry.node);
        }
    }

    fn add_node(&mut self, node: &Node) {
        match &node.value {
            Value::Table(table) => self.add(table),
            Value::Array(nodes) => nodes.iter().for_each(|node| self.add_node(node)),
            _ if node.secret => {
                self.spans.push((node.span.file, node.span.start..node.span.end));
            }
            _ => {}
        }
    }

    /// The files with every secret overwritten, byte for byte, so that positions stay what they are.
    pub fn mask(&self, files: &[SourceFile]) -> Vec<SourceFile> {
        let masked = files.iter().enumerate().map(|(index, file)| {
            let mut bytes = file.text.clone().into_bytes();
            let spans = self.spans.iter().filter(|(file, _)| *file == index);
            for range in spans.map(|(_, range)| range.clone()).chain(self.lines(&file.text)) {
                overwrite(&mut bytes, &file.text, range);
            }
            let text = String::from_utf8(bytes).unwrap_or_default();
            SourceFile { name: file.name.clone(), text }
        });
        masked.collect()
    }

    /// The values of lines whose key is that of a secret: a parser that met a mistake may have dropped them.
    fn lines<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let mut at = 0;
        text.split_inclusive('\n').filter_map(move |line| {
            let start = at;
            at += line.len();
            let (key, value) = line.split_once('=')?;
            let key = key.rsplit('.').next()?.trim().trim_matches(['"', '\'']);
            if !self.names.iter().any(|name| name == key) && !sounds_secret(key) {
                return None;
            }
            let from = start + key_len(line, value);
            Some(from..from + value.trim().len())
        })
    }
}

/// The bytes of a line before its value.
fn key_len(line: &str, value: &str) -> usize {
    line.len() - value.len() + (value.len() - value.trim_start().len())
}

/// Overwrites a value, except for its quotes, line ends, and a variable without a default.
fn overwrite(bytes: &mut [u8], text: &str, range: Range<usize>) {
    let Some(value) = text.get(range.clone()) else { return };
    let inner = value.trim_matches(['"', '\'']);
    let variable = inner.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    if variable.is_some_and(|name| !name.contains([':', '$'])) {
        return;
    }
    let start = range.start + value.find(inner).unwrap_or(0);
    for byte in &mut bytes[start..start + inner.len()] {
        if !matches!(*byte, b'\n' | b'\r') {
            *byte = b'*';
        }
    }
}
