//! Numbers, strings, and values out of a list.

use lograil_plugin::{ByteSize, Period};
use serde_json::Value as Json;

use super::{Place, Validator, quoted, shape};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, Text, Value};
use crate::suggest;

impl Validator<'_> {
    /// A value against the only ones that are allowed.
    pub(super) fn one_of(
        &self,
        node: &Node,
        allowed: &[&Json],
        place: &Place,
        found: &mut Vec<Diagnostic>,
    ) {
        if allowed.iter().any(|value| equals(node, value)) {
            return;
        }
        let names: Vec<String> = allowed.iter().map(|value| name(value)).collect();
        let names = || names.iter().map(String::as_str);
        let close = node.as_text().filter(|text| text.replaced.is_none() && !node.secret);
        let close = close.and_then(|text| suggest::closest(&text.value, names()));
        let what = match quoted(node) {
            Some(value) => format!("cannot be {value}"),
            None => "has a value that is not allowed".to_owned(),
        };
        let diagnostic = self.mistake("value", place, &what);
        let label = suggest::label(close, "not one of the allowed values");
        let help = format!("allowed: {}", suggest::list(names()));
        found.push(diagnostic.at(node.span, label).help(help));
    }

    pub(super) fn number(
        &self,
        node: &Node,
        schema: &Json,
        place: &Place,
        found: &mut Vec<Diagnostic>,
    ) {
        let number = match &node.value {
            Value::Integer(number) => *number as f64,
            Value::Float(number) => *number,
            _ => return,
        };
        let bound = |keyword: &str| schema.get(keyword).and_then(Json::as_f64);
        let (least, most) = schema.get("format").and_then(Json::as_str).map_or((None, None), range);
        let text = if let Some(least) = bound("minimum").or(least).filter(|least| number < *least) {
            format!("must be at least {least}")
        } else if let Some(most) = bound("maximum").or(most).filter(|most| number > *most) {
            format!("must be at most {most}")
        } else if let Some(least) = bound("exclusiveMinimum").filter(|least| number <= *least) {
            format!("must be more than {least}")
        } else if let Some(most) = bound("exclusiveMaximum").filter(|most| number >= *most) {
            format!("must be less than {most}")
        } else {
            return;
        };
        found.push(self.mistake("out-of-range", place, &text).at(node.span, text));
    }

    pub(super) fn string(
        &self,
        node: &Node,
        text: &Text,
        schema: &Json,
        place: &Place,
        found: &mut Vec<Diagnostic>,
    ) {
        let limit = |keyword: &str| schema.get(keyword).and_then(Json::as_u64);
        let len = text.value.chars().count() as u64;
        if limit("minLength").is_some_and(|least| len < least) {
            let what = if len == 0 { "must not be empty" } else { "is too short" };
            found.push(self.mistake("length", place, what).at(node.span, what));
            return;
        }
        if let Some(most) = limit("maxLength").filter(|most| len > *most) {
            let text = format!("at most {most} characters");
            found.push(self.mistake("length", place, "is too long").at(node.span, text));
            return;
        }
        let format = schema.get("format").and_then(Json::as_str).unwrap_or_default();
        let (valid, what, help) = match format {
            "byte-size" => (
                text.value.parse::<ByteSize>().is_ok(),
                "a size",
                "write `1048576`, `\"512 KiB\"` or `\"10 MB\"`",
            ),
            "period" => (
                text.value.parse::<Period>().is_ok(),
                "a time span",
                "write `2.5`, `\"250ms\"`, `\"5s\"` or `\"1h\"`",
            ),
            _ => return self.pattern(node, text, schema, place, found),
        };
        if !valid {
            let what = format!("is not {what}");
            found.push(self.mistake("format", place, &what).at(node.span, what).help(help));
        }
    }

    fn pattern(
        &self,
        node: &Node,
        text: &Text,
        schema: &Json,
        place: &Place,
        found: &mut Vec<Diagnostic>,
    ) {
        let Some(pattern) = schema.get("pattern").and_then(Json::as_str) else { return };
        // A pattern this crate's engine cannot read is the component's mistake, not the user's.
        let Ok(regex) = regex::Regex::new(pattern) else { return };
        if !regex.is_match(&text.value) {
            let diagnostic = self.mistake("format", place, "is not of the right form");
            let label = format!("must match `{pattern}`");
            let diagnostic = diagnostic.at(node.span, label);
            found.push(match shape::description(schema) {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
    }
}

/// The range of an integer format, where the schema leaves it to the format.
fn range(format: &str) -> (Option<f64>, Option<f64>) {
    let (least, most) = match format {
        "int8" => (f64::from(i8::MIN), f64::from(i8::MAX)),
        "int16" => (f64::from(i16::MIN), f64::from(i16::MAX)),
        "int32" => (f64::from(i32::MIN), f64::from(i32::MAX)),
        "int64" | "int" => (i64::MIN as f64, i64::MAX as f64),
        "uint8" => (0.0, f64::from(u8::MAX)),
        "uint16" => (0.0, f64::from(u16::MAX)),
        "uint32" => (0.0, f64::from(u32::MAX)),
        "uint64" | "uint" => (0.0, u64::MAX as f64),
        _ => return (None, None),
    };
    (Some(least), Some(most))
}

fn equals(node: &Node, value: &Json) -> bool {
    match &node.value {
        Value::String(text) => value.as_str() == Some(&text.value),
        Value::Integer(number) => {
            value.as_i64().map(i128::from) == Some(*number)
                || value.as_u64().map(i128::from) == Some(*number)
        }
        Value::Float(number) => value.as_f64() == Some(*number),
        Value::Boolean(boolean) => value.as_bool() == Some(*boolean),
        _ => false,
    }
}

fn name(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
