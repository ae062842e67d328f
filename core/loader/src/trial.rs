//! Loading a library runs its initialisers, which may crash or not return. Where a topology runs, another process loads it
//! first; and whoever loads it is watched.
//!
//! An initialiser runs under a lock of the system's loader that every new thread needs, and each thread that uses something
//! of its own for the first time: one that does not return brings the whole program to a stand, bit by bit. Nothing can take
//! the lock back.
//!
//! **Invariant:** the thread that watches needs nothing from the system's loader once the load has begun.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::error::PluginError;
use crate::library;
use crate::watchdog::preparation_limit;

/// Time between two looks at the other process, and at whether a stop was asked for.
const POLL: Duration = Duration::from_millis(2);

/// How the other process ends if the library can be loaded, and if it is refused: codes that no library uses by chance.
const LOADED: i32 = 93;
const REFUSED: i32 = 94;

/// How the program ends where a stop is asked for and cannot be obeyed: what is not delivered is read again.
const UNDELIVERED: i32 = 3;

static TRIAL: OnceLock<&'static [&'static str]> = OnceLock::new();

static STOP_IS_ASKED: AtomicBool = AtomicBool::new(false);

/// From now on this program goes on whatever a library does when it is loaded: another process of it, called with these
/// arguments and the plugin's name, loads each one first; it is to call [`try_out`].
pub fn try_out_first(arguments: &'static [&'static str]) {
    hear_of_ends();
    let _first = TRIAL.set(arguments);
}

/// Where SIGCHLD is ignored, as whoever began this program may have left it, the system forgets how a process ended.
fn hear_of_ends() {
    // SAFETY: plain data of the system's; the default action of this signal is to do nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let is_known = libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) == 0;
        if is_known && action.sa_sigaction == libc::SIG_IGN {
            libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        }
    }
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

/// The other process: loads the library that its standard input is, says to its standard output how that went, and ends.
pub fn try_out(name: &str) -> ! {
    // Not without whoever waits for it, however that ends.
    // SAFETY: a setting of this process's own.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let verdict = take_output();
    if !is_heard(verdict) {
        // It ended before the setting was made.
        // SAFETY: nothing of this process goes on after it.
        unsafe { libc::_exit(REFUSED) }
    }
    let name: &'static str = name.to_owned().leak();
    let tried = library::link(Path::new("/proc/self/fd/0"), Path::new("it"), name);
    let code = if tried.is_ok() { LOADED } else { REFUSED };
    // SAFETY: the byte is ours; nothing of this process goes on after it.
    unsafe {
        libc::write(verdict, [code as u8].as_ptr().cast(), 1);
        libc::_exit(code)
    }
}

/// The standard output, which nobody else of this process has from now on: what a library prints goes nowhere.
fn take_output() -> libc::c_int {
    // SAFETY: descriptors of this process, of which nobody uses this one yet.
    unsafe {
        let own = libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3);
        let nowhere = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        libc::dup2(nowhere, libc::STDOUT_FILENO);
        libc::close(nowhere);
        own
    }
}

/// Whether somebody still reads what is written there.
fn is_heard(output: libc::c_int) -> bool {
    let mut one = libc::pollfd { fd: output, events: 0, revents: 0 };
    // SAFETY: one entry, which lives during the call.
    unsafe { libc::poll(&raw mut one, 1, 0) };
    one.revents & libc::POLLERR == 0
}

/// Has the other process load a library. One that it refuses in order is as well refused here, with the reason.
pub(crate) fn run(path: &Path, name: &str, library: &File) -> Result<(), PluginError> {
    let Some(arguments) = TRIAL.get() else { return Ok(()) };
    let cannot = |why: String| PluginError::Load { path: path.to_owned(), why };
    let tried = begin(arguments, name, library).and_then(wait);
    let tried = tried.map_err(|error| cannot(format!("try it out: {error}")))?;
    let in_trial = "(tried out in a process of its own)";
    let status = match tried {
        Tried::Ended(status) => status,
        Tried::Done => return Ok(()),
        Tried::Unknown => {
            let why = "the process that loads it for a trial ends, and does not say how that went";
            return Err(cannot(why.to_owned()));
        }
        Tried::Stopped => return Err(cannot("a stop is asked for".to_owned())),
        Tried::TooLong => {
            let seconds = preparation_limit().as_secs_f64();
            let why = "its initialisers and its entry have not returned for";
            return Err(cannot(format!("{why} {seconds:.1} s {in_trial}")));
        }
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

/// What became of the other process.
#[derive(Debug)]
enum Tried {
    Ended(ExitStatus),
    /// It said that it is done, and somebody else of this program was told how it ended.
    Done,
    /// Somebody else was told, and it said nothing.
    Unknown,
    TooLong,
    Stopped,
}

fn crash_name(signal: i32) -> String {
    let known = crate::crash::SIGNALS.iter().find(|(number, _)| *number == signal);
    known.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
}

fn begin(arguments: &[&str], name: &str, library: &File) -> std::io::Result<Child> {
    Command::new("/proc/self/exe")
        .args(arguments)
        .args(["--", name])
        .stdin(Stdio::from(library.try_clone()?))
        .stdout(Stdio::piped())
        // A Ctrl-C is for the program that runs.
        .process_group(0)
        .spawn()
}

/// Waits for the end, and ends it where that takes too long or nobody wants it any more.
fn wait(mut child: Child) -> std::io::Result<Tried> {
    let begun = Instant::now();
    loop {
        match has_ended(&child) {
            Ok(true) => return end(&mut child).map(Tried::Ended),
            Ok(false) => {}
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                return Ok(if has_said(&mut child) { Tried::Done } else { Tried::Unknown });
            }
            Err(error) => return Err(error),
        }
        let is_stopped = STOP_IS_ASKED.load(Ordering::Relaxed);
        if is_stopped || begun.elapsed() >= preparation_limit() {
            end(&mut child)?;
            return Ok(if is_stopped { Tried::Stopped } else { Tried::TooLong });
        }
        std::thread::sleep(POLL);
    }
}

/// Whether it has ended, without waiting for it: its number stays its own.
fn has_ended(child: &Child) -> std::io::Result<bool> {
    let how = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: plain data of the system's, which lives during the call.
    unsafe {
        let mut told: libc::siginfo_t = std::mem::zeroed();
        match libc::waitid(libc::P_PID, child.id(), &raw mut told, how) {
            0 => Ok(told.si_pid() != 0),
            _ => Err(std::io::Error::last_os_error()),
        }
    }
}

/// Ends it with all that its library began, and gives how it ended.
fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    // SAFETY: it leads a group of its own, and the number is its own until it is waited for.
    unsafe { libc::kill(-child.id().cast_signed(), libc::SIGKILL) };
    child.wait()
}

/// Whether it said how the load went, which it does at its end. What its library began may still have the pipe.
fn has_said(child: &mut Child) -> bool {
    let Some(output) = &mut child.stdout else { return false };
    // SAFETY: a setting of a pipe that is ours.
    unsafe { libc::fcntl(output.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    let mut code = [0];
    let said = output.read(&mut code);
    said.is_ok_and(|count| count == 1) && [LOADED, REFUSED].contains(&i32::from(code[0]))
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
    let limit = preparation_limit();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).stdout(Stdio::piped()).process_group(0).spawn().unwrap()
    }

    #[test]
    fn a_process_that_somebody_else_waited_for_is_known_by_what_it_said() {
        for (script, is_done) in [("printf '\\135'", true), ("printf x", false), ("exit 93", false)]
        {
            let child = shell(script);
            // SAFETY: a process of this test's own.
            unsafe { libc::waitpid(child.id().cast_signed(), std::ptr::null_mut(), 0) };
            let tried = wait(child).unwrap();
            assert_eq!(matches!(tried, Tried::Done), is_done, "{script}: {tried:?}");
        }
        assert!(
            matches!(wait(shell("exit 94")), Ok(Tried::Ended(status)) if status.code() == Some(94))
        );
    }

    #[test]
    fn what_a_library_began_ends_with_its_process() {
        let mut child = shell("sleep 600 & exit 93");
        let mut output = child.stdout.take().unwrap();
        assert!(matches!(wait(child), Ok(Tried::Ended(status)) if status.code() == Some(LOADED)));
        // The end of the pipe: nobody has it any more.
        assert_eq!(output.read(&mut [0]).unwrap(), 0);
    }
}
