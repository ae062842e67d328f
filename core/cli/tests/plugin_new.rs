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

/// The contents of the blocks of a language in Markdown.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let rest = markdown.split(&start).skip(1);
    rest.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// `text` with the piece from `start` to the first `end` behind it replaced.
fn put_in_place(text: &str, start: &str, end: &str, piece: &str) -> String {
    let (before, rest) = text.split_once(start).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    format!("{before}{piece}{after}")
}

#[test]
fn the_tutorial_works_as_it_is_written() {
    let place = Place::new();
    let tutorial = fs::read_to_string(repository().join("examples/FIRST_PLUGIN.md")).unwrap();
    let (commands, code) = (blocks(&tutorial, "sh"), blocks(&tutorial, "rust"));
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_lograil")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let project = place.path("acme-greet");
    let run = |commands: &str, directory: &std::path::Path| {
        // Debug builds, which the other tests share, stand in for release builds.
        let commands = commands.replace("cargo build --release", "cargo build");
        let ran = Command::new("sh")
            .args(["-e", "-c", &commands])
            .current_dir(directory)
            .env("PATH", &path)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", target())
            .env("XDG_STATE_HOME", place.path("state"))
            .output()
            .unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ran.status.success(), "{commands}{}{}", said(&ran.stdout), said(&ran.stderr));
        said(&ran.stdout)
    };
    run(commands[0].split("cargo test").next().unwrap(), &place.path("."));
    fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    fs::create_dir(project.join("target")).unwrap();
    symlink(target().join("debug"), project.join("target/release")).unwrap();
    let file = project.join("src/lib.rs");
    let text = fs::read_to_string(&file).unwrap();
    let text = put_in_place(&text, "impl Transform for AddField {\n", "\n}\n", &code[0]);
    let text =
        put_in_place(&text, "    #[test]\n    fn adds_the_field() {\n", "\n    }\n", &code[1]);
    fs::write(&file, text).unwrap();
    run(&commands[1], &project);
    assert_eq!(run(&commands[2], &project), blocks(&tutorial, "text")[0]);
}
