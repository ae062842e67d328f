//! Message templates: the most frequent, the newest, the rarest.

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::store::{TemplateOrder, TemplateQuery, TemplateSummary};
use serde::Serialize;

use super::row::time;
use crate::parameter::{Parameter, ParameterKind};
use crate::question::{PROBLEMS, STORE, ask};
use crate::route::{Answer, Asked, Content, Method, Route, json};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/templates",
    tag: "events",
    summary: "Message templates.",
    parameters: &[
        Parameter::query(
            "order",
            ParameterKind::Choice { of: &["top", "new", "rare"], default: Some("top") },
            "The most frequent, the last to appear, or the least frequent first.",
        ),
        Parameter::query(
            "first_seen_from",
            ParameterKind::Time,
            "Only those first seen from this time on.",
        ),
        Parameter::query(
            "limit",
            ParameterKind::Integer { min: 1, max: 1000, default: Some(50) },
            "At most so many.",
        ),
        STORE,
    ],
    body: None,
    answer: Content::json::<TemplatesAnswer>(),
    problems: PROBLEMS,
    handler: templates,
}];

/// Message templates.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct TemplatesAnswer {
    /// In the order asked for.
    templates: Vec<TemplateLine>,
}

/// A message template.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct TemplateLine {
    /// Its id.
    id: String,
    /// Its text.
    text: String,
    /// Events with it.
    count: u64,
    /// The time of the first of them.
    first_seen: String,
    /// The time of the last of them.
    last_seen: String,
}

impl From<TemplateSummary> for TemplateLine {
    fn from(template: TemplateSummary) -> Self {
        Self {
            id: template.id,
            text: template.text,
            count: template.count,
            first_seen: time(template.first_seen_ns),
            last_seen: time(template.last_seen_ns),
        }
    }
}

fn templates(asked: Asked) -> Answer {
    Box::pin(async move {
        let order = match asked.parameters.text("order") {
            Some("new") => TemplateOrder::New,
            Some("rare") => TemplateOrder::Rare,
            _ => TemplateOrder::Top,
        };
        let query = TemplateQuery {
            order,
            first_seen_from_ns: asked.parameters.integer("first_seen_from"),
            limit: asked.parameters.count("limit"),
        };
        let found = ask(&asked.shared, &asked.parameters, move |store, control| {
            store.templates(&query, control)
        });
        let templates = found.await?.into_iter().map(TemplateLine::from).collect();
        json(&TemplatesAnswer { templates })
    })
}
