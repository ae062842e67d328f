//! Exit codes, as the help page lists them.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Success,
    /// The topology has mistakes, or a component failed.
    Failed,
    /// Stopped before everything that was read was delivered.
    Undelivered,
}

/// The code after a second Ctrl-C: 128 and the number of SIGINT.
pub(crate) const INTERRUPTED: i32 = 130;

/// The code of [`Exit::Undelivered`].
pub(crate) const UNDELIVERED: u8 = 3;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Undelivered => Self::from(UNDELIVERED),
        }
    }
}
