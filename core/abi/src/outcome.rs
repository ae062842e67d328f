//! What a call says about how it went.

/// How a call went: 0 went well, > 0 with a remark, < 0 failed. Unknown negative values mean `LR_FAILED`.
pub type Status = i32;

/// The values of [`Status`].
pub mod status {
    use super::Status;

    /// Went well.
    pub const OK: Status = 0;
    /// pull: nothing for now.
    pub const AGAIN: Status = 1;
    /// pull: the input has ended.
    pub const END: Status = 3;
    /// Transform: the batch is dead-lettered; source, sink: the component ends.
    pub const FAILED: Status = -1;
    /// create: the options are wrong.
    pub const CONFIG: Status = -2;
    /// Host and plugin do not speak the same version.
    pub const VERSION: Status = -3;
    /// Sink: failed for now, offer the batch again, with backoff.
    pub const RETRY: Status = -4;
    /// Sink: the batch will never be taken: dead-letter it.
    pub const REJECT: Status = -5;
    /// The instance is unusable: only destroy is called on it after this; a new one is made.
    pub const PANIC: Status = -6;
    /// An argument is wrong: an index, a tag, a text that is not UTF-8.
    pub const INVALID: Status = -7;
    /// Not at this moment, or not in this kind of component.
    pub const NOT_NOW: Status = -8;
    /// Sink: nobody reads the output any more; the topology ends quietly.
    pub const CLOSED: Status = -9;
}

/// Where a call says why it failed. The caller owns the buffer and gives `capacity`; the callee writes `text`, `len` and
/// `flags` before it returns. Nothing is to be freed.
#[derive(Debug)]
#[repr(C)]
pub struct Error {
    /// sizeof of this, as the caller knows it.
    pub size: u32,
    /// `LR_ERROR_IS_JSON` or 0.
    pub flags: u32,
    /// Bytes that fit into `text`.
    pub capacity: u32,
    /// Bytes written; more are cut off at the end of a character.
    pub len: u32,
    /// UTF-8, without a NUL at the end.
    pub text: *mut u8,
}

/// `flags` of an error: the text is a JSON list of mistakes in the options,
/// `[{"path": ["option", "0"], "message": "...", "within": [3, 7], "help": "..."}]`; the last two are optional.
/// `within` are two byte positions inside the option's text.
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
