//! Functions that change how the words of a name are written together.

use super::{Arguments, Function, gives, required};
use crate::error::EvalError;
use crate::kind::Kind;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "camelcase",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The words of a text as `camelCase`.",
        &[gives("camelcase(\"input_string\")", "{}", r#""inputString""#)],
        |arguments| {
            join(arguments, "", |at, word| if at == 0 { lower(word) } else { capital(word) })
        },
    ),
    Function::new(
        "pascalcase",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The words of a text as `PascalCase`.",
        &[gives("pascalcase(\"input-string\")", "{}", r#""InputString""#)],
        |arguments| join(arguments, "", |_, word| capital(word)),
    ),
    Function::new(
        "snakecase",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The words of a text as `snake_case`.",
        &[gives("snakecase(\"inputString HTTPCode\")", "{}", r#""input_string_http_code""#)],
        |arguments| join(arguments, "_", |_, word| lower(word)),
    ),
    Function::new(
        "kebabcase",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The words of a text as `kebab-case`.",
        &[gives("kebabcase(\"InputString\")", "{}", r#""input-string""#)],
        |arguments| join(arguments, "-", |_, word| lower(word)),
    ),
    Function::new(
        "screamingsnakecase",
        &[required("value", Kind::STRING)],
        Kind::STRING,
        "The words of a text as `SCREAMING_SNAKE_CASE`.",
        &[gives("screamingsnakecase(\"input string\")", "{}", r#""INPUT_STRING""#)],
        |arguments| join(arguments, "_", |_, word| word.to_uppercase()),
    ),
];

fn lower(word: &str) -> String {
    word.to_lowercase()
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters.flat_map(char::to_lowercase)).collect()
}

/// The words, each as `write` makes it, with the separator between them.
fn join<'a>(
    arguments: &Arguments<'a, '_>,
    separator: &str,
    write: fn(usize, &str) -> String,
) -> Result<Value<'a>, EvalError> {
    let text = String::from_utf8_lossy(arguments.string(0)?);
    let written: Vec<String> =
        words(&text).into_iter().enumerate().map(|(at, word)| write(at, word)).collect();
    arguments.context.text(written.join(separator).as_bytes())
}

/// Words end at what is no letter and no digit, before a capital behind a small letter or a digit, and before the
/// last of several capitals that a small letter follows: `HTTPCode` is `HTTP` and `Code`.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut before: Option<char> = None;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if !character.is_alphanumeric() {
            words.extend(start.take().map(|start: usize| &text[start..at]));
            before = None;
            continue;
        }
        let next_is_small = characters.peek().is_some_and(|(_, next)| next.is_lowercase());
        let is_edge = character.is_uppercase()
            && before.is_some_and(|before| !before.is_uppercase() || next_is_small);
        if is_edge {
            words.extend(start.take().map(|start| &text[start..at]));
        }
        start.get_or_insert(at);
        before = Some(character);
    }
    words.extend(start.map(|start| &text[start..]));
    words
}
