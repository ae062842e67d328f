//! The laws are themselves held against components that break them.

use std::sync::Arc;

use crate::schemars::JsonSchema;
use crate::spec::{no_claims, no_ports, schema_of};
use crate::{Build, ComponentSpec, ConfigErrors, Options, Outputs, Threading, Transform};
use lograil_event::{Batch, Field};
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::testing::batches::lines_of;

/// What the transform does wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[schemars(crate = "crate::schemars")]
#[serde(rename_all = "snake_case")]
enum Sin {
    /// Nothing.
    #[default]
    None,
    /// Drops a batch that has become empty.
    DropAcks,
    /// Keeps acknowledgements for itself.
    KeepAcks,
    /// Loses an event.
    LoseEvents,
    /// Remembers a key's id.
    CacheKeys,
    /// Makes a string of bytes.
    BadUtf8,
    /// Panics on what is not UTF-8.
    Panic,
    /// Leaves events alone, unlike the others: no sin.
    Pass,
}

/// One step of several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "crate::schemars")]
#[serde(deny_unknown_fields)]
struct Step {
    /// The step's field.
    #[serde(rename = "field")]
    _field: String,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(crate = "crate::schemars")]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// What it does wrong.
    sin: Sin,
    /// What to do first.
    #[serde(rename = "steps")]
    _steps: Vec<Step>,
    /// What else to do.
    #[serde(rename = "last")]
    _last: Option<Step>,
}

struct Sinner {
    sin: Sin,
    key: Option<u32>,
    kept: Vec<lograil_event::Acks>,
}

impl Transform for Sinner {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let lines = lines_of(&batch);
        let is_text = |line: &Vec<u8>| std::str::from_utf8(line).is_ok();
        assert!(self.sin != Sin::Panic || lines.iter().all(is_text), "this is the sin");
        out.discard("comment", batch.retain(|index| !lines[index].starts_with(b"plain")));
        let lines = lines_of(&batch);
        if let Some(empty) = batch.split_off_where(|index| lines[index].is_empty()) {
            out.dead_letter(empty, |_| "empty");
        }
        match self.sin {
            Sin::DropAcks if batch.is_empty() => return,
            Sin::KeepAcks => self.kept.push(batch.take_acks()),
            Sin::LoseEvents => {
                batch.retain(|index| index != 3);
            }
            _ => {}
        }
        if self.sin == Sin::Pass {
            return out.emit(batch);
        }
        let mut edit = batch.edit();
        let seen = edit.key("seen").0;
        let seen = *self.key.get_or_insert(seen);
        if self.sin != Sin::CacheKeys {
            self.key = None;
        }
        for index in 0..edit.events().len() {
            let first = edit.fields_of(index).first().copied();
            if let (Sin::BadUtf8, Some(first)) = (self.sin, first)
                && first.tag == lograil_event::Tag::Bytes
            {
                let (span, none) = (first.span(), lograil_event::FieldFlags::NONE);
                edit.set(index, Field::text(first.key, lograil_event::Tag::Str, span, none));
            }
            edit.set(index, Field::bool(seen, true));
        }
        out.emit(batch);
    }
}

fn build(options: &Options) -> Result<Box<dyn Transform>, ConfigErrors> {
    let config: Config = options.parse()?;
    Ok(Box::new(Sinner { sin: config.sin, key: None, kept: Vec::new() }))
}

const MANUAL: &str = "# sinner\n
```toml
[transforms.s]
type = \"sinner\"
inputs = [\"in\"]
sin = \"none\"
steps = [{ field = \"a\" }]
last = { field = \"b\" }
```
`sin`, `steps`, `steps.field`, `last`, `last.field`\n";

const SPEC: ComponentSpec = ComponentSpec {
    name: "sinner",
    summary: "Sins.",
    manual: MANUAL,
    schema: schema_of::<Config>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&build),
};

#[test]
fn a_transform_without_sin_passes() {
    transform(&SPEC, &json!({}));
    transform(&SPEC, &json!({"steps": [{"field": "status"}], "sin": "none"}));
    manual(&SPEC);
}

/// The text of the law that `check` finds broken.
fn broken_law(check: impl FnOnce()) -> String {
    let law = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_err();
    let text = law.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| law.downcast_ref::<String>().cloned()).unwrap()
}

#[test]
fn every_sin_of_a_transform_breaks_its_law() {
    for (sin, law) in [
        ("drop_acks", "was dropped after the batch"),
        ("keep_acks", "was kept after the batch"),
        ("lose_events", "events fed, and events emitted"),
        ("cache_keys", "key ids mean nothing across batches"),
        ("bad_utf8", "every batch a component emits is valid"),
        ("panic", "this is the sin"),
    ] {
        let broken = broken_law(|| transform(&SPEC, &json!({ "sin": sin })));
        assert!(broken.contains(law), "{sin}: {broken}");
    }
}

#[test]
fn a_transform_that_only_routes_is_held_to_it() {
    let [passes, changes] = ["pass", "none"].map(|sin| json!({ "sin": sin }));
    TransformLaws::new(&SPEC, &passes).only_routes().check();
    let broken = broken_law(|| TransformLaws::new(&SPEC, &changes).only_routes().check());
    assert!(broken.contains("stays as it was"), "{broken}");
}

#[test]
fn a_manual_that_lies_is_caught() {
    let leak = |text: String| -> &'static str { text.leak() };
    let with = |manual: String| ComponentSpec { manual: leak(manual), ..SPEC };
    for (text, replacement, law) in [
        ("`last.field`", "", "missing: [\"last.field\"]"),
        ("\nsin = ", "\nsins = ", "unknown options [\"sins\"]"),
        ("{ field = \"a\" }", "{ feild = \"a\" }", "unknown options [\"steps.feild\"]"),
        ("sin = \"none\"", "sin = \"some\"", "does not build"),
        ("type = \"sinner\"", "type = \"other\"", "has an example"),
        ("steps = [", "steps = [[", "is no TOML"),
    ] {
        let broken = broken_law(|| manual(&with(MANUAL.replace(text, replacement))));
        assert!(broken.contains(law), "{text}: {broken}");
    }
}

#[test]
fn options_that_are_not_refused_or_not_described_are_caught() {
    #[derive(Default, Deserialize, JsonSchema)]
    #[schemars(crate = "crate::schemars")]
    #[serde(default)]
    struct Open {
        /// Described.
        #[serde(rename = "a")]
        _a: u32,
    }
    #[derive(Default, Deserialize, JsonSchema)]
    #[schemars(crate = "crate::schemars")]
    #[serde(default, deny_unknown_fields)]
    struct Undescribed {
        #[serde(rename = "a")]
        _a: u32,
    }
    fn open(options: &Options) -> Result<Box<dyn Transform>, ConfigErrors> {
        options.parse::<Open>()?;
        build(&Options(json!({})))
    }
    fn undescribed(options: &Options) -> Result<Box<dyn Transform>, ConfigErrors> {
        options.parse::<Undescribed>()?;
        build(&Options(json!({})))
    }
    let open = ComponentSpec { schema: schema_of::<Open>, build: Build::Transform(&open), ..SPEC };
    let undescribed = ComponentSpec {
        schema: schema_of::<Undescribed>,
        build: Build::Transform(&undescribed),
        ..SPEC
    };
    for (spec, law) in [(open, "deny_unknown_fields"), (undescribed, "doc comment: [\"a\"]")] {
        let broken = broken_law(|| options(&spec, &json!({"a": 1})));
        assert!(broken.contains(law), "{broken}");
    }
}

mod of_others {
    use std::time::Duration;

    use crate::fs::Open;
    use crate::{
        BoxFuture, Delivery, File, Rejection, Sink, SinkContext, SinkError, Source, SourceContext,
        SourceError,
    };

    use super::*;
    use crate::testing::sim::SimFiles;

    struct Ticker;

    impl Source for Ticker {
        fn run(
            self: Box<Self>,
            mut context: SourceContext,
        ) -> BoxFuture<'static, Result<(), SourceError>> {
            Box::pin(async move {
                while !context.shutdown.is_requested() {
                    let batch = crate::testing::batches::batch_of_lines(&["tick"]);
                    if context.output.send(batch, Vec::new()).await.is_err() {
                        break;
                    }
                    tokio::select! {
                        () = context.clock.sleep(Duration::from_secs(1)) => {}
                        () = context.shutdown.requested() => {}
                    }
                }
                Ok(())
            })
        }
    }

    #[derive(Default)]
    struct Lines {
        file: Option<Box<dyn File>>,
        end: u64,
    }

    impl Sink for Lines {
        fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
            Box::pin(async move {
                let file = context.files.open(&context.base_dir.join("out"), Open::Create);
                self.file = Some(file.map_err(|error| SinkError::Fatal(error.to_string()))?);
                Ok(())
            })
        }

        fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
            Box::pin(async move {
                let mut delivery = Delivery::default();
                for (event, line) in lines_of(batch).iter().enumerate() {
                    if line.is_empty() {
                        delivery.rejected.push(Rejection { event, reason: "empty".into() });
                    }
                    let file = self.file.as_ref().unwrap();
                    file.write_all_at(line, self.end)
                        .map_err(|e| SinkError::retry(e.to_string()))?;
                    self.end += line.len() as u64;
                    delivery.bytes += line.len() as u64;
                }
                Ok(delivery)
            })
        }
    }

    fn source_spec(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
        options.parse::<Config>().map(|_| Box::new(Ticker) as Box<dyn Source>)
    }

    fn sink_spec(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
        options.parse::<Config>().map(|_| Box::new(Lines::default()) as Box<dyn Sink>)
    }

    #[test]
    fn a_source_and_a_sink_that_behave_pass() {
        let files: Arc<dyn crate::FileSystem> = SimFiles::new().shared();
        let spec = ComponentSpec { build: Build::Source(&source_spec), ..SPEC };
        source(&spec, &json!({}), &files);
        let spec = ComponentSpec { build: Build::Sink(&sink_spec), ..SPEC };
        sink(&spec, &json!({}), &files, "/");
    }
}
