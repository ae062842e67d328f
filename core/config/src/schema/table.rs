//! Tables: names that are unknown, names that are missing.

use serde_json::Value as Json;

use super::{Place, Validator, shape};
use crate::diagnostic::Diagnostic;
use crate::document::Table;
use crate::suggest;

impl Validator<'_> {
    pub(super) fn table(
        &self,
        table: &Table,
        schema: &Json,
        place: &Place,
        depth: usize,
        found: &mut Vec<Diagnostic>,
    ) {
        let properties = schema.get("properties").and_then(Json::as_object);
        for entry in &table.entries {
            let inner = place.option(&entry.key, entry.key_span);
            match properties.and_then(|all| all.get(&entry.key)) {
                Some(schema) => self.value(&entry.node, schema, &inner, depth, found),
                None => match schema.get("additionalProperties") {
                    Some(Json::Bool(false)) => {
                        let known = properties.into_iter().flat_map(|all| all.keys());
                        found.push(self.unknown(&entry.key, known, &inner));
                    }
                    Some(schema) => self.value(&entry.node, schema, &inner, depth, found),
                    None if schema.get("unevaluatedProperties") == Some(&Json::Bool(false)) => {
                        let known = option_names(self.root, schema);
                        if !known.contains(&entry.key.as_str()) {
                            let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
                            found.push(self.unknown(&entry.key, &known, &inner));
                        }
                    }
                    None => {}
                },
            }
        }
        let required = schema.get("required").and_then(Json::as_array);
        for name in required.into_iter().flatten().filter_map(Json::as_str) {
            if table.get(name).is_none() {
                found.push(self.missing(name, schema, place));
            }
        }
    }

    fn unknown<'s>(
        &self,
        key: &str,
        known: impl IntoIterator<Item = &'s String>,
        place: &Place,
    ) -> Diagnostic {
        let mut known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        known.sort_unstable();
        let is_top = place.path == key;
        let extra = if is_top { self.extra_names } else { &[] };
        let close = suggest::closest(key, known.iter().chain(extra).copied());
        let message = format!("unknown option `{}` in {}", place.path, self.owner);
        let label = suggest::label(close, "no such option");
        let help = format!("options here: {}", suggest::list(extra.iter().copied().chain(known)));
        Diagnostic::error("unknown-option", message).at(place.span, label).help(help)
    }

    /// An option that is required and not there.
    pub(super) fn missing(&self, name: &str, schema: &Json, place: &Place) -> Diagnostic {
        let path = place.option(name, place.span).path;
        let message = format!("{} lacks the option `{path}`", self.owner);
        let diagnostic = Diagnostic::error("missing-option", message)
            .at(place.span, format!("`{name}` is missing here"));
        let property = schema.get("properties").and_then(|all| all.get(name));
        let described = property.and_then(shape::description);
        match described {
            Some(text) => diagnostic.help(format!("`{name}`: {text}")),
            None => diagnostic,
        }
    }
}

/// The names of all options a schema speaks about at its top level.
pub(crate) fn option_names<'s>(root: &'s Json, schema: &'s Json) -> Vec<&'s str> {
    let mut names: Vec<&str> = shape::expand(root, &[schema])
        .into_iter()
        .filter_map(|schema| schema.get("properties").and_then(Json::as_object))
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
