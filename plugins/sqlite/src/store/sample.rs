//! Looking at the events of a filter without looking at all of them: the time is cut into parts, and of each part
//! the first run of events is read.
//!
//! **Invariant:** a part of which all events were read is known to be so; estimates are made of the others alone.

use lograil_plugin::store::{LogRow, Only, QueryControl, Stats};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::condition::RowCondition;
use super::connection::QueryError;
use super::cursor::Key;
use super::filter::{Filter, TimeRange};
use super::keys::Keys;
use super::names::Names;
use super::rows::RowReader;
use super::text;

/// Events that are read together of a part that is not read to its end.
const RUN: u64 = 64;

/// Events of a part that is read to its end, about: between two parts it is asked whether the time is over.
const WHOLE_RUN: u64 = 4096;

/// Rows that are held against a condition at once.
const ROWS_PER_TEST: usize = 512;

/// What is sampled.
pub(super) struct Question<'q> {
    pub(super) filter: &'q Filter,
    /// Beyond the filter: at least this severity.
    pub(super) severity_min: Option<f64>,
    pub(super) events_max: u64,
    /// When no more is to be looked at.
    pub(super) patience: &'q QueryControl,
    pub(super) control: &'q QueryControl,
}

impl Question<'_> {
    /// Whether an event meets what the counts that are kept know nothing of.
    fn fits(&self, severity: Option<f64>, template_id: Option<&str>) -> bool {
        let wanted = self.filter.template_id.as_deref();
        self.severity_min.is_none_or(|least| severity.is_some_and(|given| given >= least))
            && wanted.is_none_or(|wanted| template_id == Some(wanted))
    }
}

/// What of an event is counted: 16 bytes, since there may be millions of them. Names are numbers of [`SightNames`].
#[derive(Clone, Copy)]
pub(super) struct Sight {
    pub(super) timestamp_ns: i64,
    pub(super) level: u16,
    pub(super) service: u16,
    /// Of an event without one it is the empty name.
    pub(super) template_id: u16,
    pub(super) is_anomaly: bool,
}

/// The names of what was seen.
#[derive(Default)]
pub(super) struct SightNames {
    pub(super) levels: Names,
    pub(super) services: Names,
    pub(super) templates: Names,
}

/// What was seen of the events of a question.
pub(super) struct Sample {
    pub(super) parts: Vec<Seen>,
    pub(super) names: SightNames,
}

/// Events of a part of the time that fit.
pub(super) struct Seen {
    pub(super) sights: Vec<Sight>,
    /// Which interval of the timeline they are of; events are not cut into intervals where they are listed.
    pub(super) interval: Option<usize>,
    /// Events that were looked at.
    pub(super) candidates: u64,
    /// Whether these are all of the part.
    pub(super) is_whole: bool,
}

/// A part of an interval.
struct Part {
    interval: usize,
    /// Which part of its interval: the first parts of all intervals are looked at before the second ones.
    turn: u64,
    range: TimeRange,
}

/// The events of a question, in parts; `counts` say how many candidates each interval has.
pub(super) fn look(
    connection: &Connection,
    question: &Question<'_>,
    counts: &Stats,
) -> Result<Sample, QueryError> {
    let filter = question.filter;
    // Few matches of a text are known without a walk, and what has no counts is rare.
    let keys = Keys::new(connection, filter)?;
    if keys.is_listed() || filter.only == Only::Bursts {
        return listed(connection, question, keys);
    }
    let total: u64 = (0..counts.timeline.len()).map(|at| candidates(filter, counts, at)).sum();
    let is_sample = total > question.events_max;
    let mut parts = parts(filter, counts, is_sample.then_some(question.events_max));
    // An even spread at any time, so that what was seen stands for the whole when the time is over.
    parts.sort_by_key(|part| (part.turn, (part.interval as u64).reverse_bits()));
    let mut reader = Reader::new(connection, question)?;
    let (mut seen, mut left) = (Vec::with_capacity(parts.len()), question.events_max);
    for part in parts {
        question.control.check()?;
        if left == 0 || question.patience.check().is_err() {
            seen.push(Seen::nothing(part.interval));
            continue;
        }
        let limit = if is_sample { RUN.min(left) } else { left };
        let found = reader.read(&part, limit)?;
        left -= found.candidates.min(left);
        seen.push(found);
    }
    Ok(Sample { parts: seen, names: reader.names })
}

impl Seen {
    fn nothing(interval: usize) -> Self {
        Self { sights: Vec::new(), interval: Some(interval), candidates: 0, is_whole: false }
    }
}

/// How many candidates an interval has.
pub(super) fn candidates(filter: &Filter, counts: &Stats, interval: usize) -> u64 {
    let Some(count) = counts.timeline.get(interval) else { return 0 };
    match filter.only {
        Only::Anomalies => count.anomalies,
        _ => count.levels.iter().map(|level| level.count).sum(),
    }
}

/// Every interval cut into as many parts as its share of the sample has runs; if it is no sample, so that no part is large.
fn parts(filter: &Filter, counts: &Stats, sample: Option<u64>) -> Vec<Part> {
    let all = counts.timeline.iter().enumerate();
    let total: u64 = all.clone().map(|(at, _)| candidates(filter, counts, at)).sum();
    let mut parts = Vec::new();
    for (interval, count) in all {
        let events = candidates(filter, counts, interval);
        if events == 0 {
            continue;
        }
        let runs = match sample {
            Some(events_max) => {
                u128::from(events) * u128::from(events_max) / u128::from(total * RUN)
            }
            None => u128::from(events / WHOLE_RUN),
        };
        let runs = i64::try_from(runs).unwrap_or(i64::MAX).clamp(1, counts.interval_ns.max(1));
        for turn in 0..runs {
            let at = |turn: i64| {
                let offset = i128::from(counts.interval_ns) * i128::from(turn) / i128::from(runs);
                count.start_ns.saturating_add(i64::try_from(offset).unwrap_or(i64::MAX))
            };
            let range = TimeRange {
                from_ns: at(turn).max(filter.range.from_ns),
                last_ns: (at(turn + 1) - 1).min(filter.range.last_ns),
            };
            if range.from_ns <= range.last_ns {
                parts.push(Part { interval, turn: turn.cast_unsigned(), range });
            }
        }
    }
    parts
}

fn listed(
    connection: &Connection,
    question: &Question<'_>,
    mut keys: Keys<'_>,
) -> Result<Sample, QueryError> {
    let mut reader = Reader::new(connection, question)?;
    let mut seen = Seen { sights: Vec::new(), interval: None, candidates: 0, is_whole: true };
    while let Some(found) = keys.next_chunk(ROWS_PER_TEST)? {
        question.control.check()?;
        if seen.candidates >= question.events_max || question.patience.check().is_err() {
            seen.is_whole = false;
            break;
        }
        seen.candidates += found.len() as u64;
        reader.test(&found, &mut seen.sights)?;
    }
    Ok(Sample { parts: vec![seen], names: reader.names })
}

/// Reads events, and keeps those that fit.
struct Reader<'c> {
    connection: &'c Connection,
    question: &'c Question<'c>,
    rows: RowReader<'c>,
    sql: String,
    values: Vec<Value>,
    names: SightNames,
}

impl<'c> Reader<'c> {
    fn new(connection: &'c Connection, question: &'c Question<'c>) -> Result<Self, QueryError> {
        let index = match question.filter.only {
            Only::Anomalies => "anomalies_by_time",
            _ => "events_by_time",
        };
        let (conditions, values) = question.filter.sql_of_counted();
        let sql = format!(
            "SELECT id, ts, ifnull(level, ''), ifnull(service, ''), template_id, is_anomaly, severity
             FROM events INDEXED BY {index} WHERE ts >= ? AND ts <= ?{conditions} ORDER BY ts LIMIT ?"
        );
        let rows = RowReader::new(connection)?;
        Ok(Self { connection, question, rows, sql, values, names: SightNames::default() })
    }

    /// The first events of a part, so many at most.
    fn read(&mut self, part: &Part, limit: u64) -> Result<Seen, QueryError> {
        let filter = self.question.filter;
        let mut seen = Seen::nothing(part.interval);
        let mut parameters: Vec<Value> = vec![part.range.from_ns.into(), part.range.last_ns.into()];
        parameters.extend(self.values.iter().cloned());
        parameters.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        let mut select = self.connection.prepare_cached(&self.sql)?;
        let mut rows = select.query(params_from_iter(parameters))?;
        let is_tested = filter.text.is_some() || filter.condition.is_some();
        let mut keys = Vec::new();
        let mut is_in_time = true;
        while let Some(row) = rows.next()? {
            seen.candidates += 1;
            let template_id = row.get_ref(4)?.as_str_or_null()?;
            if is_tested {
                keys.push(Key { timestamp_ns: row.get(1)?, id: row.get(0)? });
            } else if self.question.fits(row.get(6)?, template_id) {
                seen.sights.push(Sight {
                    timestamp_ns: row.get(1)?,
                    level: self.names.levels.number(row.get_ref(2)?.as_str()?),
                    service: self.names.services.number(row.get_ref(3)?.as_str()?),
                    template_id: self.names.templates.number(template_id.unwrap_or_default()),
                    is_anomaly: row.get::<_, Option<i64>>(5)? == Some(1),
                });
            }
            // Events of the same moment are not cut into parts, however many they are.
            if seen.candidates.is_multiple_of(WHOLE_RUN) {
                is_in_time = self.question.patience.check().is_ok();
                if !is_in_time {
                    break;
                }
            }
        }
        seen.is_whole = is_in_time && seen.candidates < limit;
        if let Some(text) = &filter.text {
            text::retain(self.connection, text, &mut keys)?;
        }
        self.test(&keys, &mut seen.sights)?;
        Ok(seen)
    }

    /// Adds the events of these keys that fit.
    fn test(&mut self, mut keys: &[Key], sights: &mut Vec<Sight>) -> Result<(), QueryError> {
        while !keys.is_empty() {
            self.question.control.check()?;
            let (rows, read) = self.rows.read_some(keys, ROWS_PER_TEST)?;
            self.test_rows(rows, sights)?;
            keys = &keys[read..];
        }
        Ok(())
    }

    fn test_rows(
        &mut self,
        mut rows: Vec<LogRow>,
        sights: &mut Vec<Sight>,
    ) -> Result<(), QueryError> {
        if let Some(condition) = &self.question.filter.condition {
            RowCondition::retain(condition, &mut rows);
        }
        let mut anomaly =
            self.connection.prepare_cached("SELECT is_anomaly IS 1 FROM events WHERE id = ?1")?;
        let question = self.question;
        let fits = |row: &&LogRow| question.fits(row.severity, row.template_id.as_deref());
        for row in rows.iter().filter(fits) {
            sights.push(Sight {
                timestamp_ns: row.timestamp_ns,
                level: self.names.levels.number(row.level.as_deref().unwrap_or_default()),
                service: self.names.services.number(row.service.as_deref().unwrap_or_default()),
                template_id: self
                    .names
                    .templates
                    .number(row.template_id.as_deref().unwrap_or_default()),
                is_anomaly: anomaly.query_row([row.id], |row| row.get(0))?,
            });
        }
        Ok(())
    }
}
