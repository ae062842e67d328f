//! Knows what was written: numbered lines with a checksum, a writer that rotates its file while others read
//! it, and a check of what came out at the other end.

mod check;
mod line;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{Check, Report, check};
pub use line::{Line, parse, write_line};
pub use writer::{Rotate, Writer};
