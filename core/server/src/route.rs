//! What a route is: everything the router, the OpenAPI document and the tests need to know about it.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodFilter;
use lograil_plugin::BoxFuture;
use lograil_plugin::schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;

use crate::admin::Shared;
use crate::body::{Received, RequestBody};
use crate::parameter::{Parameter, Parameters};
use crate::problem::Problem;

/// One operation of the API.
#[derive(Clone)]
pub(crate) struct Route {
    pub method: Method,
    /// The path, with parameters in braces.
    pub path: &'static str,
    /// The noun it belongs to: one of [`crate::openapi::TAGS`].
    pub tag: &'static str,
    pub summary: &'static str,
    pub parameters: &'static [Parameter],
    /// What a request may send.
    pub body: Option<RequestBody>,
    pub answer: Content,
    /// Statuses of the problems it answers with, beyond those every route has.
    pub problems: &'static [u16],
    pub handler: Handler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// What a body holds.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// JSON of this shape.
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// Text of this media type.
    Text(&'static str),
    /// Server-sent events, without end.
    Events,
}

pub(crate) type Answer = BoxFuture<'static, Result<Response, Problem>>;
pub(crate) type Handler = fn(Asked) -> Answer;

/// A request whose parameters are right.
pub(crate) struct Asked {
    pub shared: Arc<Shared>,
    pub parameters: Parameters,
    /// What was sent, where the route takes a body.
    pub body: Option<Received>,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

impl From<Method> for MethodFilter {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Post => Self::POST,
        }
    }
}

impl Content {
    /// JSON of the shape of a type.
    pub const fn json<T: JsonSchema>() -> Self {
        Self::Json(|generator| generator.subschema_for::<T>())
    }
}

/// An answer in JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Response, Problem> {
    match serde_json::to_vec(value) {
        Ok(bytes) => Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response()),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
    }
}
