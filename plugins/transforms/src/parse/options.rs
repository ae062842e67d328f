//! The options of `parse`, and which of them belong to which format.

use std::collections::BTreeMap;

use lograil_codec::{Strictness, Zone};
use lograil_plugin::{ConfigError, ConfigErrors, Options, schemars};
use schemars::JsonSchema;
use serde::Deserialize;

use super::convert::Type;

/// What the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatName {
    /// One JSON document.
    Json,
    /// Text that `pattern` matches.
    Regex,
    /// Comma-separated values, one record.
    Csv,
    /// The same with tabs between the values.
    Tsv,
    /// `level=info msg="a line"`.
    Logfmt,
    /// Pairs with separators of your choice.
    KeyValue,
    /// RFC 5424 or RFC 3164.
    Syslog,
    /// The common log format of Apache.
    Common,
    /// The combined log format of Apache and nginx.
    Combined,
    /// The format of glog and klog.
    Glog,
    /// Text with the delimiters of `pattern`.
    Dissect,
    /// Text that `pattern` matches, made of named patterns: `%{WORD:method}`.
    Grok,
    /// ArcSight's CEF.
    Cef,
    /// QRadar's LEEF.
    Leef,
    /// Whatever each line looks like.
    Auto,
}

impl FormatName {
    /// Whether the format itself says where the time of an event is.
    pub(super) fn finds_times(self) -> bool {
        matches!(self, Self::Syslog | Self::Common | Self::Combined | Self::Glog | Self::Auto)
    }
}

/// What becomes of an event that cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnError {
    /// It goes to the output `dead_letter` with the reason.
    #[default]
    DeadLetter,
    /// It goes on as it is.
    Pass,
    /// It is dropped, and counted with the reason `parse_error`.
    Drop,
}

/// Which field is the event's time.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimestampOptions {
    /// The field that becomes the event's time. It stays.
    pub(super) field: String,
    /// How it is written: `auto`, `rfc3339`, `common_log`, `syslog`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or a
    /// pattern of strptime such as `%Y-%m-%d %H:%M:%S`.
    #[serde(default = "default_time_format")]
    pub(super) format: String,
}

fn default_time_format() -> String {
    "auto".to_owned()
}

/// Options of `parse`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ParseOptions {
    /// What the text is.
    pub(super) format: FormatName,
    /// The field whose text is parsed.
    #[serde(default = "default_field")]
    pub(super) field: String,
    /// The key that the parsed value is put under; without it, parsed fields become the event's own. JSON
    /// only.
    pub(super) target: Option<String>,
    /// For `regex`, the regular expression (syntax of Rust's `regex`): each named group becomes a field; a group
    /// that took no part in the match is left out. For `dissect`, keys and delimiters:
    /// `%{ip} - [%{time}] %{?skipped}`. For `grok`, text and named patterns: `%{NAME:field}` or `%{NAME:field:type}`.
    /// Required for these three.
    pub(super) pattern: Option<String>,
    /// Patterns by their names, which go before the bundled ones. Format `grok`.
    #[serde(default)]
    pub(super) pattern_definitions: BTreeMap<String, String>,
    /// What the text of a parsed field is read as: `int`, `float`, `bool` or `string`, which is the default. Text
    /// that cannot be read so stays a string.
    #[serde(default)]
    pub(super) types: BTreeMap<String, Type>,
    /// Which parsed field becomes the event's time.
    pub(super) timestamp: Option<TimestampOptions>,
    /// The zone of times that name none: `UTC` (the default), `local`, an offset such as `+02:00`, or a name such as
    /// `Europe/Berlin`.
    pub(super) timezone: Option<String>,
    /// Whether only what the format's description allows is accepted. Formats `logfmt`, `key_value`, `syslog`,
    /// `common` and `combined`.
    pub(super) strict: Option<bool>,
    /// The character between two values: `,` in `csv`, a tab in `tsv`, unless it is given.
    pub(super) delimiter: Option<char>,
    /// The character around values with delimiters or line ends in them; `"` unless it is given. Formats `csv` and
    /// `tsv`.
    pub(super) quote: Option<char>,
    /// The names of the columns. Without them the first line of each stream has the names. Formats `csv` and `tsv`.
    pub(super) columns: Option<Vec<String>>,
    /// Whether the first line of each stream is a header: true unless `columns` is given. With `columns`, such a line
    /// is dropped. Formats `csv` and `tsv`.
    pub(super) header: Option<bool>,
    /// What is between a key and its value; `=` unless it is given. Format `key_value`.
    pub(super) key_value_delimiter: Option<String>,
    /// What is between two pairs; a space unless it is given. Format `key_value`.
    pub(super) field_delimiter: Option<String>,
    /// The field that gets the name of the format that a line was found to have; empty for none. `format` unless it is
    /// given. Format `auto`.
    pub(super) format_field: Option<String>,
    /// What becomes of an event that cannot be parsed.
    #[serde(default)]
    pub(super) on_error: OnError,
    /// Whether the field that was parsed stays, unless a parsed field has its name.
    #[serde(default)]
    pub(super) keep_field: bool,
}

fn default_field() -> String {
    "message".to_owned()
}

impl ParseOptions {
    /// Reads the options; refuses those that mean nothing in the format.
    pub(super) fn new(options: &Options) -> Result<Self, ConfigErrors> {
        let options: Self = options.parse()?;
        let errors = options.misplaced();
        if errors.is_empty() { Ok(options) } else { Err(ConfigErrors(errors)) }
    }

    pub(super) fn strictness(&self) -> Strictness {
        if self.strict == Some(true) { Strictness::Strict } else { Strictness::Lenient }
    }

    /// The zone of times that name none.
    pub(super) fn zone(&self) -> Result<Zone, ConfigError> {
        let Some(name) = &self.timezone else { return Ok(Zone::UTC) };
        Zone::new(name).ok_or_else(|| {
            let error = ConfigError::new(["timezone"], format!("`{name}` is no time zone"));
            error.help("such as `UTC`, `local`, `+02:00` or `Europe/Berlin`")
        })
    }

    fn misplaced(&self) -> Vec<ConfigError> {
        use FormatName::{
            Auto, Combined, Common, Csv, Dissect, Grok, Json, KeyValue, Logfmt, Regex, Syslog, Tsv,
        };
        let cases: [(&'static str, bool, &[FormatName], &str); 11] = [
            (
                "pattern",
                self.pattern.is_some(),
                &[Regex, Dissect, Grok],
                "`regex`, `dissect` and `grok`",
            ),
            ("pattern_definitions", !self.pattern_definitions.is_empty(), &[Grok], "`grok`"),
            ("target", self.target.is_some(), &[Json], "`json`"),
            (
                "strict",
                self.strict.is_some(),
                &[Logfmt, KeyValue, Syslog, Common, Combined],
                "`logfmt`, `key_value`, `syslog`, `common` and `combined`",
            ),
            ("delimiter", self.delimiter.is_some(), &[Csv, Tsv], "`csv` and `tsv`"),
            ("quote", self.quote.is_some(), &[Csv, Tsv], "`csv` and `tsv`"),
            ("columns", self.columns.is_some(), &[Csv, Tsv], "`csv` and `tsv`"),
            ("header", self.header.is_some(), &[Csv, Tsv], "`csv` and `tsv`"),
            ("key_value_delimiter", self.key_value_delimiter.is_some(), &[KeyValue], "`key_value`"),
            ("field_delimiter", self.field_delimiter.is_some(), &[KeyValue], "`key_value`"),
            ("format_field", self.format_field.is_some(), &[Auto], "`auto`"),
        ];
        let misplaced = cases
            .into_iter()
            .filter(|(_, is_given, formats, _)| *is_given && !formats.contains(&self.format));
        misplaced
            .map(|(option, _, _, formats)| {
                let error = ConfigError::new([option], format!("an option of {formats} only"));
                error.help("leave it out, or set another `format`")
            })
            .collect()
    }
}
