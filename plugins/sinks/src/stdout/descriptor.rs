//! The file descriptor behind standard output: write(2) and poll(2), nothing between.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};

use super::Target;

/// What can be written to; a seam for tests.
pub(super) trait Descriptor: Send {
    /// Makes ready to write.
    fn open(&mut self) -> io::Result<()>;
    /// Writes some of `bytes`; how much.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Waits until `write` would not answer `WouldBlock`.
    fn wait_writable(&mut self) -> io::Result<()>;
}

/// Standard output or standard error. `std::io::stdout` itself is passed by: it looks for newlines and keeps
/// the rest of a line back.
pub(super) struct Stream {
    target: Target,
    file: Option<File>,
}

impl Stream {
    pub(super) fn new(target: Target) -> Self {
        Self { target, file: None }
    }

    /// Writes to an open descriptor instead.
    #[cfg(test)]
    pub(super) fn over(descriptor: std::os::fd::OwnedFd) -> Self {
        Self { target: Target::Stdout, file: Some(descriptor.into()) }
    }

    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Descriptor for Stream {
    fn open(&mut self) -> io::Result<()> {
        if self.file.is_some() {
            return Ok(());
        }
        let descriptor = match self.target {
            Target::Stdout => io::stdout().as_fd().try_clone_to_owned()?,
            Target::Stderr => io::stderr().as_fd().try_clone_to_owned()?,
        };
        self.file = Some(descriptor.into());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.file()?;
        file.write(bytes)
    }

    fn wait_writable(&mut self) -> io::Result<()> {
        let descriptor = self.file()?.as_raw_fd();
        let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLOUT, revents: 0 };
        loop {
            // SAFETY: `poll` is one valid pollfd for the length of the call, as its count says; the
            // descriptor stays open because `self` owns it.
            let ready = unsafe { libc::poll(&raw mut poll, 1, -1) };
            if ready >= 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}
