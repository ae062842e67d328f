//! For the tests of components, built in or not (feature `testing`): a fake host. Harnesses that run one component
//! with a clock and files that the test moves and breaks, and the laws that every component obeys.
//!
//! ```
//! # use lograil_plugin::{Outputs, Transform, event::Batch};
//! # struct Pass;
//! # impl Transform for Pass {
//! #     fn process(&mut self, batch: Batch, out: &mut Outputs) { out.emit(batch); }
//! # }
//! use lograil_plugin::testing::TransformHarness;
//! use serde_json::json;
//!
//! let emitted = TransformHarness::new(Box::new(Pass)).feed_json(&[json!({"user": "ada"})]);
//! assert_eq!(emitted.main(), [json!({"user": "ada"})]);
//! ```
//!
//! **Invariant:** a mistake in its use and a broken law panic; knows no runtime and no other component.

pub mod batches;
pub mod clock;
pub mod conformance;
pub mod harness;
pub mod sim;

pub use batches::{batch_of_bytes, batch_of_json, batch_of_lines, events_of, lines_of};
pub use clock::ManualClock;
pub use harness::{Emitted, Sent, SinkHarness, SourceHarness, TransformHarness};
pub use sim::{Fault, SimFiles, SimOperation};
