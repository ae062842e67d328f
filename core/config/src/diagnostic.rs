//! What is wrong with a topology, and where.

use std::ops::Range;

use serde_json::{Value, json};

use crate::document::Span;

/// A topology file, or what stands in for one (`-` for standard input, `--set` for the flags).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// What diagnostics call it.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The topology cannot run.
    Error,
    /// The topology can run, but hardly as it was meant.
    Warning,
}

impl Level {
    /// `error` or `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Bytes of a file, and why they are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Index into the files the diagnostics are rendered with.
    pub file: usize,
    /// Bytes of the file's text.
    pub span: Range<usize>,
    /// What stands beside the underlining; may be empty.
    pub text: String,
}

/// A mistake in a topology, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub level: Level,
    /// A short name of this kind of mistake, `unknown-option`.
    pub code: &'static str,
    /// What is wrong, one clause.
    pub message: String,
    /// Where: the first label is the mistake, the others explain it.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place; [`Diagnostic::label`] gives it one.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { level: Level::Error, code, message, labels: Vec::new(), help: None }
    }

    /// A warning without a place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message) }
    }

    /// Adds a place.
    #[must_use]
    pub fn label(mut self, file: usize, span: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { file, span, text: text.into() });
        self
    }

    /// Adds a place of the document.
    #[must_use]
    pub(crate) fn at(self, span: Span, text: impl Into<String>) -> Self {
        self.label(span.file, span.start..span.end, text)
    }

    /// States the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The diagnostic for programs: level, code, message, help, and labels with file name, byte range, and
    /// line and column counted from 1, columns in characters.
    #[must_use]
    pub fn to_json(&self, files: &[SourceFile]) -> Value {
        let labels: Vec<Value> = self
            .labels
            .iter()
            .filter_map(|label| {
                let file = files.get(label.file)?;
                let (line, column) = position(&file.text, label.span.start);
                Some(json!({
                    "file": file.name,
                    "line": line,
                    "column": column,
                    "start": label.span.start,
                    "end": label.span.end,
                    "text": label.text,
                }))
            })
            .collect();
        json!({
            "level": self.level.name(),
            "code": self.code,
            "message": self.message,
            "labels": labels,
            "help": self.help,
        })
    }
}

impl Diagnostic {
    /// The diagnostic on one line, for a log: `FILE:LINE:COLUMN: message; remedy`.
    #[must_use]
    pub fn to_line(&self, files: &[SourceFile]) -> String {
        let place = self.labels.first().and_then(|label| {
            let file = files.get(label.file)?;
            let (line, column) = position(&file.text, label.span.start);
            Some(format!("{}:{line}:{column}: ", file.name))
        });
        let help = self.help.as_ref().map(|help| format!("; {help}"));
        format!("{}{}{}", place.unwrap_or_default(), self.message, help.unwrap_or_default())
    }
}

/// Line and column of a byte, counted from 1; columns in characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..char_boundary(text, offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// The last character boundary at or before `offset`, within the text.
pub(crate) fn char_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
