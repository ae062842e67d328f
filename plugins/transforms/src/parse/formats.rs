//! From the options to a format.

use lograil_codec::access_log::{AccessLog, AccessLogKind};
use lograil_codec::cef::Cef;
use lograil_codec::csv::{Csv, Dialect, Header};
use lograil_codec::dissect::Dissect;
use lograil_codec::glog::Glog;
use lograil_codec::key_value::KeyValue;
use lograil_codec::leef::Leef;
use lograil_codec::logfmt::Logfmt;
use lograil_codec::row::RowParser;
use lograil_codec::rows::Rows;
use lograil_codec::syslog::Syslog;
use lograil_plugin::{ConfigError, ConfigErrors};

use super::options::{FormatName, ParseOptions};
use super::{Format, auto, grok, json, regex};

/// The format that the options ask for.
pub(super) fn build(options: &ParseOptions) -> Result<Box<dyn Format>, ConfigErrors> {
    let strictness = options.strictness();
    Ok(match options.format {
        FormatName::Json => Box::new(json::Json::new(options)),
        FormatName::Regex => Box::new(regex::RegexFormat::new(options)?),
        FormatName::Csv => rows(options, csv(options, b',')?),
        FormatName::Tsv => rows(options, csv(options, b'\t')?),
        FormatName::Logfmt => rows(options, Logfmt::new(strictness)),
        FormatName::KeyValue => rows(options, key_value(options)?),
        FormatName::Syslog => fixed_rows(options, Syslog::new(strictness, options.zone()?))?,
        FormatName::Common => {
            fixed_rows(options, AccessLog::new(AccessLogKind::Common, strictness))?
        }
        FormatName::Combined => {
            fixed_rows(options, AccessLog::new(AccessLogKind::Combined, strictness))?
        }
        FormatName::Glog => fixed_rows(options, Glog::new(options.zone()?))?,
        FormatName::Dissect => fixed_rows(options, dissect(options)?)?,
        FormatName::Cef => rows(options, Cef::default()),
        FormatName::Leef => rows(options, Leef::default()),
        FormatName::Grok => Box::new(grok::build(options)?),
        FormatName::Auto => Box::new(auto::Auto::new(options)?),
    })
}

fn rows<P: RowParser + 'static>(options: &ParseOptions, parser: P) -> Box<dyn Format> {
    Box::new(Rows::new(parser, &options.field, options.keep_field))
}

/// The same for a format whose fields are known: a type of another is a mistake.
fn fixed_rows<P: RowParser + 'static>(
    options: &ParseOptions,
    parser: P,
) -> Result<Box<dyn Format>, ConfigErrors> {
    let columns = parser.columns();
    let unknown = options.types.keys().filter(|name| !columns.contains(name));
    let errors: Vec<ConfigError> = unknown
        .map(|name| {
            ConfigError::new(["types", name], format!("the format has no field `{name}`"))
                .help(format!("its fields are {}", columns.join(", ")))
        })
        .collect();
    if errors.is_empty() { Ok(rows(options, parser)) } else { Err(ConfigErrors(errors)) }
}

fn csv(options: &ParseOptions, delimiter: u8) -> Result<Csv, ConfigErrors> {
    let byte = |option: &'static str, character: Option<char>, default: u8| match character {
        None => Ok(default),
        Some(character) if character.is_ascii() && !matches!(character, '\n' | '\r') => {
            Ok(character as u8)
        }
        Some(_) => {
            let error = ConfigError::new([option], "not a single ASCII character");
            Err(error.help("such as `;` or `\\t`"))
        }
    };
    let delimiter = byte("delimiter", options.delimiter, delimiter)?;
    let quote = byte("quote", options.quote, b'"')?;
    if delimiter == quote {
        let error = ConfigError::new(["quote"], "the quote is the delimiter too");
        return Err(error.help("set one of them to another character").into());
    }
    let header = match (&options.columns, options.header) {
        (None, Some(false)) => {
            let error = ConfigError::new(["columns"], "without a header the columns have no names");
            return Err(error.help("such as columns = [\"time\", \"level\"]").into());
        }
        (None, _) => Header::Line,
        (Some(columns), _) if columns.is_empty() => {
            let error = ConfigError::new(["columns"], "there is no column");
            return Err(error.help("leave `columns` out to take the names from a header").into());
        }
        (Some(columns), Some(true)) => Header::Replaced(columns.clone()),
        (Some(columns), _) => Header::Given(columns.clone()),
    };
    Ok(Csv::new(Dialect { delimiter, quote }, header))
}

fn key_value(options: &ParseOptions) -> Result<KeyValue, ConfigError> {
    let between = options.key_value_delimiter.as_deref().unwrap_or("=");
    let behind = options.field_delimiter.as_deref().unwrap_or(" ");
    for (option, delimiter) in [("key_value_delimiter", between), ("field_delimiter", behind)] {
        if delimiter.is_empty() {
            let error = ConfigError::new([option], "a delimiter has at least one character");
            return Err(error.help("leave the option out for the default"));
        }
    }
    if between == behind {
        let error = ConfigError::new(["field_delimiter"], "the same as the other delimiter");
        return Err(error.help("pairs must be told apart from what they consist of"));
    }
    Ok(KeyValue::new(between, behind, options.strictness()))
}

fn dissect(options: &ParseOptions) -> Result<Dissect, ConfigError> {
    let Some(pattern) = &options.pattern else {
        let error = ConfigError::new(["pattern"], "the format `dissect` needs a pattern");
        return Err(error.help("such as pattern = '%{level}: %{text}'"));
    };
    Dissect::new(pattern).map_err(|error| {
        let help =
            "keys are written `%{key}`, with the delimiters as they stand in the text between";
        ConfigError::new(["pattern"], error.message).within(error.within).help(help)
    })
}
