//! The `file` source on simulated files and a clock that tests move; a few on a real directory.

mod charset;
mod content;
mod follow;
mod limits;
mod multiline;
mod packed;
mod real;
mod replay;
mod restart;
mod rotation;
mod simulation;

use std::collections::BTreeMap;
use std::time::Duration;

use lograil_plugin::{Build, Options, Source};
use lograil_testkit::{ManualClock, SimFiles, SourceHarness};
use serde_json::{Value, json};

use super::SPEC;

/// A file system, a clock and a source that runs on them, and can be stopped and started again.
pub(super) struct Rig {
    pub(super) files: SimFiles,
    pub(super) clock: ManualClock,
    pub(super) options: Value,
    pub(super) harness: Option<SourceHarness>,
    pub(super) positions: BTreeMap<String, String>,
    seen: usize,
}

pub(super) fn source(options: &Value) -> Box<dyn Source> {
    let Build::Source(build) = SPEC.build else { panic!("file is a source") };
    build(&Options(options.clone())).unwrap_or_else(|errors| panic!("{errors:?}"))
}

impl Rig {
    pub(super) fn new(options: Value) -> Self {
        let clock = ManualClock::new();
        Self {
            files: SimFiles::with_clock(clock.shared()),
            clock,
            options,
            harness: None,
            positions: BTreeMap::new(),
            seen: 0,
        }
    }

    /// Follows `/logs/app.log*`.
    pub(super) fn app() -> Self {
        Self::new(json!({ "include": ["/logs/app.log*"] }))
    }

    pub(super) fn start(&mut self) -> &mut Self {
        let harness = SourceHarness::builder(source(&self.options))
            .files(self.files.shared())
            .clock(&self.clock)
            .positions(self.positions.clone())
            .start();
        harness.settle();
        self.harness = Some(harness);
        self.seen = 0;
        self
    }

    pub(super) fn harness(&mut self) -> &mut SourceHarness {
        self.harness.as_mut().unwrap()
    }

    /// Lets time pass, as the source sleeps.
    pub(super) fn pass(&mut self, period: Duration) -> &mut Self {
        let mut passed = Duration::ZERO;
        while passed < period {
            passed += self.harness().advance_to_next_sleep();
        }
        self
    }

    /// Long enough for a scan and a few rounds.
    pub(super) fn pass_a_while(&mut self) -> &mut Self {
        self.pass(Duration::from_millis(2500))
    }

    /// The lines since this was last asked.
    pub(super) fn new_lines(&mut self) -> Vec<String> {
        let lines = self.harness().lines();
        let new = lines[self.seen..].iter().map(|line| String::from_utf8_lossy(line).into_owned());
        let new = new.collect();
        self.seen = lines.len();
        new
    }

    /// What comes when a while passes.
    pub(super) fn next_lines(&mut self) -> Vec<String> {
        self.pass_a_while();
        self.new_lines()
    }

    /// Stops; everything that was sent counts as acknowledged.
    pub(super) fn stop(&mut self) -> Vec<String> {
        let lines = self.new_lines();
        let harness = self.harness();
        harness.stop().unwrap();
        let positions = harness.all_positions();
        self.positions = positions;
        self.harness = None;
        lines
    }

    /// Runs to the end of the files as they are.
    pub(super) fn once(&mut self) -> Vec<String> {
        let mut harness = SourceHarness::builder(source(&self.options))
            .files(self.files.shared())
            .clock(&self.clock)
            .positions(self.positions.clone())
            .once()
            .start();
        harness.finish().unwrap();
        self.positions = harness.all_positions();
        harness.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }
}
