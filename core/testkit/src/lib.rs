//! What the tests of components stand on: a clock they move, a file system that fails and forgets as real
//! ones do, harnesses that run one component, the laws every component obeys, and an oracle for
//! end-to-end runs.
//!
//! **Invariant:** for tests only; a mistake in its use panics. Knows no runtime and no component.

pub mod batches;
pub mod clock;
pub mod conformance;
mod eager_clock;
pub mod harness;
pub mod oracle;
pub mod sim;

pub use batches::{batch_of_bytes, batch_of_json, batch_of_lines, events_of, lines_of};
pub use clock::ManualClock;
pub use eager_clock::EagerClock;
pub use harness::{Emitted, Sent, SinkHarness, SourceHarness, TransformHarness};
pub use sim::{Fault, SimFiles, SimOperation};
