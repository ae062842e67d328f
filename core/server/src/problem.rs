//! What went wrong with a request, as problem details (RFC 9457).

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lograil_plugin::schemars::{self, JsonSchema};
use serde::Serialize;

/// How long a client is asked to wait, in seconds.
const RETRY_AFTER: &str = "1";

/// An answer that says what was wrong, and with which part of the request.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub(crate) struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong, and what would be right.
    detail: String,
    /// The parts of the request that are wrong, all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
    /// Whether the same request may do better soon.
    #[serde(skip)]
    is_worth_a_retry: bool,
}

/// One wrong part of a request.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
pub(crate) struct Mistake {
    /// Where the part is: `query`, `path` or `body`.
    #[serde(rename = "in")]
    pub place: &'static str,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub detail: String,
    /// For an expression: the first byte of what is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    /// For an expression: the byte behind what is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<usize>,
}

impl Mistake {
    pub fn new(place: &'static str, name: &str, detail: impl Into<String>) -> Self {
        Self { place, name: name.to_owned(), detail: detail.into(), start: None, end: None }
    }
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            is_worth_a_retry: false,
        }
    }

    /// One that passes: the answer says when to ask again.
    pub fn later(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { is_worth_a_retry: true, ..Self::new(status, detail) }
    }

    /// Wrong parameters.
    pub fn mistakes(errors: Vec<Mistake>) -> Self {
        let told: Vec<String> = errors
            .iter()
            .map(|mistake| format!("{} `{}`: {}", mistake.place, mistake.name, mistake.detail))
            .collect();
        Self { errors, ..Self::new(StatusCode::BAD_REQUEST, told.join("; ")) }
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let retry = self.is_worth_a_retry.then_some([(header::RETRY_AFTER, RETRY_AFTER)]);
        (status, kind, retry, Json(self)).into_response()
    }
}
