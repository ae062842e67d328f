//! Python.
//!
//! ```text
//! Traceback (most recent call last):
//!   File "app.py", line 3, in <module>
//!     main()
//! KeyError: 'id'
//!                                              (an empty line)
//! During handling of the above exception, another exception occurred:
//!                                              (an empty line)
//! Traceback (most recent call last):
//! ```

use super::super::rules::Step;
use super::{Language, Place, is_indented};

pub(super) const RULES: Language = Language { first, step };

fn first(line: &[u8]) -> Place {
    if is_header(line) || is_frame(line) { Place::Frames } else { Place::Record }
}

fn step(place: Place, line: &[u8]) -> Step<Place> {
    if is_indented(line) {
        let is_frame = is_frame(line) || is_header(line.trim_ascii_start());
        return Step::Join(if is_frame { Place::Frames } else { place });
    }
    match place {
        Place::Record | Place::Chain if is_header(line) => Step::Join(Place::Frames),
        Place::Chain if line.is_empty() => Step::Join(Place::Chain),
        // The first line behind the frames says what went wrong.
        Place::Frames if !line.is_empty() && !is_header(line) => Step::Join(Place::Closed),
        Place::Closed if line.is_empty() => Step::Perhaps(Place::Gap),
        Place::Gap if announces_chain(line) => Step::Join(Place::Chain),
        _ => Step::Break,
    }
}

fn is_header(line: &[u8]) -> bool {
    line.starts_with(b"Traceback (most recent call last)")
}

fn is_frame(line: &[u8]) -> bool {
    is_indented(line) && line.trim_ascii_start().starts_with(b"File \"")
}

fn announces_chain(line: &[u8]) -> bool {
    line.starts_with(b"During handling of the above exception")
        || line.starts_with(b"The above exception was the direct cause")
}
