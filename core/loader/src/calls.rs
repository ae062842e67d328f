//! Which call into a plugin is under way, in each instance and on each thread: what the watchdog and the report of
//! a crash go by.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering, compiler_fence};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// The functions of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Function {
    Entry,
    Ports,
    Claims,
    Create,
    Destroy,
    Start,
    Process,
    Tick,
    Flush,
    State,
    Open,
    Write,
    Commit,
    Close,
    Reopen,
    Pull,
    Interrupt,
    Replays,
    Traits,
}

const NAMES: [&str; 19] = [
    "lograil_plugin_v1",
    "ports",
    "claims",
    "create",
    "destroy",
    "start",
    "process",
    "tick",
    "flush",
    "state",
    "open",
    "write",
    "commit",
    "close",
    "reopen",
    "pull",
    "interrupt",
    "replays",
    "traits",
];

impl Function {
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// The calls of one instance: one at a time.
pub(crate) struct Calls {
    pub plugin: &'static str,
    pub component_type: &'static str,
    id: OnceLock<Arc<str>>,
    function: AtomicU8,
    /// When the call that is under way began, by [`now_ms`]; 0 where none is.
    began_ms: AtomicU64,
}

thread_local! {
    /// The calls of the instance that this thread is in a call of. Plain data: a signal handler reads it.
    static CURRENT: Cell<*const Calls> = const { Cell::new(std::ptr::null()) };
}

/// Milliseconds since the first question, and one.
pub(crate) fn now_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64 + 1
}

impl Calls {
    pub fn new(plugin: &'static str, component_type: &'static str) -> Self {
        let (id, function, began_ms) = (OnceLock::new(), AtomicU8::new(0), AtomicU64::new(0));
        Self { plugin, component_type, id, function, began_ms }
    }

    /// Names the component in the topology.
    pub fn set_id(&self, id: &Arc<str>) {
        // An instance starts once; a second time would be a mistake of ours without consequence.
        let _first = self.id.set(Arc::clone(id));
    }

    /// The component in the topology, or its type where it is in none yet.
    pub fn id(&self) -> &str {
        self.id.get().map_or(self.component_type, |id| id)
    }

    /// The function that was called last.
    pub fn function(&self) -> &'static str {
        NAMES.get(usize::from(self.function.load(Ordering::Relaxed))).copied().unwrap_or_default()
    }

    /// For how long a call has been under way.
    pub fn under_way_ms(&self) -> Option<u64> {
        match self.began_ms.load(Ordering::Acquire) {
            0 => None,
            began => Some(now_ms().saturating_sub(began)),
        }
    }

    /// Says that this thread is in a call until the answer is dropped.
    pub fn enter(&self, function: Function) -> InCall<'_> {
        self.function.store(function as u8, Ordering::Relaxed);
        self.began_ms.store(now_ms(), Ordering::Release);
        CURRENT.set(self);
        compiler_fence(Ordering::SeqCst);
        InCall { calls: self, _of_this_thread: PhantomData }
    }

    /// The call that this thread is in.
    ///
    /// # Safety
    /// Only on the thread itself, while it cannot return from the call: in a signal handler.
    pub unsafe fn current<'a>() -> Option<&'a Self> {
        // SAFETY: a pointer is there only while `InCall` borrows what it points at.
        unsafe { CURRENT.get().as_ref() }
    }
}

/// A thread is in a call.
pub(crate) struct InCall<'a> {
    calls: &'a Calls,
    _of_this_thread: PhantomData<*const ()>,
}

impl Drop for InCall<'_> {
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        CURRENT.set(std::ptr::null());
        self.calls.began_ms.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_while_it_lasts_and_by_name() {
        let calls = Calls::new("acme", "acme.redact");
        assert_eq!(calls.under_way_ms(), None);
        let in_call = calls.enter(Function::Replays);
        assert_eq!((calls.function(), calls.id()), ("replays", "acme.redact"));
        assert!(calls.under_way_ms().is_some());
        // SAFETY: this thread is in the call.
        assert!(unsafe { Calls::current() }.is_some());
        calls.set_id(&"clean".into());
        assert_eq!(calls.id(), "clean");
        drop(in_call);
        assert_eq!(calls.under_way_ms(), None);
        // SAFETY: there is no call.
        assert!(unsafe { Calls::current() }.is_none());
    }
}
