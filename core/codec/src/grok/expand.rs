//! From a grok pattern to a regular expression.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{Capture, CaptureType, Expanded, Problem, base, network, servers, suggest};

/// How deep patterns may refer to each other.
const DEPTH_MAX: usize = 32;
/// Longest expanded expression.
const LEN_MAX: usize = 256 << 10;

/// Expands patterns.
struct Expander<'d> {
    definitions: &'d BTreeMap<String, String>,
    out: Expanded,
    /// The names that are being expanded.
    path: Vec<String>,
}

/// Expands a pattern; the definitions go before the bundled ones.
pub fn expand(pattern: &str, definitions: &BTreeMap<String, String>) -> Result<Expanded, Problem> {
    let mut expander = Expander { definitions, out: Expanded::default(), path: Vec::new() };
    match expander.text(pattern) {
        Ok(()) => Ok(expander.out),
        Err(problem) => {
            // A mistake within a definition is shown there.
            let definition = expander.path.pop().filter(|name| definitions.contains_key(name));
            Err(Problem { definition, ..problem })
        }
    }
}

/// The bundled definition of a name.
fn bundled(name: &str) -> Option<&'static str> {
    all().find(|(other, _)| *other == name).map(|(_, definition)| definition)
}

/// All bundled patterns.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    base::PATTERNS.iter().chain(servers::PATTERNS).chain(network::PATTERNS).copied()
}

impl Expander<'_> {
    /// Appends a text with its references expanded.
    fn text(&mut self, text: &str) -> Result<(), Problem> {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let len = if rest.starts_with("%{") {
                self.reference(text, at)?
            } else if rest.starts_with("(?") {
                self.group(text, at)?
            } else {
                let mut characters = rest.chars();
                let is_escape = characters.next() == Some('\\');
                let escaped = if is_escape { characters.next() } else { None };
                let first = rest.chars().next().map_or(1, char::len_utf8);
                let len = first + escaped.map_or(0, char::len_utf8);
                self.out.regex.push_str(&rest[..len]);
                len
            };
            at += len;
            if self.out.regex.len() > LEN_MAX {
                return Err(Problem {
                    message: format!("the expanded pattern is longer than {LEN_MAX} bytes"),
                    help: "split it into several patterns".to_owned(),
                    within: 0..text.len(),
                    definition: None,
                });
            }
        }
        Ok(())
    }

    /// A group that is named, or of a kind that Rust's regex lacks; gives the bytes read.
    fn group(&mut self, text: &str, at: usize) -> Result<usize, Problem> {
        let rest = &text[at..];
        for (start, what) in [
            ("(?=", "look-ahead"),
            ("(?!", "look-ahead"),
            ("(?<=", "look-behind"),
            ("(?<!", "look-behind"),
            ("(?>", "an atomic group"),
        ] {
            if rest.starts_with(start) {
                return Err(Problem {
                    message: format!("`{start}` is {what}, which the regex engine does not have"),
                    help: "matching takes linear time because it never goes back; say what the text looks like instead, with `(?:...)`"
                        .to_owned(),
                    within: at..at + start.len(),
                    definition: None,
                });
            }
        }
        let opening = ["(?<", "(?P<"].into_iter().find(|opening| rest.starts_with(opening));
        let Some(opening) = opening else {
            self.out.regex.push_str("(?");
            return Ok(2);
        };
        let Some(len) = rest.find('>') else {
            return Err(Problem {
                message: "the name of the group is never closed".to_owned(),
                help: "such as `(?<status>[0-9]+)`".to_owned(),
                within: at..text.len(),
                definition: None,
            });
        };
        self.open_capture(&rest[opening.len()..len], None);
        Ok(len + 1)
    }

    /// `%{NAME}`, `%{NAME:field}` or `%{NAME:field:type}`; gives the bytes read.
    fn reference(&mut self, text: &str, at: usize) -> Result<usize, Problem> {
        let problem = |message: String, help: String, within: Range<usize>| Problem {
            message,
            help,
            within,
            definition: None,
        };
        let Some(len) = text[at..].find('}') else {
            let message = "`%{` is never closed".to_owned();
            return Err(problem(message, "such as `%{WORD:method}`".to_owned(), at..text.len()));
        };
        let inner = &text[at + 2..at + len];
        let mut parts = inner.splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let field = parts.next().filter(|field| !field.is_empty());
        let kind = match parts.next() {
            None => None,
            Some(word) => Some(type_of(word).ok_or_else(|| {
                let start = at + len - word.len();
                let help = "the types are `int`, `float`, `bool` and `string`".to_owned();
                problem(format!("`{word}` is no type"), help, start..at + len)
            })?),
        };
        let span = at + 2..at + 2 + name.len();
        let custom = self.definitions.get(name).cloned();
        let Some(definition) = custom.or_else(|| bundled(name).map(str::to_owned)) else {
            let names =
                all().map(|(name, _)| name).chain(self.definitions.keys().map(String::as_str));
            let help = match suggest::closest(name, names) {
                Some(close) => format!("did you mean `{close}`?"),
                None => "define it in `pattern_definitions`".to_owned(),
            };
            return Err(problem(format!("there is no pattern `{name}`"), help, span));
        };
        if self.path.len() == DEPTH_MAX {
            let help = format!("patterns are at most {DEPTH_MAX} levels deep");
            return Err(problem(format!("`{name}` is nested too deep"), help, span));
        }
        if self.path.iter().any(|other| other == name) {
            let help = "a pattern cannot be a part of itself".to_owned();
            return Err(problem(format!("`{name}` refers to itself"), help, span));
        }
        match field {
            Some(field) => self.open_capture(field, kind),
            None => self.out.regex.push_str("(?:"),
        }
        self.path.push(name.to_owned());
        self.text(&definition)?;
        self.path.pop();
        self.out.regex.push(')');
        Ok(len + 1)
    }

    fn open_capture(&mut self, field: &str, kind: Option<CaptureType>) {
        let group = format!("g{}", self.out.captures.len());
        self.out.regex.push_str(&format!("(?P<{group}>"));
        self.out.captures.push(Capture { group, field: field_name(field), kind });
    }
}

/// `[http][status]` as `http.status`.
fn field_name(field: &str) -> String {
    match field.strip_prefix('[').and_then(|field| field.strip_suffix(']')) {
        Some(inner) => inner.replace("][", "."),
        None => field.to_owned(),
    }
}

fn type_of(word: &str) -> Option<CaptureType> {
    Some(match word {
        "int" | "integer" | "long" => CaptureType::Int,
        "float" | "double" | "number" => CaptureType::Float,
        "bool" | "boolean" => CaptureType::Bool,
        "string" | "text" | "keyword" => CaptureType::String,
        _ => return None,
    })
}
