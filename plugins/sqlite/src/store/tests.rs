//! The store against what the sink was given: every filter against a plain filter over all events.

mod facets;

use std::collections::BTreeMap;
use std::time::Duration;

use lograil_event::Batch;
use lograil_plugin::Build;
use lograil_plugin::store::{LogRow, Only, Order, TemplateOrder};
use lograil_testkit::{SinkHarness, batch_of_json};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::*;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_760_000_000 * SECOND;

struct Fixture {
    dir: tempfile::TempDir,
    sink: SinkHarness,
    store: Arc<dyn Store>,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let Build::Sink(build) = sink::SPEC.build else { panic!("a sink") };
    let options = Options(json!({"path": "logs.db"}));
    let sink = SinkHarness::new(build(&options).unwrap()).with_base_dir(dir.path()).opened();
    let store = (STORE.open)(&options, dir.path()).unwrap();
    Fixture { dir, sink, store }
}

/// A batch whose events happened at the times given with them.
fn batch_at(events: &[(i64, Value)]) -> Batch {
    let values: Vec<Value> = events.iter().map(|(_, event)| event.clone()).collect();
    let mut batch = batch_of_json(&values);
    for (record, (ns, _)) in batch.edit().events().iter_mut().zip(events) {
        record.timestamp_ns = *ns;
    }
    batch
}

impl Fixture {
    fn add(&mut self, events: &[(i64, Value)]) {
        self.sink.write(&batch_at(events)).unwrap();
        self.sink.commit().unwrap();
    }

    fn page(&self, query: &LogQuery) -> LogPage {
        self.store.logs(query, &QueryControl::default()).unwrap()
    }

    /// The ids of all pages.
    fn ids(&self, query: &LogQuery) -> Vec<i64> {
        let mut query = query.clone();
        let mut ids = Vec::new();
        loop {
            let page = self.page(&query);
            assert!(page.logs.len() <= query.limit);
            ids.extend(page.logs.iter().map(|row| row.id));
            query.cursor = page.next;
            if query.cursor.is_none() {
                return ids;
            }
        }
    }
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Events of an hour and a half, some of them out of order, of all kinds, with their ids.
fn random_events(count: usize) -> Vec<(i64, Value)> {
    let mut random = Random(7);
    let levels = ["debug", "INFO", "INFO", "info", "WARN", "ERROR"];
    let services = ["orders", "users", "mail"];
    let words = ["created", "deleted", "failed", "user_id=7", "10.0.0.1", "Überfall"];
    (0..count)
        .map(|index| {
            let at = index as u64 * 5400 / count as u64;
            let ns = START + (at.saturating_sub(random.below(120)) as i64) * SECOND;
            let (word, other) = (random.below(6) as usize, random.below(6) as usize);
            let service = match random.below(50) {
                0 => "rare",
                number => services[number as usize % 3],
            };
            let mut event = json!({
                "message": format!("{} then {} in {index}", words[word], words[other]),
                "severity": random.below(101),
                "n": index,
            });
            if random.below(10) > 0 {
                event["level"] = levels[random.below(6) as usize].into();
                event["service"] = service.into();
            }
            if random.below(20) == 0 {
                event["anomaly"] = json!({"score": 0.25, "alarm": random.below(2) == 0});
            }
            if random.below(40) == 0 {
                event["burst"] = json!({"event": "start"});
            }
            if random.below(3) > 0 {
                event["template_id"] = format!("t-{word}").into();
                event["template"] = format!("{} then <*>", words[word]).into();
            }
            (ns, event)
        })
        .collect()
}

type Test = fn(&Value) -> bool;

fn text_of<'v>(event: &'v Value, name: &str) -> &'v str {
    event[name].as_str().unwrap_or_default()
}

fn has(event: &Value, text: &str) -> bool {
    text_of(event, "message").to_lowercase().contains(text)
}

/// Queries with what each means.
fn queries() -> Vec<(LogQuery, Test)> {
    let some = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let any = LogQuery::default();
    let text = |text: &str| LogQuery { text: Some(text.to_owned()), ..LogQuery::default() };
    vec![
        (any.clone(), |_| true),
        (LogQuery { levels: some(&["error"]), ..any.clone() }, |e| text_of(e, "level") == "ERROR"),
        (LogQuery { levels: some(&["INFO", ""]), ..any.clone() }, |e| {
            ["info", "INFO", ""].contains(&text_of(e, "level"))
        }),
        (LogQuery { services: some(&["rare"]), ..any.clone() }, |e| {
            text_of(e, "service") == "rare"
        }),
        (
            LogQuery { services: some(&["mail", "rare"]), levels: some(&["WARN"]), ..any.clone() },
            |e| ["mail", "rare"].contains(&text_of(e, "service")) && text_of(e, "level") == "WARN",
        ),
        (LogQuery { severity_min: Some(97.0), ..any.clone() }, |e| {
            e["severity"].as_f64() >= Some(97.0)
        }),
        (LogQuery { only: Only::Anomalies, ..any.clone() }, |e| e["anomaly"]["alarm"] == true),
        (LogQuery { only: Only::Bursts, ..any.clone() }, |e| e["burst"]["event"].is_string()),
        (LogQuery { template_id: Some("t-2".to_owned()), ..any.clone() }, |e| {
            e["template_id"] == "t-2"
        }),
        (text("created"), |e| has(e, "created")),
        (text("FAILED deleted"), |e| has(e, "failed") && has(e, "deleted")),
        (text("\"failed then deleted\""), |e| has(e, "failed then deleted")),
        (text("10.0.0.1 creat*"), |e| has(e, "10.0.0.1") && has(e, "created")),
        (text("überfall"), |e| has(e, "überfall")),
        (text("nothing"), |_| false),
        (
            LogQuery {
                condition: Some(".service == \"rare\" && .template_id == \"t-1\"".to_owned()),
                ..any.clone()
            },
            |e| text_of(e, "service") == "rare" && e["template_id"] == "t-1",
        ),
        (
            LogQuery {
                condition: Some(".n >= 100 && .level == \"ERROR\"".to_owned()),
                ..any.clone()
            },
            |e| e["n"].as_i64() >= Some(100) && e["level"] == "ERROR",
        ),
        (
            LogQuery {
                condition: Some(
                    ".anomaly.score == 0.25 && starts_with(string!(.template), \"cre\")".to_owned(),
                ),
                ..text("then")
            },
            |e| e["anomaly"]["score"] == 0.25 && text_of(e, "template").starts_with("cre"),
        ),
    ]
}

fn check_queries(fixture: &Fixture, events: &[(i64, Value)]) {
    let ranges = [(None, None), (Some(START + 600 * SECOND), Some(START + 1207 * SECOND))];
    for (index, (query, test)) in queries().into_iter().enumerate() {
        for (from_ns, to_ns) in ranges {
            for order in [Order::NewestFirst, Order::OldestFirst] {
                let mut wanted: Vec<(i64, i64)> = (1..)
                    .zip(events)
                    .filter(|(_, (ns, event))| {
                        from_ns.is_none_or(|from| *ns >= from)
                            && to_ns.is_none_or(|to| *ns < to)
                            && test(event)
                    })
                    .map(|(id, (ns, _))| (*ns, id))
                    .collect();
                wanted.sort_unstable();
                if order == Order::NewestFirst {
                    wanted.reverse();
                }
                let wanted: Vec<i64> = wanted.into_iter().map(|(_, id)| id).collect();
                for limit in [37, 5000] {
                    let query = LogQuery { from_ns, to_ns, order, limit, ..query.clone() };
                    assert_eq!(fixture.ids(&query), wanted, "query {index}: {query:?}");
                }
            }
        }
    }
}

#[test]
fn every_filter_gives_what_a_walk_over_all_events_gives() {
    let mut fixture = fixture();
    let events = random_events(1500);
    for chunk in events.chunks(400) {
        fixture.add(chunk);
    }
    check_queries(&fixture, &events);
}

#[test]
fn words_of_many_events_are_found_chunk_by_chunk() {
    let mut fixture = fixture();
    let events = random_events(15_000);
    fixture.add(&events);
    let pages =
        |text: &str, limit| LogQuery { text: Some(text.to_owned()), limit, ..LogQuery::default() };
    let count = |word: &str| events.iter().filter(|(_, event)| has(event, word)).count();
    assert_eq!(fixture.ids(&pages("then", 700)).len(), 15_000);
    assert_eq!(fixture.ids(&pages("created", 700)).len(), count("created"));
    let narrow = LogQuery { services: vec!["rare".to_owned()], ..pages("then", 50) };
    let rare = events.iter().filter(|(_, event)| event["service"] == "rare").count();
    assert_eq!(fixture.ids(&narrow).len(), rare);
}

#[test]
fn pages_neither_repeat_nor_skip_while_events_arrive() {
    let mut fixture = fixture();
    let old: Vec<(i64, Value)> = (0..100)
        .map(|n| (START + n / 10 * SECOND, json!({"message": format!("old {n}")})))
        .collect();
    fixture.add(&old);
    let mut query = LogQuery { limit: 7, ..LogQuery::default() };
    let mut seen = Vec::new();
    loop {
        let page = fixture.page(&query);
        seen.extend(page.logs.iter().map(|row| row.id));
        fixture.add(&[(START + 100 * SECOND, json!({"message": "new"}))]);
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=100).rev().collect::<Vec<i64>>());
}

#[test]
fn long_events_make_short_pages_and_none_is_left_out() {
    let mut fixture = fixture();
    let long = "x".repeat(1 << 20);
    let event = |n: i64| (START + n, json!({"message": format!("{n} {long}"), "n": n}));
    fixture.add(&(0..40).map(event).collect::<Vec<_>>());
    let all = LogQuery { limit: 1000, ..LogQuery::default() };
    let first = fixture.page(&all);
    assert!(first.logs.len() < 25 && first.next.is_some(), "{} events", first.logs.len());
    assert_eq!(fixture.ids(&all), (1..=40).rev().collect::<Vec<_>>());
    let condition = Some(".n != 20".to_owned());
    assert_eq!(fixture.ids(&LogQuery { condition, ..all }).len(), 39);
    let context = fixture.store.log(20, 100, 100, &QueryControl::default()).unwrap().unwrap();
    assert_eq!(context.before.last().map(|row| row.id), Some(19), "the nearest");
    assert!((1..19).contains(&context.before.len()) && (1..20).contains(&context.after.len()));
}

#[test]
fn a_row_has_its_columns_and_its_neighbours() {
    let mut fixture = fixture();
    fixture.add(&[
        (START, json!({"message": "a", "level": "info", "severity": 3})),
        (START, json!({
            "message": "b", "service": "s", "template_id": "t", "template": "x <*>",
            "anomaly.score": 0.5, "anomaly": {"score": 0.9, "alarm": true}, "more": {"x": [1.0]},
        })),
        (START + 1, json!({"message": "c", "template": "without an id"})),
    ]);
    let control = QueryControl::default();
    assert!(fixture.store.label(2, Some(Label::Noise)).unwrap());
    let found = fixture.store.log(2, 5, 5, &control).unwrap().unwrap();
    assert_eq!(found.before.len(), 1);
    assert_eq!(found.before[0].level.as_deref(), Some("INFO"));
    assert_eq!(found.before[0].severity, Some(3.0));
    assert_eq!(found.after[0].fields, r#"{"template":"without an id"}"#);
    let row = found.log;
    assert_eq!(row.anomaly_score, Some(0.5), "a flat key counts before a nested one");
    assert_eq!((row.template_id.as_deref(), row.template.as_deref()), (Some("t"), Some("x <*>")));
    assert_eq!(row.label, Some(Label::Noise));
    let fields = r#"{"anomaly.score":0.5,"anomaly":{"score":0.9,"alarm":true},"more":{"x":[1.0]}}"#;
    assert_eq!(row.fields, fields);
    assert!(fixture.store.label(2, None).unwrap());
    assert_eq!(fixture.store.log(2, 0, 0, &control).unwrap().unwrap().log.label, None);
    assert!(!fixture.store.label(77, Some(Label::Real)).unwrap());
    assert_eq!(fixture.store.log(77, 1, 1, &control).unwrap(), None);
}

fn counted(events: &[(i64, Value)], keep: impl Fn(&EventRow<'_>) -> bool) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (ns, event) in events {
        let row = EventRow { ns: *ns, event };
        if keep(&row) {
            *counts.entry(text_of(event, "level").to_uppercase()).or_default() += 1;
        }
    }
    counts
}

struct EventRow<'a> {
    ns: i64,
    event: &'a Value,
}

#[test]
fn statistics_of_any_range_are_those_of_its_events() {
    let mut fixture = fixture();
    let events = random_events(2000);
    for chunk in events.chunks(300) {
        fixture.add(chunk);
    }
    let ranges = [
        (None, None),
        (Some(0), Some(5400)),
        (Some(61), Some(4000)),
        (Some(600), Some(1200)),
        (Some(9000), None),
    ];
    for (from, to) in ranges {
        for service in [None, Some("rare")] {
            for intervals_max in [1, 10, 50, 500] {
                let tens =
                    |seconds: i64| (START + seconds * SECOND).div_euclid(10 * SECOND) * 10 * SECOND;
                let query = StatsQuery {
                    from_ns: from.map(|from| START + from * SECOND),
                    to_ns: to.map(|to| START + to * SECOND),
                    service: service.map(str::to_owned),
                    intervals_max,
                };
                let wanted = counted(&events, |row| {
                    from.is_none_or(|from| row.ns >= tens(from))
                        && to.is_none_or(|to| row.ns < tens(to + 9))
                        && service.is_none_or(|service| row.event["service"] == service)
                });
                let stats = fixture.store.stats(&query, &QueryControl::default()).unwrap();
                let found: BTreeMap<String, u64> =
                    stats.levels.iter().map(|l| (l.level.clone(), l.count)).collect();
                assert_eq!(found, wanted, "{query:?}");
                assert_eq!(stats.total, wanted.values().sum::<u64>());
                assert_eq!(stats.errors, wanted.get("ERROR").copied().unwrap_or_default());
                let in_timeline: u64 =
                    stats.timeline.iter().flat_map(|i| &i.levels).map(|level| level.count).sum();
                assert_eq!(in_timeline, stats.total, "{query:?}");
                assert!(stats.timeline.len() <= intervals_max);
                assert_eq!(
                    stats.timeline.iter().map(|i| i.anomalies).sum::<u64>(),
                    stats.anomalies
                );
            }
        }
    }
    let short = |seconds: i64| StatsQuery {
        from_ns: Some(START + 600 * SECOND),
        to_ns: Some(START + (600 + seconds) * SECOND),
        service: None,
        intervals_max: 60,
    };
    for (seconds, interval) in [(60, 10), (1500, 30), (3000, 60)] {
        let stats = fixture.store.stats(&short(seconds), &QueryControl::default()).unwrap();
        assert_eq!(stats.interval_ns, interval * SECOND, "{seconds} s");
    }
    let services = fixture.store.services(&QueryControl::default()).unwrap();
    assert_eq!(services.len(), 5);
    assert_eq!(services.iter().map(|service| service.total).sum::<u64>(), 2000);
    let info = fixture.store.info(&QueryControl::default()).unwrap();
    assert_eq!(info.rows, 2000);
    assert_eq!(info.oldest_ns, events.iter().map(|(ns, _)| *ns).min());
    assert!(info.size_bytes > 100_000);
}

#[test]
fn a_page_leads_back_to_what_lies_before_it() {
    let mut fixture = fixture();
    fixture.add(&random_events(300));
    let all = fixture.ids(&LogQuery { limit: 50, ..LogQuery::default() });
    let third = LogQuery { limit: 50, to_ns: Some(START + 3000 * SECOND), ..LogQuery::default() };
    let page = fixture.page(&third);
    let at = all.iter().position(|id| *id == page.logs[0].id).unwrap();
    let back = LogQuery {
        order: Order::OldestFirst,
        cursor: page.first,
        limit: 20,
        ..LogQuery::default()
    };
    let mut before: Vec<i64> = fixture.page(&back).logs.iter().map(|row| row.id).collect();
    before.reverse();
    assert_eq!(before, all[at - 20..at]);
    assert_eq!(
        fixture.page(&LogQuery { to_ns: Some(0), limit: 5, ..LogQuery::default() }).first,
        None
    );
}

#[test]
fn templates_are_counted_with_their_last_text() {
    let mut fixture = fixture();
    let event = |id: &str, text: &str| json!({"message": "m", "template_id": id, "template": text});
    fixture.add(&[(START, event("a", "x y")), (START + 1, event("b", "z"))]);
    fixture.add(&[(START + 2, event("a", "x <*>")), (START + 3, json!({"template_id": "c"}))]);
    let ask = |order, first_seen_from_ns| {
        let query = TemplateQuery { order, first_seen_from_ns, limit: 2 };
        let found = fixture.store.templates(&query, &QueryControl::default()).unwrap();
        found
            .into_iter()
            .map(|t| (t.id, t.text, t.count, t.first_seen_ns - START))
            .collect::<Vec<_>>()
    };
    let row = |id: &str, text: &str, count, first| (id.to_owned(), text.to_owned(), count, first);
    assert_eq!(ask(TemplateOrder::Top, None), [row("a", "x <*>", 2, 0), row("c", "", 1, 3)]);
    assert_eq!(ask(TemplateOrder::New, None), [row("c", "", 1, 3), row("b", "z", 1, 1)]);
    assert_eq!(
        ask(TemplateOrder::Rare, Some(START + 1)),
        [row("c", "", 1, 3), row("b", "z", 1, 1)]
    );
}

#[test]
fn the_id_of_a_template_is_that_id_and_no_other() {
    let mut fixture = fixture();
    let ids = ["t-1", "T-1", "t 1", "t-1-2", "t-1 ", "--", "-", "\"", "☃", "模板"];
    let events = ids.map(|id| (START, json!({"message": "m", "template_id": id})));
    fixture.add(&events);
    // Others are so many that the search is no list of matches.
    fixture.add(&vec![(START + 1, json!({"message": "m", "template_id": "t-1-3"})); 5000]);
    let any = LogQuery { limit: 9, ..LogQuery::default() };
    for (id, row) in ids.iter().zip(1..) {
        let asked = LogQuery { template_id: Some((*id).to_owned()), ..any.clone() };
        assert_eq!(fixture.ids(&asked), [row], "{id:?}");
        let condition = format!(".template_id == {}", json!(id));
        let required = LogQuery { condition: Some(condition), ..any.clone() };
        assert_eq!(fixture.ids(&required), [row], "{id:?}");
    }
    let empty = LogQuery { template_id: Some(String::new()), ..any };
    assert!(fixture.ids(&empty).is_empty());
}

#[test]
fn a_query_ends_when_it_is_told_to() {
    let mut fixture = fixture();
    fixture.add(&random_events(3000));
    let query = LogQuery { limit: 10, condition: Some(".n < 0".to_owned()), ..LogQuery::default() };
    let over = QueryControl::within(Duration::ZERO);
    assert_eq!(fixture.store.logs(&query, &over), Err(StoreError::DeadlineExceeded));
    // Beyond the first question whether it must end, only SQLite itself can be asked.
    let late = QueryControl::default();
    let ended = read(&fixture.dir.path().join("logs.db"), &late, |connection| {
        late.cancel();
        let endless =
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT max(n) FROM n";
        Ok(connection.query_row(endless, [], |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(ended, Err(StoreError::Cancelled));
}

#[test]
fn questions_that_have_no_answer_say_why() {
    let fixture = fixture();
    let ask = |query: LogQuery| fixture.store.logs(&query, &QueryControl::default()).unwrap_err();
    let one = LogQuery { limit: 1, ..LogQuery::default() };
    let wrong = ask(LogQuery { condition: Some(".a == ".to_owned()), ..one.clone() });
    assert!(
        matches!(wrong, StoreError::Invalid { parameter: "where", within: Some(_), .. }),
        "{wrong:?}"
    );
    let wrong = ask(LogQuery { cursor: Some("12".to_owned()), ..one.clone() });
    assert!(matches!(wrong, StoreError::Invalid { parameter: "cursor", .. }), "{wrong:?}");
    let wrong = ask(LogQuery { text: Some("-- !".to_owned()), ..one.clone() });
    assert!(matches!(wrong, StoreError::Invalid { parameter: "text", .. }), "{wrong:?}");
    for text in ["\"", "a\"b", "NOT", "a AND", "(", "col:x", "a*b*", "^a", "x\0y"] {
        let query = LogQuery { text: Some(text.to_owned()), ..one.clone() };
        let answer = fixture.store.logs(&query, &QueryControl::default());
        assert!(matches!(answer, Ok(_) | Err(StoreError::Invalid { .. })), "{text}: {answer:?}");
    }

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.db");
    let options = Options(json!({"path": "other.db"}));
    let store = (STORE.open)(&options, dir.path()).unwrap();
    let ask = || store.logs(&one, &QueryControl::default()).unwrap_err();
    assert!(matches!(ask(), StoreError::Unavailable(why) if why.contains("no such file")));
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 0").unwrap();
    assert!(matches!(ask(), StoreError::Unavailable(why) if why.contains("nothing was stored")));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(matches!(ask(), StoreError::Failed(why) if why.contains("another program")));
    std::fs::write(&path, "no database at all, but long enough to be taken for one").unwrap();
    assert!(matches!(ask(), StoreError::Failed(why) if why.contains("no SQLite database")));
    let ours = Connection::open(fixture.dir.path().join("logs.db")).unwrap();
    ours.execute_batch("PRAGMA user_version = 99").unwrap();
    let newer = fixture.store.logs(&one, &QueryControl::default()).unwrap_err();
    assert!(matches!(newer, StoreError::Failed(why) if why.contains("newer lograil")));
}

#[test]
fn an_event_of_a_row_is_the_event_that_was_stored() {
    let mut fixture = fixture();
    let event = json!({"message": "a \"quoted\"\n line", "level": "INFO", "n": 1.50, "empty": {}});
    fixture.add(&[(START, event.clone()), (START, json!({}))]);
    let page =
        fixture.page(&LogQuery { limit: 9, order: Order::OldestFirst, ..LogQuery::default() });
    let back = |row: &LogRow| {
        let mut text = Vec::new();
        condition::append_event(row, &mut text);
        serde_json::from_slice::<Value>(&text).unwrap()
    };
    assert_eq!(back(&page.logs[0]), event);
    assert_eq!(back(&page.logs[1]), json!({}));
}
