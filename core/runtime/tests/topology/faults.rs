//! Topologies in which a component fails, crashes or is away: what ends, what goes on, what is kept.

use crate::fakes::{
    Crashes, FailsAfter, Fake, Faults, Lines, Multiplies, Refuses, blocking, keep, lines, plan,
    store,
};
use crate::{Shared, numbered, options, run, seams};
use lograil_runtime::{Outcome, Running, Seams};
use lograil_testkit::{ManualClock, SimFiles};

fn endless(count: u64) -> Fake {
    Fake::Source(Box::new(move || {
        Box::new(Lines { count, per_batch: 1, replays: true, endless: true })
    }))
}

/// Runs a plan while time stands still, so that nothing is given up because it is slow. How it ended, and how
/// many events the first component has read.
async fn run_without_time(plan: lograil_config::Plan) -> (Outcome, u64) {
    let (_dir, options) = options();
    let seams = Seams { clock: ManualClock::new().shared(), ..seams(&SimFiles::new()) };
    let mut running = Running::start(plan, options, seams).await.unwrap();
    let observer = running.observer();
    running.wait().await;
    (running.finish().await, observer.status().components[0].ledger.received)
}

const CRASHED: &str = "the component crashed, which is a bug in it: a bug";

/// The peer of a stateful sink is away at the start: what it stores later belongs to the checkpoint all the
/// same, or the next start would cut it off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sink_that_opens_late_keeps_what_it_stored() {
    let disk = Shared::default();
    let files = SimFiles::new();
    let (_dir, options) = options();
    for (start, open_failures) in [(1, 0), (2, 3), (3, 0), (4, 1)] {
        let faults = Faults { open_failures, ..Faults::default() };
        let plan =
            plan(vec![("in", lines(100 * start, 7), &[]), ("out", store(&disk, faults), &["in"])]);
        let mut running = Running::start(plan, options.clone(), seams(&files)).await.unwrap();
        running.wait().await;
        assert!(running.finish().await.is_clean());
        assert_eq!(disk.lock().unwrap().lines, numbered(0..100 * start), "start {start}");
    }
}

/// For a time the same sink is fed by a source that does not replay: it writes on, untracked. The state from
/// before must not come back when the sink is tracked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_untracked_is_not_cut_off_later() {
    let disk = Shared::default();
    let files = SimFiles::new();
    let (_dir, options) = options();
    let mut wanted = Vec::new();
    for (count, is_mixed) in [(50, false), (60, true), (70, false)] {
        let mut components: Vec<(&str, Fake, &[&str])> = vec![("in", lines(count, 7), &[])];
        let other = || Box::new(Lines { count: 5, per_batch: 5, replays: false, endless: false });
        if is_mixed {
            components.push(("other", Fake::Source(Box::new(move || other())), &[]));
        }
        let inputs: &[&str] = if is_mixed { &["in", "other"] } else { &["in"] };
        components.push(("out", store(&disk, Faults::default()), inputs));
        let mut running =
            Running::start(plan(components), options.clone(), seams(&files)).await.unwrap();
        running.wait().await;
        assert!(running.finish().await.is_clean());
        wanted.extend(numbered(count - if count == 50 { 50 } else { 10 }..count));
        wanted.extend(if is_mixed { numbered(0..5) } else { Vec::new() });
    }
    let mut lines = disk.lock().unwrap().lines.clone();
    lines.sort();
    wanted.sort();
    assert_eq!(lines, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_ends_the_topology_and_names_the_component() {
    for threads in [&[][..], &["in", "out", "bad"][..]] {
        let disk = Shared::default();
        let crashes = Fake::Transform(Box::new(|| Box::new(Crashes { at: "9" })));
        let transform = plan(vec![
            ("in", endless(1000), &[]),
            ("good", keep("line", "x"), &["in"]),
            ("bad", crashes, &["good"]),
            ("out", store(&disk, Faults::default()), &["bad"]),
        ]);
        let (outcome, _) = run_without_time(blocking(transform, threads)).await;
        assert_eq!(outcome.failures, [("bad".to_owned(), CRASHED.to_owned())]);
        assert!(outcome.undelivered_batches > 0);
        assert_eq!(disk.lock().unwrap().lines, numbered(0..9));

        let faults = Faults { panics_after: Some(4), ..Faults::default() };
        let sink = plan(vec![("in", endless(1000), &[]), ("out", store(&disk, faults), &["in"])]);
        let (outcome, _) = run_without_time(blocking(sink, threads)).await;
        assert_eq!(outcome.failures, [("out".to_owned(), CRASHED.to_owned())]);
    }
}

#[tokio::test]
async fn a_transform_that_does_not_start_is_named_before_anything_is_read() {
    let disk = Shared::default();
    let refuses = Fake::Transform(Box::new(|| Box::new(Refuses)));
    let topology = plan(vec![
        ("in", lines(10, 1), &[]),
        ("table", refuses, &["in"]),
        ("out", store(&disk, Faults::default()), &["table"]),
    ]);
    let (_dir, options) = options();
    let Err(error) = Running::start(topology, options, seams(&SimFiles::new())).await else {
        panic!("it starts");
    };
    let said = error.to_string();
    assert!(said.contains("table") && said.contains("the table is missing"), "{said}");
    assert!(disk.lock().unwrap().lines.is_empty());
}

/// One of two sinks behind a chain goes; the other gets all that was read until the sources stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_sink_gets_all_that_was_read() {
    for faults in [
        Faults { closes_after: Some(1), ..Faults::default() },
        Faults { fails_after: Some(1), ..Faults::default() },
        Faults { panics_after: Some(1), ..Faults::default() },
    ] {
        let (gone, other) = (Shared::default(), Shared::default());
        let plan = plan(vec![
            ("in", endless(5000), &[]),
            ("chain", keep("line", "x"), &["in"]),
            ("gone", store(&gone, faults), &["chain"]),
            ("other", store(&other, Faults::default()), &["chain"]),
        ]);
        let (_, read) = run_without_time(plan).await;
        assert!(other.lock().unwrap().lines == numbered(0..read), "{read}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_ends_the_topology_though_a_sink_tries_for_ever() {
    let disk = Shared::default();
    for faults in [
        Faults { write_failures: u64::MAX, ..Faults::default() },
        Faults { open_failures: u64::MAX, ..Faults::default() },
    ] {
        let source = Fake::Source(Box::new(|| Box::new(FailsAfter { after: 3 })));
        let (outcome, _) =
            run(plan(vec![("in", source, &[]), ("out", store(&disk, faults), &["in"])])).await;
        assert_eq!(outcome.failures, [("in".to_owned(), "broken".to_owned())]);
        assert_eq!(outcome.undelivered_batches, 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_a_transform_makes_are_in_the_ledger() {
    let disk = Shared::default();
    let multiply = Fake::Transform(Box::new(|| Box::new(Multiplies { copies: 3 })));
    let (outcome, status) = run(plan(vec![
        ("in", lines(100, 7), &[]),
        ("triple", multiply, &["in"]),
        ("out", store(&disk, Faults::default()), &["triple"]),
    ]))
    .await;
    assert!(outcome.is_clean());
    let triple = &status.components[1];
    assert_eq!((triple.ledger.created, triple.ledger.sent), (200, 300));
    assert!(status.components.iter().all(|component| component.in_flight_events == 0));
    assert_eq!(disk.lock().unwrap().lines.len(), 300);
}

/// What a scrape of a topology must have, under names that `promtool check metrics` takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_has_the_metrics_of_the_topology_and_its_components() {
    let disk = Shared::default();
    let (_dir, options) = options();
    let seams = seams(&SimFiles::new());
    let registry = seams.metrics.clone();
    let plan = plan(vec![
        ("in", lines(100, 7), &[]),
        ("half", keep("1", "x"), &["in"]),
        ("out", store(&disk, Faults::default()), &["half"]),
    ]);
    let mut running = Running::start(plan, options, seams).await.unwrap();
    let observer = running.observer();
    running.wait().await;
    running.finish().await;
    observer.sample();
    observer.sample_buffers();
    let families = registry.registry().gather();
    let find = |name: &str| families.iter().find(|family| family.name() == name);
    for (name, metrics) in [
        ("lograil_build_info", 1),
        ("lograil_uptime_seconds", 1),
        ("lograil_in_flight_batches", 1),
        ("lograil_checkpoint_age_seconds", 1),
        ("lograil_component_utilization", 2),
        ("lograil_component_buffer_bytes", 2),
        ("lograil_component_buffer_max_bytes", 2),
        ("lograil_component_received_events_total", 3),
        ("lograil_component_sent_events_total", 3),
        ("lograil_component_discarded_events_total", 1),
        ("lograil_component_delivery_seconds", 1),
    ] {
        let family = find(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(family.get_metric().len(), metrics, "{name}");
    }
    let delivery = find("lograil_component_delivery_seconds").unwrap().get_metric();
    assert_eq!(delivery[0].get_histogram().get_sample_count(), 100_u64.div_ceil(7));
    for family in &families {
        let is_counter = family.name().ends_with("_total");
        let is_typed_so = family.get_field_type() == prometheus::proto::MetricType::COUNTER;
        assert_eq!(is_counter, is_typed_so, "{}", family.name());
        assert!(!family.help().is_empty());
    }
}

/// The ledger is read while everything moves: never more may seem to come out of a component than went in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_in_flight_less_than_nothing_at_any_time() {
    let disk = Shared::default();
    let (_dir, options) = options();
    let plan = plan(vec![
        ("in", lines(20_000, 3), &[]),
        ("half", keep("1", "x"), &["in"]),
        ("out", store(&disk, Faults::default()), &["half"]),
    ]);
    let mut running = Running::start(plan, options, seams(&SimFiles::new())).await.unwrap();
    let observer = running.observer();
    let looks = async {
        loop {
            for component in observer.status().components {
                assert!(
                    component.in_flight_events >= 0,
                    "{}: {:?}",
                    component.id,
                    component.ledger
                );
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = running.wait() => {}
        () = looks => {}
    }
    assert!(running.finish().await.is_clean());
}
