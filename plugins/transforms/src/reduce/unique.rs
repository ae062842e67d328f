//! The different values of a field, in the order in which they came, as a JSON array.

use std::collections::HashSet;

use lograil_event::{ValueRef, json_text};

use crate::event_key::append_value;

/// The set.
#[derive(Debug, Default)]
pub(super) struct Unique {
    /// Canonical forms, so that `1` and `1.0` are one value.
    seen: HashSet<Box<[u8]>>,
    /// The array's text without its brackets.
    text: Vec<u8>,
    form: Vec<u8>,
    bytes: usize,
}

impl Unique {
    /// Adds a value; of an array its elements, of an object its members' values.
    pub(super) fn add(&mut self, value: ValueRef<'_>) {
        let mut scratch = Vec::new();
        match value {
            ValueRef::Array(text) => {
                for element in json_text::elements(text) {
                    self.add_one(element.value(&mut scratch));
                }
            }
            ValueRef::Object(text) => {
                for (_, member) in json_text::members(text) {
                    self.add_one(member.value(&mut scratch));
                }
            }
            other => self.add_one(other),
        }
    }

    fn add_one(&mut self, value: ValueRef<'_>) {
        self.form.clear();
        append_value(Some(value), &mut self.form);
        if self.seen.contains(&*self.form) {
            return;
        }
        self.bytes += self.form.len() + size_of::<Box<[u8]>>();
        self.seen.insert(self.form.as_slice().into());
        if !self.text.is_empty() {
            self.text.push(b',');
        }
        lograil_codec::json::encode_value(value, &mut self.text);
    }

    /// The array's text without its brackets.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes + self.text.capacity()
    }
}
