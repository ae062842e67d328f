//! Statistics from the counts alone: a range of time is put together from the largest intervals that fit.

use std::collections::BTreeMap;
use std::path::Path;

use lograil_plugin::store::{
    IntervalCount, LevelCount, ServiceCount, Stats, StatsQuery, StoreInfo,
};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::connection::QueryError;
use super::filter::marks;
use crate::tally::{COARSEST, SCALES, interval_start};

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Lengths that a timeline can have, in seconds. Each is a multiple of a scale.
const INTERVALS: [i64; 11] =
    [10, 30, 60, 300, 600, 1800, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400];

/// Levels that count as errors, in capitals.
const ERROR_LEVELS: [&str; 11] = [
    "ERROR",
    "ERR",
    "SEVERE",
    "CRITICAL",
    "CRIT",
    "FATAL",
    "ALERT",
    "EMERGENCY",
    "EMERG",
    "PANIC",
    "DPANIC",
];

/// Seconds from `from` on, before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seconds {
    from: i64,
    to: i64,
}

/// Of which events the counts are wanted; empty lists mean all.
pub(super) struct Selection<'q> {
    pub(super) from_ns: Option<i64>,
    pub(super) to_ns: Option<i64>,
    /// In capitals.
    pub(super) levels: &'q [String],
    pub(super) services: &'q [String],
}

impl Selection<'_> {
    fn has_level(&self, level: &str) -> bool {
        self.levels.is_empty() || self.levels.iter().any(|name| name == level)
    }
}

pub(super) fn stats(connection: &Connection, query: &StatsQuery) -> Result<Stats, QueryError> {
    let selection = Selection {
        from_ns: query.from_ns,
        to_ns: query.to_ns,
        levels: &[],
        services: query.service.as_slice(),
    };
    counted(connection, &selection, query.intervals_max)
}

/// The counts of a selection, with a timeline of so many intervals at most.
pub(super) fn counted(
    connection: &Connection,
    selection: &Selection<'_>,
    intervals_max: usize,
) -> Result<Stats, QueryError> {
    let Some((oldest, newest)) = time_span(connection)? else { return Ok(Stats::default()) };
    let finest = SCALES[0];
    let end = |ns: i64| interval_start(ns, finest) + finest;
    let range = Seconds {
        from: interval_start(selection.from_ns.unwrap_or(oldest).max(oldest), finest),
        to: selection.to_ns.map_or(i64::MAX, |to_ns| end(to_ns.saturating_sub(1))).min(end(newest)),
    };
    let pieces = pieces(range, &SCALES);
    let mut stats = Stats::default();
    let mut levels: BTreeMap<String, u64> = BTreeMap::new();
    let names = match selection.services {
        [] => services(connection)?,
        names => names.to_vec(),
    };
    for service in names {
        let counts = service_counts(connection, &service, &pieces)?;
        let mut total = ServiceCount { service, ..ServiceCount::default() };
        for LevelTotal { level, events, anomalies } in counts {
            if !selection.has_level(&level) {
                continue;
            }
            total.total += events;
            total.errors += if is_error(&level) { events } else { 0 };
            stats.anomalies += anomalies;
            *levels.entry(level).or_default() += events;
        }
        stats.total += total.total;
        stats.errors += total.errors;
        if total.total > 0 {
            stats.services.push(total);
        }
    }
    busiest_first(&mut stats.services);
    stats.levels = by_frequency(levels);
    if intervals_max > 0 {
        let interval = interval(range, intervals_max);
        stats.interval_ns = interval * NS_PER_SECOND;
        stats.timeline = timeline(connection, selection, range, interval)?;
    }
    Ok(stats)
}

pub(super) fn busiest_first(services: &mut [ServiceCount]) {
    services.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.service.cmp(&b.service)));
}

pub(super) fn is_error(level: &str) -> bool {
    ERROR_LEVELS.contains(&level)
}

pub(super) fn by_frequency(levels: BTreeMap<String, u64>) -> Vec<LevelCount> {
    let mut counts: Vec<LevelCount> =
        levels.into_iter().map(|(level, count)| LevelCount { level, count }).collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.level.cmp(&b.level)));
    counts
}

/// The times of the oldest and the newest event.
fn time_span(connection: &Connection) -> rusqlite::Result<Option<(i64, i64)>> {
    let oldest = connection.query_row("SELECT min(ts) FROM events", [], |row| row.get(0))?;
    let newest = connection.query_row("SELECT max(ts) FROM events", [], |row| row.get(0))?;
    Ok(Option::zip(oldest, newest))
}

/// All names of services, without reading more than one row for each.
fn services(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut first = connection.prepare_cached(
        "SELECT service FROM service_counts WHERE scale = ?1 ORDER BY service LIMIT 1",
    )?;
    let mut next = connection.prepare_cached(
        "SELECT service FROM service_counts WHERE scale = ?1 AND service > ?2
         ORDER BY service LIMIT 1",
    )?;
    let mut names: Vec<String> = Vec::new();
    let mut name: Option<String> = first.query_row([COARSEST], |row| row.get(0)).optional()?;
    while let Some(known) = name {
        name = next.query_row(params![COARSEST, known], |row| row.get(0)).optional()?;
        names.push(known);
    }
    Ok(names)
}

/// A range cut into intervals of the scales, as few as possible: `(scale, interval range)`.
fn pieces(range: Seconds, scales: &[i64]) -> Vec<(i64, Seconds)> {
    fn cut(range: Seconds, scales: &[i64], out: &mut Vec<(i64, Seconds)>) {
        let Some((scale, finer)) = scales.split_last() else { return };
        if range.from >= range.to {
            return;
        }
        let from = (range.from + scale - 1).div_euclid(*scale) * scale;
        let to = range.to.div_euclid(*scale) * scale;
        if from >= to {
            cut(range, finer, out);
            return;
        }
        cut(Seconds { from: range.from, to: from }, finer, out);
        out.push((*scale, Seconds { from, to }));
        cut(Seconds { from: to, to: range.to }, finer, out);
    }
    let mut out = Vec::new();
    cut(range, scales, &mut out);
    out
}

struct LevelTotal {
    level: String,
    events: u64,
    anomalies: u64,
}

fn service_counts(
    connection: &Connection,
    service: &str,
    pieces: &[(i64, Seconds)],
) -> rusqlite::Result<Vec<LevelTotal>> {
    let mut select = connection.prepare_cached(
        "SELECT level, sum(events), sum(anomalies) FROM service_counts
         WHERE scale = ?1 AND service = ?2 AND start >= ?3 AND start < ?4 GROUP BY level",
    )?;
    let mut totals: Vec<LevelTotal> = Vec::new();
    for (scale, Seconds { from, to }) in pieces {
        let mut rows = select.query(params![scale, service, from, to])?;
        while let Some(row) = rows.next()? {
            let level = row.get_ref(0)?.as_str()?;
            let events = row.get::<_, i64>(1)?.cast_unsigned();
            let anomalies = row.get::<_, i64>(2)?.cast_unsigned();
            match totals.iter_mut().find(|total| total.level == level) {
                Some(total) => {
                    total.events += events;
                    total.anomalies += anomalies;
                }
                None => totals.push(LevelTotal { level: level.to_owned(), events, anomalies }),
            }
        }
    }
    Ok(totals)
}

/// The shortest interval that cuts the range into at most so many.
fn interval(range: Seconds, intervals_max: usize) -> i64 {
    let fits = |interval: &&i64| {
        let first = range.from.div_euclid(**interval);
        let last = (range.to - 1).div_euclid(**interval);
        usize::try_from(last - first).is_ok_and(|count| count < intervals_max)
    };
    INTERVALS.iter().find(fits).copied().unwrap_or(INTERVALS[INTERVALS.len() - 1])
}

fn timeline(
    connection: &Connection,
    selection: &Selection<'_>,
    range: Seconds,
    interval: i64,
) -> rusqlite::Result<Vec<IntervalCount>> {
    let (table, condition) = match selection.services.len() {
        0 => ("level_counts", String::new()),
        count => ("service_counts", format!(" AND service IN ({})", marks(count))),
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT start, level, events, anomalies FROM {table}
         WHERE scale = ? AND start >= ? AND start < ?{condition} ORDER BY start"
    ))?;
    // The scales whose intervals are parts of those wanted.
    let parts = SCALES.iter().filter(|scale| interval % **scale == 0).count();
    let mut timeline: Vec<IntervalCount> = Vec::new();
    let mut levels: BTreeMap<String, u64> = BTreeMap::new();
    for (scale, Seconds { from, to }) in pieces(range, &SCALES[..parts]) {
        let mut parameters: Vec<Value> = [scale, from, to].map(Value::Integer).to_vec();
        parameters.extend(selection.services.iter().cloned().map(Value::Text));
        let mut rows = select.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let level = row.get_ref(1)?.as_str()?;
            if !selection.has_level(level) {
                continue;
            }
            let start: i64 = row.get(0)?;
            let start_ns = (start.div_euclid(interval) * interval).saturating_mul(NS_PER_SECOND);
            if timeline.last().is_none_or(|last| last.start_ns != start_ns) {
                if let Some(last) = timeline.last_mut() {
                    last.levels = by_frequency(std::mem::take(&mut levels));
                }
                timeline.push(IntervalCount { start_ns, ..IntervalCount::default() });
            }
            let events = row.get::<_, i64>(2)?.cast_unsigned();
            match levels.get_mut(level) {
                Some(count) => *count += events,
                None => drop(levels.insert(level.to_owned(), events)),
            }
            if let Some(last) = timeline.last_mut() {
                last.anomalies += row.get::<_, i64>(3)?.cast_unsigned();
            }
        }
    }
    if let Some(last) = timeline.last_mut() {
        last.levels = by_frequency(levels);
    }
    Ok(timeline)
}

pub(super) fn info(connection: &Connection, path: &Path) -> Result<StoreInfo, QueryError> {
    let rows: i64 = connection.query_row(
        "SELECT ifnull(sum(events), 0) FROM level_counts WHERE scale = ?1",
        [COARSEST],
        |row| row.get(0),
    )?;
    let span = time_span(connection)?;
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    Ok(StoreInfo {
        rows: rows.cast_unsigned(),
        size_bytes: bytes(path) + bytes(Path::new(&wal)),
        oldest_ns: span.map(|(oldest, _)| oldest),
        newest_ns: span.map(|(_, newest)| newest),
    })
}
