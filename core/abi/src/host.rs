//! What the host offers to a plugin.

use crate::Str;
use crate::batch::{Field, Output, View};
use crate::outcome::Status;

/// A batch of the host; opaque, counted.
#[repr(C)]
pub struct Batch {
    private: [u8; 0],
}

/// A batch that is being made or changed by calls; opaque.
#[repr(C)]
pub struct Builder {
    private: [u8; 0],
}

/// What the host knows of an instance; opaque. Lives until `destroy` has returned.
#[repr(C)]
pub struct Context {
    private: [u8; 0],
}

/// The values of `kind` in [`Host::metric`].
pub mod metric_kind {
    /// A total that only grows.
    pub const COUNTER: u32 = 0;
    /// A value that goes up and down.
    pub const GAUGE: u32 = 1;
}

/// An event that a sink will never take.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Rejected {
    /// Its index in the batch.
    pub event: u32,
    /// Zero.
    pub reserved: u32,
    /// Why, for the dead letter.
    pub reason: Str,
}

/// How an operation of a sink ended.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Completion {
    /// `sizeof` of this, as the plugin knows it.
    pub size: u32,
    /// How it went.
    pub status: Status,
    /// After `write`: bytes as they were sent or stored.
    pub bytes: u64,
    /// After `RETRY`: nanoseconds that the peer asked to be left alone; 0 leaves it to the host's backoff.
    pub retry_after_ns: u64,
    /// After `write`: events that will never be taken.
    pub rejected: *const Rejected,
    /// Number of them.
    pub rejected_count: u32,
    /// Zero.
    pub reserved: u32,
    /// Where the sink stands, for sinks that can undo what lies beyond; none for others.
    pub state: Str,
    /// What went wrong.
    pub detail: Str,
}

/// The functions of the host. The header documents each.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Host {
    /// `sizeof` of this, as the host knows it.
    pub size: u32,
    /// Major version of the host.
    pub abi_major: u16,
    /// Minor version of the host.
    pub abi_minor: u16,
    /// `lograil`.
    pub name: Str,
    /// Version of the program.
    pub version: Str,
    /// Most verbose level anyone listens to: 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub log_level: unsafe extern "C" fn() -> u32,
    /// Logs a line.
    pub log: unsafe extern "C" fn(*mut Context, level: u32, target: Str, message: Str),
    /// Sets a metric to its present value.
    pub metric: unsafe extern "C" fn(
        *mut Context,
        kind: u32,
        name: Str,
        help: Str,
        label: Str,
        label_value: Str,
        value: f64,
    ) -> Status,
    /// Wall-clock time, nanoseconds since the Unix epoch.
    pub now_ns: unsafe extern "C" fn(*mut Context) -> i64,
    /// Time since some fixed moment, nanoseconds.
    pub monotonic_ns: unsafe extern "C" fn(*mut Context) -> u64,
    /// Shows a batch.
    pub view: unsafe extern "C" fn(*const Batch, *mut View) -> Status,
    /// Keeps a batch beyond the call.
    pub batch_ref: unsafe extern "C" fn(*const Batch),
    /// Gives back what `batch_ref` took.
    pub batch_unref: unsafe extern "C" fn(*const Batch),
    /// Emits a batch given as arrays.
    pub emit: unsafe extern "C" fn(*mut Context, *const Output) -> Status,
    /// Settles a token: nothing more will come of that batch.
    pub release: unsafe extern "C" fn(*mut Context, token: u64, Status) -> Status,
    /// Counts events dropped as the configuration demands.
    pub discard: unsafe extern "C" fn(*mut Context, reason: Str, events: u64) -> Status,
    /// Counts events made beyond those that came in.
    pub create: unsafe extern "C" fn(*mut Context, events: u64) -> Status,
    /// Starts a batch, empty or from `base`.
    pub builder_new: unsafe extern "C" fn(*mut Context, base: *const Batch) -> *mut Builder,
    /// Throws a builder away.
    pub builder_drop: unsafe extern "C" fn(*mut Builder),
    /// Emits what a builder holds, and takes it.
    pub builder_emit: unsafe extern "C" fn(*mut Context, *mut Builder, port: u32) -> Status,
    /// The id of a key.
    pub builder_key: unsafe extern "C" fn(*mut Builder, name: Str, key: *mut u32) -> Status,
    /// Appends an event.
    pub builder_event:
        unsafe extern "C" fn(*mut Builder, timestamp_ns: i64, event: *mut u32) -> Status,
    /// Sets a field that is a number, a boolean or null.
    pub builder_set: unsafe extern "C" fn(*mut Builder, event: u32, *const Field) -> Status,
    /// Sets a field that is text; the text is copied.
    pub builder_set_text:
        unsafe extern "C" fn(*mut Builder, event: u32, key: u32, tag: u8, Str) -> Status,
    /// Removes a key.
    pub builder_remove: unsafe extern "C" fn(*mut Builder, event: u32, key: u32) -> Status,
    /// Leaves an event out.
    pub builder_drop_event: unsafe extern "C" fn(*mut Builder, event: u32) -> Status,
    /// For sources: positions that go with the batch.
    pub builder_position: unsafe extern "C" fn(*mut Builder, stream: Str, position: Str) -> Status,
    /// Ends an operation of a sink.
    pub complete: unsafe extern "C" fn(*mut Context, token: u64, *const Completion) -> Status,
    /// Transform: asks for no input for a while. Since 1.1.
    pub pause: unsafe extern "C" fn(*mut Context, duration_ns: u64) -> Status,
}

// SAFETY: the table is read-only, its functions say themselves which thread may call them, and its texts are
// static.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}
