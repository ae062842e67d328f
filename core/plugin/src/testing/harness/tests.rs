//! Each harness is held against a small component that behaves, or does not.

use std::path::Path;
use std::time::Duration;

use crate::fs::Open;
use crate::{
    BoxFuture, Delivery, File, Outputs, Port, PositionUpdate, Sink, SinkContext, SinkError, Source,
    SourceContext, SourceError, Transform,
};
use lograil_event::Batch;
use serde_json::json;

use super::*;
use crate::testing::batches::{batch_of_lines, lines_of};
use crate::testing::sim::SimFiles;

/// Sends one numbered line a second, from the position on, up to `last`.
struct Ticker {
    last: u32,
}

impl Source for Ticker {
    fn run(
        self: Box<Self>,
        mut context: SourceContext,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let from = context.positions.get("ticks").and_then(|text| text.parse().ok());
            for number in from.unwrap_or(0)..self.last {
                let positions = vec![PositionUpdate {
                    stream: "ticks".into(),
                    position: Some((number + 1).to_string()),
                }];
                let batch = batch_of_lines(&[&number.to_string()]);
                if context.output.send(batch, positions).await.is_err() {
                    return Err(SourceError::Failed("closed".into()));
                }
                let sleep = context.clock.sleep(Duration::from_secs(1));
                tokio::select! {
                    () = sleep => {}
                    () = context.shutdown.requested() => return Ok(()),
                }
            }
            Ok(())
        })
    }
}

#[test]
fn a_source_runs_by_the_clock_of_the_test() {
    let mut harness = SourceHarness::builder(Box::new(Ticker { last: 3 })).start();
    assert_eq!(harness.next_sent().events(), [json!({"message": "0"})]);
    assert!(harness.try_next().is_none());
    harness.advance(Duration::from_millis(999));
    assert!(harness.try_next().is_none());
    assert_eq!(harness.advance_to_next_sleep(), Duration::from_millis(1));
    assert_eq!(harness.next_sent().lines(), [b"1"]);
    assert_eq!(harness.next_events(1), [json!({"message": "2"})]);
    assert!(!harness.has_ended());
    harness.advance(Duration::from_secs(1));
    assert!(harness.has_ended());
    assert_eq!(harness.finish(), Ok(()));
    assert_eq!(harness.lines(), [b"0", b"1", b"2"]);
}

#[test]
fn a_source_restarts_from_the_positions_that_were_acknowledged() {
    let mut first = SourceHarness::builder(Box::new(Ticker { last: 9 })).start();
    assert_eq!(first.next_lines(3), [b"0", b"1", b"2"]);
    assert_eq!(first.stop(), Ok(()));
    assert!(first.acknowledged_positions(0).is_empty());
    let positions = first.acknowledged_positions(2);
    let second = SourceHarness::builder(Box::new(Ticker { last: 9 })).positions(positions);
    assert_eq!(second.start().next_lines(2), [b"2", b"3"]);
}

#[test]
fn sends_wait_while_the_output_is_held_and_fail_when_it_is_closed() {
    let mut harness = SourceHarness::builder(Box::new(Ticker { last: 9 })).held().start();
    assert!(harness.is_waiting());
    assert!(harness.sent().is_empty());
    harness.release();
    assert_eq!(harness.next_sent().lines(), [b"0"]);
    harness.close();
    harness.advance(Duration::from_secs(1));
    assert_eq!(harness.finish(), Err("closed".into()));
}

#[test]
fn a_source_on_its_own_thread_is_waited_for() {
    let mut harness = SourceHarness::builder(Box::new(Ticker { last: 3 })).on_own_thread().start();
    assert_eq!(harness.next_lines(3), [b"0", b"1", b"2"]);
    assert_eq!(harness.stop(), Ok(()));
}

struct Panics;

impl Source for Panics {
    fn run(self: Box<Self>, _: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async { panic!("on purpose") })
    }
}

#[test]
#[should_panic(expected = "the source panicked")]
fn a_source_that_panics_is_not_waited_for() {
    let _sent = SourceHarness::builder(Box::new(Panics)).start().next_sent();
}

#[test]
#[should_panic(expected = "the source ended after 3 events")]
fn a_source_that_ends_too_soon_is_not_waited_for() {
    let _lines = SourceHarness::builder(Box::new(Ticker { last: 3 })).start().next_lines(4);
}

/// Drops lines that start with `#`, refuses empty ones, and loses `lost`.
struct Picky;

impl Transform for Picky {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let lines = lines_of(&batch);
        out.discard("comment", batch.retain(|index| !lines[index].starts_with(b"#")));
        let lines = lines_of(&batch);
        if let Some(empty) = batch.split_off_where(|index| lines[index].is_empty()) {
            out.dead_letter(empty, |_| "empty");
        }
        let lines = lines_of(&batch);
        batch.retain(|index| lines[index] != b"lost");
        out.emit(batch);
    }
}

#[test]
fn a_transform_s_outputs_are_told_apart() {
    let mut harness = TransformHarness::new(Box::new(Picky));
    let emitted = harness.feed_lines(&["a", "# b", "", "c"]);
    assert_eq!(emitted.main(), [json!({"message": "a"}), json!({"message": "c"})]);
    assert_eq!(emitted.discarded, [("comment", 1)]);
    assert_eq!(emitted.dead_letter_reasons(), ["empty"]);
    assert!(emitted.on(Port(1)).is_empty());
    assert!(harness.flush().batches.is_empty());
}

#[test]
#[should_panic(expected = "events fed, and events emitted")]
fn a_lost_event_breaks_the_ledger() {
    TransformHarness::new(Box::new(Picky)).feed_lines(&["a", "lost"]);
}

#[derive(Default)]
struct Appender {
    file: Option<Box<dyn File>>,
    end: u64,
}

impl Sink for Appender {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let path = context.base_dir.join("out");
            let file = context.files.open(&path, Open::Create);
            let file = file.map_err(|error| SinkError::Fatal(error.to_string()))?;
            self.end = context.state.and_then(|state| state.parse().ok()).unwrap_or(0);
            self.file = Some(file);
            Ok(())
        })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            let text = lines_of(batch).concat();
            let file = self.file.as_ref().ok_or_else(|| SinkError::Fatal("not open".into()))?;
            let written = file.write_all_at(&text, self.end);
            written.map_err(|error| SinkError::retry(error.to_string()))?;
            self.end += text.len() as u64;
            Ok(Delivery { bytes: text.len() as u64, rejected: Vec::new() })
        })
    }

    fn state(&self) -> Option<String> {
        Some(self.end.to_string())
    }
}

#[test]
fn a_sink_writes_to_the_files_of_the_test_and_goes_on_from_its_state() {
    let files = SimFiles::new();
    files.mkdir("/base");
    let harness = || {
        SinkHarness::new(Box::new(Appender::default()))
            .with_files(files.shared())
            .with_base_dir(Path::new("/base"))
    };
    assert!(harness().with_base_dir("/missing").open().is_err());
    let mut first = harness().opened();
    assert_eq!(first.write_lines(&["ab", "c"]).unwrap().bytes, 3);
    let state = first.state();
    first.write_json(&[json!({"message": "lost"})]).unwrap();
    let mut second = harness().with_state(state).opened();
    second.write_lines(&["d"]).unwrap();
    second.commit().unwrap();
    second.close().unwrap();
    assert_eq!(files.text("/base/out"), "abcdost");
}
