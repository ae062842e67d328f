//! Runs one component as the runtime would, on the test's thread, with the test's clock and files.

mod sink;
mod source;
mod transform;

pub use sink::SinkHarness;
pub use source::{Sent, SourceHarness, SourceHarnessBuilder};
pub use transform::{Emitted, TransformHarness};

#[cfg(test)]
mod tests;

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Real time after which a component is taken for stuck.
const STUCK_AFTER: Duration = Duration::from_secs(20);

/// The id of the component in a harness.
pub const COMPONENT_ID: &str = "under_test";

fn current_thread() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.unwrap_or_else(|error| panic!("start a runtime: {error}"))
}

/// Waits for `future`; panics with `what` if it takes too long.
async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(STUCK_AFTER, future).await;
    result.unwrap_or_else(|_| panic!("{what}: nothing happened for {STUCK_AFTER:?} of real time"))
}
