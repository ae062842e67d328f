//! The option `format`: a name, or the user's own way to write a line.

use std::borrow::Cow;

use lograil_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest format string, in bytes.
pub(super) const FORMAT_BYTES_MAX: usize = 4096;

/// How a line is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// Columns between bars.
    Text,
    /// One JSON object a line.
    Json,
    /// Comma-separated values (RFC 4180), a header line first.
    Csv,
    /// A web server's access log in the combined format.
    Access,
    /// A text with names in braces.
    Layout(String),
}

impl Format {
    const NAMED: [(&'static str, Self); 4] =
        [("text", Self::Text), ("json", Self::Json), ("csv", Self::Csv), ("access", Self::Access)];
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some((_, format)) = Self::NAMED.into_iter().find(|(name, _)| *name == text) {
            return Ok(format);
        }
        if !text.contains('{') {
            return Err(D::Error::custom(format!(
                "`{text}` is no format; write text, json, csv, access, or names in braces"
            )));
        }
        Ok(Self::Layout(text))
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = Self::NAMED.iter().find(|(_, format)| format == self);
        serializer.serialize_str(match (named, self) {
            (Some((name, _)), _) => name,
            (None, Self::Layout(text)) => text,
            (None, _) => "",
        })
    }
}

impl JsonSchema for Format {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": FORMAT_BYTES_MAX,
            "pattern": r"(?s)^(text|json|csv|access|.*\{.*)$"
        })
    }
}
