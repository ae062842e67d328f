//! Options that are refused, and the directory that is not left.

use lograil_plugin::SinkError;
use lograil_testkit::SinkHarness;
use serde_json::json;

use super::{Setup, build, refusal};
use crate::file::SPEC;

#[test]
fn names_every_mistake_at_once() {
    let errors = refusal(json!({
        "path": "../out.log",
        "base_dir": "logs",
        "rotate": {"max_files": 0, "interval": "10ms"},
    }));
    let paths: Vec<_> = errors.0.iter().map(|error| error.path.join(".")).collect();
    assert_eq!(paths, ["path", "rotate.max_files", "rotate.interval"]);
}

#[test]
fn a_rotation_needs_a_size_or_a_time() {
    assert_eq!(refusal(json!({"path": "a", "rotate": {"max_files": 3}})).0[0].path, ["rotate"]);
}

#[test]
fn refuses_paths_that_name_no_file() {
    for path in ["", "dir/", "..", "a\0b"] {
        assert_eq!(refusal(json!({"path": path})).0[0].path, ["path"], "{path:?}");
    }
}

#[test]
fn refuses_unknown_options() {
    assert!(refusal(json!({"path": "a", "pth": 1})).0[0].message.contains("pth"));
}

#[test]
fn two_spellings_of_a_path_claim_the_same() {
    let claim = |options| (SPEC.claims)(&options);
    assert_eq!(claim(json!({"path": "logs/../out.log"})), ["file out.log"]);
    assert_eq!(claim(json!({"path": "./out.log"})), ["file out.log"]);
    assert_eq!(claim(json!({"path": "x", "base_dir": "/var//log"})), ["file /var/log/x"]);
    assert_eq!(claim(json!({"path": "/a/../../x"})), ["file /x"]);
    assert!(claim(json!({})).is_empty());
}

#[test]
fn the_schema_describes_every_option() {
    let schema = (SPEC.schema)();
    for (name, option) in schema["properties"].as_object().unwrap() {
        assert!(option["description"].is_string(), "{name}");
    }
}

fn confined(path: &str, arrange: impl FnOnce(&Setup)) -> (Setup, Result<(), SinkError>) {
    let setup = Setup::new(json!({"path": path, "base_dir": "/data/base"}));
    setup.files.mkdir("/data/base");
    setup.files.mkdir("/other");
    arrange(&setup);
    let opened = setup.harness(None).open();
    (setup, opened)
}

#[test]
fn stays_in_its_base_directory() {
    let (setup, opened) = confined("a/b/../out.log", |_| {});
    opened.unwrap();
    assert!(setup.files.exists("/data/base/a/out.log"));
    let (setup, opened) = confined("in/out.log", |setup| {
        setup.files.mkdir("/data/base/real");
        setup.files.symlink("/data/base/real", "/data/base/in");
    });
    opened.unwrap();
    assert!(setup.files.exists("/data/base/real/out.log"));
}

#[test]
fn does_not_follow_links_out_of_its_base_directory() {
    type Arrange = fn(&Setup);
    let cases: [(&str, Arrange); 4] = [
        ("link/out.log", |setup| setup.files.symlink("/other", "/data/base/link")),
        ("link/new/out.log", |setup| setup.files.symlink("/other", "/data/base/link")),
        ("out.log", |setup| {
            setup.files.write("/other/passwd", "root\n");
            setup.files.symlink("/other/passwd", "/data/base/out.log");
        }),
        ("out.log", |setup| setup.files.symlink("/other/nothing-yet", "/data/base/out.log")),
    ];
    for (path, arrange) in cases {
        let (setup, opened) = confined(path, arrange);
        let Err(SinkError::Fatal(why)) = opened else { panic!("{path}: {opened:?}") };
        assert!(why.contains("leads out of base_dir"), "{why}");
        let outside = setup.files.list().into_iter().filter(|file| file.starts_with("/other"));
        assert!(outside.clone().count() <= 1 && !setup.files.exists("/other/nothing-yet"));
        assert!(!setup.files.exists("/other/new"), "no directory was made outside");
    }
}

#[test]
fn a_relative_path_starts_from_the_topology() {
    let files = lograil_testkit::SimFiles::new();
    files.mkdir("/etc/lograil");
    let options = json!({"path": "sub/out.log", "encoding": {"codec": "raw"}});
    let sink = SinkHarness::new(build(&options));
    let mut sink = sink.with_files(files.shared()).with_base_dir("/etc/lograil").opened();
    sink.write_lines(&["x"]).unwrap();
    assert_eq!(files.text("/etc/lograil/sub/out.log"), "x\n");
}

#[test]
fn a_missing_directory_is_an_error_if_it_is_not_to_be_made() {
    let setup = Setup::new(json!({"path": "/data/none/out.log", "create_dirs": false}));
    let Err(SinkError::Fatal(why)) = setup.harness(None).open() else { panic!("it opened") };
    assert!(why.starts_with("open /data/none/out.log: "), "{why}");
}

#[test]
fn a_path_that_is_no_file_is_refused_with_the_remedy() {
    let setup = Setup::new(json!({}));
    setup.files.mkdir(super::PATH);
    let Err(SinkError::Fatal(why)) = setup.harness(None).open() else { panic!("it opened") };
    assert!(why.contains("no regular file"), "{why}");
}
