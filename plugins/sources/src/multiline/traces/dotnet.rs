//! .NET.
//!
//! ```text
//! System.InvalidOperationException: no connection          (after a line of the log, or by itself)
//!  ---> System.Net.Sockets.SocketException (111): refused
//!    at Shop.Orders.Find(Int32 id) in /src/Orders.cs:line 42
//!    --- End of inner exception stack trace ---
//! --- End of stack trace from previous location ---
//! ```

use super::super::rules::Step;
use super::{Language, Place, is_indented, names_exception};

pub(super) const RULES: Language = Language { first, step };

fn first(line: &[u8]) -> Place {
    let is_header = names_exception(line, &[b"Exception"])
        || line.starts_with(b"Unhandled exception. ")
        || line.starts_with(b"Unhandled Exception: ");
    if is_header { Place::Header } else { Place::Record }
}

fn step(place: Place, line: &[u8]) -> Step<Place> {
    if is_indented(line) || line.starts_with(b"--- End of ") {
        Step::Join(place)
    } else if place == Place::Record && names_exception(line, &[b"Exception"]) {
        Step::Join(Place::Header)
    } else {
        Step::Break
    }
}
