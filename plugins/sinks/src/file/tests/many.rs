//! Paths with fields and times in them.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lograil_plugin::SinkError;
use lograil_testkit::SimOperation;
use lograil_testkit::sim::Fault;
use serde_json::{Value, json};

use super::crash::stop_at;
use super::{Setup, refusal};

fn setup(options: Value) -> Setup {
    let mut setup = Setup::new(json!({
        "path": "/data/{service}.log",
        "encoding": {"codec": "text"},
        "max_open_files": 2,
    }));
    let (all, Value::Object(more)) = (setup.options.as_object_mut().unwrap(), options) else {
        panic!("options are a table")
    };
    all.extend(more);
    setup
}

fn event(service: &str, message: &str) -> Value {
    json!({"service": service, "message": message})
}

/// Names and contents, without the journal.
fn layout(setup: &Setup) -> Vec<(String, String)> {
    setup.layout().into_iter().filter(|(name, _)| !name.ends_with(".openings")).collect()
}

#[test]
fn every_event_goes_to_its_file_in_order() {
    let setup = setup(json!({"path": "/data/{service}/%Y-%m.log"}));
    let mut sink = setup.open();
    let events = [event("a", "1"), event("b", "2"), event("a", "3"), event("c", "4")];
    assert_eq!(sink.write_json(&events).unwrap().bytes, 8);
    sink.write_json(&[event("b", "5"), event("a", "6")]).unwrap();
    sink.close().unwrap();
    let of = |service: &str| setup.files.text(format!("/data/{service}/2026-01.log"));
    assert_eq!([of("a"), of("b"), of("c")], ["1\n3\n6\n", "2\n5\n", "4\n"]);
    assert!(setup.files.open_handles_peak() <= 4, "two files, the journal, and one being read");
}

#[test]
fn events_without_the_field_are_refused_or_have_a_place() {
    let events = [event("a", "1"), json!({"message": "2"}), event("..", "3"), event("a/b", "4")];
    let refused = setup(json!({"path": "/data/{service}"}));
    let delivery = refused.open().write_json(&events).unwrap();
    let rejected: Vec<_> = delivery.rejected.iter().map(|r| (r.event, r.reason.as_str())).collect();
    let wanted =
        [(1, "the path needs the field `service`"), (2, "`..` cannot be a part of the path")];
    assert_eq!(rejected, wanted);
    assert_eq!(refused.files.text("/data/a_b"), "4\n");
    let placed = setup(json!({"path_default": "unknown"}));
    assert!(placed.open().write_json(&events).unwrap().rejected.is_empty());
    assert_eq!(placed.files.text("/data/unknown.log"), "2\n");
    assert_eq!(placed.files.text("/data/...log"), "3\n", "a name like any other");
}

#[test]
fn a_link_does_not_lead_out_of_the_directory_that_the_paths_share() {
    let setup = setup(json!({"path": "/data/{service}/x.log"}));
    setup.files.mkdir("/etc");
    setup.files.symlink("/etc", "/data/evil");
    let delivery = setup.open().write_json(&[event("evil", "1"), event("a", "2")]).unwrap();
    assert_eq!((delivery.rejected.len(), delivery.rejected[0].event), (1, 0));
    assert!(delivery.rejected[0].reason.contains("leads out of base_dir"), "{delivery:?}");
    assert!(!setup.files.exists("/etc/x.log"));
    assert_eq!(setup.files.text("/data/a/x.log"), "2\n");
}

#[test]
fn a_value_that_cannot_be_a_file_is_refused_and_the_others_are_written() {
    let setup = setup(json!({"path": "/data/{service}"}));
    setup.files.mkdir("/data/taken");
    let delivery = setup.open().write_json(&[event("taken", "1"), event("free", "2")]).unwrap();
    assert_eq!(delivery.rejected.len(), 1);
    assert_eq!(delivery.rejected[0].event, 0);
    assert_eq!(setup.files.text("/data/free"), "2\n");
}

/// One event's name holds up nobody else's.
#[test]
fn a_file_that_may_not_be_opened_is_refused_and_the_others_are_written() {
    let setup = setup(json!({"max_open_files": 3}));
    let mut sink = setup.open();
    sink.write_json(&[event("open", "1")]).unwrap();
    let theirs = |path: &Path| path.ends_with("theirs.log") || path.ends_with("open.log");
    let denied = Fault::new(SimOperation::Open).on_path(theirs);
    setup.files.inject(denied.kind(std::io::ErrorKind::PermissionDenied));
    let events = [event("theirs", "1"), event("a", "2"), event("open", "2")];
    let delivery = sink.write_json(&events).unwrap();
    assert_eq!((delivery.rejected.len(), delivery.rejected[0].event), (1, 0));
    let reason = &delivery.rejected[0].reason;
    assert!(reason.starts_with("the file `/data/theirs.log` cannot be: "), "{reason}");
    assert_eq!(setup.files.text("/data/a.log"), "2\n");
    // One that was open and has been moved away since is opened like any other.
    setup.files.mv("/data/open.log", "/data/moved");
    sink.reopen();
    let delivery = sink.write_json(&[event("open", "3"), event("a", "3")]).unwrap();
    assert_eq!((delivery.rejected.len(), delivery.rejected[0].event), (1, 0));
    setup.files.heal();
    sink.write_json(&events).unwrap();
    assert_eq!(setup.files.text("/data/open.log"), "2\n");
    assert_eq!(setup.files.text("/data/moved"), "1\n2\n");
}

#[test]
fn a_directory_that_is_not_there_is_the_events_where_none_are_made() {
    let setup = setup(json!({"path": "/data/sub/{service}/x", "create_dirs": false}));
    setup.files.mkdir("/data/sub/there");
    let mut sink = setup.open();
    let events = [event("missing", "1"), event("there", "2")];
    let delivery = sink.write_json(&events).unwrap();
    assert_eq!((delivery.rejected.len(), delivery.rejected[0].event), (1, 0));
    assert_eq!(setup.files.text("/data/sub/there/x"), "2\n");
    // The directory that all of them share is no event's.
    let gone = Fault::new(SimOperation::Metadata).on_path(|path| path.starts_with("/data/sub"));
    setup.files.inject(gone.kind(std::io::ErrorKind::NotFound));
    let error = sink.write_json(&[event("missing", "3")]).unwrap_err();
    assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
}

#[test]
fn the_journal_and_the_room_for_others_are_no_events() {
    for (operation, end) in [(SimOperation::Write, ".openings"), (SimOperation::Sync, "a.log")] {
        let setup = setup(json!({"max_open_files": 1}));
        let mut sink = setup.open();
        sink.write_json(&[event("a", "1")]).unwrap();
        let fault =
            Fault::new(operation).on_path(move |path| path.to_string_lossy().ends_with(end));
        let denied = fault.times(1).kind(std::io::ErrorKind::PermissionDenied);
        let hits = setup.files.inject(denied);
        let error = sink.write_json(&[event("b", "2")]).unwrap_err();
        assert!(matches!(error, SinkError::Retry { .. }), "{error:?}");
        assert_eq!(hits.count(), 1);
        sink.write_json(&[event("b", "2")]).unwrap();
        assert_eq!(setup.files.text("/data/b.log"), "2\n");
    }
}

#[test]
fn a_value_that_names_a_file_of_the_sinks_own_is_refused() {
    let setup = setup(json!({"path": "/data/{service}", "rotate": {"max_bytes": 2}}));
    let mut sink = setup.open();
    let events = ["web", "web.1", ".sink.openings", ".web.packing"].map(|name| event(name, "1"));
    let delivery = sink.write_json(&events).unwrap();
    assert_eq!(delivery.rejected.iter().map(|r| r.event).collect::<Vec<_>>(), [1, 2, 3]);
    sink.write_json(&[event("web", "2")]).unwrap();
    sink.close().unwrap();
    let files = [("/data/web".into(), "2\n".into()), ("/data/web.1".into(), "1\n".into())];
    assert_eq!(layout(&setup), files);
}

#[test]
fn a_batch_that_fails_in_one_file_is_in_none() {
    for (failing, options) in
        [("/data/d.log", json!({})), ("/data/b.log", json!({"max_open_files": 1}))]
    {
        let setup = setup(options);
        let mut sink = setup.open();
        sink.write_json(&[event("a", "1"), event("b", "1")]).unwrap();
        sink.commit().unwrap();
        let state = sink.state();
        let full =
            Fault::new(SimOperation::Write).at(failing).kind(std::io::ErrorKind::StorageFull);
        setup.files.inject(full);
        let events = ["a", "b", "c", "d"].map(|service| event(service, "2"));
        sink.write_json(&events).unwrap_err();
        setup.files.heal();
        sink.commit().unwrap();
        assert_eq!(setup.files.text("/data/a.log"), "1\n");
        assert_eq!(setup.files.text("/data/b.log"), "1\n");
        let lens = |state: Option<String>| {
            let state: Value = serde_json::from_str(&state.unwrap()).unwrap();
            let sum = |sum, file: &Value| sum + file["length"].as_u64().unwrap();
            state["files"].as_array().unwrap().iter().fold(0, sum)
        };
        assert!(lens(sink.state()) <= 4, "{state:?}");
        sink.write_json(&events).unwrap();
        sink.close().unwrap();
        for (service, text) in [("a", "1\n2\n"), ("b", "1\n2\n"), ("c", "2\n"), ("d", "2\n")] {
            assert_eq!(setup.files.text(format!("/data/{service}.log")), text);
        }
    }
}

#[test]
fn a_file_that_cannot_be_closed_to_make_room_is_not_written_twice() {
    let a = Path::new("/data/a.log");
    for fault in [Fault::new(SimOperation::Sync).at(a), Fault::new(SimOperation::SyncDir)] {
        let setup = setup(json!({"max_open_files": 1}));
        let mut sink = setup.open();
        sink.write_json(&[event("a", "1")]).unwrap();
        let events = [event("a", "2"), event("b", "2")];
        let hits = setup.files.inject(fault.times(1));
        sink.write_json(&events).unwrap_err();
        assert_eq!(hits.count(), 1);
        assert_eq!(setup.files.text(a), "1\n");
        sink.write_json(&events).unwrap();
        sink.commit().unwrap();
        assert_eq!(setup.files.power_loss(1).text(a), "1\n2\n");
        assert_eq!(setup.files.text("/data/b.log"), "2\n");
    }
}

/// A failed sync may have lost what earlier batches wrote, and the next one reports success all the same.
#[test]
fn a_failed_sync_is_remembered_when_the_batch_is_taken_back() {
    let a = Path::new("/data/a.log");
    for lost in [false, true] {
        let setup = setup(json!({"max_open_files": 1}));
        let mut sink = setup.open();
        sink.write_json(&[event("a", "1")]).unwrap();
        let events = [event("a", "2"), event("b", "2")];
        setup.files.inject(Fault::new(SimOperation::Sync).at(a).times(1));
        sink.write_json(&events).unwrap_err();
        if lost {
            setup.files.write(a, "?\n");
        }
        let writes = setup.files.count(SimOperation::Write);
        match sink.write_json(&[event("b", "3")]) {
            Err(SinkError::Fatal(reason)) if lost => assert!(reason.contains("lost"), "{reason}"),
            Ok(_) if !lost => {
                // What was not durable, and the line and the journal's.
                assert_eq!(setup.files.count(SimOperation::Write), writes + 3);
                assert_eq!(setup.files.power_loss(1).text(a), "1\n");
            }
            other => panic!("lost: {lost}, {other:?}"),
        }
    }
}

#[test]
fn idle_files_are_closed() {
    let setup = setup(json!({"max_open_files": 10}));
    let mut sink = setup.open();
    sink.write_json(&["a", "b", "c"].map(|service| event(service, "1"))).unwrap();
    let open = setup.files.open_handles();
    setup.clock.advance(Duration::from_secs(61));
    sink.commit().unwrap();
    assert_eq!(setup.files.open_handles(), open - 3);
    sink.write_json(&[event("a", "2")]).unwrap();
    assert_eq!(setup.files.text("/data/a.log"), "1\n2\n");
}

/// Without `rotate` the names `path.N` are those of logrotate, say.
#[test]
fn backups_of_others_stay_where_nothing_is_rotated() {
    let setup = setup(json!({}));
    for slot in [1, 2] {
        setup.files.write(format!("/data/a.log.{slot}"), "theirs\n");
    }
    let mut sink = setup.open();
    sink.write_json(&[event("a", "1")]).unwrap();
    for _ in 0..4 {
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
    }
    sink.close().unwrap();
    for slot in [1, 2] {
        assert_eq!(setup.files.text(format!("/data/a.log.{slot}")), "theirs\n");
    }
}

/// The same where an earlier run has rotated.
#[test]
fn backups_stay_when_rotation_is_turned_off() {
    let mut setup = setup(json!({"rotate": {"max_bytes": 2, "max_files": 2}}));
    let mut sink = setup.open();
    sink.write_json(&["1", "2", "3"].map(|message| event("a", message))).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    drop(sink);
    let before = layout(&setup);
    assert_eq!(before.len(), 3, "{before:?}");
    setup.options.as_object_mut().unwrap().remove("rotate");
    let mut sink = setup.harness(state).opened();
    for _ in 0..4 {
        setup.clock.advance(Duration::from_secs(1));
        sink.commit().unwrap();
    }
    sink.close().unwrap();
    assert_eq!(layout(&setup), before);
}

#[test]
fn mistakes_in_the_options_are_told_together() {
    let options = json!({"path": "a/{x}/../%q", "max_open_files": 0, "path_default": "a/b"});
    let paths: Vec<_> = refusal(options).0.iter().map(|error| error.path.join(".")).collect();
    assert_eq!(paths, ["path", "max_open_files", "path_default", "path_default"]);
    assert_eq!(
        refusal(json!({"path": "a/{x}/../y"})).0[0].message,
        "`..` behind a field or a time"
    );
}

/// Without a checkpoint the events of an earlier run stay, whatever a journal says.
#[test]
fn a_start_without_checkpoint_cuts_nothing() {
    let setup = setup(json!({}));
    let mut sink = setup.open();
    sink.write_json(&[event("a", "1")]).unwrap();
    sink.close().unwrap();
    setup.open().write_json(&[event("a", "2")]).unwrap();
    assert_eq!(setup.files.text("/data/a.log"), "1\n2\n");
}

struct Checkpoint {
    state: Option<String>,
    events: usize,
}

fn deliver(setup: &Setup, events: &[Value], checkpoint: &mut Checkpoint) -> Result<(), SinkError> {
    let mut sink = setup.harness(checkpoint.state.clone());
    sink.open()?;
    sink.commit()?;
    checkpoint.state = sink.state();
    let mut next = checkpoint.events;
    for round in 0.. {
        if next == events.len() {
            break;
        }
        let end = (next + 1 + (next + round) % 5).min(events.len());
        sink.write_json(&events[next..end])?;
        next = end;
        if round % 3 == 2 || next == events.len() {
            setup.clock.advance(Duration::from_secs(1));
            sink.commit()?;
            *checkpoint = Checkpoint { state: sink.state(), events: next };
        }
    }
    Ok(())
}

fn check_every_call(options: &Value, seeds: std::ops::Range<u64>) {
    let events: Vec<Value> = (0..40)
        .map(|n| {
            event(
                ["a", "b", "c", "d"][n * n % 7 % 4],
                &format!("{n:02} {}", "x".repeat(n * 7 % 23)),
            )
        })
        .collect();
    let start = || Checkpoint { state: None, events: 0 };
    let reference = setup(options.clone());
    let calls = stop_at(&reference, u64::MAX);
    deliver(&reference, &events, &mut start()).unwrap();
    let expected = layout(&reference);
    for call in 0..calls.load(Ordering::Relaxed) {
        let mut stopped = setup(options.clone());
        stop_at(&stopped, call);
        let mut checkpoint = start();
        let _ = deliver(&stopped, &events, &mut checkpoint);
        stopped.files.heal();
        let powerless = seeds.clone().map(|seed| stopped.files.power_loss(seed));
        let survivors: Vec<_> = powerless.chain([stopped.files.crash()]).collect();
        for (survivor, files) in survivors.into_iter().enumerate() {
            stopped.files = files;
            let mut checkpoint =
                Checkpoint { state: checkpoint.state.clone(), events: checkpoint.events };
            deliver(&stopped, &events, &mut checkpoint).unwrap();
            assert_eq!(layout(&stopped), expected, "stopped at call {call}, survivor {survivor}");
        }
    }
}

#[test]
fn nothing_is_lost_torn_or_doubled_in_any_file_wherever_the_machine_stops() {
    check_every_call(&json!({}), 0..3);
    check_every_call(&json!({"max_open_files": 8}), 0..2);
}

#[test]
fn the_same_with_rotation() {
    check_every_call(&json!({"rotate": {"max_bytes": 64, "max_files": 100}}), 0..2);
}
