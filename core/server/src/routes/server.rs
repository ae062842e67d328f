//! The server itself: probes, metrics, the description of the API.

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use lograil_plugin::schemars::{self, JsonSchema};
use prometheus::{Encoder, TextEncoder};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;
use crate::route::{Answer, Asked, Content, Method, Route, json};
use crate::{openapi, routes};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/health",
        tag: "server",
        summary: "Whether the process lives and answers.",
        parameters: &[],
        body: None,
        answer: Content::json::<Health>(),
        problems: &[],
        handler: health,
    },
    Route {
        method: Method::Get,
        path: "/ready",
        tag: "server",
        summary: "Whether the topology runs.",
        parameters: &[],
        body: None,
        answer: Content::json::<Readiness>(),
        problems: &[],
        handler: ready,
    },
    Route {
        method: Method::Get,
        path: "/metrics",
        tag: "server",
        summary: "The metrics of every component in Prometheus's text format.",
        parameters: &[],
        body: None,
        answer: Content::Text("text/plain"),
        problems: &[500],
        handler: metrics,
    },
    Route {
        method: Method::Get,
        path: "/openapi.json",
        tag: "server",
        summary: "This API as an OpenAPI 3.1 document.",
        parameters: &[],
        body: None,
        answer: Content::json::<Value>(),
        problems: &[],
        handler: document,
    },
];

/// That the process answers.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The program's version.
    version: &'static str,
}

/// That the topology runs.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Readiness {
    /// Always `ready`: the server starts only after every component did.
    status: &'static str,
}

fn health(_: Asked) -> Answer {
    let health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };
    Box::pin(std::future::ready(json(&health)))
}

fn ready(_: Asked) -> Answer {
    Box::pin(std::future::ready(json(&Readiness { status: "ready" })))
}

fn metrics(asked: Asked) -> Answer {
    Box::pin(async move {
        let state = &asked.shared.state;
        state.observer.sample_buffers();
        let mut body = Vec::new();
        let encoder = TextEncoder::new();
        match encoder.encode(&state.metrics.registry().gather(), &mut body) {
            Ok(()) => {
                let kind = [(header::CONTENT_TYPE, encoder.format_type().to_owned())];
                Ok((kind, body).into_response())
            }
            Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        }
    })
}

fn document(_: Asked) -> Answer {
    Box::pin(async move { json(&openapi::document(routes::all())) })
}
