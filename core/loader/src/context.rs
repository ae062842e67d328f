//! What the host knows of an instance: what it emitted in the present call, and the tokens it holds.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, component_flags, status};
use lograil_event::{AckStatus, Acks, Batch, Changes};
use lograil_plugin::{Clock, ComponentMetrics, Port, PositionUpdate, SystemClock};
use tokio::sync::oneshot;

use crate::batch::{HostBatch, KeyCache};
use crate::calls::Calls;
use crate::instance::Loaded;
use crate::{left_behind, watchdog};

/// Most different reasons of discards; later ones are counted as `other`.
const REASONS_MAX: usize = 256;

/// A batch that was emitted and waits for the end of the call.
pub(crate) struct Emission {
    pub port: Port,
    pub batch: Batch,
    /// What is still to be changed, once the call has ended well: then nobody else has the arrays.
    pub changes: Changes,
    pub positions: Vec<PositionUpdate>,
}

impl Emission {
    /// Makes the changes.
    pub fn change(&mut self) {
        self.changes.apply(&mut self.batch);
        self.changes.clear();
    }
}

/// How an operation of a sink ended.
#[derive(Debug)]
pub(crate) struct Completed {
    pub status: Status,
    pub bytes: u64,
    pub retry_after_ns: u64,
    pub rejected: Vec<(u32, String)>,
    pub state: Option<String>,
    pub detail: String,
}

/// What an instance learns of the topology when it starts.
pub(crate) struct Started {
    pub id: Arc<str>,
    pub clock: Arc<dyn Clock>,
    pub metrics: ComponentMetrics,
}

/// The batch that is being processed.
struct Current {
    token: u64,
    acks: Acks,
    /// What `release` said, if it was called already.
    fate: Option<AckStatus>,
}

#[derive(Default)]
pub(crate) struct Work {
    is_in_call: bool,
    current: Option<Current>,
    /// Acknowledgements of batches whose events the instance holds back.
    held: HashMap<u64, Acks>,
    pub emitted: Vec<Emission>,
    pub discarded: Vec<(&'static str, u64)>,
    pub created: u64,
    /// The pause that the instance asked for in this call.
    pub pause: Option<Duration>,
    /// The first rule that the instance broke in this call.
    pub fault: Option<String>,
    pub keys: KeyCache,
    completions: HashMap<u64, oneshot::Sender<Completed>>,
    /// Totals of counters as they were last told.
    pub totals: HashMap<(String, String), u64>,
    last_token: u64,
    /// What a sink's instance writes: lives as long as it does, unless it is completed before.
    lent: Option<Arc<HostBatch>>,
}

/// The host's side of an instance.
pub(crate) struct Context {
    pub loaded: Loaded,
    started: OnceLock<Started>,
    fallback_clock: SystemClock,
    work: Mutex<Work>,
    pub calls: Calls,
    is_left_behind: AtomicBool,
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.is_left_behind.load(Ordering::Relaxed) {
            left_behind::tell(self);
        }
    }
}

impl Context {
    pub fn new(loaded: Loaded) -> Self {
        let (started, work) = (OnceLock::new(), Mutex::default());
        let calls = Calls::new(loaded.plugin, loaded.name);
        let (fallback_clock, is_left_behind) = (SystemClock::default(), AtomicBool::new(false));
        Self { loaded, started, fallback_clock, work, calls, is_left_behind }
    }

    /// The pointer that the plugin gives back with every call.
    pub fn as_handle(self: &Arc<Self>) -> *mut abi::Context {
        Arc::as_ptr(self).cast_mut().cast()
    }

    /// The context behind a pointer that a plugin gives back.
    ///
    /// # Safety
    /// `handle` must be null or come from [`Self::as_handle`] of a context that still lives.
    pub unsafe fn of<'a>(handle: *mut abi::Context) -> Option<&'a Self> {
        // SAFETY: the caller vouches for it.
        unsafe { handle.cast::<Self>().as_ref() }
    }

    pub fn start(&self, started: Started) {
        self.calls.set_id(&started.id);
        // A sink that could not be opened at first starts once more.
        let _first = self.started.set(started);
    }

    pub fn started(&self) -> Option<&Started> {
        self.started.get()
    }

    pub fn clock(&self) -> &dyn Clock {
        self.started.get().map_or(&self.fallback_clock, |started| &*started.clock)
    }

    pub fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn uses_tokens(&self) -> bool {
        self.loaded.table.flags & component_flags::TOKENS != 0
    }

    /// Expects nothing more of the instance, which is left behind.
    pub fn give_up(self: &Arc<Self>) {
        self.drop_tokens();
        watchdog::forget(self);
        if !self.is_left_behind.swap(true, Ordering::Relaxed) {
            left_behind::add(self);
        }
    }

    /// What the instance works at from now on, which lives as long as it does or until something else takes its place.
    pub fn lend(&self, shown: Option<&Arc<HostBatch>>) {
        let before = std::mem::replace(&mut self.work().lent, shown.cloned());
        // Outside of the lock: what a plugin lent goes back to it, and it may ask the host for something then.
        drop(before);
    }

    /// Gives up what the instance held back: whoever read it must read it again.
    pub fn drop_tokens(&self) {
        let held = std::mem::take(&mut self.work().held);
        drop(held);
        self.work().completions.clear();
    }

    /// Settles a token on behalf of the plugin.
    pub fn release(&self, token: u64, code: Status) -> Status {
        let fate = match code {
            status::OK => AckStatus::Delivered,
            status::REJECT => AckStatus::Rejected,
            _ => AckStatus::Errored,
        };
        let held = {
            let mut work = self.work();
            if let Some(current) = work.current.as_mut().filter(|current| current.token == token) {
                current.fate = Some(fate);
                return status::OK;
            }
            work.held.remove(&token)
        };
        let Some(acks) = held else { return status::INVALID };
        acks.resolve(fate);
        status::OK
    }

    /// Ends a call that failed: nothing of it counts. Gives back the batch's acknowledgements.
    pub fn abort(&self) -> Acks {
        // What a plugin lent goes back to it after the lock: it may ask the host for something then.
        let (acks, emitted) = self.work().abort();
        for mut emission in emitted {
            // Its share says nothing: the batch itself is dealt with by the caller.
            emission.batch.take_acks().resolve(AckStatus::Delivered);
        }
        acks
    }

    /// A token for an operation of a sink, and what completes it.
    pub fn expect_completion(&self) -> (u64, oneshot::Receiver<Completed>) {
        let (sender, receiver) = oneshot::channel();
        let mut work = self.work();
        work.last_token += 1;
        let token = work.last_token;
        work.completions.insert(token, sender);
        (token, receiver)
    }

    /// Expects no completion: the operation was refused.
    pub fn expect_none(&self, token: u64) {
        self.work().completions.remove(&token);
    }

    /// Ends an operation of a sink, which happens once.
    pub fn complete(&self, token: u64, completed: Completed) -> Status {
        let Some(sender) = self.work().completions.remove(&token) else {
            tracing::error!(
                plugin = self.loaded.plugin,
                component_type = self.loaded.name,
                "the plugin completed an operation that is not under way (token {token}); ignored"
            );
            return status::INVALID;
        };
        // Nobody waits any more where the topology has given up.
        let _heard = sender.send(completed);
        status::OK
    }
}

impl Work {
    /// Starts a call; `acks` are those of the batch it brings. Gives the batch's token.
    pub fn begin(&mut self, acks: Option<Acks>) -> u64 {
        self.is_in_call = true;
        self.fault = None;
        let Some(acks) = acks else { return 0 };
        self.last_token += 1;
        self.current = Some(Current { token: self.last_token, acks, fate: None });
        self.last_token
    }

    pub fn is_in_call(&self) -> bool {
        self.is_in_call
    }

    /// The acknowledgements of the batches that an emitted one comes from.
    pub fn acks_of(&self, tokens: &[u64], all_of_current: bool) -> Result<Acks, String> {
        let is_held = |token: &&u64| {
            let is_current = self.current.as_ref().is_some_and(|one| one.token == **token);
            is_current || self.held.contains_key(*token)
        };
        // Before the first share is taken: one that is dropped would count as a loss.
        if let Some(token) = tokens.iter().find(|token| !is_held(token)) {
            return Err(format!("named the token {token}, which it does not hold"));
        }
        let mut acks = Acks::default();
        if all_of_current && let Some(current) = &self.current {
            acks.merge(current.acks.clone());
        }
        for token in tokens {
            match (&self.current, self.held.get(token)) {
                (Some(current), _) if current.token == *token => acks.merge(current.acks.clone()),
                (_, Some(held)) => acks.merge(held.clone()),
                _ => {}
            }
        }
        Ok(acks)
    }

    /// Ends a call that went well. The batch's acknowledgements stay where the instance holds events back.
    pub fn end(&mut self, holds_back: bool) -> Option<(Acks, AckStatus)> {
        self.is_in_call = false;
        let current = self.current.take()?;
        match current.fate {
            Some(fate) => Some((current.acks, fate)),
            None if holds_back => {
                self.held.insert(current.token, current.acks);
                None
            }
            None => Some((current.acks, AckStatus::Delivered)),
        }
    }

    /// The batch's acknowledgements, and what was emitted.
    fn abort(&mut self) -> (Acks, Vec<Emission>) {
        self.is_in_call = false;
        self.discarded.clear();
        self.created = 0;
        self.pause = None;
        let acks = self.current.take().map(|current| current.acks).unwrap_or_default();
        (acks, std::mem::take(&mut self.emitted))
    }
}

/// The reason of a discard as a text that lives forever. There are few, and they are bounded.
pub(crate) fn reason(text: &str) -> &'static str {
    static REASONS: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut guard = REASONS.lock().unwrap_or_else(PoisonError::into_inner);
    let reasons = guard.get_or_insert_default();
    match reasons.get(text) {
        Some(known) => known,
        None if reasons.len() >= REASONS_MAX => "other",
        None => {
            let known: &'static str = text.to_owned().leak();
            reasons.insert(known);
            known
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::c_void;
    use std::ptr;

    use lograil_testkit::{batch_of_json, events_of};
    use serde_json::json;

    use super::*;
    use crate::host;

    /// What a plugin lends; for each time that it came back, whether the host could be asked for something.
    struct Lent {
        context: Arc<Context>,
        could_ask: Mutex<Vec<bool>>,
    }

    unsafe extern "C" fn give_back(owner: *mut c_void) {
        // SAFETY: the tests give one that lives longer.
        let lent = unsafe { &*owner.cast::<Lent>() };
        lent.could_ask.lock().unwrap().push(lent.context.work.try_lock().is_ok());
    }

    impl Lent {
        fn new() -> Self {
            // SAFETY: numbers that are zero, texts that are none, functions that are missing.
            let table: &abi::Component = Box::leak(Box::new(unsafe { std::mem::zeroed() }));
            let loaded = Loaded { plugin: "acme", name: "acme.test", table, own_table: table };
            Self { context: Arc::new(Context::new(loaded)), could_ask: Mutex::default() }
        }

        fn could_ask(&self) -> Vec<bool> {
            self.could_ask.lock().unwrap().clone()
        }

        fn output(&self, base: *const abi::Batch, segment: &abi::Segment) -> abi::Output {
            abi::Output {
                size: size_of::<abi::Output>() as u32,
                port: 0,
                base,
                events: ptr::null(),
                fields: ptr::null(),
                segments: segment,
                keys: ptr::null(),
                tokens: ptr::null(),
                positions: ptr::null(),
                event_count: 0,
                field_count: 0,
                segment_count: 1,
                key_count: 0,
                token_count: 0,
                position_count: 0,
                owner: ptr::from_ref(self).cast_mut().cast(),
                release: Some(give_back),
                columns: ptr::null(),
                kept: ptr::null(),
                column_count: 0,
                kept_count: 0,
            }
        }

        fn emit(&self, output: &abi::Output) -> Status {
            // SAFETY: the host's table is static; pointers, counts and the lease are what they claim to be.
            unsafe { ((*host::table()).emit)(self.context.as_handle(), output) }
        }
    }

    fn segment(bytes: &[u8]) -> abi::Segment {
        let (ptr, len) = (bytes.as_ptr(), bytes.len() as u64);
        abi::Segment { ptr, len, stream: 0, offset: 0, flags: 0, reserved: 0 }
    }

    #[test]
    fn what_a_plugin_lent_goes_back_to_it_while_the_host_can_be_asked() {
        let lent = Lent::new();
        let text = segment(b"text");
        let mut output = lent.output(ptr::null(), &text);
        assert_eq!((lent.emit(&output), &lent.could_ask()[..]), (status::NOT_NOW, &[true][..]));

        lent.context.work().begin(None);
        assert_eq!((lent.emit(&output), lent.could_ask().len()), (status::OK, 1));
        let _nothing_to_settle = lent.context.abort();
        assert_eq!(lent.could_ask(), [true; 2]);

        lent.context.work().begin(None);
        output.port = 70_000;
        assert_eq!((lent.emit(&output), &lent.could_ask()[..]), (status::INVALID, &[true; 3][..]));

        output.port = 0;
        let unknown = abi::Field { key: 0, tag: 99, segment: 0, flags: 0, payload: 0 };
        (output.fields, output.field_count) = (&raw const unknown, 1);
        assert_eq!((lent.emit(&output), &lent.could_ask()[..]), (status::INVALID, &[true; 4][..]));

        output.fields = output.fields.wrapping_byte_add(1);
        assert_eq!((lent.emit(&output), &lent.could_ask()[..]), (status::INVALID, &[true; 5][..]));
    }

    #[test]
    fn a_part_of_what_the_host_lent_is_not_the_plugins_to_lend() {
        let lent = Lent::new();
        let mut batch = batch_of_json(&[json!({"a": "x"}), json!({"a": "y"})]);
        batch.freeze();
        let shown = HostBatch::new(batch, 0, &mut KeyCache::default());
        let text = segment(&shown.batch.segments()[0].bytes[1..]);
        let mut output = lent.output(shown.as_handle(), &text);
        output.events = shown.batch.records()[1..].as_ptr().cast();
        output.fields = shown.batch.fields().as_ptr().cast();
        (output.event_count, output.field_count) = (1, shown.batch.fields().len() as u32);
        lent.context.work().begin(None);
        assert_eq!(
            (lent.emit(&output), lent.could_ask().len()),
            (status::OK, 1),
            "nothing is lent"
        );
        drop(shown);
        let emitted = lent.context.work().emitted.pop().unwrap();
        assert_eq!(events_of(&emitted.batch)[0]["a"], "y");
        assert_eq!(emitted.batch.segments().last().unwrap().bytes.as_ptr(), text.ptr);
    }
}
