//! Values as fields: what a program computed for one event, as a batch keeps it.

use std::ops::Range;

use lograil_event::{Batch, Field, FieldFlags, SEGMENTS_MAX, Span, Tag};

use crate::TEXT_BYTES_MAX;
use crate::error::EvalError;
use crate::value::{Array, Object, Value};

/// Segments that are searched for a text that is already in the batch.
const SEGMENTS_SEARCHED: usize = 4;

/// Stands for the segment that new texts come to, until that is there.
const NEW: u8 = u8::MAX;
const _: () = assert!(SEGMENTS_MAX <= NEW as usize, "no segment has that index");

/// New texts of a batch, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// Where the last text of each root lies.
    last: Vec<Range<usize>>,
    /// Whether some field points here.
    is_used: bool,
}

impl Texts {
    /// Forgets all, for a program of so many roots.
    pub(crate) fn clear(&mut self, roots: usize) {
        self.bytes.clear();
        self.last.clear();
        self.last.resize(roots, 0..0);
        self.is_used = false;
    }

    /// How much there is, for [`Texts::truncate`].
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Puts the texts into the batch; gives where.
    pub(crate) fn place(&self, batch: &mut Batch) -> Placed {
        if self.is_used { Placed(batch.push_text(&self.bytes)) } else { Placed(NOWHERE) }
    }
}

const NOWHERE: Span = Span { segment: NEW, offset: 0, len: 0 };

/// Where in a batch the new texts lie.
#[derive(Clone, Copy)]
pub(crate) struct Placed(Span);

impl Placed {
    /// The field with its text where that is now.
    #[inline]
    pub(crate) fn field(self, field: Field) -> Field {
        let Span { segment, offset, len } = field.span();
        if segment != NEW {
            return field;
        }
        let span = Span { segment: self.0.segment, offset: self.0.offset + offset, len };
        Field::text(field.key, field.tag, span, field.flags())
    }
}

/// Makes fields of the values of one event.
pub(crate) struct FieldWriter<'w, 'b> {
    batch: &'b Batch,
    event: usize,
    texts: &'w mut Texts,
}

impl<'w, 'b> FieldWriter<'w, 'b> {
    #[inline]
    pub(crate) fn new(batch: &'b Batch, event: usize, texts: &'w mut Texts) -> Self {
        Self { batch, event, texts }
    }

    /// A value as a field; its key is the number of its root.
    #[inline]
    pub(crate) fn field(&mut self, root: u32, value: Value<'_>) -> Result<Field, EvalError> {
        Ok(match value {
            Value::Null => Field::null(root),
            Value::Boolean(value) => Field::bool(root, value),
            Value::Integer(value) => Field::i64(root, value),
            Value::Float(value) => Field::f64(root, value),
            Value::Timestamp(ns) => Field::timestamp(root, ns),
            Value::String(text) => return self.text(root, text_tag(text), text),
            other => return self.nested(root, other),
        })
    }

    #[inline(never)]
    fn nested(&mut self, root: u32, value: Value<'_>) -> Result<Field, EvalError> {
        match value {
            Value::Regex(regex) => self.text(root, Tag::Str, regex.as_str().as_bytes()),
            Value::Array(Array::Json(text)) => self.text(root, Tag::Array, text),
            Value::Object(Object::Json(text)) => self.text(root, Tag::Object, text),
            _ => {
                let start = self.texts.bytes.len();
                value
                    .write_json_within(
                        &mut self.texts.bytes,
                        crate::json::DEPTH_MAX,
                        TEXT_BYTES_MAX,
                    )
                    .map_err(|_| EvalError::TooMuch)?;
                let tag = if matches!(value, Value::Array(_)) { Tag::Array } else { Tag::Object };
                Ok(self.new_text(root, tag, start..self.texts.bytes.len()))
            }
        }
    }

    #[inline(never)]
    fn text(&mut self, root: u32, tag: Tag, text: &[u8]) -> Result<Field, EvalError> {
        // Many programs write the same into one event after the other.
        let last = self.texts.last.get(root as usize).cloned().unwrap_or_default();
        if !text.is_empty() && self.texts.bytes.get(last.clone()) == Some(text) {
            return Ok(self.new_text(root, tag, last));
        }
        if let Some(span) = self.find(text) {
            return Ok(Field::text(root, tag, span, FieldFlags::NONE));
        }
        let start = self.texts.bytes.len();
        if start + text.len() > TEXT_BYTES_MAX {
            return Err(EvalError::TooMuch);
        }
        self.texts.bytes.extend_from_slice(text);
        let range = start..self.texts.bytes.len();
        if let Some(last) = self.texts.last.get_mut(root as usize) {
            *last = range.clone();
        }
        Ok(self.new_text(root, tag, range))
    }

    fn new_text(&mut self, root: u32, tag: Tag, range: Range<usize>) -> Field {
        self.texts.is_used = true;
        // The bound on all texts together keeps both numbers small.
        let span = Span { segment: NEW, offset: range.start as u32, len: range.len() as u32 };
        Field::text(root, tag, span, FieldFlags::NONE)
    }

    /// Where in the batch a text lies, if it is a part of it: then it need not be copied.
    fn find(&self, text: &[u8]) -> Option<Span> {
        let within = |segment: u8| {
            let block = self.batch.block(segment);
            let offset = (text.as_ptr() as usize).checked_sub(block.as_ptr() as usize)?;
            let fits = offset.checked_add(text.len())? <= block.len();
            fits.then_some(Span { segment, offset: offset as u32, len: text.len() as u32 })
        };
        let segments = self.batch.segments().len();
        if text.is_empty() || segments == 0 {
            return None;
        }
        // Most texts of an event lie where it was read.
        let raw = self.batch.records()[self.event].read_at();
        raw.and_then(|raw| within(raw.segment)).or_else(|| {
            let last = segments.min(usize::from(u8::MAX) + 1);
            let first = last.saturating_sub(SEGMENTS_SEARCHED);
            (first..last).find_map(|segment| within(segment as u8))
        })
    }
}

/// Text, or bytes where it is none. Most texts are short and ASCII, which is told faster than UTF-8 is.
#[inline]
pub(crate) fn text_tag(text: &[u8]) -> Tag {
    let is_text = text.is_ascii() || std::str::from_utf8(text).is_ok();
    if is_text { Tag::Str } else { Tag::Bytes }
}
