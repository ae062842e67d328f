//! Laws of a component's manual.

use crate::ComponentSpec;
use serde_json::Value;

use super::options::build;
use super::schema::Schema;

/// What every component of a kind may have besides its own options.
const COMMON_OPTIONS: [&str; 2] = ["type", "inputs"];

/// The manual starts with a heading, names every option of the schema in backticks (`encoding.codec` for
/// one inside a table), and has at least one TOML example of the component; all of these parse, contain
/// only known options, and build unless they have `${VARIABLES}`.
pub fn manual(spec: &ComponentSpec) {
    assert!(!spec.summary.trim().is_empty(), "{spec:?}: the catalogue has a sentence");
    assert!(spec.manual.starts_with("# "), "{spec:?}: the manual starts with a heading");
    let root = (spec.schema)();
    let schema = Schema::new(&root);
    let paths = schema.paths().into_keys();
    let missing: Vec<_> =
        paths.filter(|path| !spec.manual.contains(&format!("`{path}`"))).collect();
    assert!(missing.is_empty(), "{spec:?}: the manual names every option; missing: {missing:?}");
    let mut examples = 0;
    for block in toml_blocks(spec.manual) {
        let table: toml::Table = match toml::from_str(&block) {
            Ok(table) => table,
            Err(error) => panic!("{spec:?}: an example is no TOML: {error}\n{block}"),
        };
        for options in of_component(spec, &table) {
            examples += 1;
            let unknown = schema.unknown_in(&options);
            assert!(unknown.is_empty(), "{spec:?}: unknown options {unknown:?} in\n{block}");
            if block.contains("${") {
                continue;
            }
            if let Err(errors) = build(spec, &options) {
                panic!("{spec:?}: an example does not build: {errors:?}\n{block}");
            }
        }
    }
    assert!(examples > 0, "{spec:?}: the manual has an example in TOML of the component");
}

/// The options of the component in the examples of its manual that need nothing from outside (`${VARIABLES}`).
#[must_use]
pub fn examples(spec: &ComponentSpec) -> Vec<Value> {
    let blocks = toml_blocks(spec.manual).into_iter().filter(|block| !block.contains("${"));
    let tables = blocks.filter_map(|block| toml::from_str::<toml::Table>(&block).ok());
    tables.flat_map(|table| of_component(spec, &table)).collect()
}

/// The contents of the blocks marked `toml`.
fn toml_blocks(markdown: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in markdown.lines() {
        match &mut block {
            None if line.trim() == "```toml" => block = Some(String::new()),
            None => {}
            Some(_) if line.trim() == "```" => blocks.extend(block.take()),
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    assert!(block.is_none(), "a block in the manual does not end");
    blocks
}

/// The options of every component of this type in a topology.
fn of_component(spec: &ComponentSpec, topology: &toml::Table) -> Vec<Value> {
    let components = topology.get(spec.kind().table()).and_then(toml::Value::as_table);
    let of_type = components.into_iter().flatten().filter(|(_, options)| {
        options.get("type").and_then(toml::Value::as_str) == Some(spec.name)
    });
    of_type.map(|(_, options)| json_of(options)).collect()
}

fn json_of(options: &toml::Value) -> Value {
    let mut json =
        serde_json::to_value(options).unwrap_or_else(|error| panic!("options as JSON: {error}"));
    if let Value::Object(members) = &mut json {
        members.retain(|name, _| !COMMON_OPTIONS.contains(&name.as_str()));
    }
    json
}
