//! Where events of a level or a service are at all: ranges of time taken from the counts, coarse first, so that
//! those of a rare one are found without a walk over all others.

use lograil_plugin::store::Order;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::filter::{Filter, TimeRange, marks};
use crate::tally::SCALES;

const NS_PER_SECOND: i64 = 1_000_000_000;

/// Ranges of time in the order of the page that together hold all events of a filter.
pub(super) struct Windows<'c> {
    connection: &'c Connection,
    filter: &'c Filter,
    /// Ranges to look into, the next last, each with the number of scales that are finer.
    open: Vec<(TimeRange, usize)>,
}

impl<'c> Windows<'c> {
    pub(super) fn new(connection: &'c Connection, filter: &'c Filter) -> Self {
        // Without a level or a service the counts tell nothing.
        let is_narrow = !filter.levels.is_empty() || !filter.services.is_empty();
        let finer = if is_narrow { SCALES.len() } else { 0 };
        Self { connection, filter, open: vec![(filter.range, finer)] }
    }

    pub(super) fn next(&mut self) -> rusqlite::Result<Option<TimeRange>> {
        while let Some((range, finer)) = self.open.pop() {
            let Some(finer) = finer.checked_sub(1) else { return Ok(Some(range)) };
            for part in self.parts(range, SCALES[finer])? {
                self.open.push((part, finer));
            }
        }
        Ok(None)
    }

    /// The intervals of a scale that hold events of the filter, the last of the page first, cut at the range.
    fn parts(&self, range: TimeRange, scale: i64) -> rusqlite::Result<Vec<TimeRange>> {
        let Filter { levels, services, order, .. } = self.filter;
        let table = if services.is_empty() { "level_counts" } else { "service_counts" };
        let mut sql = format!(
            "SELECT DISTINCT start FROM {table} WHERE scale = ? AND start >= ? AND start <= ?"
        );
        let second = |ns: i64| ns.div_euclid(NS_PER_SECOND);
        let first = second(range.from_ns).div_euclid(scale) * scale;
        let mut parameters: Vec<Value> =
            [scale, first, second(range.last_ns)].map(Value::Integer).to_vec();
        for (column, names) in [("level", levels), ("service", services)] {
            if !names.is_empty() {
                sql.push_str(&format!(" AND {column} IN ({})", marks(names.len())));
                parameters.extend(names.iter().cloned().map(Value::Text));
            }
        }
        sql.push_str(match order {
            Order::NewestFirst => " ORDER BY start ASC",
            Order::OldestFirst => " ORDER BY start DESC",
        });
        let mut select = self.connection.prepare_cached(&sql)?;
        let parts = select.query_map(params_from_iter(parameters), |row| {
            let start: i64 = row.get(0)?;
            let from_ns = start.saturating_mul(NS_PER_SECOND);
            let last_ns = (start + scale).saturating_mul(NS_PER_SECOND).saturating_sub(1);
            Ok(TimeRange {
                from_ns: from_ns.max(range.from_ns),
                last_ns: last_ns.min(range.last_ns),
            })
        })?;
        parts.collect()
    }
}
