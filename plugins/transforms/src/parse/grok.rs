//! `format = "grok"`: patterns with the names that Logstash gave them, expanded to a regular expression.

use lograil_codec::grok::{CaptureType, Problem, expand};
use lograil_plugin::{ConfigError, ConfigErrors};

use super::convert::Type;
use super::options::ParseOptions;
use super::regex::{NamedGroup, RegexFormat};

/// The format for the options.
pub(super) fn build(options: &ParseOptions) -> Result<RegexFormat, ConfigErrors> {
    let Some(pattern) = &options.pattern else {
        let error = ConfigError::new(["pattern"], "the format `grok` needs a pattern");
        return Err(error.help("such as pattern = '%{COMBINEDAPACHELOG}'").into());
    };
    let expanded = expand(pattern, &options.pattern_definitions).map_err(config_error)?;
    let groups: Vec<NamedGroup> = expanded
        .captures
        .into_iter()
        .map(|capture| NamedGroup {
            group: capture.group,
            field: capture.field,
            kind: capture.kind.map(type_of),
        })
        .collect();
    RegexFormat::with_groups(options, &expanded.regex, &groups)
}

fn config_error(problem: Problem) -> ConfigError {
    let error = match &problem.definition {
        Some(name) => ConfigError::new(["pattern_definitions", name], problem.message),
        None => ConfigError::new(["pattern"], problem.message),
    };
    error.within(problem.within).help(problem.help)
}

const fn type_of(kind: CaptureType) -> Type {
    match kind {
        CaptureType::String => Type::String,
        CaptureType::Int => Type::Int,
        CaptureType::Float => Type::Float,
        CaptureType::Bool => Type::Bool,
    }
}

#[cfg(test)]
mod tests;
