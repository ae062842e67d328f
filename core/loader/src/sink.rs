//! A plugin's sink, as the runtime sees it.
//!
//! **Invariant:** an instance has one operation under way, and what that works at lives until it is completed or the
//! instance is gone, also where it is left behind: its context has the batch.

use std::sync::Arc;
use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, Str, start_flags, status};
use lograil_event::Batch;
use lograil_plugin::{BoxFuture, Build, Delivery, Rejection, Sink, SinkContext, SinkError};
use tokio::sync::oneshot;

use crate::batch::{HostBatch, KeyCache};
use crate::call::{explain, too_long};
use crate::calls::Function;
use crate::context::{Completed, Started};
use crate::instance::{Instance, Loaded, options_text};
use crate::watchdog::{hang_after, hang_limit};
use crate::{lane, left_behind};

/// Panics over one batch after which it is dead-lettered.
const PANICS_PER_BATCH_MAX: u32 = 3;

/// Panics without a good batch in between after which the sink ends.
const PANICS_MAX: u32 = 9;

/// How sinks of a plugin's component are made.
pub(crate) fn build(loaded: Loaded) -> Build {
    Build::Sink(Box::leak(Box::new(move |options: &lograil_plugin::Options| {
        let options = options_text(options);
        let instance = Some(Instance::create(loaded, &options)?);
        let made = PluginSink {
            loaded,
            options,
            instance,
            under_way: None,
            is_open: false,
            must_reopen: false,
            lost_in_reopen: None,
            context: None,
            state: None,
            keys: KeyCache::default(),
            has_uncommitted: false,
            panics: 0,
        };
        Ok(Box::new(made) as Box<dyn Sink>)
    })))
}

struct PluginSink {
    loaded: Loaded,
    options: String,
    /// None after a panic, until it is made anew.
    instance: Option<Instance>,
    /// What the instance still works at.
    under_way: Option<UnderWay>,
    /// Whether the instance has been opened.
    is_open: bool,
    /// Whether files are to be opened anew once nothing is under way.
    must_reopen: bool,
    /// What is to be said of an instance that did not come back from that.
    lost_in_reopen: Option<String>,
    context: Option<SinkContext>,
    state: Option<String>,
    keys: KeyCache,
    /// Whether something was written that is not yet durable.
    has_uncommitted: bool,
    panics: u32,
}

/// Orders an operation, to be completed by its token.
type Order = Box<dyn FnOnce(&mut Instance, u64) -> Status + Send>;

/// An operation that the plugin has begun and not completed. It outlives the call that ordered it, which the
/// topology may break off: neither its batch may go nor the next operation begin before it is completed.
struct UnderWay {
    operation: Operation,
    completion: oneshot::Receiver<Completed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Open,
    Write,
    Commit,
    Close,
}

impl Operation {
    fn function(self) -> Function {
        match self {
            Self::Open => Function::Open,
            Self::Write => Function::Write,
            Self::Commit => Function::Commit,
            Self::Close => Function::Close,
        }
    }

    fn name(self) -> &'static str {
        self.function().name()
    }
}

impl PluginSink {
    /// Gives the order; nothing is waited for yet. `None` if there is nothing to do.
    fn begin(
        &mut self,
        operation: Operation,
        shown: Option<&Arc<HostBatch>>,
    ) -> Result<Option<oneshot::Receiver<Completed>>, Completed> {
        if !self.is_open && operation != Operation::Open {
            return Ok(None);
        }
        let (Some(order), Some(instance)) = (self.order(operation, shown), &self.instance) else {
            return Ok(None);
        };
        let context = Arc::clone(&instance.context);
        let (token, completion) = context.expect_completion();
        context.lend(shown);
        let called = lane::call(&mut self.instance, operation.function(), move |instance| {
            order(instance, token)
        });
        match called {
            Ok(code) if code >= status::OK => Ok(Some(completion)),
            Ok(code) => {
                context.expect_none(token);
                context.lend(None);
                let said = self.instance.as_ref().map(|instance| instance.error.text());
                Err(completed(code, said.unwrap_or_default()))
            }
            Err(limit) => Err(completed(status::PANIC, too_long(operation.function(), limit))),
        }
    }

    /// The call that orders an operation; `None` where the plugin has none.
    fn order(&self, operation: Operation, shown: Option<&Arc<HostBatch>>) -> Option<Order> {
        let table = self.loaded.table;
        // SAFETY (of all): the instance is alive, in no other call, and has no operation under way; the info lives during
        // the call, the batch until the completion.
        Some(match operation {
            Operation::Open => {
                let open = table.open?;
                let (context, state) = (self.context.clone()?, self.state.clone());
                Box::new(move |instance, token| {
                    let (info, _base_dir) = info(&context, &state);
                    let error = instance.error.for_call();
                    // SAFETY: see above.
                    unsafe { open(instance.pointer, &raw const info, token, error) }
                })
            }
            Operation::Write => {
                let (write, shown) = (table.write?, Arc::clone(shown?));
                Box::new(move |instance, token| {
                    let (batch, error) = (shown.as_handle(), instance.error.for_call());
                    // SAFETY: see above.
                    unsafe { write(instance.pointer, batch, token, error) }
                })
            }
            Operation::Commit => {
                let commit = table.commit?;
                // SAFETY: see above.
                Box::new(move |instance, token| unsafe {
                    commit(instance.pointer, token, instance.error.for_call())
                })
            }
            Operation::Close => {
                let close = table.close?;
                // SAFETY: see above.
                Box::new(move |instance, token| unsafe {
                    close(instance.pointer, token, instance.error.for_call())
                })
            }
        })
    }

    /// Carries out an operation to its end, once the one before has come to its own. May be broken off.
    async fn run(
        &mut self,
        operation: Operation,
        shown: Option<Arc<HostBatch>>,
    ) -> Result<Completed, SinkError> {
        self.settle().await?;
        let ended = match self.begin(operation, shown.as_ref()) {
            Ok(None) => completed(status::OK, String::new()),
            Ok(Some(completion)) => {
                self.under_way = Some(UnderWay { operation, completion });
                match self.complete().await {
                    Some((_, ended)) => ended,
                    None => completed(status::NOT_NOW, "the sink is not open".to_owned()),
                }
            }
            Err(refused) => refused,
        };
        self.conclude(operation, ended)
    }

    /// Waits for the end of an operation that was broken off. What it wrote is offered again, so that it counts only
    /// where it ends the instance or the sink.
    async fn settle(&mut self) -> Result<(), SinkError> {
        if let Some((operation, ended)) = self.complete().await {
            match self.conclude(operation, ended) {
                Err(SinkError::Retry { .. }) if self.instance.is_some() => {}
                concluded => drop(concluded?),
            }
        }
        match self.lost_in_reopen.take().map(|why| self.poisoned(&why)) {
            // Nothing was lost with it: whoever writes next opens another one.
            None | Some(SinkError::Retry { .. }) => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// Waits until nothing is under way, and says so when that takes long. An instance that takes longer than is allowed
    /// is left behind with what it works at.
    async fn complete(&mut self) -> Option<(Operation, Completed)> {
        let (Some(under_way), Some(context)) = (&mut self.under_way, &self.context) else {
            return None;
        };
        let operation = under_way.operation;
        let (mut waited, limit) = (Duration::ZERO, hang_limit().unwrap_or(Duration::MAX));
        let ended = loop {
            let patience = hang_after().min(limit.saturating_sub(waited));
            tokio::select! {
                biased;
                ended = &mut under_way.completion => break ended,
                () = context.clock.sleep(patience) => {
                    waited += patience;
                    if waited >= limit {
                        self.under_way = None;
                        if let Some(instance) = self.instance.take() {
                            lane::leave(instance);
                        }
                        let why = too_long(operation.function(), waited);
                        return Some((operation, completed(status::PANIC, why)));
                    }
                    tracing::warn!(
                        component_id = &*context.id,
                        "plugin {}: `{}` of {} has not been completed for {:.1} s",
                        self.loaded.plugin,
                        operation.name(),
                        self.loaded.name,
                        waited.as_secs_f64(),
                    );
                }
            }
        };
        self.under_way = None;
        if let Some(instance) = &self.instance {
            instance.context.lend(None);
        }
        if std::mem::take(&mut self.must_reopen) {
            self.reopen();
        }
        let given_up = |_| completed(status::FAILED, "the operation was given up".to_owned());
        Some((operation, ended.unwrap_or_else(given_up)))
    }

    /// What the end of an operation means for the sink.
    fn conclude(&mut self, operation: Operation, ended: Completed) -> Result<Completed, SinkError> {
        if ended.status == status::PANIC {
            return Err(self.poisoned(&ended.detail));
        }
        if ended.status < status::OK && ended.status != status::REJECT {
            return Err(self.error_of(operation, &ended));
        }
        match operation {
            Operation::Open => self.is_open = true,
            Operation::Write => {
                self.panics = 0;
                self.has_uncommitted |=
                    ended.status != status::REJECT && self.loaded.table.commit.is_some();
            }
            Operation::Commit => self.has_uncommitted = false,
            Operation::Close => self.is_open = false,
        }
        if ended.state.is_some() {
            self.state.clone_from(&ended.state);
        }
        Ok(ended)
    }

    fn error_of(&self, operation: Operation, completed: &Completed) -> SinkError {
        let why = format!(
            "plugin {}: {}: {}",
            self.loaded.plugin,
            operation.name(),
            explain(completed.status, &completed.detail)
        );
        match completed.status {
            status::RETRY => {
                let after = completed.retry_after_ns;
                let after = (after > 0).then(|| Duration::from_nanos(after));
                SinkError::Retry { reason: why, after }
            }
            status::CLOSED => SinkError::Closed,
            _ => SinkError::Fatal(why),
        }
    }

    /// The instance panicked, or hangs: it goes, and a new one takes over if nothing was lost with it.
    fn poisoned(&mut self, said: &str) -> SinkError {
        let why = format!("plugin {}: {said}", self.loaded.plugin);
        self.instance = None;
        (self.is_open, self.must_reopen) = (false, false);
        self.panics += 1;
        if self.has_uncommitted {
            return SinkError::Fatal(format!("{why}; what it had not made durable is read again"));
        }
        let refusal = self.context.as_ref().and_then(|context| left_behind::refusal(&context.id));
        if let Some(refusal) = refusal {
            return SinkError::Fatal(format!("{why}; {refusal}"));
        }
        if self.panics >= PANICS_MAX {
            return SinkError::Fatal(format!("{why}; stopped after {PANICS_MAX} panics or hangs"));
        }
        SinkError::retry(format!("{why}; it is started anew"))
    }

    /// Opens the instance if it is not open, made anew where a panic took it.
    async fn be_open(&mut self) -> Result<(), SinkError> {
        self.settle().await?;
        if self.instance.is_none() {
            let made = Instance::create_again(self.loaded, &self.options);
            self.instance = Some(made.map_err(SinkError::Fatal)?);
        }
        if !self.is_open {
            self.start();
            self.run(Operation::Open, None).await?;
        }
        Ok(())
    }

    fn start(&self) {
        if let (Some(instance), Some(context)) = (&self.instance, &self.context) {
            instance.context.start(Started {
                id: context.id.clone(),
                clock: context.clock.clone(),
                metrics: context.metrics.clone(),
            });
        }
    }
}

/// A completion that did not come from the plugin.
fn completed(status: Status, detail: String) -> Completed {
    let rejected = Vec::new();
    Completed { status, bytes: 0, retry_after_ns: 0, rejected, state: None, detail }
}

/// What an instance is told when it opens, and the text behind the directory in it.
fn info(context: &SinkContext, state: &Option<String>) -> (abi::StartInfo, Box<str>) {
    let base_dir: Box<str> = context.base_dir.to_string_lossy().into();
    let flags = if context.comes_again() { start_flags::UPSTREAM_REPLAYS } else { 0 };
    let info = abi::StartInfo {
        size: size_of::<abi::StartInfo>() as u32,
        flags,
        id: Str::new(&context.id),
        state: state.as_deref().map_or(Str::NONE, Str::new),
        base_dir: Str::new(&base_dir),
        positions_json: Str::NONE,
    };
    (info, base_dir)
}

impl Sink for PluginSink {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        self.state.clone_from(&context.state);
        self.context = Some(context);
        Box::pin(self.be_open())
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            self.be_open().await?;
            let shown = HostBatch::new(batch.snapshot(), 0, &mut self.keys);
            let written = match self.run(Operation::Write, Some(shown)).await {
                Ok(written) => written,
                Err(error @ SinkError::Retry { .. })
                    if self.instance.is_none()
                        && self.panics.is_multiple_of(PANICS_PER_BATCH_MAX) =>
                {
                    // This batch does it. The next one may not.
                    let reason = error.to_string();
                    let reject = |event| Rejection { event, reason: reason.clone() };
                    let rejected = (0..batch.len()).map(reject).collect();
                    return Ok(Delivery { bytes: 0, rejected });
                }
                Err(error) => return Err(error),
            };
            if written.status == status::REJECT {
                let reject = |event| Rejection { event, reason: written.detail.clone() };
                let rejected = (0..batch.len()).map(reject).collect();
                return Ok(Delivery { bytes: 0, rejected });
            }
            let rejected = written.rejected.into_iter();
            let rejected = rejected
                .map(|(event, reason)| Rejection { event: event as usize, reason })
                .filter(|one| one.event < batch.len())
                .collect();
            Ok(Delivery { bytes: written.bytes, rejected })
        })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move { self.run(Operation::Commit, None).await.map(drop) })
    }

    fn state(&self) -> Option<String> {
        self.state.clone()
    }

    fn reopen(&mut self) {
        self.must_reopen = self.under_way.is_some();
        if self.must_reopen {
            return;
        }
        let Some(reopen) = self.loaded.table.reopen else { return };
        let called = lane::call(&mut self.instance, Function::Reopen, move |instance| {
            // SAFETY: the instance is alive and in no other call.
            unsafe { reopen(instance.pointer) };
            status::OK
        });
        if let Err(limit) = called {
            let why = too_long(Function::Reopen, limit);
            let id = self.context.as_ref().map(|context| &*context.id);
            tracing::error!(component_id = id, "plugin {}: {why}", self.loaded.plugin);
            self.lost_in_reopen = Some(why);
        }
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move { self.run(Operation::Close, None).await.map(drop) })
    }
}
