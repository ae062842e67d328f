//! The functions that plugins call.

use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{Host, Status, Str, metric_kind, status};
use lograil_event::{Batch, Changes};
use lograil_plugin::{Port, PositionUpdate};

use crate::batch::Lease;
use crate::context::{Completed, Context, Emission, reason};
use crate::{batch, builder};

static HOST: Host = Host {
    size: size_of::<Host>() as u32,
    abi_major: abi::ABI_MAJOR,
    abi_minor: abi::ABI_MINOR,
    name: Str::new("lograil"),
    version: Str::new(env!("CARGO_PKG_VERSION")),
    log_level,
    log,
    metric,
    now_ns,
    monotonic_ns,
    view: batch::view,
    batch_ref: batch::batch_ref,
    batch_unref: batch::batch_unref,
    emit,
    release,
    discard,
    create,
    builder_new: builder::new,
    builder_drop: builder::drop,
    builder_emit,
    builder_key: builder::key,
    builder_event: builder::event,
    builder_set: builder::set,
    builder_set_text: builder::set_text,
    builder_remove: builder::remove,
    builder_drop_event: builder::drop_event,
    builder_position: builder::position,
    complete,
    pause,
};

/// The table that every plugin gets.
pub(crate) fn table() -> *const Host {
    &raw const HOST
}

/// A text of a plugin, made readable where it is not UTF-8.
///
/// # Safety
/// As for [`Str::bytes`].
unsafe fn text(text: Str) -> String {
    // SAFETY: the caller vouches for it.
    String::from_utf8_lossy(unsafe { text.bytes() }).into_owned()
}

unsafe extern "C" fn log_level() -> u32 {
    use tracing::level_filters::LevelFilter;
    match LevelFilter::current() {
        LevelFilter::OFF => 0,
        LevelFilter::ERROR => 1,
        LevelFilter::WARN => 2,
        LevelFilter::INFO => 3,
        LevelFilter::DEBUG => 4,
        _ => 5,
    }
}

unsafe extern "C" fn log(context: *mut abi::Context, level: u32, target: Str, message: Str) {
    // SAFETY: the plugin gives back its context or null, and texts that live during the call.
    let (context, target, message) = unsafe { (Context::of(context), text(target), text(message)) };
    let id = context.and_then(|context| context.started()).map(|started| &*started.id);
    let plugin = context.map(|context| context.loaded.plugin);
    match level {
        0 | 1 => tracing::error!(plugin, component_id = id, "{target}: {message}"),
        2 => tracing::warn!(plugin, component_id = id, "{target}: {message}"),
        3 => tracing::info!(plugin, component_id = id, "{target}: {message}"),
        4 => tracing::debug!(plugin, component_id = id, "{target}: {message}"),
        _ => tracing::trace!(plugin, component_id = id, "{target}: {message}"),
    }
}

unsafe extern "C" fn metric(
    context: *mut abi::Context,
    kind: u32,
    name: Str,
    help: Str,
    label: Str,
    label_value: Str,
    value: f64,
) -> Status {
    // SAFETY: the plugin gives back its context, and texts that live during the call.
    let (context, name, help, label, label_value) =
        unsafe { (Context::of(context), text(name), text(help), text(label), text(label_value)) };
    let Some(context) = context else { return status::INVALID };
    let Some(started) = context.started() else { return status::NOT_NOW };
    match kind {
        metric_kind::COUNTER => {
            let counter = if label.is_empty() {
                started.metrics.counter(&name, &help)
            } else {
                started.metrics.counter_by(&name, &help, (&label, &label_value))
            };
            let total = value.max(0.0) as u64;
            let before = context.work().totals.insert((name, label_value), total);
            counter.inc_by(total.saturating_sub(before.unwrap_or_default()));
        }
        metric_kind::GAUGE => started.metrics.gauge_f64(&name, &help).set(value),
        _ => return status::INVALID,
    }
    status::OK
}

unsafe extern "C" fn now_ns(context: *mut abi::Context) -> i64 {
    // SAFETY: the plugin gives back its context.
    unsafe { Context::of(context) }.map_or(0, |context| context.clock().now_ns())
}

unsafe extern "C" fn monotonic_ns(context: *mut abi::Context) -> u64 {
    // SAFETY: the plugin gives back its context.
    let time = unsafe { Context::of(context) }.map_or(Duration::ZERO, |c| c.clock().monotonic());
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

unsafe extern "C" fn emit(context: *mut abi::Context, output: *const abi::Output) -> Status {
    // SAFETY: the plugin gives back its context, and an output that lives during the call and is as long as it says.
    let (context, output) = unsafe { (Context::of(context), batch::known(output)) };
    let Some(output) = output else { return status::VERSION };
    let lease = Lease::of(&output);
    // Given back at the end: whoever gets it back may ask the host for something, which the lock would keep waiting.
    let _lease = lease.clone();
    let Some(context) = context else { return status::INVALID };
    if !is_aligned(&output) {
        let fault = Err("emitted an array that is not aligned".to_owned());
        return put(context, fault, output.port, &[], Vec::new());
    }
    // SAFETY: the plugin vouches for its pointers and counts.
    let (tokens, positions) = unsafe {
        (
            abi::slice(output.tokens, output.token_count as usize),
            abi::slice(output.positions, output.position_count as usize),
        )
    };
    let position = |given: &abi::Position| {
        // SAFETY: as above.
        let (stream, position) = unsafe { (text(given.stream), text(given.position)) };
        let position = (!given.position.ptr.is_null()).then_some(position);
        PositionUpdate { stream, position }
    };
    let positions = positions.iter().map(position).collect();
    let mut work = context.work();
    // SAFETY: the plugin vouches for its pointers and counts.
    let taken = unsafe { batch::take(&output, lease, &mut work.keys) };
    drop(work);
    put(context, taken, output.port, tokens, positions)
}

/// Whether all arrays lie where records of their kind may lie.
fn is_aligned(output: &abi::Output) -> bool {
    fn may_lie<T>(array: *const T, count: u32) -> bool {
        count == 0 || array.is_aligned()
    }
    may_lie(output.events, output.event_count)
        && may_lie(output.fields, output.field_count)
        && may_lie(output.segments, output.segment_count)
        && may_lie(output.keys, output.key_count)
        && may_lie(output.tokens, output.token_count)
        && may_lie(output.positions, output.position_count)
        && may_lie(output.columns, output.column_count)
        && may_lie(output.kept, output.kept_count)
}

unsafe extern "C" fn builder_emit(
    context: *mut abi::Context,
    given: *mut abi::Builder,
    port: u32,
) -> Status {
    // SAFETY: the plugin gives back its context and a builder that it was given, once.
    let (Some(context), Some(given)) = (unsafe { (Context::of(context), builder::take(given)) })
    else {
        return status::INVALID;
    };
    let (batch, positions) = given.finish();
    put(context, Ok((batch, Changes::default())), port, &[], positions)
}

/// Puts what was emitted with the rest of the call.
fn put(
    context: &Context,
    taken: Result<(Batch, Changes), String>,
    port: u32,
    tokens: &[u64],
    positions: Vec<PositionUpdate>,
) -> Status {
    let mut work = context.work();
    if !work.is_in_call() {
        return status::NOT_NOW;
    }
    let checked = taken.and_then(|taken| {
        let port = u16::try_from(port).map_err(|_| format!("emitted on the output {port}"))?;
        Ok((taken, Port(port), work.acks_of(tokens, !context.uses_tokens())?))
    });
    match checked {
        Ok(((mut batch, changes), port, acks)) => {
            batch.add_acks(acks);
            work.emitted.push(Emission { port, batch, changes, positions });
            status::OK
        }
        Err(fault) => {
            work.fault.get_or_insert(fault);
            status::INVALID
        }
    }
}

unsafe extern "C" fn release(context: *mut abi::Context, token: u64, code: Status) -> Status {
    // SAFETY: the plugin gives back its context.
    let Some(context) = (unsafe { Context::of(context) }) else { return status::INVALID };
    context.release(token, code)
}

unsafe extern "C" fn discard(context: *mut abi::Context, why: Str, events: u64) -> Status {
    // SAFETY: the plugin gives back its context, and a text that lives during the call.
    let (Some(context), why) = (unsafe { (Context::of(context), text(why)) }) else {
        return status::INVALID;
    };
    let mut work = context.work();
    if !work.is_in_call() {
        return status::NOT_NOW;
    }
    work.discarded.push((reason(&why), events));
    status::OK
}

unsafe extern "C" fn create(context: *mut abi::Context, events: u64) -> Status {
    // SAFETY: the plugin gives back its context.
    let Some(context) = (unsafe { Context::of(context) }) else { return status::INVALID };
    let mut work = context.work();
    if !work.is_in_call() {
        return status::NOT_NOW;
    }
    work.created += events;
    status::OK
}

unsafe extern "C" fn pause(context: *mut abi::Context, duration_ns: u64) -> Status {
    // SAFETY: the plugin gives back its context.
    let Some(context) = (unsafe { Context::of(context) }) else { return status::INVALID };
    let mut work = context.work();
    if !work.is_in_call() {
        return status::NOT_NOW;
    }
    let duration = Duration::from_nanos(duration_ns);
    work.pause = work.pause.max(Some(duration));
    status::OK
}

unsafe extern "C" fn complete(
    context: *mut abi::Context,
    token: u64,
    completion: *const abi::Completion,
) -> Status {
    // SAFETY: the plugin gives back its context, and a completion that lives during the call.
    let (Some(context), Some(given)) = (unsafe { (Context::of(context), completion.as_ref()) })
    else {
        return status::INVALID;
    };
    if (given.size as usize) < size_of::<abi::Completion>() {
        return status::VERSION;
    }
    // SAFETY: the plugin vouches for its pointers and counts.
    let (rejected, state, detail) = unsafe {
        (
            abi::slice(given.rejected, given.rejected_count as usize),
            text(given.state),
            text(given.detail),
        )
    };
    // SAFETY: as above.
    let reasons = rejected.iter().map(|one| (one.event, unsafe { text(one.reason) }));
    let completed = Completed {
        status: given.status,
        bytes: given.bytes,
        retry_after_ns: given.retry_after_ns,
        rejected: reasons.collect(),
        state: (!given.state.ptr.is_null()).then_some(state),
        detail,
    };
    context.complete(token, completed)
}
