//! The commands as a newcomer meets them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use support::Place;

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let place = Place::new();
    place.write(
        "bad.toml",
        r#"
[sources.app]
type = "generatr"

[transforms.errors]
type = "filter"
inputs = ["ap"]
condition = ".status >> 500"

[sinks.out]
type = "stdout"
inputs = ["errors"]
encodin.codec = "json"
"#,
    );
    let checked = place.run(&["check", "bad.toml"]);
    assert_eq!(checked.code(), 1);
    let told = checked.stderr();
    for part in ["bad.toml:3", "generator", "bad.toml:7", "bad.toml:8", "bad.toml:13", "encoding"] {
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
    let json = place.run(&["check", "--json", "bad.toml"]);
    assert_eq!(json.code(), 1);
    let document: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!(document["valid"], false);
    assert!(document["diagnostics"].as_array().unwrap().len() >= 4, "{document:#}");
}

#[test]
fn a_bad_topology_starts_nothing() {
    let place = Place::new();
    place.write("bad.toml", "[sources.app]\ntype = \"generator\"\nrate = \"fast\"\n");
    let ran = place.run(&["run", "bad.toml"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.stdout().is_empty());
}

#[test]
fn a_missing_file_is_named() {
    let place = Place::new();
    let ran = place.run(&["run", "absent.toml"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("absent.toml"), "{}", ran.stderr());
}

#[test]
fn the_catalogue_lists_components_and_shows_their_manuals() {
    let place = Place::new();
    let list = place.run(&["components"]);
    let names = ["generator", "file", "stdin", "parse", "filter", "stdout", "null"];
    for name in names {
        assert!(list.assert_success().stdout().contains(name), "{}", list.stdout());
        let manual = place.run(&["components", name]);
        assert!(manual.assert_success().stdout().starts_with('#'), "{name}");
    }
    let json = place.run(&["components", "--json"]);
    let all: serde_json::Value = serde_json::from_str(&json.assert_success().stdout()).unwrap();
    let file = all.as_array().unwrap().iter().find(|c| c["name"] == "file" && c["kind"] == "sink");
    assert!(file.unwrap()["schema"]["properties"]["path"].is_object());
    let absent = place.run(&["components", "fiel"]);
    assert_eq!(absent.code(), 1);
}

#[test]
fn settings_come_from_flags_directories_and_stdin() {
    let place = Place::new();
    place.write("d/a.toml", "[sources.app]\ntype = \"generator\"\ncount = 3\nformat = \"json\"\n");
    place.write("d/b.toml", "[sinks.out]\ntype = \"stdout\"\ninputs = [\"a*\"]\n");
    let ran = place.run(&["run", "d", "--set", "sources.app.count=5"]);
    assert_eq!(ran.assert_success().stdout().lines().count(), 5);
    let topology = "[sources.app]\ntype = \"generator\"\ncount = 2\n[sinks.out]\ntype = \"stdout\"\ninputs = \"app\"\n";
    let ran = place.run_with(&["run", "-"], topology.as_bytes());
    assert_eq!(ran.assert_success().stdout().lines().count(), 2);
}

#[test]
fn help_and_logs_never_go_to_stdout_of_a_run() {
    let place = Place::new();
    place.write(
        "t.toml",
        "[sources.app]\ntype = \"generator\"\ncount = 4\nformat = \"json\"\n\
         [sinks.out]\ntype = \"stdout\"\ninputs = [\"app\"]\nencoding.codec = \"raw\"\n",
    );
    let ran = place.run(&["run", "t.toml", "--log-level", "debug", "--log-format", "json"]);
    let stdout = ran.assert_success().stdout();
    assert_eq!(stdout.lines().count(), 4);
    for line in stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["level"].is_string() && event["service"].is_string());
    }
    for line in ran.stderr().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

const TESTED: &str = r#"
[sources.app]
type = "stdin"
[transforms.json]
type = "parse"
inputs = ["app"]
format = "json"
[transforms.errors]
type = "filter"
inputs = ["json"]
condition = '.level == "ERROR"'
[sinks.out]
type = "null"
inputs = ["errors"]

[[tests]]
name = "errors pass" # and a comment that stays
[[tests.inputs]]
insert_at = "json"
lines = ['{"level":"ERROR","n":1}', '{"level":"INFO","n":2}', 'x']
[[tests.outputs]]
extract_from = "errors"
events = [{ level = "ERROR", n = 1 }]
[[tests.outputs]]
extract_from = "json.dead_letter"
conditions = ['.message == "x"']

[[tests]]
name = "nothing else does"
no_outputs_from = ["errors"]
[[tests.inputs]]
insert_at = "errors"
events = [{ level = "DEBUG" }, '{"level":null}']
"#;

#[test]
fn topologies_test_themselves() {
    let place = Place::new();
    place.write("d/good.toml", TESTED);
    let ran = place.run(&["test", "d"]);
    assert!(ran.assert_success().stdout().ends_with("2 passed, 0 failed\n"), "{}", ran.stdout());
    place.write("bad.toml", TESTED.replace("n = 1", "n = 7").replace("\"DEBUG\"", "\"ERROR\""));
    let ran = place.run(&["test", "bad.toml"]);
    assert_eq!(ran.code(), 1);
    let told = ran.stdout();
    for part in [
        "- {\"level\":\"ERROR\",\"n\":7}",
        "+ {\"level\":\"ERROR\",\"n\":1}",
        "nothing should come",
    ] {
        assert!(told.contains(part), "`{part}` is missing in:\n{told}");
    }
    let json = place.run(&["test", "--json", "bad.toml"]);
    assert_eq!(json.code(), 1);
    let document: serde_json::Value = serde_json::from_str(&json.stdout()).unwrap();
    assert_eq!((&document["passed"], &document["failed"]), (&0.into(), &2.into()));
}

#[test]
fn update_writes_what_came_and_leaves_the_rest() {
    let place = Place::new();
    let wrong = TESTED.replace("n = 1", "n = 7");
    place.write("t.toml", &wrong);
    place.run(&["test", "--update", "t.toml"]).assert_success();
    place.run(&["test", "t.toml"]).assert_success();
    let kept = |text: &str| {
        let lines =
            text.lines().filter(|line| !line.contains("\"n\":1") && !line.contains("n = 7"));
        let lines = lines.filter(|line| !matches!(line.trim(), "events = [" | "]"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kept(&place.read("t.toml")), kept(&wrong));

    // What is not a list of events is for a person to mend.
    place.write(
        "rest.toml",
        wrong.replace(".message == \"x\"", ".message == \"y\"").replace("\"DEBUG\"", "\"ERROR\""),
    );
    let ran = place.run(&["test", "--update", "rest.toml"]);
    assert_eq!(ran.code(), 1, "{}", ran.stdout());
    assert!(ran.stdout().ends_with("0 passed, 2 failed\n"), "{}", ran.stdout());
    assert!(ran.stdout().contains("is not met by") && ran.stdout().contains("nothing should come"));
    assert!(place.read("rest.toml").contains("\"n\":1"), "the events are written");
}

#[test]
fn a_topology_can_be_drawn_and_commands_completed() {
    let place = Place::new();
    place.write("t.toml", TESTED);
    for (format, start) in [("dot", "digraph"), ("mermaid", "flowchart"), ("svg", "<svg")] {
        let drawn = place.run(&["graph", "--format", format, "t.toml"]);
        assert!(drawn.assert_success().stdout().starts_with(start), "{}", drawn.stdout());
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell]);
        assert!(script.assert_success().stdout().contains("lograil"), "{shell}");
    }
}

#[test]
fn what_is_misspelt_or_missing_is_said() {
    let place = Place::new();
    let ran = place.run(&["--log-level", "inof", "check", "none.toml"]);
    assert!(ran.stderr().contains("`inof` is no level"), "{}", ran.stderr());
    let ran = place.run(&["pipe", "--format", "csv"]);
    assert!(ran.stderr().contains("--columns <FIELDS>"), "{}", ran.stderr());
    let source = "data_dir = \"data\"\n[sources.in]\ntype = \"file\"\ninclude = [\"*.log\"]\n";
    let sink = "[sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = ";
    place.write("none.toml", format!("{source}{sink}\"out.txt\""));
    let ran = place.run(&["run", "--once", "none.toml"]);
    assert!(ran.assert_success().stderr().contains("finds no regular file"));
    place.write("loop.toml", format!("{source}{sink}\"./out.log\""));
    let ran = place.run(&["check", "loop.toml"]);
    assert!(ran.stderr().contains("error[feedback]"), "{}", ran.stderr());
}

#[test]
fn a_program_in_a_file_is_checked_and_its_mistakes_are_shown_there() {
    let place = Place::new();
    let check = |options: &str| {
        let topology = place.write(
            "etc/t.toml",
            format!(
                "[sources.in]\ntype = \"stdin\"\n[transforms.tidy]\ntype = \"remap\"\ninputs = [\"in\"]\n{options}\n[sinks.out]\ntype = \"null\"\ninputs = [\"tidy\"]\n"
            ),
        );
        let finished = place
            .lograil(&["check", topology.to_str().unwrap()])
            .env("DIR", "sekret")
            .output()
            .unwrap();
        (finished.status.code(), String::from_utf8(finished.stderr).unwrap())
    };
    place.write("etc/split.vrl", "# events\n. = unnest!(.items)\n.k = 1\n");
    let (code, told) = check("file = \"split.vrl\"");
    assert_eq!(code, Some(0), "a warning alone: {told}");
    for part in ["warning", "`.` is an array here", "etc/split.vrl:3:1", "map_values"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    place.write("etc/a.vrl", ".a = 1\n");
    place.write("etc/sekret/a.vrl", ".a = 1\n.b = foo(.c)\n");
    place.write("etc/empty.vrl", "\n");
    place.write("etc/binary.vrl", b".a = \"\xff\"".as_slice());
    place.write("etc/long.vrl", "# a comment\n".repeat(100_000));
    assert_eq!(check("file = \"a.vrl\"").0, Some(0));
    let absolute = place.path("etc/a.vrl");
    assert_eq!(check(&format!("file = {absolute:?}")).0, Some(0));
    for (options, parts) in [
        ("file = \"${DIR}/a.vrl\"", &["unknown function `foo`", "etc/${DIR}/a.vrl:2:6"][..]),
        ("file = \"b.vrl\"", &["cannot read", "etc/b.vrl", "No such file", "t.toml:6:8"]),
        ("file = \".\"", &["cannot read", "directory"]),
        ("file = \"/dev/null\"", &["cannot read", "not a regular file"]),
        ("file = \"binary.vrl\"", &["not UTF-8 at byte 6"]),
        ("file = \"long.vrl\"", &["more than 1048576 bytes"]),
        ("file = \"a.vrl\"\nsource = \".a = 1\"", &["`source` and `file`", "remove one"]),
        ("file = 7", &["option `file` of transform `tidy`", "expected string"]),
        ("", &["there is no program", "name its file as `file`"]),
        ("source = \"\"", &["there is no program"]),
        ("file = \"empty.vrl\"", &["there is no program", "into the file", "empty.vrl:1:1"]),
    ] {
        let (code, told) = check(options);
        assert_eq!(code, Some(1), "{options}: {told}");
        for part in parts {
            assert!(told.contains(part), "{options}: {part}: {told}");
        }
        assert!(!told.contains("sekret"), "{told}");
        assert!(told.contains("1 error in"), "{options}: {told}");
    }
}
