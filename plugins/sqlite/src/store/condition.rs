//! Conditions of the expression language over rows: the rows become a batch again.

use std::cell::RefCell;

use bytes::Bytes;
use lograil_codec::json::{ParseOptions, Parser, encode_value};
use lograil_event::{Batch, Span, Tag, ValueRef};
use lograil_expr::Condition;
use lograil_plugin::StoreError;
use lograil_plugin::store::LogRow;

/// The field that holds a row's text until it is parsed. No event has it: an empty name would be refused as a path.
const SOURCE_FIELD: &str = "";

/// A compiled condition.
pub(super) struct RowCondition {
    condition: Condition,
    parser: RefCell<Parser>,
}

impl RowCondition {
    pub(super) fn compile(source: &str) -> Result<Self, StoreError> {
        let condition = Condition::compile(source).map_err(|errors| {
            let first = errors.into_iter().next();
            StoreError::Invalid {
                parameter: "where",
                within: first.as_ref().map(|error| error.span.clone()),
                message: first.as_ref().map_or_else(String::new, |error| error.message.clone()),
                help: first.and_then(|error| error.help),
            }
        })?;
        Ok(Self { condition, parser: RefCell::new(Parser::new()) })
    }

    /// The text that a field must be wherever it holds, if it requires one.
    pub(super) fn required_text(&self, field: &str) -> Option<&str> {
        let required = self.condition.required_texts();
        required.into_iter().find(|(name, _)| *name == field).map(|(_, text)| text)
    }

    /// Keeps the rows for which it holds. A row that it fails on is not kept, as in a filter.
    pub(super) fn retain(&self, rows: &mut Vec<LogRow>) {
        let batch = self.batch(rows);
        let mut bound = self.condition.bind(&batch);
        let mut index = 0;
        rows.retain(|_| {
            index += 1;
            bound.test(batch.event(index - 1)) == Ok(true)
        });
    }

    /// A batch of one event a row.
    fn batch(&self, rows: &[LogRow]) -> Batch {
        let mut text = Vec::new();
        let mut spans = Vec::with_capacity(rows.len());
        for row in rows {
            let start = text.len();
            append_event(row, &mut text);
            spans.push((row.timestamp_ns, start, text.len()));
        }
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let segment = edit.add_segment(Bytes::from(text), None);
        let key = edit.key(SOURCE_FIELD);
        for (timestamp_ns, start, end) in spans {
            let span = Span { segment, offset: start as u32, len: (end - start) as u32 };
            edit.push_line(timestamp_ns, key, Tag::Str, span, span);
        }
        let mut failures = Vec::new();
        let options = ParseOptions::default();
        self.parser.borrow_mut().parse_batch(&mut batch, SOURCE_FIELD, options, &mut failures);
        batch
    }
}

/// Appends the event that a row was, as one JSON object.
pub(super) fn append_event(row: &LogRow, out: &mut Vec<u8>) {
    let columns = [
        ("level", &row.level),
        ("service", &row.service),
        ("message", &row.message),
        ("template_id", &row.template_id),
        ("template", &row.template),
    ];
    out.push(b'{');
    for (name, text) in columns {
        let Some(text) = text else { continue };
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        encode_value(ValueRef::str(text), out);
    }
    let members = row.fields.strip_prefix('{').unwrap_or("}");
    if members != "}" && out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.extend_from_slice(members.as_bytes());
}
