//! The file sink on a simulated file system.

mod crash;
mod faults;
mod header;
mod many;
mod options;
mod others;
mod packing;
mod random;
mod restart;
mod rotation;

use lograil_plugin::{Build, ComponentMetrics, MetricsRegistry, Options, Sink};
use lograil_testkit::{ManualClock, SimFiles, SinkHarness};
use serde_json::{Value, json};

use super::SPEC;

const PATH: &str = "/data/out.log";

/// What one run of the sink is given.
#[derive(Clone)]
struct Setup {
    files: SimFiles,
    clock: ManualClock,
    options: Value,
    registry: MetricsRegistry,
}

impl Setup {
    fn new(options: Value) -> Self {
        let clock = ManualClock::new();
        let files = SimFiles::with_clock(clock.shared());
        files.mkdir("/data");
        let mut all = json!({"path": PATH, "encoding": {"codec": "raw"}});
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), options) {
            all.extend(more);
        }
        Self { files, clock, options: all, registry: MetricsRegistry::default() }
    }

    fn metrics(&self) -> ComponentMetrics {
        self.registry.component("archive", "sink", "file")
    }

    fn counter(&self, name: &str) -> u64 {
        self.metrics().counter(name, "").get()
    }

    fn harness(&self, state: Option<String>) -> SinkHarness {
        SinkHarness::new(build(&self.options))
            .with_files(self.files.shared())
            .with_clock(&self.clock)
            .with_metrics(self.metrics())
            .with_state(state)
    }

    fn open(&self) -> SinkHarness {
        self.harness(None).opened()
    }

    fn text(&self) -> String {
        self.files.text(PATH)
    }

    fn backup(&self, slot: u32) -> String {
        self.files.text(format!("{PATH}.{slot}"))
    }

    /// Names and contents of all files, from the file itself to the oldest backup.
    fn layout(&self) -> Vec<(String, String)> {
        let files = self.files.list();
        let text = |path| String::from_utf8_lossy(&self.files.content(path)).into_owned();
        files.iter().map(|path| (path.display().to_string(), text(path))).collect()
    }
}

fn build(options: &Value) -> Box<dyn Sink> {
    let Build::Sink(build) = SPEC.build else { panic!("it is a sink") };
    build(&Options(options.clone())).unwrap()
}

fn refusal(options: Value) -> lograil_plugin::ConfigErrors {
    let Build::Sink(build) = SPEC.build else { panic!("it is a sink") };
    build(&Options(options)).err().expect("the options are refused")
}

#[test]
fn appends_events_as_lines_and_counts_their_bytes() {
    let setup = Setup::new(json!({}));
    setup.files.write(PATH, "old\n");
    let mut sink = setup.open();
    assert_eq!(sink.write_lines(&["one", "two"]).unwrap().bytes, 8);
    assert_eq!(sink.write_lines(&["three"]).unwrap().bytes, 6);
    sink.close().unwrap();
    assert_eq!(setup.text(), "old\none\ntwo\nthree\n");
    assert_eq!(setup.metrics().gauge("file_bytes", "").get(), 18);
}

#[test]
fn commit_makes_content_and_name_durable() {
    let setup = Setup::new(json!({"path": "/data/new/dir/out.log"}));
    let mut sink = setup.open();
    sink.write_lines(&["kept"]).unwrap();
    sink.commit().unwrap();
    for seed in 0..50 {
        let after = setup.files.power_loss(seed);
        assert_eq!(after.text("/data/new/dir/out.log"), "kept\n", "seed {seed}");
    }
}

#[test]
fn fsync_never_syncs_nothing() {
    let setup = Setup::new(json!({"fsync": "never"}));
    let mut sink = setup.open();
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    assert_eq!(setup.files.count(lograil_testkit::SimOperation::Sync), 0);
    assert_eq!(setup.files.count(lograil_testkit::SimOperation::SyncDir), 0);
    assert_eq!(setup.text(), "one\n");
}

#[test]
fn ends_a_line_that_others_left_open() {
    let setup = Setup::new(json!({}));
    setup.files.write(PATH, "torn");
    setup.open().write_lines(&["whole"]).unwrap();
    assert_eq!(setup.text(), "torn\nwhole\n");
}

#[test]
fn works_on_the_machines_files_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("logs/out.log");
    let options = json!({
        "path": "logs/out.log",
        "base_dir": ".",
        "encoding": {"codec": "raw"},
        "rotate": {"max_bytes": 8, "max_files": 2},
    });
    let start = |state| {
        let sink = SinkHarness::new(build(&options)).with_base_dir(directory.path());
        sink.with_files(std::sync::Arc::new(lograil_plugin::SystemFiles)).with_state(state).opened()
    };
    let mut sink = start(None);
    sink.write_lines(&["one"]).unwrap();
    sink.commit().unwrap();
    let state = sink.state();
    sink.write_lines(&["two", "three", "four"]).unwrap();
    drop(sink);
    let mut sink = start(state);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
    sink.write_lines(&["two", "three", "four"]).unwrap();
    sink.close().unwrap();
    let text = |name: &str| std::fs::read_to_string(path.with_file_name(name)).unwrap();
    assert_eq!(
        [text("out.log"), text("out.log.1"), text("out.log.2")],
        ["four\n", "three\n", "one\ntwo\n"]
    );
}

#[test]
fn a_batch_of_unusual_size_leaves_no_memory_behind() {
    let setup = Setup::new(json!({}));
    let mut sink = setup.open();
    let line = "x".repeat(6 << 20);
    sink.write_lines(&[&line]).unwrap();
    sink.write_lines(&["small"]).unwrap();
    assert_eq!(setup.text().len(), line.len() + 1 + 6);
    let mut buffer = line.into_bytes();
    crate::encoding::shrink(&mut buffer);
    assert!(buffer.capacity() <= 4 << 20);
}
