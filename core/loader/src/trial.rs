//! Loading a library runs its initialisers, which may crash or not return. Where a topology runs, another process loads it
//! first; and whoever loads it is watched.
//!
//! An initialiser runs under a lock of the system's loader that every new thread needs, and each thread that uses something
//! of its own for the first time: one that does not return brings the whole program to a stand, bit by bit. Nothing can take
//! the lock back.
//!
//! **Invariant:** the thread that watches needs nothing from the system's loader once the load has begun.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::PluginError;
use crate::library;
use crate::watchdog::hang_limit;

/// How long a library may take to load, where calls have no limit.
const LOAD_LIMIT: Duration = Duration::from_secs(10);

/// The least that any limit gives it: a process begins in that time on a busy machine, too.
const LOAD_LIMIT_MIN: Duration = Duration::from_secs(1);

/// Time between two looks at the other process, and at whether a stop was asked for.
const POLL: Duration = Duration::from_millis(2);

/// How the other process ends if the library can be loaded, and if it is refused: codes that no library uses by chance.
const LOADED: i32 = 93;
const REFUSED: i32 = 94;

/// How the program ends where a stop is asked for and cannot be obeyed: what is not delivered is read again.
const UNDELIVERED: i32 = 3;

static TRIAL: OnceLock<&'static [&'static str]> = OnceLock::new();

static STOP_IS_ASKED: AtomicBool = AtomicBool::new(false);

fn load_limit() -> Duration {
    hang_limit().map_or(LOAD_LIMIT, |limit| limit.max(LOAD_LIMIT_MIN))
}

/// From now on this program goes on whatever a library does when it is loaded: another process of it, called with these
/// arguments and the plugin's name, loads each one first; it is to call [`try_out`].
pub fn try_out_first(arguments: &'static [&'static str]) {
    let _first = TRIAL.set(arguments);
}

/// Has SIGTERM and SIGINT end the program where a library keeps it from hearing them. Whoever calls this handles them.
pub fn heed_stops() -> std::io::Result<()> {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        // SAFETY: the action does what a signal handler may do.
        unsafe {
            signal_hook_registry::register(signal, || STOP_IS_ASKED.store(true, Ordering::Relaxed))
        }?;
    }
    Ok(())
}

/// The other process: loads the library that its standard input is, and ends.
pub fn try_out(name: &str) -> ! {
    // Not without whoever waits for it, however that ends.
    // SAFETY: a setting of this process's own.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let name: &'static str = name.to_owned().leak();
    let tried = library::link(Path::new("/proc/self/fd/0"), Path::new("it"), name);
    let code = if tried.is_ok() { LOADED } else { REFUSED };
    // SAFETY: nothing of this process goes on after it.
    unsafe { libc::_exit(code) }
}

/// Has the other process load a library. One that it refuses in order is as well refused here, with the reason.
pub(crate) fn run(path: &Path, name: &str, library: &File) -> Result<(), PluginError> {
    let Some(arguments) = TRIAL.get() else { return Ok(()) };
    let cannot = |why: String| PluginError::Load { path: path.to_owned(), why };
    let tried = begin(arguments, name, library).and_then(wait);
    let tried = tried.map_err(|error| cannot(format!("try it out: {error}")))?;
    let in_trial = "(tried out in a process of its own)";
    let Some(status) = tried else {
        let seconds = load_limit().as_secs_f64();
        let why = "its initialisers and its entry have not returned for";
        return Err(cannot(format!("{why} {seconds:.1} s {in_trial}")));
    };
    match (status.code(), status.signal()) {
        (Some(LOADED | REFUSED), _) => Ok(()),
        (_, Some(signal)) => {
            let name = crash_name(signal);
            Err(cannot(format!("it crashes while it is loaded: {name} {in_trial}")))
        }
        _ => Err(cannot(format!("it ends the program that loads it: {status} {in_trial}"))),
    }
}

fn crash_name(signal: i32) -> String {
    let known = crate::crash::SIGNALS.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

fn begin(arguments: &[&str], name: &str, library: &File) -> std::io::Result<std::process::Child> {
    Command::new("/proc/self/exe")
        .args(arguments)
        .arg(name)
        .stdin(Stdio::from(library.try_clone()?))
        .stdout(Stdio::null())
        // A Ctrl-C is for the program that runs.
        .process_group(0)
        .spawn()
}

/// Waits for the end; `None` if it had to be ended.
fn wait(mut child: std::process::Child) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    while begun.elapsed() < load_limit() {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Beginning,
    Watched,
    Over,
}

/// A load of a library in this process, watched until this is dropped.
pub(crate) struct Watch(Arc<(Mutex<Stage>, Condvar)>);

impl Watch {
    /// Without a thread nobody watches, and the load goes on.
    pub fn begin(path: &Path) -> Self {
        let shared = Arc::new((Mutex::new(Stage::Beginning), Condvar::new()));
        let (watched, path) = (Arc::clone(&shared), path.display().to_string());
        let thread = std::thread::Builder::new().name("plugin-load".to_owned());
        if thread.spawn(move || watch(&watched, &path)).is_ok() {
            let (stage, changed) = &*shared;
            let stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
            let _watched = changed.wait_while(stage, |stage| *stage == Stage::Beginning);
        }
        Self(shared)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (stage, changed) = &*self.0;
        *stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Over;
        changed.notify_all();
    }
}

fn watch((stage, changed): &(Mutex<Stage>, Condvar), path: &str) {
    let limit = load_limit();
    let is_running = TRIAL.get().is_some();
    let rest = if is_running {
        "the program can load no library and begin no thread any more; what it does not need them for goes on, and \
         SIGTERM ends it at once"
    } else {
        "the program ends"
    };
    let seconds = limit.as_secs_f64();
    let told = format!(
        "lograil: {path}: an initialiser of the library has not returned for {seconds:.1} s: {rest}\n"
    );
    let mut now = stage.lock().unwrap_or_else(PoisonError::into_inner);
    *now = Stage::Watched;
    changed.notify_all();
    let is_over = |now: &Stage| *now == Stage::Over;
    let waited = changed.wait_timeout_while(now, limit, |now| !is_over(now));
    let (now, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if is_over(&now) {
        return;
    }
    drop(now);
    // SAFETY: the bytes are ours. Nothing can be done about an error.
    let _written = unsafe { libc::write(libc::STDERR_FILENO, told.as_ptr().cast(), told.len()) };
    while is_running && !STOP_IS_ASKED.load(Ordering::Relaxed) {
        if is_over(&stage.lock().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        std::thread::sleep(POLL);
    }
    // SAFETY: nothing of this process goes on after it. An orderly exit would wait for the system's loader.
    unsafe { libc::_exit(if is_running { UNDELIVERED } else { 1 }) }
}
