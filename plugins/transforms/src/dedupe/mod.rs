//! The transform `dedupe`: drops events that are the same as one seen before.

mod identity;
mod memory;

use std::sync::Arc;
use std::time::Duration;

use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigError, ConfigErrors, Outputs, Period, Threading, Transform,
    TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::lru::Lru;
use identity::Identity;
use memory::Seen;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "dedupe",
    summary: "Drops events that are the same as one seen before, by some of their fields or by all.",
    manual: include_str!("README.md"),
    schema: schema_of::<DedupeOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Dedupe::new(&options.parse()?)?))),
};

/// Options of `dedupe`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DedupeOptions {
    /// Which fields make events the same. Without it all fields do.
    fields: Option<Fields>,
    /// What is remembered.
    #[serde(default)]
    cache: Cache,
    /// How long an event is remembered; without it, until `cache.num_events` others have come.
    max_age: Option<Period>,
}

/// Which fields make events the same: one of the two.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// Only these fields count. An event that has none of them is never dropped.
    #[serde(rename = "match")]
    matched: Option<Vec<String>>,
    /// All fields but these count.
    ignore: Option<Vec<String>>,
}

/// What is remembered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Cache {
    /// How many different events are remembered; beyond, the one seen longest ago is forgotten.
    #[schemars(range(min = 1))]
    num_events: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self { num_events: 5_000 }
    }
}

struct Dedupe {
    identity: Identity,
    /// The option `fields`, for which what is remembered holds.
    fields: String,
    seen: Lru<Seen>,
    max_age: Option<Duration>,
    /// Which events of the current batch are new.
    is_new: Vec<bool>,
    clock: Option<Arc<dyn Clock>>,
    /// The age of the oldest event that was remembered at the start: time is counted from then.
    past: Duration,
}

impl Dedupe {
    fn new(options: &DedupeOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        if options.cache.num_events == 0 {
            let error = ConfigError::new(["cache", "num_events"], "0 would remember nothing");
            errors.push(error.help("write at least 1"));
        }
        let all = Fields::default();
        let fields = options.fields.as_ref().unwrap_or(&all);
        let identity =
            Identity::new(fields.matched.as_deref(), fields.ignore.as_deref(), &mut errors);
        let Some(identity) = identity.filter(|_| errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        Ok(Self {
            identity,
            fields: format!("{fields:?}"),
            seen: Lru::new(options.cache.num_events as usize),
            max_age: options.max_age.map(|period| period.0),
            is_new: Vec::new(),
            clock: None,
            past: Duration::ZERO,
        })
    }

    fn now(&self) -> Duration {
        self.past + self.clock.as_ref().map_or(Duration::ZERO, |clock| clock.monotonic())
    }

    fn judge(&mut self, batch: &Batch, now: Duration) {
        self.is_new.clear();
        self.identity.bind(batch);
        for event in batch.iter() {
            let Some(hash) = self.identity.hash(event) else {
                self.is_new.push(true);
                continue;
            };
            let this = Seen { at: now, origin: event.origin() };
            let is_new = if let Some(seen) = self.seen.get(hash) {
                let is_old = self.max_age.is_some_and(|max| now.saturating_sub(seen.at) >= max);
                let is_again = this.origin.is_some() && this.origin == seen.origin;
                if is_old {
                    *seen = this;
                }
                is_old || is_again
            } else {
                self.seen.insert(hash, this);
                true
            };
            self.is_new.push(is_new);
        }
    }
}

impl Transform for Dedupe {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        if let Some(state) = &context.state {
            // One of other options holds for other events: then all are new.
            let _recalled = self.recall(state, &*context.clock);
        }
        self.clock = Some(context.clock);
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let now = self.now();
        self.judge(&batch, now);
        // A batch that stays whole may be shared with other branches: leave its arrays alone.
        if self.is_new.contains(&false) {
            let is_new = &self.is_new;
            out.discard("duplicate", batch.retain(|event| is_new[event]));
        }
        out.emit(batch);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.remember())
    }
}

#[cfg(test)]
mod tests;
