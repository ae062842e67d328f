//! `null`: takes everything and keeps nothing.

use futures::future::{BoxFuture, ready};
use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigErrors, Delivery, Options, Sink, SinkContext, SinkError, Threading,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The spec of `null`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "null",
    summary: "Takes every event and drops it: for measuring what comes before it, and for discarding.",
    manual: include_str!("README.md"),
    schema: schema_of::<NullOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Sink(&build),
};

/// The sink has no options.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NullOptions {}

fn build(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let NullOptions {} = options.parse()?;
    Ok(Box::new(NullSink))
}

struct NullSink;

impl Sink for NullSink {
    fn open(&mut self, _: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(ready(Ok(())))
    }

    fn write<'a>(&'a mut self, _: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(ready(Ok(Delivery::default())))
    }
}
