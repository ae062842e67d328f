//! A transform in Rust: replaces the values of fields that nobody should read.

use lograil_plugin::event::Batch;
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{Build, ComponentSpec, Outputs, Threading, Transform, export_plugin};
use serde::Deserialize;

const SPEC: ComponentSpec = ComponentSpec {
    name: "acme.redact",
    summary: "Replaces the values of fields that nobody should read.",
    manual: include_str!("../README.md"),
    schema: schema_of::<Redact>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(options.parse::<Redact>()?))),
};

export_plugin! { name: "acme", version: env!("CARGO_PKG_VERSION"), components: [SPEC] }

/// Options of `acme.redact`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Redact {
    /// Names of the fields.
    fields: Vec<String>,
    /// What they say afterwards.
    #[serde(default = "stars")]
    replacement: String,
}

fn stars() -> String {
    "***".to_owned()
}

impl Transform for Redact {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let present: Vec<_> = self.fields.iter().filter_map(|name| batch.find_key(name)).collect();
        let events = batch.len();
        let mut edit = batch.edit();
        for event in 0..events {
            for key in &present {
                if edit.find(event, *key).is_some() {
                    edit.set_str(event, *key, &self.replacement);
                }
            }
        }
        out.emit(batch);
    }
}
