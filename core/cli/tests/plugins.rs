//! Plugins as a third party writes them: built from `examples`, used by the real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::Place;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Builds a Rust plugin of `examples` or `core/cli/tests/plugins` in a place of its own; gives the library.
fn cargo_plugin(place: &Place, folder: &str, library: &str) -> PathBuf {
    let root = repository();
    let project = place.path(&format!("build-{library}"));
    copy(&root.join(folder), &project);
    let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("../../core/", &format!("{}/core/", root.display()));
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    // The versions of this repository, which are there without a network.
    fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = Path::new(env!("CARGO_BIN_EXE_lograil")).ancestors().nth(2).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    install(place, &target.join("debug").join(format!("lib{library}.so")))
}

/// Builds a C plugin by its Makefile; gives the library.
fn make_plugin(place: &Place, folder: &str, library: &str) -> PathBuf {
    let root = repository();
    let project = place.path(&format!("build-{library}"));
    copy(&root.join(folder), &project);
    let include = format!("INCLUDE={}", root.join("core/abi/include").display());
    let made = Command::new("make").arg(include).current_dir(&project).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    install(place, &project.join(library))
}

fn install(place: &Place, library: &Path) -> PathBuf {
    let installed = place.path("plugins").join(library.file_name().unwrap());
    fs::create_dir_all(installed.parent().unwrap()).unwrap();
    fs::copy(library, &installed).unwrap();
    fs::set_permissions(&installed, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(installed.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    installed
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && name != "target" {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

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
    let head = bytes.windows(8).position(|at| at == b"LRIL\x01\0\0\0").unwrap();
    changed("major.so", head + 4, 2);
    refused("path = [\"other/major.so\"]", "plugin interface 2.0; this program offers 1.0");
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
