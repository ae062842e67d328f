//! Regular expressions: compiled with a bound on their size, and with mistakes placed in the source.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use crate::error::{ExprError, Span};

/// Bytes that a compiled regex may take.
const REGEX_BYTES_MAX: usize = 2 << 20;

/// Compiles the pattern of an `r'...'` literal at `span`.
pub(crate) fn compile_regex(pattern: &str, span: &Span) -> Result<Regex, ExprError> {
    if let Err(error) = ParserBuilder::new().utf8(false).build().parse(pattern) {
        let (message, at) = match &error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), *error.span()),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), *error.span()),
            _ => (
                error.to_string(),
                regex_syntax::ast::Span::splat(regex_syntax::ast::Position::new(0, 1, 1)),
            ),
        };
        let place = |offset: usize| {
            // Every quote in the pattern was written with a backslash.
            let quotes = pattern.bytes().take(offset).filter(|byte| *byte == b'\'').count();
            (span.start + 2 + offset + quotes).min(span.end)
        };
        let start = place(at.start.offset);
        let end = place(at.end.offset).max((start + 1).min(span.end));
        return Err(ExprError::new(start..end, format!("invalid regex: {message}")));
    }
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => ExprError::new(span.clone(), "the regex is too large")
            .help("shorten its counted repetitions such as `{1000}`"),
        other => ExprError::new(span.clone(), format!("invalid regex: {other}")),
    })
}

/// The named groups of a pattern, and whether each takes part in every match.
pub(crate) fn named_groups(regex: &Regex) -> Vec<(String, bool)> {
    let mut sure = vec![false; regex.captures_len()];
    if let Ok(hir) = ParserBuilder::new().utf8(false).build().parse(regex.as_str()) {
        mark(&hir, &mut sure);
    }
    let named = regex.capture_names().zip(sure);
    named.filter_map(|(name, sure)| Some((name?.to_owned(), sure))).collect()
}

/// Marks the groups that every match goes through.
fn mark(hir: &Hir, sure: &mut [bool]) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            if let Some(sure) = sure.get_mut(capture.index as usize) {
                *sure = true;
            }
            mark(&capture.sub, sure);
        }
        HirKind::Repetition(repetition) if repetition.min > 0 => mark(&repetition.sub, sure),
        HirKind::Concat(parts) => parts.iter().for_each(|part| mark(part, sure)),
        _ => {}
    }
}
