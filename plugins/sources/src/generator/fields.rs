//! Custom fields: the option `fields`, each value written once for every format before the first event.

use std::collections::BTreeMap;

use lograil_event::scan::escape_json;
use lograil_plugin::ConfigError;
use lograil_plugin::schemars::{self, JsonSchema};
use serde::{Deserialize, Serialize};

use super::format::Format;
use super::line::write_csv_value;
use super::random::Random;

/// Bounds, so that a line with all of them fits into a block.
const FIELDS_MAX: usize = 32;
const VALUES_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 256;

/// Names that lines have already.
pub(super) const TAKEN: [&str; 15] = [
    "timestamp",
    "level",
    "id",
    "service",
    "user_id",
    "request_id",
    "duration_ms",
    "message",
    "method",
    "path",
    "status",
    "bytes",
    "client_ip",
    "referer",
    "user_agent",
];

/// The value of a custom field, or several of which each event has one.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum FieldValue {
    /// The same for every event.
    One(Scalar),
    /// One of these, drawn for each event.
    OneOf(Vec<Scalar>),
}

/// A text, a number or a boolean.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
pub(super) enum Scalar {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
}

impl FieldValue {
    fn values(&self) -> &[Scalar] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::OneOf(values) => values,
        }
    }
}

/// Whether the fields can be written in the format.
pub(super) fn check(
    fields: &BTreeMap<String, FieldValue>,
    format: &Format,
) -> Result<(), ConfigError> {
    if fields.len() > FIELDS_MAX {
        let text = format!("{} fields are more than {FIELDS_MAX}", fields.len());
        return Err(ConfigError::new(["fields"], text));
    }
    if !fields.is_empty() && *format == Format::Access {
        let error = ConfigError::new(["fields"], "access lines have no place for more fields");
        return Err(error.help("write `format` as a text with names in braces"));
    }
    for (name, value) in fields {
        let mistake = |text: String| Err(ConfigError::new(["fields", name], text));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return mistake(format!("`{name}` is no name of letters, digits, `_`, `-` and `.`"));
        }
        if TAKEN.contains(&name.as_str()) {
            return mistake(format!("every line has a field `{name}` of its own"));
        }
        let values = value.values();
        if values.is_empty() || values.len() > VALUES_MAX {
            return mistake(format!("a list of {} values is none to draw from", values.len()));
        }
        let is_long = |value: &Scalar| {
            matches!(value, Scalar::Text(text) if text.len() > TEXT_BYTES_MAX)
                || matches!(value, Scalar::Float(number) if !number.is_finite())
        };
        if values.iter().any(is_long) {
            return mistake(format!(
                "a text has at most {TEXT_BYTES_MAX} bytes, a number is finite"
            ));
        }
    }
    Ok(())
}

/// One value as every format has it.
#[derive(Debug)]
struct Written {
    plain: Vec<u8>,
    text: Vec<u8>,
    json: Vec<u8>,
    csv: Vec<u8>,
}

impl Written {
    fn new(name: &str, value: &Scalar) -> Self {
        let plain = match value {
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Float(value) => value.to_string(),
            Scalar::Text(text) => text.clone(),
        };
        let plain = plain.into_bytes();
        let mut json = format!(",\"{name}\":").into_bytes();
        if let Scalar::Text(_) = value {
            json.push(b'"');
            escape_json(&plain, &mut json);
            json.push(b'"');
        } else {
            json.extend_from_slice(&plain);
        }
        let mut csv = vec![b','];
        write_csv_value(&plain, &mut csv);
        let text = [format!(" | {name}=").as_bytes(), &plain].concat();
        Self { plain, text, json, csv }
    }
}

#[derive(Debug)]
struct Field {
    name: String,
    values: Vec<Written>,
    /// Which value the event at hand has.
    drawn: usize,
}

/// The custom fields of a generator, in the order of their names.
#[derive(Debug)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// The fields of the options.
    pub(super) fn new(options: &BTreeMap<String, FieldValue>) -> Self {
        let field = |(name, value): (&String, &FieldValue)| {
            let values = value.values().iter().map(|value| Written::new(name, value)).collect();
            Field { name: name.clone(), values, drawn: 0 }
        };
        Self(options.iter().map(field).collect())
    }

    /// Draws the values of the next event.
    #[inline]
    pub(super) fn draw(&mut self, random: &mut Random) {
        for field in &mut self.0 {
            if field.values.len() > 1 {
                field.drawn = random.below(field.values.len() as u32) as usize;
            }
        }
    }

    /// The names, each with a comma before it.
    pub(super) fn header(&self) -> String {
        self.0.iter().map(|field| format!(",{}", field.name)).collect()
    }

    /// The place of a name, for [`Fields::write_plain`].
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|field| field.name == name)
    }

    /// The names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| field.name.as_str())
    }

    /// Appends the value of one field.
    pub(super) fn write_plain(&self, at: usize, out: &mut Vec<u8>) {
        if let Some(field) = self.0.get(at) {
            out.extend_from_slice(&field.values[field.drawn].plain);
        }
    }

    /// Appends all as further columns between bars.
    #[inline]
    pub(super) fn write_text(&self, out: &mut Vec<u8>) {
        for field in &self.0 {
            out.extend_from_slice(&field.values[field.drawn].text);
        }
    }

    /// Appends all as further members of an object.
    #[inline]
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        for field in &self.0 {
            out.extend_from_slice(&field.values[field.drawn].json);
        }
    }

    /// Appends all as further comma-separated values.
    #[inline]
    pub(super) fn write_csv(&self, out: &mut Vec<u8>) {
        for field in &self.0 {
            out.extend_from_slice(&field.values[field.drawn].csv);
        }
    }

    /// No line gets more bytes than this from all fields together, each written once.
    pub(super) fn bytes_max(&self) -> usize {
        let longest = |field: &Field| {
            let bytes =
                |value: &Written| value.json.len().max(value.csv.len()).max(value.text.len());
            field.name.len() + 1 + field.values.iter().map(bytes).max().unwrap_or(0)
        };
        self.0.iter().map(longest).sum()
    }
}
