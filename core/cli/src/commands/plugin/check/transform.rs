//! The checks of a transform.

use std::time::{Duration, Instant};

use lograil_event::{AckStatus, Batch};
use lograil_plugin::testing::conformance::{self, AckLog};
use lograil_plugin::testing::{Emitted, TransformHarness, batch_of_lines};
use serde_json::Value;

use super::report::Verdict;
use super::subject::{Check, Subject, leaves_no_threads};

/// Events of a batch whose time is taken, and how long that goes on.
const MEASURED_EVENTS: usize = 1_000;
const MEASURED_FOR: Duration = Duration::from_millis(200);

/// Instances that work before and while threads are counted.
const WORKING_BEFORE: usize = 2;
const WORKING: usize = 10;

pub(super) fn checks(options: &Value) -> Vec<Check> {
    let names = conformance::corpus(options).into_iter().map(|(name, _)| name);
    let mut checks: Vec<Check> =
        names.map(|name| Check::new(name, move |subject| takes(subject, name))).collect();
    checks.push(Check::new("all of these, one after the other", takes_all));
    checks.push(Check::new("ended with work at hand", ends_at_any_time));
    checks.push(Check::new("no threads or files are left", leaves_nothing));
    checks.push(Check::new("cost", measure));
    checks
}

fn start(subject: &Subject) -> TransformHarness {
    TransformHarness::build(&subject.spec, subject.options.clone()).holds_back()
}

/// Every event of the batches comes out or is dropped with a reason, no acknowledgement is lost, and no call
/// fails. (A batch that breaks a rule makes its call fail.)
fn feed(subject: &Subject, batches: Vec<Batch>) -> Verdict {
    let log = AckLog::default();
    let mut harness = start(subject);
    for mut batch in batches {
        log.watch(&mut batch);
        let emitted = harness.feed(batch);
        deliver(subject, emitted);
        deliver(subject, harness.tick());
        // It may say nothing; it must return.
        let _state = harness.state();
    }
    deliver(subject, harness.flush());
    drop(harness);
    log.assert_all_resolved("at the end");
    Verdict::Passed
}

fn deliver(subject: &Subject, emitted: Emitted) {
    let failed_call = format!("plugin {}: ", subject.plugin);
    if let Some(why) =
        emitted.dead_letter_reasons().iter().find(|why| why.starts_with(&failed_call))
    {
        panic!("{}", &why[failed_call.len()..]);
    }
    for (_, mut batch) in emitted.batches {
        batch.take_acks().resolve(AckStatus::Delivered);
    }
}

fn takes(subject: &Subject, name: &str) -> Verdict {
    let corpus = conformance::corpus(&subject.options);
    feed(
        subject,
        corpus.into_iter().filter(|(one, _)| *one == name).map(|(_, batch)| batch).collect(),
    )
}

fn takes_all(subject: &Subject) -> Verdict {
    let corpus = conformance::corpus(&subject.options);
    feed(subject, corpus.into_iter().map(|(_, batch)| batch).collect())
}

/// An instance may go at any time, with events that it holds back.
fn ends_at_any_time(subject: &Subject) -> Verdict {
    drop(start(subject));
    let mut harness = start(subject);
    deliver(subject, harness.feed_lines(&["one", "two"]));
    drop(harness);
    Verdict::Passed
}

fn leaves_nothing(subject: &Subject) -> Verdict {
    leaves_no_threads(WORKING_BEFORE, WORKING, || {
        let mut harness = start(subject);
        deliver(subject, harness.feed_lines(&["one", "two"]));
        deliver(subject, harness.flush());
        Ok(())
    })
}

fn measure(subject: &Subject) -> Verdict {
    let lines: Vec<String> =
        (0..MEASURED_EVENTS).map(|at| format!("GET /item/{at} took {at} ms")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let mut harness = start(subject);
    let (mut events, mut spent) = (0, Duration::ZERO);
    while spent < MEASURED_FOR {
        let batch = batch_of_lines(&lines);
        let begun = Instant::now();
        let emitted = harness.feed(batch);
        spent += begun.elapsed();
        events += MEASURED_EVENTS;
        deliver(subject, emitted);
    }
    deliver(subject, harness.flush());
    Verdict::Measured(spent.as_nanos() as f64 / events as f64)
}
