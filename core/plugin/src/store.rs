//! Stores: what a sink keeps so that it can be asked again. The query API and `lograil query` are written
//! against [`Store`] alone.
//!
//! **Invariant:** calls block and are bounded by their [`QueryControl`]; make them on a thread that may block.
//! Nothing here knows SQL, HTTP or the expression language: a condition travels as its source text, and the
//! store that evaluates it says where it is wrong.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::options::Options;

/// How a store is reached from the options of the sink that fills it. A crate with such sinks lists theirs
/// beside its component specs.
#[derive(Clone, Copy)]
pub struct StoreSpec {
    /// The `type` of the sink.
    pub sink: &'static str,
    /// The store of a sink with these options; relative paths start from the directory given. What it reads
    /// need not be there yet: queries then fail with [`StoreError::Unavailable`].
    pub open: OpenStore,
}

type OpenStore = fn(&Options, &Path) -> Result<Arc<dyn Store>, StoreError>;

/// Events that can be asked for. All times are nanoseconds since the Unix epoch.
pub trait Store: Send + Sync {
    /// A page of events.
    fn logs(&self, query: &LogQuery, control: &QueryControl) -> Result<LogPage, StoreError>;

    /// One event with its neighbours in the order of time, at most so many before and after; `None` if it is
    /// not there (any more).
    fn log(
        &self,
        id: i64,
        before: usize,
        after: usize,
        control: &QueryControl,
    ) -> Result<Option<LogContext>, StoreError>;

    /// Counts of the events of a time, kept while writing: the cost does not grow with the number of events.
    fn stats(&self, query: &StatsQuery, control: &QueryControl) -> Result<Stats, StoreError>;

    /// Counts of the events that a search finds: exact where counts are kept or few events are to be looked at,
    /// estimated from a sample that is spread over the time otherwise.
    fn facets(&self, query: &FacetQuery, control: &QueryControl) -> Result<Facets, StoreError>;

    /// Message templates.
    fn templates(
        &self,
        query: &TemplateQuery,
        control: &QueryControl,
    ) -> Result<Vec<TemplateSummary>, StoreError>;

    /// All services with their counts, the busiest first.
    fn services(&self, control: &QueryControl) -> Result<Vec<ServiceCount>, StoreError>;

    /// States what a person thinks of an anomaly; `None` takes it back. Whether the event is there.
    fn label(&self, id: i64, label: Option<Label>) -> Result<bool, StoreError>;

    /// What there is.
    fn info(&self, control: &QueryControl) -> Result<StoreInfo, StoreError>;
}

/// When a query must end, whoever says so.
#[derive(Debug, Clone, Default)]
pub struct QueryControl {
    deadline: Option<Instant>,
    cancelled: Arc<AtomicBool>,
}

impl QueryControl {
    /// A query that may take so long.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(time), ..Self::default() }
    }

    /// Ends the query soon, from any thread that holds a clone.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// The time that is left; none if there is no deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Why the query must end now, if it must. Stores ask this now and then while they work.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(StoreError::Cancelled);
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(StoreError::DeadlineExceeded),
            _ => Ok(()),
        }
    }
}

/// Why a store has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The asker must change the question.
    #[error("{parameter}: {message}")]
    Invalid {
        /// The field of the query: `where`, `cursor`, `text`.
        parameter: &'static str,
        /// Which bytes of its text, where the mistake is inside it.
        within: Option<Range<usize>>,
        /// What is wrong, one clause.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
    /// It took longer than [`QueryControl::within`] allowed.
    #[error("the query took too long; ask for a shorter time or fewer events")]
    DeadlineExceeded,
    /// [`QueryControl::cancel`] was called.
    #[error("the query was cancelled")]
    Cancelled,
    /// It may work later: nothing was written yet, or others hold a lock.
    #[error("{0}")]
    Unavailable(String),
    /// It will not work: the store is damaged, or is not one of ours.
    #[error("{0}")]
    Failed(String),
}

/// Which events, and how many of them. The default is the newest of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogQuery {
    /// Events from this time on.
    pub from_ns: Option<i64>,
    /// Events before this time.
    pub to_ns: Option<i64>,
    /// One of these levels; empty for all.
    pub levels: Vec<String>,
    /// One of these services; empty for all.
    pub services: Vec<String>,
    /// Words the message must have, in any order and in any case; `"several words"` in quotes stand together,
    /// and `word*` stands for all that begin like it.
    pub text: Option<String>,
    /// A condition in the expression language, as source text.
    pub condition: Option<String>,
    /// At least this severity, 0 to 100.
    pub severity_min: Option<f64>,
    /// The id of their template.
    pub template_id: Option<String>,
    /// Whether only events of a special kind.
    pub only: Only,
    /// By time, and events of the same time by id.
    pub order: Order,
    /// At most so many; the store may have limits of its own, also of bytes.
    pub limit: usize,
    /// Where the page before ended: [`LogPage::next`] with otherwise the same query.
    pub cursor: Option<String>,
}

/// Which kind of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Only {
    /// Every event.
    #[default]
    All,
    /// Those that an anomaly detector marked.
    Anomalies,
    /// Starts and ends of bursts.
    Bursts,
}

/// The order of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A page of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogPage {
    /// The events in the order asked for.
    pub logs: Vec<LogRow>,
    /// Where the next page begins, if there is more. Opaque; events that arrive meanwhile neither repeat nor
    /// shift what follows.
    pub next: Option<String>,
    /// The first event as a cursor: with the other order it leads to what lies before this page.
    pub first: Option<String>,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogRow {
    /// Its id, which no other event of the store ever has.
    pub id: i64,
    /// When it happened; when it was stored, if it does not say.
    pub timestamp_ns: i64,
    /// Its level in capitals.
    pub level: Option<String>,
    /// The service it comes from.
    pub service: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// 0 to 100.
    pub severity: Option<f64>,
    /// 0 to 1.
    pub anomaly_score: Option<f64>,
    /// The id of its template.
    pub template_id: Option<String>,
    /// The text of its template, as the template is now.
    pub template: Option<String>,
    /// What a person thinks of it.
    pub label: Option<Label>,
    /// All other fields: the text of one JSON object. Severity, anomaly and burst are in it too, as they came.
    pub fields: String,
}

/// An event and its neighbours, all of them oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogContext {
    /// The events before.
    pub before: Vec<LogRow>,
    /// The event.
    pub log: LogRow,
    /// The events after.
    pub after: Vec<LogRow>,
}

/// What a person thinks of an anomaly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Nothing to look at.
    Noise,
    /// An incident.
    Real,
}

impl Label {
    /// What it is called, in stores and in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Real => "real",
        }
    }

    /// The label that is called so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Noise, Self::Real].into_iter().find(|label| label.name() == name)
    }
}

/// Which events to count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsQuery {
    /// From this time on, and from the start of the store's shortest interval that it cuts.
    pub from_ns: Option<i64>,
    /// Before this time, and to the end of the store's shortest interval that it cuts.
    pub to_ns: Option<i64>,
    /// Of this service alone.
    pub service: Option<String>,
    /// Intervals the time is cut into at most; the store takes the shortest of its own that fit. No timeline
    /// where it is 0.
    pub intervals_max: usize,
}

/// Counts of events.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// All events.
    pub total: u64,
    /// Those of the level `ERROR` and above.
    pub errors: u64,
    /// Those that an anomaly detector marked.
    pub anomalies: u64,
    /// By level, the most frequent first; events without one under an empty name.
    pub levels: Vec<LevelCount>,
    /// By service, the busiest first; events without one under an empty name.
    pub services: Vec<ServiceCount>,
    /// Length of an interval.
    pub interval_ns: i64,
    /// Intervals with events, in their order.
    pub timeline: Vec<IntervalCount>,
}

/// Events of a level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelCount {
    /// The level.
    pub level: String,
    /// Its events.
    pub count: u64,
}

/// Events of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceCount {
    /// The service.
    pub service: String,
    /// Its events.
    pub total: u64,
    /// Those of the level `ERROR` and above.
    pub errors: u64,
}

/// Events of an interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntervalCount {
    /// Its first moment.
    pub start_ns: i64,
    /// Events by level.
    pub levels: Vec<LevelCount>,
    /// Those that an anomaly detector marked.
    pub anomalies: u64,
}

/// Which events to count, and how much may be looked at for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FacetQuery {
    /// Which events. Its order, limit and cursor are not looked at.
    pub search: LogQuery,
    /// As in [`StatsQuery::intervals_max`].
    pub intervals_max: usize,
    /// Values of each facet, the most frequent.
    pub values_max: usize,
    /// Events that are looked at, at most: where there are more, counts are estimated from a sample.
    pub events_max: usize,
    /// After so long no more events are looked at.
    pub time_max: Duration,
}

/// Counts of the events that a search finds. The values of a facet are counted without the search's own filter of
/// that facet, so that what could be chosen instead is there too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facets {
    /// Events that fit.
    pub total: u64,
    /// Those that an anomaly detector marked.
    pub anomalies: u64,
    /// By level, the most frequent first; events without one under an empty name.
    pub levels: Vec<LevelCount>,
    /// By service, the busiest first; events without one under an empty name.
    pub services: Vec<ServiceCount>,
    /// By template, the most frequent first; events without one are left out.
    pub templates: Vec<TemplateCount>,
    /// Length of an interval.
    pub interval_ns: i64,
    /// Intervals with events, in their order.
    pub timeline: Vec<IntervalCount>,
    /// Events that were looked at; none where kept counts have the answer.
    pub events_seen: u64,
    /// Whether the counts but those of templates are estimates, or more names were seen than are counted.
    pub is_estimate: bool,
    /// Whether those of templates are.
    pub is_estimate_of_templates: bool,
}

/// Events of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateCount {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
    /// Its events.
    pub count: u64,
}

/// Which templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateQuery {
    /// In which order.
    pub order: TemplateOrder,
    /// Only those first seen from this time on.
    pub first_seen_from_ns: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// The order of templates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TemplateOrder {
    /// The most frequent first.
    #[default]
    Top,
    /// The last to appear first.
    New,
    /// The least frequent first.
    Rare,
}

/// A message template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateSummary {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
    /// Events with it.
    pub count: u64,
    /// The first of them.
    pub first_seen_ns: i64,
    /// The last of them.
    pub last_seen_ns: i64,
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreInfo {
    /// Events.
    pub rows: u64,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// The time of the oldest event.
    pub oldest_ns: Option<i64>,
    /// The time of the newest event.
    pub newest_ns: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_ends_when_any_holder_says_so_or_its_time_is_over() {
        let control = QueryControl::default();
        assert_eq!(control.check(), Ok(()));
        control.clone().cancel();
        assert_eq!(control.check(), Err(StoreError::Cancelled));
        let over = QueryControl::within(Duration::ZERO);
        assert_eq!(over.check(), Err(StoreError::DeadlineExceeded));
        assert_eq!(QueryControl::within(Duration::from_secs(3600)).check(), Ok(()));
    }
}
