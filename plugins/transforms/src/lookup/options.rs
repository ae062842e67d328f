//! Options of `lookup`, and what is wrong with them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Period};
use serde::Deserialize;

use super::table::Notation;
use crate::field_path::FieldPath;

/// Options of `lookup`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupOptions {
    /// The file with the table.
    pub(super) path: String,
    /// How the table is written; without it what the file's name ends with says it.
    format: Option<Format>,
    /// Where the values of the key are in an event, by the columns of the key.
    #[serde(rename = "match")]
    matched: BTreeMap<String, String>,
    /// The columns that are added. Without it all but those of the key.
    pub(super) columns: Option<Vec<String>>,
    /// What the names of the added fields begin with.
    #[serde(default)]
    pub(super) prefix: String,
    /// How often to look whether the file has changed.
    #[serde(default = "default_check_every")]
    pub(super) check_every: Period,
    /// The most that the file may have.
    #[serde(default = "default_max_bytes")]
    pub(super) max_bytes: ByteSize,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// CSV whose first line has the names.
    Csv,
    /// An array of objects, or an object on each line.
    Json,
}

fn default_check_every() -> Period {
    Period(Duration::from_secs(5))
}

fn default_max_bytes() -> ByteSize {
    ByteSize(64 << 20)
}

/// What options are compiled to.
pub(super) struct Checked {
    pub(super) notation: Notation,
    /// The columns of the key, and where their values are in an event.
    pub(super) keys: Vec<(String, FieldPath)>,
}

impl LookupOptions {
    /// Compiles the paths; reports all mistakes.
    pub(super) fn check(&self) -> Result<Checked, ConfigErrors> {
        let mut errors = Vec::new();
        let extension = Path::new(&self.path).extension().and_then(|extension| extension.to_str());
        let notation = match (self.format, extension) {
            (Some(Format::Csv), _) | (None, Some("csv")) => Notation::Csv,
            (Some(Format::Json), _) | (None, Some("json" | "ndjson" | "jsonl")) => Notation::Json,
            (None, _) => {
                let message =
                    format!("the name `{}` does not say how the table is written", self.path);
                errors.push(
                    ConfigError::new(["path"], message).help("add `format = \"csv\"` or \"json\""),
                );
                Notation::Csv
            }
        };
        if self.matched.is_empty() {
            let error = ConfigError::new(["match"], "a key has at least one column");
            errors.push(error.help("write it like `match.ip = \"remote_addr\"`"));
        }
        let mut keys = Vec::new();
        for (column, path) in &self.matched {
            match FieldPath::parse(path, &["match", column]) {
                Ok(path) => keys.push((column.clone(), path)),
                Err(error) => errors.push(error),
            }
        }
        if self.columns.as_ref().is_some_and(Vec::is_empty) {
            let error = ConfigError::new(["columns"], "no column would add nothing");
            errors.push(error.help("leave it out, or name the columns"));
        }
        if errors.is_empty() { Ok(Checked { notation, keys }) } else { Err(ConfigErrors(errors)) }
    }
}
