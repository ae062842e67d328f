//! The signals that the program hears: an initialiser of a library may not take them away.
//!
//! **Invariant:** only those; a language's runtime needs its own handlers for faults.

use std::ffi::c_int;

const HEARD: [c_int; 5] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE, libc::SIGCHLD];

/// What handled them when this was made, and does again when it is dropped.
pub(crate) struct Kept([Option<libc::sigaction>; HEARD.len()]);

impl Kept {
    pub fn new() -> Self {
        Self(HEARD.map(|signal| {
            // SAFETY: plain data of the system's.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                (libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0).then_some(action)
            }
        }))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for (signal, action) in HEARD.into_iter().zip(&self.0) {
            if let Some(action) = action {
                // SAFETY: what the system said before.
                unsafe {
                    libc::sigaction(signal, std::ptr::from_ref(action), std::ptr::null_mut())
                };
            }
        }
    }
}
