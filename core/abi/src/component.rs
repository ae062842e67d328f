//! What a plugin offers to the host.

use std::ffi::c_void;

use crate::Str;
use crate::host::{Batch, Context, Host};
use crate::outcome::{Error, Status};

/// The values of [`Component::kind`].
pub mod kind {
    /// `kind` of a component: a source brings events in.
    pub const SOURCE: u32 = 1;
    /// A transform changes, drops or splits them.
    pub const TRANSFORM: u32 = 2;
    /// A sink delivers them.
    pub const SINK: u32 = 3;
}

/// The bits of [`Component::flags`].
pub mod component_flags {
    /// `flags` of a component. Sink: its operations may block; sources and transforms always have a thread.
    pub const BLOCKING: u32 = 1;
    /// Transform: settles tokens itself, with `release`. Without this the host does when `process` returns; all that was
    /// emitted in the call carries the batch's acknowledgements, and an event that did not come out counts as dropped.
    pub const TOKENS: u32 = 2;
}

/// The bits of [`StartInfo::flags`].
pub mod start_flags {
    /// `flags` of a start. Source: read to the end as it is now, then `LR_END`.
    pub const ONCE: u32 = 1;
    /// Sink: what was written after `state` comes again, undo it.
    pub const UPSTREAM_REPLAYS: u32 = 2;
}

/// What an instance learns when it starts. Lives during the call.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct StartInfo {
    /// sizeof of this, as the host knows it.
    pub size: u32,
    /// `LR_START_*`.
    pub flags: u32,
    /// The component's id in the topology.
    pub id: Str,
    /// Sink: the state of the last checkpoint, or none; transform: the bytes that `state` gave, or none.
    pub state: Str,
    /// Transform, sink: the directory where relative paths start.
    pub base_dir: Str,
    /// Source: the positions of the last checkpoint, `{"stream": "position"}`.
    pub positions_json: Str,
}

/// A callback of the host that takes texts one by one. `arg` is what came with it; the text is copied during the call.
pub type EachText = unsafe extern "C" fn(arg: *mut c_void, text: Str);

/// One component type. Functions that its kind does not have are NULL. All texts and the table live as long as the
/// program. What a function is given is borrowed: it lives until the call returns, unless said otherwise.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Component {
    /// sizeof of this, as the plugin knows it.
    pub size: u32,
    /// `LR_KIND_*`.
    pub kind: u32,
    /// `LR_COMPONENT_*`.
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// What `type = "..."` says: "acme.redact".
    pub name: Str,
    /// One sentence.
    pub summary: Str,
    /// The manual in Markdown.
    pub manual: Str,
    /// JSON Schema (draft 2020-12) of the options; none: there are no options.
    pub schema: Str,
    /// (main) Optional: calls `each` with the name of every output beyond the unnamed one, in order. The options are not
    /// yet checked.
    pub ports: Option<
        unsafe extern "C" fn(
            component: *const Component,
            options_json: Str,
            arg: *mut c_void,
            each: EachText,
        ) -> Status,
    >,
    /// (main) Optional: calls `each` with what no other component may use at the same time.
    pub claims: Option<
        unsafe extern "C" fn(
            component: *const Component,
            options_json: Str,
            arg: *mut c_void,
            each: EachText,
        ) -> Status,
    >,
    /// (main) Makes an instance. The options were checked against the schema. No effect outside: `lograil check` creates
    /// too. The plugin owns the instance until destroy; host and context live until destroy has returned. `LR_CONFIG` and
    /// an error where options are wrong; then there is no instance.
    pub create: Option<
        unsafe extern "C" fn(
            component: *const Component,
            host: *const Host,
            context: *mut Context,
            options_json: Str,
            instance: *mut *mut c_void,
            error: *mut Error,
        ) -> Status,
    >,
    /// (main) Ends an instance and its threads. The context is gone when it returns. It may come before an operation of a
    /// sink is completed: that is broken off then, its batch lives until destroy returns, and nobody waits for more than
    /// that; so it must not wait for a peer.
    pub destroy: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// (inst) Source, transform; optional: once, before anything else. On an error, only destroy follows: the topology does
    /// not start, or the change that brought the instance is refused. The same may happen after it, where another component
    /// does not start: a source must take nothing from where it reads before its first pull, which may never come.
    pub start: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            info: *const StartInfo,
            error: *mut Error,
        ) -> Status,
    >,
    /// (inst) Transform: takes a batch; emits, during the call, what becomes of it. A failed call has no effect: the batch
    /// is dead-lettered with the error as the reason.
    pub process: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            batch: *const Batch,
            error: *mut Error,
        ) -> Status,
    >,
    /// (inst) Transform; optional: about once a second.
    pub tick: Option<
        unsafe extern "C" fn(instance: *mut c_void, now_ns: i64, error: *mut Error) -> Status,
    >,
    /// (inst) Transform; optional: after the last batch: emit what is held back.
    pub flush: Option<unsafe extern "C" fn(instance: *mut c_void, error: *mut Error) -> Status>,
    /// (inst) Sink: before the first batch; again where it failed with `LR_RETRY`. It, write, commit and close return
    /// `LR_OK` and then complete their token exactly once, or return an error and do not. The next operation, and reopen,
    /// come after the completion, also where the host no longer waits for it.
    pub open: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            info: *const StartInfo,
            token: u64,
            error: *mut Error,
        ) -> Status,
    >,
    /// (inst) Sink: delivers a batch, all of it or on an error nothing. The batch lives until the completion, or until
    /// destroy returns if there is none. One whose completion the host did not wait for is offered again.
    pub write: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            batch: *const Batch,
            token: u64,
            error: *mut Error,
        ) -> Status,
    >,
    /// (inst) Sink; optional: makes what was written durable. NULL: write does already.
    pub commit: Option<
        unsafe extern "C" fn(instance: *mut c_void, token: u64, error: *mut Error) -> Status,
    >,
    /// (inst) Sink; optional: after the last batch and its commit.
    pub close: Option<
        unsafe extern "C" fn(instance: *mut c_void, token: u64, error: *mut Error) -> Status,
    >,
    /// (inst) Sink; optional: open files anew (SIGHUP).
    pub reopen: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// (inst) Source: emits what there is, waiting for it up to `timeout_ns`. `LR_OK`, `LR_AGAIN` or `LR_END`. Not called
    /// again before there is room for more.
    pub pull: Option<
        unsafe extern "C" fn(instance: *mut c_void, timeout_ns: u64, error: *mut Error) -> Status,
    >,
    /// (inst) Source; optional: take no new input; pull is called until `LR_END`. NULL: it can stop at any time.
    pub interrupt: Option<unsafe extern "C" fn(instance: *mut c_void)>,
    /// (main) Source; optional: not 0 if a restart reads again, from the positions, what was not acknowledged.
    pub replays: Option<unsafe extern "C" fn(instance: *mut c_void) -> u32>,
    /// (inst) Transform; optional: what it has learned from events so far, bytes in a notation of its own with a version in
    /// it: calls `each` with them once, or not at all. Called after start and then between two batches, about once a
    /// second. After a restart or a crash start gets them back; what makes no sense is to be ignored. Events that are held
    /// back do not belong into it: they come again. At most 64 MiB are kept. Since 1.1.
    pub state: Option<
        unsafe extern "C" fn(instance: *mut c_void, arg: *mut c_void, each: EachText) -> Status,
    >,
    /// (main) Optional: once, after create: calls `each` once with what a topology must know of the instance, a JSON
    /// object. All its members are optional. Transform: `held_for_ns`, how long an event may be held back at most before
    /// what becomes of it leaves by the unnamed output (0; UINT64_MAX: nothing bounds it), and `has_unnamed_output`
    /// (true). Source: `delivery_wait`, `{"within_ns": 1, "remedy": "..."}`, how long those who send to it wait for the
    /// delivery before they send again, and what to change in its options so that they wait longer, a clause that begins
    /// with a verb; `restarts` (true), whether another instance loses nothing when this one is stopped. A topology in
    /// which senders would not wait for as long as events are held back is refused. Since 1.4.
    pub traits: Option<
        unsafe extern "C" fn(instance: *mut c_void, arg: *mut c_void, each: EachText) -> Status,
    >,
}

/// Bytes of [`Component`] in version 1.0: what every plugin has.
pub const COMPONENT_BYTES_MIN: usize = std::mem::offset_of!(Component, state);

// SAFETY: the table is read-only and its texts live as long as the library, which is never unloaded.
unsafe impl Send for Component {}
// SAFETY: as above.
unsafe impl Sync for Component {}

/// What the exported function gives back. It and what it points at live as long as the program.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Plugin {
    /// sizeof of this, as the plugin knows it.
    pub size: u32,
    /// Major version it was built for.
    pub abi_major: u16,
    /// Oldest minor version of a host that will do.
    pub abi_minor: u16,
    /// Its component types.
    pub components: *const *const Component,
    /// Number of them.
    pub component_count: u32,
    /// Zero.
    pub reserved: u32,
}

// SAFETY: as for `Component`.
unsafe impl Send for Plugin {}
// SAFETY: as for `Component`.
unsafe impl Sync for Plugin {}
