//! What is said about every mistake: one snapshot each, under `snapshots/`.

use lograil_config::{Level, render};

use crate::fake::load_files;

/// Compares what is rendered with the snapshot `name`, and holds every diagnostic to the rules for all.
fn check(name: &str, files: &[(&str, &str)], sets: &[&str]) {
    let loaded = load_files(files, sets);
    let errors = loaded.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error);
    assert_eq!(
        errors.count() == 0,
        loaded.plan.is_some(),
        "{name}: a plan if and only if no error"
    );
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.labels.is_empty(), "{name}: {diagnostic:?} has no place");
        for label in &diagnostic.labels {
            let text = loaded.files[label.file].text.get(label.span.clone());
            assert!(text.is_some(), "{name}: {label:?} is outside its file");
        }
    }
    let rendered = render(&loaded.diagnostics, &loaded.files, false);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, rendered);
    });
}

/// A mistake in one file that is otherwise a source and a sink.
fn in_topology(name: &str, text: &str) {
    let rest =
        "\n[sources.app]\ntype = \"demo\"\n\n[sinks.out]\ntype = \"null\"\ninputs = [\"app\"]\n";
    check(name, &[("app.toml", &format!("{text}{rest}"))], &[]);
}

/// A mistake in the options of a `demo` source.
fn in_demo(name: &str, options: &str) {
    let text = format!(
        "[sources.gen]\ntype = \"demo\"\n{options}\n\n[sinks.out]\ntype = \"null\"\ninputs = \"gen\"\n"
    );
    check(name, &[("demo.toml", &text)], &[]);
}

/// A mistake in the options of a `file` sink.
fn in_file(name: &str, options: &str) {
    let text = format!(
        "[sources.app]\ntype = \"demo\"\n\n[sinks.out]\ntype = \"file\"\ninputs = \"app\"\n{options}\n"
    );
    check(name, &[("file.toml", &text)], &[]);
}

/// A mistake in a condition; `literal` is the TOML string.
fn in_condition(name: &str, literal: &str) {
    let text = format!(
        "[sources.app]\ntype = \"demo\"\n\n[transforms.keep]\ntype = \"filter\"\ninputs = \"app\"\n\
         condition = {literal}\n\n[sinks.out]\ntype = \"null\"\ninputs = \"keep\"\n"
    );
    check(name, &[("condition.toml", &text)], &[]);
}

#[test]
fn syntax() {
    in_topology(
        "syntax-all-at-once",
        "data_dir = \nshutdown_timeout = 5 s\n\n[admin\nlisten = 'x\n",
    );
    in_topology(
        "syntax-hides-what-follows-from-it",
        "[transforms.keep]\ntype = \"filter\nrate = 1\n",
    );
    in_demo("duplicate-option", "rate = 5\nnoisy = true\nrate = 6");
    in_topology("duplicate-table", "[sources.x]\ntype = \"demo\"\n[sources.x] # again\nrate = 1\n");
    in_demo("number-out-of-range", "rate = 99999999999999999999999999\nweights = { a = nan }");
}

#[test]
fn names() {
    in_topology("unknown-table", "[source.x]\ntype = \"demo\"\n");
    in_topology("unknown-top-level-option", "datadir = \"/var\"\nverbose = 1\n");
    in_topology(
        "component-that-is-no-table",
        "[sources]\nx = 1\n[[transforms]]\ntype = \"filter\"\n",
    );
    in_topology("bad-id", "[sources.\"my app\"]\ntype = \"demo\"\n");
    in_topology("unknown-type", "[sources.x]\ntype = \"dmeo\"\n[sources.y]\ntype = \"null\"\n");
    in_topology(
        "missing-type",
        "[sources.x]\n[sources.y]\ntpye = \"demo\"\n[sources.z]\ntype = 5\n",
    );
    in_demo("unknown-option", "formt = \"json\"\ncolour = 1");
    in_file(
        "unknown-option-in-a-tagged-table",
        "path = \"x\"\nencoding.codec = \"json\"\nencoding.formt = 1",
    );
}

#[test]
fn test_cases() {
    in_topology(
        "test-cases",
        "[sources.x]\ntype = \"demo\"\n[transforms.keep]\ntype = \"filter\"\ninputs = \"x\"\ncondition = \"true\"\n\
         [[tests]]\nname = \"one\"\n[[tests.inputs]]\ninsert_at = \"keeep\"\nlines = [\"a\"]\n\
         [[tests.outputs]]\nextract_from = \"kep.dead_letter\"\nevent = []\n\
         [[tests]]\ninputs = [{ insert_at = \"keep\", lines = 5 }]\n\
         [[tests]]\nname = \"two\"\ninputs = [{ insert_at = \"x\" }]\n",
    );
    in_topology(
        "test-outputs",
        "[sources.x]\ntype = \"demo\"\n[transforms.by]\ntype = \"route\"\ninputs = [\"x\"]\nroutes = { bad = \"true\" }\n\
         [sinks.to]\ntype = \"file\"\ninputs = [\"by.*\"]\npath = \"x\"\n\
         [[tests]]\nname = \"one\"\nno_outputs_from = [\"by.badd\", \"bye\", \"by.dead_letter\"]\n\
         [[tests.inputs]]\ninsert_at = \"by\"\nlines = [\"a\"]\n\
         [[tests.outputs]]\nextract_from = \"by\"\n[[tests.outputs]]\nextract_from = \"by.bad\"\n",
    );
    in_topology("tests-that-are-no-list", "tests = 1\n");
}

#[test]
fn values() {
    in_demo("wrong-type", "rate = \"abc\"\nnoisy = 1\nweights = [1]\nevery = true");
    in_demo("wrong-type-inside", "weights = { info = \"much\" }");
    in_demo("out-of-range", "rate = 0\nport = 70000");
    in_demo("enum", "format = \"jsn\"");
    in_demo("enum-far-off", "format = \"protobuf\"");
    in_demo("period", "every = \"5 parsecs\"");
    in_file("byte-size", "path = \"x\"\nmax_bytes = \"1 mile\"");
    in_file("byte-size-of-wrong-type", "path = \"x\"\nmax_bytes = [1]");
    in_file("pattern-and-length", "path = \"\"\nsuffix = \"A1\"");
    in_file("missing-option", "");
    in_file("missing-tag", "path = \"x\"\nencoding = { format = \"{message}\" }");
    in_file("unknown-tag", "path = \"x\"\nencoding.codec = \"txt\"");
    in_file("missing-option-of-tag", "path = \"x\"\nencoding.codec = \"text\"");
    in_topology(
        "too-few-values",
        "[sources.logs]\ntype = \"files\"\ninclude = []\nread_from = \"start\"\n",
    );
    in_topology("wrong-type-in-list", "[sources.logs]\ntype = \"files\"\ninclude = [\"a\", 5]\n");
}

#[test]
fn what_a_component_refuses() {
    in_condition("condition-basic", r#"".level === \"error\"""#);
    in_condition("condition-with-escapes", r#"".\"a\tb\" \u003D== \"x\"""#);
    in_condition("condition-literal", "'.level === 1'");
    in_condition("condition-multi-line", "\"\"\"\n  .level == 1 \\\n  && .ms === 2\n\"\"\"");
    in_condition("condition-multi-line-literal", "'''\n.level == 1\n&& .ms === 2'''");
    in_condition("condition-after-a-variable", "'.name == \"${WORD}\" && $$x === 1'");
    in_topology(
        "conditions-inside-a-table",
        "[transforms.split]\ntype = \"route\"\ninputs = \"app\"\n\
         routes = { bad = \".a === 1\", good = \".a == 1\" }\n\n[transforms.split.routes2]\n",
    );
    in_topology(
        "conditions-of-routes",
        "[transforms.split]\ntype = \"route\"\ninputs = \"app\"\n\
         [transforms.split.routes]\nbad = \".a === 1\"\nworse = \"===\"\n",
    );
    in_condition("condition-beside-an-unknown-option", "'.level === 1'\ncolour = 1");
    in_demo("refused-as-a-whole", "start = \"never\"");
}

#[test]
fn inputs() {
    let filter = |inputs: &str| {
        format!("[transforms.keep]\ntype = \"filter\"\ncondition = \".a\"\n{inputs}\n")
    };
    in_topology("missing-inputs", &filter(""));
    in_topology("empty-inputs", &filter("inputs = []"));
    in_topology("unknown-input", &filter("inputs = [\"ap\", \"nothing\", \"aps.dead_letter\"]"));
    in_topology("unknown-port", &filter("inputs = [\"app.dead_leter\"]"));
    in_topology("input-is-a-sink", &filter("inputs = \"out\""));
    in_topology("glob-matches-nothing", &filter("inputs = [\"web-*\", \"keep*\", \"a[\"]"));
    in_topology("inputs-of-wrong-type", &filter("inputs = [\"app\", 5]"));
    in_topology("inputs-is-a-table", &filter("inputs = { a = 1 }"));
    in_demo("source-with-inputs", "inputs = [\"gen\"]");
    in_topology("unused", &filter("inputs = \"app\""));
    let split = |inputs: &str| {
        "[transforms.split]\ntype = \"route\"\ninputs = \"app\"\nroutes = { slow = \".a\", fast = \".b\" }\n\n".to_owned()
            + &format!("[sinks.reader]\ntype = \"null\"\ninputs = [{inputs}]\n")
    };
    in_topology("unnamed-output", &split("\"split\""));
    in_topology("unread-output", &split("\"split.slow\""));
    in_topology("unread-outputs", &split("\"app\""));
    in_topology("all-named-outputs", &split("\"split.*\""));
    in_topology("glob-of-outputs-matches-nothing", &split("\"split.x*\", \"app.*\", \"spl*\""));
    in_topology("unused-source", "[sources.idle]\ntype = \"demo\"\n");
    check("no-sources", &[("empty.toml", "# nothing yet\n")], &[]);
    check("no-text", &[("empty.toml", "")], &[]);
}

#[test]
fn a_source_that_reads_what_comes_of_it() {
    let topology = |path: &str, inputs: &str| {
        format!(
            "[sources.logs]\ntype = \"files\"\ninclude = [\"a.log\", \"b.log\"]\n\n\
             [transforms.keep]\ntype = \"filter\"\ninputs = [\"logs\"]\ncondition = \".a\"\n\n\
             [sinks.copy]\ntype = \"file\"\ninputs = [{inputs}]\npath = \"{path}\"\n\n"
        )
    };
    in_topology("feedback", &topology("b.log", "\"keep\""));
    for (path, inputs) in [("c.log", "\"keep\""), ("b.log", "\"app\"")] {
        let text = topology(path, inputs) + "[sources.app]\ntype = \"demo\"\n";
        assert!(load_files(&[("app.toml", &text)], &[]).plan.is_some(), "{path} {inputs}");
    }
}

#[test]
fn a_transform_that_holds_back_for_longer_than_senders_wait() {
    let topology = |first: &str, second: &str, port: &str| {
        format!(
            "[sources.in]\ntype = \"answering\"\n\n\
             [transforms.one]\ntype = \"hold\"\ninputs = [\"in\"]\n{first}\n\
             [transforms.two]\ntype = \"hold\"\ninputs = [\"one{port}\"]\n{second}\n\
             [sinks.end]\ntype = \"null\"\ninputs = [\"one\", \"one.late\", \"two\", \"two.late\"]\n\n"
        )
    };
    in_topology("held-back", &topology("seconds = 20\n", "seconds = 40\n", ""));
    in_topology("held-back-without-a-bound", &topology("seconds = 20\n", "", ""));
    // Together they hold for less; what is late was not held back by the first.
    for (second, port) in [("seconds = 39\n", ""), ("seconds = 40\n", ".late")] {
        let text = topology("seconds = 20\n", second, port);
        let loaded = load_files(&[("app.toml", &text)], &[]);
        let plan = loaded.plan.unwrap();
        let behind = plan.held_behind(plan.find("in").unwrap()).unwrap();
        let wanted = if port.is_empty() { 59 } else { 40 };
        assert_eq!(behind, ("two", std::time::Duration::from_secs(wanted)));
    }
    // Nobody waits for what others send.
    let text = topology("", "", "").replace("answering", "demo");
    assert!(load_files(&[("app.toml", &text)], &[]).plan.is_some());
}

#[test]
fn cycles() {
    let filter = |id: &str, inputs: &str| {
        format!("[transforms.{id}]\ntype = \"filter\"\ncondition = \".a\"\ninputs = [{inputs}]\n\n")
    };
    in_topology("cycle-of-one", &filter("a", "'app', 'a'"));
    let three = filter("a", "'app', 'c'") + &filter("b", "'a'") + &filter("c", "'b.dead_letter'");
    in_topology("cycle-of-three", &three);
    let two = filter("a", "'app', 'b'") + &filter("b", "'a'");
    in_topology("two-cycles", &(two + &filter("x", "'y'") + &filter("y", "'x'")));
}

#[test]
fn several_components() {
    let sink = |id: &str, path: &str| {
        format!("[sinks.{id}]\ntype = \"file\"\ninputs = \"app\"\npath = \"{path}\"\n\n")
    };
    in_topology("two-sinks-on-one-path", &(sink("one", "out.log") + &sink("two", "out.log")));
    in_topology("same-id-in-two-kinds", &sink("app", "out.log"));
    let source = "[sources.app]\ntype = \"demo\"\nrate = 1\n";
    let sink = "[sinks.out]\ntype = \"null\"\ninputs = \"app\"\n";
    let again = "data_dir = \"b\"\n\n[sources.app]\ntype = \"demo\"\nrate = 2\n";
    let first = format!("data_dir = \"a\"\n\n{source}{sink}");
    check("same-id-in-two-files", &[("a.toml", &first), ("b.toml", again)], &[]);
    let broken = format!("{source}colour = 1\n");
    check(
        "mistakes-in-several-files",
        &[("a.toml", &broken), ("b.toml", "[sinks.out]\ntype = \"nul\"\n")],
        &[],
    );
}

#[test]
fn variables() {
    in_demo("unset-variable", "start = \"${NOBODY}\"\nformat = \"${FMT:?text, json or csv}\"");
    in_demo("empty-variable", "start = \"a ${EMPTY:?} b\"");
    in_demo("not-a-variable", "start = \"${}${1x}${A:+b}${A\"");
    in_demo(
        "variable-of-wrong-type",
        "rate = \"${WORD}\"\nport = \"${BIG:-70000}\"\nformat = \"${WORD}\"",
    );
}

#[test]
fn flags() {
    let text = "[sources.app]\ntype = \"demo\"\n\n[sinks.out]\ntype = \"null\"\ninputs = \"app\"\n";
    let sets = ["sources.app.rat=5", "sources.app.format=jsn", "nonsense", "sources.app.rate=\"5"];
    check("flags", &[("app.toml", text)], &sets);
}

#[test]
fn settings() {
    in_topology("admin-address", "[admin]\nlisten = \"localhost\"\n");
    in_topology("admin-open-to-others", "[admin]\nlisten = \"0.0.0.0:9598\"\n");
    in_topology("admin-without-address", "[admin]\nport = 1\n");
    in_topology(
        "settings-of-wrong-type",
        "shutdown_timeout = \"soon\"\ndata_dir = 5\nbuffer = 8\n",
    );
}

#[test]
fn text_of_all_kinds_is_underlined_where_it_stands() {
    in_demo(
        "wide-characters",
        "start = \"日本語\" # ünïcödé\nweights = { \"größe\" = \"日本\", 'é' = 'x' }",
    );
    in_demo("windows-line-ends", "format = \"jsn\"\r\nrate = \"abc\"\r");
}

#[test]
fn json_names_file_line_and_column() {
    let loaded = load_files(&[("a.toml", "[sources.é]\n  type = \"dmeo\"\n")], &[]);
    let json = loaded.diagnostics.iter().map(|diagnostic| diagnostic.to_json(&loaded.files));
    let unknown = json.into_iter().find(|json| json["code"] == "unknown-type");
    let expected = serde_json::json!({
        "level": "error",
        "code": "unknown-type",
        "message": "unknown source type \"dmeo\"",
        "labels": [{
            "file": "a.toml", "line": 2, "column": 10, "start": 22, "end": 28,
            "text": "did you mean `demo`?",
        }],
        "help": "types of sources: `answering`, `demo`, `files`",
    });
    assert_eq!(unknown, Some(expected));
}

#[test]
fn color_is_for_terminals_only() {
    let loaded = load_files(&[("a.toml", "x = 1\n")], &[]);
    assert!(render(&loaded.diagnostics, &loaded.files, true).contains('\u{1b}'));
    assert!(!render(&loaded.diagnostics, &loaded.files, false).contains('\u{1b}'));
}
