//! Go.
//!
//! ```text
//! panic: runtime error: index out of range [5] with length 3
//! [signal SIGSEGV: segmentation violation ...]
//!                                              (an empty line)
//! goroutine 1 [running]:
//! main.main()
//!     /src/main.go:9 +0x1d
//! created by main.start in goroutine 7
//! exit status 2
//! ```

use super::super::rules::Step;
use super::{Language, Place, is_indented};

pub(super) const RULES: Language = Language { first, step };

fn first(line: &[u8]) -> Place {
    const HEADERS: [&[u8]; 3] = [b"panic: ", b"fatal error: ", b"unexpected fault address "];
    if HEADERS.iter().any(|header| line.starts_with(header)) {
        Place::Header
    } else if begins_stack(line) {
        Place::Frames
    } else {
        Place::Record
    }
}

fn step(place: Place, line: &[u8]) -> Step<Place> {
    if begins_stack(line) && place != Place::Closed {
        return Step::Join(Place::Frames);
    }
    if is_indented(line) && place != Place::Gap {
        return Step::Join(place);
    }
    match place {
        Place::Header | Place::Frames if line.is_empty() => Step::Perhaps(Place::Gap),
        Place::Header if line.starts_with(b"[") || line.starts_with(b"fatal error: ") => {
            Step::Join(Place::Header)
        }
        Place::Frames if is_frame(line) => Step::Join(Place::Frames),
        Place::Gap if is_register(line) => Step::Join(Place::Frames),
        Place::Frames | Place::Gap | Place::Header if line.starts_with(b"exit status ") => {
            Step::Join(Place::Closed)
        }
        _ => Step::Break,
    }
}

/// `goroutine 7 [chan receive, 2 minutes]:`, and the stack of the runtime itself.
fn begins_stack(line: &[u8]) -> bool {
    line == b"runtime stack:"
        || line.strip_prefix(b"goroutine ").is_some_and(|rest| {
            rest.first().is_some_and(u8::is_ascii_digit) && rest.ends_with(b"]:")
        })
}

fn is_frame(line: &[u8]) -> bool {
    line.starts_with(b"created by ")
        || line.starts_with(b"...additional frames elided")
        || is_register(line)
        || is_call(line)
}

/// `net/http.(*conn).serve(0xc000, {0x1, 0x2})`: no blank before the arguments.
fn is_call(line: &[u8]) -> bool {
    let blank = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
    line.last() == Some(&b')') && line[..blank].contains(&b'(')
}

/// `rax    0x0`.
fn is_register(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let value = line[name..].trim_ascii_start();
    (2..=6).contains(&name) && value.len() < line.len() - name && value.starts_with(b"0x")
}
