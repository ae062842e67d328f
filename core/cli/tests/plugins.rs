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
