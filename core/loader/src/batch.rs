//! Batches between the program and a plugin: shown as arrays, taken back as arrays that are checked.

use std::ffi::c_void;
use std::sync::Arc;

use bytes::Bytes;
use lograil_abi as abi;
use lograil_abi::{Str, status};
use lograil_event::{
    Batch, DerivedBatch, EventRecord, Field, ForeignBatch, Key, KeyTable, Origin, Segment, Tag,
};

/// Key names as a plugin sees them.
pub(crate) struct KeyNames {
    table: Arc<KeyTable>,
    /// They point into the table.
    names: Vec<Str>,
    id: u64,
}

// SAFETY: the texts are those of the table beside them, which nobody changes.
unsafe impl Send for KeyNames {}
// SAFETY: as above.
unsafe impl Sync for KeyNames {}

/// Key tables that came last, since they seldom change from batch to batch.
#[derive(Default)]
pub(crate) struct KeyCache {
    shown: Option<Arc<KeyNames>>,
    last_id: u64,
    /// A table that was made from another one and more names.
    extended: Option<(Arc<KeyTable>, Arc<KeyTable>)>,
}

impl KeyCache {
    fn names(&mut self, table: &Arc<KeyTable>) -> Arc<KeyNames> {
        if let Some(shown) = &self.shown
            && Arc::ptr_eq(&shown.table, table)
        {
            return Arc::clone(shown);
        }
        self.last_id += 1;
        let names = table.names().map(Str::new).collect();
        let names = Arc::new(KeyNames { table: Arc::clone(table), names, id: self.last_id });
        self.shown = Some(Arc::clone(&names));
        names
    }

    /// The table that `base` and more names make.
    fn extend(&mut self, base: &Arc<KeyTable>, more: &[&str]) -> Arc<KeyTable> {
        if more.is_empty() {
            return Arc::clone(base);
        }
        if let Some((from, made)) = &self.extended
            && Arc::ptr_eq(from, base)
            && made.len() == base.len() + more.len()
            && made.names().skip(base.len()).eq(more.iter().copied())
        {
            return Arc::clone(made);
        }
        let mut table = (**base).clone();
        for name in more {
            table.intern(name);
        }
        let made = Arc::new(table);
        self.extended = Some((Arc::clone(base), Arc::clone(&made)));
        made
    }
}

/// A batch that a plugin looks at. Counted by an `Arc` whose pointer the plugin holds.
pub(crate) struct HostBatch {
    pub batch: Batch,
    segments: Vec<abi::Segment>,
    names: Arc<KeyNames>,
    token: u64,
}

// SAFETY: the segments point into the batch beside them, which nobody changes.
unsafe impl Send for HostBatch {}
// SAFETY: as above.
unsafe impl Sync for HostBatch {}

impl HostBatch {
    /// A batch to be shown. Its arena must be frozen.
    pub fn new(batch: Batch, token: u64, keys: &mut KeyCache) -> Arc<Self> {
        let names = keys.names(batch.shared_keys());
        let describe = |segment: &Segment| {
            let origin = segment.origin.unwrap_or(Origin { stream: 0, offset: 0 });
            abi::Segment {
                ptr: segment.bytes.as_ptr(),
                len: segment.bytes.len() as u64,
                stream: origin.stream,
                offset: origin.offset,
                flags: if segment.origin.is_some() { abi::SEGMENT_HAS_ORIGIN } else { 0 },
                reserved: 0,
            }
        };
        let segments = batch.segments().iter().map(describe).collect();
        Arc::new(Self { batch, segments, names, token })
    }

    pub fn as_handle(self: &Arc<Self>) -> *const abi::Batch {
        Arc::as_ptr(self).cast()
    }

    /// The batch behind a pointer that a plugin gives back.
    ///
    /// # Safety
    /// `handle` must be null or a batch that the plugin was given and holds.
    pub unsafe fn of<'a>(handle: *const abi::Batch) -> Option<&'a Self> {
        // SAFETY: the caller vouches for it.
        unsafe { handle.cast::<Self>().as_ref() }
    }

    fn view(&self) -> abi::View {
        abi::View {
            size: size_of::<abi::View>() as u32,
            layout: abi::LAYOUT,
            // `abi::Event` and `EventRecord`, `abi::Field` and `Field` are the same in memory (held by a test).
            events: self.batch.records().as_ptr().cast(),
            fields: self.batch.fields().as_ptr().cast(),
            segments: self.segments.as_ptr(),
            keys: self.names.names.as_ptr(),
            event_count: self.batch.len() as u32,
            field_count: self.batch.fields().len() as u32,
            segment_count: self.segments.len() as u32,
            key_count: self.names.names.len() as u32,
            keys_id: self.names.id,
            token: self.token,
        }
    }
}

pub(crate) unsafe extern "C" fn view(batch: *const abi::Batch, out: *mut abi::View) -> abi::Status {
    // SAFETY: the plugin gives back a batch that it was given.
    let Some(batch) = (unsafe { HostBatch::of(batch) }) else { return status::INVALID };
    if out.is_null() {
        return status::INVALID;
    }
    // SAFETY: the plugin vouches for the place and its size, which is its first field. A plugin that knows
    // less of a view than we do gets that much.
    unsafe {
        let size = ((*out).size as usize).min(size_of::<abi::View>());
        let mut view = batch.view();
        view.size = size as u32;
        std::ptr::copy_nonoverlapping((&raw const view).cast::<u8>(), out.cast::<u8>(), size);
    }
    status::OK
}

pub(crate) unsafe extern "C" fn batch_ref(batch: *const abi::Batch) {
    if !batch.is_null() {
        // SAFETY: the pointer is that of an `Arc<HostBatch>` that the plugin holds.
        unsafe { Arc::increment_strong_count(batch.cast::<HostBatch>()) };
    }
}

pub(crate) unsafe extern "C" fn batch_unref(batch: *const abi::Batch) {
    if !batch.is_null() {
        // SAFETY: as above, and the plugin gives up one count that it took.
        unsafe { Arc::decrement_strong_count(batch.cast::<HostBatch>()) };
    }
}

const IS_TAG: [bool; 256] = {
    let mut is_tag = [false; 256];
    let tags = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17];
    let mut at = 0;
    while at < tags.len() {
        is_tag[tags[at]] = true;
        at += 1;
    }
    is_tag
};

/// Makes a batch of what a plugin emits, or says what is wrong with it.
///
/// # Safety
/// The pointers and counts of `output` must be what they claim to be; everything else is checked.
pub(crate) unsafe fn take(output: &abi::Output, keys: &mut KeyCache) -> Result<Batch, String> {
    // SAFETY: the caller vouches for pointers and counts.
    let (base, events, fields, segments, names) = unsafe {
        (
            HostBatch::of(output.base).map(|base| &base.batch),
            abi::slice(output.events.cast::<EventRecord>(), output.event_count as usize),
            abi::slice(output.fields, output.field_count as usize),
            abi::slice(output.segments, output.segment_count as usize),
            abi::slice(output.keys, output.key_count as usize),
        )
    };
    let mut more = Vec::with_capacity(names.len());
    for name in names {
        // SAFETY: as above.
        let name = std::str::from_utf8(unsafe { name.bytes() });
        more.push(name.map_err(|_| "emitted a key that is not UTF-8".to_owned())?);
    }
    // Most often nothing but events went: then the fields need no look at all.
    let is_unchanged = base.is_some_and(|base| is_equal(fields, base.fields()));
    if !is_unchanged
        && let Some(at) = fields.iter().position(|field| !IS_TAG[usize::from(field.tag)])
    {
        return Err(format!("emitted field {at} with the unknown tag {}", fields[at].tag));
    }
    // SAFETY: every tag is one that `Field` knows, and all other bits mean what they mean there.
    let fields: &[Field] = unsafe { abi::slice(fields.as_ptr().cast(), fields.len()) };
    let empty = Arc::default();
    let base_keys = base.map_or(&empty, Batch::shared_keys);
    let table = keys.extend(base_keys, &more);
    if table.len() != base_keys.len() + more.len() {
        return Err("emitted the same key twice".to_owned());
    }
    let more = segments.iter().map(|segment| {
        // SAFETY: as above.
        let bytes = unsafe { abi::slice(segment.ptr, segment.len as usize) };
        let origin = (segment.flags & abi::SEGMENT_HAS_ORIGIN != 0)
            .then_some(Origin { stream: segment.stream, offset: segment.offset });
        Segment { bytes: Bytes::copy_from_slice(bytes), origin }
    });
    let (segments, events) = (more.collect(), events.to_vec());
    let batch = match base {
        Some(base) => {
            let fields = (!is_unchanged).then(|| fields.to_vec());
            DerivedBatch { base, segments, keys: table, fields, events }.validate()
        }
        None => {
            let (fields, keys) = (fields.to_vec(), (*table).clone());
            ForeignBatch { segments, fields, events, keys }.validate()
        }
    };
    batch.map_err(|error| format!("emitted an invalid batch: {error}"))
}

/// Whether two arrays are the same, bit by bit.
fn is_equal(one: &[abi::Field], other: &[Field]) -> bool {
    // SAFETY: both are 16 bytes without a gap (held by a test), so that all of them are initialised.
    let (one, other) = unsafe {
        (
            std::slice::from_raw_parts(one.as_ptr().cast::<u8>(), size_of_val(one)),
            std::slice::from_raw_parts(other.as_ptr().cast::<u8>(), size_of_val(other)),
        )
    };
    one == other
}

/// Whether a text is what its tag says.
pub(crate) fn is_text_of(tag: Tag, text: &[u8]) -> bool {
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    match tag {
        Tag::Bytes => true,
        Tag::Str => std::str::from_utf8(text).is_ok(),
        Tag::Number => {
            matches!(text.first(), Some(b'-' | b'0'..=b'9'))
                && text.trim_ascii() == text
                && is_json()
        }
        Tag::Object => text.first() == Some(&b'{') && text.trim_ascii() == text && is_json(),
        Tag::Array => text.first() == Some(&b'[') && text.trim_ascii() == text && is_json(),
        _ => false,
    }
}

/// The key of an id that a plugin names, if there is one.
pub(crate) fn key_of(keys: &KeyTable, id: u32) -> Option<Key> {
    ((id as usize) < keys.len()).then_some(Key(id))
}

/// A pointer of a plugin, as something of ours.
///
/// # Safety
/// It must be null or come from `Box::into_raw` of a `T` that is not in use by another call.
pub(crate) unsafe fn of_box<'a, T>(pointer: *mut c_void) -> Option<&'a mut T> {
    // SAFETY: the caller vouches for it.
    unsafe { pointer.cast::<T>().as_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_event::{EventFlags, FieldFlags, Span};
    use lograil_testkit::{Dice, conformance, events_of};

    /// The casts in this crate and in the SDK rest on this.
    #[test]
    fn records_of_the_interface_are_those_of_a_batch_in_memory() {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let key = edit.key("k");
        edit.key("other");
        let span = Span { segment: 0xAB, offset: 0x1234_5678, len: 0x9ABC_DEF0 };
        edit.fields().push(Field::i64(1, -2));
        edit.fields().push(Field::text(key.0, Tag::Array, span, FieldFlags::CLEAN));
        let mut record = EventRecord::empty(-5, 7);
        (record.count, record.capacity, record.raw_fields) = (11, 13, 3);
        record.set_raw(Span { segment: 0xCD, offset: 17, len: 19 });
        record.flags.insert(EventFlags::RAW_DOCUMENT);
        edit.events().push(record);
        let shown = HostBatch::new(batch, 23, &mut KeyCache::default());
        let view = shown.view();
        // SAFETY: the view is that of a batch that lives.
        let (fields, events) = unsafe { (abi::slice(view.fields, 2), abi::slice(view.events, 1)) };
        let number =
            abi::Field { key: 1, tag: abi::tag::I64, segment: 0, flags: 0, payload: -2_i64 as u64 };
        let payload = 0x9ABC_DEF0_1234_5678;
        let (tag, segment) = (abi::tag::ARRAY, 0xAB);
        assert_eq!(fields, [number, abi::Field { key: 0, tag, segment, flags: 1, payload }]);
        let event = abi::Event {
            timestamp_ns: -5,
            first: 7,
            count: 11,
            capacity: 13,
            raw_fields: 3,
            raw_offset: 17,
            raw_len: 19,
            raw_segment: 0xCD,
            flags: abi::event_flags::RAW | abi::event_flags::RAW_DOCUMENT,
            reserved: [0; 6],
        };
        assert_eq!(events, [event]);
        assert_eq!((view.token, view.key_count), (23, 2));
    }

    /// Arrays as a plugin could emit them: those of a batch, a few bytes of which are others.
    fn mutated<T: Copy>(dice: &mut Dice, array: &[T]) -> Vec<T> {
        let mut changed = array.to_vec();
        // SAFETY: every bit pattern is one of the plain numbers that the records are made of.
        let bytes = unsafe {
            std::slice::from_raw_parts_mut(
                changed.as_mut_ptr().cast::<u8>(),
                size_of_val(&changed[..]),
            )
        };
        for _ in 0..dice.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = dice.below(bytes.len());
            bytes[at] = match dice.below(3) {
                0 => dice.roll() as u8,
                1 => bytes[at].wrapping_add(1),
                _ => 0xFF,
            };
        }
        changed
    }

    /// Whatever a plugin emits is refused, or a batch that is valid in every field and can be read.
    #[test]
    fn no_mutation_of_a_batch_gets_past_the_check() {
        let (mut refused, mut taken) = (0, 0);
        for (name, batch) in conformance::corpus(&serde_json::Value::Null) {
            if batch.len() > 100 || batch.size_bytes() > 100_000 {
                continue;
            }
            let mut dice = Dice::new(9);
            let mut keys = KeyCache::default();
            let mut batch = batch;
            batch.freeze();
            let shown = HostBatch::new(batch, 0, &mut keys);
            let view = shown.view();
            // SAFETY: the view is that of a batch that lives.
            let (events, fields, segments, names) = unsafe {
                (
                    abi::slice(view.events, view.event_count as usize),
                    abi::slice(view.fields, view.field_count as usize),
                    abi::slice(view.segments, view.segment_count as usize),
                    abi::slice(view.keys, view.key_count as usize),
                )
            };
            for round in 0..2_000 {
                let (events, fields) = (mutated(&mut dice, events), mutated(&mut dice, fields));
                let has_base = round % 2 == 0;
                let mut output = abi::Output {
                    size: size_of::<abi::Output>() as u32,
                    port: 0,
                    base: std::ptr::null(),
                    events: events.as_ptr(),
                    fields: fields.as_ptr(),
                    segments: segments.as_ptr(),
                    keys: names.as_ptr(),
                    tokens: std::ptr::null(),
                    positions: std::ptr::null(),
                    event_count: events.len() as u32,
                    field_count: fields.len() as u32,
                    segment_count: segments.len() as u32,
                    key_count: names.len() as u32,
                    token_count: 0,
                    position_count: 0,
                };
                if has_base {
                    (output.base, output.segment_count, output.key_count) =
                        (shown.as_handle(), 0, 0);
                }
                // SAFETY: pointers and counts are what they claim to be.
                match unsafe { take(&output, &mut keys) } {
                    Ok(batch) => {
                        taken += 1;
                        let again = ForeignBatch {
                            segments: batch.segments().to_vec(),
                            fields: batch.fields().to_vec(),
                            events: batch.records().to_vec(),
                            keys: batch.keys().clone(),
                        };
                        assert!(again.validate().is_ok(), "{name} {round}");
                        let _read = events_of(&batch);
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 500 && taken > 500, "{refused} {taken}");
    }

    #[test]
    fn every_tag_of_a_batch_is_one_of_the_interface_and_no_other() {
        for value in 0..=u8::MAX {
            assert_eq!(IS_TAG[usize::from(value)], Tag::from_u8(value).is_some(), "{value}");
        }
    }
}
