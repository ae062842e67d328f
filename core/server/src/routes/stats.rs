//! Counts of events: by level, by service, over time; and what the stores hold.

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::store::{
    IntervalCount, LevelCount, ServiceCount, Stats, StatsQuery, StoreInfo,
};
use serde::Serialize;

use super::logs::{FROM, TO};
use super::row::time;
use crate::parameter::{Parameter, ParameterKind};
use crate::problem::Problem;
use crate::question::{PROBLEMS, STORE, ask};
use crate::route::{Answer, Asked, Content, Method, Route, json};

pub(super) const INTERVALS: Parameter = Parameter::query(
    "intervals",
    ParameterKind::Integer { min: 1, max: 2000, default: Some(120) },
    "The time is cut into so many intervals at most.",
);

const LIMIT: Parameter = Parameter::query(
    "limit",
    ParameterKind::Integer { min: 1, max: 10_000, default: Some(100) },
    "At most so many services, the busiest; `service_count` tells how many there are.",
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/stats",
        tag: "events",
        summary: "Counts of the events of a time: totals, by level, by service, over time.",
        parameters: &[FROM, TO, INTERVALS, LIMIT, STORE],
        body: None,
        answer: Content::json::<StatsAnswer>(),
        problems: PROBLEMS,
        handler: stats,
    },
    Route {
        method: Method::Get,
        path: "/stats/{service}",
        tag: "events",
        summary: "The same of one service.",
        parameters: &[
            Parameter::path("service", ParameterKind::Text { bytes_max: 256 }, "The service."),
            FROM,
            TO,
            INTERVALS,
            LIMIT,
            STORE,
        ],
        body: None,
        answer: Content::json::<StatsAnswer>(),
        problems: PROBLEMS,
        handler: stats,
    },
    Route {
        method: Method::Get,
        path: "/services",
        tag: "events",
        summary: "The services with their counts, the busiest first.",
        parameters: &[LIMIT, STORE],
        body: None,
        answer: Content::json::<ServicesAnswer>(),
        problems: PROBLEMS,
        handler: services,
    },
    Route {
        method: Method::Get,
        path: "/stores",
        tag: "events",
        summary: "The stores that can be asked, and what they hold.",
        parameters: &[],
        body: None,
        answer: Content::json::<StoresAnswer>(),
        problems: &[500, 503, 504],
        handler: stores,
    },
];

/// Counts of events.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct StatsAnswer {
    /// All events.
    total: u64,
    /// Those of the level `ERROR` and above.
    errors: u64,
    /// `errors` in `total`, 0 to 1.
    error_rate: f64,
    /// Those that an anomaly detector marked.
    anomalies: u64,
    /// By level, the most frequent first; events without one under an empty name.
    levels: Vec<CountOfLevel>,
    /// By service, the busiest first, `limit` at most; events without one under an empty name.
    services: Vec<CountOfService>,
    /// How many services have events, those beyond `limit` included.
    service_count: usize,
    /// Seconds of an interval.
    interval_seconds: f64,
    /// Intervals with events, in their order.
    timeline: Vec<Interval>,
}

/// Events of a level.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub(super) struct CountOfLevel {
    /// The level.
    level: String,
    /// Its events.
    count: u64,
}

/// Events of a service.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub(super) struct CountOfService {
    /// The service.
    service: String,
    /// Its events.
    total: u64,
    /// Those of the level `ERROR` and above.
    errors: u64,
}

/// Events of an interval.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub(super) struct Interval {
    /// Its first moment.
    start: String,
    /// Events by level.
    levels: Vec<CountOfLevel>,
    /// Those that an anomaly detector marked.
    anomalies: u64,
}

/// Services.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ServicesAnswer {
    /// The busiest first, `limit` at most.
    services: Vec<CountOfService>,
    /// How many there are, those beyond `limit` included.
    service_count: usize,
}

/// Stores.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct StoresAnswer {
    /// In the order of the topology.
    stores: Vec<StoreLine>,
}

/// A store.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct StoreLine {
    /// The id of its sink.
    id: String,
    /// Events.
    rows: u64,
    /// Bytes on disk.
    size_bytes: u64,
    /// The time of the oldest event.
    oldest: Option<String>,
    /// The time of the newest event.
    newest: Option<String>,
    /// Why it cannot be asked now.
    problem: Option<String>,
}

impl From<LevelCount> for CountOfLevel {
    fn from(LevelCount { level, count }: LevelCount) -> Self {
        Self { level, count }
    }
}

impl From<ServiceCount> for CountOfService {
    fn from(ServiceCount { service, total, errors }: ServiceCount) -> Self {
        Self { service, total, errors }
    }
}

impl From<IntervalCount> for Interval {
    fn from(interval: IntervalCount) -> Self {
        Self {
            start: time(interval.start_ns),
            levels: interval.levels.into_iter().map(CountOfLevel::from).collect(),
            anomalies: interval.anomalies,
        }
    }
}

/// The first so many, and how many there were.
fn cut(services: Vec<ServiceCount>, limit: usize) -> (Vec<CountOfService>, usize) {
    let count = services.len();
    (services.into_iter().take(limit).map(CountOfService::from).collect(), count)
}

impl StatsAnswer {
    fn new(stats: Stats, services_max: usize) -> Self {
        let (services, service_count) = cut(stats.services, services_max);
        Self {
            total: stats.total,
            errors: stats.errors,
            error_rate: if stats.total == 0 {
                0.0
            } else {
                stats.errors as f64 / stats.total as f64
            },
            anomalies: stats.anomalies,
            levels: stats.levels.into_iter().map(CountOfLevel::from).collect(),
            services,
            service_count,
            interval_seconds: stats.interval_ns as f64 / 1e9,
            timeline: stats.timeline.into_iter().map(Interval::from).collect(),
        }
    }
}

fn stats(asked: Asked) -> Answer {
    Box::pin(async move {
        let parameters = &asked.parameters;
        let query = StatsQuery {
            from_ns: parameters.integer("from"),
            to_ns: parameters.integer("to"),
            service: parameters.text("service").map(str::to_owned),
            intervals_max: parameters.count("intervals"),
        };
        let limit = parameters.count("limit");
        let stats =
            ask(&asked.shared, parameters, move |store, control| store.stats(&query, control))
                .await?;
        json(&StatsAnswer::new(stats, limit))
    })
}

fn services(asked: Asked) -> Answer {
    Box::pin(async move {
        let services =
            ask(&asked.shared, &asked.parameters, |store, control| store.services(control)).await?;
        let (services, service_count) = cut(services, asked.parameters.count("limit"));
        json(&ServicesAnswer { services, service_count })
    })
}

fn stores(asked: Asked) -> Answer {
    Box::pin(async move {
        let mut stores = Vec::new();
        let described = asked.shared.described();
        for attached in &described.stores {
            let store = std::sync::Arc::clone(&attached.store);
            let info = crate::question::ask_this(&asked.shared, store, |store, control| {
                store.info(control)
            });
            stores.push(store_line(attached.id.clone(), info.await));
        }
        json(&StoresAnswer { stores })
    })
}

fn store_line(id: String, info: Result<StoreInfo, Problem>) -> StoreLine {
    let (info, problem) = match info {
        Ok(info) => (info, None),
        Err(problem) => (StoreInfo::default(), Some(problem.detail().to_owned())),
    };
    StoreLine {
        id,
        rows: info.rows,
        size_bytes: info.size_bytes,
        oldest: info.oldest_ns.map(time),
        newest: info.newest_ns.map(time),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_services_are_listed_and_all_are_counted() {
        let service = |n: u64| ServiceCount { service: format!("s{n}"), total: 900 - n, errors: 0 };
        let stats =
            Stats { total: 7, services: (0..300).map(service).collect(), ..Stats::default() };
        let answer = StatsAnswer::new(stats, 100);
        assert_eq!((answer.services.len(), answer.service_count, answer.total), (100, 300, 7));
        assert_eq!(answer.services[99].service, "s99");
    }
}
