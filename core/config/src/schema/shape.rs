//! What a schema says about types and values, and what it knows about a tree before the tree is checked.

use serde_json::Value as Json;

use super::DEPTH_MAX;
use crate::document::{Node, Table, Value};
use crate::interpolate::retype;

/// What the `$ref` of a schema points to.
pub(super) fn target<'s>(root: &'s Json, schema: &Json) -> Option<&'s Json> {
    let reference = schema.get("$ref")?.as_str()?;
    root.pointer(reference.strip_prefix('#')?)
}

/// The schemas listed under a keyword.
pub(super) fn list<'s>(schema: &'s Json, keyword: &str) -> &'s [Json] {
    schema.get(keyword).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// The types a schema names, without `null`, which TOML cannot write.
pub(super) fn types(schema: &Json) -> Vec<&str> {
    let names = match schema.get("type") {
        Some(Json::String(name)) => vec![name.as_str()],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    };
    let only_null = names == ["null"];
    names.into_iter().filter(|name| only_null || *name != "null").collect()
}

/// The values a schema is limited to, without `null`.
pub(super) fn values(schema: &Json) -> Option<Vec<&Json>> {
    if let Some(value) = schema.get("const") {
        return Some(vec![value]);
    }
    let values = schema.get("enum")?.as_array()?;
    Some(values.iter().filter(|value| !value.is_null()).collect())
}

/// Whether a value is of a type.
pub(super) fn accepts(name: &str, node: &Node) -> bool {
    match &node.value {
        Value::String(_) | Value::Datetime(_) => name == "string",
        Value::Integer(_) => name == "integer" || name == "number",
        Value::Float(_) => name == "number",
        Value::Boolean(_) => name == "boolean",
        Value::Array(_) => name == "array",
        Value::Table(_) => name == "object",
        Value::Invalid => true,
    }
}

/// `integer or string`, in TOML's words.
pub(super) fn describe(types: &[&str]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in types {
        let name = if *name == "object" { "table" } else { name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(" or ")
}

/// The first paragraph of what a schema says about itself.
pub(super) fn description(schema: &Json) -> Option<String> {
    let text = schema.get("description")?.as_str()?;
    Some(text.split("\n\n").next().unwrap_or_default().replace('\n', " "))
}

/// Lays a schema over a component's options: marks secrets, and gives strings that hold variables the type
/// their option wants.
pub(crate) fn annotate(root: &Json, options: &mut Table) {
    annotate_table(root, &expand(root, &[root]), options);
}

fn annotate_table(root: &Json, schemas: &[&Json], table: &mut Table) {
    for entry in &mut table.entries {
        let inner: Vec<&Json> = schemas
            .iter()
            .filter_map(|schema| {
                let property = schema.get("properties").and_then(|all| all.get(&entry.key));
                property.or_else(|| schema.get("additionalProperties"))
            })
            .collect();
        annotate_node(root, &expand(root, &inner), &mut entry.node);
    }
}

fn annotate_node(root: &Json, schemas: &[&Json], node: &mut Node) {
    let is_secret = |schema: &&Json| schema.get("format").is_some_and(|format| format == "secret");
    node.secret |= schemas.iter().any(is_secret);
    match &mut node.value {
        Value::String(text) => {
            let wanted: Vec<&str> = schemas.iter().flat_map(|schema| types(schema)).collect();
            if let Some(value) = retype(text, &wanted) {
                node.value = value;
            }
        }
        Value::Array(nodes) => {
            let inner: Vec<&Json> =
                schemas.iter().filter_map(|schema| schema.get("items")).collect();
            let inner = expand(root, &inner);
            for item in nodes {
                item.secret |= node.secret;
                annotate_node(root, &inner, item);
            }
        }
        Value::Table(table) => {
            annotate_table(root, schemas, table);
            if node.secret {
                table.entries.iter_mut().for_each(|entry| entry.node.secret = true);
            }
        }
        _ => {}
    }
}

/// All schemas that speak about a value: references followed, alternatives side by side.
pub(super) fn expand<'s>(root: &'s Json, schemas: &[&'s Json]) -> Vec<&'s Json> {
    let mut all: Vec<&'s Json> = schemas.to_vec();
    let mut at = 0;
    while at < all.len() && at < DEPTH_MAX * DEPTH_MAX {
        let schema = all[at];
        let parts = ["allOf", "oneOf", "anyOf"].into_iter().flat_map(|word| list(schema, word));
        for part in target(root, schema).into_iter().chain(parts) {
            if !all.iter().any(|seen| std::ptr::eq(*seen, part)) {
                all.push(part);
            }
        }
        at += 1;
    }
    all
}
