//! A plugin's source, as the runtime sees it: asked again and again, on a thread of its own.

use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, Str, start_flags, status};
use lograil_plugin::{BoxFuture, Build, Port, Source, SourceContext, SourceError};

use crate::call::explain;
use crate::context::{Emission, Started};
use crate::instance::{Instance, Loaded, options_text};

/// How long a call may wait for events: what bounds the time until a request to stop is seen.
const PULL_TIMEOUT: Duration = Duration::from_millis(100);

/// How sources of a plugin's component are made.
pub(crate) fn build(loaded: Loaded) -> Build {
    Build::Source(Box::leak(Box::new(move |options: &lograil_plugin::Options| {
        let instance = Instance::create(loaded, &options_text(options))?;
        Ok(Box::new(PluginSource { loaded, instance }) as Box<dyn Source>)
    })))
}

struct PluginSource {
    loaded: Loaded,
    instance: Instance,
}

impl PluginSource {
    fn start(&mut self, context: &SourceContext) -> Result<(), SourceError> {
        self.instance.context.start(Started {
            id: context.id.clone(),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
        });
        let Some(start) = self.loaded.table.start else { return Ok(()) };
        let positions = serde_json::to_string(&context.positions).unwrap_or_default();
        let info = abi::StartInfo {
            size: size_of::<abi::StartInfo>() as u32,
            flags: if context.once { start_flags::ONCE } else { 0 },
            id: Str::new(&context.id),
            state: Str::NONE,
            base_dir: Str::NONE,
            positions_json: Str::new(&positions),
        };
        let (pointer, error) = (self.instance.pointer, self.instance.error.for_call());
        // SAFETY: the instance is alive and in no other call; the info lives during the call.
        let code = unsafe { start(pointer, &raw const info, error) };
        if code < status::OK { Err(self.failed("start", code)) } else { Ok(()) }
    }

    /// One call for events; what it emitted.
    fn pull(&mut self) -> Result<(Status, Vec<Emission>), SourceError> {
        let Some(pull) = self.loaded.table.pull else { return Ok((status::END, Vec::new())) };
        self.instance.context.work().begin(None);
        let (pointer, error) = (self.instance.pointer, self.instance.error.for_call());
        // SAFETY: the instance is alive and in no other call.
        let code = unsafe { pull(pointer, PULL_TIMEOUT.as_nanos() as u64, error) };
        let fault = self.instance.context.work().fault.take();
        if fault.is_some() || code < status::OK {
            let _nothing_to_settle = self.instance.context.work().abort();
            self.instance.context.work().emitted.clear();
            return Err(match fault {
                Some(why) => {
                    let (plugin, why) = (self.loaded.plugin, explain(status::INVALID, &why));
                    SourceError::Failed(format!("plugin {plugin}: pull: {why}"))
                }
                None => self.failed("pull", code),
            });
        }
        let mut work = self.instance.context.work();
        let _no_batch_came_in = work.end(false);
        Ok((code, std::mem::take(&mut work.emitted)))
    }

    fn failed(&self, function: &str, code: Status) -> SourceError {
        let why = explain(code, &self.instance.error.text());
        SourceError::Failed(format!("plugin {}: {function}: {why}", self.loaded.plugin))
    }

    async fn drive(mut self, mut context: SourceContext) -> Result<(), SourceError> {
        self.start(&context)?;
        let mut is_interrupted = false;
        loop {
            if context.shutdown.is_requested() && !is_interrupted {
                is_interrupted = true;
                let Some(interrupt) = self.loaded.table.interrupt else { return Ok(()) };
                // SAFETY: the instance is alive and in no other call.
                unsafe { interrupt(self.instance.pointer) };
            }
            let (code, emitted) = self.pull()?;
            for emission in emitted {
                let sent = match emission.port {
                    Port::DEAD_LETTER => context.output.dead_letter(emission.batch).await,
                    _ => context.output.send(emission.batch, emission.positions).await,
                };
                if sent.is_err() {
                    return Ok(());
                }
            }
            if code == status::END {
                return Ok(());
            }
        }
    }
}

impl Source for PluginSource {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(self.drive(context))
    }

    fn replays(&self) -> bool {
        let Some(replays) = self.loaded.table.replays else { return false };
        // SAFETY: the instance is alive and in no other call.
        unsafe { replays(self.instance.pointer) != 0 }
    }
}
