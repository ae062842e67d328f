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
        window: Option<TimeRange>,
        after: Option<Key>,
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
        let place = Place::Index { windows, window, after: filter.after, searches_text };
        Ok(Self { connection, filter, place })
    }

    /// About so many keys more, of which the text index may have refused some; `None` at the end.
    pub(super) fn next_chunk(&mut self, count: usize) -> Result<Option<Vec<Key>>, QueryError> {
        let Self { connection, filter, place } = self;
        match place {
            Place::Listed(keys) if keys.is_empty() => Ok(None),
            Place::Listed(keys) => Ok(Some(keys.drain(..count.min(keys.len())).collect())),
            Place::Index { windows, window, after, searches_text } => {
                let mut keys = Vec::new();
                while let Some(range) = *window
                    && keys.len() < count
                {
                    let wanted = count - keys.len();
                    let found = walk(connection, filter, range, *after, wanted)?;
                    if found.len() < wanted {
                        *window = windows.next()?;
                    }
                    *after = found.last().copied().or(*after);
                    keys.extend(found);
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

/// The next keys of a range along the index of time.
fn walk(
    connection: &Connection,
    filter: &Filter,
    range: TimeRange,
    after: Option<Key>,
    count: usize,
) -> rusqlite::Result<Vec<Key>> {
    let index = match filter.only {
        Only::All => "events_by_time",
        Only::Anomalies => "anomalies_by_time",
        Only::Bursts => "bursts_by_time",
    };
    let mut range = range;
    let (direction, beyond) = match filter.order {
        Order::NewestFirst => ("DESC", "<"),
        Order::OldestFirst => ("ASC", ">"),
    };
    let (conditions, values) = filter.sql();
    let mut sql = format!("SELECT ts, id FROM events INDEXED BY {index} WHERE ts >= ? AND ts <= ?");
    let mut parameters = Vec::with_capacity(values.len() + 5);
    if let Some(after) = after {
        match filter.order {
            Order::NewestFirst => range.last_ns = range.last_ns.min(after.timestamp_ns),
            Order::OldestFirst => range.from_ns = range.from_ns.max(after.timestamp_ns),
        }
    }
    parameters.extend([Value::Integer(range.from_ns), Value::Integer(range.last_ns)]);
    if let Some(after) = after {
        sql.push_str(&format!(" AND (ts <> ? OR id {beyond} ?)"));
        parameters.extend([Value::Integer(after.timestamp_ns), Value::Integer(after.id)]);
    }
    parameters.extend(values);
    parameters.push(Value::Integer(count as i64));
    sql.push_str(&format!("{conditions} ORDER BY ts {direction}, id {direction} LIMIT ?"));
    let mut select = connection.prepare(&sql)?;
    let keys = select.query_map(params_from_iter(parameters), key_of)?;
    keys.collect()
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
    keys.sort_unstable();
    match filter.order {
        Order::OldestFirst => keys.retain(|key| filter.after.is_none_or(|after| *key > after)),
        Order::NewestFirst => {
            keys.reverse();
            keys.retain(|key| filter.after.is_none_or(|after| *key < after));
        }
    }
    Ok(keys.into())
}
