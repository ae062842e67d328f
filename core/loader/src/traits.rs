//! What a topology must know of a plugin's instance before it runs, and what an instance says as one text.

use std::borrow::Cow;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lograil_abi as abi;
use lograil_abi::{EachText, Status, Str, status};
use lograil_plugin::DeliveryWait;
use serde::Deserialize;

use crate::call::too_long;
use crate::calls::Function;
use crate::instance::Instance;
use crate::lane;
use crate::watchdog::preparation_limit;

/// What an instance says of itself; what it does not say is as for a built-in component that says nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traits {
    /// Transform.
    pub held_for: Duration,
    /// Transform.
    pub has_no_unnamed_output: bool,
    /// Source.
    pub replays: bool,
    /// Source.
    pub does_not_restart: bool,
    /// Source.
    pub delivery_wait: Option<DeliveryWait>,
}

/// The text of `traits`. What it has beyond this is for a newer program.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    held_for_ns: u64,
    has_unnamed_output: Option<bool>,
    restarts: Option<bool>,
    delivery_wait: Option<SaidWait>,
}

#[derive(Deserialize)]
struct SaidWait {
    within_ns: u64,
    remedy: String,
}

impl Traits {
    /// The instance with what it says of itself.
    pub fn of(made: Instance, table: &abi::Component) -> Result<Instance, String> {
        let mut place = Some(made);
        let mut traits = match table.traits {
            Some(ask) => said(&mut place, ask)?,
            None => Self::default(),
        };
        if let Some(replays) = table.replays {
            let limit = preparation_limit();
            // SAFETY: the instance is alive and in no other call.
            let call = move |instance: &mut Instance| unsafe {
                Status::from(replays(instance.pointer) != 0)
            };
            let answer = lane::call_within(Some(limit), &mut place, Function::Replays, call);
            traits.replays = answer.map_err(|limit| too_long(Function::Replays, limit))? != 0;
        }
        let mut made = place.ok_or("the instance is gone")?;
        made.traits = traits;
        Ok(made)
    }
}

fn said(place: &mut Option<Instance>, ask: Says) -> Result<Traits, String> {
    let (code, text) = ask_text(place, Some(preparation_limit()), Function::Traits, ask)
        .map_err(|limit| too_long(Function::Traits, limit))?;
    if code < status::OK {
        return Err(format!("traits: it failed with status {code}"));
    }
    let Some(text) = text else { return Ok(Traits::default()) };
    let said: Said =
        serde_json::from_slice(&text).map_err(|error| format!("traits: it says {error}"))?;
    Ok(Traits {
        held_for: time(said.held_for_ns),
        has_no_unnamed_output: said.has_unnamed_output == Some(false),
        replays: false,
        does_not_restart: said.restarts == Some(false),
        delivery_wait: said.delivery_wait.map(|wait| DeliveryWait {
            within: time(wait.within_ns),
            remedy: Cow::Owned(wait.remedy),
        }),
    })
}

/// The greatest number stands for no bound.
fn time(ns: u64) -> Duration {
    if ns == u64::MAX { Duration::MAX } else { Duration::from_nanos(ns) }
}

/// A function by which an instance says one text, or none.
pub(crate) type Says = unsafe extern "C" fn(*mut c_void, *mut c_void, EachText) -> Status;

/// Asks the instance in `place` for its text. An error says for how long it was waited for; then the place is empty.
pub(crate) fn ask_text(
    place: &mut Option<Instance>,
    limit: Option<Duration>,
    function: Function,
    ask: Says,
) -> Result<(Status, Option<Vec<u8>>), Duration> {
    unsafe extern "C" fn keep(into: *mut c_void, text: Str) {
        // SAFETY: `into` is the place below, lent for the call; the bytes live during it.
        unsafe { *into.cast::<Option<Vec<u8>>>() = Some(text.bytes().to_vec()) };
    }
    let kept = Arc::new(Mutex::new(None));
    let call = {
        let kept = Arc::clone(&kept);
        move |instance: &mut Instance| {
            let mut text: Option<Vec<u8>> = None;
            // SAFETY: the instance is alive and in no other call; the place lives during the call.
            let code = unsafe { ask(instance.pointer, (&raw mut text).cast(), keep) };
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = text;
            code
        }
    };
    let code = lane::call_within(limit, place, function, call)?;
    let text = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok((code, text))
}
