//! The OpenAPI 3.1 document, made of the table of routes.

use lograil_plugin::schemars::SchemaGenerator;
use lograil_plugin::schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::body;
use crate::problem::Problem;
use crate::route::{Content, Route};

/// The nouns that routes belong to, with what they are about.
pub(crate) const TAGS: &[(&str, &str)] = &[
    ("events", "What the stores of the topology's sinks hold."),
    ("topology", "What runs, and what became of its events."),
    ("server", "The server itself: probes, metrics, this document."),
];

/// Problems that every route may answer with.
const PROBLEMS: &[u16] = &[400, 401, 403];

/// The document of the routes.
pub(crate) fn document(routes: impl Iterator<Item = &'static Route>) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for route in routes {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.name()] = operation(route, &mut generator);
    }
    let tags: Vec<Value> =
        TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about })).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "lograil",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a running lograil knows: its topology, its ledgers, and the events its \
                stores hold. Times are RFC 3339 in UTC.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": { "Problem": {
                "description": "What is wrong (RFC 9457).",
                "content": { "application/problem+json": { "schema": problem } },
            } },
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "The `token` of `[admin]`, if there is one.",
            } },
        },
        "security": [{}, { "token": [] }],
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let name = route.path.trim_matches('/').replace(['{', '}', '.'], "").replace(['/', '-'], "_");
    let mut responses = json!({
        "200": { "description": "What was asked for.", "content": content(route.answer, generator) },
    });
    let of_body = if route.body.is_some() { body::PROBLEMS } else { &[] };
    for status in PROBLEMS.iter().chain(of_body).chain(route.problems) {
        responses[status.to_string()] = json!({ "$ref": "#/components/responses/Problem" });
    }
    let parameters: Vec<Value> = route.parameters.iter().map(|one| one.document()).collect();
    let mut operation = json!({
        "operationId": format!("{}_{name}", route.method.name()),
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = &route.body {
        operation["requestBody"] = body.document();
    }
    operation
}

fn content(content: Content, generator: &mut SchemaGenerator) -> Value {
    match content {
        Content::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
        Content::Text(media_type) => json!({ media_type: { "schema": { "type": "string" } } }),
        Content::Events => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
    }
}
