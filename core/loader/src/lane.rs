//! Calls into a plugin on a thread that can be left behind: those that serve batches where the topology gives them a
//! limit, those before and after always.
//!
//! A thread cannot be taken out of a call. So the instance is lent to a thread of its own for the call; where that does
//! not return in time, thread, instance and all that the call works at stay with each other, and whoever asked goes on
//! with another instance. Should the call return after all, the instance is destroyed there and the thread ends.
//!
//! **Invariant:** an instance is in one thread's hands; one that is left behind never comes back.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lograil_abi::{Status, status};
use lograil_plugin::Clock;
use tokio::sync::oneshot;

use crate::call::too_long;
use crate::calls::Function;
use crate::context::Context;
use crate::instance::Instance;
use crate::watchdog::{hang_limit, preparation_limit};

/// Threads without work that are kept for the next call.
const IDLE_MAX: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that makes calls, one at a time.
struct Lane(SyncSender<Job>);

static IDLE: Mutex<Vec<Lane>> = Mutex::new(Vec::new());

/// Work on a thread that is not waited for beyond a limit; then the answer is `None`, and what the work gives back after
/// all is dropped there.
fn run<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let lane = idle();
    let (done, returned) = sync_channel(1);
    let job = Box::new(move || {
        let _heard = done.send(work());
    });
    if let Err(refused) = lane.0.send(job) {
        // There is no thread to be had: better without a limit than not at all.
        (refused.0)();
        return returned.recv().ok();
    }
    let made = returned.recv_timeout(limit).ok()?;
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    if idle.len() < IDLE_MAX {
        idle.push(lane);
    }
    Some(made)
}

fn idle() -> Lane {
    let known = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    known.unwrap_or_else(start)
}

fn start() -> Lane {
    let (jobs, orders) = sync_channel::<Job>(1);
    let thread = std::thread::Builder::new().name("plugin-calls".to_owned());
    // Where it cannot be had, `orders` is gone, and the first job says so. It ends with the lane, which is dropped where
    // nobody waits any more.
    let _detached = thread.spawn(move || orders.into_iter().for_each(|job| job()));
    Lane(jobs)
}

/// Makes a call of the instance in `place`. Where calls have a limit and this one exceeds it, the place is empty
/// afterwards, and the error says for how long the call was waited for.
pub(crate) fn call(
    place: &mut Option<Instance>,
    function: Function,
    call: impl FnOnce(&mut Instance) -> Status + Send + 'static,
) -> Result<Status, Duration> {
    call_within(hang_limit(), place, function, call)
}

/// The same within a limit, if there is one.
pub(crate) fn call_within(
    limit: Option<Duration>,
    place: &mut Option<Instance>,
    function: Function,
    call: impl FnOnce(&mut Instance) -> Status + Send + 'static,
) -> Result<Status, Duration> {
    let entered = entered(function, call);
    let Some(limit) = limit else {
        return Ok(place.as_mut().map_or(status::NOT_NOW, entered));
    };
    let Some(mut instance) = place.take() else { return Ok(status::NOT_NOW) };
    let context = Arc::clone(&instance.context);
    let called = run(limit, move || {
        let code = entered(&mut instance);
        (instance, code)
    });
    let Some((instance, code)) = called else {
        context.give_up();
        return Err(limit);
    };
    *place = Some(instance);
    Ok(code)
}

/// Makes a call that is no instance's turn: before there is one, or for its end. An error says that it took too long; what
/// it gives back after all is dropped there.
pub(crate) fn prepare<T: Send + 'static>(
    context: &Arc<Context>,
    function: Function,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let limit = preparation_limit();
    let entered = {
        let context = Arc::clone(context);
        move || {
            let _in_call = context.calls.enter(function);
            call()
        }
    };
    run(limit, entered).ok_or_else(|| {
        context.give_up();
        too_long(function, limit)
    })
}

/// Makes a call of the instance in `place` that whoever waits for it may stop waiting for: then the instance stays with
/// the call, as where that exceeds the limit. An error says why there is no status.
pub(crate) async fn call_apart(
    place: &mut Option<Instance>,
    function: Function,
    clock: &dyn Clock,
    call: impl FnOnce(&mut Instance) -> Status + Send + 'static,
) -> Result<Status, String> {
    let Some(mut instance) = place.take() else { return Ok(status::NOT_NOW) };
    let mut left = Left(Some(Arc::clone(&instance.context)));
    let call = entered(function, call);
    let (done, returned) = oneshot::channel();
    let work = move || {
        let code = call(&mut instance);
        // Where nobody waits any more, it is destroyed here.
        let _heard = done.send((instance, code));
    };
    let thread = std::thread::Builder::new().name("plugin-call".to_owned()).spawn(work);
    thread.map_err(|error| format!("start a thread: {error}"))?;
    let limit = preparation_limit();
    let returned = tokio::select! {
        biased;
        returned = returned => returned,
        () = clock.sleep(limit) => return Err(too_long(function, limit)),
    };
    let (instance, code) = returned.map_err(|_| "its thread is gone".to_owned())?;
    left.0 = None;
    *place = Some(instance);
    Ok(code)
}

/// Nothing more is expected of an instance, unless it comes back before this is dropped.
struct Left(Option<Arc<Context>>);

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.give_up();
        }
    }
}

/// The call, known as such while it lasts.
fn entered(
    function: Function,
    call: impl FnOnce(&mut Instance) -> Status,
) -> impl FnOnce(&mut Instance) -> Status {
    move |instance| {
        let context = Arc::clone(&instance.context);
        let _in_call = context.calls.enter(function);
        call(instance)
    }
}

/// Lets go of an instance without waiting for its end.
pub(crate) fn leave(instance: Instance) {
    instance.context.give_up();
    let thread = std::thread::Builder::new().name("plugin-left".to_owned());
    // Without a thread it is destroyed here, by the closure that comes to its end.
    let _detached = thread.spawn(move || drop(instance));
}
