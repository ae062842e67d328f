//! A catalogue of components that do nothing, with options of every shape, and a loader for tests.

#![expect(dead_code, reason = "serde and the schema are all that look at most options")]

use std::path::PathBuf;
use std::time::Duration;

use lograil_config::{LoadOptions, Loaded, SourceFile, load};
use lograil_plugin::schemars::JsonSchema;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    BoxFuture, Build, ByteSize, Catalogue, ComponentSpec, ConfigError, ConfigErrors, Delivery,
    DeliveryWait, Options, Outputs, Period, Secret, Sink, SinkContext, SinkError, Source,
    SourceContext, SourceError, Threading, Transform,
};
use serde::Deserialize;
use serde_json::Value;

struct Nothing;

impl Source for Nothing {
    fn run(self: Box<Self>, _: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Transform for Nothing {
    fn process(&mut self, batch: lograil_event::Batch, out: &mut Outputs) {
        out.emit(batch);
    }
}

/// A source that reads the files it includes.
struct Reading(Vec<String>);

impl Source for Reading {
    fn run(self: Box<Self>, _: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async { Ok(()) })
    }

    fn reads_file(&self, path: &std::path::Path) -> bool {
        self.0.iter().any(|included| std::path::Path::new(included) == path)
    }
}

/// A source whose senders wait for a minute.
struct Answering;

impl Source for Answering {
    fn run(self: Box<Self>, _: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async { Ok(()) })
    }

    fn delivery_wait(&self) -> Option<DeliveryWait> {
        let within = Duration::from_secs(60);
        Some(DeliveryWait { within, remedy: "let them wait longer".into() })
    }
}

/// A transform that holds events back.
struct Hold(Duration);

impl Transform for Hold {
    fn process(&mut self, _: lograil_event::Batch, _: &mut Outputs) {}

    fn held_for(&self) -> Duration {
        self.0
    }
}

/// A transform of which only the named outputs carry anything.
struct Split;

impl Transform for Split {
    fn process(&mut self, _: lograil_event::Batch, _: &mut Outputs) {}

    fn has_unnamed_output(&self) -> bool {
        false
    }
}

impl Sink for Nothing {
    fn open(&mut self, _: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { Ok(()) })
    }

    fn write<'a>(
        &'a mut self,
        _: &'a lograil_event::Batch,
    ) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async { Ok(Delivery::default()) })
    }
}

/// What the events look like.
#[derive(Deserialize, JsonSchema, Default)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Plain text.
    #[default]
    Text,
    /// JSON objects.
    Json,
    Csv,
}

#[derive(Deserialize, JsonSchema, Default)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(default, deny_unknown_fields)]
struct Demo {
    /// Events per second.
    #[schemars(range(min = 1))]
    rate: Option<u64>,
    format: Format,
    /// Shares of levels.
    weights: std::collections::BTreeMap<String, f64>,
    noisy: bool,
    port: u16,
    every: Option<Period>,
    token: Option<Secret>,
    start: Option<String>,
}

#[derive(Deserialize, JsonSchema, PartialEq)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(rename_all = "snake_case")]
enum ReadFrom {
    Beginning,
    End,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Files {
    /// Patterns of the files to read.
    #[schemars(length(min = 1))]
    include: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    read_from: Option<ReadFrom>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Filter {
    /// Events for which this is true are kept.
    condition: String,
}

/// Without `seconds` nothing bounds it.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct HoldOptions {
    seconds: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct Route {
    routes: std::collections::BTreeMap<String, String>,
}

/// How events are written.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(tag = "codec", rename_all = "snake_case", deny_unknown_fields)]
enum Encoding {
    /// One object a line.
    Json {},
    /// A format string.
    Text {
        /// The line, with fields in braces.
        format: String,
    },
}

#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "lograil_plugin::schemars")]
#[serde(deny_unknown_fields)]
struct FileSink {
    /// The file to write.
    #[schemars(length(min = 1))]
    path: String,
    encoding: Option<Encoding>,
    max_bytes: Option<ByteSize>,
    #[schemars(regex(pattern = "^[a-z]+$"))]
    suffix: Option<String>,
    password: Option<Secret>,
}

/// A condition is refused where `===` stands in it, as a parser would.
fn condition(path: &[&str], text: &str) -> Result<(), ConfigError> {
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    match text.find("===") {
        Some(at) => Err(ConfigError::new(path, format!("unexpected `=` in `{text}`"))
            .within(at + 2..at + 3)
            .help("equality is `==`")),
        None => Ok(()),
    }
}

fn demo(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    let options: Demo = options.parse()?;
    match options.start.as_deref() {
        Some("never") => Err(ConfigError::new(["end"], "it would never end").into()),
        _ => Ok(Box::new(Nothing)),
    }
}

fn files(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    options.parse::<Files>().map(|files| Box::new(Reading(files.include)) as Box<dyn Source>)
}

fn filter(options: &Options) -> Result<Box<dyn Transform>, ConfigErrors> {
    condition(&["condition"], &options.parse::<Filter>()?.condition)?;
    Ok(Box::new(Nothing))
}

fn hold(options: &Options) -> Result<Box<dyn Transform>, ConfigErrors> {
    let seconds = options.parse::<HoldOptions>()?.seconds;
    Ok(Box::new(Hold(seconds.map_or(Duration::MAX, Duration::from_secs))))
}

fn route(options: &Options) -> Result<Box<dyn Transform>, ConfigErrors> {
    let options: Route = options.parse()?;
    let found = options.routes.iter().map(|(name, text)| condition(&["routes", name], text));
    let errors: Vec<ConfigError> = found.filter_map(Result::err).collect();
    if errors.is_empty() { Ok(Box::new(Split)) } else { Err(ConfigErrors(errors)) }
}

fn route_ports(options: &Value) -> Vec<String> {
    let routes = options.get("routes").and_then(Value::as_object);
    routes.into_iter().flat_map(|routes| routes.keys().cloned()).collect()
}

fn file(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let options: FileSink = options.parse()?;
    match options.password.map(|password| password.expose().to_owned()) {
        Some(password) if password.len() < 8 => {
            let message = format!("the password `{password}` is too short");
            Err(ConfigError::new(["password"], message).into())
        }
        _ => Ok(Box::new(Nothing)),
    }
}

fn file_claims(options: &Value) -> Vec<String> {
    let path = options.get("path").and_then(Value::as_str);
    path.map(|path| format!("file {path}")).into_iter().collect()
}

const BASE: ComponentSpec = ComponentSpec {
    name: "",
    summary: "Does nothing.",
    manual: "",
    schema: schema_of::<Demo>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Source(&demo),
};

pub fn catalogue() -> Catalogue {
    Catalogue::new([
        ComponentSpec { name: "demo", ..BASE },
        ComponentSpec {
            name: "files",
            schema: schema_of::<Files>,
            build: Build::Source(&files),
            ..BASE
        },
        ComponentSpec {
            name: "filter",
            schema: schema_of::<Filter>,
            build: Build::Transform(&filter),
            ..BASE
        },
        ComponentSpec {
            name: "answering",
            schema: || serde_json::json!({ "type": "object", "additionalProperties": false }),
            build: Build::Source(&|_| Ok(Box::new(Answering))),
            ..BASE
        },
        ComponentSpec {
            name: "hold",
            schema: schema_of::<HoldOptions>,
            ports: |_| vec!["late".to_owned()],
            build: Build::Transform(&hold),
            ..BASE
        },
        ComponentSpec {
            name: "route",
            schema: schema_of::<Route>,
            ports: route_ports,
            build: Build::Transform(&route),
            ..BASE
        },
        ComponentSpec {
            name: "file",
            schema: schema_of::<FileSink>,
            claims: file_claims,
            build: Build::Sink(&file),
            ..BASE
        },
        ComponentSpec {
            name: "null",
            schema: || serde_json::json!({ "type": "object", "additionalProperties": false }),
            build: Build::Sink(&|_| Ok(Box::new(Nothing))),
            ..BASE
        },
    ])
}

fn env(name: &str) -> Option<String> {
    match name {
        "RATE" => Some("250".to_owned()),
        "WORD" => Some("environment".to_owned()),
        "PASSWORD" => Some("hunter2".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

pub fn load_files(files: &[(&str, &str)], sets: &[&str]) -> Loaded {
    let file = |(name, text): &(&str, &str)| SourceFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    let options = LoadOptions {
        files: files.iter().map(file).collect(),
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
        env: &env,
        base_dir: PathBuf::from("/etc/lograil"),
    };
    load(options, &catalogue())
}
