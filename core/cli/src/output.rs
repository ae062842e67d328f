//! What goes to the user directly: errors on stderr, answers on stdout.

use std::io::{self, ErrorKind, Write};

/// Whether to colour output for a stream that is or is not a terminal (<https://no-color.org>).
pub(crate) fn use_color(is_terminal: bool) -> bool {
    is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A number with the word that goes with it.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Says on stderr what went wrong.
pub(crate) fn error(message: &str) {
    // Nobody is left to be told when stderr is gone.
    let _told = writeln!(io::stderr(), "lograil: {message}");
}

/// Writes an answer to stdout; that the reader has gone away is no error.
pub(crate) fn answer(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
