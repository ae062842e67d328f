//! What a search finds, counted: by level, service and template, and over time.

use std::time::Duration;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::store::{FacetQuery, Facets, TemplateCount};
use serde::Serialize;

use super::logs::{
    ANOMALIES, FROM, LEVEL, SERVICE, SEVERITY, TEMPLATE, TEXT, TO, WHERE, only, query,
};
use super::stats::{CountOfLevel, CountOfService, INTERVALS, Interval};
use crate::parameter::{Parameter, ParameterKind};
use crate::question::{PROBLEMS, STORE, ask};
use crate::route::{Answer, Asked, Content, Method, Route, json};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/facets",
    tag: "events",
    summary: "Counts of the events that a search finds: by level, by service, by template, over time. Where more \
        events would have to be looked at than `events` or `time_ms` allow, they are estimated from a sample that \
        is spread over the time, and the answer says so.",
    parameters: &[
        FROM,
        TO,
        LEVEL,
        SERVICE,
        TEXT,
        WHERE,
        SEVERITY,
        TEMPLATE,
        ANOMALIES,
        INTERVALS,
        Parameter::query(
            "values",
            ParameterKind::Integer { min: 1, max: 100, default: Some(20) },
            "Values of each facet, the most frequent.",
        ),
        Parameter::query(
            "events",
            ParameterKind::Integer { min: 1, max: 2_000_000, default: Some(20_000) },
            "Events that are looked at, at most, for each facet that the search narrows and for all others.",
        ),
        Parameter::query(
            "time_ms",
            ParameterKind::Integer { min: 1, max: 10_000, default: Some(150) },
            "Milliseconds after which no more events are looked at.",
        ),
        STORE,
    ],
    body: None,
    answer: Content::json::<FacetsAnswer>(),
    problems: PROBLEMS,
    handler: facets,
}];

/// Counts of the events that a search finds. The values of a facet are counted without the search's own filter of
/// that facet: they show what could be chosen instead.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct FacetsAnswer {
    /// Events that fit.
    total: u64,
    /// Those that an anomaly detector marked.
    anomalies: u64,
    /// By level, the most frequent first; events without one under an empty name.
    levels: Vec<CountOfLevel>,
    /// By service, the busiest first; events without one under an empty name.
    services: Vec<CountOfService>,
    /// By template, the most frequent first; events without one are left out.
    templates: Vec<CountOfTemplate>,
    /// Seconds of an interval.
    interval_seconds: f64,
    /// Intervals with events, in their order.
    timeline: Vec<Interval>,
    /// Events that were looked at; 0 where the counts that the store keeps have the answer.
    events_seen: u64,
    /// Whether the counts but those of templates are estimates.
    is_estimate: bool,
    /// Whether those of templates are.
    is_estimate_of_templates: bool,
}

/// Events of a template.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct CountOfTemplate {
    /// Its id.
    id: String,
    /// Its text.
    text: String,
    /// Its events.
    count: u64,
}

impl From<TemplateCount> for CountOfTemplate {
    fn from(TemplateCount { id, text, count }: TemplateCount) -> Self {
        Self { id, text, count }
    }
}

impl From<Facets> for FacetsAnswer {
    fn from(facets: Facets) -> Self {
        Self {
            total: facets.total,
            anomalies: facets.anomalies,
            levels: facets.levels.into_iter().map(CountOfLevel::from).collect(),
            services: facets.services.into_iter().map(CountOfService::from).collect(),
            templates: facets.templates.into_iter().map(CountOfTemplate::from).collect(),
            interval_seconds: facets.interval_ns as f64 / 1e9,
            timeline: facets.timeline.into_iter().map(Interval::from).collect(),
            events_seen: facets.events_seen,
            is_estimate: facets.is_estimate,
            is_estimate_of_templates: facets.is_estimate_of_templates,
        }
    }
}

fn facets(mut asked: Asked) -> Answer {
    Box::pin(async move {
        let only = only(&asked.parameters);
        let query = FacetQuery {
            search: query(&mut asked.parameters, only),
            intervals_max: asked.parameters.count("intervals"),
            values_max: asked.parameters.count("values"),
            events_max: asked.parameters.count("events"),
            time_max: Duration::from_millis(asked.parameters.count("time_ms") as u64),
        };
        let facets = ask(&asked.shared, &asked.parameters, move |store, control| {
            store.facets(&query, control)
        });
        json(&FacetsAnswer::from(facets.await?))
    })
}
