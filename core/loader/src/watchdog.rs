//! Says which call into a plugin does not return. A thread cannot be taken out of it: the user can act, or had said how
//! long calls may last (`lane`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::context::Context;

/// Default for [`set_hang_after`].
const HANG_AFTER: Duration = Duration::from_secs(30);

/// Shortest and longest time between two looks.
const LOOK_MIN: Duration = Duration::from_millis(10);
const LOOK_MAX: Duration = Duration::from_secs(1);

static HANG_AFTER_MS: AtomicU64 = AtomicU64::new(HANG_AFTER.as_millis() as u64);

/// 0 where there is none.
static HANG_LIMIT_MS: AtomicU64 = AtomicU64::new(0);

/// How long what comes before the first batch and after the last one may take, where calls have no limit.
const PREPARATION_LIMIT: Duration = Duration::from_secs(10);

/// The least that any limit gives it: it may read files, and a process may have to begin.
const PREPARATION_LIMIT_MIN: Duration = Duration::from_secs(1);

static PREPARATION_LIMIT_MS: AtomicU64 = AtomicU64::new(PREPARATION_LIMIT.as_millis() as u64);

/// How long a call into a plugin, or an operation of a plugin's sink, may last before a warning names it; another
/// follows whenever that much time has passed again. 30 seconds unless this says otherwise.
pub fn set_hang_after(period: Duration) {
    HANG_AFTER_MS.store(whole_ms(period), Ordering::Relaxed);
}

/// How long a call into a plugin, or an operation of a plugin's sink, may last before its instance is left behind and
/// another takes over. For ever unless this says otherwise, because each call then goes by another thread.
pub fn set_hang_limit(limit: Option<Duration>) {
    HANG_LIMIT_MS.store(limit.map_or(0, whole_ms), Ordering::Relaxed);
    set_preparation_limit(limit);
}

/// How long a library may take to load, and a function of a plugin that serves no batch to return (`ports`, `claims`,
/// `create`, `replays`, `start`, `destroy`): as long as calls, but at least a second; ten seconds where calls have no
/// limit. [`set_hang_limit`] sets it too; this alone is for a topology that does not run yet.
pub fn set_preparation_limit(hang_limit: Option<Duration>) {
    let limit = hang_limit.map_or(PREPARATION_LIMIT, |limit| limit.max(PREPARATION_LIMIT_MIN));
    PREPARATION_LIMIT_MS.store(whole_ms(limit), Ordering::Relaxed);
}

fn whole_ms(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1)
}

pub(crate) fn preparation_limit() -> Duration {
    Duration::from_millis(PREPARATION_LIMIT_MS.load(Ordering::Relaxed))
}

pub(crate) fn hang_limit() -> Option<Duration> {
    let ms = HANG_LIMIT_MS.load(Ordering::Relaxed);
    (ms > 0).then(|| Duration::from_millis(ms))
}

pub(crate) fn hang_after() -> Duration {
    Duration::from_millis(HANG_AFTER_MS.load(Ordering::Relaxed))
}

/// One instance, and how many warnings its present call has had.
struct Watched {
    context: Weak<Context>,
    warnings: u64,
}

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

/// Watches the calls of an instance for as long as it lives.
pub(crate) fn watch(context: &Arc<Context>) {
    static THREAD: OnceLock<bool> = OnceLock::new();
    let watched = Watched { context: Arc::downgrade(context), warnings: 0 };
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(watched);
    let is_running = THREAD.get_or_init(|| {
        let thread = std::thread::Builder::new().name("plugin-watchdog".to_owned());
        thread.spawn(run).is_ok()
    });
    if !is_running {
        tracing::warn!(
            "cannot start the thread that watches plugins: calls that hang are not named"
        );
    }
}

/// Watches the calls of an instance no more.
pub(crate) fn forget(context: &Context) {
    let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|watched| !std::ptr::eq(watched.context.as_ptr(), context));
}

fn run() {
    loop {
        std::thread::sleep((hang_after() / 4).clamp(LOOK_MIN, LOOK_MAX));
        let mut all = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain_mut(|watched| match watched.context.upgrade() {
            Some(context) => {
                look(&context, &mut watched.warnings);
                true
            }
            None => false,
        });
    }
}

fn look(context: &Context, warnings: &mut u64) {
    let hang_after_ms = HANG_AFTER_MS.load(Ordering::Relaxed);
    let under_way_ms = context.calls.under_way_ms().unwrap_or(0);
    let due = under_way_ms / hang_after_ms;
    if due > *warnings {
        let calls = &context.calls;
        tracing::warn!(
            component_id = calls.id(),
            "plugin {}: `{}` of {} has not returned for {:.1} s; what it holds up waits",
            calls.plugin,
            calls.function(),
            calls.component_type,
            under_way_ms as f64 / 1000.0,
        );
    }
    *warnings = due;
}
