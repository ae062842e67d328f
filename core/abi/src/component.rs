//! What a plugin offers to the host.

use std::ffi::c_void;

use crate::Str;
use crate::host::{Batch, Context, Host};
use crate::outcome::{Error, Status};

/// The values of [`Component::kind`].
pub mod kind {
    /// Brings events in.
    pub const SOURCE: u32 = 1;
    /// Changes, drops or splits them.
    pub const TRANSFORM: u32 = 2;
    /// Delivers them.
    pub const SINK: u32 = 3;
}

/// The bits of [`Component::flags`].
pub mod component_flags {
    /// Sink: its operations may block, so give it a thread of its own. Sources always have one.
    pub const BLOCKING: u32 = 1;
    /// Transform: settles tokens itself, by `release`. Without this the host does when `process` returns, and
    /// whatever was emitted meanwhile carries the batch's acknowledgements.
    pub const TOKENS: u32 = 2;
}

/// The bits of [`StartInfo::flags`].
pub mod start_flags {
    /// Source: read to the end of the input as it is now, then end.
    pub const ONCE: u32 = 1;
    /// Sink: whatever was written after `state` comes again and is to be undone.
    pub const UPSTREAM_REPLAYS: u32 = 2;
}

/// What an instance learns when it starts.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct StartInfo {
    /// `sizeof` of this, as the host knows it.
    pub size: u32,
    /// Bits of [`start_flags`].
    pub flags: u32,
    /// The component's id in the topology.
    pub id: Str,
    /// Sink: the `state` of the last checkpoint; transform: what [`Component::state`] gave; none at first.
    pub state: Str,
    /// The directory that relative paths of the topology start from; none where it does not matter.
    pub base_dir: Str,
    /// Source: the positions of the last checkpoint, a JSON object of texts by stream.
    pub positions_json: Str,
}

/// A callback that takes texts one by one.
pub type EachText = unsafe extern "C" fn(arg: *mut c_void, text: Str);

/// One component type. The header documents each function. Those that its kind does not have are null.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Component {
    /// `sizeof` of this, as the plugin knows it.
    pub size: u32,
    /// One of [`kind`].
    pub kind: u32,
    /// Bits of [`component_flags`].
    pub flags: u32,
    /// Zero.
    pub reserved: u32,
    /// What `type = "..."` says.
    pub name: Str,
    /// One sentence.
    pub summary: Str,
    /// The manual in Markdown.
    pub manual: Str,
    /// The JSON Schema of the options (draft 2020-12); none means no options.
    pub schema: Str,
    /// Names of the outputs beyond the unnamed one.
    pub ports: Option<
        unsafe extern "C" fn(*const Component, options: Str, arg: *mut c_void, EachText) -> Status,
    >,
    /// What no other component may use at the same time.
    pub claims: Option<
        unsafe extern "C" fn(*const Component, options: Str, arg: *mut c_void, EachText) -> Status,
    >,
    /// Makes an instance from options. Has no effect outside.
    pub create: Option<
        unsafe extern "C" fn(
            *const Component,
            *const Host,
            *mut Context,
            options: Str,
            instance: *mut *mut c_void,
            *mut Error,
        ) -> Status,
    >,
    /// Ends an instance.
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Source, transform: called once before anything else.
    pub start: Option<unsafe extern "C" fn(*mut c_void, *const StartInfo, *mut Error) -> Status>,
    /// Transform: takes a batch.
    pub process: Option<unsafe extern "C" fn(*mut c_void, *const Batch, *mut Error) -> Status>,
    /// Transform: about once a second.
    pub tick: Option<unsafe extern "C" fn(*mut c_void, now_ns: i64, *mut Error) -> Status>,
    /// Transform: after the last batch.
    pub flush: Option<unsafe extern "C" fn(*mut c_void, *mut Error) -> Status>,
    /// Sink: called once before the first batch.
    pub open: Option<
        unsafe extern "C" fn(*mut c_void, *const StartInfo, token: u64, *mut Error) -> Status,
    >,
    /// Sink: delivers a batch.
    pub write:
        Option<unsafe extern "C" fn(*mut c_void, *const Batch, token: u64, *mut Error) -> Status>,
    /// Sink: makes everything that was written durable.
    pub commit: Option<unsafe extern "C" fn(*mut c_void, token: u64, *mut Error) -> Status>,
    /// Sink: after the last batch and its commit.
    pub close: Option<unsafe extern "C" fn(*mut c_void, token: u64, *mut Error) -> Status>,
    /// Sink: open files anew.
    pub reopen: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Source: emits what there is, waiting for it up to `timeout_ns`.
    pub pull: Option<unsafe extern "C" fn(*mut c_void, timeout_ns: u64, *mut Error) -> Status>,
    /// Source: stop taking new input; `pull` is called until it says END.
    pub interrupt: Option<unsafe extern "C" fn(*mut c_void)>,
    /// Source: whether a restart reads again, from the positions, all that was not acknowledged; 0 is no.
    pub replays: Option<unsafe extern "C" fn(*mut c_void) -> u32>,
    /// Transform: what it has learned, given to the callback. Since 1.1.
    pub state: Option<unsafe extern "C" fn(*mut c_void, arg: *mut c_void, EachText) -> Status>,
}

/// Bytes of [`Component`] in version 1.0: what every plugin has.
pub const COMPONENT_BYTES_MIN: usize = std::mem::offset_of!(Component, state);

// SAFETY: the table is read-only and its texts live as long as the library, which is never unloaded.
unsafe impl Send for Component {}
// SAFETY: as above.
unsafe impl Sync for Component {}

/// What the exported function gives back; lives as long as the program.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Plugin {
    /// `sizeof` of this, as the plugin knows it.
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
