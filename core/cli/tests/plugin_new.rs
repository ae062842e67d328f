//! `lograil plugin new`: every project that it begins builds, passes its tests and the checks, and runs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use support::Place;
use support::plugins::{cargo, repository, target};

/// Begins a project; the library is where its topology expects it once it is built.
fn begin(place: &Place, language: &str, kind: &str) -> std::path::PathBuf {
    let sdk = repository().display().to_string();
    let name = format!("acme.{language}_{kind}");
    let ran =
        place.run(&["plugin", "new", &name, "--lang", language, "--kind", kind, "--sdk", &sdk]);
    ran.assert_success();
    let project = place.path(&name.replace('.', "-"));
    if language == "rust" {
        // Debug builds, which the other tests share, stand in for release builds.
        fs::create_dir(project.join("target")).unwrap();
        symlink(target().join("debug"), project.join("target/release")).unwrap();
    }
    project
}

/// What `try.toml` of the project makes of a line.
fn try_out(place: &Place, project: &std::path::Path) -> String {
    let folder = project.file_name().unwrap().to_str().unwrap();
    let input = place.write(&format!("{folder}/input"), "hi\n");
    let mut run = place.lograil(&["run", "--once", "--quiet", "try.toml"]);
    run.current_dir(project).stdin(fs::File::open(input).unwrap());
    let output = run.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out_file = fs::read_to_string(project.join("out.txt")).unwrap_or_default();
    String::from_utf8(output.stdout).unwrap() + &out_file
}

const TRANSFORMED: &str = "{\"message\":\"hi\",\"greeting\":\"hello\"}\n";
const NUMBERS: &str =
    "{\"message\":\"number 1\"}\n{\"message\":\"number 2\"}\n{\"message\":\"number 3\"}\n";

#[test]
fn projects_in_c_build_and_pass_their_tests_at_once() {
    if !support::has("make") {
        return;
    }
    let place = Place::new();
    for (kind, expected) in [("source", NUMBERS), ("transform", TRANSFORMED), ("sink", "hi\n")] {
        let project = begin(&place, "c", kind);
        let made = Command::new("make")
            .args(["CFLAGS=-O2 -Wall -Wextra -Werror", "test"])
            .env("LOGRAIL", env!("CARGO_BIN_EXE_lograil"))
            .current_dir(&project)
            .output()
            .unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(made.status.success(), "{kind}: {}{}", said(&made.stdout), said(&made.stderr));
        assert_eq!(try_out(&place, &project), expected, "{kind}");
    }
}

#[test]
fn projects_in_rust_build_and_pass_their_tests_at_once() {
    let place = Place::new();
    for (kind, expected) in [("source", NUMBERS), ("transform", TRANSFORMED), ("sink", "hi\n")] {
        let project = begin(&place, "rust", kind);
        cargo(&project, "test");
        cargo(&project, "build");
        let library = format!("{}/target/release/libacme_rust_{kind}.so", project.display());
        place.run(&["plugin", "check", &library]).assert_success();
        assert_eq!(try_out(&place, &project), expected, "{kind}");
    }
}

#[test]
fn nothing_is_overwritten_and_mistakes_are_said() {
    let place = Place::new();
    let new = |name: &str, more: &[&str]| {
        let arguments = ["plugin", "new", name, "--kind", "sink"];
        place.run(&[&arguments[..], more].concat())
    };
    new("acme.mine", &["--lang", "c"]).assert_success();
    for (name, more, told) in [
        ("acme.mine", &["--lang", "c"][..], "make the directory acme-mine"),
        ("mine", &["--lang", "c"], "as in `acme.redact`"),
        ("acme.other", &["--lang", "rust", "--sdk", "/"], "is no checkout of lograil"),
    ] {
        let ran = new(name, more);
        assert!(ran.code() == 1 && ran.stderr().contains(told), "{}", ran.stderr());
    }
}
