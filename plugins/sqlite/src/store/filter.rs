//! A query made ready: what SQLite tests, what the text index tests, and what the expression language tests.

use lograil_plugin::StoreError;
use lograil_plugin::store::{LogQuery, Only, Order};
use rusqlite::types::Value;

use super::condition::RowCondition;
use super::cursor::Key;
use super::text;

/// Times from `from_ns` to `last_ns`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeRange {
    pub(super) from_ns: i64,
    pub(super) last_ns: i64,
}

/// Which events a query means.
pub(super) struct Filter {
    /// The time, cut at the cursor.
    pub(super) range: TimeRange,
    /// The event that the page before ended with.
    pub(super) after: Option<Key>,
    pub(super) order: Order,
    pub(super) only: Only,
    /// In capitals.
    pub(super) levels: Vec<String>,
    pub(super) services: Vec<String>,
    severity_min: Option<f64>,
    pub(super) template_id: Option<String>,
    /// What the text index is asked for, in its language.
    pub(super) text: Option<String>,
    pub(super) condition: Option<RowCondition>,
}

impl Filter {
    pub(super) fn of(query: &LogQuery) -> Result<Self, StoreError> {
        let after = query.cursor.as_deref().map(Key::parse).transpose()?;
        let mut range = TimeRange {
            from_ns: query.from_ns.unwrap_or(i64::MIN),
            last_ns: query.to_ns.map_or(i64::MAX, |to_ns| to_ns.saturating_sub(1)),
        };
        if let Some(after) = after {
            match query.order {
                Order::NewestFirst => range.last_ns = range.last_ns.min(after.timestamp_ns),
                Order::OldestFirst => range.from_ns = range.from_ns.max(after.timestamp_ns),
            }
        }
        let condition = query.condition.as_deref().map(RowCondition::compile).transpose()?;
        // What the condition requires narrows the walk where the query itself does not.
        let required = |field: &str| condition.as_ref()?.required_text(field).map(str::to_owned);
        let narrowed = |asked: &[String], field: &str| match asked {
            [] => required(field).into_iter().collect(),
            asked => asked.to_vec(),
        };
        let mut levels = narrowed(&query.levels, "level");
        levels.iter_mut().for_each(|level| level.make_ascii_uppercase());
        let services = narrowed(&query.services, "service");
        let template_id = query.template_id.clone().or_else(|| required("template_id"));
        Ok(Self {
            range,
            after,
            order: query.order,
            only: query.only,
            levels,
            services,
            severity_min: query.severity_min,
            text: text::expression(query.text.as_deref(), template_id.as_deref())?,
            template_id,
            condition,
        })
    }

    /// The part of the SQL that all events must meet, beginning with `AND`, and its parameters.
    pub(super) fn sql(&self) -> (String, Vec<Value>) {
        let (mut sql, mut values) = self.sql_of_counted();
        if let Some(severity) = self.severity_min {
            sql.push_str(" AND severity >= ?");
            values.push(Value::Real(severity));
        }
        if let Some(id) = &self.template_id {
            sql.push_str(" AND template_id = ?");
            values.push(Value::Text(id.clone()));
        }
        (sql, values)
    }

    /// The same of those events that the counts that are kept tell: without severity and template.
    pub(super) fn sql_of_counted(&self) -> (String, Vec<Value>) {
        let mut sql = String::new();
        let mut values = Vec::new();
        for (column, names) in [("level", &self.levels), ("service", &self.services)] {
            if !names.is_empty() {
                sql.push_str(&format!(" AND ifnull({column}, '') IN ({})", marks(names.len())));
                values.extend(names.iter().cloned().map(Value::Text));
            }
        }
        match self.only {
            Only::All => {}
            Only::Anomalies => sql.push_str(" AND is_anomaly = 1"),
            Only::Bursts => sql.push_str(" AND burst IS NOT NULL"),
        }
        (sql, values)
    }
}

/// So many parameters of a list.
pub(super) fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}
