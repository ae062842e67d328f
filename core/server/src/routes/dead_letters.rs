//! Dead letters: what components refused, with the reason and the original bytes; offering it again, and dropping it.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::StatusCode;
use lograil_plugin::dead_letter::FIELD_PREFIX;
use lograil_plugin::schemars::{self, JsonSchema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::admin::Shared;
use crate::dead_letters::{
    self, Backwards, BrokenOff, Done, Handled, LetterId, LetterPlace, Selection, Waiting,
};
use crate::parameter::{Parameter, ParameterKind};
use crate::problem::{Mistake, Problem};
use crate::route::{Answer, Asked, Content, Method, Route, json};

/// Bytes of letters that are looked at for a page, and those that it may have itself; beyond them it ends before it is full.
const LOOKED_AT_BYTES_MAX: usize = 32 << 20;
const PAGE_BYTES_MAX: usize = 8 << 20;

const COMPONENT: Parameter = Parameter::query(
    "component",
    ParameterKind::Text { bytes_max: 256 },
    "Only those that this component refused.",
);

const REASON: Parameter = Parameter::query(
    "reason",
    ParameterKind::Text { bytes_max: 1024 },
    "Only those whose reason has this text in it.",
);

const IDS: Parameter = Parameter::query(
    "ids",
    ParameterKind::Text { bytes_max: 4096 },
    "Only those of these ids, with commas between.",
);

const ALL: Parameter = Parameter::query(
    "all",
    ParameterKind::Flag,
    "Every letter there is; must be said where nothing else chooses.",
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::Get,
        path: "/dead-letters",
        tag: "topology",
        summary: "Events that components refused, with the reason, the newest first, a page at a time: of those that the \
            topology does not read itself, out of all files that are kept. Not those that were replayed or dropped. A \
            page may end before it is full where many letters had to be looked at, or they are long.",
        parameters: &[
            COMPONENT,
            REASON,
            Parameter::query(
                "limit",
                ParameterKind::Integer { min: 1, max: 1000, default: Some(50) },
                "At most so many.",
            ),
            Parameter::query(
                "cursor",
                ParameterKind::Text { bytes_max: 64 },
                "Where the page before ended: its `next`, with otherwise the same parameters. Letters that arrive \
                    meanwhile do not shift what follows.",
            ),
        ],
        body: None,
        answer: Content::json::<DeadLettersAnswer>(),
        problems: &[500],
        handler: dead_letters,
    },
    Route {
        method: Method::Post,
        path: "/dead-letters/replay",
        tag: "topology",
        summary: "Offers refused events again to the components that refused them, as they were then, the oldest first. \
            A letter is gone once its event is delivered and part of a checkpoint; an event that is refused again \
            becomes a new letter. If it is broken off, what is not gone is offered again the next time.",
        parameters: &[
            IDS,
            COMPONENT,
            REASON,
            ALL,
            Parameter::query(
                "to",
                ParameterKind::Text { bytes_max: 256 },
                "The component that gets them instead of the one that refused them; a source sends them on.",
            ),
        ],
        body: None,
        answer: Content::json::<ReplayAnswer>(),
        problems: &[404, 409, 500, 503],
        handler: replay,
    },
    Route {
        method: Method::Post,
        path: "/dead-letters/drop",
        tag: "topology",
        summary: "Takes refused events out of the list for good.",
        parameters: &[IDS, COMPONENT, REASON, ALL],
        body: None,
        answer: Content::json::<DropAnswer>(),
        problems: &[404, 409, 500],
        handler: drop_letters,
    },
];

/// Refused events.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct DeadLettersAnswer {
    /// The file they are kept in; null where the topology reads all dead letters itself, or keeps none.
    file: Option<String>,
    /// All that were refused since the start, also those that the topology reads itself.
    refused: u64,
    /// The newest first.
    letters: Vec<DeadLetter>,
    /// The `cursor` of the next page, with older letters; null on the last.
    next: Option<String>,
}

/// A refused event.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct DeadLetter {
    /// What tells it from all others; null in a file of an earlier version.
    id: Option<String>,
    /// When the event happened, RFC 3339 in UTC.
    timestamp: Option<String>,
    /// The component that refused it.
    component_id: Option<String>,
    /// The type of that component.
    component_type: Option<String>,
    /// Why.
    reason: Option<String>,
    /// The bytes it was read from, as text; null for an event that was not read but made.
    message: Option<String>,
    /// The fields that the event had when it was refused, where they are not just `message`.
    fields: Map<String, Value>,
}

impl DeadLetter {
    /// A line of the file; none if it is not one of ours, such as a line that is being written.
    fn read(line: &[u8]) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let why = fields.remove("dead_letter")?;
        let text = |name: &str| why[name].as_str().map(str::to_owned);
        let mut own = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (id, timestamp) = (own("dead_letter_id"), own("dead_letter_event_time"));
        let message = fields.remove("message").map(|message| match message {
            Value::String(text) => text,
            other => other.to_string(),
        });
        if why["fields"] == "prefixed" {
            let all = std::mem::take(&mut fields).into_iter();
            let without = |name: String| name.strip_prefix(FIELD_PREFIX).map(str::to_owned);
            fields = all.filter_map(|(name, value)| Some((without(name)?, value))).collect();
        }
        Some(Self {
            id,
            timestamp,
            component_id: text("component_id"),
            component_type: text("component_type"),
            reason: text("reason"),
            message,
            fields,
        })
    }
}

fn dead_letters(asked: Asked) -> Answer {
    Box::pin(async move {
        let described = asked.shared.described();
        let status = asked.shared.state.observer.status();
        let refused = status.components.iter().map(|one| one.ledger.dead_lettered).sum();
        let selection = Selection {
            ids: None,
            component: asked.parameters.text("component").map(str::to_owned),
            reason: asked.parameters.text("reason").map(str::to_owned),
        };
        let limit = asked.parameters.count("limit");
        let after = match asked.parameters.text("cursor").map(LetterPlace::parse) {
            Some(None) => {
                let detail = "is no `next` of a page of letters";
                return Err(Problem::mistakes(vec![Mistake::new("query", "cursor", detail)]));
            }
            after => after.flatten(),
        };
        let file = described.dead_letters.clone();
        let shown = file.as_ref().map(|file| file.display().to_string());
        let read = tokio::task::spawn_blocking(move || match file {
            Some(file) => page(&file, after, &selection, limit),
            None => Ok((Vec::new(), None)),
        });
        let read = read.await.map_err(io::Error::other).and_then(|page| page);
        let (letters, next) = read.map_err(|error| problem(&error))?;
        let next = next.map(|place| place.to_string());
        json(&DeadLettersAnswer { file: shown, refused, letters, next })
    })
}

/// What became of the letters that were replayed.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct ReplayAnswer {
    /// Letters whose events were offered again and are delivered, or are new letters.
    replayed: u64,
    /// Ids that no letter has, or one that was replayed or dropped before.
    unknown: Vec<String>,
    /// Letters that stay because the topology has no such component any more, or they cannot be read.
    left_out: Vec<LeftOut>,
}

/// Letters that stay.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct LeftOut {
    /// The component that would have got them; `to` names another.
    component_id: String,
    /// How many.
    letters: u64,
}

/// What became of the letters that were dropped.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct DropAnswer {
    /// Letters that are gone.
    dropped: u64,
    /// Ids that no letter has, or one that was replayed or dropped before.
    unknown: Vec<String>,
}

fn replay(asked: Asked) -> Answer {
    Box::pin(async move {
        let (file, selection) = chosen(&asked)?;
        let observer = asked.shared.state.observer.clone();
        let to = asked.parameters.text("to").map(str::to_owned);
        if let Some(to) = &to
            // What the program adds to a topology has a colon in its id, and is no place for events.
            && (to.contains(':') || !observer.status().components.iter().any(|one| one.id == *to))
        {
            let detail = format!("the topology has no component `{to}`");
            return Err(Problem::mistakes(vec![Mistake::new("query", "to", detail)]));
        }
        let turn = turn(&asked.shared)?;
        let waiting = Waiting::default();
        let is_over = waiting.is_over();
        let work = tokio::spawn(async move {
            let handled = dead_letters::replay(observer, file, selection, to, is_over).await;
            drop(turn);
            handled
        });
        let handled = work.await.map_err(|crash| problem(&crash.into()))?;
        let handled = handled.map_err(|error| match error {
            BrokenOff::Files(error) => problem(&error),
            error @ BrokenOff::NotDelivered { .. } => {
                Problem::later(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
        })?;
        let left_out = handled.left_out.iter();
        let left_out =
            left_out.map(|(id, letters)| LeftOut { component_id: id.clone(), letters: *letters });
        json(&ReplayAnswer {
            replayed: handled.letters,
            unknown: told(&handled),
            left_out: left_out.collect(),
        })
    })
}

fn drop_letters(asked: Asked) -> Answer {
    Box::pin(async move {
        let (file, selection) = chosen(&asked)?;
        let turn = turn(&asked.shared)?;
        let work = tokio::task::spawn_blocking(move || {
            let handled = dead_letters::drop_letters(&file, selection);
            drop(turn);
            handled
        });
        let handled = work.await.map_err(io::Error::other).and_then(|handled| handled);
        let handled = handled.map_err(|error| problem(&error))?;
        json(&DropAnswer { dropped: handled.letters, unknown: told(&handled) })
    })
}

/// Only one at a time: the journal has one writer.
fn turn(shared: &Shared) -> Result<tokio::sync::OwnedMutexGuard<()>, Problem> {
    Arc::clone(&shared.letters).try_lock_owned().map_err(|_| {
        let detail = "letters are being replayed or dropped; ask again when that is done";
        Problem::later(StatusCode::CONFLICT, detail)
    })
}

/// The file of the letters, and which of them are meant.
fn chosen(asked: &Asked) -> Result<(PathBuf, Selection), Problem> {
    let parameters = &asked.parameters;
    let text = |name: &str| parameters.text(name).map(str::to_owned);
    let mut selection =
        Selection { ids: None, component: text("component"), reason: text("reason") };
    if let Some(ids) = parameters.text("ids") {
        let mut all = HashSet::new();
        for id in ids.split(',') {
            let Some(id) = LetterId::parse(id) else {
                let detail = "is a list of ids as /dead-letters tells them, with commas between";
                return Err(Problem::mistakes(vec![Mistake::new("query", "ids", detail)]));
            };
            all.insert(id);
        }
        selection.ids = Some(all);
    }
    let is_narrowed =
        parameters.text("ids").or(parameters.text("component")).or(parameters.text("reason"));
    if is_narrowed.is_none() && !parameters.flag("all") {
        let detail = "say which letters: `ids`, `component`, `reason`, or `all=true`";
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let file = asked.shared.described().dead_letters.clone().ok_or_else(|| {
        Problem::not_found("no letters are kept: the topology reads all dead letters itself")
    })?;
    Ok((file, selection))
}

fn told(handled: &Handled) -> Vec<String> {
    handled.unknown.iter().map(LetterId::to_string).collect()
}

fn problem(error: &io::Error) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("read or note dead letters: {error}"))
}

/// The newest letters behind a place that are asked for and not done, and where the page ended if there may be more.
fn page(
    file: &Path,
    after: Option<LetterPlace>,
    selection: &Selection,
    limit: usize,
) -> io::Result<(Vec<DeadLetter>, Option<LetterPlace>)> {
    let mut way = Backwards::begin(file, after)?;
    // Read behind the letters: what is replayed meanwhile was a letter when the page began, and may be shown.
    let done = Done::read(file)?;
    let is_wanted = |letter: &DeadLetter| {
        let id = letter.id.as_deref().and_then(LetterId::parse);
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        !id.is_some_and(|id| done.contains(id))
            && selection.has(id, &text(&letter.component_id), &text(&letter.reason))
    };
    let (mut letters, mut end) = (Vec::new(), None);
    let (mut looked_at, mut bytes) = (0, 0);
    while let Some(line) = way.next_line()? {
        looked_at += line.line.len();
        let is_full = looked_at > LOOKED_AT_BYTES_MAX || bytes > PAGE_BYTES_MAX;
        if end.is_some() && (is_full || letters.len() == limit) {
            return Ok((letters, end));
        }
        end = Some(line.place());
        if let Some(letter) = DeadLetter::read(&line.line).filter(is_wanted) {
            bytes += line.line.len();
            letters.push(letter);
        }
    }
    Ok((letters, None))
}
