//! `file`: appends events to a file that rotates, survives crashes and never tears or repeats a line.

mod active;
mod files;
mod journal;
mod location;
mod packing;
mod path_template;
mod position;
mod restore;
mod rotation;
mod slots;
mod writer;

use std::io;
use std::path::Path;

use futures::future::BoxFuture;
use lograil_codec::{Encoder, EncodingConfig};
use lograil_event::Batch;
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    Build, ByteSize, ComponentMetrics, ComponentSpec, ConfigError, ConfigErrors, Delivery, Options,
    Period, Sink, SinkContext, SinkError, Threading,
};
use prometheus::{IntCounter, IntGauge};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use files::{Files, Place};
use location::{Directories, Location};
pub use packing::Compression;
use path_template::PathTemplate;
use position::State;
use restore::Beyond;
use rotation::Rotate;
use writer::{Settings, Writer};

use crate::encoding;

/// The spec of `file`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "file",
    summary: "Appends events to a file, with rotation by size and time and exactly-once restarts.",
    manual: include_str!("README.md"),
    schema: schema_of::<FileOptions>,
    ports: no_ports,
    claims,
    threading: Threading::Blocking,
    build: Build::Sink(&build),
};

/// When written events become durable, and with that acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// One fsync for all batches since the last one, before they are acknowledged.
    #[default]
    Commit,
    /// Never by us: a power loss may cost events that were acknowledged.
    Never,
}

/// When a new file begins, and how many old ones stay.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateOptions {
    /// A new file begins before an event that would make the file larger than this.
    pub max_bytes: Option<ByteSize>,
    /// How many old files stay, as `path.1` (the youngest) to `path.N`.
    #[schemars(range(min = 1))]
    pub max_files: u32,
    /// A new file begins when a period of this length begins, counted from midnight UTC of 1970-01-01.
    pub interval: Option<Period>,
    /// How old files are compressed: `gzip` as `path.N.gz`, `zstd` as `path.N.zst`.
    pub compression: Option<Compression>,
}

impl Default for RotateOptions {
    fn default() -> Self {
        Self { max_bytes: None, max_files: 3, interval: None, compression: None }
    }
}

/// The options of `file`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileOptions {
    /// The file to append to, from `base_dir` or else from the directory that lograil runs in. `{service}` stands
    /// for a field of the event, `%Y-%m-%d` for its time.
    pub path: String,
    /// What stands in the path for a field that an event does not have. Without it such events are dead
    /// letters.
    #[serde(default)]
    pub path_default: Option<String>,
    /// Most files that are open at a time, where the path has fields or times in it.
    #[serde(default = "default_open_files")]
    pub max_open_files: usize,
    /// A directory the file must be in, symbolic links included.
    #[serde(default)]
    pub base_dir: Option<String>,
    /// Whether missing directories of the path are made.
    #[serde(default = "yes")]
    pub create_dirs: bool,
    /// How events become bytes.
    #[serde(default)]
    pub encoding: EncodingConfig,
    /// When a new file begins; without it the file grows for ever, or others rotate it.
    #[serde(default)]
    pub rotate: Option<RotateOptions>,
    /// When written events are made durable.
    #[serde(default)]
    pub fsync: Durability,
}

fn yes() -> bool {
    true
}

fn default_open_files() -> usize {
    64
}

fn claims(options: &Value) -> Vec<String> {
    let Some(path) = options.get("path").and_then(Value::as_str) else { return Vec::new() };
    let base = options.get("base_dir").and_then(Value::as_str).unwrap_or("");
    let path = location::normalise(&Path::new(base).join(path));
    vec![format!("file {}", path.display())]
}

fn build(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let options: FileOptions = options.parse()?;
    let mut errors = Vec::new();
    if let Err(error) = location::check(&options.path, options.base_dir.as_deref()) {
        errors.push(error);
    }
    let default = options.path_default.as_deref();
    let template = PathTemplate::parse(&options.path, default).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    check_template(&options, template.as_ref(), &mut errors);
    let rotate = rotate(options.rotate.as_ref(), &mut errors);
    let encoder = encoding::encoder(&options.encoding).map_err(|error| errors.push(error));
    let (Ok(encoder), true) = (encoder, errors.is_empty()) else {
        return Err(ConfigErrors(errors));
    };
    Ok(Box::new(FileSink {
        options,
        rotate,
        encoder,
        encoded: Vec::new(),
        ends: Vec::new(),
        target: None,
    }))
}

fn check_template(
    options: &FileOptions,
    template: Option<&PathTemplate>,
    errors: &mut Vec<ConfigError>,
) {
    if options.max_open_files == 0 {
        errors.push(ConfigError::new(["max_open_files"], "at least one file must be open"));
    }
    let default = options.path_default.as_deref();
    if default.is_some_and(|text| text.is_empty() || text.contains(['/', '\0']) || text == "..") {
        let error = ConfigError::new(["path_default"], "this cannot be a part of a path");
        errors.push(error.help("write a word, such as \"unknown\""));
    }
    match template {
        Some(template) => {
            let rest = options.path.strip_prefix(template.fixed_directory());
            if rest.is_some_and(|rest| rest.split('/').any(|part| part == "..")) {
                let error = ConfigError::new(["path"], "`..` behind a field or a time");
                errors.push(error.help("two paths could be one file"));
            }
        }
        None if default.is_some() => {
            let error = ConfigError::new(["path_default"], "the path has no field in it");
            errors.push(error.help("write a field in braces: path = \"logs/{service}.log\""));
        }
        None => {}
    }
}

fn rotate(options: Option<&RotateOptions>, errors: &mut Vec<ConfigError>) -> Rotate {
    let Some(options) = options else { return Rotate::default() };
    if options.max_bytes.is_none() && options.interval.is_none() {
        let error = ConfigError::new(["rotate"], "nothing says when to rotate");
        errors.push(error.help("set `rotate.max_bytes`, such as \"1MiB\", or `rotate.interval`"));
    }
    if options.max_bytes == Some(ByteSize(0)) {
        errors.push(ConfigError::new(["rotate", "max_bytes"], "a file of 0 bytes holds nothing"));
    }
    if options.max_files == 0 {
        let error =
            ConfigError::new(["rotate", "max_files"], "0 would delete what was just written");
        errors.push(error.help("keep at least 1"));
    }
    let interval = options.interval.map(|interval| interval.0);
    if interval.is_some_and(|interval| interval.as_secs() == 0) {
        errors.push(ConfigError::new(["rotate", "interval"], "less than a second is too often"));
    }
    Rotate {
        max_bytes: options.max_bytes.map(|size| size.0),
        max_files: options.max_files,
        interval_ns: interval
            .map(|interval| i64::try_from(interval.as_nanos()).unwrap_or(i64::MAX)),
    }
}

/// The metrics beyond the standard ones.
pub(crate) struct Meters {
    rotations: IntCounter,
    rotation_errors: IntCounter,
    reopens: IntCounter,
    bytes: IntGauge,
}

impl Meters {
    fn new(metrics: &ComponentMetrics) -> Self {
        Self {
            rotations: metrics.counter("file_rotations", "Files that were full and put aside."),
            rotation_errors: metrics
                .counter("file_rotation_errors", "Rotations that failed; the file was written on."),
            reopens: metrics
                .counter("file_reopens", "Times the path named another file and was opened anew."),
            bytes: metrics.gauge("file_bytes", "Length of the file that is written to."),
        }
    }
}

struct FileSink {
    options: FileOptions,
    rotate: Rotate,
    encoder: Encoder,
    encoded: Vec<u8>,
    ends: Vec<usize>,
    target: Option<Target>,
}

enum Target {
    One(Box<Writer>),
    Many(Box<Files>),
}

impl FileSink {
    fn open_target(&mut self, context: &SinkContext) -> Result<(), SinkError> {
        let dirs =
            if self.options.create_dirs { Directories::Create } else { Directories::MustExist };
        let settings = Settings {
            durability: self.options.fsync,
            rotate: self.rotate,
            compression: self.options.rotate.as_ref().and_then(|rotate| rotate.compression),
            header: self.encoder.header().to_vec(),
        };
        let default = self.options.path_default.as_deref();
        let opened = match PathTemplate::parse(&self.options.path, default) {
            Ok(None) => self.open_one(context, &settings, dirs),
            Ok(Some(template)) => self.open_many(context, settings, dirs, template),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidInput, error.message)),
        };
        self.target = Some(opened.map_err(|error| {
            let reason = format!("open {}: {error}", self.options.path);
            if may_pass(&error) { SinkError::retry(reason) } else { SinkError::Fatal(reason) }
        })?);
        Ok(())
    }

    fn open_one(
        &self,
        context: &SinkContext,
        settings: &Settings,
        dirs: Directories,
    ) -> io::Result<Target> {
        let base = self.options.base_dir.as_deref();
        let location = Location::new(&context.base_dir, &self.options.path, base, dirs);
        let state: Option<State> =
            context.state.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let state = state.filter(|state| state.is_of(&location.path));
        let beyond = if context.comes_again() { Beyond::Remove } else { Beyond::KeepWholeLines };
        let writer = Writer::open(context, location, settings, state, beyond)?;
        Ok(Target::One(Box::new(writer)))
    }

    fn open_many(
        &self,
        context: &SinkContext,
        settings: Settings,
        dirs: Directories,
        template: PathTemplate,
    ) -> io::Result<Target> {
        let base = self.options.base_dir.clone();
        let place = Place {
            topology_dir: context.base_dir.clone(),
            is_base_given: base.is_some(),
            base: base.unwrap_or_else(|| template.fixed_directory().to_owned()),
            dirs,
        };
        let files = Files::open(context, place, settings, template, self.options.max_open_files)?;
        Ok(Target::Many(Box::new(files)))
    }

    fn write_batch(&mut self, batch: &Batch) -> Result<Delivery, SinkError> {
        let target = self.target.as_mut().ok_or_else(not_open)?;
        self.encoded.clear();
        if self.rotate.max_bytes.is_some() || matches!(target, Target::Many(_)) {
            self.encoder.encode_with_ends(batch, &mut self.encoded, &mut self.ends);
        } else {
            self.encoder.encode(batch, &mut self.encoded);
        }
        if self.encoded.is_empty() {
            return Ok(Delivery::default());
        }
        let delivery = match target {
            Target::One(writer) => {
                writer.write(&self.encoded, &self.ends)?;
                Delivery { bytes: self.encoded.len() as u64, rejected: Vec::new() }
            }
            Target::Many(files) => files.write(batch, &self.encoded, &self.ends)?,
        };
        encoding::shrink(&mut self.encoded);
        Ok(delivery)
    }
}

impl Sink for FileSink {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move { self.open_target(&context) })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move { self.write_batch(batch) })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            match self.target.as_mut().ok_or_else(not_open)? {
                Target::One(writer) => writer.commit(),
                Target::Many(files) => files.commit(),
            }
        })
    }

    fn close(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let closed = match &mut self.target {
                Some(Target::One(writer)) => writer.close(),
                Some(Target::Many(files)) => files.close(),
                None => Ok(()),
            };
            if let Err(error) = closed {
                // Everything is delivered; a backup too many is no reason to fail.
                tracing::warn!("remove old files: {error}");
            }
            Ok(())
        })
    }

    fn state(&self) -> Option<String> {
        match self.target.as_ref()? {
            Target::One(writer) => serde_json::to_string(&writer.state()).ok(),
            Target::Many(files) => files.state(),
        }
    }

    fn reopen(&mut self) {
        match &mut self.target {
            Some(Target::One(writer)) => writer.reopen(),
            Some(Target::Many(files)) => files.reopen(),
            None => {}
        }
    }
}

fn not_open() -> SinkError {
    SinkError::Fatal("the sink was not opened".to_owned())
}

/// Whether an error at the start is the machine's state of the moment rather than a mistake in the topology.
fn may_pass(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::Interrupted
            | Kind::WouldBlock
            | Kind::TimedOut
            | Kind::ResourceBusy
            | Kind::StaleNetworkFileHandle
    ) || matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::EIO))
}

#[cfg(test)]
mod tests;
