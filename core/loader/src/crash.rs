//! When a plugin brings the program down, or ends it: says which one and where it was, and lets the program die as it would
//! have.
//!
//! **Invariant:** the handler allocates nothing, takes no lock, and calls only what a signal handler may.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

use crate::calls::Calls;

pub(crate) const SIGNALS: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// Plugins whose code is recognised on threads of their own; a later one is not.
const LIBRARIES_MAX: usize = 128;

/// What handled the signals before.
static BEFORE: [OnceLock<libc::sigaction>; SIGNALS.len()] =
    [const { OnceLock::new() }; SIGNALS.len()];

/// Where the code of a library is.
struct Library {
    start: usize,
    end: usize,
    plugin: &'static str,
}

static LIBRARIES: [OnceLock<Library>; LIBRARIES_MAX] = [const { OnceLock::new() }; LIBRARIES_MAX];

/// From now on a crash in this plugin's code, at `entry` and around it, is told.
pub(crate) fn report_crashes_of(plugin: &'static str, entry: usize) {
    if let Some((start, end)) = library_around(entry) {
        let free = LIBRARIES.iter().find(|library| library.get().is_none());
        // Plugins are loaded one at a time, under a lock.
        let _noted = free.map(|free| free.set(Library { start, end, plugin }));
    }
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(install);
}

fn install() {
    // SAFETY: the function lives as long as the program, and does what one may do at its end.
    let _unless_there_are_too_many = unsafe { libc::atexit(on_exit) };
    for ((signal, _), before) in SIGNALS.iter().zip(&BEFORE) {
        // SAFETY: both are plain data of the system's; the handler keeps to what a signal handler may do.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_crash as *const () as usize;
            // On the stack that the standard library gives its threads for signals.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            let mut old: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(*signal, &raw const action, &raw mut old) == 0 {
                let _first = before.set(old);
            }
        }
    }
}

/// The first and the last address of the library that holds an address.
fn library_around(address: usize) -> Option<(usize, usize)> {
    struct Search {
        address: usize,
        found: Option<(usize, usize)>,
    }
    unsafe extern "C" fn look(info: *mut libc::dl_phdr_info, _: usize, arg: *mut c_void) -> c_int {
        // SAFETY: the system's loader gives a valid description, and back the search below.
        let (info, search) = unsafe { (&*info, &mut *arg.cast::<Search>()) };
        // SAFETY: as above.
        let headers =
            unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        let (mut start, mut end) = (usize::MAX, 0);
        for header in loaded {
            let at = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            start = start.min(at);
            end = end.max(at.saturating_add(header.p_memsz as usize));
        }
        if !(start..end).contains(&search.address) {
            return 0;
        }
        search.found = Some((start, end));
        1
    }
    let mut search = Search { address, found: None };
    // SAFETY: the callback and its argument live during the call.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    search.found
}

/// Text in a fixed piece of memory; what does not fit is cut off.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Line {
    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
    }

    /// Which plugin did what in which call.
    fn add_place(&mut self, calls: &Calls, did: &str) {
        for part in [
            "lograil: plugin ",
            calls.plugin,
            did,
            calls.function(),
            "` of the component ",
            calls.id(),
            " (",
            calls.component_type,
            ")",
        ] {
            self.add(part);
        }
    }

    fn write(&self) {
        // SAFETY: the bytes are ours. Nothing can be done about an error.
        let _written =
            unsafe { libc::write(libc::STDERR_FILENO, self.bytes.as_ptr().cast(), self.len) };
    }
}

/// Where the program ends by `exit` inside a call, it is the plugin that called it.
extern "C" fn on_exit() {
    // SAFETY: this thread is in the call, from which it does not return any more.
    if let Some(calls) = unsafe { Calls::current() } {
        let mut line = Line { bytes: [0; 512], len: 0 };
        line.add_place(calls, " ended the program (`exit`) in `");
        line.add("\n");
        line.write();
    }
}

extern "C" fn on_crash(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let index = SIGNALS.iter().position(|(one, _)| *one == signal).unwrap_or(0);
    let name = SIGNALS[index].1;
    let mut line = Line { bytes: [0; 512], len: 0 };
    // SAFETY: this is a signal handler on the thread in question.
    if let Some(calls) = unsafe { Calls::current() } {
        line.add_place(calls, " crashed in `");
        for part in [": ", name, "\n"] {
            line.add(part);
        }
        line.write();
    } else if let Some(library) = library_at(instruction(context)) {
        for part in
            ["lograil: plugin ", library.plugin, " crashed on a thread of its own: ", name, "\n"]
        {
            line.add(part);
        }
        line.write();
    }
    // As it would have been: the instruction is tried again, and whoever handled the signal before gets it.
    // SAFETY: plain data of the system's, and functions that a signal handler may call.
    unsafe {
        if let Some(before) = BEFORE[index].get() {
            libc::sigaction(signal, before, std::ptr::null_mut());
        } else {
            libc::signal(signal, libc::SIG_DFL);
        }
        // One that was sent does not come again by itself.
        if info.is_null() || (*info).si_code <= 0 {
            libc::raise(signal);
        }
    }
}

fn library_at(address: usize) -> Option<&'static Library> {
    let known = LIBRARIES.iter().map_while(OnceLock::get);
    known.into_iter().find(|library| (library.start..library.end).contains(&address))
}

/// Where the thread was.
fn instruction(context: *mut c_void) -> usize {
    if context.is_null() {
        return 0;
    }
    // SAFETY: the system gives the thread's registers.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    #[cfg(target_arch = "x86_64")]
    let address = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    let address = context.uc_mcontext.pc as usize;
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let address = {
        let _unused = context;
        0
    };
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_an_address_is_found() {
        let here = the_library_of_an_address_is_found as *const () as usize;
        let (start, end) = library_around(here).unwrap();
        assert!(start < here && here < end);
        assert_eq!(library_around(1), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let mut line = Line { bytes: [0; 512], len: 0 };
        line.add(&"x".repeat(1000));
        assert_eq!(line.len, 512);
    }
}
