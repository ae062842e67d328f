//! The runtime: a plan becomes a running topology.
//!
//! Every source and sink is a task; a chain of transforms is one task. Edges between tasks are bounded by
//! bytes. The runtime owns what every component needs and none should write again: acknowledgement,
//! checkpoints, retry, dead letters, draining, standard metrics and the delivery ledger.
//!
//! **Invariant:** knows no concrete component; reaches time and files only through the seams it is given.

mod assembly;
mod chain;
mod checkpoint;
mod crash;
mod departures;
mod diff;
mod door;
mod error;
mod gauges;
mod injection;
mod ledger;
mod letters;
mod outlet;
mod sink_task;
mod source_task;
mod status;
mod store;
mod tap;
mod tasks;
mod topology;
mod transform_state;
mod wiring;

pub use assembly::Changes;
pub use error::RuntimeError;
pub use injection::{InjectError, Receipt};
pub use ledger::Ledger;
pub use status::{ComponentStatus, EdgeStatus, Observer, TopologyStatus};
pub use tap::TapListener;
pub use topology::{Outcome, RunOptions, Running, Seams, Stopper};
