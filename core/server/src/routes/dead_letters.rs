//! Dead letters: what components refused, with the reason and the original bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use lograil_plugin::schemars::{self, JsonSchema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::parameter::{Parameter, ParameterKind};
use crate::problem::Problem;
use crate::route::{Answer, Asked, Content, Method, Route, json};

/// Bytes of a file that are looked at, from its end.
const TAIL_BYTES_MAX: u64 = 8 << 20;

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::Get,
    path: "/dead-letters",
    tag: "topology",
    summary: "The newest events that components refused, with the reason: of those that the topology does not read \
        itself, out of the last 8 MiB of the current file in the data directory and of the one before.",
    parameters: &[
        Parameter::query(
            "component",
            ParameterKind::Text { bytes_max: 256 },
            "Only those that this component refused.",
        ),
        Parameter::query(
            "limit",
            ParameterKind::Integer { min: 1, max: 1000, default: Some(50) },
            "At most so many.",
        ),
    ],
    body: None,
    answer: Content::json::<DeadLettersAnswer>(),
    problems: &[500],
    handler: dead_letters,
}];

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
}

/// A refused event.
#[derive(Serialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct DeadLetter {
    /// The component that refused it.
    component_id: Option<String>,
    /// The type of that component.
    component_type: Option<String>,
    /// Why.
    reason: Option<String>,
    /// The bytes it was read from, as text; null for an event that was not read but made.
    message: Option<String>,
    /// Its other fields.
    fields: Map<String, Value>,
}

impl DeadLetter {
    /// A line of the file; none if it is not one of ours, such as a line that is being written.
    fn read(line: &str) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        let why = fields.remove("dead_letter")?;
        let text = |name: &str| why[name].as_str().map(str::to_owned);
        let message = fields.remove("message").map(|message| match message {
            Value::String(text) => text,
            other => other.to_string(),
        });
        Some(Self {
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
        let component = asked.parameters.text("component").map(str::to_owned);
        let limit = asked.parameters.count("limit");
        let file = described.dead_letters.clone();
        let shown = file.as_ref().map(|file| file.display().to_string());
        let read = tokio::task::spawn_blocking(move || match file {
            Some(file) => newest(&file, component.as_deref(), limit),
            None => Ok(Vec::new()),
        });
        let letters = read.await.map_err(io::Error::other).and_then(|letters| letters);
        let letters = letters.map_err(|error| {
            let detail = format!("read the dead letters: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        })?;
        json(&DeadLettersAnswer { file: shown, refused, letters })
    })
}

/// The newest letters of a component, or of all, out of the ends of the file and of the one before it.
fn newest(file: &Path, component: Option<&str>, limit: usize) -> io::Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    let mut before = file.as_os_str().to_owned();
    before.push(".1");
    for path in [file.to_owned(), PathBuf::from(before)] {
        let text = tail(&path)?;
        let read = text.lines().rev().filter_map(DeadLetter::read);
        let wanted = read
            .filter(|letter| component.is_none_or(|id| letter.component_id.as_deref() == Some(id)));
        letters.extend(wanted.take(limit - letters.len()));
        if letters.len() == limit {
            break;
        }
    }
    Ok(letters)
}

/// The end of a file, which need not be there. A line that is cut off at the start is no letter.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
