//! Pages of events, and one event among its neighbours.

use lograil_plugin::store::{LogContext, LogPage, LogQuery, LogRow, Order, QueryControl};
use rusqlite::Connection;

use super::connection::QueryError;
use super::cursor::Key;
use super::filter::Filter;
use super::keys::Keys;
use super::rows::{RowReader, size_of_row};

/// Events of a page, and of either side of one event.
const ROWS_MAX: usize = 10_000;

/// Bytes of rows beyond which a page ends before it is full.
const BYTES_MAX: usize = 16 << 20;

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
    let mut bytes = 0;
    while logs.len() < wanted
        && bytes <= BYTES_MAX
        && let Some(found) = keys.next_chunk(chunk)?
    {
        let mut left = found.as_slice();
        while !left.is_empty() && logs.len() < wanted && bytes <= BYTES_MAX {
            control.check()?;
            let rows_max = match &filter.condition {
                Some(_) => ROWS_PER_TEST,
                None => ROWS_PER_TEST.min(wanted - logs.len()),
            };
            let (mut rows, read) = reader.read_some(left, rows_max)?;
            left = &left[read..];
            if let Some(condition) = &filter.condition {
                condition.retain(&mut rows);
            }
            bytes += rows.iter().map(size_of_row).sum::<usize>();
            logs.append(&mut rows);
        }
        chunk = (chunk * 2).min(CHUNK_MAX.max(wanted));
    }
    let has_more = logs.len() > limit || bytes > BYTES_MAX;
    logs.truncate(limit);
    let next = logs.last().filter(|_| has_more).map(|last| key_of(last).cursor());
    let first = logs.first().map(|first| key_of(first).cursor());
    Ok(LogPage { logs, next, first })
}

fn key_of(row: &LogRow) -> Key {
    Key { timestamp_ns: row.timestamp_ns, id: row.id }
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
        // The nearest, where they are long.
        Ok(reader.read_some(&keys.unwrap_or_default(), count)?.0)
    };
    let mut before = neighbours(Order::NewestFirst, before)?;
    before.reverse();
    let after = neighbours(Order::OldestFirst, after)?;
    Ok(Some(LogContext { before, log, after }))
}
