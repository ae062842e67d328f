//! Calling into a plugin: the buffer for its error, and what its status means.

use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, status};

use crate::calls::Function;

const CAPACITY: usize = 16 << 10;

/// A buffer that a plugin says in why a call failed. Takes memory when it is first used.
pub(crate) struct ErrorText {
    buffer: Vec<u8>,
    error: abi::Error,
}

// SAFETY: the pointer inside points into the buffer beside it.
unsafe impl Send for ErrorText {}

impl ErrorText {
    pub fn new() -> Self {
        let error = abi::Error {
            size: size_of::<abi::Error>() as u32,
            flags: 0,
            capacity: CAPACITY as u32,
            len: 0,
            text: std::ptr::null_mut(),
        };
        Self { buffer: Vec::new(), error }
    }

    /// The buffer, empty, for one call.
    pub fn for_call(&mut self) -> *mut abi::Error {
        self.buffer.resize(CAPACITY, 0);
        self.error.text = self.buffer.as_mut_ptr();
        self.error.capacity = CAPACITY as u32;
        (self.error.len, self.error.flags) = (0, 0);
        &raw mut self.error
    }

    /// What the plugin said.
    pub fn text(&self) -> String {
        let len = (self.error.len as usize).min(self.buffer.len());
        let said = String::from_utf8_lossy(&self.buffer[..len]).into_owned();
        if said.is_empty() { "no reason given".to_owned() } else { said }
    }

    pub fn is_json(&self) -> bool {
        self.error.flags & abi::ERROR_IS_JSON != 0
    }
}

/// What a failed call says, as a clause.
pub(crate) fn explain(code: Status, said: &str) -> String {
    match code {
        status::PANIC => said.to_owned(),
        status::INVALID => format!("broke the rules of the plugin interface: {said}"),
        status::FAILED | status::REJECT | status::RETRY | status::CONFIG => said.to_owned(),
        other => format!("{said} (status {other})"),
    }
}

/// What a call says that took longer than is allowed.
pub(crate) fn too_long(function: Function, limit: Duration) -> String {
    let (function, seconds) = (function.name(), limit.as_secs_f64());
    format!("`{function}` has not come to its end for {seconds:.1} s; the instance is left behind")
}

/// How long an instance that panicked stays away: longer each time.
pub(crate) fn backoff(panics: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    FIRST * (1 << panics.saturating_sub(1).min(6))
}
