//! Live events of a component, as server-sent events.
//!
//! **Invariant:** a listener never holds the component up: it misses what it is too slow for, and is told how
//! much.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use lograil_codec::{Codec, Encoder, EncodingConfig};
use lograil_event::Batch;
use lograil_expr::Condition;
use lograil_plugin::Port;
use lograil_runtime::TapListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use crate::parameter::{Parameter, ParameterKind, Parameters};
use crate::problem::{Mistake, Problem};
use crate::route::{Answer, Asked, Content, Method, Route};

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/tap/{component}",
    tag: "topology",
    summary: "Live events of a component: those that leave it, or reach it if it is a sink. Server-sent events: \
        `event` with an event (with `id:` the output it left by, where that is not the main one), `missed` \
        with the number of events that fitted and were not shown, `failed` with the number of those for which the \
        condition has no value.",
    parameters: &[
        Parameter::path(
            "component",
            ParameterKind::Text { bytes_max: 256 },
            "The component's id in the topology.",
        ),
        Parameter::query(
            "where",
            ParameterKind::Expression,
            "Only events for which this condition is true.",
        ),
        Parameter::query(
            "format",
            ParameterKind::Choice { of: &["json", "logfmt", "raw", "text"], default: Some("json") },
            "How an event is written: as JSON, as logfmt, as the bytes it was read from, as `text` says.",
        ),
        Parameter::query(
            "text",
            ParameterKind::Text { bytes_max: 4096 },
            "For the format `text`: a text with fields in braces, `{timestamp} {level} {message}`.",
        ),
        Parameter::query(
            "sample",
            ParameterKind::Integer { min: 1, max: 1_000_000, default: Some(1) },
            "Only one in so many of the events that fit.",
        ),
        Parameter::query(
            "rate",
            ParameterKind::Integer { min: 1, max: 10_000, default: Some(200) },
            "At most so many events a second; the rest counts as missed.",
        ),
        Parameter::query(
            "limit",
            ParameterKind::Integer { min: 1, max: 1_000_000, default: None },
            "End after so many events.",
        ),
    ],
    body: None,
    answer: Content::Events,
    problems: &[404, 429],
    handler: tap,
}];

/// Events that wait to be written to the client at most; they come out of one batch.
const WAITING_MAX: usize = 10_000;

/// How often it is told at most how many events were not shown.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How long nothing is told where there is nothing to tell.
const QUIET_MAX: Duration = Duration::from_secs(3600);

fn tap(mut asked: Asked) -> Answer {
    Box::pin(async move {
        let Ok(permit) = Arc::clone(&asked.shared.taps).try_acquire_owned() else {
            let detail = "there are too many listeners; close one";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
        };
        let id = asked.parameters.text("component").unwrap_or_default();
        let Some(listener) = asked.shared.state.observer.tap(id) else {
            return Err(Problem::not_found("there is no such component; see /topology"));
        };
        let encoder = encoder(&asked.parameters)?;
        let feed = Feed {
            listener,
            _permit: permit,
            encoder,
            sample: asked.parameters.count("sample") as u64,
            rate: asked.parameters.count("rate") as u64,
            left: asked.parameters.integer("limit").and_then(|limit| u64::try_from(limit).ok()),
            condition: asked.parameters.take_expression("where").map(|one| one.condition),
            fitting: 0,
            second: Instant::now(),
            shown_in_second: 0,
            untold: Untold::default(),
            waiting: VecDeque::new(),
        };
        let stream = futures::stream::unfold(feed, |mut feed| async move {
            let event = feed.next().await?;
            Some((Ok::<_, Infallible>(event), feed))
        });
        let keep_alive = KeepAlive::new().interval(Duration::from_secs(10));
        Ok(Sse::new(stream).keep_alive(keep_alive).into_response())
    })
}

/// Writes events as the parameters say.
fn encoder(parameters: &Parameters) -> Result<Encoder, Problem> {
    let (codec, format) = match parameters.text("format") {
        Some("logfmt") => (Codec::Logfmt, None),
        Some("raw") => (Codec::Raw, None),
        Some("text") => (Codec::Text, parameters.text("text").map(str::to_owned)),
        _ => (Codec::Json, None),
    };
    let config = EncodingConfig { codec, format, ..EncodingConfig::default() };
    config.build().map_err(|error| {
        let mut mistake = Mistake::new("query", "text", error.message);
        mistake.start = error.within.as_ref().map(|range| range.start);
        mistake.end = error.within.as_ref().map(|range| range.end);
        Problem::mistakes(vec![mistake])
    })
}

/// What one client is shown.
struct Feed {
    listener: TapListener,
    _permit: OwnedSemaphorePermit,
    encoder: Encoder,
    condition: Option<Condition>,
    sample: u64,
    rate: u64,
    /// Events until the end.
    left: Option<u64>,
    /// Events that fitted so far.
    fitting: u64,
    second: Instant,
    shown_in_second: u64,
    untold: Untold,
    waiting: VecDeque<Event>,
}

/// Counts of events that were not shown, told now and then.
#[derive(Default)]
struct Untold {
    missed: u64,
    failed: u64,
    told: Option<Instant>,
}

impl Untold {
    /// When there is something to tell, at the latest.
    fn due(&self) -> Instant {
        match self.told {
            Some(told) if self.missed + self.failed > 0 => told + TELL_EVERY,
            _ => Instant::now() + QUIET_MAX,
        }
    }

    /// What is to be told now; all of it if nothing comes any more.
    fn take(&mut self, is_end: bool) -> impl Iterator<Item = Event> {
        let counts = if is_end || self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            [
                ("missed", std::mem::take(&mut self.missed)),
                ("failed", std::mem::take(&mut self.failed)),
            ]
        } else {
            [("missed", 0), ("failed", 0)]
        };
        if counts.iter().any(|(_, count)| *count > 0) {
            self.told = Some(Instant::now());
        }
        let told = counts.into_iter().filter(|(_, count)| *count > 0);
        told.map(|(name, count)| Event::default().event(name).data(count.to_string()))
    }
}

impl Feed {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.left == Some(0) {
                return None;
            }
            // What is untold is told although nothing comes any more, and before the component's end.
            match timeout_at(self.untold.due(), self.listener.next()).await {
                Ok(Some((port, batch))) => self.take(port, batch),
                Ok(None) => {
                    self.untold.missed += self.listener.take_missed();
                    self.waiting.extend(self.untold.take(true));
                    return self.waiting.pop_front();
                }
                Err(_) => {
                    let told = self.untold.take(false);
                    self.waiting.extend(told);
                }
            }
        }
    }

    /// Takes what fits out of a batch.
    fn take(&mut self, port: Port, batch: Batch) {
        self.untold.missed += self.listener.take_missed();
        let mut chosen = Vec::new();
        if self.second.elapsed() >= Duration::from_secs(1) {
            (self.second, self.shown_in_second) = (Instant::now(), 0);
        }
        let mut condition = self.condition.as_ref().map(|condition| condition.bind(&batch));
        for index in 0..batch.len() {
            match condition.as_mut().map(|condition| condition.test(batch.event(index))) {
                Some(Ok(false)) => continue,
                Some(Err(_)) => {
                    self.untold.failed += 1;
                    continue;
                }
                Some(Ok(true)) | None => {}
            }
            self.fitting += 1;
            if !(self.fitting - 1).is_multiple_of(self.sample) {
                continue;
            }
            if self.left == Some(0) {
                break;
            }
            if self.shown_in_second >= self.rate || chosen.len() >= WAITING_MAX {
                self.untold.missed += 1;
                continue;
            }
            self.shown_in_second += 1;
            self.left = self.left.map(|left| left - 1);
            chosen.push(index);
        }
        drop(condition);
        self.show(port, batch, &chosen);
        let told = self.untold.take(self.left == Some(0));
        self.waiting.extend(told);
    }

    fn show(&mut self, port: Port, mut batch: Batch, chosen: &[usize]) {
        let mut at = 0;
        let mut chosen = chosen.iter().copied().peekable();
        batch.edit().events().retain(|_| {
            let is_chosen = chosen.next_if_eq(&at).is_some();
            at += 1;
            is_chosen
        });
        let (mut text, mut ends) = (Vec::new(), Vec::new());
        self.encoder.encode_with_ends(&batch, &mut text, &mut ends);
        let output = self.listener.port_name(port).map(str::to_owned);
        let mut start = 0;
        for end in ends {
            let line = String::from_utf8_lossy(text.get(start..end).unwrap_or_default());
            let mut event = Event::default().event("event").data(line.trim_end());
            if let Some(output) = &output {
                event = event.id(output);
            }
            self.waiting.push_back(event);
            start = end;
        }
    }
}
