//! The public API of a component: what a source, a transform and a sink are, and what the runtime gives
//! them. Built-in components and third parties' are written against this crate alone.
//!
//! **Invariant:** knows no topology file, no channel and no other component; time and files are reached
//! only through [`Clock`] and [`FileSystem`], so that tests can stop, jump, fail and cut them.

pub mod backoff;
pub mod clock;
pub mod dead_letter;
pub mod error;
pub mod fs;
pub mod metrics;
pub mod options;
pub mod sdk;
pub mod shutdown;
pub mod sink;
pub mod source;
pub mod spec;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transform;

pub use backoff::Backoff;
pub use clock::{Clock, SystemClock};
pub use error::{ConfigError, ConfigErrors, SinkError, SourceError, TransformError};
pub use fs::{File, FileSystem, SystemFiles};
pub use metrics::{ComponentMetrics, MetricsRegistry};
pub use options::{ByteSize, Options, Period, Secret};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use sink::{CommitPolicy, Delivery, LateRejection, Rejection, Sink, SinkContext};
pub use source::{
    BatchSender, Closed, DeliveryWait, PositionUpdate, Source, SourceContext, SourceOutput,
    SourceStart,
};
pub use spec::{Build, Catalogue, ComponentSpec, Kind, Port, Threading};
pub use store::{Store, StoreError, StoreSpec};
pub use transform::{Outputs, Transform, TransformContext};

pub use futures::future::BoxFuture;
pub use lograil_event as event;
pub use schemars;
pub use serde_json;
