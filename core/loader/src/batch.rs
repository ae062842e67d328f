//! Batches between the program and a plugin: shown as arrays, taken back as arrays that are checked.

use std::ffi::c_void;
use std::sync::Arc;

use bytes::Bytes;
use lograil_abi as abi;
use lograil_abi::{Str, status};
use lograil_event::{
    Array, Batch, Changes, DerivedBatch, EventRecord, Field, ForeignBatch, ForeignColumn,
    ForeignField, InvalidBatch, Key, KeyTable, Origin, Placement, Segment, Tag,
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
            && made.names_from(base.len()).eq(more.iter().copied())
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
    fields: *const abi::Field,
    field_count: u32,
    /// The fields, where the plugin may write those that belong to no event; else null. All that the plugin reads of them is
    /// by pointers made of this one, and no reference of ours is made of them while it may write.
    spare: *mut abi::Field,
}

// SAFETY: the pointers point into the batch beside them, which nobody changes but the plugin, where no event is.
unsafe impl Send for HostBatch {}
// SAFETY: as above.
unsafe impl Sync for HostBatch {}

impl HostBatch {
    /// A batch to be shown. Its arena must be frozen.
    pub fn new(batch: Batch, token: u64, keys: &mut KeyCache) -> Arc<Self> {
        Self::shown(batch, token, keys, std::ptr::null_mut())
    }

    /// As [`Self::new`], to a plugin that may append fields in place, where nobody else has them.
    pub fn to_extend(mut batch: Batch, token: u64, keys: &mut KeyCache) -> Arc<Self> {
        let fields = batch.spare_fields().map_or(std::ptr::null_mut(), <[Field]>::as_mut_ptr);
        Self::shown(batch, token, keys, fields.cast())
    }

    fn shown(batch: Batch, token: u64, keys: &mut KeyCache, spare: *mut abi::Field) -> Arc<Self> {
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
        // `abi::Event` and `EventRecord`, `abi::Field` and `Field` are the same in memory (held by a test).
        let field_count = batch.fields().len() as u32;
        let fields =
            if spare.is_null() { batch.fields().as_ptr().cast() } else { spare.cast_const() };
        Arc::new(Self { batch, segments, names, token, fields, field_count, spare })
    }

    /// The batch as it was before the plugin wrote anything, for when a call failed.
    pub fn as_it_was(&self) -> Batch {
        if self.spare.is_null() { self.batch.snapshot() } else { self.batch.detached() }
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
            events: self.batch.records().as_ptr().cast(),
            fields: self.fields,
            segments: self.segments.as_ptr(),
            keys: self.names.names.as_ptr(),
            event_count: self.batch.len() as u32,
            field_count: self.field_count,
            segment_count: self.segments.len() as u32,
            key_count: self.names.names.len() as u32,
            keys_id: self.names.id,
            token: self.token,
            spare: self.spare,
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

/// Makes a batch of what a plugin emits, and the changes that are to be made of it, or says what is wrong with it.
///
/// # Safety
/// The pointers and counts of `output` must be what they claim to be; everything else is checked.
pub(crate) unsafe fn take(
    output: &abi::Output,
    lease: Option<Arc<Lease>>,
    keys: &mut KeyCache,
) -> Result<(Batch, Changes), String> {
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
    let batch = batch.map_err(|error| format!("emitted an invalid batch: {error}"))?;
    // SAFETY: as above.
    let changes = unsafe { changes(output, &batch) }?;
    Ok((batch, changes))
}

/// The changes of a batch that a plugin emits.
///
/// # Safety
/// The pointers and counts of `output` must be what they claim to be.
unsafe fn changes(output: &abi::Output, batch: &Batch) -> Result<Changes, String> {
    let has_kept = output.kept_count > 0 && !output.kept.is_null();
    if output.column_count == 0 && !has_kept {
        return Ok(Changes::default());
    }
    // SAFETY: the caller vouches for pointers and counts.
    let (columns, kept) = unsafe {
        (
            abi::slice(output.columns, output.column_count as usize),
            abi::slice(output.kept, output.kept_count as usize),
        )
    };
    if columns.iter().any(|column| column.count > 0 && !column.values.is_aligned()) {
        return Err("emitted an array that is not aligned".to_owned());
    }
    let column = |column: &abi::Column| {
        let appends = column.flags & abi::COLUMN_APPENDS != 0;
        let placement = if appends { Placement::Append } else { Placement::Set };
        // SAFETY: as above.
        let changes =
            unsafe { abi::slice(column.values.cast::<ForeignField>(), column.count as usize) };
        ForeignColumn { key: column.key, placement, changes }
    };
    Changes::check(batch, columns.iter().map(column), has_kept.then_some(kept))
        .map_err(|error| format!("emitted invalid changes: {error}"))
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
#[path = "batch_tests.rs"]
mod tests;
