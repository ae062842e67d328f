//! Which fields of an event have a column, found once a batch by their keys.

use lograil_event::json_text::{self, PathStep};
use lograil_event::{Batch, Key, ValueRef};

/// What a key means to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: it stays with all other fields.
    Other,
    /// A text that is taken out of the fields.
    Text(TextColumn),
    /// A value that is copied.
    Copied(CopiedColumn),
    /// An object that may hold values to copy.
    Nested(&'static [(&'static str, CopiedColumn)]),
}

/// Columns that hold a text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextColumn {
    Level,
    Service,
    Message,
    TemplateId,
    Template,
}

/// Number of [`TextColumn`]s.
pub(super) const TEXT_COLUMNS: usize = 5;

/// Columns beside the field they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopiedColumn {
    Severity,
    AnomalyScore,
    IsAnomaly,
    Burst,
}

/// The fields with a role, flat keys and objects.
const ROLES: [(&str, Role); 11] = [
    ("level", Role::Text(TextColumn::Level)),
    ("service", Role::Text(TextColumn::Service)),
    ("message", Role::Text(TextColumn::Message)),
    ("template_id", Role::Text(TextColumn::TemplateId)),
    ("template", Role::Text(TextColumn::Template)),
    ("severity", Role::Copied(CopiedColumn::Severity)),
    ("anomaly.score", Role::Copied(CopiedColumn::AnomalyScore)),
    ("anomaly.alarm", Role::Copied(CopiedColumn::IsAnomaly)),
    ("burst.event", Role::Copied(CopiedColumn::Burst)),
    (
        "anomaly",
        Role::Nested(&[("score", CopiedColumn::AnomalyScore), ("alarm", CopiedColumn::IsAnomaly)]),
    ),
    ("burst", Role::Nested(&[("event", CopiedColumn::Burst)])),
];

/// The roles of the keys of a batch.
pub(super) struct Roles(Vec<Role>);

impl Roles {
    pub(super) fn of(batch: &Batch) -> Self {
        let mut roles = vec![Role::Other; batch.keys().len()];
        for (name, role) in ROLES {
            if let Some(slot) = batch.find_key(name).and_then(|key| roles.get_mut(key.0 as usize)) {
                *slot = role;
            }
        }
        Self(roles)
    }

    #[inline]
    pub(super) fn role(&self, key: Key) -> Role {
        self.0.get(key.0 as usize).copied().unwrap_or(Role::Other)
    }
}

/// The copied columns of one event.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Copied {
    pub(super) severity: Option<f64>,
    pub(super) anomaly_score: Option<f64>,
    pub(super) is_anomaly: bool,
    pub(super) burst: Option<String>,
}

impl Copied {
    /// Takes a value of a flat key, which counts before one inside an object.
    pub(super) fn set(&mut self, column: CopiedColumn, value: ValueRef<'_>) {
        match column {
            CopiedColumn::Severity => self.severity = finite(value),
            CopiedColumn::AnomalyScore => {
                self.anomaly_score = finite(value).or(self.anomaly_score);
            }
            CopiedColumn::IsAnomaly => self.is_anomaly |= value == ValueRef::Bool(true),
            CopiedColumn::Burst => {
                let event = value.as_str().map(str::to_owned);
                self.burst = event.or(self.burst.take());
            }
        }
    }

    /// Takes the values inside an object that no flat key gave.
    pub(super) fn set_nested(
        &mut self,
        members: &[(&'static str, CopiedColumn)],
        object: ValueRef<'_>,
    ) {
        let ValueRef::Object(text) = object else { return };
        let mut scratch = Vec::new();
        for (name, column) in members {
            let is_set = match column {
                CopiedColumn::Severity => self.severity.is_some(),
                CopiedColumn::AnomalyScore => self.anomaly_score.is_some(),
                CopiedColumn::IsAnomaly => self.is_anomaly,
                CopiedColumn::Burst => self.burst.is_some(),
            };
            let path = [PathStep::Name((*name).to_owned())];
            if !is_set && let Some(value) = json_text::get(text, &path, &mut scratch) {
                self.set(*column, value);
            }
        }
    }
}

/// A number that a column can hold: SQLite stores NaN as NULL, and infinity orders above all.
fn finite(value: ValueRef<'_>) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}
