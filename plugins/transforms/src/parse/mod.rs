//! The transform `parse`: the text of a field becomes fields. A file per format.

mod convert;
mod json;
mod lowered;
mod regex;

use std::collections::BTreeMap;

use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentMetrics, ComponentSpec, ConfigError, ConfigErrors, Options, Outputs, Threading,
    Transform, TransformContext, schemars,
};
use schemars::JsonSchema;
use serde::Deserialize;

use convert::Type;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "parse",
    summary: "Turns the text of a field into fields: JSON, or a regular expression's named groups.",
    manual: include_str!("README.md"),
    schema: schema_of::<ParseOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| {
        let options: ParseOptions = options_of(options)?;
        Ok(Box::new(Parse::new(options)?))
    }),
};

/// What the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum FormatName {
    /// One JSON document.
    Json,
    /// Text that `pattern` matches.
    Regex,
}

/// What becomes of an event that cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnError {
    /// It goes to the output `dead_letter` with the reason.
    #[default]
    DeadLetter,
    /// It goes on as it is.
    Pass,
    /// It is dropped, and counted with the reason `parse_error`.
    Drop,
}

/// Options of `parse`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ParseOptions {
    /// What the text is.
    format: FormatName,
    /// The field whose text is parsed.
    #[serde(default = "default_field")]
    field: String,
    /// The key that the parsed value is put under; without it, parsed fields become the event's own. JSON
    /// only.
    target: Option<String>,
    /// The regular expression (syntax of Rust's `regex`). Each named group becomes a field; a group that
    /// took no part in the match is left out. Regex only, where it is required.
    pattern: Option<String>,
    /// What the text of a named group is read as: `int`, `float`, `bool` or `string`, which is the default.
    /// Text that cannot be read so stays a string. Regex only.
    #[serde(default)]
    types: BTreeMap<String, Type>,
    /// What becomes of an event that cannot be parsed.
    #[serde(default)]
    on_error: OnError,
    /// Whether the field that was parsed stays, unless a parsed field has its name.
    #[serde(default)]
    keep_field: bool,
}

fn default_field() -> String {
    "message".to_owned()
}

fn options_of(options: &Options) -> Result<ParseOptions, ConfigErrors> {
    let options: ParseOptions = options.parse()?;
    let mut errors = Vec::new();
    if options.format != FormatName::Regex {
        if options.pattern.is_some() {
            let error = ConfigError::new(["pattern"], "only the format `regex` has a pattern");
            errors.push(error.help("set `format = \"regex\"`, or leave the pattern out"));
        }
        if !options.types.is_empty() {
            let error = ConfigError::new(["types"], "only the format `regex` has types");
            errors.push(error.help("JSON says itself what is a number; leave the types out"));
        }
    } else if options.target.is_some() {
        let error = ConfigError::new(["target"], "the format `regex` has no target");
        errors.push(error.help("give the groups the names that the fields are to have"));
    }
    if errors.is_empty() { Ok(options) } else { Err(ConfigErrors(errors)) }
}

/// A format: what one value of `format` does.
trait Format: Send {
    /// Called once before the first batch.
    fn start(&mut self, _id: &str, _metrics: &ComponentMetrics) {}

    /// Parses every event. One that cannot be parsed stays as it is; its index is added to `failed`, in
    /// rising order.
    fn parse(&mut self, batch: &mut Batch, failed: &mut Vec<usize>);

    /// Why the `nth` failed event of the last batch could not be parsed: what was expected and where, but
    /// never the text itself.
    fn reason(&self, nth: usize) -> String;
}

struct Parse {
    format: Box<dyn Format>,
    on_error: OnError,
    /// Events of the current batch that could not be parsed.
    failed: Vec<usize>,
    failures: Option<prometheus::IntCounter>,
}

impl Parse {
    fn new(options: ParseOptions) -> Result<Self, ConfigErrors> {
        let on_error = options.on_error;
        let format: Box<dyn Format> = match options.format {
            FormatName::Json => Box::new(json::Json::new(options)),
            FormatName::Regex => Box::new(regex::RegexFormat::new(options)?),
        };
        Ok(Self { format, on_error, failed: Vec::new(), failures: None })
    }

    fn take_failed(&self, batch: &mut Batch, out: &mut Outputs) {
        let mut next = self.failed.iter().copied().peekable();
        let mut is_failed = |event: usize| next.next_if_eq(&event).is_some();
        match self.on_error {
            OnError::Pass => {}
            OnError::Drop => out.discard("parse_error", batch.retain(|event| !is_failed(event))),
            OnError::DeadLetter => {
                if let Some(letters) = batch.split_off_where(is_failed) {
                    out.dead_letter(letters, |nth| self.format.reason(nth));
                }
            }
        }
    }
}

impl Transform for Parse {
    fn start(&mut self, context: TransformContext) {
        let help = "Events that could not be parsed.";
        self.failures = Some(context.metrics.counter("parse_failures", help));
        self.format.start(&context.id, &context.metrics);
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        self.failed.clear();
        self.format.parse(&mut batch, &mut self.failed);
        if !self.failed.is_empty() {
            if let Some(failures) = &self.failures {
                failures.inc_by(self.failed.len() as u64);
            }
            self.take_failed(&mut batch, out);
        }
        out.emit(batch);
    }
}

#[cfg(test)]
mod tests;
