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
