//! A plugin's transform, as the runtime sees it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Status, Str, status};
use lograil_event::Batch;
use lograil_plugin::{Build, Outputs, Transform, TransformContext, TransformError};

use crate::batch::HostBatch;
use crate::call::{backoff, explain, too_long};
use crate::calls::Function;
use crate::context::{Emission, Started};
use crate::instance::{Instance, Loaded, options_text};
use crate::traits::{Traits, ask_text};
use crate::watchdog::{hang_limit, preparation_limit};
use crate::{lane, left_behind};

/// After so many panics without a good batch in between, an instance is not made anew.
const PANICS_MAX: u32 = 5;

/// How transforms of a plugin's component are made.
pub(crate) fn build(loaded: Loaded) -> Build {
    Build::Transform(Box::leak(Box::new(move |options: &lograil_plugin::Options| {
        let options = options_text(options);
        let instance = Instance::create(loaded, &options)?;
        let made = PluginTransform {
            loaded,
            options,
            traits: instance.traits.clone(),
            instance: RefCell::new(Some(instance)),
            context: None,
            state: RefCell::default(),
            is_unusable: Cell::default(),
            panics: 0,
        };
        Ok(Box::new(made) as Box<dyn Transform>)
    })))
}

struct PluginTransform {
    loaded: Loaded,
    options: String,
    traits: Traits,
    /// None after a panic, until it is made anew.
    instance: RefCell<Option<Instance>>,
    context: Option<TransformContext>,
    /// What the instance said last that it had learned; one that takes over goes on with it.
    state: RefCell<Option<Arc<[u8]>>>,
    /// Whether it panicked, or did not answer, when it was asked for its state.
    is_unusable: Cell<bool>,
    panics: u32,
}

/// The code and the words of a call that failed.
struct Failed {
    code: Status,
    why: String,
}

impl PluginTransform {
    /// Tells the instance that it starts.
    fn start_instance(&mut self) -> Result<(), String> {
        let place = self.instance.get_mut();
        let (Some(instance), Some(context)) = (&place, &self.context) else {
            return Ok(());
        };
        instance.context.start(Started {
            id: context.id.clone(),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
        });
        let Some(start) = self.loaded.table.start else { return Ok(()) };
        let (id, state) = (context.id.clone(), self.state.borrow().clone());
        let base_dir = context.base_dir.to_string_lossy().into_owned();
        let call = move |instance: &mut Instance| {
            let info = abi::StartInfo {
                size: size_of::<abi::StartInfo>() as u32,
                flags: 0,
                id: Str::new(&id),
                state: state
                    .as_deref()
                    .map_or(Str::NONE, |state| Str { ptr: state.as_ptr(), len: state.len() }),
                base_dir: Str::new(&base_dir),
                positions_json: Str::NONE,
            };
            // SAFETY: the instance is alive and in no other call; the rest lives during the call.
            unsafe { start(instance.pointer, &raw const info, instance.error.for_call()) }
        };
        match lane::call_within(Some(preparation_limit()), place, Function::Start, call) {
            Ok(code) if code < status::OK => Err(explain(code, &said(place))),
            Ok(_) => Ok(()),
            Err(limit) => Err(too_long(Function::Start, limit)),
        }
    }

    /// Runs one call of the instance and settles what came of it.
    fn call(
        &mut self,
        batch: Option<Batch>,
        out: &mut Outputs,
        function: Function,
        work: impl FnOnce(&mut Instance, *const abi::Batch) -> Status + Send + 'static,
    ) {
        self.revive();
        let Some(instance) = self.instance.get_mut() else {
            if let Some(batch) = batch {
                let why = self
                    .refusal()
                    .unwrap_or_else(|| format!("stopped after {PANICS_MAX} panics or hangs"));
                let why = format!("plugin {}: {why}", self.loaded.plugin);
                out.dead_letter(batch, |_| &why);
            }
            return;
        };
        let context = instance.context.clone();
        let came_in = batch.as_ref().map_or(0, Batch::len);
        let shown = batch.map(|mut batch| {
            batch.freeze();
            let mut work = context.work();
            let acks = batch.take_acks();
            let token = work.begin(Some(acks));
            HostBatch::to_extend(batch, token, &mut work.keys)
        });
        if shown.is_none() {
            context.work().begin(None);
        }
        let lent = shown.clone();
        let called = lane::call(self.instance.get_mut(), function, move |instance| {
            let handle = lent.as_ref().map_or(std::ptr::null(), HostBatch::as_handle);
            work(instance, handle)
        });
        let fault = context.work().fault.take();
        let failed = match (called, fault) {
            (Err(limit), _) => Some(Failed { code: status::PANIC, why: too_long(function, limit) }),
            (Ok(code), Some(why)) => Some(Failed {
                code: code.min(status::INVALID),
                why: explain(status::INVALID, &why),
            }),
            (Ok(code), None) if code < status::OK => {
                Some(Failed { code, why: explain(code, &said(self.instance.get_mut())) })
            }
            (Ok(_), None) => None,
        };
        match failed {
            None => {
                let is_batch = shown.is_some();
                if is_batch {
                    self.panics = 0;
                }
                // What is emitted has its arrays alone then, and is changed in place.
                drop(shown);
                deliver(&context, came_in, is_batch, out);
            }
            Some(failed) => self.fail(&context, shown.as_deref(), failed, out),
        }
    }

    /// Nothing of a failed call counts: the batch becomes dead letters.
    fn fail(
        &mut self,
        context: &crate::context::Context,
        shown: Option<&HostBatch>,
        failed: Failed,
        out: &mut Outputs,
    ) {
        let acks = context.abort();
        let why = format!("plugin {}: {}", self.loaded.plugin, failed.why);
        if let Some(context) = &self.context {
            let help = "Calls of the plugin that failed; their batches are dead-lettered.";
            context.metrics.counter("plugin_errors", help).inc();
            tracing::error!(component_id = &*context.id, "{why}");
        }
        if let Some(shown) = shown {
            let mut batch = shown.as_it_was();
            batch.add_acks(acks);
            out.dead_letter(batch, |_| &why);
        }
        if failed.code == status::PANIC {
            self.panics += 1;
            self.instance.take();
            if self.panics < PANICS_MAX {
                out.pause(backoff(self.panics));
            }
        }
    }

    /// Why no further instance may be made, if too many hang.
    fn refusal(&self) -> Option<String> {
        self.context.as_ref().and_then(|context| left_behind::refusal(&context.id))
    }

    /// Puts a new instance in the place of one that panicked, unless that happened too often.
    fn revive(&mut self) {
        if self.is_unusable.take() {
            self.instance.take();
            self.panics += 1;
        }
        if self.instance.get_mut().is_some()
            || self.panics >= PANICS_MAX
            || self.refusal().is_some()
        {
            return;
        }
        let revived = Instance::create_again(self.loaded, &self.options).and_then(|instance| {
            self.instance.replace(Some(instance));
            self.start_instance()
        });
        if let Err(why) = revived {
            self.instance.take();
            self.panics += 1;
            let id = self.context.as_ref().map(|context| &*context.id);
            tracing::error!(component_id = id, "plugin {}: start anew: {why}", self.loaded.plugin);
        }
    }
}

/// What the instance said of its last call.
fn said(place: &Option<Instance>) -> String {
    place.as_ref().map(|instance| instance.error.text()).unwrap_or_default()
}

/// Hands on what a call made.
fn deliver(context: &crate::context::Context, came_in: usize, is_batch: bool, out: &mut Outputs) {
    let mut work = context.work();
    let settled = work.end(context.uses_tokens());
    let mut emitted = std::mem::take(&mut work.emitted);
    let discarded = std::mem::take(&mut work.discarded);
    let mut created = std::mem::take(&mut work.created);
    let pause = work.pause.take();
    drop(work);
    emitted.iter_mut().for_each(Emission::change);
    let mut gone: u64 = discarded.iter().map(|(_, events)| events).sum();
    gone += emitted.iter().map(|emission| emission.batch.len() as u64).sum::<u64>();
    for (reason, events) in discarded {
        out.discard(reason, usize::try_from(events).unwrap_or(usize::MAX));
    }
    if is_batch && !context.uses_tokens() {
        // Such a plugin holds nothing back: what did not come out was dropped, what is more was made.
        let expected = came_in as u64 + created;
        out.discard("dropped", usize::try_from(expected.saturating_sub(gone)).unwrap_or_default());
        created += gone.saturating_sub(expected);
    }
    if created > 0 {
        out.create(usize::try_from(created).unwrap_or(usize::MAX));
    }
    if let Some(pause) = pause {
        out.pause(pause);
    }
    for emission in emitted {
        out.emit_to(emission.port, emission.batch);
    }
    if let Some((acks, fate)) = settled {
        acks.resolve(fate);
    }
}

impl Transform for PluginTransform {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        self.state.replace(context.state.clone());
        self.context = Some(context);
        let plugin = self.loaded.plugin;
        self.start_instance()
            .map_err(|why| TransformError(format!("plugin {plugin}: start: {why}")))
    }

    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        let Some(process) = self.loaded.table.process else { return };
        self.call(Some(batch), out, Function::Process, move |instance, batch| {
            // SAFETY: the instance is alive and in no other call; the batch lives during the call.
            unsafe { process(instance.pointer, batch, instance.error.for_call()) }
        });
    }

    fn tick(&mut self, now_ns: i64, out: &mut Outputs) {
        let Some(tick) = self.loaded.table.tick else { return };
        self.call(None, out, Function::Tick, move |instance, _| {
            // SAFETY: the instance is alive and in no other call.
            unsafe { tick(instance.pointer, now_ns, instance.error.for_call()) }
        });
    }

    fn flush(&mut self, out: &mut Outputs) {
        let Some(flush) = self.loaded.table.flush else { return };
        self.call(None, out, Function::Flush, move |instance, _| {
            // SAFETY: the instance is alive and in no other call.
            unsafe { flush(instance.pointer, instance.error.for_call()) }
        });
    }

    fn held_for(&self) -> Duration {
        self.traits.held_for
    }

    fn has_unnamed_output(&self) -> bool {
        !self.traits.has_no_unnamed_output
    }

    fn state(&self) -> Option<Vec<u8>> {
        let ask = self.loaded.table.state?;
        if self.is_unusable.get() {
            return None;
        }
        let mut place = self.instance.borrow_mut();
        place.as_ref()?;
        let asked = ask_text(&mut place, hang_limit(), Function::State, ask);
        let why = match asked {
            Ok((code, state)) if code >= status::OK => {
                self.state.replace(state.as_deref().map(Arc::from));
                return state;
            }
            Ok((code, _)) => {
                self.is_unusable.set(code == status::PANIC);
                format!("it failed with status {code}")
            }
            Err(limit) => {
                self.is_unusable.set(true);
                too_long(Function::State, limit)
            }
        };
        tracing::error!(
            component_id = self.context.as_ref().map(|context| &*context.id),
            "plugin {}: state: {why}; nothing is kept",
            self.loaded.plugin
        );
        None
    }
}
