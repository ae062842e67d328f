//! Batches made by calls, for plugins that do not lay out arrays themselves. Every argument is checked, so that
//! what comes out needs no check.

use lograil_abi as abi;
use lograil_abi::{Status, Str, status};
use lograil_event::{Batch, Field, FieldFlags, Key, TIMESTAMP_UNKNOWN, Tag};
use lograil_plugin::PositionUpdate;

use crate::batch::{HostBatch, is_text_of, key_of, of_box};

/// A batch that is being made.
pub(crate) struct HostBuilder {
    batch: Batch,
    is_dropped: Vec<bool>,
    positions: Vec<PositionUpdate>,
}

impl HostBuilder {
    /// What was made, without the events that were left out.
    pub fn finish(mut self) -> (Batch, Vec<PositionUpdate>) {
        if self.is_dropped.contains(&true) {
            let is_dropped = &self.is_dropped;
            self.batch.retain(|event| !is_dropped.get(event).copied().unwrap_or_default());
        }
        (self.batch, self.positions)
    }

    fn has(&self, event: u32) -> bool {
        (event as usize) < self.batch.len()
    }
}

/// The builder behind a pointer of a plugin.
///
/// # Safety
/// It must be null or a builder that the plugin was given and has neither emitted nor dropped.
pub(crate) unsafe fn of<'a>(builder: *mut abi::Builder) -> Option<&'a mut HostBuilder> {
    // SAFETY: the caller vouches for it.
    unsafe { of_box(builder.cast()) }
}

/// Takes a builder from a plugin.
///
/// # Safety
/// As for [`of`].
pub(crate) unsafe fn take(builder: *mut abi::Builder) -> Option<Box<HostBuilder>> {
    // SAFETY: the caller vouches for it.
    (!builder.is_null()).then(|| unsafe { Box::from_raw(builder.cast::<HostBuilder>()) })
}

pub(crate) unsafe extern "C" fn new(
    _: *mut abi::Context,
    base: *const abi::Batch,
) -> *mut abi::Builder {
    // SAFETY: the plugin gives back a batch that it was given.
    let batch =
        unsafe { HostBatch::of(base) }.map_or_else(Batch::new, |base| base.batch.snapshot());
    let made = HostBuilder { batch, is_dropped: Vec::new(), positions: Vec::new() };
    Box::into_raw(Box::new(made)).cast()
}

pub(crate) unsafe extern "C" fn drop(builder: *mut abi::Builder) {
    // SAFETY: the plugin gives back a builder that it was given.
    std::mem::drop(unsafe { take(builder) });
}

pub(crate) unsafe extern "C" fn key(
    builder: *mut abi::Builder,
    name: Str,
    out: *mut u32,
) -> Status {
    // SAFETY: the plugin gives back a builder that it was given, and texts that live during the call.
    let (builder, name) = unsafe { (of(builder), std::str::from_utf8(name.bytes())) };
    let (Some(builder), Ok(name), false) = (builder, name, out.is_null()) else {
        return status::INVALID;
    };
    // SAFETY: the plugin vouches for the place.
    unsafe { *out = builder.batch.edit().key(name).0 };
    status::OK
}

pub(crate) unsafe extern "C" fn event(
    builder: *mut abi::Builder,
    timestamp_ns: i64,
    out: *mut u32,
) -> Status {
    // SAFETY: the plugin gives back a builder that it was given.
    let Some(builder) = (unsafe { of(builder) }) else { return status::INVALID };
    if builder.batch.len() >= u32::MAX as usize {
        return status::INVALID;
    }
    let index = builder.batch.edit().push_event(timestamp_ns);
    if !out.is_null() {
        // SAFETY: the plugin vouches for the place.
        unsafe { *out = index as u32 };
    }
    status::OK
}

pub(crate) unsafe extern "C" fn set(
    builder: *mut abi::Builder,
    event: u32,
    field: *const abi::Field,
) -> Status {
    // SAFETY: the plugin gives back a builder that it was given, and a field that lives during the call.
    let (Some(builder), Some(field)) = (unsafe { (of(builder), field.as_ref()) }) else {
        return status::INVALID;
    };
    let tag = Tag::from_u8(field.tag).filter(|tag| !tag.is_span());
    let (Some(tag), Some(key)) = (tag, key_of(builder.batch.keys(), field.key)) else {
        return status::INVALID;
    };
    if !builder.has(event) {
        return status::INVALID;
    }
    builder.batch.edit().set(event as usize, Field::scalar(key.0, tag, field.payload));
    status::OK
}

pub(crate) unsafe extern "C" fn set_text(
    builder: *mut abi::Builder,
    event: u32,
    key: u32,
    tag: u8,
    text: Str,
) -> Status {
    // SAFETY: the plugin gives back a builder that it was given, and texts that live during the call.
    let (Some(builder), text) = (unsafe { (of(builder), text.bytes()) }) else {
        return status::INVALID;
    };
    let tag = Tag::from_u8(tag).filter(|tag| is_text_of(*tag, text));
    let (Some(tag), Some(Key(key))) = (tag, key_of(builder.batch.keys(), key)) else {
        return status::INVALID;
    };
    let size_bytes = builder.batch.size_bytes() + text.len();
    if !builder.has(event) || u32::try_from(size_bytes).is_err() {
        return status::INVALID;
    }
    let mut edit = builder.batch.edit();
    let span = edit.push_text(text);
    edit.set(event as usize, Field::text(key, tag, span, FieldFlags::NONE));
    status::OK
}

pub(crate) unsafe extern "C" fn remove(builder: *mut abi::Builder, event: u32, key: u32) -> Status {
    // SAFETY: the plugin gives back a builder that it was given.
    let Some(builder) = (unsafe { of(builder) }) else { return status::INVALID };
    if !builder.has(event) {
        return status::INVALID;
    }
    builder.batch.edit().remove(event as usize, Key(key));
    status::OK
}

pub(crate) unsafe extern "C" fn drop_event(builder: *mut abi::Builder, event: u32) -> Status {
    // SAFETY: the plugin gives back a builder that it was given.
    let Some(builder) = (unsafe { of(builder) }) else { return status::INVALID };
    if !builder.has(event) {
        return status::INVALID;
    }
    builder.is_dropped.resize(builder.batch.len(), false);
    builder.is_dropped[event as usize] = true;
    status::OK
}

pub(crate) unsafe extern "C" fn position(
    builder: *mut abi::Builder,
    stream: Str,
    position: Str,
) -> Status {
    // SAFETY: the plugin gives back a builder that it was given, and texts that live during the call.
    let (builder, stream, text) =
        unsafe { (of(builder), std::str::from_utf8(stream.bytes()), position.bytes()) };
    let (Some(builder), Ok(stream), Ok(text)) = (builder, stream, std::str::from_utf8(text)) else {
        return status::INVALID;
    };
    let position = (!position.ptr.is_null()).then(|| text.to_owned());
    builder.positions.push(PositionUpdate { stream: stream.to_owned(), position });
    status::OK
}

const _: () = assert!(TIMESTAMP_UNKNOWN == i64::MIN);
