//! Patterns as delimiters: a regex whose match can be found without ever going back, as a list of
//! literals and class runs.
//!
//! Rust's regex prefers, at every choice, the first alternative (a greedy loop: once more) that leads to a
//! match. [`Lowered::compile`] accepts a pattern only where that choice is forced:
//!
//! 1. *Class run* `C{m,n}` before a continuation K. If no byte that can start K is in C, then at every
//!    position inside the run K fails, so the run must end at the first byte outside C. If K can match
//!    nothing at all, the longest run succeeds, and longest is preferred. If K starts with a literal whose
//!    bytes are in C up to byte `k`, which is not (`\S+` before `" `), that byte can only be the one
//!    that ended the run, so the run ends `k` bytes earlier. `C{n}` has no choice.
//! 2. *Optional* `X?` before K, and *alternation*: the next byte can start one of them only. If K can match
//!    nothing, X is tried, and where it fails it is skipped: K cannot fail afterwards.
//! 3. *Lazy run* `C*?` before a literal: the first place where the literal stands is preferred. If the
//!    rest fails there, a later one might do, so the answer is [`Outcome::Unknown`].
//!
//! Bytes stand for characters: the text is valid UTF-8 and the pattern cannot split a character. A class
//! with every character from U+0080 up has every byte from 0x80 up, one without any has none. Of a class
//! with some of them (`\d`, `\w` and `\S` are Unicode classes), and of counted ones, nothing is said about a
//! byte from 0x80 up: meeting one makes the answer [`Outcome::Unknown`]. The caller asks the regex then.
//!
//! **Invariant:** an answer other than `Unknown` is the regex's answer, to the last group.

mod class;
mod compile;
mod first;
mod node;
mod run;

pub use compile::Obstacle;
pub use run::{ABSENT, Lowered, Outcome};

#[cfg(test)]
mod tests;
