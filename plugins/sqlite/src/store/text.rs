//! Asking the text index: the words of a query in its language, and the ids it gives.

use std::collections::HashSet;

use lograil_plugin::StoreError;
use rusqlite::Connection;

use super::connection::QueryError;
use super::cursor::Key;
use crate::text_index::{self, Part};

/// Matches up to which all are looked up; beyond, the index of time is walked and each chunk of it is held
/// against the matches among its ids.
const FEW: usize = 4096;

/// Ids between two that are asked for together: to pass over so many matches costs less than to ask anew.
const GAP_MAX: i64 = 512;

/// Words and phrases of a text.
const TERMS_MAX: usize = 32;

/// What the index is asked for, if it is: all words of the text in any order; `"a phrase"` in quotes; a word that
/// ends in `*` for all that begin like it; and words of the id of a template, which narrow the search but do not tell
/// it from all others.
pub(super) fn expression(
    text: Option<&str>,
    template_id: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let mut parts = Vec::new();
    if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
        let terms = terms(text);
        if terms.is_empty() {
            return Err(invalid("there is no letter and no digit in it"));
        }
        if terms.len() > TERMS_MAX {
            return Err(invalid(&format!("it has more than {TERMS_MAX} words")));
        }
        parts.push(format!("(message : ({}))", terms.join(" AND ")));
    }
    if let Some(id) = template_id.filter(|id| id.contains(|c: char| c.is_ascii_alphanumeric())) {
        parts.push(format!("(template_id : (^ {}))", quoted(id)));
    }
    Ok(if parts.is_empty() { None } else { Some(parts.join(" AND ")) })
}

fn invalid(message: &str) -> StoreError {
    StoreError::Invalid {
        parameter: "text",
        within: None,
        message: message.to_owned(),
        help: Some("give words of the message; for other characters use a condition".to_owned()),
    }
}

/// The terms of a text in the language of the index.
fn terms(text: &str) -> Vec<String> {
    let mut terms = Vec::new();
    for (index, piece) in text.split('"').enumerate() {
        let is_phrase = index % 2 == 1;
        let words: Vec<&str> =
            if is_phrase { vec![piece] } else { piece.split_whitespace().collect() };
        for word in words {
            let is_prefix = !is_phrase && word.ends_with('*');
            let word = word.trim_end_matches('*');
            // A term without a word would match nothing, or all.
            if word.contains(char::is_alphanumeric) {
                let star = if is_prefix { " *" } else { "" };
                terms.push(format!("{}{star}", quoted(word)));
            }
        }
    }
    terms
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\"").replace('\0', " "))
}

/// What is found at first sight.
pub(super) enum Matches {
    /// The ids of all.
    Few(Vec<i64>),
    /// More than are worth to be looked up each.
    Many,
}

/// The ids of all matches, if they are few.
pub(super) fn find_few(connection: &Connection, text: &str) -> Result<Matches, QueryError> {
    let mut ids = Vec::new();
    for part in text_index::parts(connection)?.iter().rev() {
        let wanted = FEW + 1 - ids.len();
        let table = part.table();
        let mut select = connection.prepare_cached(&format!(
            "SELECT rowid FROM {table} WHERE {table} MATCH ?1 LIMIT ?2"
        ))?;
        let mut rows = select.query(rusqlite::params![text, wanted as i64])?;
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
        }
        if ids.len() > FEW {
            return Ok(Matches::Many);
        }
    }
    Ok(Matches::Few(ids))
}

/// Keeps the keys that match.
pub(super) fn retain(
    connection: &Connection,
    text: &str,
    keys: &mut Vec<Key>,
) -> Result<(), QueryError> {
    let mut ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
    ids.sort_unstable();
    let parts = text_index::parts(connection)?;
    let mut found = HashSet::new();
    // Neighbours in time may have ids far apart, with matches between them that nobody asks for.
    for run in ids.chunk_by(|id, next| next - id <= GAP_MAX) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let overlaps = |part: &&Part| part.first_id <= *last && part.last_id >= *first;
        for part in parts.iter().filter(overlaps) {
            let table = part.table();
            let mut select = connection.prepare_cached(&format!(
                "SELECT rowid FROM {table} WHERE {table} MATCH ?1 AND rowid BETWEEN ?2 AND ?3"
            ))?;
            let mut rows = select.query(rusqlite::params![text, first, last])?;
            while let Some(row) = rows.next()? {
                found.insert(row.get::<_, i64>(0)?);
            }
        }
    }
    keys.retain(|key| found.contains(&key.id));
    Ok(())
}
