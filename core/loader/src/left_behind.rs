//! Instances whose call did not return, or that did not complete an operation: how many there are of each component.
//!
//! Each keeps a thread, its memory and the batch it works at, for as long as it hangs. So there is a most, and where it is
//! reached no further instance is made until one comes back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::context::Context;

/// Most instances of one component that are left behind at a time.
pub(crate) const LEFT_BEHIND_MAX: usize = 8;

/// By the component's id in the topology. Without an entry: none.
static LEFT_BEHIND: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

/// Notes an instance, until it comes back.
pub(crate) fn add(context: &Context) {
    change(context, |count| count + 1);
}

/// An instance came back after all, and is gone.
pub(crate) fn remove(context: &Context) {
    change(context, |count| count.saturating_sub(1));
}

/// Why no further instance of a component may be made, if that is so.
pub(crate) fn refusal(id: &str) -> Option<String> {
    let all = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
    let count = all.as_ref().and_then(|all| all.get(id)).copied().unwrap_or_default();
    let why = || {
        format!("{count} instances of it hang; no further one is made until one of them comes back")
    };
    (count >= LEFT_BEHIND_MAX).then(why)
}

fn change(context: &Context, change: impl FnOnce(usize) -> usize) {
    let id = context.calls.id();
    let mut all = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    let count = change(all.get(id).copied().unwrap_or_default());
    if count == 0 {
        all.remove(id);
    } else {
        all.insert(id.to_owned(), count);
    }
    if let Some(started) = context.started() {
        let help = "Instances of the plugin's component that hang and are left behind.";
        started
            .metrics
            .gauge("plugin_instances_left_behind", help)
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
