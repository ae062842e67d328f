//! A transform behind the C interface.

use std::ffi::c_void;
use std::sync::Arc;

use lograil_abi as abi;
use lograil_abi::{Error, StartInfo, Status, Str, kind, status};
use serde_json::json;

use super::batch::{CHANGES_SINCE, Input, Lists, Read, Reader};
use super::call::{Failure, HostHandle, guard, instance, text};
use super::export::{HostClock, nanoseconds, say};
use super::metrics::LocalMetrics;
use crate::spec::Kind;
use crate::transform::{Emitted, Outputs, Transform, TransformContext};

struct Instance {
    host: HostHandle,
    name: &'static str,
    transform: Box<dyn Transform>,
    outputs: Outputs,
    reader: Reader,
    lists: Lists,
    metrics: LocalMetrics,
}

pub(super) fn fill(table: &mut abi::Component) {
    table.kind = kind::TRANSFORM;
    table.destroy = Some(destroy);
    table.start = Some(start);
    table.process = Some(process);
    table.tick = Some(tick);
    table.flush = Some(flush);
    table.state = Some(state);
    table.traits = Some(traits);
}

pub(super) fn new(
    host: HostHandle,
    name: &'static str,
    transform: Box<dyn Transform>,
) -> *mut c_void {
    let outputs = outputs(host, Arc::from(name), name);
    let (reader, lists, metrics) = (Reader::default(), Lists::default(), LocalMetrics::default());
    let made = Instance { host, name, transform, outputs, reader, lists, metrics };
    Box::into_raw(Box::new(made)).cast()
}

/// Outputs that leave changes to a host that can make them.
fn outputs(host: HostHandle, id: Arc<str>, name: &'static str) -> Outputs {
    let mut outputs = Outputs::new(id, name);
    if host.table().abi_minor >= CHANGES_SINCE {
        outputs.defer_changes();
    }
    outputs
}

impl Instance {
    /// Hands on what the transform made.
    fn deliver(&mut self, input: Option<&Input>) -> Result<Status, Failure> {
        let (host, table) = (self.host, *self.host.table());
        for (reason, events) in self.outputs.take_discarded() {
            // SAFETY: the thread serves the instance; the text is static.
            unsafe { (table.discard)(host.context(), Str::new(reason), events) };
        }
        let created = self.outputs.take_created();
        if created > 0 {
            // SAFETY: as above.
            unsafe { (table.create)(host.context(), created) };
        }
        if let Some(pause) = self.outputs.take_pause() {
            let duration_ns = nanoseconds(pause);
            // SAFETY: as above.
            unsafe { (table.pause)(host.context(), duration_ns) };
        }
        let mut made = None;
        for Emitted { port, batch, mut changes } in self.outputs.take_deferred() {
            self.lists.emit(host, port, batch, &mut changes, input, &[])?;
            made = Some(changes).filter(|changes| !changes.is_empty()).or(made);
        }
        made.into_iter().for_each(|changes| self.outputs.reuse(changes));
        Ok(status::OK)
    }
}

unsafe extern "C" fn destroy(given: *mut c_void) {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`, and the host does not use it again.
        let instance = unsafe { Box::from_raw(given.cast::<Instance>()) };
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
        let (instance, id) = unsafe { (instance::<Instance>(given), text((*info).id)) };
        let id: Arc<str> = id.into();
        instance.outputs = outputs(instance.host, Arc::clone(&id), instance.name);
        let metrics = instance.metrics.component(&id, Kind::Transform, instance.name);
        let clock = HostClock::shared(instance.host);
        let mut context = TransformContext::new(id, clock, metrics);
        // SAFETY: the info lives during the call.
        unsafe {
            context.base_dir = text((*info).base_dir).into();
            let state = (*info).state;
            context.state = (!state.ptr.is_null()).then(|| state.bytes().into());
        }
        let started = instance.transform.start(context);
        started.map_err(|why| Failure::new(status::FAILED, why.to_string()))?;
        Ok(status::OK)
    })
}

unsafe extern "C" fn process(
    given: *mut c_void,
    batch: *const abi::Batch,
    error: *mut Error,
) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        // SAFETY: the host brings a batch of its own.
        let Read { batch, input, grant } = unsafe { instance.reader.read(instance.host, batch)? };
        instance.transform.process(batch, &mut instance.outputs);
        // What is emitted from here on stays as it is, whatever the transform has kept.
        drop(grant);
        instance.deliver(Some(&input))
    })
}

unsafe extern "C" fn tick(given: *mut c_void, now_ns: i64, error: *mut Error) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        instance.transform.tick(now_ns, &mut instance.outputs);
        instance.metrics.report(instance.host);
        instance.deliver(None)
    })
}

unsafe extern "C" fn flush(given: *mut c_void, error: *mut Error) -> Status {
    guard(error, || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        instance.transform.flush(&mut instance.outputs);
        instance.metrics.report(instance.host);
        instance.deliver(None)
    })
}

unsafe extern "C" fn state(given: *mut c_void, arg: *mut c_void, each: abi::EachText) -> Status {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`; one call at a time.
        let instance = unsafe { instance::<Instance>(given) };
        if let Some(state) = instance.transform.state() {
            // SAFETY: the bytes live during the call; `arg` is the host's own.
            unsafe { each(arg, Str { ptr: state.as_ptr(), len: state.len() }) };
        }
        Ok(status::OK)
    })
}

unsafe extern "C" fn traits(given: *mut c_void, arg: *mut c_void, each: abi::EachText) -> Status {
    guard(std::ptr::null_mut(), || {
        // SAFETY: made by `new`; one call at a time.
        let transform = unsafe { &instance::<Instance>(given).transform };
        let said = json!({
            "held_for_ns": nanoseconds(transform.held_for()),
            "has_unnamed_output": transform.has_unnamed_output(),
        });
        // SAFETY: the host gives both.
        Ok(unsafe { say(arg, each, &said) })
    })
}
