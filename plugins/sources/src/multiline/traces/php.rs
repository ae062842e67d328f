//! PHP, alone and with Xdebug.
//!
//! ```text
//! PHP Fatal error:  Uncaught Exception: no connection in /srv/orders.php:42
//! Stack trace:
//! #0 /srv/index.php(7): find()
//! #1 {main}
//!                                              (an empty line)
//! Next RuntimeException: gave up in /srv/orders.php:50
//!   thrown in /srv/orders.php on line 42
//! PHP Stack trace:
//! PHP   1. {main}() /srv/index.php:0
//! ```

use super::super::rules::Step;
use super::{Language, Place, is_indented};

pub(super) const RULES: Language = Language { first, step };

fn first(line: &[u8]) -> Place {
    if is_frame(line) { Place::Frames } else { Place::Record }
}

fn step(place: Place, line: &[u8]) -> Step<Place> {
    if is_frame(line) {
        return Step::Join(Place::Frames);
    }
    match place {
        Place::Frames if line.is_empty() => Step::Perhaps(Place::Gap),
        Place::Gap if line.starts_with(b"Next ") => Step::Join(Place::Header),
        Place::Gap => Step::Break,
        _ if is_indented(line) => Step::Join(place),
        _ => Step::Break,
    }
}

fn is_frame(line: &[u8]) -> bool {
    line == b"Stack trace:"
        || line.strip_prefix(b"#").is_some_and(|rest| is_numbered(rest, b" "))
        || line.strip_prefix(b"PHP ").is_some_and(|rest| {
            rest == b"Stack trace:" || is_numbered(rest.trim_ascii_start(), b". ")
        })
}

/// Whether a line begins with a number followed by `after`.
fn is_numbered(line: &[u8], after: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && line[digits..].starts_with(after)
}
