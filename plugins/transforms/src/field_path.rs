//! The place of a value in an event, as options name it: `service`, `.http.method`, `tags[0]`, `"a.b"`.

use lograil_event::json_text::{self, PathStep};
use lograil_event::{Batch, EventRef, Key, ValueRef};
use lograil_plugin::ConfigError;

use crate::numeric::{number_of, number_of_field};
use crate::short_key::ShortKey;

/// A field, and the way into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    name: String,
    steps: Vec<PathStep>,
}

impl FieldPath {
    /// Reads a path; `at` is the option it stands in.
    pub(crate) fn parse(text: &str, at: &[&str]) -> Result<Self, ConfigError> {
        let mistake = |(message, place): (&str, usize)| {
            let help = "write it like `service`, `.http.method`, `tags[0]` or `\"a.b\"`";
            let message = format!("`{text}` is no path of a field: {message}");
            let error = ConfigError::new(at.iter().copied(), message).help(help);
            // A place in the middle of a character would be none.
            let place = if text.is_char_boundary(place) { place } else { 0 };
            error.within(place..text.len().max(place))
        };
        let mut rest = text.strip_prefix('.').unwrap_or(text);
        let name =
            segment(&mut rest).map_err(|message| mistake((message, text.len() - rest.len())))?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let place = text.len() - rest.len();
            if let Some(index) = rest.strip_prefix('[') {
                let end = index.find(']').ok_or(("a `]` is missing", place)).map_err(mistake)?;
                let number = index[..end]
                    .parse()
                    .map_err(|_| mistake(("an index is a whole number", place)))?;
                steps.push(PathStep::Index(number));
                rest = &index[end + 1..];
            } else if let Some(next) = rest.strip_prefix('.') {
                rest = next;
                steps.push(PathStep::Name(
                    segment(&mut rest).map_err(|message| mistake((message, place)))?,
                ));
            } else {
                return Err(mistake(("a `.` or `[` is expected here", place)));
            }
        }
        Ok(Self { name, steps })
    }

    /// The name of the field that holds the value.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the path is the field itself.
    pub(crate) fn is_whole_field(&self) -> bool {
        self.steps.is_empty()
    }

    /// The key of the field in a batch.
    pub(crate) fn key(&self, batch: &Batch) -> Option<Key> {
        batch.find_key(&self.name)
    }

    /// The value in an event as a short key, where it is a field and can be one; `key` is [`Self::key`] of its batch.
    #[inline]
    pub(crate) fn short_key(&self, event: EventRef<'_>, key: Option<Key>) -> Option<ShortKey> {
        if self.steps.is_empty() { ShortKey::of(event, key?) } else { None }
    }

    /// The finite number in an event, also of a text that is one; as [`Self::get`].
    #[inline]
    pub(crate) fn number(
        &self,
        event: EventRef<'_>,
        key: Option<Key>,
        scratch: &mut Vec<u8>,
    ) -> Option<f64> {
        if self.steps.is_empty() {
            return number_of_field(event, event.field(key?)?);
        }
        self.get(event, key, scratch).and_then(number_of)
    }

    /// The value in an event; `key` is [`Self::key`] of its batch. A text with escapes goes through `scratch`.
    #[inline]
    pub(crate) fn get<'a>(
        &self,
        event: EventRef<'a>,
        key: Option<Key>,
        scratch: &'a mut Vec<u8>,
    ) -> Option<ValueRef<'a>> {
        let value = event.get(key?)?;
        if self.steps.is_empty() {
            return Some(value);
        }
        match value {
            ValueRef::Object(text) | ValueRef::Array(text) => {
                json_text::get(text, &self.steps, scratch)
            }
            _ => None,
        }
    }
}

/// Takes a name from the front: quoted, or up to the next `.` or `[`.
fn segment(rest: &mut &str) -> Result<String, &'static str> {
    if let Some(quoted) = rest.strip_prefix('"') {
        let end = quoted.find('"').ok_or("a quote is not closed")?;
        *rest = &quoted[end + 1..];
        return Ok(quoted[..end].to_owned());
    }
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    if name.is_empty() {
        return Err("a name is missing");
    }
    if let Some(wrong) = name.find(|c: char| c.is_whitespace() || "]{}()\"'".contains(c)) {
        *rest = &rest[wrong..];
        return Err("a name with such characters goes in double quotes");
    }
    *rest = behind;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_testkit::batch_of_json;
    use serde_json::json;

    #[test]
    fn leads_to_values_at_any_depth() {
        let event = json!({"a": 1, "a.b": 2, "http": {"method": "GE\nT", "tags": ["x", "y"]}});
        let batch = batch_of_json(&[event]);
        for (path, wanted) in [
            ("a", Some(ValueRef::I64(1))),
            (".a", Some(ValueRef::I64(1))),
            ("\"a.b\"", Some(ValueRef::I64(2))),
            ("a.b", None),
            (".http.method", Some(ValueRef::Str { text: b"GE\nT", clean: false })),
            ("http.tags[-1]", Some(ValueRef::Str { text: b"y", clean: true })),
            ("http.tags[2]", None),
            ("none", None),
        ] {
            let parsed = FieldPath::parse(path, &["key_field"]).unwrap();
            let mut scratch = Vec::new();
            let found = parsed.get(batch.event(0), parsed.key(&batch), &mut scratch);
            assert_eq!(found, wanted, "{path}");
        }
    }

    #[test]
    fn mistakes_name_their_place() {
        for (path, place) in [
            ("", 0),
            (".", 1),
            ("a..b", 1),
            ("a[x]", 1),
            ("a[1", 1),
            ("a b", 1),
            ("\"a", 0),
            ("a]", 1),
            ("{{ service }}", 0),
            ("\"a\"b", 3),
        ] {
            let error = FieldPath::parse(path, &["fields", "match"]).unwrap_err();
            assert_eq!(error.path, ["fields", "match"]);
            assert_eq!(error.within.unwrap().start, place, "{path}");
        }
    }
}
