//! A sink behind the C interface: its futures run on a thread of the library, an operation at a time.

use std::ffi::c_void;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lograil_abi as abi;
use lograil_abi::{Completion, Error, Rejected, StartInfo, Status, Str, kind, start_flags, status};
use lograil_event::Batch;
use tokio::sync::oneshot;

use super::batch::Reader;
use super::call::{Failure, HostHandle, guard, instance, optional_text, panic_message, text};
use super::export::HostClock;
use super::metrics::LocalMetrics;
use crate::error::SinkError;
use crate::fs::SystemFiles;
use crate::sink::{Delivery, Sink, SinkContext};
use crate::spec::Kind;

enum Order {
    Open(Box<SinkContext>),
    Write(Batch),
    Commit,
    Close,
}

enum Message {
    /// To be completed by its token.
    Order(u64, Order),
    Reopen,
}

struct Instance {
    host: HostHandle,
    name: &'static str,
    /// Until `open` gives it its thread.
    sink: Option<Box<dyn Sink>>,
    reader: Reader,
    metrics: LocalMetrics,
    orders: Option<Sender<Message>>,
    /// Breaks off what is under way, when it is dropped.
    work: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn fill(table: &mut abi::Component) {
    table.kind = kind::SINK;
    table.flags = 0;
    table.destroy = Some(destroy);
    table.open = Some(open);
    table.write = Some(write);
    table.commit = Some(commit);
    table.close = Some(close);
    table.reopen = Some(reopen);
}

pub(super) fn new(host: HostHandle, name: &'static str, sink: Box<dyn Sink>) -> *mut c_void {
    let (reader, metrics) = (Reader::default(), LocalMetrics::default());
    let sink = Some(sink);
    let (orders, work, thread) = (None, None, None);
    let made = Instance { host, name, sink, reader, metrics, orders, work, thread };
    Box::into_raw(Box::new(made)).cast()
}

impl Instance {
    /// Starts the thread that runs the sink.
    fn spawn(&mut self) -> Result<(), Failure> {
        let Some(sink) = self.sink.take() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(status::FAILED, format!("start a runtime: {error}")))?;
        let (sender, receiver) = channel();
        let (work, end_of_work) = oneshot::channel();
        let (host, metrics) = (self.host, self.metrics.clone());
        let thread = std::thread::Builder::new()
            .name(self.name.chars().take(15).collect())
            .spawn(move || runtime.block_on(serve(host, metrics, sink, receiver, end_of_work)))
            .map_err(|error| Failure::new(status::FAILED, format!("start a thread: {error}")))?;
        (self.orders, self.work) = (Some(sender), Some(work));
        self.thread = Some(thread);
        Ok(())
    }

    fn order(&self, token: u64, order: Order) -> Result<Status, Failure> {
        let is_sent = self
            .orders
            .as_ref()
            .is_some_and(|orders| orders.send(Message::Order(token, order)).is_ok());
        if is_sent {
            return Ok(status::OK);
        }
        Err(Failure::new(status::NOT_NOW, "the sink is not open"))
    }
}

/// Carries out orders until nobody gives any more, or wants to know how the last one ends.
async fn serve(
    host: HostHandle,
    metrics: LocalMetrics,
    mut sink: Box<dyn Sink>,
    orders: Receiver<Message>,
    mut end_of_work: oneshot::Receiver<()>,
) {
    // Nothing else runs on this thread, so that waiting for an order may block it.
    while let Ok(message) = orders.recv() {
        let Message::Order(token, order) = message else {
            sink.reopen();
            continue;
        };
        let is_commit = matches!(order, Order::Commit | Order::Close);
        let work = std::panic::AssertUnwindSafe(carry_out(&mut *sink, order));
        let result = tokio::select! {
            biased;
            _ = &mut end_of_work => return,
            result = work.catch_unwind() => result,
        };
        if is_commit {
            metrics.report(host);
        }
        match result {
            Ok(Ok(delivery)) => complete(host, token, status::OK, "", &delivery, sink.state()),
            Ok(Err(error)) => {
                let detail = error.to_string();
                let (code, after) = match error {
                    SinkError::Retry { after, .. } => (status::RETRY, after),
                    SinkError::Fatal(_) => (status::FAILED, None),
                    SinkError::Closed => (status::CLOSED, None),
                };
                finish(host, token, code, &detail, &Delivery::default(), None, after);
            }
            Err(_) => {
                let detail = format!("panicked: {}", panic_message());
                complete(host, token, status::PANIC, &detail, &Delivery::default(), None);
            }
        }
    }
}

fn carry_out(sink: &mut dyn Sink, order: Order) -> BoxFuture<'_, Result<Delivery, SinkError>> {
    Box::pin(async move {
        match order {
            Order::Open(context) => sink.open(*context).await.map(|()| Delivery::default()),
            Order::Write(mut batch) => {
                let written = sink.write(&batch).await;
                // The host keeps the acknowledgements of what a sink is given.
                batch.take_acks().resolve(lograil_event::AckStatus::Delivered);
                written
            }
            Order::Commit => sink.commit().await.map(|()| Delivery::default()),
            Order::Close => sink.close().await.map(|()| Delivery::default()),
        }
    })
}

fn complete(
    host: HostHandle,
    token: u64,
    code: Status,
    detail: &str,
    delivery: &Delivery,
    state: Option<String>,
) {
    finish(host, token, code, detail, delivery, state, None);
}

fn finish(
    host: HostHandle,
    token: u64,
    code: Status,
    detail: &str,
    delivery: &Delivery,
    state: Option<String>,
    retry_after: Option<Duration>,
) {
    let rejected: Vec<Rejected> = delivery
        .rejected
        .iter()
        .map(|one| Rejected { event: one.event as u32, reserved: 0, reason: Str::new(&one.reason) })
        .collect();
    let completion = Completion {
        size: size_of::<Completion>() as u32,
        status: code,
        bytes: delivery.bytes,
        retry_after_ns: retry_after.map_or(0, |after| after.as_nanos().max(1) as u64),
        rejected: rejected.as_ptr(),
        rejected_count: rejected.len() as u32,
        reserved: 0,
        state: state.as_deref().map_or(Str::NONE, Str::new),
        detail: Str::new(detail),
    };
    // SAFETY: any thread may complete a token; the texts live until the call returns.
    unsafe { (host.table().complete)(host.context(), token, &raw const completion) };
}

unsafe extern "C" fn destroy(given: *mut c_void) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`, and the host does not use it again.
        let mut instance = unsafe { Box::from_raw(given.cast::<Instance>()) };
        // A peer that does not answer must not keep the host waiting.
        (instance.orders, instance.work) = (None, None);
        if let Some(thread) = instance.thread.take() {
            // It caught its panics itself.
            let _ended = thread.join();
        }
        Ok(status::OK)
    });
}

unsafe extern "C" fn open(
    given: *mut c_void,
    info: *const StartInfo,
    token: u64,
    error: *mut Error,
) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time; the info lives during the call.
        let (instance, info) = unsafe { (instance::<Instance>(given), &*info) };
        // SAFETY: as above.
        let (id, state, base_dir) =
            unsafe { (text(info.id), optional_text(info.state), text(info.base_dir)) };
        instance.spawn()?;
        let context = SinkContext {
            id: Arc::from(id),
            clock: HostClock::shared(instance.host),
            files: Arc::new(SystemFiles),
            state,
            upstream_replays: info.flags & start_flags::UPSTREAM_REPLAYS != 0,
            must_keep: false,
            base_dir: PathBuf::from(base_dir),
            metrics: instance.metrics.component(id, Kind::Sink, instance.name),
        };
        instance.order(token, Order::Open(Box::new(context)))
    })
}

unsafe extern "C" fn write(
    given: *mut c_void,
    batch: *const abi::Batch,
    token: u64,
    error: *mut Error,
) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        // SAFETY: the host brings a batch of its own.
        let batch = unsafe { instance.reader.read(instance.host, batch)? }.batch;
        instance.order(token, Order::Write(batch))
    })
}

unsafe extern "C" fn commit(given: *mut c_void, token: u64, error: *mut Error) -> Status {
    // SAFETY: made by `new`; one call at a time.
    guard(error, || unsafe { instance::<Instance>(given) }.order(token, Order::Commit))
}

unsafe extern "C" fn close(given: *mut c_void, token: u64, error: *mut Error) -> Status {
    // SAFETY: made by `new`; one call at a time.
    guard(error, || unsafe { instance::<Instance>(given) }.order(token, Order::Close))
}

unsafe extern "C" fn reopen(given: *mut c_void) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        if let Some(orders) = &instance.orders {
            // A thread that is gone has no files to open.
            let _sent = orders.send(Message::Reopen);
        }
        Ok(status::OK)
    });
}
