//! Options of `template`, and what is wrong with them.

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ConfigError, ConfigErrors};
use serde::Deserialize;

use crate::field_path::FieldPath;

/// Options of `template`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateOptions {
    /// The field that holds the message.
    #[serde(default = "default_field")]
    pub(super) field: String,
    /// How many templates are remembered; beyond, the one seen longest ago is forgotten.
    #[serde(default = "default_max_templates")]
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) max_templates: u32,
    /// The field for the template's id.
    #[serde(default = "default_id_key")]
    pub(super) id_key: String,
    /// The field for the template's text. Empty: no field.
    #[serde(default = "default_text_key")]
    pub(super) text_key: String,
    /// The field for the message's values, an array of texts. Empty: no field.
    #[serde(default = "default_parameters_key")]
    pub(super) parameters_key: String,
}

fn default_field() -> String {
    "message".to_owned()
}

fn default_max_templates() -> u32 {
    10_000
}

fn default_id_key() -> String {
    "template_id".to_owned()
}

fn default_text_key() -> String {
    "template".to_owned()
}

fn default_parameters_key() -> String {
    "template_parameters".to_owned()
}

impl TemplateOptions {
    /// Compiles the path of the message; reports all mistakes.
    pub(super) fn check(&self) -> Result<FieldPath, ConfigErrors> {
        let mut errors = Vec::new();
        if !(1..=100_000).contains(&self.max_templates) {
            let error =
                ConfigError::new(["max_templates"], "it must be at least 1 and at most 100000");
            errors.push(error.help("leave it out, or write it like 10000"));
        }
        if self.id_key.is_empty() {
            let error = ConfigError::new(["id_key"], "a field has a name");
            errors.push(error.help("leave the option out"));
        }
        let named = [
            ("id_key", &self.id_key),
            ("text_key", &self.text_key),
            ("parameters_key", &self.parameters_key),
        ];
        for (at, (option, name)) in named.iter().enumerate() {
            if !name.is_empty() && named[..at].iter().any(|(_, other)| other == name) {
                let error = ConfigError::new([*option], format!("two fields are called `{name}`"));
                errors.push(error.help("give each field a name of its own, or the empty one"));
            }
        }
        match FieldPath::parse(&self.field, &["field"]) {
            Ok(field) if errors.is_empty() => return Ok(field),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
        Err(ConfigErrors(errors))
    }
}
