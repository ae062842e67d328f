//! Message templates with their counts.

use lograil_plugin::store::{TemplateOrder, TemplateQuery, TemplateSummary};
use rusqlite::{Connection, params};

use super::connection::QueryError;

pub(super) fn templates(
    connection: &Connection,
    query: &TemplateQuery,
) -> Result<Vec<TemplateSummary>, QueryError> {
    let order = match query.order {
        TemplateOrder::Top => "events DESC, last_seen DESC",
        TemplateOrder::New => "first_seen DESC",
        TemplateOrder::Rare => "events ASC, last_seen DESC",
    };
    let mut select = connection.prepare(&format!(
        "SELECT id, text, events, first_seen, last_seen FROM templates
         WHERE first_seen >= ?1 ORDER BY {order}, id LIMIT ?2"
    ))?;
    let from_ns = query.first_seen_from_ns.unwrap_or(i64::MIN);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let rows = select.query_map(params![from_ns, limit], |row| {
        Ok(TemplateSummary {
            id: row.get(0)?,
            text: row.get(1)?,
            count: row.get::<_, i64>(2)?.cast_unsigned(),
            first_seen_ns: row.get(3)?,
            last_seen_ns: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
