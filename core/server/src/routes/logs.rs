//! Events: pages of them, one with its neighbours, anomalies, bursts, and what people think of them.

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::store::{Label, LogPage, LogQuery, Only, Order};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::row::Row;
use crate::parameter::{Parameter, ParameterKind, Parameters};
use crate::problem::Problem;
use crate::question::{PROBLEMS, STORE, ask};
use crate::route::{Answer, Asked, Content, Method, Route, json};

/// Events that one answer may have.
const LIMIT_MAX: i64 = 1000;

/// Neighbours of an event, before and after each.
const CONTEXT_MAX: i64 = 100;

pub(super) const FROM: Parameter = Parameter::query(
    "from",
    ParameterKind::Time,
    "From this time on: RFC 3339, `now`, or so long ago as `-15m` says (ms, s, m, h, d).",
);
pub(super) const TO: Parameter =
    Parameter::query("to", ParameterKind::Time, "Before this time, written as in `from`.");
pub(super) const LEVEL: Parameter = Parameter::query(
    "level",
    ParameterKind::Text { bytes_max: 256 },
    "One of these levels, separated by commas.",
);
pub(super) const SERVICE: Parameter = Parameter::query(
    "service",
    ParameterKind::Text { bytes_max: 1024 },
    "One of these services, separated by commas.",
);
pub(super) const TEXT: Parameter = Parameter::query(
    "text",
    ParameterKind::Text { bytes_max: 1024 },
    "Words that the message must have.",
);
pub(super) const WHERE: Parameter = Parameter::query(
    "where",
    ParameterKind::Expression,
    "A condition in the expression language, as in the transform `filter`.",
);
pub(super) const SEVERITY: Parameter = Parameter::query(
    "severity",
    ParameterKind::Integer { min: 0, max: 100, default: None },
    "At least this grave.",
);
pub(super) const TEMPLATE: Parameter = Parameter::query(
    "template",
    ParameterKind::Text { bytes_max: 256 },
    "The id of their message template.",
);
pub(super) const ANOMALIES: Parameter =
    Parameter::query("anomalies", ParameterKind::Flag, "Only anomalies.");
const ORDER: Parameter = Parameter::query(
    "order",
    ParameterKind::Choice { of: &["newest", "oldest"], default: Some("newest") },
    "Which come first.",
);
const LIMIT: Parameter = Parameter::query(
    "limit",
    ParameterKind::Integer { min: 1, max: LIMIT_MAX, default: Some(100) },
    "At most so many, and fewer where they are long: `next` tells whether there are more. `?limit=50` alone gives the last \
        50.",
);
const CURSOR: Parameter = Parameter::query(
    "cursor",
    ParameterKind::Text { bytes_max: 1024 },
    "Where the page before ended: its `next`, with otherwise the same parameters. Events that arrive meanwhile \
        neither repeat nor shift what follows.",
);
const ID: Parameter = Parameter::path(
    "id",
    ParameterKind::Integer { min: i64::MIN, max: i64::MAX, default: None },
    "The event's id.",
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/logs",
        tag: "events",
        summary: "Events that fit, a page at a time.",
        parameters: &[
            FROM, TO, LEVEL, SERVICE, TEXT, WHERE, SEVERITY, TEMPLATE, ANOMALIES, ORDER, LIMIT,
            CURSOR, STORE,
        ],
        body: None,
        answer: Content::json::<LogsAnswer>(),
        problems: PROBLEMS,
        handler: logs,
    },
    Route {
        method: Method::Get,
        path: "/logs/{id}",
        tag: "events",
        summary: "One event with those before and after it.",
        parameters: &[
            ID,
            Parameter::query(
                "before",
                ParameterKind::Integer { min: 0, max: CONTEXT_MAX, default: Some(5) },
                "So many events before it.",
            ),
            Parameter::query(
                "after",
                ParameterKind::Integer { min: 0, max: CONTEXT_MAX, default: Some(5) },
                "So many events after it.",
            ),
            STORE,
        ],
        body: None,
        answer: Content::json::<LogAnswer>(),
        problems: PROBLEMS,
        handler: log,
    },
    Route {
        method: Method::Post,
        path: "/logs/{id}/label",
        tag: "events",
        summary: "States what a person thinks of an anomaly.",
        parameters: &[
            ID,
            Parameter::query(
                "label",
                ParameterKind::Choice { of: &["none", "noise", "real"], default: Some("none") },
                "`noise`: nothing to look at; `real`: an incident; `none` takes it back.",
            ),
            STORE,
        ],
        body: None,
        answer: Content::json::<LabelAnswer>(),
        problems: PROBLEMS,
        handler: label,
    },
    Route {
        method: Method::Get,
        path: "/anomalies",
        tag: "events",
        summary: "Events that an anomaly detector marked, each with the reason.",
        parameters: &[FROM, TO, LEVEL, SERVICE, TEXT, WHERE, SEVERITY, ORDER, LIMIT, CURSOR, STORE],
        body: None,
        answer: Content::json::<ExplainedAnswer>(),
        problems: PROBLEMS,
        handler: anomalies,
    },
    Route {
        method: Method::Get,
        path: "/bursts",
        tag: "events",
        summary: "Starts and ends of bursts.",
        parameters: &[FROM, TO, LEVEL, SERVICE, TEXT, WHERE, ORDER, LIMIT, CURSOR, STORE],
        body: None,
        answer: Content::json::<ExplainedAnswer>(),
        problems: PROBLEMS,
        handler: bursts,
    },
];

/// A page of events.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct LogsAnswer {
    /// The events in the order asked for.
    logs: Vec<Row>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
    /// The first event as a `cursor`: with the other `order` it leads to the events before this page.
    first: Option<String>,
}

/// An event and its neighbours.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct LogAnswer {
    /// The events before it, oldest first.
    before: Vec<Row>,
    /// The event.
    log: Row,
    /// The events after it, oldest first.
    after: Vec<Row>,
}

/// A label that was kept.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct LabelAnswer {
    /// The event.
    id: i64,
    /// Its label now.
    label: Option<String>,
}

/// A page of events that a transform marked.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ExplainedAnswer {
    /// The events in the order asked for.
    logs: Vec<Explained>,
    /// The `cursor` of the next page; null on the last.
    next: Option<String>,
}

/// An event with what the transform that marked it wrote.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Explained {
    #[serde(flatten)]
    log: Row,
    /// The field of the transform: `anomaly` or `burst`.
    #[schemars(with = "Option<Value>")]
    explanation: Option<Box<RawValue>>,
}

/// The query that the parameters stand for; those that a route does not have are absent.
pub(super) fn query(parameters: &mut Parameters, only: Only) -> LogQuery {
    let list = |name| {
        let text = parameters.text(name).unwrap_or_default();
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let own = |name| parameters.text(name).map(str::to_owned);
    let oldest_first = parameters.text("order") == Some("oldest");
    LogQuery {
        from_ns: parameters.integer("from"),
        to_ns: parameters.integer("to"),
        levels: list("level"),
        services: list("service"),
        text: own("text"),
        severity_min: parameters.integer("severity").map(|least| least as f64),
        template_id: own("template"),
        only,
        order: if oldest_first { Order::OldestFirst } else { Order::NewestFirst },
        limit: parameters.count("limit"),
        cursor: own("cursor"),
        condition: parameters.take_expression("where").map(|expression| expression.text),
    }
}

/// Whether anomalies alone are asked for.
pub(super) fn only(parameters: &Parameters) -> Only {
    if parameters.flag("anomalies") { Only::Anomalies } else { Only::All }
}

async fn page(asked: &mut Asked, only: Only) -> Result<LogPage, Problem> {
    let query = query(&mut asked.parameters, only);
    ask(&asked.shared, &asked.parameters, move |store, control| store.logs(&query, control)).await
}

fn logs(mut asked: Asked) -> Answer {
    Box::pin(async move {
        let only = only(&asked.parameters);
        let page = page(&mut asked, only).await?;
        let logs = page.logs.into_iter().map(Row::from).collect();
        json(&LogsAnswer { logs, next: page.next, first: page.first })
    })
}

fn log(asked: Asked) -> Answer {
    Box::pin(async move {
        let id = asked.parameters.integer("id").unwrap_or_default();
        let (before, after) = (asked.parameters.count("before"), asked.parameters.count("after"));
        let found = ask(&asked.shared, &asked.parameters, move |store, control| {
            store.log(id, before, after, control)
        });
        let Some(context) = found.await? else { return Err(no_event(id)) };
        let rows = |logs: Vec<_>| logs.into_iter().map(Row::from).collect();
        let (before, after) = (rows(context.before), rows(context.after));
        json(&LogAnswer { before, log: context.log.into(), after })
    })
}

fn label(asked: Asked) -> Answer {
    Box::pin(async move {
        let id = asked.parameters.integer("id").unwrap_or_default();
        let label = asked.parameters.text("label").and_then(Label::named);
        let stated =
            ask(&asked.shared, &asked.parameters, move |store, _| store.label(id, label)).await?;
        if !stated {
            return Err(no_event(id));
        }
        json(&LabelAnswer { id, label: label.map(|label| label.name().to_owned()) })
    })
}

fn no_event(id: i64) -> Problem {
    Problem::not_found(format!("there is no event {id} (any more)"))
}

fn anomalies(asked: Asked) -> Answer {
    explained(asked, Only::Anomalies, "anomaly")
}

fn bursts(asked: Asked) -> Answer {
    explained(asked, Only::Bursts, "burst")
}

fn explained(mut asked: Asked, only: Only, field: &'static str) -> Answer {
    Box::pin(async move {
        let page = page(&mut asked, only).await?;
        let explain = |row| {
            let log = Row::from(row);
            let explanation = log.field(field);
            Explained { log, explanation }
        };
        let logs = page.logs.into_iter().map(explain).collect();
        json(&ExplainedAnswer { logs, next: page.next })
    })
}
