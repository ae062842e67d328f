//! The entries of one client's stream: made up, one request of a shop after the other.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use serde_json::{Value, json};

use super::query::{Level, Query};

/// Longest time between two entries if the client names none.
const RANDOM_WAIT_MS: u64 = 1000;

/// A service's components, and what it says at each of [`Level::ALL`].
struct Service {
    name: &'static str,
    components: [&'static str; 3],
    messages: [&'static [&'static str]; 3],
}

const SERVICES: [Service; 4] = [
    Service {
        name: "orders",
        components: ["api", "worker", "db"],
        messages: [
            &["order created", "order shipped", "order confirmed"],
            &["order took longer than 2 s", "stock is low", "order was sent twice"],
            &["order could not be stored", "no answer from payments", "order is inconsistent"],
        ],
    },
    Service {
        name: "payments",
        components: ["api", "gateway", "ledger"],
        messages: [
            &["payment authorized", "payment captured", "refund issued"],
            &["gateway is slow", "card was declined", "payment is tried again"],
            &["gateway timed out", "ledger does not balance", "payment failed"],
        ],
    },
    Service {
        name: "users",
        components: ["api", "auth", "cache"],
        messages: [
            &["user logged in", "profile updated", "session ended"],
            &["password was wrong", "session is about to expire", "cache missed"],
            &["token could not be verified", "user store is unreachable", "account is locked"],
        ],
    },
    Service {
        name: "search",
        components: ["api", "indexer", "cache"],
        messages: [
            &["query answered", "index refreshed", "document indexed"],
            &["query took longer than 1 s", "index is behind", "shard is relocating"],
            &["shard failed", "query could not be parsed", "index is read-only"],
        ],
    },
];

/// Makes entries.
pub(super) struct Entries {
    random: RandomState,
    drawn: u64,
    /// The request under way, and its last span.
    trace: Option<(u128, u64)>,
}

impl Entries {
    pub fn new() -> Self {
        Self { random: RandomState::new(), drawn: 0, trace: None }
    }

    /// How long to wait for the next entry.
    pub fn wait(&mut self, query: &Query) -> Duration {
        query.interval.unwrap_or_else(|| Duration::from_millis(self.below(RANDOM_WAIT_MS + 1)))
    }

    /// The next entry, as JSON.
    pub fn next(&mut self, query: &Query, now_ns: i64) -> String {
        let level = self.level(query.weights);
        let known = SERVICES.iter().find(|one| Some(one.name) == query.service.as_deref());
        let service = match known {
            Some(service) => service,
            None => &SERVICES[self.below(SERVICES.len() as u64) as usize],
        };
        let component = self.one_of(&service.components);
        let message = self.one_of(service.messages[level as usize]);
        // A request has one to four spans, each the child of the one before.
        let ends = self.below(3) == 0;
        let (trace, parent) = match self.trace.take().filter(|_| !ends) {
            Some((trace, last)) => (trace, Some(last)),
            None => ((u128::from(self.bits()) << 64) | u128::from(self.bits()), None),
        };
        let span = self.bits();
        self.trace = Some((trace, span));
        let parent = parent.map_or(Value::Null, |parent| Value::from(format!("{parent:016x}")));
        json!({
            "timestamp": now_ns / 1_000_000,
            "level": level.name(),
            "message": message,
            "service": query.service.as_deref().unwrap_or(service.name),
            "component": component,
            "trace_id": format!("{trace:032x}"),
            "span_id": format!("{span:016x}"),
            "parent_id": parent,
        })
        .to_string()
    }

    fn level(&mut self, weights: [u32; 3]) -> Level {
        let mut drawn = self.below(weights.iter().copied().map(u64::from).sum());
        for (level, weight) in Level::ALL.into_iter().zip(weights) {
            match drawn.checked_sub(u64::from(weight)) {
                Some(rest) => drawn = rest,
                None => return level,
            }
        }
        Level::Info
    }

    fn one_of(&mut self, all: &[&'static str]) -> &'static str {
        all[self.below(all.len() as u64) as usize]
    }

    /// A number from 0 to below `end`.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    fn bits(&mut self) -> u64 {
        self.drawn += 1;
        self.random.hash_one(self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_fields_in_their_order_and_the_levels_by_weight() {
        let query = Query { weights: [60, 30, 10], ..Query::default() };
        let mut entries = Entries::new();
        let mut counts = [0_u32; 3];
        for _ in 0..3000 {
            let line = entries.next(&query, 1_735_668_123_456_789_000);
            let entry: serde_json::Map<String, Value> = serde_json::from_str(&line).unwrap();
            let names: Vec<&str> = entry.keys().map(String::as_str).collect();
            let expected = [
                "timestamp",
                "level",
                "message",
                "service",
                "component",
                "trace_id",
                "span_id",
                "parent_id",
            ];
            assert_eq!(names, expected);
            assert_eq!(entry["timestamp"], 1_735_668_123_456_i64);
            assert_eq!(entry["trace_id"].as_str().unwrap().len(), 32);
            let level = Level::ALL.into_iter().find(|level| entry["level"] == level.name());
            counts[level.unwrap() as usize] += 1;
        }
        for (count, percent) in counts.into_iter().zip([60, 30, 10]) {
            assert!(count.abs_diff(30 * percent) < 200, "{counts:?}");
        }
    }

    #[test]
    fn waits_are_the_client_s_or_random_up_to_a_second() {
        let mut entries = Entries::new();
        let waits: Vec<_> = (0..200).map(|_| entries.wait(&Query::default())).collect();
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(1)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_millis(500)));
        let wished = Query { interval: Some(Duration::from_millis(20)), ..Query::default() };
        assert_eq!(entries.wait(&wished), Duration::from_millis(20));
    }
}
