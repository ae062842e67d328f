//! A TOML document as a tree in which every key and value knows where it was written.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::interpolate::Replaced;

/// Bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
    /// Must not be shown; known once the schema has been laid over the tree.
    pub secret: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    String(Text),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
    /// A mistake that was reported already, so that nothing more is said about it.
    Invalid,
}

/// A string.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    pub value: String,
    pub notation: Notation,
    /// What it was before variables were replaced, if any were.
    pub replaced: Option<Replaced>,
}

/// How the bytes of a string stand in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    /// As a TOML string in quotes.
    Quoted,
    /// As they are (`--set a.b=text`).
    Plain,
    /// As they are, and they are the whole file.
    File,
}

/// Keys and values in the order of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.key == key)
    }

    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }
}

impl Node {
    pub const fn new(span: Span, value: Value) -> Self {
        Self { span, value, secret: false }
    }

    /// The value inside, down option names and list positions; as far as there is one.
    pub fn descend(&self, path: &[String]) -> &Self {
        let Some((first, rest)) = path.split_first() else { return self };
        let inner = match &self.value {
            Value::Table(table) => table.get(first).map(|entry| &entry.node),
            Value::Array(nodes) => first.parse().ok().and_then(|at: usize| nodes.get(at)),
            _ => None,
        };
        inner.map_or(self, |node| node.descend(rest))
    }

    pub fn as_text(&self) -> Option<&Text> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// What TOML calls this kind of value.
    pub fn type_name(&self) -> &'static str {
        match &self.value {
            Value::String(_) => "string",
            Value::Integer(_) => "integer",
            Value::Float(_) => "float",
            Value::Boolean(_) => "boolean",
            Value::Datetime(_) => "datetime",
            Value::Array(_) => "array",
            Value::Table(_) => "table",
            Value::Invalid => "mistake",
        }
    }
}

/// Reads a file; mistakes of syntax are added to `diagnostics`, and the rest of the file is still read.
pub(crate) fn parse(file: usize, source: &SourceFile, diagnostics: &mut Vec<Diagnostic>) -> Table {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    for error in errors {
        let span = error.span().unwrap_or(source.text.len()..source.text.len());
        let message = error.message();
        diagnostics.push(if message == "duplicate key" {
            duplicate_key(file, &source.text, span)
        } else {
            let written = source.text.get(span.clone()).unwrap_or_default();
            let (message, label) = in_our_words(message, written);
            Diagnostic::error("syntax", message).label(file, span, label)
        });
    }
    Reader { file, offset: 0, diagnostics }.table(root.get_ref())
}

/// What is wrong and what was expected, where the parser's words would lead astray.
fn in_our_words<'a>(message: &'a str, written: &str) -> (&'a str, &'a str) {
    let (message, label) = message.split_once(", ").unwrap_or((message, ""));
    match (message, label) {
        ("string values must be quoted", _) if written.trim().is_empty() => {
            ("a value is missing", "expected a value")
        }
        (_, "expected literal string") => (message, "expected a string in quotes"),
        ("invalid basic string", "expected `\"`") | ("invalid literal string", "expected `'`") => {
            ("a string is not closed", label)
        }
        _ => (message, label),
    }
}

/// Turns a tree of the TOML parser into ours. `offset` is where the parsed text starts in its file.
pub(crate) fn convert(
    file: usize,
    offset: usize,
    table: &DeTable<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Table {
    Reader { file, offset, diagnostics }.table(table)
}

struct Reader<'a> {
    file: usize,
    offset: usize,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn span(&self, range: std::ops::Range<usize>) -> Span {
        let Self { file, offset, .. } = *self;
        Span { file, start: offset + range.start, end: offset + range.end }
    }

    fn table(&mut self, table: &DeTable<'_>) -> Table {
        let mut entries: Vec<Entry> = table
            .iter()
            .map(|(key, value)| Entry {
                key: key.get_ref().to_string(),
                key_span: self.span(key.span()),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.key_span.start);
        Table { entries }
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let span = self.span(value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => Value::String(Text {
                value: text.to_string(),
                notation: Notation::Quoted,
                replaced: None,
            }),
            DeValue::Integer(integer) => {
                match i128::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number)
                        if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&number) =>
                    {
                        Value::Integer(number)
                    }
                    _ => self.invalid(span, "integer out of range", "does not fit 64 bits"),
                }
            }
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                _ => self.invalid(span, "a number must be finite", "not a finite number"),
            },
            DeValue::Boolean(boolean) => Value::Boolean(*boolean),
            DeValue::Datetime(datetime) => Value::Datetime(datetime.to_string()),
            DeValue::Array(values) => {
                Value::Array(values.iter().map(|value| self.node(value)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node::new(span, value)
    }

    fn invalid(&mut self, span: Span, message: &str, text: &str) -> Value {
        self.diagnostics.push(Diagnostic::error("number", message).at(span, text));
        Value::Invalid
    }
}

/// A key given twice in one file. The parser says where the second is; the first is looked for above it.
fn duplicate_key(file: usize, text: &str, span: std::ops::Range<usize>) -> Diagnostic {
    let key = text.get(span.clone()).unwrap_or_default();
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let second = &text[line_start..];
    let second = second.lines().next().unwrap_or_default().trim();
    let is_header = second.starts_with('[');
    let mut first = None;
    let mut at = 0;
    for line in text[..line_start].split_inclusive('\n') {
        let trimmed = line.trim();
        if is_header
            && trimmed.split('#').next().map(str::trim) == second.split('#').next().map(str::trim)
        {
            first = line.find(key).map(|inside| at + inside);
        } else if !is_header && trimmed.starts_with('[') {
            first = None;
        } else if !is_header
            && let Some(rest) = trimmed.strip_prefix(key)
            && rest.trim_start().starts_with(['=', '.'])
        {
            first = line.find(key).map(|inside| at + inside);
        }
        at += line.len();
    }
    let diagnostic = Diagnostic::error("duplicate", format!("`{key}` is given twice")).label(
        file,
        span,
        "given again here",
    );
    match first {
        Some(first) => diagnostic.label(file, first..first + key.len(), "first given here"),
        None => diagnostic,
    }
}
