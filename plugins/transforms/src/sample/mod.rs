//! The transform `sample`: keeps a part of the events.

mod choice;

use lograil_event::{Batch, Field};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigError, ConfigErrors, Outputs, Threading, Transform,
    TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::condition::OptionCondition;
use crate::event_key::{append_value, stable_hash};
use crate::field_path::FieldPath;
use choice::{Choice, Share};

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "sample",
    summary: "Keeps a part of the events: one in so many, a ratio, or all those of some keys.",
    manual: include_str!("README.md"),
    schema: schema_of::<SampleOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Sample::new(options.parse()?)?))),
};

/// Options of `sample`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SampleOptions {
    /// Keeps one event in so many. Either this or `ratio`.
    #[schemars(range(min = 1))]
    rate: Option<u64>,
    /// Keeps this part of the events, above 0 and at most 1. Either this or `rate`.
    ratio: Option<f64>,
    /// The field whose value decides: of each value all events are kept, or none.
    key_field: Option<String>,
    /// A condition; events for which it is true are always kept, and not counted as sampled.
    exclude: Option<String>,
    /// The field that tells how an event was sampled: the rate, or the ratio. Empty: no field.
    #[serde(default = "default_sample_rate_key")]
    sample_rate_key: String,
    /// Makes the choice pseudo-random and repeatable; with `key_field`, another seed keeps other keys.
    seed: Option<u64>,
}

fn default_sample_rate_key() -> String {
    "sample_rate".to_owned()
}

struct Sample {
    choice: Choice,
    key_field: Option<FieldPath>,
    exclude: Option<OptionCondition>,
    sample_rate_key: String,
    seed: u64,
    /// What becomes of each event of the current batch.
    fates: Vec<Fate>,
    form: Vec<u8>,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Dropped,
    Sampled,
    Excluded,
}

impl Sample {
    fn new(options: SampleOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let share = share_of(&options).map_err(|error| errors.push(error)).ok();
        let key_field =
            options.key_field.as_deref().map(|path| FieldPath::parse(path, &["key_field"]));
        let key_field = key_field.transpose().map_err(|error| errors.push(error)).ok().flatten();
        let exclude = options.exclude.as_deref();
        let exclude =
            exclude.and_then(|source| OptionCondition::compile(&["exclude"], source, &mut errors));
        let Some(share) = share.filter(|_| errors.is_empty()) else {
            return Err(ConfigErrors(errors));
        };
        Ok(Self {
            choice: Choice::new(share, options.seed),
            key_field,
            exclude,
            sample_rate_key: options.sample_rate_key,
            seed: options.seed.unwrap_or(0),
            fates: Vec::new(),
            form: Vec::new(),
            scratch: Vec::new(),
        })
    }

    fn choose(&mut self, batch: &Batch) {
        let key = self.key_field.as_ref().and_then(|path| path.key(batch));
        let mut exclude = self.exclude.as_mut().map(|condition| condition.bind(batch));
        self.fates.clear();
        for event in batch.iter() {
            if exclude.as_mut().is_some_and(|condition| condition.holds(event)) {
                self.fates.push(Fate::Excluded);
                continue;
            }
            let path = self.key_field.as_ref();
            let value = path.and_then(|path| path.get(event, key, &mut self.scratch));
            let is_kept = match value {
                Some(value) => {
                    self.form.clear();
                    append_value(Some(value), &mut self.form);
                    self.choice.keeps_key(stable_hash(&self.form, self.seed))
                }
                None => self.choice.keeps_next(),
            };
            self.fates.push(if is_kept { Fate::Sampled } else { Fate::Dropped });
        }
    }
}

fn share_of(options: &SampleOptions) -> Result<Share, ConfigError> {
    match (options.rate, options.ratio) {
        (Some(0), _) => {
            let error = ConfigError::new(["rate"], "a rate of 0 would keep one event in none");
            Err(error.help("write 1 to keep every event, 10 to keep one in ten"))
        }
        (Some(rate), None) => Ok(Share::OneIn(rate)),
        (None, Some(ratio)) if ratio > 0.0 && ratio <= 1.0 => Ok(Share::Ratio(ratio)),
        (None, Some(ratio)) => {
            let error = ConfigError::new(["ratio"], format!("{ratio} is no part of the events"));
            Err(error.help("write a number above 0 and at most 1: 0.1 keeps a tenth"))
        }
        (Some(_), Some(_)) => {
            let error = ConfigError::new(["ratio"], "both `rate` and `ratio` are given");
            Err(error.help("keep one of them: `rate = 10` and `ratio = 0.1` keep as many"))
        }
        (None, None) => {
            let error = ConfigError::new(["rate"], "neither `rate` nor `ratio` is given");
            Err(error.help("write `rate = 10` to keep one event in ten"))
        }
    }
}

impl Transform for Sample {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        if let Some(exclude) = &mut self.exclude {
            exclude.start(&context);
        }
        if let Some(state) = &context.state {
            // One of other options is a place in another series: then this one begins.
            let _continued = self.choice.go_on(state);
        }
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        self.choose(&batch);
        // A batch that stays whole may be shared with other branches: leave its arrays alone.
        if self.fates.contains(&Fate::Dropped) {
            let fates = &self.fates;
            out.discard("sampled", batch.retain(|event| fates[event] != Fate::Dropped));
            self.fates.retain(|fate| *fate != Fate::Dropped);
        }
        if !self.sample_rate_key.is_empty() && self.fates.contains(&Fate::Sampled) {
            let mut edit = batch.edit();
            let key = edit.key(&self.sample_rate_key);
            let field = match self.choice.share() {
                Share::OneIn(rate) => match i64::try_from(rate) {
                    Ok(rate) => Field::i64(key.0, rate),
                    Err(_) => Field::f64(key.0, rate as f64),
                },
                Share::Ratio(ratio) => Field::f64(key.0, ratio),
            };
            for (event, fate) in self.fates.iter().enumerate() {
                if *fate == Fate::Sampled {
                    edit.set(event, field);
                }
            }
        }
        out.emit(batch);
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.choice.place())
    }
}

#[cfg(test)]
mod tests;
