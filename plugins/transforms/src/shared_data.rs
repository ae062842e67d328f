//! Public log data that is not part of the repository: found through LOGRAIL_SHARED_DATA, and said so where it is
//! missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

/// Where the data is.
pub(crate) fn root() -> Option<PathBuf> {
    let found = std::env::var_os("LOGRAIL_SHARED_DATA").map(PathBuf::from);
    if found.is_none() {
        println!("skipped: LOGRAIL_SHARED_DATA is not set");
    }
    found
}

/// A Python for the scorers beside the data. Where servers are required, it is too.
pub(crate) fn python() -> Option<&'static str> {
    let has_it = |python: &&str| {
        let status = Command::new(python).arg("--version").stdout(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let found = Some("python3").filter(has_it);
    if found.is_none() {
        assert!(std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(), "there is no python3");
        println!("skipped: there is no python3");
    }
    found
}

/// The records of a CSV file, by the names in its first line.
pub(crate) fn records(path: &Path) -> Vec<Map<String, Value>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = csv_rows(&text).into_iter();
    let header = rows.next().unwrap();
    rows.map(|row| header.iter().cloned().zip(row.into_iter().map(Value::from)).collect()).collect()
}

fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut value) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                value.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut value)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut value));
                rows.push(std::mem::take(&mut row));
            }
            character => value.push(character),
        }
    }
    if !value.is_empty() || !row.is_empty() {
        row.push(value);
        rows.push(row);
    }
    rows
}
