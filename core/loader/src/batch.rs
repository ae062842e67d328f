//! Batches between the program and a plugin: shown as arrays, taken back as arrays that are checked.

use std::ffi::c_void;
use std::sync::Arc;

use bytes::Bytes;
use lograil_abi as abi;
use lograil_abi::{Str, status};
use lograil_event::{
    Array, Batch, DerivedBatch, EventRecord, Field, ForeignBatch, ForeignField, InvalidBatch, Key,
    KeyTable, Origin, Segment, Tag,
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

/// Arrays that a plugin lends with a batch it emits; given back when nobody needs them any more.
pub(crate) struct Lease {
    owner: *mut c_void,
    release: unsafe extern "C" fn(*mut c_void),
}

// SAFETY: the plugin vouches that any thread may give them back.
unsafe impl Send for Lease {}
// SAFETY: nothing can be done with a lease but giving it back.
unsafe impl Sync for Lease {}

impl Lease {
    /// What a plugin lends with an output.
    pub fn of(output: &abi::Output) -> Option<Arc<Self>> {
        output.release.map(|release| Arc::new(Self { owner: output.owner, release }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // SAFETY: the plugin, which is never unloaded, gave both for this one call.
        unsafe { (self.release)(self.owner) };
    }
}

/// Bytes that a lease keeps.
struct LeasedBytes {
    bytes: &'static [u8],
    _lease: Arc<Lease>,
}

impl AsRef<[u8]> for LeasedBytes {
    fn as_ref(&self) -> &[u8] {
        self.bytes
    }
}

/// Whether `part` lies in what the host itself lent, and is not a plugin's to lend.
fn is_part<T>(part: &[T], whole: &[T]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.start < part.end && whole.start <= part.start && part.end <= whole.end
}

/// An array for a batch: lent, or copied where the plugin keeps it to itself or it is of those of the host, `own`.
///
/// # Safety
/// With a lease, the records must stay as they are until it ends.
unsafe fn array<T: Copy>(records: &[T], own: &[T], lease: Option<&Arc<Lease>>) -> Array<T> {
    match lease.filter(|_| !is_part(records, own)) {
        Some(lease) => {
            // SAFETY: the array below reads it as long as it has the lease, and no longer.
            let records: &'static [T] = unsafe { abi::slice(records.as_ptr(), records.len()) };
            Array::lent(records, Arc::clone(lease) as _)
        }
        None => Array::from(records.to_vec()),
    }
}

/// What a plugin emits, as much of it as it knows; the rest is missing. `None` where it is shorter than version 1.0 says.
///
/// # Safety
/// `output` must be null or as long as its size says.
pub(crate) unsafe fn known(output: *const abi::Output) -> Option<abi::Output> {
    // SAFETY: the caller vouches for the size, the first field. What is missing are numbers that are zero, pointers that
    // are null and a function that is absent.
    unsafe {
        // No reference: it may be shorter than an output of ours.
        let size = if output.is_null() { 0 } else { (*output).size as usize };
        if size < abi::OUTPUT_BYTES_MIN {
            return None;
        }
        let mut known: abi::Output = std::mem::zeroed();
        let both = size.min(size_of::<abi::Output>());
        std::ptr::copy_nonoverlapping(output.cast::<u8>(), (&raw mut known).cast::<u8>(), both);
        Some(known)
    }
}

/// Makes a batch of what a plugin emits, or says what is wrong with it.
///
/// # Safety
/// The pointers and counts of `output` must be what they claim to be; everything else is checked.
pub(crate) unsafe fn take(
    output: &abi::Output,
    lease: Option<Arc<Lease>>,
    keys: &mut KeyCache,
) -> Result<Batch, String> {
    // SAFETY: the caller vouches for pointers and counts.
    let (base, events, fields, segments, names) = unsafe {
        (
            HostBatch::of(output.base).map(|base| &base.batch),
            abi::slice(output.events.cast::<EventRecord>(), output.event_count as usize),
            abi::slice(output.fields.cast::<ForeignField>(), output.field_count as usize),
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
    let empty = Arc::default();
    let base_keys = base.map_or(&empty, Batch::shared_keys);
    let keys = keys.extend(base_keys, &more);
    if keys.len() != base_keys.len() + more.len() {
        return Err("emitted the same key twice".to_owned());
    }
    // SAFETY: as above; what is lent stays as it is.
    let segment = |one| unsafe { segment(one, base, lease.as_ref()) };
    let segments = segments.iter().map(segment).collect();
    let batch = match base {
        // SAFETY: as above.
        Some(base) => unsafe { derived(base, segments, keys, fields, events, lease.as_ref()) },
        None => foreign(segments, &keys, fields, events),
    };
    batch.map_err(|error| format!("emitted an invalid batch: {error}"))
}

/// # Safety
/// The plugin must vouch for pointer and length, and with a lease for the bytes to stay as they are until it ends.
unsafe fn segment(
    segment: &abi::Segment,
    base: Option<&Batch>,
    lease: Option<&Arc<Lease>>,
) -> Segment {
    // SAFETY: the caller vouches for it; `LeasedBytes` reads them as long as it has the lease.
    let bytes: &'static [u8] = unsafe { abi::slice(segment.ptr, segment.len as usize) };
    let origin = (segment.flags & abi::SEGMENT_HAS_ORIGIN != 0)
        .then_some(Origin { stream: segment.stream, offset: segment.offset });
    let of_base =
        base.into_iter().flat_map(Batch::segments).find(|own| is_part(bytes, &own.bytes[..]));
    let bytes = match (of_base, lease) {
        (Some(own), _) => own.bytes.slice_ref(bytes),
        (None, Some(lease)) => Bytes::from_owner(LeasedBytes { bytes, _lease: Arc::clone(lease) }),
        (None, None) => Bytes::copy_from_slice(bytes),
    };
    Segment { bytes, origin }
}

/// A batch made from `base`. Arrays that are the base's own need no look, and others no copy where they are lent.
///
/// # Safety
/// With a lease, fields and events must stay as they are until it ends.
unsafe fn derived(
    base: &Batch,
    segments: Vec<Segment>,
    keys: Arc<KeyTable>,
    fields: &[ForeignField],
    events: &[EventRecord],
    lease: Option<&Arc<Lease>>,
) -> Result<Batch, InvalidBatch> {
    let (own_fields, own_events) = (base.fields(), base.records());
    let is_own = fields.as_ptr().cast() == own_fields.as_ptr() && fields.len() == own_fields.len();
    let fields = (!is_own).then_some(fields);
    let events = (!std::ptr::eq(events, own_events)).then_some(events);
    let checked = DerivedBatch { base, segments, keys, fields, events }.check()?;
    // SAFETY: `ForeignField` is `Field` in memory, and the check found every tag to be one; the caller vouches for
    // what is lent.
    let (fields, events) = unsafe {
        let fields = fields.map(|all| abi::slice(all.as_ptr().cast::<Field>(), all.len()));
        (
            fields.map(|fields| array(fields, own_fields, lease)),
            events.map(|events| array(events, own_events, lease)),
        )
    };
    Ok(checked.into_batch(fields, events))
}

/// A batch of which everything is new.
fn foreign(
    segments: Vec<Segment>,
    keys: &KeyTable,
    fields: &[ForeignField],
    events: &[EventRecord],
) -> Result<Batch, InvalidBatch> {
    let fields: Result<Vec<Field>, _> =
        fields.iter().enumerate().map(|(index, field)| field.read(index)).collect();
    ForeignBatch { segments, fields: fields?, events: events.to_vec(), keys: keys.clone() }
        .validate()
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
                    owner: std::ptr::null_mut(),
                    release: None,
                };
                if has_base {
                    (output.base, output.segment_count, output.key_count) =
                        (shown.as_handle(), 0, 0);
                }
                // SAFETY: pointers and counts are what they claim to be.
                match unsafe { take(&output, None, &mut keys) } {
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

    /// Counts how often it was given back.
    unsafe extern "C" fn count(owner: *mut c_void) {
        // SAFETY: the tests give a counter that lives longer than the lease.
        unsafe { *owner.cast::<u32>() += 1 };
    }

    /// What a plugin gives that changed the arrays of `shown`, and lends them.
    fn lent(shown: &Arc<HostBatch>, fields: &[abi::Field], released: &mut u32) -> abi::Output {
        let view = shown.view();
        abi::Output {
            size: size_of::<abi::Output>() as u32,
            port: 0,
            base: shown.as_handle(),
            events: view.events,
            fields: fields.as_ptr(),
            segments: std::ptr::null(),
            keys: std::ptr::null(),
            tokens: std::ptr::null(),
            positions: std::ptr::null(),
            event_count: view.event_count,
            field_count: fields.len() as u32,
            segment_count: 0,
            key_count: 0,
            token_count: 0,
            position_count: 0,
            owner: std::ptr::from_mut(released).cast(),
            release: Some(count),
        }
    }

    #[test]
    fn what_is_lent_is_read_in_place_and_given_back_once_whatever_becomes_of_it() {
        let mut keys = KeyCache::default();
        let mut batch = lograil_testkit::batch_of_json(&[serde_json::json!({"a": 1, "b": "x"})]);
        batch.freeze();
        let shown = HostBatch::new(batch, 0, &mut keys);
        let view = shown.view();
        // SAFETY: the view is that of a batch that lives.
        let own = unsafe { abi::slice(view.fields, view.field_count as usize) };
        let mut fields = own.to_vec();
        (fields[0].tag, fields[0].payload) = (abi::tag::I64, 7);
        let mut released = 0;
        let output = lent(&shown, &fields, &mut released);
        // SAFETY: pointers, counts and the lease are what they claim to be.
        let made = unsafe { take(&output, Lease::of(&output), &mut keys) }.unwrap();
        assert_eq!(made.fields().as_ptr().cast(), fields.as_ptr());
        assert_eq!(made.records().as_ptr().cast(), view.events, "those of the base");
        let mut changed = made.snapshot();
        drop(made);
        assert_eq!((events_of(&changed)[0]["a"].clone(), released), (7.into(), 0));
        changed.edit();
        assert_eq!((events_of(&changed)[0]["a"].clone(), released), (7.into(), 1));

        let mut old = lent(&shown, &fields, &mut released);
        old.size = abi::OUTPUT_BYTES_MIN as u32;
        // SAFETY: the output is longer than it says.
        let old = unsafe { known(&raw const old) }.unwrap();
        assert!(old.release.is_none() && old.owner.is_null(), "version 1.0 lends nothing");
        // SAFETY: as above.
        let made = unsafe { take(&old, Lease::of(&old), &mut keys) }.unwrap();
        assert_ne!(made.fields().as_ptr().cast(), fields.as_ptr());
        assert_eq!(released, 1);

        fields[0].tag = 99;
        let output = lent(&shown, &fields, &mut released);
        // SAFETY: as above.
        let refused = unsafe { take(&output, Lease::of(&output), &mut keys) };
        assert!(refused.unwrap_err().contains("unknown tag 99"));
        assert_eq!(released, 2);
    }
}
