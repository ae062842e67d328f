//! The transform `throttle`: at most so many events in a time, for each key.

mod budget;
mod memory;

use std::sync::Arc;
use std::time::Duration;

use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigError, ConfigErrors, Options, Outputs, Period, Threading,
    Transform, TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::condition::OptionCondition;
use crate::event_key::{KeyHasher, append_value};
use crate::field_path::FieldPath;
use crate::lru::Lru;
use budget::{Budget, Limit};

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "throttle",
    summary: "Lets at most so many events pass in a time, for each key.",
    manual: include_str!("README.md"),
    schema: schema_of::<ThrottleOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options: &Options| Ok(Box::new(Throttle::new(&options.parse()?)?))),
};

/// What becomes of the events beyond the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// They are dropped, and counted with the reason `throttled`.
    #[default]
    Drop,
    /// They go to the output `dead_letter`.
    DeadLetter,
    /// They wait until they may pass, and the input waits with them.
    Wait,
}

/// Options of `throttle`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ThrottleOptions {
    /// How many events may pass in `window`, for each key.
    #[schemars(range(min = 1))]
    threshold: u32,
    /// The time in which `threshold` events may pass.
    #[serde(default = "default_window")]
    window: Period,
    /// The field by whose value events are told apart; each value has a threshold of its own. Without it there
    /// is one for all events.
    key_field: Option<String>,
    /// A condition; events for which it is true pass and do not count.
    exclude: Option<String>,
    /// What becomes of the events beyond the threshold.
    #[serde(default)]
    mode: Mode,
    /// How many keys are remembered; beyond, the one seen longest ago is forgotten.
    #[serde(default = "default_max_keys")]
    #[schemars(range(min = 1))]
    max_keys: u32,
}

fn default_window() -> Period {
    Period(std::time::Duration::from_secs(1))
}

fn default_max_keys() -> u32 {
    100_000
}

/// Shortest wait: looking at what is held for every single event of a high rate would cost more than it gives.
const WAIT_MIN: Duration = Duration::from_millis(10);

struct Throttle {
    limit: Limit,
    key_field: Option<FieldPath>,
    exclude: Option<OptionCondition>,
    mode: Mode,
    reason: String,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    budgets: Lru<Budget>,
    /// The options for which the budgets hold.
    terms: String,
    /// Which events of the current batch pass.
    passes: Vec<bool>,
    /// How long until the first of the events that do not pass may.
    wait: Duration,
    /// Events that wait, in order: the rest of one batch, because there is no input meanwhile.
    held: Option<Batch>,
    running: Option<Running>,
}

struct Running {
    clock: Arc<dyn Clock>,
    evicted: prometheus::IntCounter,
    keys: prometheus::IntGauge,
}

impl Throttle {
    fn new(options: &ThrottleOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        for (option, number) in [("threshold", options.threshold), ("max_keys", options.max_keys)] {
            if number == 0 {
                errors.push(
                    ConfigError::new([option], "0 would let nothing pass").help("write at least 1"),
                );
            }
        }
        let limit = Limit::new(options.threshold, options.window.0);
        if limit.is_none() {
            let error =
                ConfigError::new(["window"], "a window has a length, of 10000 days at most");
            errors.push(error.help("write it like \"1s\" or \"5m\""));
        }
        let path = options.key_field.as_deref().map(|path| FieldPath::parse(path, &["key_field"]));
        let key_field = path.transpose().map_err(|error| errors.push(error)).ok().flatten();
        let exclude = options.exclude.as_deref();
        let exclude =
            exclude.and_then(|source| OptionCondition::compile(&["exclude"], source, &mut errors));
        let Some(limit) = limit.filter(|_| errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        let of = options.key_field.as_deref().map(|field| format!(" of one value of `{field}`"));
        let reason = format!(
            "throttled: more than {} events{} in {:?}",
            options.threshold,
            of.unwrap_or_default(),
            options.window.0
        );
        Ok(Self {
            limit,
            key_field,
            exclude,
            mode: options.mode,
            reason,
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            budgets: Lru::new(options.max_keys as usize),
            terms: format!("{} {:?} {:?}", options.threshold, options.window.0, options.key_field),
            passes: Vec::new(),
            wait: Duration::ZERO,
            held: None,
            running: None,
        })
    }

    /// Fills `passes`, and `wait` for those that do not. All events of a batch have come now.
    fn choose(&mut self, batch: &Batch) {
        let now = self.running.as_ref().map_or(0, |running| running.clock.monotonic().as_nanos());
        let mut evicted = 0;
        self.wait = Duration::MAX;
        let key = self.key_field.as_ref().and_then(|path| path.key(batch));
        let mut exclude = self.exclude.as_mut().map(|condition| condition.bind(batch));
        self.passes.clear();
        for event in batch.iter() {
            if exclude.as_mut().is_some_and(|condition| condition.holds(event)) {
                self.passes.push(true);
                continue;
            }
            let hash = match &self.key_field {
                None => 0,
                Some(path) => {
                    self.hasher.form.clear();
                    append_value(path.get(event, key, &mut self.scratch), &mut self.hasher.form);
                    self.hasher.recall()
                }
            };
            let passes = if let Some(budget) = self.budgets.get(hash) {
                let passes = self.limit.takes(budget, now);
                if !passes {
                    self.wait = self.wait.min(self.limit.wait(budget, now));
                }
                passes
            } else {
                let mut budget = Budget::default();
                let passes = self.limit.takes(&mut budget, now);
                evicted += u64::from(self.budgets.insert(hash, budget).is_some());
                passes
            };
            self.passes.push(passes);
        }
        if let Some(running) = &self.running {
            running.evicted.inc_by(evicted);
            running.keys.set(self.budgets.len() as i64);
        }
    }

    /// Holds back what may not pass yet, and asks for no input until the first of it may.
    fn hold_back(&mut self, batch: &mut Batch, out: &mut Outputs) {
        let passes = &self.passes;
        self.held = batch.split_off_where(|event| !passes[event]);
        if self.held.is_some() {
            out.pause(self.wait.max(WAIT_MIN.min(self.limit.window())));
        }
    }
}

impl Transform for Throttle {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        if let Some(exclude) = &mut self.exclude {
            exclude.start(&context);
        }
        let help = "Keys forgotten because there were more than `max_keys`.";
        let evicted = context.metrics.counter("evicted_keys", help);
        let keys = context.metrics.gauge("keys", "Keys that are remembered.");
        if let Some(state) = &context.state {
            // One of other options holds for other keys or limits: then every key has a whole threshold.
            let _resumed = self.resume(state, &*context.clock);
        }
        self.running = Some(Running { clock: context.clock, evicted, keys });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        if let Some(held) = self.held.take() {
            // Input although there was to be none: the topology stops, and everything is to come out.
            out.emit(held);
            out.emit(batch);
            return;
        }
        self.choose(&batch);
        // A batch that stays whole may be shared with other branches: leave its arrays alone.
        if self.passes.contains(&false) {
            let passes = &self.passes;
            match self.mode {
                Mode::Drop => out.discard("throttled", batch.retain(|event| passes[event])),
                Mode::DeadLetter => {
                    if let Some(letters) = batch.split_off_where(|event| !passes[event]) {
                        out.dead_letter(letters, |_| &self.reason);
                    }
                }
                Mode::Wait => self.hold_back(&mut batch, out),
            }
        }
        out.emit(batch);
    }

    fn tick(&mut self, _now_ns: i64, out: &mut Outputs) {
        if let Some(mut batch) = self.held.take() {
            self.choose(&batch);
            self.hold_back(&mut batch, out);
            out.emit(batch);
        }
    }

    fn flush(&mut self, out: &mut Outputs) {
        if let Some(held) = self.held.take() {
            out.emit(held);
        }
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.running.as_ref().map(|running| self.budgets_left(&*running.clock))
    }
}

#[cfg(test)]
mod tests;
