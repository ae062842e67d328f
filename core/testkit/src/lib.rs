//! What the tests of this repository stand on beyond `lograil_plugin::testing`, which it hands on: an oracle for
//! end-to-end runs and the rules that a program can check.
//!
//! **Invariant:** for tests only; a mistake in its use panics. Knows no runtime and no component.

mod dice;
mod eager_clock;
pub mod oracle;

pub use dice::Dice;
pub use eager_clock::EagerClock;
pub use lograil_plugin::testing::*;
