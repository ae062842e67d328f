//! The rules of the repository that a program can check.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 600;

/// Which of our crates each crate may use outside its tests. The one direction of dependency.
const MAY_USE: &[(&str, &[&str])] = &[
    ("core/abi", &[]),
    ("core/event", &[]),
    ("core/codec", &["event"]),
    ("core/expr", &["event", "codec"]),
    ("core/plugin", &["event", "abi"]),
    ("core/loader", &["event", "plugin", "abi"]),
    ("core/buffer", &["event"]),
    ("core/config", &["plugin"]),
    ("core/runtime", &["event", "plugin", "config", "buffer"]),
    ("core/server", &["event", "codec", "expr", "plugin", "runtime"]),
    ("core/testkit", &["event", "plugin"]),
    ("plugins/sources", &["event", "codec", "expr", "plugin"]),
    ("plugins/transforms", &["event", "codec", "expr", "plugin"]),
    ("plugins/sinks", &["event", "codec", "expr", "plugin"]),
    ("plugins/sqlite", &["event", "codec", "expr", "plugin"]),
    ("plugins/net", &["event", "codec", "plugin"]),
    ("examples/rust-transform", &["plugin"]),
    ("core/cli/tests/plugins/transforms", &["plugin", "transforms"]),
    ("examples/rust-sink", &["plugin"]),
    ("examples/rust-source", &["plugin"]),
];

/// Crates that may use every other.
const MAY_USE_ALL: &[&str] = &["core/cli", "benches"];

/// Words that say nothing about what a file holds.
const BANNED_FILE_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "prelude"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All files of the repository below `dir` with the given extension, without build output.
fn files(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn all(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root(), extension, &mut found);
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn crates_depend_in_one_direction() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut wrong = Vec::new();
    for manifest in all("toml").iter().filter(|path| path.ends_with("Cargo.toml")) {
        let name = shown(manifest.parent().unwrap());
        let text = fs::read_to_string(manifest).unwrap();
        let Some(dependencies) = text.split("[dependencies]").nth(1) else { continue };
        let dependencies = dependencies.split("\n[").next().unwrap();
        let ours = dependencies.lines().filter_map(|line| line.strip_prefix("lograil-"));
        let ours: Vec<&str> = ours.filter_map(|line| line.split(['.', ' ']).next()).collect();
        if MAY_USE_ALL.contains(&name.as_str()) {
            continue;
        }
        let Some(may) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name}: not in the table"));
            continue;
        };
        wrong.extend(ours.iter().filter(|d| !may.contains(d)).map(|d| format!("{name} uses {d}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short_and_named_by_what_they_hold() {
    let mut wrong = Vec::new();
    let scripts = all("js")
        .into_iter()
        .filter(|path| !shown(path).contains(".min.") && !shown(path).contains("-bundle."));
    for path in scripts {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX || !text.starts_with("//") {
            wrong.push(format!("{}: {lines} lines, or it does not say what it is", shown(&path)));
        }
    }
    for path in all("rs") {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let is_test = shown(&path).contains("/tests/") || path.ends_with("tests.rs");
        let lines = code.lines().count();
        if lines > FILE_LINES_MAX && !is_test {
            wrong.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", shown(&path)));
        }
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if BANNED_FILE_NAMES.contains(&stem.as_str()) {
            wrong.push(format!("{}: the name says nothing", shown(&path)));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: opens without saying what it is", shown(&path)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_unfinished_work_and_no_silenced_lints() {
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
    ];
    let mut wrong = Vec::new();
    for path in all("rs") {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_stays_where_it_is_proven() {
    let mut wrong = Vec::new();
    for path in all("rs") {
        let name = shown(&path);
        if name == "core/event/src/scan.rs" || name == "core/testkit/tests/tidy.rs" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        if text.lines().filter(is_code).any(|line| line.contains("unsafe {")) {
            wrong.push(name);
        }
    }
    // The plugin interface is pointers by its nature. `plugins/sources` and `plugins/sinks` call read(2), write(2)
    // and poll(2), which have no safe form in std.
    wrong.retain(|name| {
        !name.starts_with("plugins/sources/src/stdin")
            && !name.starts_with("plugins/sinks/src/stdout")
            && !name.starts_with("core/abi/")
            && !name.starts_with("core/loader/")
            && !name.starts_with("core/plugin/src/sdk/")
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_component_has_a_folder_with_its_manual() {
    let mut wrong = Vec::new();
    for family in
        ["plugins/sources", "plugins/transforms", "plugins/sinks", "plugins/sqlite", "plugins/net"]
    {
        for entry in fs::read_dir(root().join(family).join("src")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let module = fs::read_to_string(path.join("mod.rs")).ok();
                // The store of a sink is a folder without a manual.
                let is_component =
                    module.as_ref().is_none_or(|text| text.contains("ComponentSpec"));
                if module.is_none() || is_component && !path.join("README.md").is_file() {
                    wrong.push(format!("{}: mod.rs or README.md is missing", shown(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Paths in Markdown: link targets, and code spans that start with a folder of ours.
#[test]
fn paths_in_markdown_exist() {
    let mut wrong = Vec::new();
    for path in all("md") {
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty()
                && !target.contains("://")
                && !path.parent().unwrap().join(target).exists()
            {
                wrong.push(format!("{}: {target}", shown(&path)));
            }
        }
        for span in text.split('`').skip(1).step_by(2) {
            let ours = ["core/", "plugins/", "configs/", "benches/", "examples/"];
            let is_path = ours.iter().any(|folder| span.starts_with(folder))
                && !span.contains([' ', '*', '<', '{']);
            if is_path && !root().join(span).exists() {
                wrong.push(format!("{}: {span}", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let mut wrong = Vec::new();
    for extension in ["rs", "md", "toml", "sh", "c", "h"] {
        for path in all(extension) {
            let text = fs::read_to_string(&path).unwrap();
            if [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")]
                .iter()
                .any(|p| text.contains(p))
            {
                wrong.push(shown(&path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
