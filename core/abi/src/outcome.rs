//! What a call says about how it went.

/// 0 went well, above 0 went well with a remark, below 0 failed.
pub type Status = i32;

/// The values of [`Status`]. Unknown negative ones mean [`FAILED`].
pub mod status {
    use super::Status;

    /// Went well.
    pub const OK: Status = 0;
    /// A source has nothing for now.
    pub const AGAIN: Status = 1;
    /// A source has come to the end of its input.
    pub const END: Status = 3;
    /// Failed. A transform's batch is dead-lettered; a sink or a source ends.
    pub const FAILED: Status = -1;
    /// The options are wrong.
    pub const CONFIG: Status = -2;
    /// Host and plugin do not speak the same version.
    pub const VERSION: Status = -3;
    /// Failed for now: the host offers the batch again, with backoff. Sinks only.
    pub const RETRY: Status = -4;
    /// The batch will never be taken: the host dead-letters it.
    pub const REJECT: Status = -5;
    /// The plugin's code panicked: only `destroy` is called on the instance after this.
    pub const PANIC: Status = -6;
    /// An argument is wrong: an index, a tag, a text that is not UTF-8.
    pub const INVALID: Status = -7;
    /// The call is not allowed at this moment or in this kind of component.
    pub const NOT_NOW: Status = -8;
    /// Nobody reads a sink's output any more; the topology ends quietly.
    pub const CLOSED: Status = -9;
}

/// Where a call says why it failed: a buffer of the caller, filled by the callee. Nothing is to be freed.
#[derive(Debug)]
#[repr(C)]
pub struct Error {
    /// `sizeof` of this, as the caller knows it.
    pub size: u32,
    /// [`ERROR_IS_JSON`] or 0.
    pub flags: u32,
    /// Bytes that fit into `text`.
    pub capacity: u32,
    /// Bytes written; more are cut off at the end of a character.
    pub len: u32,
    /// UTF-8.
    pub text: *mut u8,
}

/// The text is a JSON list of mistakes in the options, each an object with `path` (a list), `message`, and
/// optionally `within` (two byte positions inside the option's text) and `help`.
pub const ERROR_IS_JSON: u32 = 1;

impl Error {
    /// Writes `text`, as far as it fits.
    ///
    /// # Safety
    /// `self.text` must point at `self.capacity` writable bytes.
    pub unsafe fn write(&mut self, text: &str, flags: u32) {
        let mut len = text.len().min(self.capacity as usize);
        while !text.is_char_boundary(len) {
            len -= 1;
        }
        if self.text.is_null() {
            len = 0;
        } else {
            // SAFETY: `len` bytes fit by the caller's word; a fresh text does not overlap the buffer.
            unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), self.text, len) };
        }
        self.len = len as u32;
        self.flags = flags;
    }
}
