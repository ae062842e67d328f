//! What the host offers to a plugin.

use crate::Str;
use crate::batch::{Field, Output, View};
use crate::outcome::Status;

/// A batch of the host: opaque, counted, immutable. Looked at with `view`.
#[cfg_attr(all(), repr(C))] // Not `repr(C)` in the eyes of the header's generator: it is to declare these and no more.
pub struct Batch {
    private: [u8; 0],
}

/// A batch that is being made or changed by calls: opaque, of the host, owned by the plugin until it is emitted or
/// dropped.
#[cfg_attr(all(), repr(C))]
pub struct Builder {
    private: [u8; 0],
}

/// What the host knows of an instance: opaque. Lives until destroy has returned.
#[cfg_attr(all(), repr(C))]
pub struct Context {
    private: [u8; 0],
}

/// The values of `kind` in [`Host::metric`].
pub mod metric_kind {
    /// `kind` of a metric: a total that only grows.
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

/// How an operation of a sink ended. It and what it points at are copied during the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Completion {
    /// sizeof of this, as the plugin knows it.
    pub size: u32,
    /// How it went.
    pub status: Status,
    /// After write: bytes as they were sent or stored.
    pub bytes: u64,
    /// After `LR_RETRY`: nanoseconds that the peer asked to be left alone; 0 leaves it to the host.
    pub retry_after_ns: u64,
    /// After write: events that will never be taken.
    pub rejected: *const Rejected,
    /// Number of them.
    pub rejected_count: u32,
    /// Zero.
    pub reserved: u32,
    /// Where the sink stands, for sinks that can undo what lies beyond; else none.
    pub state: Str,
    /// What went wrong.
    pub detail: Str,
}

/// The functions of the host. The table lives as long as the program. What a function is given is borrowed for the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Host {
    /// sizeof of this, as the host knows it.
    pub size: u32,
    /// Major version of the host.
    pub abi_major: u16,
    /// Minor version of the host.
    pub abi_minor: u16,
    /// "lograil".
    pub name: Str,
    /// Version of the program.
    pub version: Str,
    /// (any) The most verbose level anyone listens to: 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub log_level: unsafe extern "C" fn() -> u32,
    /// (any) Logs a line. The context may be NULL.
    pub log: unsafe extern "C" fn(context: *mut Context, level: u32, target: Str, message: Str),
    /// (inst) Sets a metric, lograil_component_NAME, to its present value: for a counter the total so far. `LR_NOT_NOW`
    /// before start. `label` may be none.
    pub metric: unsafe extern "C" fn(
        context: *mut Context,
        kind: u32,
        name: Str,
        help: Str,
        label: Str,
        label_value: Str,
        value: f64,
    ) -> Status,
    /// (any) Wall-clock time in nanoseconds since the Unix epoch.
    pub now_ns: unsafe extern "C" fn(context: *mut Context) -> i64,
    /// (any) Nanoseconds since some fixed moment.
    pub monotonic_ns: unsafe extern "C" fn(context: *mut Context) -> u64,
    /// (any) Shows a batch that the plugin was given. What the view points at lives as long as the batch.
    pub view: unsafe extern "C" fn(batch: *const Batch, out: *mut View) -> Status,
    /// (any) Keeps a batch beyond the call that brought it; to be given back with `batch_unref`.
    pub batch_ref: unsafe extern "C" fn(batch: *const Batch),
    /// (any) Gives back what `batch_ref` kept.
    pub batch_unref: unsafe extern "C" fn(batch: *const Batch),
    /// (inst) In process, tick, flush and pull: emits a batch. `LR_INVALID` where it breaks a rule; then the whole call
    /// counts as failed.
    pub emit: unsafe extern "C" fn(context: *mut Context, output: *const Output) -> Status,
    /// (any) With `LR_COMPONENT_TOKENS`: nothing more will come of the batch of this token. `LR_OK`: what became of it was
    /// emitted or discarded; `LR_FAILED`: it was lost, its source must read it again. Once a token.
    pub release: unsafe extern "C" fn(context: *mut Context, token: u64, status: Status) -> Status,
    /// (inst) In process, tick and flush: counts events dropped as configured. `reason` is a word.
    pub discard: unsafe extern "C" fn(context: *mut Context, reason: Str, events: u64) -> Status,
    /// (inst) In process, tick and flush: counts events made beyond those that came in.
    pub create: unsafe extern "C" fn(context: *mut Context, events: u64) -> Status,
    /// (inst) Starts a batch: a copy of `base`, or an empty one where that is NULL. Owned by the plugin.
    pub builder_new:
        unsafe extern "C" fn(context: *mut Context, base: *const Batch) -> *mut Builder,
    /// (inst) Throws a builder away.
    pub builder_drop: unsafe extern "C" fn(builder: *mut Builder),
    /// (inst) As emit; takes the builder, whatever it returns.
    pub builder_emit:
        unsafe extern "C" fn(context: *mut Context, builder: *mut Builder, port: u32) -> Status,
    /// (inst) The id of a key in the builder's batch, added if it is new.
    pub builder_key:
        unsafe extern "C" fn(builder: *mut Builder, name: Str, key: *mut u32) -> Status,
    /// (inst) Appends an event; `event` may be NULL.
    pub builder_event:
        unsafe extern "C" fn(builder: *mut Builder, timestamp_ns: i64, event: *mut u32) -> Status,
    /// (inst) Sets a field without a span: null, boolean, number, timestamp.
    pub builder_set:
        unsafe extern "C" fn(builder: *mut Builder, event: u32, field: *const Field) -> Status,
    /// (inst) Sets a field with a span; the text is copied and checked against its tag.
    pub builder_set_text: unsafe extern "C" fn(
        builder: *mut Builder,
        event: u32,
        key: u32,
        tag: u8,
        text: Str,
    ) -> Status,
    /// (inst) Removes a key from an event; no error where it is not there.
    pub builder_remove: unsafe extern "C" fn(builder: *mut Builder, event: u32, key: u32) -> Status,
    /// (inst) Leaves an event out of what is emitted. Indices of others stay.
    pub builder_drop_event: unsafe extern "C" fn(builder: *mut Builder, event: u32) -> Status,
    /// (inst) Sources: a position that goes with the batch.
    pub builder_position:
        unsafe extern "C" fn(builder: *mut Builder, stream: Str, position: Str) -> Status,
    /// (any) Ends an operation of a sink: once for each token, during the call that brought it or later.
    pub complete: unsafe extern "C" fn(
        context: *mut Context,
        token: u64,
        completion: *const Completion,
    ) -> Status,
    /// (inst) In process, tick and flush of a transform: asks for no further input for so long; then tick is called. What
    /// was emitted is delivered first. A topology that stops does not wait. Since 1.1.
    pub pause: unsafe extern "C" fn(context: *mut Context, duration_ns: u64) -> Status,
}

// SAFETY: the table is read-only, its functions say themselves which thread may call them, and its texts are
// static.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}
