//! Questions to a large store of the sink `sqlite`, each through the trait `Store` with a connection of its own, as the
//! API asks them: `store_search [EVENTS] [DIRECTORY]`. The store is made in the directory if it is not there yet.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::path::Path;
use std::time::{Duration, Instant};

use lograil_benches::log_events::LogEvents;
use lograil_plugin::store::{LogQuery, Order, QueryControl, StatsQuery, TemplateQuery};
use lograil_plugin::{Build, Options};
use lograil_testkit::SinkHarness;
use serde_json::json;

const BATCH_EVENTS: usize = 4096;
const BATCHES_PER_COMMIT: usize = 16;
const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_760_000_000 * SECOND;

/// All events lie within so many seconds: two days.
const SPAN: i64 = 2 * 86_400;

const ROUNDS: usize = 21;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let events: usize = arguments.next().map_or(300_000, |text| text.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let dir = arguments.next().map_or(temporary.path().to_owned(), Into::into);
    if !dir.join("logs.db").exists() {
        fill(&dir, events);
    }
    let options = Options(json!({"path": "logs.db"}));
    let store = (lograil_sqlite::STORES[0].open)(&options, &dir).unwrap();
    let info = store.info(&QueryControl::default()).unwrap();
    println!("{} events, {:.1} GB, all within two days", info.rows, info.size_bytes as f64 / 1e9);
    println!("| question | rows | median ms | worst ms | aim |");
    println!("|---|--:|--:|--:|--:|");
    for (name, query) in log_queries() {
        let limit = if query.text.is_some() { 100 } else { 20 };
        ask(name, limit, || store.logs(&query, &QueryControl::default()).unwrap().logs.len());
    }
    for (name, query) in stats_queries() {
        ask(name, 2, || store.stats(&query, &QueryControl::default()).unwrap().timeline.len());
    }
    ask("services", 2, || store.services(&QueryControl::default()).unwrap().len());
    let top = TemplateQuery { limit: 50, ..TemplateQuery::default() };
    ask("templates", 2, || store.templates(&top, &QueryControl::default()).unwrap().len());
}

fn fill(dir: &Path, events: usize) {
    let Build::Sink(build) = lograil_sqlite::SPECS[0].build else { panic!("a sink") };
    let sink = build(&Options(json!({"path": "logs.db"}))).unwrap();
    let mut sink = SinkHarness::new(sink).with_base_dir(dir).opened();
    let mut made = LogEvents::new(START, SPAN * SECOND / events as i64);
    let start = Instant::now();
    for batch in 1..=events.div_ceil(BATCH_EVENTS) {
        sink.write(&made.batch(BATCH_EVENTS)).unwrap();
        if batch % BATCHES_PER_COMMIT == 0 {
            sink.commit().unwrap();
        }
    }
    sink.commit().unwrap();
    eprintln!("filled in {:.0} s", start.elapsed().as_secs_f64());
}

/// The median of the rounds counts; the first warms up.
fn ask(name: &str, at_most_ms: u64, mut question: impl FnMut() -> usize) {
    let mut rows = question();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            rows = question();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (median, worst) = (ms(times[ROUNDS / 2]), ms(times[ROUNDS - 1]));
    println!("| {name} | {rows} | {median:.2} | {worst:.2} | {at_most_ms} |");
}

fn log_queries() -> Vec<(&'static str, LogQuery)> {
    let names = |name: &str| vec![name.to_owned()];
    let (from_ns, to_ns) = (Some(START + 20 * 3600 * SECOND), Some(START + 26 * 3600 * SECOND));
    let any = LogQuery { limit: 100, ..LogQuery::default() };
    let range = LogQuery { from_ns, to_ns, ..any.clone() };
    let text = |text: &str| LogQuery { text: Some(text.to_owned()), ..any.clone() };
    vec![
        ("newest", any.clone()),
        ("6 hours, oldest first", LogQuery { order: Order::OldestFirst, ..range.clone() }),
        ("6 hours, level", LogQuery { levels: names("ERROR"), ..range.clone() }),
        (
            "6 hours, level and service",
            LogQuery { levels: names("ERROR"), services: names("mail"), ..range.clone() },
        ),
        ("6 hours, a rare service", LogQuery { services: names("audit"), ..range.clone() }),
        ("6 hours, severity 99", LogQuery { severity_min: Some(99.0), ..range.clone() }),
        (
            "6 hours, condition of 1 in 40",
            LogQuery { condition: Some(".status == 590".to_owned()), ..range.clone() },
        ),
        ("template", LogQuery { template_id: Some("t7".to_owned()), ..any.clone() }),
        ("a word of all", text("order")),
        ("a word of 1 in 6", text("rejected")),
        ("a word of 1 in 900", text("\"in 777\"")),
        ("a word of 1 in 50,000", text("u4711")),
        ("a rare word", text("quarantined")),
        ("two words", text("rejected host-7")),
        ("a beginning", text("u471*")),
        ("a word, 6 hours", LogQuery { from_ns, to_ns, ..text("expired") }),
        (
            "a word, a level, a service",
            LogQuery { levels: names("ERROR"), services: names("mail"), ..text("expired") },
        ),
        ("no such word", text("nowhere")),
    ]
}

fn stats_queries() -> Vec<(&'static str, StatsQuery)> {
    let end = START + SPAN * SECOND;
    let last = |seconds: i64| StatsQuery {
        from_ns: Some(end - seconds * SECOND),
        to_ns: Some(end),
        service: None,
        intervals_max: 120,
    };
    vec![
        ("stats of 15 minutes", last(900)),
        ("stats of an hour", last(3605)),
        ("stats of a day", last(86_430)),
        ("stats of all", StatsQuery { intervals_max: 120, ..StatsQuery::default() }),
        (
            "stats of all of a service",
            StatsQuery {
                service: Some("mail".to_owned()),
                intervals_max: 120,
                ..StatsQuery::default()
            },
        ),
    ]
}
