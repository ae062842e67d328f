//! The keywords of JSON Schema, one by one.

use serde_json::{Value as Json, json};

use super::{Validator, annotate};
use crate::diagnostic::SourceFile;
use crate::document::{Span, parse};

/// The mistakes in `toml` as `code at text`.
fn mistakes(schema: &Json, toml: &str) -> Vec<String> {
    let file = SourceFile { name: "t".to_owned(), text: toml.to_owned() };
    let mut diagnostics = Vec::new();
    let mut table = parse(0, &file, &mut diagnostics);
    annotate(schema, &mut table);
    let validator = Validator { root: schema, owner: "it", extra_names: &[] };
    diagnostics.extend(validator.check(&table, Span { file: 0, start: 0, end: 0 }));
    let short =
        |one: &crate::Diagnostic| format!("{} at {}", one.code, &toml[one.labels[0].span.clone()]);
    diagnostics.iter().map(short).collect()
}

fn check(property: Json, value: &str, expected: &[&str]) {
    let schema = json!({ "properties": { "x": property } });
    assert_eq!(mistakes(&schema, &format!("x = {value}")), expected, "{schema} {value}");
}

#[test]
fn types() {
    check(json!({ "type": "integer" }), "5", &[]);
    check(json!({ "type": "integer" }), "5.0", &["wrong-type at 5.0"]);
    check(json!({ "type": "number" }), "5", &[]);
    check(json!({ "type": ["integer", "null"] }), "5", &[]);
    check(json!({ "type": ["integer", "null"] }), "'a'", &["wrong-type at 'a'"]);
    check(json!({ "type": "string" }), "2020-01-01", &[]);
    check(json!({}), "[1, 'a', { b = true }]", &[]);
    check(json!(true), "1", &[]);
}

#[test]
fn bounds() {
    check(json!({ "minimum": 1, "maximum": 3 }), "0", &["out-of-range at 0"]);
    check(json!({ "minimum": 1, "maximum": 3 }), "4.5", &["out-of-range at 4.5"]);
    check(json!({ "minimum": 1, "maximum": 3 }), "3", &[]);
    check(json!({ "exclusiveMinimum": 0 }), "0", &["out-of-range at 0"]);
    check(json!({ "exclusiveMaximum": 1 }), "1.0", &["out-of-range at 1.0"]);
    check(json!({ "type": "integer", "format": "uint8" }), "256", &["out-of-range at 256"]);
    check(
        json!({ "type": "integer", "format": "int32" }),
        "-2147483649",
        &["out-of-range at -2147483649"],
    );
    check(json!({ "minLength": 2 }), "'é'", &["length at 'é'"]);
    check(json!({ "maxLength": 2 }), "'日本'", &[]);
    check(json!({ "minItems": 1, "items": { "type": "string" } }), "[]", &["too-few at []"]);
    check(json!({ "maxItems": 1 }), "[1, 2]", &["too-many at [1, 2]"]);
    check(
        json!({ "items": { "type": "string" } }),
        "['a', 1, 2]",
        &["wrong-type at 1", "wrong-type at 2"],
    );
    check(
        json!({ "prefixItems": [{ "type": "string" }], "items": { "type": "integer" } }),
        "['a', 'b']",
        &["wrong-type at 'b'"],
    );
}

#[test]
fn values() {
    check(json!({ "enum": ["a", 1, null] }), "1", &[]);
    check(json!({ "enum": ["a", 1, null] }), "2", &["value at 2"]);
    check(json!({ "const": true }), "true", &[]);
    let documented = json!({ "oneOf": [
        { "type": "string", "enum": ["a", "b"] },
        { "type": "string", "const": "c", "description": "C." },
    ] });
    check(documented.clone(), "'c'", &[]);
    check(documented.clone(), "'d'", &["value at 'd'"]);
    check(documented, "1", &["wrong-type at 1"]);
}

#[test]
fn alternatives() {
    let number_or_table = json!({ "anyOf": [
        { "type": "integer", "minimum": 1 },
        { "type": "object", "properties": { "a": { "type": "string" } }, "additionalProperties": false },
        { "type": "null" },
    ] });
    check(number_or_table.clone(), "1", &[]);
    check(number_or_table.clone(), "0", &["out-of-range at 0"]);
    check(number_or_table.clone(), "{ a = 'b' }", &[]);
    check(number_or_table.clone(), "{ a = 1 }", &["wrong-type at 1"]);
    check(number_or_table.clone(), "{ b = 1 }", &["unknown-option at b"]);
    check(number_or_table, "'a'", &["wrong-type at 'a'"]);
    let tagged = json!({ "oneOf": [
        { "type": "object", "properties": { "kind": { "const": "a" }, "n": { "type": "integer" } }, "required": ["kind", "n"] },
        { "type": "object", "properties": { "kind": { "const": "b" } }, "required": ["kind"], "additionalProperties": false },
    ] });
    check(tagged.clone(), "{ kind = 'a', n = 1 }", &[]);
    check(tagged.clone(), "{ kind = 'a' }", &["missing-option at x"]);
    check(tagged.clone(), "{ kind = 'b', n = 1 }", &["unknown-option at n"]);
    check(tagged.clone(), "{ kind = 'c' }", &["value at 'c'"]);
    check(tagged, "{ n = 1 }", &["missing-option at x"]);
}

#[test]
fn references() {
    let schema = json!({
        "properties": { "tree": { "anyOf": [{ "$ref": "#/$defs/Tree" }, { "type": "null" }] } },
        "required": ["tree"],
        "additionalProperties": false,
        "$defs": { "Tree": {
            "type": "object",
            "properties": { "leaf": { "type": "integer" }, "tree": { "$ref": "#/$defs/Tree" } },
            "unevaluatedProperties": false,
        } },
    });
    assert_eq!(mistakes(&schema, "tree.tree.tree.leaf = 1"), [""; 0]);
    assert_eq!(mistakes(&schema, "tree.tree.leaf = 'a'"), ["wrong-type at 'a'"]);
    assert_eq!(mistakes(&schema, "tree.tree.leaves = 1"), ["unknown-option at leaves"]);
    assert_eq!(mistakes(&schema, "a = 1"), ["unknown-option at a", "missing-option at "]);
    let endless = json!({ "$ref": "#" });
    assert_eq!(mistakes(&endless, "a = 1"), [""; 0]);
}
