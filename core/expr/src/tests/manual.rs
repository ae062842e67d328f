//! `LANGUAGE.md` says what is so: its examples hold and its list of functions is that of the crate.

use std::fmt::Write;

use super::events::run;
use crate::functions::absent::ABSENT;
use crate::{Accepts, DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX, STRING_BYTES_MAX, Script, functions};
use crate::{
    CLOSURE_CALLS_MAX, EVENT_VALUES_MAX, EVENTS_FIELDS_MAX, EVENTS_MAX, INDEX_MAX,
    MEMORY_BYTES_MAX, TEXT_BYTES_MAX, VALUES_MAX,
};

const MANUAL: &str = include_str!("../../LANGUAGE.md");

/// The blocks of one kind.
fn blocks(kind: &str) -> Vec<&'static str> {
    let open = format!("```{kind}\n");
    MANUAL.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn examples_of_the_manual_hold() {
    let event = blocks("json")[0];
    let mut count = 0;
    for line in blocks("coffee").iter().flat_map(|block| block.lines()) {
        let Some((source, value)) = line.split_once(" # ") else { continue };
        assert_eq!(run(source.trim(), event), value.trim(), "{line}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[test]
fn programs_of_the_manual_compile() {
    for program in blocks("ruby") {
        assert!(Script::compile(program).is_ok(), "{:?}", Script::compile(program).err());
    }
}

/// The chapter of functions as the manual must have it.
fn chapter() -> String {
    let mut out = String::new();
    for function in functions() {
        writeln!(out, "### `{}`\n\n{}\n", function.signature(), function.doc).unwrap();
        for parameter in function.parameters {
            let accepts = match parameter.accepts {
                Accepts::Path => "a path".to_owned(),
                Accepts::Value(kind) => kind.to_string(),
                Accepts::Pattern => "a grok pattern in quotes".to_owned(),
                Accepts::Patterns => "an array of grok patterns in quotes".to_owned(),
            };
            let needed = if parameter.required { "" } else { ", optional" };
            writeln!(out, "- `{}`: {accepts}{needed}", parameter.name).unwrap();
        }
        let fails = if function.fallible { ", or an error" } else { "" };
        writeln!(out, "- returns {}{fails}\n", function.returns).unwrap();
        out.push_str("| expression | event | value |\n|---|---|---|\n");
        for example in function.examples {
            let value = match example.result {
                Ok(value) => format!("`{value}`"),
                Err(message) => format!("error: {message}"),
            };
            writeln!(out, "| `{}` | `{}` | {value} |", example.source, example.event).unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn functions_of_the_manual_are_those_of_the_crate() {
    let chapter = chapter();
    let headings = MANUAL.matches("\n### `").count();
    let whole = MANUAL.contains(chapter.trim_end()) && headings == functions().count();
    assert!(whole, "the chapter of functions would have to be:\n{chapter}");
}

#[test]
fn bounds_of_the_manual_are_those_of_the_crate() {
    let bounds = [DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX, STRING_BYTES_MAX, MEMORY_BYTES_MAX];
    let more = [VALUES_MAX, TEXT_BYTES_MAX, INDEX_MAX as usize, CLOSURE_CALLS_MAX as usize];
    let made = [EVENT_VALUES_MAX, EVENTS_FIELDS_MAX, EVENTS_MAX];
    for bound in bounds.into_iter().chain(more).chain(made) {
        assert!(MANUAL.contains(&format!("| {bound} |")), "{bound}");
    }
}

#[test]
fn functions_that_the_manual_lists_as_absent_are_absent() {
    let table = MANUAL.split("functions of VRL that are not there").nth(1).unwrap();
    let absent: Vec<&str> = table.split('`').skip(1).step_by(2).collect();
    assert!(absent.len() > 40, "{}", absent.len());
    for name in &absent {
        assert!(functions().all(|function| function.name != *name), "{name} is there");
    }
    let mut told: Vec<&str> = ABSENT.iter().flat_map(|(names, _)| names.iter().copied()).collect();
    assert_eq!(told.len(), absent.len());
    told.retain(|name| !absent.contains(name));
    assert!(told.is_empty(), "not in the table: {told:?}");
}
