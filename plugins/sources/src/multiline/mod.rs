//! Multiline: which lines of a stream belong to one event, such as the lines of a stack trace.
//!
//! Only the text of the lines decides, read forward from the start of an event. So a source that keeps its
//! position at the start of an event that is not complete finds the same events after a restart.
//!
//! **Invariant:** knows nothing of files, of time, or of batches; copies no text.

mod grouping;
mod options;
mod rules;
mod traces;

pub use grouping::{Close, Grouping};
pub use options::MultilineOptions;
