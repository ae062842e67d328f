//! Whether what was read behind a checkpoint can be read again.

use std::io::Write;
use std::time::Duration;

use lograil_plugin::{ComponentMetrics, SourceStart};
use serde_json::json;

use super::{Rig, source};

impl Rig {
    /// What a start from the last positions says is missing.
    fn missing(&self) -> Option<String> {
        let start = SourceStart {
            id: "in".into(),
            clock: self.clock.shared(),
            files: self.files.shared(),
            positions: self.positions.clone(),
            once: false,
            metrics: ComponentMetrics::detached(),
        };
        source(&self.options).can_replay(&start).err()
    }

    /// Ends as a kill does, with all that was sent in the checkpoint.
    fn kill(&mut self) {
        self.positions = self.harness().all_positions();
        self.harness = None;
    }
}

/// More of them than a file is recognised by.
fn long() -> String {
    (0..300).map(|n| format!("line {n}\n")).collect()
}

/// `/logs/app.log` with a checkpoint at its end, and lines behind that.
fn followed(include: &str, content: &str) -> Rig {
    let mut rig = Rig::new(json!({ "include": [include] }));
    rig.files.write("/logs/app.log", content);
    rig.start().pass_a_while();
    rig.kill();
    rig.files.append("/logs/app.log", "behind\n");
    rig
}

#[test]
fn a_file_that_is_there_or_was_renamed_can_be_read_again() {
    for include in ["/logs/app.log", "/logs/app.log*"] {
        let rig = followed(include, "one\n");
        assert_eq!(rig.missing(), None);
        rig.files.mv("/logs/app.log", "/logs/app.log.1");
        assert_eq!(rig.missing(), None);
        rig.files.write("/logs/app.log", "new\n");
        assert_eq!(rig.missing(), None, "{include}");
        rig.files.rm("/logs/app.log.1");
        let missing = rig.missing().unwrap();
        assert_eq!(missing, "/logs/app.log is gone, or another file is in its place", "{include}");
    }
}

#[test]
fn a_file_that_was_truncated_or_deleted_cannot() {
    let rig = followed("/logs/app.log*", "one\n");
    rig.files.truncate("/logs/app.log", 0);
    let truncated = "/logs/app.log was truncated to 0 bytes; 4 bytes of it were read";
    assert_eq!(rig.missing().unwrap(), truncated);
    rig.files.append("/logs/app.log", "other and longer\n");
    assert_eq!(rig.missing().unwrap(), "/logs/app.log does not hold any more what was read of it");
    rig.files.rm("/logs/app.log");
    assert!(rig.missing().unwrap().contains("is gone"));
}

#[test]
fn a_copy_that_is_read_has_what_was_truncated() {
    for (include, is_there) in [("/logs/app.log*", true), ("/logs/app.log", false)] {
        let rig = followed(include, "one\n");
        rig.files.write("/logs/app.log.1", "one\nbehind\n");
        rig.files.truncate("/logs/app.log", 0);
        assert_eq!(rig.missing().is_none(), is_there, "{include}");
    }
}

#[test]
fn what_was_packed_can_be_read_again() {
    let mut rig = followed("/logs/app.log*", &long());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all((long() + "behind\n").as_bytes()).unwrap();
    rig.files.write("/logs/app.log.1.gz", encoder.finish().unwrap());
    rig.files.rm("/logs/app.log");
    rig.clock.advance(Duration::from_secs(3));
    assert_eq!(rig.missing(), None);
    assert_eq!(rig.start().next_lines(), ["behind"]);
    rig.kill();
    assert_eq!(rig.missing(), None);
    rig.files.rm("/logs/app.log.1.gz");
    assert!(rig.missing().is_some());
}

/// What a source that runs has seen end is read no more, so that it does not matter at later starts.
#[test]
fn what_ended_before_the_checkpoint_is_not_missing() {
    type Change = fn(&Rig);
    let changes: [Change; 3] = [
        |rig| rig.files.truncate("/logs/app.log", 0),
        |rig| rig.files.rm("/logs/app.log"),
        |rig| {
            rig.files.mv("/logs/app.log", "/logs/old");
            rig.files.write("/logs/app.log", "new\n");
        },
    ];
    for change in changes {
        // While it is followed.
        let mut rig = followed("/logs/app.log", "one\n");
        rig.start().pass_a_while();
        change(&rig);
        // Longer than `rotate_wait`.
        rig.pass(Duration::from_secs(40));
        rig.kill();
        if rig.files.exists("/logs/old") {
            rig.files.rm("/logs/old");
        }
        assert_eq!(rig.missing(), None);
        // And while nobody looks.
        let mut rig = followed("/logs/app.log", "one\n");
        change(&rig);
        if rig.files.exists("/logs/old") {
            rig.files.rm("/logs/old");
        }
        assert!(rig.missing().is_some());
        rig.start().pass_a_while();
        rig.kill();
        assert_eq!(rig.missing(), None);
    }
}

#[test]
fn a_file_that_comes_back_is_read_on_and_counts_again() {
    let mut rig = followed("/logs/app.log", "one\n");
    rig.files.mv("/logs/app.log", "/elsewhere");
    rig.start().pass_a_while();
    rig.files.mv("/elsewhere", "/logs/app.log");
    assert_eq!(rig.next_lines(), ["behind"]);
    rig.kill();
    assert_eq!(rig.missing(), None);
    rig.files.truncate("/logs/app.log", 0);
    assert!(rig.missing().is_some());
}
