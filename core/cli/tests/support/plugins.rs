//! Building plugins as a third party would.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Place, until};

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Builds a Rust plugin of `examples` or `core/cli/tests/plugins` in a place of its own; gives the library.
pub fn cargo_plugin(place: &Place, folder: &str, library: &str) -> PathBuf {
    let root = repository();
    let project = place.path(&format!("build-{library}"));
    copy(&root.join(folder), &project);
    let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
    let manifest = manifest.replace("../../", &format!("{}/", root.display()));
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    cargo(&project, "build");
    install(place, &target().join("debug").join(format!("lib{library}.so")))
}

/// Builds a plugin that is a crate of this repository; gives the library.
pub fn own_plugin(place: &Place, package: &str) -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--locked", "--quiet", "-p", package])
        .current_dir(repository())
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let library = format!("lib{}.so", package.replace('-', "_"));
    install(place, &target().join("debug").join(library))
}

/// Where all Rust plugins of tests are built, so that their dependencies are built once.
pub fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_lograil")).ancestors().nth(2).unwrap()
}

/// Runs cargo in a project, without a network.
pub fn cargo(project: &Path, command: &str) {
    // The versions of this repository, which are at hand.
    fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let ran = Command::new(env!("CARGO"))
        .args([command, "--offline", "--quiet"])
        .current_dir(project)
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}{}", said(&ran.stdout), said(&ran.stderr));
}

/// Builds a C plugin by its Makefile, or as that does where there is no `make`; gives the library.
pub fn make_plugin(place: &Place, folder: &str, library: &str) -> PathBuf {
    let root = repository();
    let project = place.path(&format!("build-{library}"));
    copy(&root.join(folder), &project);
    let include = root.join("core/abi/include").display().to_string();
    let mut command = if super::has("make") {
        let mut make = Command::new("make");
        make.arg(format!("INCLUDE={include}"));
        make
    } else {
        let mut cc = Command::new("cc");
        cc.args([
            "-std=c11",
            "-fPIC",
            "-shared",
            "-fvisibility=hidden",
            "-I",
            &include,
            "-o",
            library,
        ]);
        cc.arg(Path::new(library).with_extension("c"));
        cc
    };
    let made = command.current_dir(&project).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    install(place, &project.join(library))
}

/// A place with the plugin that breaks the rules.
pub fn faulty() -> Place {
    let place = Place::new();
    make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    place
}

/// Waits until more is written to the file `out`: what has nothing to do with a plugin that fails goes on.
pub fn goes_on(place: &Place) {
    let before = place.read("out").len();
    until("the rest goes on", || place.read("out").len() > before);
}

/// Puts a library where a topology may load it from.
pub fn install(place: &Place, library: &Path) -> PathBuf {
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
