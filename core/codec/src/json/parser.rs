//! The batch parser: the text of one field of every event becomes the event's fields, in place.

use std::sync::Arc;

use bytes::Bytes;
use lograil_event::{
    Batch, BatchMut, EventFlags, Field, FieldFlags, Key, KeyTable, Span, Tag, json_text,
};

use super::error::{JsonError, JsonErrorKind};
use super::grammar::{
    byte_at, expect_end, skip_colon, skip_number, skip_space, skip_value, skip_word, string_end,
};
use super::shapes::{NONE, ROOT, Shapes, key_bit};

/// Key tables a parser keeps at once: one for each kind of batch that reaches it in turn.
const TABLES_MAX: usize = 4;

/// Most fields an event that room is reserved for ahead, so that one huge event asks no huge room of the next batch.
const FIELDS_RESERVED_MAX: usize = 64;

/// Room for fields that are added later, so that the first of them does not make the event move.
const SLACK_FIELDS: usize = 2;

/// What becomes of the parsed value and of the field it was parsed from.
#[derive(Debug, Clone, Copy, Default)]
pub struct ParseOptions<'a> {
    /// Put the whole value under this key, instead of an object's members into the event.
    pub target: Option<&'a str>,
    /// Keep the field that was parsed, behind the parsed ones, unless one of those has its name.
    pub keep_source: bool,
}

/// Parses JSON over whole batches, and learns the shapes of the objects of a stream.
#[derive(Debug, Default)]
pub struct Parser {
    /// Most recently used first.
    tables: Vec<Shapes>,
    /// How many fields an event had lately.
    fields_per_event: usize,
}

impl Parser {
    /// A parser that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the text of `field` in every event.
    ///
    /// The members of an object become the event's first fields, in place of `field`; other fields follow,
    /// except where a member has their name. Of members with one name the last value counts, in the place of
    /// the first. A document that is no object replaces the value of `field`. An event that cannot be parsed
    /// stays as it is, and its index and the reason are added to `failures`.
    pub fn parse_batch(
        &mut self,
        batch: &mut Batch,
        field: &str,
        options: ParseOptions<'_>,
        failures: &mut Vec<(usize, JsonError)>,
    ) {
        batch.freeze();
        let mut shapes = self.take_table(batch.shared_keys());
        let source = shapes.intern(field);
        let target = options.target.map(|name| shapes.intern(name));
        let mut edit = batch.edit();
        let before = edit.fields().len();
        let count = edit.events().len();
        edit.fields().reserve(count * self.fields_per_event);
        let keep_source = options.keep_source;
        let mut run = Run { shapes: &mut shapes, edit, source, target, keep_source };
        let mut block = (None, Bytes::new());
        for event in 0..count {
            if let Err(error) = run.parse_event(event, &mut block) {
                failures.push((event, error));
            }
        }
        let fields_per_event = (run.edit.fields().len() - before).div_ceil(count.max(1));
        self.fields_per_event = fields_per_event.min(FIELDS_RESERVED_MAX);
        run.edit.set_keys(&run.shapes.keys);
        if !shapes.is_worn() {
            self.tables.insert(0, shapes);
        }
    }

    /// The table that extends the batch's keys, or a new one.
    fn take_table(&mut self, keys: &Arc<KeyTable>) -> Shapes {
        match self.tables.iter().position(|shapes| shapes.keys.extends(keys)) {
            Some(at) => self.tables.remove(at),
            None => {
                self.tables.truncate(TABLES_MAX - 1);
                Shapes::new(Arc::clone(keys))
            }
        }
    }
}

/// One text to parse: where it is, and what else is in its block.
#[derive(Clone, Copy)]
struct Document<'a> {
    /// The whole block: the text and whatever follows it.
    block: &'a [u8],
    /// The block up to the end of the text.
    text: &'a [u8],
    segment: u8,
}

impl Document<'_> {
    #[inline]
    fn field(&self, key: u32, tag: Tag, start: usize, end: usize, flags: FieldFlags) -> Field {
        let (offset, len) = (start as u32, (end - start) as u32);
        Field::text(key, tag, Span { segment: self.segment, offset, len }, flags)
    }
}

/// The parsing of one batch.
struct Run<'r> {
    shapes: &'r mut Shapes,
    edit: BatchMut<'r>,
    source: u32,
    target: Option<u32>,
    keep_source: bool,
}

impl Run<'_> {
    /// `block` is the block that the last event was in, kept because the next is likely in it too.
    #[inline]
    fn parse_event(
        &mut self,
        event: usize,
        block: &mut (Option<u8>, Bytes),
    ) -> Result<(), JsonError> {
        let span = self.source_span(event)?;
        if block.0 != Some(span.segment) {
            *block = (Some(span.segment), self.edit.segment_bytes(span.segment));
        }
        let start = span.offset as usize;
        let text = &block.1[..start + span.len as usize];
        let document = Document { block: &block.1, text, segment: span.segment };
        let at = skip_space(text, start);
        let first = self.edit.fields().len();
        let parsed = if byte_at(text, at) == b'{' && self.target.is_none() {
            self.parse_object(document, at + 1)
                .map(|node| self.finish_object(event, span, first, node))
        } else {
            self.parse_whole(document, at).map(|field| self.finish_whole(event, span, field))
        };
        parsed.map_err(|error| {
            self.edit.fields().truncate(first);
            JsonError { offset: error.offset - start, ..error }
        })
    }

    /// Where the text to parse is.
    #[inline]
    fn source_span(&mut self, event: usize) -> Result<Span, JsonError> {
        let field = self.edit.fields_of(event).iter().find(|field| field.key == self.source);
        let missing = JsonError::new(0, JsonErrorKind::MissingField);
        let field = field.ok_or(missing)?;
        match field.tag {
            Tag::Str => Ok(field.span()),
            Tag::Bytes => {
                let bytes = self.edit.text(field.span());
                let valid = simdutf8::compat::from_utf8(bytes);
                let offset = valid.map_or_else(|error| error.valid_up_to(), str::len);
                Err(JsonError::new(offset, JsonErrorKind::NotUtf8))
            }
            _ => Err(JsonError::new(0, JsonErrorKind::NotText)),
        }
    }

    /// Appends a field for each member; gives the last node of the path of keys.
    #[inline]
    fn parse_object(&mut self, document: Document<'_>, pos: usize) -> Result<u32, JsonError> {
        let text = document.text;
        let first = self.edit.fields().len();
        self.shapes.begin_object();
        let mut node = ROOT;
        let mut at = skip_space(text, pos);
        if byte_at(text, at) == b'}' {
            expect_end(text, at + 1)?;
            return Ok(node);
        }
        loop {
            if byte_at(text, at) != b'"' {
                return Err(JsonError::expected(text, at, "a key in quotes"));
            }
            let child = self.shapes.predict(node, document.block, at + 1);
            let (key, is_duplicate);
            if child == NONE {
                (node, key, is_duplicate, at) = self.learn_key(document, node, at + 1, first)?;
            } else {
                let next = self.shapes.node(child);
                (node, key, is_duplicate) = (child, next.key, next.is_duplicate);
                at = skip_space(text, at + 1 + usize::from(next.len));
            }
            let (field, end) = self.parse_value(document, at, key, 1)?;
            if is_duplicate {
                self.replace(first, field);
            } else {
                self.edit.fields().push(field);
            }
            at = skip_space(text, end);
            match byte_at(text, at) {
                b',' => at = skip_space(text, at + 1),
                b'}' => break,
                _ => return Err(JsonError::expected(text, at, "`,` or `}`")),
            }
        }
        expect_end(text, at + 1)?;
        Ok(node)
    }

    /// Reads a key that was not predicted, and what follows it up to the value.
    #[cold]
    fn learn_key(
        &mut self,
        document: Document<'_>,
        node: u32,
        pos: usize,
        first: usize,
    ) -> Result<(u32, u32, bool, usize), JsonError> {
        let (end, is_escaped) = string_end(document.block, document.text, pos)?;
        let at = skip_colon(document.text, end + 1)?;
        let earlier = self.edit.fields()[first..].iter().map(|field| field.key);
        let count = earlier.len() as u32;
        let raw = &document.text[pos..end];
        let learned = self.shapes.learn(node, raw, is_escaped, earlier);
        if learned.node == NONE && !learned.is_duplicate {
            self.shapes.mark(learned.key, count);
        }
        Ok((learned.node, learned.key, learned.is_duplicate, at))
    }

    /// Puts a later value of a key in the place of the earlier one.
    #[cold]
    fn replace(&mut self, first: usize, field: Field) {
        let marked = self.shapes.marked(field.key).map(|position| first + position as usize);
        let fields = self.edit.fields();
        let has_key = |at: &usize| fields.get(*at).is_some_and(|old| old.key == field.key);
        let at = marked.filter(has_key).or_else(|| {
            fields[first..].iter().position(|old| old.key == field.key).map(|at| first + at)
        });
        match at {
            Some(at) => fields[at] = field,
            None => fields.push(field),
        }
    }

    /// The value at `at`, which lies inside `depth` objects and arrays, and the position behind it.
    ///
    /// Inlined into the loop over members, where returning the pair through memory costs a third of the time.
    #[inline(always)]
    fn parse_value(
        &mut self,
        document: Document<'_>,
        at: usize,
        key: u32,
        depth: u32,
    ) -> Result<(Field, usize), JsonError> {
        let text = document.text;
        match byte_at(text, at) {
            b'"' => {
                let (end, is_escaped) = string_end(document.block, text, at + 1)?;
                let field = if is_escaped {
                    self.unescape(key, &text[at + 1..end])
                } else {
                    document.field(key, Tag::Str, at + 1, end, FieldFlags::CLEAN)
                };
                Ok((field, end + 1))
            }
            b'-' | b'0'..=b'9' => {
                let end = skip_number(text, at)?;
                Ok((document.field(key, Tag::Number, at, end, FieldFlags::NONE), end))
            }
            bracket @ (b'{' | b'[') => {
                let end = skip_value(document.block, text, at, depth)?;
                let tag = if bracket == b'{' { Tag::Object } else { Tag::Array };
                Ok((document.field(key, tag, at, end, FieldFlags::NONE), end))
            }
            letter => {
                let end = skip_word(text, at)?;
                let field = match letter {
                    b'n' => Field::null(key),
                    _ => Field::bool(key, letter == b't'),
                };
                Ok((field, end))
            }
        }
    }

    #[cold]
    fn unescape(&mut self, key: u32, raw: &[u8]) -> Field {
        let mut flags = FieldFlags::NONE;
        let span = self.edit.write_text(|out| {
            let start = out.len();
            json_text::unescape(raw, out);
            if lograil_event::scan::find_special(out, start) == out.len() {
                flags = FieldFlags::CLEAN;
            }
        });
        Field::text(key, Tag::Str, span, flags)
    }

    /// Makes the fields from `first` on the event's fields, and its other fields follow.
    #[inline]
    fn finish_object(&mut self, event: usize, span: Span, first: usize, node: u32) {
        let members = self.edit.fields().len() - first;
        let old = self.edit.events()[event];
        if old.count > 1 || self.keep_source {
            self.append_others(event, first, members, node);
        }
        let count = (self.edit.fields().len() - first) as u32;
        self.edit.fields().extend([Field::null(0); SLACK_FIELDS]);
        let record = &mut self.edit.events()[event];
        record.first = first as u32;
        record.count = count;
        record.capacity = count + SLACK_FIELDS as u32;
        record.flags.remove(EventFlags::RAW_DOCUMENT);
        if record.raw() == Some(span) {
            record.raw_fields = members as u32;
            record.flags.insert(EventFlags::RAW_JSON);
            record.flags.remove(EventFlags::CHANGED);
        } else {
            record.raw_fields = 0;
            record.flags.remove(EventFlags::RAW_JSON);
        }
    }

    fn append_others(&mut self, event: usize, first: usize, members: usize, node: u32) {
        let old = self.edit.events()[event];
        for at in old.first as usize..(old.first + old.count) as usize {
            let field = self.edit.fields()[at];
            if field.key == self.source && !self.keep_source {
                continue;
            }
            if !self.has_member(first, members, node, field.key) {
                self.edit.fields().push(field);
            }
        }
    }

    /// Whether one of the members from `first` on has the key.
    fn has_member(&mut self, first: usize, members: usize, node: u32, key: u32) -> bool {
        if node == NONE {
            return self.shapes.marked(key).is_some();
        }
        if self.shapes.node(node).keys_mask & key_bit(key) == 0 {
            return false;
        }
        self.edit.fields()[first..][..members].iter().any(|field| field.key == key)
    }

    /// The whole document as one value.
    fn parse_whole(&mut self, document: Document<'_>, at: usize) -> Result<Field, JsonError> {
        let key = self.target.unwrap_or(self.source);
        let (field, end) = self.parse_value(document, at, key, 0)?;
        expect_end(document.text, end)?;
        Ok(field)
    }

    fn finish_whole(&mut self, event: usize, span: Span, field: Field) {
        if field.key != self.source && !self.keep_source {
            self.edit.remove(event, Key(self.source));
        }
        self.edit.set(event, field);
        let record = &mut self.edit.events()[event];
        if self.target.is_none() && record.count == 1 && record.raw() == Some(span) {
            record.raw_fields = 1;
            record.flags.insert(EventFlags::RAW_DOCUMENT);
            record.flags.remove(EventFlags::RAW_JSON);
            record.flags.remove(EventFlags::CHANGED);
        }
    }
}
