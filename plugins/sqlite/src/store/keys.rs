//! The events that a filter lets through, as keys in the order of the page, a chunk at a time.

use std::collections::VecDeque;

use lograil_plugin::store::{Only, Order};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::connection::QueryError;
use super::cursor::Key;
use super::filter::{Filter, TimeRange};
use super::text::{self, Matches};
use super::windows::Windows;

/// The walk over the keys of a filter. The condition is not tested.
pub(super) struct Keys<'c> {
    connection: &'c Connection,
    filter: &'c Filter,
    place: Place<'c>,
}

enum Place<'c> {
    /// All of them are known.
    Listed(VecDeque<Key>),
    /// Along the index of time.
    Index {
        windows: Windows<'c>,
        /// What is left of the window the walk is in.
        window: Option<TimeRange>,
        /// Whether each chunk is held against the text index.
        searches_text: bool,
    },
}

impl<'c> Keys<'c> {
    pub(super) fn new(connection: &'c Connection, filter: &'c Filter) -> Result<Self, QueryError> {
        let mut searches_text = false;
        if let Some(text) = &filter.text {
            match text::find_few(connection, text)? {
                Matches::Few(ids) => {
                    let place = Place::Listed(listed(connection, filter, &ids)?);
                    return Ok(Self { connection, filter, place });
                }
                Matches::Many => searches_text = true,
            }
        }
        let mut windows = Windows::new(connection, filter);
        let window = windows.next()?;
        let place = Place::Index { windows, window, searches_text };
        Ok(Self { connection, filter, place })
    }

    /// Whether all keys are known already.
    pub(super) fn is_listed(&self) -> bool {
        matches!(self.place, Place::Listed(_))
    }

    /// About so many keys more, of which the text index may have refused some; `None` at the end.
    pub(super) fn next_chunk(&mut self, count: usize) -> Result<Option<Vec<Key>>, QueryError> {
        let Self { connection, filter, place } = self;
        match place {
            Place::Listed(keys) if keys.is_empty() => Ok(None),
            Place::Listed(keys) => Ok(Some(keys.drain(..count.min(keys.len())).collect())),
            Place::Index { windows, window, searches_text } => {
                let mut keys = Vec::new();
                while let Some(range) = window.as_mut()
                    && keys.len() < count
                {
                    if !walk(connection, filter, range, count, &mut keys)? {
                        *window = windows.next()?;
                    }
                }
                if keys.is_empty() && window.is_none() {
                    return Ok(None);
                }
                if let (true, Some(text)) = (*searches_text, &filter.text) {
                    text::retain(connection, text, &mut keys)?;
                }
                Ok(Some(keys))
            }
        }
    }
}

/// Adds the next keys of a range along the index of time, until there are `count`, and takes them from the range;
/// whether anything may be left of it.
///
/// SQL orders by time alone, because a sort by time and id would hold every row; so all events of one time are taken
/// together and sorted here.
fn walk(
    connection: &Connection,
    filter: &Filter,
    range: &mut TimeRange,
    count: usize,
    keys: &mut Vec<Key>,
) -> rusqlite::Result<bool> {
    let index = match filter.only {
        Only::All => "events_by_time",
        Only::Anomalies => "anomalies_by_time",
        Only::Bursts => "bursts_by_time",
    };
    let (direction, beyond) = match filter.order {
        Order::NewestFirst => ("DESC", "<"),
        Order::OldestFirst => ("ASC", ">"),
    };
    let (conditions, values) = filter.sql();
    let sql = format!(
        "SELECT ts, id FROM events INDEXED BY {index}
         WHERE ts >= ? AND ts <= ? AND (ts IS NOT ? OR id {beyond} ?){conditions}
         ORDER BY ts {direction}"
    );
    let after = filter.after;
    let mut parameters: Vec<Value> = vec![range.from_ns.into(), range.last_ns.into()];
    parameters.push(after.map_or(Value::Null, |after| after.timestamp_ns.into()));
    parameters.push(after.map_or(Value::Null, |after| after.id.into()));
    parameters.extend(values);
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(parameters))?;
    let start = keys.len();
    while let Some(row) = rows.next()? {
        let key = key_of(row)?;
        if let Some(last) = keys[start..].last().copied()
            && keys.len() >= count
            && last.timestamp_ns != key.timestamp_ns
        {
            sort(filter.order, &mut keys[start..]);
            match filter.order {
                Order::NewestFirst => range.last_ns = key.timestamp_ns,
                Order::OldestFirst => range.from_ns = key.timestamp_ns,
            }
            return Ok(true);
        }
        keys.push(key);
    }
    sort(filter.order, &mut keys[start..]);
    Ok(false)
}

fn sort(order: Order, keys: &mut [Key]) {
    match order {
        Order::OldestFirst => keys.sort_unstable(),
        Order::NewestFirst => keys.sort_unstable_by(|a, b| b.cmp(a)),
    }
}

fn key_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key { timestamp_ns: row.get(0)?, id: row.get(1)? })
}

/// The keys of those events that the filter lets through, in the order of the page, behind its cursor.
fn listed(
    connection: &Connection,
    filter: &Filter,
    ids: &[i64],
) -> rusqlite::Result<VecDeque<Key>> {
    let TimeRange { from_ns, last_ns } = filter.range;
    let (conditions, values) = filter.sql();
    let sql = format!("SELECT ts, id FROM events WHERE id = ? AND ts >= ? AND ts <= ?{conditions}");
    let mut select = connection.prepare(&sql)?;
    let mut keys: Vec<Key> = Vec::new();
    let mut parameters: Vec<Value> = vec![Value::Null, from_ns.into(), last_ns.into()];
    parameters.extend(values);
    for id in ids {
        parameters[0] = Value::Integer(*id);
        let mut rows = select.query(params_from_iter(parameters.iter()))?;
        if let Some(row) = rows.next()? {
            keys.push(key_of(row)?);
        }
    }
    sort(filter.order, &mut keys);
    match filter.order {
        Order::OldestFirst => keys.retain(|key| filter.after.is_none_or(|after| *key > after)),
        Order::NewestFirst => keys.retain(|key| filter.after.is_none_or(|after| *key < after)),
    }
    Ok(keys.into())
}
