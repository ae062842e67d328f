//! The C interface between the program and a plugin: types and numbers, no behaviour.
//!
//! The documentation is here, in terms of C: `include/lograil_plugin.h` is generated from this crate with
//! `cbindgen.toml`, and a test holds it against it. After a change:
//! `LOGRAIL_UPDATE_HEADER=1 cargo test -p lograil-abi --test header`.
//!
//! **Threads.** (main): any thread; for one instance never at the same time as another call on it. (inst): the thread
//! that serves the instance: any thread, one call at a time. (any): any thread, at any time between create and the
//! return of destroy.
//!
//! **Rules.** Fixed-width integers only. A table starts with its size and only ever grows at its end. Nothing
//! is freed by the side that did not make it. No function unwinds.
//!
//! **Invariant:** uses no other crate, and no type whose layout Rust may choose.

mod batch;
mod component;
mod host;
mod manifest;
mod outcome;

pub use batch::{
    COLUMN_APPENDS, Column, Event, Field, LAYOUT, OUTPUT_BYTES_MIN, Output, Position,
    SEGMENT_HAS_ORIGIN, Segment, VIEW_BYTES_MIN, View, change, event_flags, port, tag,
};
pub use component::{
    COMPONENT_BYTES_MIN, Component, EachText, Plugin, StartInfo, component_flags, kind, start_flags,
};
pub use host::{Batch, Builder, Completion, Context, Host, Rejected, metric_kind};
pub use manifest::{ABI_MAJOR, ABI_MINOR, MAGIC, ManifestHead, SECTION, SYMBOL, TARGET_BYTES};
pub use outcome::{ERROR_IS_JSON, Error, Status, status};

/// A text or bytes that someone else owns. UTF-8 where it is text; no NUL at its end.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Str {
    /// The first byte; NULL stands for "none", which is not the empty text.
    pub ptr: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl Str {
    /// No text.
    pub const NONE: Self = Self { ptr: std::ptr::null(), len: 0 };

    /// A text for as long as it lives.
    #[must_use]
    pub const fn new(text: &str) -> Self {
        Self { ptr: text.as_ptr(), len: text.len() }
    }

    /// The bytes; empty where there are none.
    ///
    /// # Safety
    /// Whoever made this must have pointed it at `len` bytes that stay as they are for `'a`.
    #[must_use]
    pub const unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: the caller vouches for pointer, length and lifetime.
        unsafe { slice(self.ptr, self.len) }
    }
}

/// An array that someone else owns; empty where the pointer is null.
///
/// # Safety
/// `ptr` must be null or point at `len` values that are aligned, initialised and stay as they are for `'a`.
#[must_use]
pub const unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    if ptr.is_null() || len == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}

/// As [`slice`], to be written into.
///
/// # Safety
/// As for [`slice`], and nobody else must use the values meanwhile.
#[must_use]
pub const unsafe fn slice_mut<'a, T>(ptr: *mut T, len: usize) -> &'a mut [T] {
    if ptr.is_null() || len == 0 {
        return &mut [];
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { std::slice::from_raw_parts_mut(ptr, len) }
}
