//! What the benches measure with: a deterministic generator of log lines, the row model that is the baseline,
//! and a table of paths taken in turn in one run.

pub mod generator;
pub mod log_events;
pub mod measure;
pub mod parsed;
pub mod rows;
pub mod transform;
