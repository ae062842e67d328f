//! What a test of an event costs, beside the same over rows.
//!
//! `LOGRAIL_EXPR_ROUNDS=2000 cargo test --release -p lograil-expr cost -- --nocapture` prints times of one run.

use std::hint::black_box;
use std::time::Instant;

use serde_json::Value as Json;

use super::events::batch;
use crate::{Condition, Script, Workspace};

const EVENT: &str = r#"{"timestamp":"2026-01-31T00:00:00Z","level":"error","host":"web-1",
    "method":"GET","path":"/api/v1/users","status":503,"bytes":5120,"duration_ms":12.5,
    "user":{"id":17,"name":"ann","tags":["a","b"]},"message":"upstream timed out"}"#;

const CONDITIONS: [&str; 8] = [
    r#".status >= 500 && starts_with(.path, "/api")"#,
    r#".level == "error""#,
    r#"exists(.user.id) && .user.name == "ann""#,
    r#"contains(.message, "timed out")"#,
    "match(.message, r'(?i)TIMED \\w+$')",
    r#"includes(["warn", "error"], .level) || .user.tags[1] == "z""#,
    ".bytes / 1024 > 4 && .duration_ms * 2 >= 25",
    r#"if .status < 500 { false } else { !(.host == "web-2") }"#,
];

/// The first condition by hand over the usual row model.
fn by_hand(event: &Json) -> bool {
    event["status"].as_i64().is_some_and(|status| status >= 500)
        && event["path"].as_str().is_some_and(|path| path.starts_with("/api"))
}

#[test]
fn times_are_printed() {
    let rounds = std::env::var("LOGRAIL_EXPR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u32 = rounds.unwrap_or(1);
    let events = 1000;
    let batch = batch(&vec![EVENT; events]);
    let each = |run: &mut dyn FnMut() -> usize| {
        let start = Instant::now();
        for _ in 0..rounds {
            assert_eq!(black_box(run()), events);
        }
        start.elapsed().as_nanos() as f64 / f64::from(rounds) / events as f64
    };
    let rows: Vec<Json> = (0..events).map(|_| serde_json::from_str(EVENT).unwrap()).collect();
    let row = each(&mut || rows.iter().filter(|event| by_hand(black_box(event))).count());
    println!("{row:8.1} ns  serde_json::Value, the first condition by hand");
    for source in CONDITIONS {
        let condition = Condition::compile(source).unwrap();
        let ns = each(&mut || {
            let mut bound = condition.bind(&batch);
            batch.iter().filter(|event| bound.test(black_box(*event)) == Ok(true)).count()
        });
        println!("{ns:8.1} ns  {source}");
    }
}

/// Twelve small programs, as a chain of `remap` runs them.
const CHAIN: [&str; 12] = [
    ".env = \"prod\"",
    ".service = del(.host)",
    ".level = upcase(string!(.level))",
    "del(.timestamp)",
    ".slow = float!(.duration_ms) > 10.0",
    ".kb = int!(.bytes) / 1024",
    ".user_id = .user.id",
    "if .status == 503 { .alert = true }",
    ".api = starts_with(string!(.path), \"/api\")",
    ".verb = downcase(string!(.method))",
    ".first = slice!(.path, 0, 4)",
    ".message = strip_whitespace(string!(.message))",
];

/// Calls of one function each, without assignment.
const CALLS: [&str; 16] = [
    "x = upcase(string!(.level))",
    "x = replace(string!(.path), \"/\", \"_\")",
    "x = split(string!(.path), \"/\")",
    "x = contains(string!(.message), \"timed\")",
    "x = to_string!(.status)",
    "x = to_int!(.bytes)",
    "x = length(string!(.message))",
    "x = truncate(string!(.message), 8)",
    "x = push(array!(.user.tags), \"c\")",
    "x = encode_base64(string!(.message))",
    "x = merge(object!(.user), {\"a\": 1})",
    "x = keys(object!(.user))",
    "x = crc32(string!(.message))",
    "x = format_timestamp!(now(), \"%+\")",
    "x = format_timestamp!(now(), \"%Y-%m-%d\")",
    "x = parse_regex!(.message, r'^(?P<a>\\w+)')",
];

/// Nanoseconds an event of a chain of programs, in the best round.
fn chain_ns(sources: &[&str], rounds: u32) -> f64 {
    let scripts: Vec<_> = sources.iter().map(|source| Script::compile(source).unwrap()).collect();
    let mut workspaces: Vec<_> = scripts.iter().map(|_| Workspace::default()).collect();
    let (mut ns, events) = (u128::MAX, 1000);
    for _ in 0..rounds {
        let mut batch = batch(&vec![EVENT; events]);
        batch.freeze();
        let start = Instant::now();
        for (script, workspace) in scripts.iter().zip(&mut workspaces) {
            script.run(&mut batch, 0, workspace, |_, why| panic!("{why:?}"));
        }
        ns = ns.min(start.elapsed().as_nanos());
        black_box(batch);
    }
    ns as f64 / events as f64
}

#[test]
fn times_of_programs_are_printed() {
    let rounds = std::env::var("LOGRAIL_EXPR_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: u32 = rounds.unwrap_or(1);
    println!("{:8.1} ns  a chain of {}", chain_ns(&CHAIN, rounds), CHAIN.len());
    for source in CHAIN.iter().chain(&CALLS) {
        println!("{:8.1} ns  {source}", chain_ns(&[source], rounds));
    }
}
