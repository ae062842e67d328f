//! Environment variables in string values: `${VAR}`, `${VAR:-default}`, `${VAR:?why}`, and `$$` for `$`.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::document::{Node, Span, Table, Text, Value};
use crate::literal;

/// What a string was before its variables were replaced.
#[derive(Debug, Clone)]
pub(crate) struct Replaced {
    /// The string as it was written.
    pub written: String,
    /// The values of variables in it, which must not be shown.
    pub values: Vec<String>,
    pieces: Vec<Piece>,
}

/// Bytes of the new string and the bytes they were made from.
#[derive(Debug, Clone)]
struct Piece {
    new: Range<usize>,
    written: Range<usize>,
    verbatim: bool,
}

impl Replaced {
    /// The bytes of the written string that `range` of the new one was made from.
    fn written_range(&self, range: Range<usize>) -> Range<usize> {
        let at = |offset: usize, is_end: bool| {
            let holds = |piece: &&Piece| {
                if is_end {
                    piece.new.start < offset && offset <= piece.new.end
                } else {
                    piece.new.start <= offset && offset < piece.new.end
                }
            };
            match self.pieces.iter().find(holds) {
                Some(piece) if piece.verbatim => piece.written.start + (offset - piece.new.start),
                Some(piece) if is_end => piece.written.end,
                Some(piece) => piece.written.start,
                None if offset == 0 => 0,
                None => self.written.len(),
            }
        };
        let start = at(range.start, false);
        let end = if range.is_empty() { start } else { at(range.end, true) };
        start..end.max(start)
    }
}

impl Node {
    /// Where bytes of a string value were written.
    pub fn text_span(&self, files: &[SourceFile], range: Range<usize>) -> Span {
        let Some(text) = self.as_text() else { return self.span };
        let Some(file) = files.get(self.span.file) else { return self.span };
        let literal = file.text.get(self.span.start..self.span.end).unwrap_or_default();
        let range = match &text.replaced {
            Some(replaced) => replaced.written_range(range),
            None => range,
        };
        literal::source_span(literal, self.span, text.notation, range)
    }
}

/// Replaces the variables in all strings below a table.
pub(crate) fn interpolate(
    table: &mut Table,
    env: &dyn Fn(&str) -> Option<String>,
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) {
    for entry in &mut table.entries {
        interpolate_node(&mut entry.node, env, files, diagnostics);
    }
}

fn interpolate_node(
    node: &mut Node,
    env: &dyn Fn(&str) -> Option<String>,
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) {
    match &mut node.value {
        Value::Table(table) => interpolate(table, env, files, diagnostics),
        Value::Array(nodes) => {
            for node in nodes {
                interpolate_node(node, env, files, diagnostics);
            }
        }
        Value::String(text) if text.value.contains('$') => {
            let outcome = replace(&text.value, env);
            if outcome.mistakes.is_empty() {
                let written = std::mem::replace(&mut text.value, outcome.text);
                let Outcome { values, pieces, .. } = outcome;
                if pieces.iter().any(|piece| !piece.verbatim) {
                    text.replaced = Some(Replaced { written, values, pieces });
                }
                return;
            }
            for mistake in outcome.mistakes {
                let span = node.text_span(files, mistake.at);
                let diagnostic = Diagnostic::error(mistake.code, mistake.message);
                diagnostics.push(diagnostic.at(span, mistake.label).help(mistake.help));
            }
            node.value = Value::Invalid;
        }
        _ => {}
    }
}

struct Mistake {
    at: Range<usize>,
    code: &'static str,
    message: String,
    label: &'static str,
    help: String,
}

#[derive(Default)]
struct Outcome {
    text: String,
    values: Vec<String>,
    pieces: Vec<Piece>,
    mistakes: Vec<Mistake>,
}

impl Outcome {
    fn push(&mut self, written: Range<usize>, text: &str, verbatim: bool) {
        let start = self.text.len();
        self.text.push_str(text);
        self.pieces.push(Piece { new: start..self.text.len(), written, verbatim });
    }
}

fn replace(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let until = rest.find('$').unwrap_or(rest.len());
        if until > 0 {
            outcome.push(at..at + until, &rest[..until], true);
            at += until;
            continue;
        }
        if rest.starts_with("$$") {
            outcome.push(at..at + 2, "$", false);
            at += 2;
        } else if rest.starts_with("${") {
            at = replace_variable(text, at, env, &mut outcome);
        } else {
            outcome.push(at..at + 1, "$", true);
            at += 1;
        }
    }
    outcome
}

/// Replaces the `${...}` at `at`; where it ends.
fn replace_variable(
    text: &str,
    at: usize,
    env: &dyn Fn(&str) -> Option<String>,
    outcome: &mut Outcome,
) -> usize {
    const LITERAL: &str = "write `$${` where a plain `${` is meant";
    let inside = &text[at + 2..];
    let Some(len) = inside.find('}') else {
        outcome.mistakes.push(Mistake {
            at: at..text.len(),
            code: "variable",
            message: "`${` without `}`".to_owned(),
            label: "this variable is not closed",
            help: LITERAL.to_owned(),
        });
        return text.len();
    };
    let end = at + 2 + len + 1;
    let inside = &inside[..len];
    let name_len =
        inside.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inside.len());
    let (name, modifier) = inside.split_at(name_len);
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let known = modifier.is_empty() || modifier.starts_with(":-") || modifier.starts_with(":?");
    if !named || !known {
        outcome.mistakes.push(Mistake {
            at: at..end,
            code: "variable",
            message: format!("`{}` is not a variable", &text[at..end]),
            label: "neither `${NAME}`, `${NAME:-default}` nor `${NAME:?why}`",
            help: LITERAL.to_owned(),
        });
        return end;
    }
    let value = env(name).filter(|value| modifier.is_empty() || !value.is_empty());
    match (value, modifier.strip_prefix(":-"), modifier.strip_prefix(":?")) {
        (Some(value), _, _) => {
            outcome.push(at..end, &value, false);
            outcome.values.push(value);
        }
        (None, Some(default), _) => outcome.push(at..end, default, false),
        (None, None, why) => {
            let why = why.map(str::trim).filter(|why| !why.is_empty());
            outcome.mistakes.push(Mistake {
                at: at..end,
                code: "unset-variable",
                message: match why {
                    Some(why) => format!("environment variable `{name}` is not set: {why}"),
                    None => format!("environment variable `{name}` is not set"),
                },
                label: "not set",
                help: format!("set {name}, or give a default: `${{{name}:-...}}`"),
            });
        }
    }
    end
}

/// A boolean as environment variables hold them: `True` of Python, `1` and `yes` of shells.
fn boolean_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads a string that holds variables as the type its option wants: number or boolean.
pub(crate) fn retype(text: &Text, wanted: &[&str]) -> Option<Value> {
    text.replaced.as_ref()?;
    let value = text.value.trim();
    if wanted.contains(&"string") {
        return None;
    }
    if (wanted.contains(&"integer") || wanted.contains(&"number"))
        && let Ok(integer) = value.parse::<i64>()
    {
        return Some(Value::Integer(i128::from(integer)));
    }
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    match number.filter(|_| wanted.contains(&"number")) {
        Some(number) => Some(Value::Float(number)),
        None => boolean_of(value).filter(|_| wanted.contains(&"boolean")).map(Value::Boolean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_taken_as_the_environment_has_them() {
        for (text, boolean) in
            [("True", true), ("1", true), (" yes ", true), ("OFF", false), ("0", false)]
        {
            assert_eq!(boolean_of(text.trim()), Some(boolean), "{text}");
        }
        assert_eq!(boolean_of("2"), None);
    }

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("web1".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn replaces_variables_as_a_shell_does() {
        let check = |text: &str, expected: &str| {
            let outcome = replace(text, &env);
            assert_eq!(outcome.text, expected, "{text}");
            assert!(outcome.mistakes.is_empty(), "{text}");
        };
        check("a ${HOST} b", "a web1 b");
        check("${NONE:-x y}${EMPTY:-z}", "x yz");
        check("[${EMPTY}]", "[]");
        check("${HOST:?must be set}", "web1");
        check("$$ $${HOST} ^a$ $", "$ ${HOST} ^a$ $");
    }

    #[test]
    fn points_into_the_written_text() {
        let outcome = replace("a ${HOST} == $$b", &env);
        let Outcome { text, values, pieces, .. } = outcome;
        let written = "a ${HOST} == $$b".to_owned();
        let replaced = Replaced { written, values, pieces };
        let find = |part: &str| {
            let start = text.find(part).unwrap();
            &replaced.written[replaced.written_range(start..start + part.len())]
        };
        assert_eq!(find("=="), "==");
        assert_eq!(find("eb1 =="), "${HOST} ==");
        assert_eq!(find("$b"), "$$b");
    }
}
