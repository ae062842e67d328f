//! The transform `amplify`: passes each event on several times, for load tests.

use lograil_event::{Batch, EventFlags, Field};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigError, ConfigErrors, Outputs, Threading, Transform,
    TransformContext, TransformError, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "amplify",
    summary: "For load tests: passes each event on several times, the copies marked as such.",
    manual: include_str!("README.md"),
    schema: schema_of::<AmplifyOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Amplify::new(options.parse()?)?))),
};

/// Most times: all copies of a batch are in memory together.
const TIMES_MAX: u32 = 100;

/// Options of `amplify`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AmplifyOptions {
    /// How often each event comes out, itself included.
    #[schemars(range(min = 1, max = 100))]
    times: u32,
    /// The field that marks a copy and has its number, from 1 on.
    #[serde(default = "default_field")]
    field: String,
}

fn default_field() -> String {
    "amplified".to_owned()
}

struct Amplify {
    times: u32,
    field: String,
}

impl Amplify {
    fn new(options: AmplifyOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        if !(1..=TIMES_MAX).contains(&options.times) {
            let message = format!("{} times are not between 1 and {TIMES_MAX}", options.times);
            let error = ConfigError::new(["times"], message);
            errors.push(error.help("chain two of them for more: 100 times 10 is 1000"));
        }
        if options.field.is_empty() {
            let error = ConfigError::new(["field"], "copies would not be told from what happened");
            errors.push(error.help("write a name, such as `amplified`"));
        }
        if errors.is_empty() {
            Ok(Self { times: options.times, field: options.field })
        } else {
            Err(ConfigErrors(errors))
        }
    }
}

impl Transform for Amplify {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        tracing::warn!(
            component_id = &*context.id,
            "events are made up: each comes out {} times; the copies have the field `{}`",
            self.times,
            self.field
        );
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        for number in 1..self.times {
            let mut copy = batch.share();
            let mut edit = copy.edit();
            let key = edit.key(&self.field);
            for event in 0..edit.events().len() {
                let record = &mut edit.events()[event];
                // A copy was read nowhere: with the place of its original it would pass for that one, come again.
                record.flags.remove(EventFlags::RAW);
                record.flags.remove(EventFlags::RAW_JSON);
                record.flags.remove(EventFlags::RAW_DOCUMENT);
                record.raw_fields = 0;
                edit.set(event, Field::i64(key.0, number.into()));
            }
            out.create(copy.len());
            out.emit(copy);
        }
        out.emit(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lograil_plugin::Options;
    use lograil_testkit::{TransformHarness, batch_of_lines, conformance};
    use serde_json::json;

    #[test]
    fn obeys_the_laws_of_a_transform() {
        conformance::manual(&SPEC);
        conformance::transform(&SPEC, &json!({"times": 3}));
        conformance::transform(&SPEC, &json!({"times": 2, "field": "message"}));
        conformance::transform(&SPEC, &json!({"times": 1}));
    }

    #[test]
    fn copies_are_marked_and_the_original_stays_as_it_was() {
        let mut amplify = TransformHarness::build(&SPEC, json!({"times": 3}));
        let emitted = amplify.feed(batch_of_lines(&["a", "b"]));
        let wanted = [
            json!({"message": "a", "amplified": 1}),
            json!({"message": "b", "amplified": 1}),
            json!({"message": "a", "amplified": 2}),
            json!({"message": "b", "amplified": 2}),
            json!({"message": "a"}),
            json!({"message": "b"}),
        ];
        assert_eq!(emitted.main(), wanted);
        let raws: Vec<bool> =
            emitted.batches.iter().map(|(_, batch)| batch.event(0).raw().is_some()).collect();
        assert_eq!(raws, [false, false, true]);
    }

    #[test]
    fn mistakes_name_the_option() {
        let Build::Transform(build) = SPEC.build else { panic!("a transform") };
        for (options, path) in [
            (json!({"times": 0}), "times"),
            (json!({"times": 101}), "times"),
            (json!({"times": 2, "field": ""}), "field"),
        ] {
            let Err(ConfigErrors(errors)) = build(&Options(options.clone())) else {
                panic!("{options} is refused");
            };
            assert_eq!(errors[0].path, [path], "{options}");
        }
    }
}
