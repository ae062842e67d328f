//! Pages of events, and one event among its neighbours.

use lograil_plugin::store::{LogContext, LogPage, LogQuery, LogRow, Order, QueryControl};
use rusqlite::Connection;

use super::connection::QueryError;
use super::cursor::Key;
use super::filter::Filter;
use super::keys::Keys;
use super::rows::RowReader;

/// Events of a page, and of either side of one event.
const ROWS_MAX: usize = 10_000;

/// Keys that are taken at once where most of them may be refused later: few at first, since often enough the
/// first are good.
const CHUNK_MIN: usize = 256;
const CHUNK_MAX: usize = 16_384;

/// Rows that are held against a condition at once.
const ROWS_PER_TEST: usize = 512;

pub(super) fn page(
    connection: &Connection,
    filter: &Filter,
    query: &LogQuery,
    control: &QueryControl,
) -> Result<LogPage, QueryError> {
    let limit = query.limit.min(ROWS_MAX);
    if limit == 0 {
        return Ok(LogPage::default());
    }
    // One more than asked for tells whether there is a next page.
    let wanted = limit + 1;
    let mut keys = Keys::new(connection, filter)?;
    let mut reader = RowReader::new(connection)?;
    let mut logs: Vec<LogRow> = Vec::new();
    let refuses = filter.text.is_some() || filter.condition.is_some();
    let mut chunk = if refuses { CHUNK_MIN.max(wanted) } else { wanted };
    while logs.len() < wanted
        && let Some(found) = keys.next_chunk(chunk)?
    {
        for keys in found.chunks(ROWS_PER_TEST) {
            control.check()?;
            if logs.len() >= wanted {
                break;
            }
            let wanted_rows =
                if filter.condition.is_some() { keys.len() } else { wanted - logs.len() };
            let mut rows = read_rows(&mut reader, keys, wanted_rows)?;
            if let Some(condition) = &filter.condition {
                condition.retain(&mut rows);
            }
            logs.append(&mut rows);
        }
        chunk = (chunk * 2).min(CHUNK_MAX.max(wanted));
    }
    let has_more = logs.len() > limit;
    logs.truncate(limit);
    let next = logs.last().filter(|_| has_more).map(|last| key_of(last).cursor());
    let first = logs.first().map(|first| key_of(first).cursor());
    Ok(LogPage { logs, next, first })
}

fn key_of(row: &LogRow) -> Key {
    Key { timestamp_ns: row.timestamp_ns, id: row.id }
}

fn read_rows(
    reader: &mut RowReader<'_>,
    keys: &[Key],
    count: usize,
) -> rusqlite::Result<Vec<LogRow>> {
    let mut rows = Vec::with_capacity(count.min(keys.len()));
    for key in keys.iter().take(count) {
        rows.extend(reader.read(key.id)?);
    }
    Ok(rows)
}

pub(super) fn context(
    connection: &Connection,
    id: i64,
    before: usize,
    after: usize,
) -> Result<Option<LogContext>, QueryError> {
    let mut reader = RowReader::new(connection)?;
    let Some(log) = reader.read(id)? else { return Ok(None) };
    let mut neighbours = |order: Order, count: usize| -> Result<Vec<LogRow>, QueryError> {
        let count = count.min(ROWS_MAX);
        if count == 0 {
            return Ok(Vec::new());
        }
        let cursor = Some(key_of(&log).cursor());
        let query = LogQuery { order, cursor, ..LogQuery::default() };
        let filter = Filter::of(&query)?;
        let keys = Keys::new(connection, &filter)?.next_chunk(count)?;
        Ok(read_rows(&mut reader, &keys.unwrap_or_default(), count)?)
    };
    let mut before = neighbours(Order::NewestFirst, before)?;
    before.reverse();
    let after = neighbours(Order::OldestFirst, after)?;
    Ok(Some(LogContext { before, log, after }))
}
