//! Calls from the host: where a panic ends, and how an error goes back.

use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lograil_abi::{Context, Error, Host, Status, Str, status};

/// The host as one instance sees it.
#[derive(Clone, Copy)]
pub(super) struct HostHandle {
    host: *const Host,
    context: *mut Context,
}

// SAFETY: the host's table is read-only and lives as long as the program, the context as long as the instance;
// the functions called through the handle are those that any thread may call, or are called by the thread that
// serves the instance.
unsafe impl Send for HostHandle {}
// SAFETY: as above.
unsafe impl Sync for HostHandle {}

impl HostHandle {
    /// The host of an instance.
    pub fn new(host: *const Host, context: *mut Context) -> Self {
        Self { host, context }
    }

    pub fn table(&self) -> &Host {
        // SAFETY: `create` got the pointer from the host, whose table lives as long as the program.
        unsafe { &*self.host }
    }

    pub fn context(&self) -> *mut Context {
        self.context
    }

    /// Settles a token.
    pub fn release(&self, token: u64, status: Status) {
        // SAFETY: the context lives until `destroy` has returned, and tokens are given up before.
        unsafe { (self.table().release)(self.context, token, status) };
    }
}

thread_local! {
    /// What the last panic of this thread said, and where.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says instead of printing it: it goes to the host with the error.
pub(super) fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let said = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(said), _) => said,
            (_, Some(said)) => said.as_str(),
            _ => "no message",
        };
        let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        PANIC.with_borrow_mut(|last| *last = format!("{said}{}", place.unwrap_or_default()));
    }));
}

/// What the last panic of this thread said.
pub(super) fn panic_message() -> String {
    PANIC.with_borrow_mut(std::mem::take)
}

/// Why a call failed.
pub(super) struct Failure {
    pub status: Status,
    pub text: String,
    pub flags: u32,
}

impl Failure {
    pub fn new(status: Status, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), flags: 0 }
    }
}

/// Runs the body of a call; a failure and a panic become a status and a text.
pub(super) fn guard(error: *mut Error, body: impl FnOnce() -> Result<Status, Failure>) -> Status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(status)) => return status,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(status::PANIC, format!("panicked: {}", panic_message())),
    };
    if !error.is_null() {
        // SAFETY: the host gives a buffer of its own, valid during the call.
        unsafe { (*error).write(&failure.text, failure.flags) };
    }
    failure.status
}

/// The instance behind a pointer of ours.
///
/// # Safety
/// `instance` must come from `Box::into_raw` of a `T`, not be freed, and not be in use by another call.
pub(super) unsafe fn instance<'a, T>(instance: *mut c_void) -> &'a mut T {
    // SAFETY: the caller vouches for it.
    unsafe { &mut *instance.cast::<T>() }
}

/// The text of the host; empty where it is not UTF-8, which the host vouches against.
///
/// # Safety
/// As for [`Str::bytes`].
pub(super) unsafe fn text<'a>(text: Str) -> &'a str {
    // SAFETY: the caller vouches for it.
    std::str::from_utf8(unsafe { text.bytes() }).unwrap_or_default()
}

/// The text of the host, if it is one.
///
/// # Safety
/// As for [`Str::bytes`].
pub(super) unsafe fn optional_text(given: Str) -> Option<String> {
    // SAFETY: the caller vouches for it.
    (!given.ptr.is_null()).then(|| unsafe { text(given) }.to_owned())
}
