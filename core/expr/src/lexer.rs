//! Source text to tokens. A path (`.a.b[0]."quoted key"`) is one token, because blanks may not part it.

use lograil_event::json_text::PathStep;

use crate::DEPTH_MAX;
use crate::error::{ExprError, Span};
use crate::literal::{unescape, unescape_raw};

/// A token; the parser gives it a meaning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// An integer without its sign.
    Integer(u64),
    Float(f64),
    String(String),
    /// A string with `{{ variable }}` in it: texts, and names with their places.
    Template(Vec<Part>),
    Regex(String),
    Timestamp(String),
    Identifier(String),
    /// `.` and everything that follows without a blank.
    Path(Vec<PathStep>),
    /// An operator or a bracket.
    Symbol(&'static str),
    Newline,
    /// What has been reported already.
    Bad,
    End,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Variable(String, Span),
}

/// Longest first where one begins with another.
const SYMBOLS: [&str; 28] = [
    "==", "!=", "<=", ">=", "&&", "||", "??", "->", "|=", "<", ">", "+", "-", "*", "/", "%", "!",
    "=", "(", ")", "[", "]", "{", "}", ",", ":", ";", "|",
];

pub(crate) struct Lexer<'s> {
    source: &'s str,
    pos: usize,
    tokens: Vec<(Token, Span)>,
    errors: Vec<ExprError>,
}

/// All tokens, the last of which is [`Token::End`], and what was wrong.
pub(crate) fn lex(source: &str) -> (Vec<(Token, Span)>, Vec<ExprError>) {
    let mut lexer = Lexer { source, pos: 0, tokens: Vec::new(), errors: Vec::new() };
    while let Some(c) = lexer.peek() {
        let start = lexer.pos;
        if let Some(token) = lexer.token(c) {
            lexer.tokens.push((token, start..lexer.pos));
        }
    }
    lexer.tokens.push((Token::End, source.len()..source.len()));
    (lexer.tokens, lexer.errors)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '@'
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.source[self.pos..].chars().next()
    }

    fn rest(&self) -> &str {
        &self.source[self.pos..]
    }

    fn skip_while(&mut self, test: impl Fn(char) -> bool) -> &str {
        let start = self.pos;
        let rest = self.rest();
        self.pos += rest.find(|c| !test(c)).unwrap_or(rest.len());
        &self.source[start..self.pos]
    }

    fn error(&mut self, error: ExprError) -> Token {
        self.errors.push(error);
        Token::Bad
    }

    /// The next token; `None` for blanks and comments.
    fn token(&mut self, c: char) -> Option<Token> {
        Some(match c {
            '\n' => {
                self.pos += 1;
                Token::Newline
            }
            '#' => {
                self.skip_while(|c| c != '\n');
                return None;
            }
            _ if c.is_whitespace() => {
                self.skip_while(|c| c != '\n' && c.is_whitespace());
                return None;
            }
            '"' => self.string(),
            '.' => self.path(),
            '0'..='9' => self.number(),
            _ if is_word(c) && c != '@' => self.word(),
            _ => self.symbol(c),
        })
    }

    fn symbol(&mut self, c: char) -> Token {
        let symbol = SYMBOLS.iter().find(|symbol| self.rest().starts_with(**symbol));
        if let Some(symbol) = symbol {
            self.pos += symbol.len();
            return Token::Symbol(symbol);
        }
        let start = self.pos;
        self.pos += c.len_utf8();
        if c == '\'' {
            // The whole of what was meant as text, so that it is not read as something else.
            let line = self.rest().split('\n').next().unwrap_or_default();
            self.pos += line.find('\'').map_or(0, |end| end + 1);
        }
        let error = ExprError::new(start..self.pos, format!("unexpected character `{c}`"));
        self.error(match c {
            '\'' => ExprError::new(error.span, "text is not written in single quotes")
                .help("write \"...\", or raw text as s'...'"),
            '&' => error.help("did you mean `&&`?"),
            _ => error,
        })
    }

    fn word(&mut self) -> Token {
        let start = self.pos;
        let word = self.skip_while(is_word).to_owned();
        if self.peek() == Some('\'') && matches!(word.as_str(), "s" | "r" | "t") {
            return match self.quoted('\'') {
                Ok(text) => match word.as_str() {
                    "s" => Token::String(unescape_raw(&text)),
                    "r" => Token::Regex(unescape_raw(&text)),
                    _ => Token::Timestamp(text),
                },
                Err(error) => self.error(ExprError { span: start..error.span.end, ..error }),
            };
        }
        Token::Identifier(word)
    }

    /// The text between two quotes, escapes untouched; the position is on the opening quote.
    fn quoted(&mut self, quote: char) -> Result<String, ExprError> {
        let start = self.pos;
        let mut chars = self.source[start..].char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                chars.next();
            } else if c == quote {
                self.pos = start + at + 1;
                return Ok(self.source[start + 1..start + at].to_owned());
            }
        }
        self.pos = self.source.len();
        Err(ExprError::new(start..self.pos, "this literal is not closed")
            .help(format!("end it with {quote}")))
    }

    fn string(&mut self) -> Token {
        let start = self.pos;
        let text = match self.quoted('"') {
            Ok(text) => text,
            Err(error) => return self.error(error),
        };
        let parsed = if text.contains("{{") {
            template(&text, start + 1).map(|mut parts| match parts.as_mut_slice() {
                [Part::Text(only)] => Token::String(std::mem::take(only)),
                _ => Token::Template(parts),
            })
        } else {
            unescape(&text, start + 1).map(Token::String)
        };
        parsed.unwrap_or_else(|error| self.error(error))
    }

    fn number(&mut self) -> Token {
        let start = self.pos;
        self.skip_while(|c| c.is_ascii_digit() || c == '_');
        let mut float = false;
        if self.rest().starts_with('.')
            && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            float = true;
            self.pos += 1;
            self.skip_while(|c| c.is_ascii_digit() || c == '_');
        }
        if self.rest().starts_with(['e', 'E']) {
            let exponent = self.rest()[1..].trim_start_matches(['+', '-']);
            if exponent.starts_with(|c: char| c.is_ascii_digit()) {
                float = true;
                self.pos = self.source.len() - exponent.len();
                self.skip_while(|c| c.is_ascii_digit());
            }
        }
        let trailing = self.skip_while(is_word).to_owned();
        let span = start..self.pos;
        let text = self.source[span.clone()].replace('_', "");
        if !trailing.is_empty() {
            return self.error(ExprError::new(span, format!("`{text}` is not a number")));
        }
        if float {
            return match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Token::Float(value),
                _ => self.error(ExprError::new(span, format!("`{text}` is out of range"))),
            };
        }
        match text.parse() {
            Ok(value) => Token::Integer(value),
            Err(_) => self.error(
                ExprError::new(span, format!("`{text}` does not fit in 64 bits"))
                    .help("integers go from -9223372036854775808 to 9223372036854775807"),
            ),
        }
    }

    fn path(&mut self) -> Token {
        let mut segments = Vec::new();
        let start = self.pos;
        while let Some(result) = self.segment(segments.is_empty()) {
            match result {
                Ok(_) if segments.len() == DEPTH_MAX => {
                    let message = format!("a path has at most {DEPTH_MAX} segments");
                    return self.error(ExprError::new(start..self.pos, message));
                }
                Ok(segment) => segments.push(segment),
                Err(error) => return self.error(error),
            }
        }
        Token::Path(segments)
    }

    /// One segment; `None` where the path ends. The first one may be empty: `.` is the event.
    fn segment(&mut self, first: bool) -> Option<Result<PathStep, ExprError>> {
        let start = self.pos;
        match self.peek()? {
            '.' => self.pos += 1,
            '[' if !first => return Some(self.index()),
            _ => return None,
        }
        match self.peek() {
            Some('"') => {
                let quote = self.pos;
                let text = self.quoted('"').and_then(|text| unescape(&text, quote + 1));
                Some(text.map(PathStep::Name))
            }
            Some(c) if is_word(c) => Some(Ok(PathStep::Name(self.skip_while(is_word).to_owned()))),
            Some('[') if first => Some(self.index()),
            Some('.') if first => {
                self.skip_while(|c| c == '.');
                Some(Err(no_name(start..self.pos)))
            }
            _ if first => None,
            _ => Some(Err(no_name(start..self.pos))),
        }
    }

    fn index(&mut self) -> Result<PathStep, ExprError> {
        let start = self.pos;
        self.pos += 1;
        let rest = self.rest();
        let end = rest.find(']').unwrap_or(rest.len());
        let text = rest[..end].trim();
        let index = text.parse();
        self.pos += (end + 1).min(rest.len());
        index.map(PathStep::Index).map_err(|_| {
            ExprError::new(start..self.pos, "an index is an integer")
                .help("for a key of an object write `.\"key\"`")
        })
    }
}

fn no_name(span: Span) -> ExprError {
    ExprError::new(span, "a field name must follow the dot")
        .help("names with other characters are quoted: `.\"user-agent\"`")
}

/// The pieces of a string literal, escapes untouched, that starts at byte `offset` of the source.
fn template(text: &str, offset: usize) -> Result<Vec<Part>, ExprError> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            at += 2;
        } else if text.get(at..).is_some_and(|rest| rest.starts_with("{{")) {
            let Some(len) = text[at..].find("}}") else { break };
            if from < at {
                parts.push(Part::Text(unescape(&text[from..at], offset + from)?));
            }
            let name = text[at + 2..at + len].trim();
            let span = offset + at..offset + at + len + 2;
            if name.is_empty() || !name.chars().all(is_word) {
                let error = ExprError::new(span, "a template takes the name of a variable");
                return Err(error.help("write `{{ name }}`; for braces as text write `\\{\\{`"));
            }
            parts.push(Part::Variable(name.to_owned(), span));
            at += len + 2;
            from = at;
        } else {
            at += 1;
        }
    }
    if from < text.len() {
        parts.push(Part::Text(unescape(&text[from..], offset + from)?));
    }
    Ok(parts)
}
