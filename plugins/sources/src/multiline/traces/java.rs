//! Java, and what else runs on its machine.
//!
//! ```text
//! java.lang.IllegalStateException: no connection          (after a line of the log, or by itself)
//!     at com.shop.Orders.find(Orders.java:42)
//!     ... 12 more
//! Caused by: java.net.ConnectException: refused
//! ```

use super::super::rules::Step;
use super::{Language, Place, is_indented, names_exception};

pub(super) const RULES: Language = Language { first, step };

const ENDINGS: [&[u8]; 3] = [b"Exception", b"Error", b"Throwable"];

fn first(line: &[u8]) -> Place {
    if names_exception(line, &ENDINGS) || line.starts_with(b"Exception in thread ") {
        Place::Header
    } else if is_frame(line) {
        Place::Frames
    } else {
        Place::Record
    }
}

fn step(place: Place, line: &[u8]) -> Step<Place> {
    if is_frame(line) {
        Step::Join(Place::Frames)
    } else if is_indented(line) {
        Step::Join(place)
    } else if place == Place::Record && names_exception(line, &ENDINGS) {
        Step::Join(Place::Header)
    } else {
        Step::Break
    }
}

fn is_frame(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    (text.len() < line.len() && (text.starts_with(b"at ") || text.starts_with(b"... ")))
        || text.starts_with(b"Caused by: ")
        || text.starts_with(b"Suppressed: ")
}
