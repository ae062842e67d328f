//! What a topology without mistakes becomes.

use std::path::Path;
use std::time::Duration;

use lograil_config::{InputRef, Plan, PlannedComponent, render};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Port};
use serde_json::json;

use crate::fake::load_files;

fn plan(files: &[(&str, &str)], sets: &[&str]) -> Plan {
    let loaded = load_files(files, sets);
    match loaded.plan {
        Some(plan) => plan,
        None => panic!("{}", render(&loaded.diagnostics, &loaded.files, false)),
    }
}

const SMALL: &str = r#"
data_dir = "state"

[sinks.out]
type = "file"
inputs = ["errors", "app-*", "split.slow"]
path = "${WORD:-x}.log"
password = "correct horse"

[transforms.errors]
type = "filter"
inputs = "app-1"
condition = ".level == \"error\""

[transforms.split]
type = "route"
inputs = ["app-1", "app-1", "out.dead_letter"]
routes = { fast = ".ms < 5", slow = ".ms >= 5" }

[sources.app-1]
type = "demo"
rate = "${RATE}"

[sources.app-2]
type = "demo"
noisy = "${NOISY:-true}"
"#;

#[test]
fn a_cycle_through_dead_letters_is_a_cycle() {
    let loaded = load_files(&[("a.toml", SMALL)], &[]);
    assert!(loaded.plan.is_none());
    assert!(loaded.diagnostics.iter().any(|diagnostic| diagnostic.code == "cycle"));
}

#[test]
fn components_come_after_those_they_read() {
    let text = SMALL.replace(", \"out.dead_letter\"", "");
    let plan = plan(&[("a.toml", &text)], &[]);
    let ids: Vec<&str> = plan.components.iter().map(|component| component.id.as_str()).collect();
    assert_eq!(ids, ["app-1", "app-2", "errors", "split", "out"]);
    let out = &plan.components[4];
    let input = |component, port| InputRef { component, port };
    assert_eq!(
        out.inputs,
        [input(2, Port::MAIN), input(0, Port::MAIN), input(1, Port::MAIN), input(3, Port(2))]
    );
    assert_eq!(plan.components[3].inputs, [input(0, Port::MAIN)]);
    assert_eq!(plan.components[3].ports, ["fast", "slow"]);
    assert_eq!(plan.output_name(out.inputs[3]), "split.slow");
}

#[test]
fn variables_are_replaced_and_take_the_type_of_their_option() {
    let text = SMALL.replace(", \"out.dead_letter\"", "");
    let plan = plan(&[("a.toml", &text)], &[]);
    assert_eq!(plan.components[0].options.0, json!({ "rate": 250 }));
    assert_eq!(plan.components[1].options.0, json!({ "noisy": true }));
    let out = &plan.components[4].options.0;
    assert_eq!(out["path"], "environment.log");
    assert_eq!(out["password"], "correct horse");
}

#[test]
fn the_running_configuration_hides_secrets_and_variables() {
    let text = SMALL.replace(", \"out.dead_letter\"", "");
    let plan = plan(&[("a.toml", &text)], &[]);
    let shown = plan.redacted_json();
    assert_eq!(shown["sinks"]["out"]["password"], "***");
    assert_eq!(shown["sinks"]["out"]["path"], "${WORD:-x}.log");
    assert_eq!(shown["sinks"]["out"]["inputs"], json!(["errors", "app-1", "app-2", "split.slow"]));
    assert_eq!(shown["data_dir"], "/etc/lograil/state");
    assert!(!format!("{:?}", plan.components).contains("horse"));
}

#[test]
fn settings_have_defaults_and_are_resolved() {
    let small = "[sources.a]\ntype = 'demo'\n[sinks.b]\ntype = 'null'\ninputs = 'a'\n";
    let defaults = plan(&[("a.toml", small)], &[]).global;
    assert_eq!(defaults.data_dir, None);
    assert_eq!(defaults.admin, None);
    assert_eq!(defaults.shutdown_timeout.0, Duration::from_secs(60));
    assert_eq!(defaults.buffer.max_bytes, ByteSize(8 << 20));
    let settings = "data_dir = '/var/x'\nshutdown_timeout = '5s'\n[buffer]\nmax_bytes = '1 MiB'\n\
                    [admin]\nlisten = '127.0.0.1:9598'\n";
    let global = plan(&[("a.toml", small), ("b.toml", settings)], &[]).global;
    assert_eq!(global.data_dir.as_deref(), Some(Path::new("/var/x")));
    assert_eq!(global.shutdown_timeout.0, Duration::from_secs(5));
    assert_eq!(global.buffer.max_bytes, ByteSize(1 << 20));
    assert_eq!(global.admin.map(|admin| admin.listen.port()), Some(9598));
}

#[test]
fn files_and_flags_make_one_topology() {
    let sources = ("a.toml", "[sources.a]\ntype = 'demo'\nrate = 1\nformat = 'json'\n");
    let sinks = ("b.toml", "[sinks.b]\ntype = 'null'\ninputs = ['x', 'c']\n");
    let sets = [
        "sources.a.rate=5",
        "sources.a.weights.info=0.5",
        "sources.c={ type = 'files', include = ['x'] }",
        "sources.c.include.0=/var/log/*.log",
        "sinks.b.inputs.0=a",
    ];
    let plan = plan(&[sources, sinks], &sets);
    let options = |id: &str| plan.find(id).map(|at| plan.components[at].options.0.clone());
    let expected = json!({ "rate": 5, "format": "json", "weights": { "info": 0.5 } });
    assert_eq!(options("a"), Some(expected));
    assert_eq!(options("c"), Some(json!({ "include": ["/var/log/*.log"] })));
    assert_eq!(plan.components.last().map(|sink| sink.inputs.len()), Some(2));
}

#[test]
fn numbers_keep_their_value() {
    let text = "[sources.a]\ntype = 'demo'\nrate = 18446744073709551615\n\
                weights = { a = 0x10, b = 1_000, c = 1e3, d = -2.5 }\n\
                [sinks.b]\ntype = 'null'\ninputs = 'a'\n";
    let plan = plan(&[("a.toml", text)], &[]);
    let expected =
        json!({ "rate": u64::MAX, "weights": { "a": 16, "b": 1000, "c": 1e3, "d": -2.5 } });
    assert_eq!(plan.components[0].options.0, expected);
}

#[test]
fn what_a_build_refuses_later_is_never_silent() {
    let small = "[sources.a]\ntype = 'demo'\nrate = 1\n[sinks.b]\ntype = 'null'\ninputs = 'a'\n";
    let mut plan = plan(&[("a.toml", small)], &[]);
    let errors = ConfigErrors::from(ConfigError::new(["rate"], "too much"));
    let found = plan.diagnose(0, &errors);
    assert_eq!(found[0].message, "option `rate` of source `a`: too much");
    assert_eq!(small.get(found[0].labels[0].span.clone()), Some("1"));
    let spec = plan.components[0].spec;
    plan.components.push(PlannedComponent::added("extra", spec, json!({}), Vec::new()));
    let found = plan.diagnose(2, &errors);
    assert_eq!(found[0].message, "source `extra`: too much");
}

#[test]
fn test_cases_of_all_files_are_kept_with_their_place() {
    let case = |name: &str| {
        format!(
            "[[tests]]\nname = \"{name}\"\ninputs = [{{ insert_at = \"keep\", events = [{{ a = 1 }}] }}]\n"
        )
    };
    let topology = "[sources.x]\ntype = \"demo\"\n[transforms.keep]\ntype = \"filter\"\ninputs = \"x\"\n\
                    condition = \"true\"\n[sinks.out]\ntype = \"null\"\ninputs = \"keep\"\n";
    let (first, second) = (format!("{topology}{}", case("one")), case("two") + &case("three"));
    let loaded = load_files(&[("a.toml", &first), ("b.toml", &second)], &[]);
    assert!(loaded.plan.is_some(), "{:?}", loaded.diagnostics);
    let found: Vec<_> =
        loaded.tests.iter().map(|case| (case.name.as_str(), case.index_in_file)).collect();
    assert_eq!(found, [("one", 0), ("two", 0), ("three", 1)]);
    assert_eq!(loaded.tests[0].inputs[0].events, [serde_json::json!({ "a": 1 })]);
}
