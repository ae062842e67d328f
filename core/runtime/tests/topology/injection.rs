//! Batches that are put into a running topology from outside.

use std::time::Duration;

use futures::FutureExt;
use lograil_config::Plan;
use lograil_plugin::Port;
use lograil_runtime::{InjectError, Observer, Receipt, Running};
use lograil_testkit::{SimFiles, batch_of_lines};

use crate::fakes::{Fake, Faults, Lines, keep, plan, store};
use crate::{Shared, assert_balanced, options, seams};

/// A source that replays, sends three lines and stays.
fn staying() -> Fake {
    Fake::Source(Box::new(|| {
        Box::new(Lines { count: 3, per_batch: 1, replays: true, endless: true })
    }))
}

fn chain(disk: &Shared, faults: Faults) -> Plan {
    plan(vec![
        ("in", staying(), &[]),
        ("first", keep("in", "a"), &["in"]),
        ("second", keep("in", "b"), &["first"]),
        ("out", store(disk, faults), &["second"]),
    ])
}

async fn delivered(receipt: Result<Receipt, InjectError>) {
    let mut receipt = receipt.unwrap();
    assert!(receipt.delivered().await);
}

async fn end(mut running: Running) -> Observer {
    let observer = running.observer();
    running.stop();
    running.wait().await;
    assert!(running.finish().await.is_clean());
    observer
}

#[tokio::test]
async fn what_is_put_in_goes_the_way_of_what_a_source_sends_from_there_on() {
    let disk = Shared::default();
    let (_dir, options) = options();
    let files = SimFiles::new();
    let running =
        Running::start(chain(&disk, Faults::default()), options, seams(&files)).await.unwrap();
    let observer = running.observer();
    delivered(observer.send_from("in", Port::MAIN, batch_of_lines(&["in A", "dropped"])).await)
        .await;
    for (component, line) in [("in", "in B"), ("first", "in C"), ("second", "in D"), ("out", "E")] {
        delivered(observer.send_to(component, batch_of_lines(&[line])).await).await;
    }
    let observer = end(running).await;
    let mut lines = disk.lock().unwrap().lines.clone();
    lines.sort();
    let wanted = ["E", "in A", "in B", "in C", "in D", "line 0", "line 1", "line 2"];
    assert_eq!(lines, wanted);
    let status = observer.status();
    assert_balanced(&status);
    let received: Vec<u64> = status.components.iter().map(|one| one.ledger.received).collect();
    assert_eq!(received, [6, 7, 7, 8]);
    assert_eq!(status.components[1].ledger.discarded, 1);
    assert_eq!(status.in_flight_batches, 0);
}

#[tokio::test]
async fn a_dead_letter_goes_to_who_reads_the_dead_letters_of_the_source() {
    let (disk, letters) = (Shared::default(), Shared::default());
    let all = plan(vec![
        ("in", staying(), &[]),
        ("out", store(&disk, Faults::default()), &["in"]),
        ("letters", store(&letters, Faults::default()), &["in.dead_letter"]),
    ]);
    let (_dir, options) = options();
    let running = Running::start(all, options, seams(&SimFiles::new())).await.unwrap();
    let observer = running.observer();
    delivered(observer.send_from("in", Port::DEAD_LETTER, batch_of_lines(&["bad"])).await).await;
    assert_balanced(&end(running).await.status());
    assert_eq!(letters.lock().unwrap().lines, ["bad"]);
    assert_eq!(disk.lock().unwrap().lines.len(), 3);
}

#[tokio::test]
async fn who_is_not_there_or_has_ended_takes_nothing() {
    let disk = Shared::default();
    let (_dir, options) = options();
    let plan = chain(&disk, Faults::default());
    let mut running = Running::start(plan, options, seams(&SimFiles::new())).await.unwrap();
    let observer = running.observer();
    let batch = || batch_of_lines(&["in"]);
    let error = |sent: Result<Receipt, InjectError>| sent.err().unwrap();
    let nobody = InjectError::Unknown("nobody".to_owned());
    assert_eq!(error(observer.send_to("nobody", batch()).await), nobody);
    assert_eq!(error(observer.send_from("nobody", Port::MAIN, batch()).await), nobody);
    let no_source = InjectError::NoSource("out".to_owned());
    assert_eq!(error(observer.send_from("out", Port::MAIN, batch()).await), no_source);
    // A reload takes a transform out of the topology, and puts another in.
    let other = crate::fakes::plan(vec![
        ("in", staying(), &[]),
        ("third", keep("in", "c"), &["in"]),
        ("out", store(&disk, Faults::default()), &["third"]),
    ]);
    running.reload(other).await.unwrap();
    let gone = InjectError::Unknown("second".to_owned());
    assert_eq!(error(observer.send_to("second", batch()).await), gone);
    delivered(observer.send_to("third", batch()).await).await;
    let observer = end(running).await;
    for component in ["in", "third", "out"] {
        let closed = InjectError::Closed(component.to_owned());
        assert_eq!(error(observer.send_to(component, batch()).await), closed);
    }
    assert_balanced(&observer.status());
}

#[tokio::test]
async fn waiting_for_room_can_be_broken_off_and_is_accounted_for() {
    let disk = Shared::default();
    let (_dir, options) = options();
    let mut all = chain(&disk, Faults { stuck: true, ..Faults::default() });
    all.global.buffer.max_bytes.0 = 1;
    let mut running = Running::start(all, options, seams(&SimFiles::new())).await.unwrap();
    let observer = running.observer();
    let mut waited = 0;
    for _ in 0..50 {
        let sending = observer.send_from("in", Port::MAIN, batch_of_lines(&["in"]));
        let sent = tokio::time::timeout(Duration::from_millis(20), sending).await;
        waited += u64::from(sent.is_err());
        // One that found room is not delivered, and says so when nobody can deliver it any more.
        assert!(sent.is_err() || sent.unwrap().unwrap().delivered().now_or_never().is_none());
        if waited == 3 {
            break;
        }
    }
    let ledger = observer.status().components[0].ledger;
    assert_eq!((waited, ledger.discarded), (3, 3), "{ledger:?}");
    running.abandon();
    running.wait().await;
    running.crash().await;
}

#[tokio::test]
async fn what_is_checkpointed_is_not_undone_by_a_crash() {
    let disk = Shared::default();
    let (_dir, options) = options();
    let files = SimFiles::new();
    let start = || {
        let plan = chain(&disk, Faults::default());
        Running::start(plan, options.clone(), seams(&files))
    };
    let mut running = start().await.unwrap();
    for component in ["second", "out"] {
        let receipt = running.observer().send_to(component, batch_of_lines(&["in"])).await;
        let mut receipt = receipt.unwrap();
        assert!(receipt.delivered().await);
        receipt.checkpointed().await;
    }
    running.abandon();
    running.wait().await;
    running.crash().await;
    end(start().await.unwrap()).await;
    let lines = disk.lock().unwrap().lines.clone();
    assert_eq!(lines.iter().filter(|line| *line == "in").count(), 2, "{lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");
}
