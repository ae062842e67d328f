//! What the host knows of an instance: what it emitted in the present call, and the tokens it holds.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, component_flags, status};
use lograil_event::{AckStatus, Acks, Batch};
use lograil_plugin::{Clock, ComponentMetrics, Port, PositionUpdate, SystemClock};
use tokio::sync::oneshot;

use crate::batch::{HostBatch, KeyCache};
use crate::calls::Calls;
use crate::instance::Loaded;
use crate::watchdog;

/// Most different reasons of discards; later ones are counted as `other`.
const REASONS_MAX: usize = 256;

/// A batch that was emitted and waits for the end of the call.
pub(crate) struct Emission {
    pub port: Port,
    pub batch: Batch,
    pub positions: Vec<PositionUpdate>,
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
    /// What an instance was left behind with: lives as long as it does.
    left_with: Option<Arc<HostBatch>>,
}

/// The host's side of an instance.
pub(crate) struct Context {
    pub loaded: Loaded,
    started: OnceLock<Started>,
    fallback_clock: SystemClock,
    work: Mutex<Work>,
    pub calls: Calls,
}

impl Context {
    pub fn new(loaded: Loaded) -> Self {
        let (started, work) = (OnceLock::new(), Mutex::default());
        let calls = Calls::new(loaded.plugin, loaded.name);
        Self { loaded, started, fallback_clock: SystemClock::default(), work, calls }
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

    pub fn start(self: &Arc<Self>, started: Started) {
        self.calls.set_id(&started.id);
        // A sink that could not be opened at first starts once more.
        if self.started.set(started).is_ok() {
            watchdog::watch(self);
        }
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
    pub fn give_up(&self) {
        self.drop_tokens();
        watchdog::forget(self);
    }

    /// What the instance was given lives as long as it does.
    pub fn leave_with(&self, shown: Option<&Arc<HostBatch>>) {
        self.work().left_with = shown.cloned();
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

    /// Ends a call that failed: nothing of it counts. Gives back the batch's acknowledgements.
    pub fn abort(&mut self) -> Acks {
        self.is_in_call = false;
        for mut emission in self.emitted.drain(..) {
            // Its share says nothing: the batch itself is dealt with by the caller.
            emission.batch.take_acks().resolve(AckStatus::Delivered);
        }
        self.discarded.clear();
        self.created = 0;
        self.pause = None;
        self.current.take().map(|current| current.acks).unwrap_or_default()
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
