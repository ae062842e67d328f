//! Ruby.
//!
//! ```text
//! app.rb:3:in `find': no such order (KeyError)   (or a line of the log)
//!     from app.rb:9:in `<main>'
//! app.rb:9:in `<main>'                           (as loggers write backtraces)
//! ```

use super::super::rules::Step;
use super::{Language, Place, is_indented};

pub(super) const RULES: Language = Language { first, step };

fn first(line: &[u8]) -> Place {
    if is_frame(line) { Place::Frames } else { Place::Record }
}

fn step(place: Place, line: &[u8]) -> Step<Place> {
    if is_frame(line) {
        Step::Join(Place::Frames)
    } else if is_indented(line) {
        Step::Join(place)
    } else {
        Step::Break
    }
}

/// `path:12:in 'name'`, at the start of a line or behind `from`.
fn is_frame(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let text = text.strip_prefix(b"from ").unwrap_or(text);
    let Some(at) = memchr::memmem::find(text, b":in ") else { return false };
    let digits = text[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let has_line = digits > 0 && digits < at && text[at - digits - 1] == b':';
    has_line && matches!(text.get(at + 4), Some(b'`' | b'\'')) && text.ends_with(b"'")
}
