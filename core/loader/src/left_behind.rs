//! Instances whose call did not return, or that did not complete an operation.
//!
//! Each keeps a thread, its memory and the batch it works at, for as long as it hangs. So there is a most, and where it is
//! reached no further instance is made until one comes back.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::calls::Function;
use crate::context::Context;
use crate::instance::Loaded;

/// Most instances of one component that are left behind at a time.
pub(crate) const LEFT_BEHIND_MAX: usize = 8;

static LEFT_BEHIND: Mutex<Vec<Weak<Context>>> = Mutex::new(Vec::new());

/// How many instances of a plugin's components hang and are left behind.
#[must_use]
pub fn instances_left_behind(plugin: &str) -> usize {
    all().iter().filter(|one| one.loaded.plugin == plugin).count()
}

/// Those that hang now. Outside of the lock, because the last one to let go of an instance comes back here.
fn all() -> Vec<Arc<Context>> {
    let known = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().filter_map(Weak::upgrade).collect()
}

/// Notes an instance, until it comes back.
pub(crate) fn add(context: &Arc<Context>) {
    let mut known = LEFT_BEHIND.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|one| one.strong_count() > 0);
    known.push(Arc::downgrade(context));
    drop(known);
    tell(context);
}

/// How many instances of a component hang, by its id in the topology, or its type where it is in none yet.
fn count(id: &str) -> usize {
    all().iter().filter(|one| one.calls.id() == id).count()
}

/// Why no further instance of a component may be made, if that is so.
pub(crate) fn refusal(id: &str) -> Option<String> {
    let count = count(id);
    let why = || {
        format!("{count} instances of it hang; no further one is made until one of them comes back")
    };
    (count >= LEFT_BEHIND_MAX).then(why)
}

/// The function of a component without an instance that does not return, if there is one.
pub(crate) fn unanswered(loaded: &Loaded) -> Option<&'static str> {
    let asked = [Function::Ports.name(), Function::Claims.name()];
    let is_it = |one: &&Arc<Context>| {
        one.loaded.own_table == loaded.own_table && asked.contains(&one.calls.function())
    };
    all().iter().find(is_it).map(|one| one.calls.function())
}

/// Tells how many instances of the same component hang. Called again when one of them is gone.
pub(crate) fn tell(context: &Context) {
    if let Some(started) = context.started() {
        let help = "Instances of the plugin's component that hang and are left behind.";
        let count = i64::try_from(count(context.calls.id())).unwrap_or(i64::MAX);
        started.metrics.gauge("plugin_instances_left_behind", help).set(count);
    }
}
