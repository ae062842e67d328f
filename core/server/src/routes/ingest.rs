//! Taking events as a source of the topology would.
//!
//! **Invariant:** an answer of 200 means that every event is delivered everywhere, or is a dead letter that is, unless
//! the request asked for less.

use std::time::Duration;

use axum::http::StatusCode;
use bytes::Bytes;
use lograil_codec::json::Parser;
use lograil_codec::payload::{self, Decoded, EVENT_BYTES, PayloadFormat, SplitError};
use lograil_event::Batch;
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{Port, dead_letter};
use lograil_runtime::{InjectError, Observer, Receipt};
use serde::Serialize;

use crate::admin::{Described, IngestSource, now_ns};
use crate::body::{BodySchema, RequestBody};
use crate::parameter::{Parameter, ParameterKind};
use crate::problem::{Mistake, Problem};
use crate::route::{Answer, Asked, Content, Method, Route, json};

/// Bytes a body may have.
const BODY_BYTES_MAX: usize = 10 << 20;

/// Events a body may have: what is kept of them beside the text stays below 64 MiB.
const EVENTS_MAX: usize = (64 << 20) / EVENT_BYTES;

/// Bytes a message in the query may have.
const MESSAGE_BYTES_MAX: usize = 4096;

/// How long room and delivery may take.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

const SOURCE: Parameter = Parameter::query(
    "source",
    ParameterKind::Text { bytes_max: 256 },
    "The id of the source as which the events come; needed where the topology has several of the type `http`.",
);

const ACKNOWLEDGE: Parameter = Parameter::query(
    "acknowledge",
    ParameterKind::Choice { of: &["delivered", "accepted"], default: Some("delivered") },
    "When to answer: once the events are delivered, or once they are on their way. Where a transform holds events back \
        for half a minute or longer, as `aggregate` does until its window is over, only the latter can be had (409).",
);

const PROBLEMS: &[u16] = &[404, 409, 503];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/ingest",
        tag: "events",
        summary: "Takes events as the topology's source of the type `http` does: a JSON array, a JSON document a line, or \
            plain lines. The answer comes once they are delivered.",
        parameters: &[
            SOURCE,
            Parameter::query(
                "format",
                ParameterKind::Choice { of: &["auto", "json", "lines"], default: Some("auto") },
                "What the body holds; `auto`: JSON if its media type says so or it starts with `{` or `[`.",
            ),
            ACKNOWLEDGE,
        ],
        body: Some(RequestBody {
            about: "The events, at most 10 MiB; `Content-Encoding` says whether they are compressed with gzip, zstd or deflate, and then \
                they are at most 10 MiB without it too.",
            content: &[
                ("application/json", BodySchema::Any),
                ("application/x-ndjson", BodySchema::Text),
                ("text/plain", BodySchema::Text),
            ],
            bytes_max: BODY_BYTES_MAX,
        }),
        answer: Content::json::<IngestAnswer>(),
        problems: PROBLEMS,
        handler: ingest,
    },
    Route {
        method: Method::Get,
        path: "/send",
        tag: "events",
        summary: "Takes one line as the topology's source of the type `http` does, for quick tries. Browsers must say \
            (`Sec-Fetch-Site`) that no page of another site asks, or send the token.",
        parameters: &[
            Parameter::required(
                "message",
                ParameterKind::Text { bytes_max: MESSAGE_BYTES_MAX },
                "The line.",
            ),
            SOURCE,
            ACKNOWLEDGE,
        ],
        body: None,
        answer: Content::json::<IngestAnswer>(),
        problems: PROBLEMS,
        handler: send,
    },
];

/// What became of the events.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct IngestAnswer {
    /// The source as which they came.
    source: String,
    /// How many they were.
    events: usize,
    /// How many of them became dead letters because they are no JSON.
    refused: usize,
}

fn ingest(mut asked: Asked) -> Answer {
    Box::pin(async move {
        // Its permit is held until the end.
        let body = asked.body.take();
        let bytes = body.as_ref().map(|body| body.bytes.clone()).unwrap_or_default();
        let format = match asked.parameters.text("format") {
            Some("json") => PayloadFormat::Json,
            Some("lines") => PayloadFormat::Lines,
            _ => PayloadFormat::Auto,
        };
        let says_json = body.as_ref().is_some_and(|body| body.content_type.contains("json"));
        let is_json = format.is_json(&bytes, says_json);
        let mut pieces = Vec::new();
        payload::split(&bytes, 0, is_json, EVENTS_MAX, &mut pieces).map_err(
            |error| match error {
                SplitError::Json(error) => Problem::mistakes(vec![Mistake::new(
                    "body",
                    "body",
                    format!("no JSON: {error}"),
                )]),
                SplitError::TooMany => {
                    let detail = format!("the body has more than {EVENTS_MAX} events");
                    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
                }
            },
        )?;
        let decoded = payload::batches(&bytes, &pieces, is_json, now_ns(), &mut Parser::new());
        drop(pieces);
        take(&asked, decoded).await
    })
}

fn send(asked: Asked) -> Answer {
    Box::pin(async move {
        let message = asked.parameters.text("message").unwrap_or_default();
        let line = Bytes::copy_from_slice(message.as_bytes());
        let piece = 0..line.len();
        let decoded = payload::batches(
            &line,
            std::slice::from_ref(&piece),
            false,
            now_ns(),
            &mut Parser::new(),
        );
        take(&asked, decoded).await
    })
}

/// Puts the events in and waits for what was asked for.
async fn take(asked: &Asked, decoded: Vec<Decoded>) -> Result<axum::response::Response, Problem> {
    let described = asked.shared.described();
    let source = source(&described, asked.parameters.text("source"))?;
    let observer = &asked.shared.state.observer;
    let is_awaited = asked.parameters.text("acknowledge") != Some("accepted");
    if let Some((transform, time)) = &source.held_behind
        && is_awaited
        && *time >= DELIVERY_TIMEOUT
    {
        // Before anything is put in: whoever is told later that it takes too long sends it again.
        let detail = format!(
            "`{transform}` holds events back for longer than {DELIVERY_TIMEOUT:?}, so their delivery cannot be waited \
             for; ask with `acknowledge=accepted`"
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let taking = async {
        let (mut answer, receipts) = put_in(observer, source, decoded).await?;
        if is_awaited {
            for mut receipt in receipts {
                if !receipt.delivered().await {
                    return Err(unavailable("the events could not be delivered"));
                }
            }
        }
        source.id.clone_into(&mut answer.source);
        Ok(answer)
    };
    let answer = tokio::time::timeout(DELIVERY_TIMEOUT, taking)
        .await
        .map_err(|_| unavailable("the delivery takes too long"))??;
    json(&answer)
}

async fn put_in(
    observer: &Observer,
    source: &IngestSource,
    decoded: Vec<Decoded>,
) -> Result<(IngestAnswer, Vec<Receipt>), Problem> {
    let mut answer = IngestAnswer { source: String::new(), events: 0, refused: 0 };
    let mut receipts = Vec::new();
    for one in decoded {
        let letters = one.refused.map(|(letters, mistakes)| {
            let reason = |at: usize| format!("no JSON: {}", mistakes[at]);
            dead_letter::convert(letters, &source.id, source.component_type, reason)
        });
        answer.refused += letters.as_ref().map_or(0, Batch::len);
        for (port, batch) in [(Port::MAIN, Some(one.events)), (Port::DEAD_LETTER, letters)] {
            let Some(batch) = batch.filter(|batch| !batch.is_empty()) else { continue };
            answer.events += batch.len();
            let sent = observer.send_from(&source.id, port, batch).await;
            receipts.push(sent.map_err(inject_problem)?);
        }
    }
    Ok((answer, receipts))
}

/// The source that is asked for, or the only one there is.
fn source<'a>(described: &'a Described, id: Option<&str>) -> Result<&'a IngestSource, Problem> {
    let sources = &described.ingest;
    let ids: Vec<&str> = sources.iter().map(|source| source.id.as_str()).collect();
    match (sources.as_slice(), id) {
        ([], _) => Err(Problem::not_found(
            "the topology has no source as which events could come; add one of the type `http`",
        )),
        (all, Some(id)) => all.iter().find(|source| source.id == id).ok_or_else(|| {
            Problem::not_found(format!("no such source takes events; there are {}", ids.join(", ")))
        }),
        ([only], None) => Ok(only),
        (_, None) => {
            let detail = format!("say with `source` as which they come: {}", ids.join(", "));
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
    }
}

fn unavailable(detail: &str) -> Problem {
    Problem::later(StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// What is wrong when nothing can be put in.
pub(super) fn inject_problem(error: InjectError) -> Problem {
    match error {
        InjectError::Closed(_) => unavailable(&error.to_string()),
        InjectError::Unknown(_) | InjectError::NoSource(_) => Problem::not_found(error.to_string()),
    }
}
