//! `format = "grok"`: patterns with the names that Logstash gave them, expanded to a regular expression.

mod base;
pub(super) mod boundary;
mod expand;
mod network;
mod servers;
mod suggest;

use lograil_plugin::{ConfigError, ConfigErrors};

use super::options::ParseOptions;
use super::regex::{NamedGroup, RegexFormat};

/// The format for the options.
pub(super) fn build(options: &ParseOptions) -> Result<RegexFormat, ConfigErrors> {
    let Some(pattern) = &options.pattern else {
        let error = ConfigError::new(["pattern"], "the format `grok` needs a pattern");
        return Err(error.help("such as pattern = '%{COMBINEDAPACHELOG}'").into());
    };
    let expanded = expand::expand(pattern, &options.pattern_definitions)?;
    let groups: Vec<NamedGroup> = expanded
        .captures
        .into_iter()
        .map(|capture| NamedGroup {
            group: capture.group,
            field: capture.field,
            kind: capture.kind,
        })
        .collect();
    RegexFormat::with_groups(options, &expanded.regex, &groups)
}

#[cfg(test)]
mod tests;
