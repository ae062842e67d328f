//! The checks of a sink.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lograil_event::Batch;
use lograil_plugin::testing::{SinkHarness, batch_of_lines, conformance};
use lograil_plugin::{Build, Delivery, Options, SinkError, SystemFiles};
use serde_json::Value;

use super::report::Verdict;
use super::subject::{Check, Subject, leaves_no_threads, words};

/// Events of a batch whose time is taken, and how long that goes on.
const MEASURED_EVENTS: usize = 1_000;
const MEASURED_FOR: Duration = Duration::from_millis(200);

/// Batches written without a pause.
const MANY: usize = 50;

/// Instances that work before and while threads are counted.
const WORKING_BEFORE: usize = 2;
const WORKING: usize = 5;

pub(super) fn checks(options: &Value) -> Vec<Check> {
    let names = conformance::corpus(options).into_iter().map(|(name, _)| name);
    let mut checks: Vec<Check> = names
        .map(|name| {
            Check::new(name, move |subject| with_open(subject, |sink| takes(subject, sink, name)))
        })
        .collect();
    checks.push(Check::new("many batches, then again from its state", |subject| {
        with_open(subject, |sink| goes_on(subject, sink))
    }));
    checks.push(Check::new("stopped during a call", |subject| {
        with_open(subject, |sink| stops_during_a_call(subject, sink))
    }));
    checks.push(Check::new("no threads or files are left", leaves_nothing));
    checks.push(Check::new("cost", |subject| with_open(subject, measure)));
    checks
}

type Outcome = Result<Option<f64>, String>;

fn harness(subject: &Subject) -> Result<SinkHarness, String> {
    let Build::Sink(build) = subject.spec.build else { return Err("it is no sink".to_owned()) };
    let sink = build(&Options(subject.options.clone())).map_err(|errors| words(&errors))?;
    let here = std::env::current_dir().map_err(|error| error.to_string())?;
    Ok(SinkHarness::new(sink).with_files(Arc::new(SystemFiles)).with_base_dir(here))
}

fn opened(subject: &Subject) -> Result<SinkHarness, Verdict> {
    let mut harness = harness(subject).map_err(Verdict::Failed)?;
    match harness.open() {
        Ok(()) => Ok(harness),
        Err(error) if breaks_rules(&error.to_string()) => Err(Verdict::Failed(error.to_string())),
        // It says itself that it cannot work here: a server that is not there.
        Err(error) => Err(Verdict::Skipped(format!("it cannot be opened here: {error}"))),
    }
}

fn breaks_rules(why: &str) -> bool {
    why.contains("broke the rules") || why.contains("panicked")
}

fn with_open(subject: &Subject, work: impl FnOnce(SinkHarness) -> Outcome) -> Verdict {
    match opened(subject).map(work) {
        Err(verdict) => verdict,
        Ok(Ok(None)) => Verdict::Passed,
        Ok(Ok(Some(ns))) => Verdict::Measured(ns),
        Ok(Err(why)) => Verdict::Failed(why),
    }
}

fn close(harness: SinkHarness) -> Outcome {
    harness.close().map_err(|error| format!("close: {error}"))?;
    Ok(None)
}

fn write(harness: &mut SinkHarness, batch: &Batch) -> Result<Delivery, String> {
    harness.write(batch).map_err(|error| format!("write: {error}"))
}

fn commit(harness: &mut SinkHarness) -> Result<(), String> {
    harness.commit().map_err(|error| format!("commit: {error}"))
}

/// Takes a batch: all of it, but for what it rejects with a reason.
fn takes(subject: &Subject, mut sink: SinkHarness, name: &str) -> Outcome {
    let corpus = conformance::corpus(&subject.options);
    for (_, batch) in corpus.into_iter().filter(|(one, _)| *one == name) {
        let delivery = write(&mut sink, &batch)?;
        if delivery.rejected.iter().any(|one| one.reason.trim().is_empty()) {
            return Err("an event is rejected without a reason".to_owned());
        }
        if !delivery.rejected.is_sorted_by(|one, next| one.event < next.event) {
            return Err("rejected events come in their order, each once".to_owned());
        }
    }
    commit(&mut sink)?;
    close(sink)
}

fn goes_on(subject: &Subject, mut sink: SinkHarness) -> Outcome {
    for _ in 0..MANY {
        write(&mut sink, &batch_of_lines(&["one", "two"]))?;
    }
    commit(&mut sink)?;
    let state = sink.state();
    commit(&mut sink)?;
    if sink.state() != state {
        return Err("a commit without a write changes its state".to_owned());
    }
    close(sink)?;
    let mut again = harness(subject)?.with_state(state);
    again.open().map_err(|error| format!("open from its own state: {error}"))?;
    write(&mut again, &batch_of_lines(&["three"]))?;
    commit(&mut again)?;
    close(again)
}

/// Nobody waits for the write any more, and the instance is ended.
fn stops_during_a_call(subject: &Subject, mut sink: SinkHarness) -> Outcome {
    sink.begin_write(&batch_of_lines(&["one"]));
    drop(sink);
    // What it left half done must not keep the next one from its work.
    let mut next = harness(subject)?;
    next.open().map_err(|error: SinkError| format!("open afterwards: {error}"))?;
    close(next)
}

fn leaves_nothing(subject: &Subject) -> Verdict {
    if let Err(verdict) = opened(subject).map(drop) {
        return verdict;
    }
    leaves_no_threads(WORKING_BEFORE, WORKING, || {
        let mut sink = opened(subject).map_err(|_| "it does not open again".to_owned())?;
        write(&mut sink, &batch_of_lines(&["one"]))?;
        commit(&mut sink)?;
        close(sink).map(drop)
    })
}

fn measure(mut sink: SinkHarness) -> Outcome {
    let lines: Vec<String> =
        (0..MEASURED_EVENTS).map(|at| format!("GET /item/{at} took {at} ms")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let batch = batch_of_lines(&lines);
    let (mut events, begun) = (0, Instant::now());
    while begun.elapsed() < MEASURED_FOR {
        write(&mut sink, &batch)?;
        events += MEASURED_EVENTS;
    }
    commit(&mut sink)?;
    let spent = begun.elapsed();
    close(sink)?;
    Ok(Some(spent.as_nanos() as f64 / events as f64))
}
