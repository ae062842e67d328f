//! What the transforms that learn, and others that tell events apart by a key, cost an event, with 1,000 keys and about
//! ten events of each a second, against a floor that reads the number and adds a field: `learn [--rounds N]`; `learn PATH [--rounds N]` runs one path alone, for
//! `valgrind --tool=callgrind`; `learn keys` sends ten million different keys through each and prints the memory.

use std::sync::Arc;

use lograil_benches::generator::Random;
use lograil_benches::measure::{self, Path, Size};
use lograil_event::{Batch, EventRef, Field, FieldFlags, Tag};
use lograil_plugin::{
    Build, ComponentMetrics, ComponentSpec, Options, Outputs, SystemClock, Transform,
    TransformContext,
};
use serde_json::{Value, json};

const BATCHES: usize = 4;
const EVENTS: usize = 4096;
const KEYS: usize = 1000;

/// Time between two events: ten events a second of each key.
const STEP_NS: i64 = 1_000_000_000 / (KEYS as i64 * 10);

/// 2026-01-01T00:00:00Z.
const START_NS: i64 = 1_767_225_600_000_000_000;

const MANY_KEYS: usize = 10_000_000;

/// Those that learn nothing, or little.
const KEYED: [&str; 7] =
    ["aggregate", "aggregate-quantiles", "log_to_metric", "lookup", "throttle", "dedupe", "reduce"];

/// Those that keep nothing of the keys they see.
const WITHOUT_KEYS: [&str; 2] = ["severity", "lookup"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds = measure::rounds(&arguments, 100);
    let name = arguments.first().filter(|name| !name.starts_with("--"));
    let row = |key: usize| format!("service-{key},team {},Oslo\n", key % 7);
    let table = format!("name,owner,site\n{}", (0..KEYS).map(row).collect::<String>());
    let directory = tempfile::tempdir().ok();
    let file = directory.as_ref().map(|directory| directory.path().join("services.csv"));
    let file = file.filter(|file| std::fs::write(file, table).is_ok());
    let cases = cases(&file.unwrap_or_default().to_string_lossy());
    if name.is_some_and(|name| name == "keys") {
        return many_keys(cases);
    }
    let size = Size { bytes: BATCHES * EVENTS * 100, events: BATCHES * EVENTS };
    // Two runs: the paths of one share the processor's caches.
    let (keyed, learning): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|(name, ..)| KEYED.contains(name));
    for (title, cases, is_keyed) in
        [("1,000 keys", learning, false), ("others by key", keyed, true)]
    {
        let mut paths = vec![floor()];
        paths.extend(cases.into_iter().map(|(name, spec, options)| path(name, spec, options)));
        if name.is_none_or(|name| KEYED.contains(&name.as_str()) == is_keyed) {
            measure::run(title, &mut paths, name, rounds, size);
        }
    }
}

type Case = (&'static str, &'static ComponentSpec, Value);

fn cases(table: &str) -> Vec<Case> {
    use lograil_transforms::{
        aggregate, anomaly, burst, dedupe, log_to_metric, lookup, reduce, severity, throttle,
    };
    let sums = json!({
        "window": "1m",
        "group_by": ["service"],
        "aggregates": {
            "events": {"function": "count"},
            "sum": {"function": "sum", "field": "ms"},
            "most": {"function": "max", "field": "ms"},
        },
    });
    let quantiles = json!({
        "window": "1m",
        "group_by": ["service"],
        "aggregates": {"ms": {"function": "quantiles", "field": "ms"}},
    });
    let metrics = json!({"metrics": [
        {"kind": "counter", "name": "events_total", "labels": {"service": "service", "level": "level"}},
        {"kind": "histogram", "name": "ms", "field": "ms", "buckets": [200, 400, 800], "labels": {"level": "level"}},
    ]});
    let no_severity = json!({"score_field": ""});
    let value = |method: &str| json!({"key_field": "service", "value": "ms", "method": method, "severity": no_severity});
    let rate = json!({"key_field": "service", "rate": {"interval": "1s"}, "severity": no_severity});
    vec![
        ("severity", &severity::SPEC, json!({})),
        ("anomaly", &anomaly::SPEC, value("auto")),
        ("anomaly-rate", &anomaly::SPEC, rate),
        ("anomaly-ewma", &anomaly::SPEC, value("ewma")),
        ("anomaly-mad", &anomaly::SPEC, value("mad")),
        ("anomaly-quantile", &anomaly::SPEC, value("quantile")),
        ("anomaly-trees", &anomaly::SPEC, value("half_space_trees")),
        ("anomaly-forest", &anomaly::SPEC, value("random_cut_forest")),
        ("burst", &burst::SPEC, json!({"key_field": "service"})),
        ("aggregate", &aggregate::SPEC, sums),
        ("aggregate-quantiles", &aggregate::SPEC, quantiles),
        ("log_to_metric", &log_to_metric::SPEC, metrics),
        ("lookup", &lookup::SPEC, json!({"path": table, "match": {"name": "service"}})),
        (
            "throttle",
            &throttle::SPEC,
            json!({"threshold": 20, "window": "1s", "key_field": "service"}),
        ),
        ("dedupe", &dedupe::SPEC, json!({"fields": {"match": ["service", "ms"]}})),
        ("reduce", &reduce::SPEC, json!({"group_by": ["service"], "max_events": 10})),
    ]
}

fn batches() -> Vec<Batch> {
    let mut random = Random::new(0x10C5_0F13);
    let mut make = || {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let [service, level, message, ms] =
            ["service", "level", "message", "ms"].map(|name| edit.key(name));
        for _ in 0..EVENTS {
            let event = edit.push_event(0);
            edit.set_str(event, service, &format!("service-{}", random.below(KEYS)));
            edit.set_str(event, level, if random.below(50) == 0 { "ERROR" } else { "INFO" });
            edit.set_str(event, message, "order accepted for payment by the gateway");
            let text = edit.push_text((100 + random.below(900)).to_string().as_bytes());
            edit.append(event, Field::text(ms.0, Tag::Number, text, FieldFlags::NONE));
        }
        batch.freeze();
        batch
    };
    (0..BATCHES).map(|_| make()).collect()
}

/// The batches, round after round, each later than the last.
struct Feed {
    batches: Vec<Batch>,
    now_ns: i64,
}

impl Feed {
    fn new() -> Self {
        Self { batches: batches(), now_ns: START_NS }
    }

    fn each(&mut self, mut take: impl FnMut(Batch)) {
        for batch in &mut self.batches {
            let mut batch = batch.share();
            for record in batch.edit().events() {
                record.timestamp_ns = self.now_ns;
                self.now_ns += STEP_NS;
            }
            take(batch);
        }
    }
}

/// Reads the number, and adds a field.
fn floor() -> Path<'static> {
    let mut feed = Feed::new();
    let run = move || {
        let mut sum = 0;
        feed.each(|mut batch| {
            let ms = batch.find_key("ms");
            let number = |event: EventRef<'_>| ms.and_then(|key| event.get(key)?.as_f64());
            let numbers: Vec<f64> =
                batch.iter().map(|event| number(event).unwrap_or_default()).collect();
            let mut edit = batch.edit();
            let key = edit.key("anomaly");
            for (event, number) in numbers.into_iter().enumerate() {
                edit.set(event, Field::f64(key.0, number));
            }
            sum += std::hint::black_box(&batch).len();
        });
        sum
    };
    Path { name: "floor", baseline: None, run: Box::new(run) }
}

fn build(spec: &ComponentSpec, options: Value) -> Option<Box<dyn Transform>> {
    let Build::Transform(build) = spec.build else { return None };
    let mut transform = build(&Options(options)).ok()?;
    let clock = Arc::new(SystemClock::default());
    let context = TransformContext::new(Arc::from("bench"), clock, ComponentMetrics::detached());
    transform.start(context).ok()?;
    Some(transform)
}

fn path(name: &'static str, spec: &'static ComponentSpec, options: Value) -> Path<'static> {
    let mut feed = Feed::new();
    let mut transform = build(spec, options);
    let mut out = Outputs::new(Arc::from("bench"), spec.name);
    let run = move || {
        let Some(transform) = &mut transform else { return 0 };
        let mut sum = 0;
        feed.each(|batch| {
            transform.process(batch, &mut out);
            sum += out
                .take_emitted()
                .map(|(_, batch)| std::hint::black_box(&batch).len())
                .sum::<usize>();
            out.take_created();
        });
        sum
    };
    Path { name, baseline: Some("floor"), run: Box::new(run) }
}

/// Ten million different keys through each transform: the memory stays within what `max_keys` allows.
fn many_keys(cases: Vec<Case>) {
    println!("| path | keys | resident MiB |\n|---|--:|--:|");
    println!("| start | 0 | {} |", resident_mib());
    for (name, spec, options) in cases {
        if WITHOUT_KEYS.contains(&name) {
            continue;
        }
        let Some(mut transform) = build(spec, options) else { continue };
        let mut out = Outputs::new(Arc::from("bench"), spec.name);
        for first in (0..MANY_KEYS).step_by(EVENTS) {
            let mut batch = Batch::new();
            let mut edit = batch.edit();
            let [service, ms] = ["service", "ms"].map(|name| edit.key(name));
            for number in first..(first + EVENTS).min(MANY_KEYS) {
                let event = edit.push_event(START_NS + number as i64 * STEP_NS);
                edit.append(event, Field::i64(service.0, number as i64));
                edit.append(event, Field::i64(ms.0, number as i64 % 100));
            }
            transform.process(batch, &mut out);
            out.take_emitted().for_each(drop);
            out.take_created();
        }
        println!("| {name} | {MANY_KEYS} | {} |", resident_mib());
    }
}

/// The memory of this process, where the system tells it.
fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) / 1024
}
