//! The header line of an encoding begins every file, once.

use lograil_testkit::SimOperation;
use lograil_testkit::sim::{ENOSPC, Fault};
use serde_json::{Value, json};

use super::{PATH, Setup, refusal};

fn csv(more: Value) -> Setup {
    let mut options = json!({ "encoding": { "codec": "csv", "csv": { "fields": ["message"] } } });
    if let (Some(options), Value::Object(more)) = (options.as_object_mut(), more) {
        options.extend(more);
    }
    Setup::new(options)
}

#[test]
fn every_file_of_a_rotation_begins_with_it() {
    let setup = csv(json!({ "rotate": { "max_bytes": 16, "max_files": 9 } }));
    let mut sink = setup.open();
    sink.write_lines(&["aaa", "bbb", "ccc", "a,b", "a line that is longer than any file"]).unwrap();
    sink.write_lines(&["d"]).unwrap();
    assert_eq!(setup.text(), "message\nd\n");
    assert_eq!(setup.backup(1), "message\na line that is longer than any file\n");
    assert_eq!(setup.backup(2), "message\n\"a,b\"\n");
    assert_eq!(setup.backup(3), "message\nccc\n");
    assert_eq!(setup.backup(4), "message\naaa\nbbb\n");
    assert!(!setup.files.exists("/data/out.log.5"));
}

#[test]
fn a_limit_below_its_length_gives_each_event_a_file() {
    let setup = csv(json!({ "rotate": { "max_bytes": 1, "max_files": 9 } }));
    setup.open().write_lines(&["a", "b"]).unwrap();
    assert_eq!(setup.text(), "message\nb\n");
    assert_eq!(setup.backup(1), "message\na\n");
}

#[test]
fn a_file_with_lines_gets_none_and_an_empty_one_does() {
    for (before, after) in
        [("", "message\nnew\n"), ("message\nold\n", "message\nold\nnew\n"), ("x\n", "x\nnew\n")]
    {
        let setup = csv(json!({}));
        setup.files.write(PATH, before);
        let mut sink = setup.open();
        assert_eq!(setup.text(), before, "nothing is written before the first event");
        sink.write_lines(&["new"]).unwrap();
        sink.commit().unwrap();
        let state = sink.state();
        sink.close().unwrap();
        setup.harness(state).opened().write_lines(&[] as &[&str]).unwrap();
        assert_eq!(setup.text(), after);
    }
}

#[test]
fn a_batch_that_is_taken_back_takes_it_along() {
    let setup = csv(json!({}));
    let mut sink = setup.open();
    let hits = setup.files.inject(Fault::new(SimOperation::Write).after(1).errno(ENOSPC));
    assert!(sink.write_lines(&["one"]).is_err());
    assert_eq!((hits.count(), setup.text().as_str()), (1, ""));
    setup.files.heal();
    sink.write_lines(&["one"]).unwrap();
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(setup.text(), "message\none\ntwo\n");
}

#[test]
fn mistakes_of_the_encoding_are_told_where_they_are() {
    let errors = refusal(
        json!({ "path": "a", "encoding": { "codec": "csv", "csv": { "fields": ["a", "b["] } } }),
    );
    assert_eq!(errors.0[0].path, ["encoding", "csv", "fields", "1"]);
    assert!(errors.0[0].within.is_some());
}
