//! A source behind the C interface: its future runs on a thread of the library, and the host pulls what it
//! sends. The channel between them holds nothing: a batch is sent when the host has asked for it.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lograil_abi as abi;
use lograil_abi::{Error, StartInfo, Status, kind, start_flags, status};
use lograil_event::{Batch, Changes};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::batch::Lists;
use super::call::{Failure, HostHandle, guard, instance, panic_message, text};
use super::export::{HostClock, nanoseconds, say};
use super::metrics::LocalMetrics;
use crate::error::SourceError;
use crate::fs::SystemFiles;
use crate::shutdown::{Shutdown, ShutdownTrigger};
use crate::source::{BatchSender, Closed, PositionUpdate, Source, SourceOutput, SourceStart};
use crate::spec::{Kind, Port};

enum Sent {
    Batch { port: Port, batch: Batch, positions: Vec<PositionUpdate>, taken: oneshot::Sender<()> },
    Ended(Result<(), Failure>),
}

struct Instance {
    host: HostHandle,
    name: &'static str,
    replays: bool,
    /// What `traits` says.
    traits: Value,
    /// Until `start` gives it its thread.
    source: Option<Box<dyn Source>>,
    /// Lets the source run: until the first pull it may take nothing, since none may come.
    run: Option<oneshot::Sender<()>>,
    lists: Lists,
    metrics: LocalMetrics,
    shutdown: Option<ShutdownTrigger>,
    sent: Option<Receiver<Sent>>,
    /// Tells the source that its last batch has been taken: when the host asks for the next one.
    taken: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn fill(table: &mut abi::Component) {
    table.kind = kind::SOURCE;
    table.flags = 0;
    table.destroy = Some(destroy);
    table.start = Some(start);
    table.pull = Some(pull);
    table.interrupt = Some(interrupt);
    table.replays = Some(replays);
    table.traits = Some(traits);
}

pub(super) fn new(host: HostHandle, name: &'static str, source: Box<dyn Source>) -> *mut c_void {
    let replays = source.replays();
    let wait = source.delivery_wait();
    let wait =
        wait.map(|wait| json!({ "within_ns": nanoseconds(wait.within), "remedy": wait.remedy }));
    let traits = json!({ "delivery_wait": wait, "restarts": source.restarts() });
    let made = Instance {
        host,
        name,
        replays,
        traits,
        source: Some(source),
        run: None,
        lists: Lists::default(),
        metrics: LocalMetrics::default(),
        shutdown: None,
        sent: None,
        taken: None,
        thread: None,
    };
    Box::into_raw(Box::new(made)).cast()
}

/// The source's end of the channel.
struct ToPull(SyncSender<Sent>);

impl BatchSender for ToPull {
    fn send<'a>(
        &'a mut self,
        port: Port,
        batch: Batch,
        positions: Vec<PositionUpdate>,
    ) -> BoxFuture<'a, Result<(), Closed>> {
        let (taken, wait) = oneshot::channel();
        let sent = self.0.send(Sent::Batch { port, batch, positions, taken });
        Box::pin(async move {
            sent.map_err(|_| Closed)?;
            wait.await.map_err(|_| Closed)
        })
    }
}

/// Starts the source, says how that went, and runs it to its end once it is asked for events.
async fn serve(
    mut source: Box<dyn Source>,
    start: SourceStart,
    shutdown: Shutdown,
    started: Sender<Result<(), Failure>>,
    is_pulled: oneshot::Receiver<()>,
    end: SyncSender<Sent>,
) {
    let result = ended(source.start(&start)).await;
    let is_started = result.is_ok();
    // Whoever started this thread waits for the word.
    let _heard = started.send(result);
    // An instance that is destroyed before was never wanted.
    if is_started && is_pulled.await.is_ok() {
        let output = SourceOutput::new(Box::new(ToPull(end.clone())));
        let run = async move { source.run(start.run_with(output, shutdown)).await };
        // Nobody listens any more where the instance is being destroyed.
        let _heard = end.send(Sent::Ended(ended(run).await));
    }
}

/// How a step of the source ended, whatever it did.
async fn ended(step: impl Future<Output = Result<(), SourceError>>) -> Result<(), Failure> {
    match std::panic::AssertUnwindSafe(step).catch_unwind().await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::new(status::FAILED, error.to_string())),
        Err(_) => Err(Failure::new(status::PANIC, format!("panicked: {}", panic_message()))),
    }
}

unsafe extern "C" fn destroy(given: *mut c_void) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`, and the host does not use it again.
        let mut instance = unsafe { Box::from_raw(given.cast::<Instance>()) };
        (instance.shutdown, instance.sent, instance.taken) = (None, None, None);
        instance.run = None;
        if let Some(thread) = instance.thread.take() {
            // It caught its panics itself.
            let _ended = thread.join();
        }
        instance.metrics.report(instance.host);
        Ok(status::OK)
    });
}

unsafe extern "C" fn start(
    given: *mut c_void,
    info: *const StartInfo,
    error: *mut Error,
) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time; the info lives during the call.
        let (instance, info) = unsafe { (instance::<Instance>(given), &*info) };
        // SAFETY: as above.
        let (id, positions) = unsafe { (text(info.id), text(info.positions_json)) };
        let positions: BTreeMap<String, String> =
            serde_json::from_str(positions).unwrap_or_default();
        let Some(source) = instance.source.take() else { return Ok(status::NOT_NOW) };
        let (trigger, shutdown) = ShutdownTrigger::new();
        let (sender, receiver) = sync_channel(1);
        let (run, is_pulled) = oneshot::channel();
        let start = SourceStart {
            id: Arc::from(id),
            clock: HostClock::shared(instance.host),
            files: Arc::new(SystemFiles),
            positions,
            once: info.flags & start_flags::ONCE != 0,
            metrics: instance.metrics.component(id, Kind::Source, instance.name),
        };
        let (name, (started, is_started)) = (instance.name.chars().take(15).collect(), channel());
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => {
                    runtime.block_on(serve(source, start, shutdown, started, is_pulled, sender));
                }
                Err(error) => {
                    let why = format!("start a runtime: {error}");
                    // As above.
                    let _heard = started.send(Err(Failure::new(status::FAILED, why)));
                }
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(work);
        instance.thread =
            Some(thread.map_err(|error| {
                Failure::new(status::FAILED, format!("start a thread: {error}"))
            })?);
        let ended = || Failure::new(status::FAILED, "its thread has ended".to_owned());
        is_started.recv().map_err(|_| ended()).and_then(|started| started)?;
        (instance.shutdown, instance.sent) = (Some(trigger), Some(receiver));
        instance.run = Some(run);
        Ok(status::OK)
    })
}

unsafe extern "C" fn pull(given: *mut c_void, timeout_ns: u64, error: *mut Error) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        if let Some(run) = instance.run.take() {
            // It waits for nothing else.
            let _heard = run.send(());
        }
        if let Some(taken) = instance.taken.take() {
            // A source that has dropped the wait does not care.
            let _heard = taken.send(());
        }
        let Some(sent) = &instance.sent else { return Ok(status::END) };
        match sent.recv_timeout(Duration::from_nanos(timeout_ns)) {
            Ok(Sent::Batch { port, batch, positions, taken }) => {
                let (host, mut changes) = (instance.host, Changes::default());
                instance.lists.emit(host, port, batch, &mut changes, None, &positions)?;
                instance.taken = Some(taken);
                Ok(status::OK)
            }
            Ok(Sent::Ended(ended)) => {
                instance.sent = None;
                instance.metrics.report(instance.host);
                ended.map(|()| status::END)
            }
            Err(RecvTimeoutError::Timeout) => {
                instance.metrics.report(instance.host);
                Ok(status::AGAIN)
            }
            Err(RecvTimeoutError::Disconnected) => Ok(status::END),
        }
    })
}

unsafe extern "C" fn interrupt(given: *mut c_void) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`; nothing but the trigger is touched, and `start` set it before.
        let instance = unsafe { instance::<Instance>(given) };
        if let Some(shutdown) = &instance.shutdown {
            shutdown.request();
        }
        Ok(status::OK)
    });
}

unsafe extern "C" fn replays(given: *mut c_void) -> u32 {
    // SAFETY: made by `new`; one call at a time.
    u32::from(unsafe { instance::<Instance>(given) }.replays)
}

unsafe extern "C" fn traits(given: *mut c_void, arg: *mut c_void, each: abi::EachText) -> Status {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`; one call at a time; the host gives the others.
        Ok(unsafe { say(arg, each, &instance::<Instance>(given).traits) })
    })
}
