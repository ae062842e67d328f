//! What transforms have learned survives a stop and `kill -9`, and never costs an event.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use support::{Place, until};

/// How often the program is killed.
const KILLS: u64 = 8;

/// Drops lines that were there before, whatever way they came.
fn topology(place: &Place) -> String {
    let text = r#"
data_dir = "data"
[sources.app]
type = "file"
include = ["logs/*.log"]
glob_minimum_cooldown = "20ms"

[transforms.once]
type = "dedupe"
inputs = ["app"]
fields.match = ["message"]
cache.num_events = 1000000

[sinks.out]
type = "file"
inputs = ["once"]
path = "out.log"
encoding.codec = "raw"
"#;
    std::fs::create_dir_all(place.path("logs")).unwrap();
    place.write("t.toml", text).to_str().unwrap().to_owned()
}

fn lines(range: std::ops::Range<u64>) -> String {
    range.fold(String::new(), |mut text, n| {
        writeln!(text, "line {n}").unwrap();
        text
    })
}

fn count(place: &Place) -> usize {
    place.read("out.log").lines().count()
}

#[test]
fn what_was_seen_before_a_stop_or_a_kill_is_dropped_behind_it() {
    let place = Place::new();
    let topology = topology(&place);
    place.append("logs/a.log", lines(0..500));
    place.run(&["run", "--once", &topology]).assert_success();
    assert_eq!(count(&place), 500);

    let running = place.start(&["run", "--quiet", &topology]);
    place.append("logs/b.log", lines(0..1000));
    until("the new lines are out", || count(&place) == 1000);
    // 500 more entries are in the state once it is as long as this.
    let is_kept = || {
        let file = place.path("data/states/once.state");
        file.metadata().is_ok_and(|file| file.len() > 1000 * 48)
    };
    until("what was seen is kept", is_kept);
    running.kill();

    place.append("logs/c.log", lines(0..1001));
    place.run(&["run", "--once", &topology]).assert_success();
    assert_eq!(count(&place), 1001, "{}", place.read("stderr"));

    place.write("data/states/once.state", "no state");
    place.append("logs/d.log", lines(0..10));
    let run = place.run(&["run", "--once", &topology]);
    run.assert_success();
    assert!(run.stderr().contains("the component starts without"), "{}", run.stderr());
    assert_eq!(count(&place), 1011);
}

#[test]
fn kills_at_any_moment_never_make_a_new_line_an_old_one() {
    let place = Place::new();
    let topology = topology(&place);
    let mut next = 0;
    for kill in 0..KILLS {
        let running = place.start(&["run", "--quiet", &topology]);
        for _ in 0..10 {
            place.append("logs/a.log", lines(next..next + 500));
            next += 500;
            // The kill must come at any moment; this is the one thing that only time can say.
            std::thread::sleep(Duration::from_millis(90 + kill * 17));
        }
        running.kill();
    }
    place.run(&["run", "--once", &topology]).assert_success();
    let out = place.read("out.log");
    let (distinct, all): (BTreeSet<&str>, usize) = (out.lines().collect(), out.lines().count());
    let wanted = usize::try_from(next).unwrap();
    assert_eq!((distinct.len(), all), (wanted, wanted), "{}", place.read("stderr"));
}
