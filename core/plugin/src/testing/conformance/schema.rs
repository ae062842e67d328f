//! Walks the JSON Schemas that `schemars` makes of options types.

use std::collections::BTreeMap;

use serde_json::Value;

/// How deep types may nest; recursive ones (a condition of conditions) are cut off there.
const DEPTH_MAX: usize = 6;

/// A schema and the definitions it refers to.
pub(super) struct Schema<'a> {
    root: &'a Value,
}

impl<'a> Schema<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// Every option's dotted path, with whether it is described. Items of a list have the list's path.
    pub(super) fn paths(&self) -> BTreeMap<String, bool> {
        let mut paths = BTreeMap::new();
        self.collect(self.root, "", 0, &mut paths);
        paths
    }

    pub(super) fn undescribed(&self) -> Vec<String> {
        self.paths().into_iter().filter(|(_, described)| !described).map(|(path, _)| path).collect()
    }

    fn collect(
        &self,
        schema: &'a Value,
        prefix: &str,
        depth: usize,
        paths: &mut BTreeMap<String, bool>,
    ) {
        if depth > DEPTH_MAX {
            return;
        }
        for variant in self.variants(schema) {
            for (name, option) in variant["properties"].as_object().into_iter().flatten() {
                let path = format!("{prefix}{name}");
                // The tag of an enum of tables is described by its variants.
                let is_tag = option.get("const").is_some();
                let described = is_tag
                    || self.variants(option).iter().any(|v| v["description"].is_string())
                    || option["description"].is_string();
                *paths.entry(path.clone()).or_default() |= described;
                self.collect(option, &format!("{path}."), depth + 1, paths);
            }
            if let Some(items) = variant.get("items") {
                self.collect(items, prefix, depth + 1, paths);
            }
        }
    }

    /// A schema with its references followed, and the alternatives and parts it is made of.
    fn variants(&self, schema: &'a Value) -> Vec<&'a Value> {
        let mut found = Vec::new();
        let mut open = vec![(schema, 0)];
        while let Some((schema, depth)) = open.pop() {
            found.push(schema);
            if depth > DEPTH_MAX {
                continue;
            }
            if let Some(target) = schema["$ref"].as_str().and_then(|name| self.definition(name)) {
                open.push((target, depth + 1));
            }
            for part in ["oneOf", "anyOf", "allOf"] {
                let parts = schema[part].as_array().into_iter().flatten();
                open.extend(parts.map(|part| (part, depth + 1)));
            }
        }
        found
    }

    fn definition(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// The paths in `options` that the schema does not know.
    pub(super) fn unknown_in(&self, options: &Value) -> Vec<String> {
        let mut unknown = Vec::new();
        self.check(self.root, options, "", 0, &mut unknown);
        unknown
    }

    fn check(
        &self,
        schema: &'a Value,
        value: &Value,
        prefix: &str,
        depth: usize,
        unknown: &mut Vec<String>,
    ) {
        let variants = self.variants(schema);
        if depth > DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                let open =
                    !variants.iter().any(|v| v["additionalProperties"] == Value::Bool(false));
                for (name, value) in members {
                    let mut known = variants.iter().filter_map(|v| v["properties"].get(name));
                    match known.next() {
                        Some(option) => {
                            let prefix = format!("{prefix}{name}.");
                            self.check(option, value, &prefix, depth + 1, unknown);
                        }
                        None if open => {}
                        None => unknown.push(format!("{prefix}{name}")),
                    }
                }
            }
            Value::Array(values) => {
                let Some(items) = variants.iter().find_map(|v| v.get("items")) else { return };
                for value in values {
                    self.check(items, value, prefix, depth + 1, unknown);
                }
            }
            _ => {}
        }
    }
}
