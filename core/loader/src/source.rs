//! A plugin's source, as the runtime sees it: asked again and again, on a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, Str, start_flags, status};
use lograil_plugin::{
    BoxFuture, Build, DeliveryWait, Port, Source, SourceContext, SourceError, SourceStart,
};

use crate::call::{backoff, explain, too_long};
use crate::calls::Function;
use crate::context::{Emission, Started};
use crate::instance::{Instance, Loaded, options_text};
use crate::traits::Traits;
use crate::watchdog::hang_limit;
use crate::{lane, left_behind};

/// How long a call may wait for events: what bounds the time until a request to stop is seen.
const PULL_TIMEOUT: Duration = Duration::from_millis(100);

/// The same where calls have a limit: one that waits as it is told to does not hang.
fn pull_timeout() -> Duration {
    hang_limit().map_or(PULL_TIMEOUT, |limit| PULL_TIMEOUT.min(limit / 2))
}

/// Panics without an event in between after which the source ends.
const PANICS_MAX: u32 = 5;

/// How sources of a plugin's component are made.
pub(crate) fn build(loaded: Loaded) -> Build {
    Build::Source(Box::leak(Box::new(move |options: &lograil_plugin::Options| {
        let options = options_text(options);
        let instance = Instance::create(loaded, &options)?;
        let traits = instance.traits.clone();
        let made = PluginSource { loaded, options, traits, instance: Some(instance) };
        Ok(Box::new(made) as Box<dyn Source>)
    })))
}

struct PluginSource {
    loaded: Loaded,
    options: String,
    traits: Traits,
    /// None where it was left behind.
    instance: Option<Instance>,
}

/// The code of a call that failed, and what is to be said.
struct Failed {
    code: Status,
    error: SourceError,
}

impl PluginSource {
    /// Starts the instance, on a thread of its own: whoever waits for it need not wait for ever.
    async fn start_instance(&mut self, begin: &SourceStart) -> Result<(), SourceError> {
        let Some(instance) = &self.instance else { return Ok(()) };
        if let Some(why) = left_behind::refusal(&begin.id) {
            let plugin = self.loaded.plugin;
            return Err(SourceError::Failed(format!("plugin {plugin}: {why}")));
        }
        instance.context.start(Started {
            id: begin.id.clone(),
            clock: begin.clock.clone(),
            metrics: begin.metrics.clone(),
        });
        let Some(start) = self.loaded.table.start else { return Ok(()) };
        let positions = serde_json::to_string(&begin.positions).unwrap_or_default();
        let (id, once) = (begin.id.clone(), begin.once);
        let call = move |instance: &mut Instance| {
            let info = abi::StartInfo {
                size: size_of::<abi::StartInfo>() as u32,
                flags: if once { start_flags::ONCE } else { 0 },
                id: Str::new(&id),
                state: Str::NONE,
                base_dir: Str::NONE,
                positions_json: Str::new(&positions),
            };
            let error = instance.error.for_call();
            // SAFETY: the instance is alive and in no other call; the info lives during the call.
            unsafe { start(instance.pointer, &raw const info, error) }
        };
        let clock = begin.clock.clone();
        match lane::call_apart(&mut self.instance, Function::Start, &*clock, call).await {
            Ok(code) if code < status::OK => Err(self.failed("start", code)),
            Ok(_) => Ok(()),
            Err(why) => {
                let plugin = self.loaded.plugin;
                Err(SourceError::Failed(format!("plugin {plugin}: start: {why}")))
            }
        }
    }

    /// One call for events; what it emitted.
    fn pull(&mut self) -> Result<(Status, Vec<Emission>), Failed> {
        let (Some(pull), Some(instance)) = (self.loaded.table.pull, &self.instance) else {
            return Ok((status::END, Vec::new()));
        };
        let context = Arc::clone(&instance.context);
        context.work().begin(None);
        let timeout_ns = pull_timeout().as_nanos() as u64;
        let called = lane::call(&mut self.instance, Function::Pull, move |instance| {
            let error = instance.error.for_call();
            // SAFETY: the instance is alive and in no other call.
            unsafe { pull(instance.pointer, timeout_ns, error) }
        });
        let fault = context.work().fault.take();
        let code = match called {
            Ok(code) => code,
            Err(limit) => {
                let _nothing_to_settle = context.abort();
                let (plugin, why) = (self.loaded.plugin, too_long(Function::Pull, limit));
                let error = SourceError::Failed(format!("plugin {plugin}: {why}"));
                return Err(Failed { code: status::PANIC, error });
            }
        };
        if let Some(why) = fault {
            let _nothing_to_settle = context.abort();
            let (plugin, why) = (self.loaded.plugin, explain(status::INVALID, &why));
            let error = SourceError::Failed(format!("plugin {plugin}: pull: {why}"));
            return Err(Failed { code: code.min(status::INVALID), error });
        }
        if code < status::OK {
            let _nothing_to_settle = context.abort();
            return Err(Failed { code, error: self.failed("pull", code) });
        }
        let mut work = context.work();
        let _no_batch_came_in = work.end(false);
        let mut emitted = std::mem::take(&mut work.emitted);
        drop(work);
        emitted.iter_mut().for_each(Emission::change);
        Ok((code, emitted))
    }

    /// Has the instance take no new input; `false` where it can stop at any time.
    fn interrupt(&mut self) -> Result<bool, SourceError> {
        let (Some(interrupt), true) = (self.loaded.table.interrupt, self.instance.is_some()) else {
            return Ok(false);
        };
        let called = lane::call(&mut self.instance, Function::Interrupt, move |instance| {
            // SAFETY: the instance is alive and in no other call.
            unsafe { interrupt(instance.pointer) };
            status::OK
        });
        let plugin = self.loaded.plugin;
        called.map(|_| true).map_err(|limit| {
            let why = too_long(Function::Interrupt, limit);
            SourceError::Failed(format!("plugin {plugin}: interrupt: {why}"))
        })
    }

    fn failed(&self, function: &str, code: Status) -> SourceError {
        let said = self.instance.as_ref().map(|instance| instance.error.text());
        let why = explain(code, &said.unwrap_or_default());
        SourceError::Failed(format!("plugin {}: {function}: {why}", self.loaded.plugin))
    }

    async fn drive(mut self, mut context: SourceContext) -> Result<(), SourceError> {
        let (mut is_interrupted, mut panics) = (false, 0);
        loop {
            if context.shutdown.is_requested() && !is_interrupted {
                is_interrupted = true;
                if !self.interrupt()? {
                    return Ok(());
                }
            }
            let (code, emitted) = match self.pull() {
                Ok(pulled) => pulled,
                Err(failed) if failed.code == status::PANIC && !context.shutdown.is_requested() => {
                    panics += 1;
                    if self.start_anew(&mut context, failed.error, panics).await? {
                        continue;
                    }
                    return Ok(());
                }
                Err(failed) => return Err(failed.error),
            };
            for emission in emitted {
                panics = 0;
                if !send(&mut context, emission).await {
                    return Ok(());
                }
            }
            if code == status::END {
                return Ok(());
            }
        }
    }

    /// Puts a new instance in the place of one that panicked or hangs. It goes on behind the last batch that was sent. `false`
    /// if a request to stop came first: nothing more may be asked of the old one.
    async fn start_anew(
        &mut self,
        context: &mut SourceContext,
        error: SourceError,
        panics: u32,
    ) -> Result<bool, SourceError> {
        if panics >= PANICS_MAX {
            return Err(SourceError::Failed(format!(
                "{error}; stopped after {PANICS_MAX} panics or hangs"
            )));
        }
        let pause = backoff(panics);
        tracing::error!(
            component_id = &*context.id,
            "{error}; it is started anew in {:.1} s",
            pause.as_secs_f64()
        );
        tokio::select! {
            () = context.clock.sleep(pause) => {}
            () = context.shutdown.requested() => return Ok(false),
        }
        let made = Instance::create_again(self.loaded, &self.options);
        self.instance = Some(made.map_err(SourceError::Failed)?);
        let begin = SourceStart {
            id: context.id.clone(),
            clock: context.clock.clone(),
            files: context.files.clone(),
            positions: context.positions.clone(),
            once: context.once,
            metrics: context.metrics.clone(),
        };
        self.start_instance(&begin).await?;
        Ok(true)
    }
}

/// Whether there is still somebody to send to.
async fn send(context: &mut SourceContext, emission: Emission) -> bool {
    let Emission { port, batch, positions, changes: _made } = emission;
    if port == Port::DEAD_LETTER {
        return context.output.dead_letter(batch).await.is_ok();
    }
    for update in &positions {
        match &update.position {
            Some(position) => {
                context.positions.insert(update.stream.clone(), position.clone());
            }
            None => {
                context.positions.remove(&update.stream);
            }
        }
    }
    context.output.send(batch, positions).await.is_ok()
}

impl Source for PluginSource {
    fn start<'a>(&'a mut self, start: &'a SourceStart) -> BoxFuture<'a, Result<(), SourceError>> {
        Box::pin(self.start_instance(start))
    }

    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(self.drive(context))
    }

    fn replays(&self) -> bool {
        self.traits.replays
    }

    fn delivery_wait(&self) -> Option<DeliveryWait> {
        self.traits.delivery_wait.clone()
    }

    fn restarts(&self) -> bool {
        !self.traits.does_not_restart
    }
}
