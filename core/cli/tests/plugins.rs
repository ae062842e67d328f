//! Plugins as a third party writes them: built from `examples`, used by the real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use lograil_plugin::{Build, ComponentSpec, Options, Port};
use lograil_testkit::{Emitted, ManualClock, TransformHarness, conformance};
use serde_json::{Value, json};
use support::Place;
use support::plugins::{cargo_plugin, make_plugin, own_plugin};

const REDACT: &str = r#"
[plugins]
dir = "plugins"

[sources.in]
type = "stdin"

[transforms.parsed]
type = "parse"
inputs = ["in"]
format = "json"

[transforms.clean]
type = "acme.redact"
inputs = ["parsed"]
fields = ["password"]

[sinks.out]
type = "stdout"
inputs = ["clean"]
encoding.codec = "json"
"#;

#[test]
fn a_transform_in_rust_is_used_like_a_built_in() {
    let place = Place::new();
    cargo_plugin(&place, "examples/rust-transform", "acme_redact");
    place.write("t.toml", REDACT);
    let input = b"{\"user\":\"a\",\"password\":\"secret\"}\n{\"user\":\"b\"}\nno json\n";
    let ran = place.run_with(&["run", "--once", "t.toml"], input);
    ran.assert_success();
    assert_eq!(ran.stdout(), "{\"user\":\"a\",\"password\":\"***\"}\n{\"user\":\"b\"}\n");

    let checked = place.run(&["check", "t.toml"]);
    assert!(checked.assert_success().stdout().contains("valid"));
    place.write("bad.toml", REDACT.replace("fields = [", "feilds = ["));
    let bad = place.run(&["check", "bad.toml"]);
    assert_eq!(bad.code(), 1);
    for part in ["bad.toml:16", "feilds", "fields"] {
        assert!(bad.stderr().contains(part), "`{part}` is missing in:\n{}", bad.stderr());
    }
}

#[test]
fn a_transform_in_c_is_used_like_a_built_in() {
    let place = Place::new();
    make_plugin(&place, "examples/c-transform", "mask.so");
    let topology = "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"stdin\"\n\
        [transforms.mask]\ntype = \"mask.digits\"\ninputs = [\"in\"]\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"mask\"]\nencoding.codec = \"json\"\n";
    place.write("t.toml", topology);
    let ran = place.run_with(&["run", "--once", "t.toml"], b"card 4111\nnone\n");
    ran.assert_success();
    assert_eq!(ran.stdout(), "{\"message\":\"card ####\"}\n{\"message\":\"none\"}\n");
}

fn faulty_transform(fault: &str) -> String {
    format!(
        "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"stdin\"\n\
        [transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"in\"]\nfault = \"{fault}\"\n\
        [sinks.out]\ntype = \"stdout\"\ninputs = [\"bad\", \"bad.dead_letter\"]\nencoding.codec = \"json\"\n"
    )
}

#[test]
fn a_transform_that_breaks_the_rules_costs_its_batch_and_nothing_else() {
    let place = Place::new();
    make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    let faults = [
        ("error", "I do not feel well"),
        ("panic", "panicked: oh no"),
        ("offset", "points outside its segment"),
        ("segment", "points outside its segment"),
        ("tag", "unknown tag 99"),
        ("key", "has key 12345"),
        ("range", "fields outside the field array"),
        ("port", "output 70000"),
        ("token", "which it does not hold"),
        ("utf8", "not valid UTF-8"),
        ("key_utf8", "a key that is not UTF-8"),
    ];
    for (fault, told) in faults {
        place.write("t.toml", faulty_transform(fault));
        let ran = place.run_with(&["run", "--once", "t.toml"], b"one line\n");
        ran.assert_success();
        let letter: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
        let reason = letter["dead_letter"]["reason"].as_str().unwrap();
        assert_eq!(letter["message"], "one line", "{fault}");
        assert!(
            reason.starts_with("plugin faulty: ") && reason.contains(told),
            "{fault}: {reason}"
        );
    }
    place.write("t.toml", faulty_transform("none"));
    let ran = place.run_with(&["run", "--once", "t.toml"], b"one line\n");
    assert_eq!(ran.assert_success().stdout(), "{\"message\":\"one line\"}\n");
    place.write("t.toml", faulty_transform("config"));
    let checked = place.run(&["check", "t.toml"]);
    assert_eq!(checked.code(), 1);
    assert!(checked.stderr().contains("this fault is not wanted"), "{}", checked.stderr());
}

#[test]
fn what_is_appended_in_place_is_checked_and_the_batch_is_as_it_was_where_it_is_refused() {
    let place = Place::new();
    make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    let run = |fault: &str| {
        let topology = format!(
            "[plugins]\ndir = \"plugins\"\nhang_limit = \"50ms\"\n[sources.in]\ntype = \"stdin\"\n\
            [transforms.parsed]\ntype = \"parse\"\ninputs = [\"in\"]\nformat = \"json\"\n\
            [transforms.bad]\ntype = \"faulty.transform\"\ninputs = [\"parsed\"]\nfault = \"{fault}\"\n\
            [transforms.late]\ntype = \"remap\"\ninputs = [\"bad\", \"bad.dead_letter\"]\nsource = \".late = 1\"\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"late\"]\nencoding.codec = \"json\"\n"
        );
        place.write("t.toml", topology);
        let ran = place.run_with(&["run", "--once", "t.toml"], b"{\"a\":1}\n{\"a\":\"x\"}\n");
        ran.assert_success().stdout()
    };
    let grown = "{\"a\":1,\"one\":true,\"two\":true,\"late\":1}\n{\"a\":\"x\",\"one\":true,\"two\":true,\"late\":1}\n";
    assert_eq!(run("append"), grown);
    for (fault, told) in [
        ("append_tag", "unknown tag 99"),
        ("append_key", "has key 12345"),
        ("append_offset", "points outside its segment"),
        ("append_utf8", "not valid UTF-8"),
        ("append_too_many", "fields outside the field array"),
        ("append_twice", "shares fields with an earlier event"),
        ("append_error", "I do not feel well"),
        ("append_hang", "has not come to its end"),
    ] {
        let ran = run(fault);
        let letters: Vec<Value> =
            ran.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(letters.len(), 2, "{fault}: {ran}");
        for (letter, line) in letters.iter().zip(["{\"a\":1}", "{\"a\":\"x\"}"]) {
            let reason = letter["dead_letter"]["reason"].as_str().unwrap();
            assert!(
                reason.starts_with("plugin faulty: ") && reason.contains(told),
                "{fault}: {reason}"
            );
            assert_eq!((&letter["message"], &letter["late"]), (&json!(line), &json!(1)), "{fault}");
            let names = letter.as_object().unwrap().keys();
            assert!(
                !names.into_iter().any(|name| ["one", "two"].contains(&&**name)),
                "{fault}: {letter}"
            );
        }
    }
}

#[test]
fn a_sink_that_breaks_the_rules_is_dealt_with_as_documented() {
    let place = Place::new();
    make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    let run = |fault: &str| {
        let topology = format!(
            "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"stdin\"\n\
            [sinks.bad]\ntype = \"faulty.sink\"\ninputs = [\"in\"]\nfault = \"{fault}\"\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"bad.dead_letter\"]\nencoding.codec = \"json\"\n"
        );
        place.write("t.toml", topology);
        place.run_with(&["run", "--once", "t.toml"], b"one line\n")
    };
    for (fault, told) in [("reject", "not to my taste"), ("sink_panic", "panicked: oh no")] {
        let ran = run(fault);
        ran.assert_success();
        let letter: serde_json::Value = serde_json::from_str(&ran.stdout()).unwrap();
        let reason = letter["dead_letter"]["reason"].as_str().unwrap();
        assert!(reason.contains(told), "{fault}: {reason}");
    }
    let twice = run("twice");
    assert!(twice.assert_success().stderr().contains("not under way"), "{}", twice.stderr());
    let fatal = run("fatal");
    assert_eq!(fatal.code(), 1);
    assert!(fatal.stderr().contains("the disk is gone"), "{}", fatal.stderr());
}

#[test]
fn a_file_that_cannot_be_trusted_is_refused_with_its_reason() {
    let place = Place::new();
    let library = make_plugin(&place, "examples/c-transform", "mask.so");
    let bytes = fs::read(&library).unwrap();
    let check = |plugins: &str| {
        let topology = format!(
            "[plugins]\n{plugins}\n[sources.in]\ntype = \"stdin\"\n\
            [transforms.mask]\ntype = \"mask.digits\"\ninputs = [\"in\"]\n\
            [sinks.out]\ntype = \"stdout\"\ninputs = [\"mask\"]\nencoding.codec = \"raw\"\n"
        );
        place.write("t.toml", topology);
        place.run(&["check", "t.toml"])
    };
    let refused = |plugins: &str, told: &str| {
        let checked = check(plugins);
        assert_eq!(checked.code(), 1, "{plugins}");
        let said = checked.stderr();
        assert!(said.contains(told) && said.contains("t.toml:"), "{plugins}: {said}");
        assert!(!said.contains("unknown transform type"), "{said}");
    };
    let changed = |name: &str, at: usize, byte: u8| {
        let mut other = bytes.clone();
        other[at] = byte;
        place.write(&format!("other/{name}"), other);
    };
    check("dir = \"plugins\"").assert_success();
    check("path = [\"plugins/mask.so\"]").assert_success();
    let pin = lograil_loader::sha256_hex(&bytes);
    check(&format!("dir = \"plugins\"\nsha256 = {{ \"mask.so\" = \"{pin}\" }}")).assert_success();
    refused(
        &format!(
            "path = [\"plugins/mask.so\"]\nsha256 = {{ \"mask.so\" = \"{}\" }}",
            "0".repeat(64)
        ),
        "but the topology pins 0000",
    );
    refused("path = [\"absent.so\"]", "cannot read");
    refused("path = [\"t.toml\"]", "it is no ELF file");
    place.write("empty.so", [&bytes[..64], &[0; 64]].concat());
    refused("path = [\"empty.so\"]", "no section `.lograil`");
    changed("arch.so", 18, 183);
    refused("path = [\"other/arch.so\"]", "was built for aarch64");
    let head = bytes.windows(8).position(|at| at == b"LRIL\x01\0\x04\0").unwrap();
    changed("major.so", head + 4, 2);
    refused("path = [\"other/major.so\"]", "plugin interface 2.4; this program offers 1.4");
    changed("minor.so", head + 6, 9);
    refused("path = [\"other/minor.so\"]", "plugin interface 1.9");
    refused(
        "dir = \"other\"\npath = [\"../plugins/mask.so\"]",
        "outside the configured plugin directory",
    );
    fs::set_permissions(&library, fs::Permissions::from_mode(0o666)).unwrap();
    refused("dir = \"plugins\"", "can be written by everyone");
    fs::set_permissions(&library, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(place.path("plugins"), fs::Permissions::from_mode(0o777)).unwrap();
    refused("dir = \"plugins\"", "can be written by everyone");
}

#[test]
fn an_async_source_and_sink_in_rust_are_used_like_built_ins() {
    let place = Place::new();
    cargo_plugin(&place, "examples/rust-source", "acme_source");
    cargo_plugin(&place, "examples/rust-sink", "acme_sink");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let topology = format!(
        "[plugins]\ndir = \"plugins\"\n\
        [sources.in]\ntype = \"acme.http_poll\"\naddress = \"{}\"\npath = \"/log\"\ninterval = \"1h\"\n\
        [sinks.out]\ntype = \"acme.tcp_lines\"\ninputs = [\"in\"]\naddress = \"{}\"\n",
        server.local_addr().unwrap(),
        peer.local_addr().unwrap(),
    );
    place.write("t.toml", topology);
    let serve = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut request = [0; 512];
        let read = stream.read(&mut request).unwrap();
        assert!(request[..read].starts_with(b"GET /log HTTP/1.0\r\n"));
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nfirst\nsecond\n").unwrap();
    });
    let receive = std::thread::spawn(move || {
        let mut received = String::new();
        peer.accept().unwrap().0.read_to_string(&mut received).unwrap();
        received
    });
    let running = place.start(&["run", "t.toml"]);
    support::until("the source has asked", || serve.is_finished());
    // The source waits an hour for its next turn: the request to stop must wake it.
    let status = running.stop();
    assert!(status.success(), "{}", place.read("stderr"));
    assert_eq!(receive.join().unwrap(), "first\nsecond\n");
}

#[test]
fn a_source_in_c_goes_on_where_it_was() {
    let place = Place::new();
    make_plugin(&place, "examples/c-source", "count.so");
    let topology = "[plugins]\ndir = \"plugins\"\n[sources.in]\ntype = \"count.up\"\n\
        [sinks.out]\ntype = \"file\"\ninputs = [\"in\"]\npath = \"out.ndjson\"\nencoding.codec = \"json\"\n";
    place.write("t.toml", topology);
    let run = || place.run(&["run", "--data-dir", "data", "t.toml"]);
    run().assert_success();
    let out = place.read("out.ndjson");
    let numbers: Vec<String> = (1..=1000).map(|n| format!("{{\"number\":{n}}}")).collect();
    assert_eq!(out.lines().collect::<Vec<_>>(), numbers);
    // All of it is delivered and its position kept: the second run has nothing to do.
    run().assert_success();
    assert_eq!(place.read("out.ndjson"), out);
}

/// What came out, batch by batch, as JSON.
type Output = Vec<(Port, Vec<u8>)>;

/// Every batch of the corpus through a transform, with the time and the end told; each output as the bytes that the
/// JSON codec makes of it. And what it has learned.
fn outputs(
    spec: &ComponentSpec,
    options: &Value,
    state: Option<&[u8]>,
) -> (Output, Option<Vec<u8>>) {
    let harness = match state {
        Some(state) => TransformHarness::resume(spec, options.clone(), ManualClock::new(), state),
        None => TransformHarness::build(spec, options.clone()),
    };
    let mut harness = harness.unbalanced();
    let mut all = Vec::new();
    let mut keep = |emitted: Emitted| {
        for (port, mut batch) in emitted.batches {
            batch.freeze();
            let mut bytes = Vec::new();
            lograil_codec::json::encode_batch(&batch, &mut bytes);
            all.push((port, bytes));
        }
    };
    for (_, batch) in conformance::corpus(options) {
        keep(harness.feed(batch));
        harness.clock().advance(Duration::from_secs(1));
        keep(harness.tick());
    }
    let state = harness.state();
    keep(harness.flush());
    (all, state)
}

/// Whether what came out is the same. A name that comes twice makes raw bytes and fields differ: what is built in
/// writes the former, what comes from outside is not believed to be the same and is written from its fields.
fn same(expected: &[(Port, Vec<u8>)], found: &[(Port, Vec<u8>)]) -> bool {
    let text =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("{\"a\":1,\"a\":2,", "{\"a\":2,");
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        if expected.0 != found.0 || text(&expected.1) != text(&found.1) {
            let both = text(&expected.1).into_bytes().into_iter().zip(text(&found.1).into_bytes());
            let differs = both.take_while(|(one, other)| one == other).count();
            eprintln!("output {at} differs at byte {differs}");
            return false;
        }
    }
    expected.len() == found.len()
}

/// The options in a transform's manual, and what else is worth a look.
fn cases(spec: &ComponentSpec, place: &Place) -> Vec<Value> {
    let mut cases = conformance::examples(spec);
    if spec.name == "lookup" {
        let csv = place.write("hosts.csv", "name,owner,site\na,ann,Oslo\n");
        let json =
            place.write("codes.json", "[{\"service\": \"a\", \"code\": 1, \"meaning\": \"b\"}]");
        for (case, table) in cases.iter_mut().zip([csv, json]) {
            case["path"] = json!(table);
        }
    }
    if spec.name == "parse" {
        cases.push(json!({ "format": "json", "on_error": "pass" }));
        cases.push(json!({ "format": "regex", "pattern": "^(?P<first>\\S+) (?P<rest>.*)$" }));
    }
    assert!(!cases.is_empty(), "{}", spec.name);
    cases
}

/// What an instance says of itself before it runs.
fn traits(spec: &ComponentSpec, options: &Value) -> (Duration, bool) {
    let Build::Transform(build) = spec.build else { panic!("{} is a transform", spec.name) };
    let made = build(&Options(options.clone())).unwrap();
    (made.held_for(), made.has_unnamed_output())
}

#[test]
fn the_built_in_transforms_do_the_same_from_a_shared_library() {
    let place = Place::new();
    let library = own_plugin(&place, "built-in-transforms");
    let loaded = lograil_loader::load(&library, &lograil_loader::Trust::default()).unwrap();
    assert_eq!(loaded.components.len(), lograil_transforms::SPECS.len());
    let (mut with_state, mut with_output) = (0, 0);
    for (built_in, from_library) in lograil_transforms::SPECS.iter().zip(&loaded.components) {
        let name = built_in.name;
        assert_eq!((name, built_in.manual), (from_library.name, from_library.manual));
        assert_eq!((built_in.schema)(), (from_library.schema)());
        for options in cases(built_in, &place) {
            assert_eq!(
                traits(built_in, &options),
                traits(from_library, &options),
                "{name} {options}"
            );
            let (expected, state) = outputs(built_in, &options, None);
            let (found, found_state) = outputs(from_library, &options, None);
            assert_eq!(state.is_some(), found_state.is_some(), "{name} {options}");
            if let (Some(state), Some(found_state)) = (&state, &found_state) {
                // Each goes on with what the other has learned.
                let (expected, _) = outputs(built_in, &options, Some(found_state));
                let (found, _) = outputs(from_library, &options, Some(state));
                assert!(same(&expected, &found), "{name} {options}");
            }
            assert!(same(&expected, &found), "{name} {options}");
            with_state += usize::from(state.is_some());
            with_output += usize::from(expected.iter().any(|(_, bytes)| !bytes.is_empty()));
        }
    }
    assert!(with_state >= 3 && with_output >= 20, "{with_state} {with_output}");
    for (name, options) in [
        ("filter", json!({ "condition": ".status >= 500 || .level == \"error\"" })),
        ("parse", json!({ "format": "json" })),
        ("dedupe", json!({})),
    ] {
        let from_library = loaded.components.iter().find(|spec| spec.name == name).unwrap();
        conformance::transform(from_library, &options);
    }
}

#[test]
fn plugins_are_shown_without_running_them_and_listed_with_their_manuals() {
    let place = Place::new();
    let library = make_plugin(&place, "examples/c-transform", "mask.so");
    let sha256 = lograil_loader::sha256_hex(&fs::read(&library).unwrap());
    let inspected = place.run(&["plugin", "inspect", "plugins/mask.so"]);
    for part in ["mask 1.0.0", "interface 1.4", "linux", "transform mask.digits", &sha256] {
        assert!(inspected.assert_success().stdout().contains(part), "{}", inspected.stdout());
    }
    let json = place.run(&["plugin", "inspect", "--json", "plugins/mask.so"]);
    let document: Value = serde_json::from_str(&json.assert_success().stdout()).unwrap();
    assert_eq!(document["components"][0]["name"], "mask.digits");

    let listed = place.run(&["plugin", "list", "plugins"]);
    assert!(listed.assert_success().stdout().contains("mask 1.0.0: mask.digits"));
    place.write("plugins/broken.so", "no plugin");
    let listed = place.run(&["plugin", "list", "plugins"]);
    assert_eq!(listed.code(), 1);
    assert!(listed.stdout().contains("mask.digits") && listed.stderr().contains("broken.so"));

    let components = place.run(&["components", "--plugin", "plugins/mask.so"]);
    assert!(components.assert_success().stdout().contains("mask.digits"));
    let manual = place.run(&["components", "--plugin", "plugins/mask.so", "mask.digits"]);
    assert!(manual.assert_success().stdout().starts_with("# mask.digits"));
}
