//! What events add to the counts and to the templates, or take from them: gathered in memory, applied in the
//! transaction that stores or removes the events.
//!
//! **Invariant:** the sums of a scale are those of every other, and those of the rows of `events`.

use std::collections::HashMap;
use std::hash::Hash;

use rusqlite::{Params, Transaction, params};

/// Lengths of the intervals that are counted, in seconds. Each is a multiple of the one before.
pub(crate) const SCALES: [i64; 5] = [10, 60, 600, 3600, 86400];

/// The scale with the fewest rows.
pub(crate) const COARSEST: i64 = SCALES[SCALES.len() - 1];

const NS_PER_SECOND: i64 = 1_000_000_000;

/// The start of the interval of a scale that a time is in, in seconds.
pub(crate) fn interval_start(ns: i64, scale: i64) -> i64 {
    ns.div_euclid(NS_PER_SECOND).div_euclid(scale) * scale
}

/// What of an event is counted.
pub(crate) struct Counted<'a> {
    pub(crate) timestamp_ns: i64,
    pub(crate) level: &'a str,
    pub(crate) service: &'a str,
    pub(crate) is_anomaly: bool,
    /// Id and, where it is known, text.
    pub(crate) template: Option<(&'a str, Option<&'a str>)>,
}

/// Whether events come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    Add,
    Remove,
}

/// Counts of events.
#[derive(Default)]
pub(crate) struct Tally {
    names: Names,
    /// By interval of the finest scale, level and service, as ids of names.
    intervals: HashMap<(i64, u32, u32), Count>,
    templates: HashMap<u32, TemplateCount>,
}

#[derive(Default)]
struct Names {
    ids: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

#[derive(Default, Clone, Copy)]
struct Count {
    events: i64,
    anomalies: i64,
}

struct TemplateCount {
    events: i64,
    first_ns: i64,
    last_ns: i64,
    text: Option<Box<str>>,
}

impl Names {
    fn id(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = self.names.len() as u32;
        self.names.push(name.into());
        self.ids.insert(name.into(), id);
        id
    }

    fn name(&self, id: u32) -> &str {
        self.names.get(id as usize).map_or("", |name| name)
    }
}

impl Tally {
    /// Counts an event.
    pub(crate) fn add(&mut self, event: &Counted<'_>) {
        let start = interval_start(event.timestamp_ns, SCALES[0]);
        let key = (start, self.names.id(event.level), self.names.id(event.service));
        let count = self.intervals.entry(key).or_default();
        count.events += 1;
        count.anomalies += i64::from(event.is_anomaly);
        if let Some((id, text)) = event.template {
            let ns = event.timestamp_ns;
            let id = self.names.id(id);
            let new = || TemplateCount { events: 0, first_ns: ns, last_ns: ns, text: None };
            let template = self.templates.entry(id).or_insert_with(new);
            template.events += 1;
            template.first_ns = template.first_ns.min(ns);
            template.last_ns = template.last_ns.max(ns);
            // The text of a template may change while it is mined: the last one counts.
            if let Some(text) = text
                && template.text.as_deref() != Some(text)
            {
                template.text = Some(text.into());
            }
        }
    }

    /// Counts the events of the table for which a condition holds.
    pub(crate) fn add_stored(
        &mut self,
        transaction: &Transaction<'_>,
        condition: &str,
        parameters: impl Params,
    ) -> rusqlite::Result<()> {
        let mut select = transaction.prepare(&format!(
            "SELECT ts, ifnull(level, ''), ifnull(service, ''), is_anomaly, template_id
             FROM events WHERE {condition}"
        ))?;
        let mut rows = select.query(parameters)?;
        while let Some(row) = rows.next()? {
            let id = row.get_ref(4)?.as_str_or_null()?;
            self.add(&Counted {
                timestamp_ns: row.get(0)?,
                level: row.get_ref(1)?.as_str()?,
                service: row.get_ref(2)?.as_str()?,
                is_anomaly: row.get::<_, Option<i64>>(3)? == Some(1),
                template: id.map(|id| (id, None)),
            });
        }
        Ok(())
    }

    /// Changes the tables.
    pub(crate) fn apply(&self, transaction: &Transaction<'_>, sign: Sign) -> rusqlite::Result<()> {
        for scale in SCALES {
            let scaled = |start: i64| start.div_euclid(scale) * scale;
            let by_level = self.grouped(|(start, level, _)| (scaled(start), level));
            let by_service =
                self.grouped(|(start, level, service)| (service, scaled(start), level));
            let level_keys = by_level
                .iter()
                .map(|((start, level), count)| ([self.name(*level), ""], *start, *count));
            apply_counts(transaction, sign, &LEVEL_COUNTS, scale, level_keys)?;
            let service_keys = by_service.iter().map(|((service, start, level), count)| {
                ([self.name(*level), self.name(*service)], *start, *count)
            });
            apply_counts(transaction, sign, &SERVICE_COUNTS, scale, service_keys)?;
        }
        self.apply_templates(transaction, sign)
    }

    fn name(&self, id: u32) -> &str {
        self.names.name(id)
    }

    fn grouped<K: Hash + Eq>(&self, key: impl Fn((i64, u32, u32)) -> K) -> HashMap<K, Count> {
        let mut groups: HashMap<K, Count> = HashMap::new();
        for (interval, count) in &self.intervals {
            let group = groups.entry(key(*interval)).or_default();
            group.events += count.events;
            group.anomalies += count.anomalies;
        }
        groups
    }

    fn apply_templates(&self, transaction: &Transaction<'_>, sign: Sign) -> rusqlite::Result<()> {
        if self.templates.is_empty() {
            return Ok(());
        }
        let mut add = transaction.prepare(
            "INSERT INTO templates (id, text, events, first_seen, last_seen)
             VALUES (?1, ifnull(?2, ''), ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET text = ifnull(?2, text), events = events + ?3,
                 first_seen = min(first_seen, ?4), last_seen = max(last_seen, ?5)",
        )?;
        let mut subtract =
            transaction.prepare("UPDATE templates SET events = events - ?2 WHERE id = ?1")?;
        let mut clear =
            transaction.prepare("DELETE FROM templates WHERE id = ?1 AND events <= 0")?;
        for (id, template) in &self.templates {
            let id = self.name(*id);
            let TemplateCount { events, first_ns, last_ns, text } = template;
            if sign == Sign::Add {
                add.execute(params![id, text, events, first_ns, last_ns])?;
            } else {
                subtract.execute(params![id, events])?;
                clear.execute([id])?;
            }
        }
        Ok(())
    }
}

/// How a table of counts is changed: ?1 scale, ?2 start, ?3 level, ?4 service, ?5 events, ?6 anomalies.
struct CountsTable {
    add: &'static str,
    clear: &'static str,
}

const LEVEL_COUNTS: CountsTable = CountsTable {
    add: "INSERT INTO level_counts (scale, start, level, events, anomalies)
          SELECT ?1, ?2, ?3, ?5, ?6 WHERE ?4 IS NOT NULL
          ON CONFLICT DO UPDATE SET events = events + ?5, anomalies = anomalies + ?6",
    clear: "DELETE FROM level_counts WHERE scale = ?1 AND start = ?2 AND level = ?3
            AND ?4 IS NOT NULL AND events <= 0",
};

const SERVICE_COUNTS: CountsTable = CountsTable {
    add: "INSERT INTO service_counts (scale, service, start, level, events, anomalies)
          VALUES (?1, ?4, ?2, ?3, ?5, ?6)
          ON CONFLICT DO UPDATE SET events = events + ?5, anomalies = anomalies + ?6",
    clear: "DELETE FROM service_counts WHERE scale = ?1 AND start = ?2 AND level = ?3
            AND service = ?4 AND events <= 0",
};

fn apply_counts<'a>(
    transaction: &Transaction<'_>,
    sign: Sign,
    table: &CountsTable,
    scale: i64,
    counts: impl Iterator<Item = ([&'a str; 2], i64, Count)>,
) -> rusqlite::Result<()> {
    let mut add = transaction.prepare(table.add)?;
    let mut clear = transaction.prepare(table.clear)?;
    let factor = if sign == Sign::Add { 1 } else { -1 };
    for ([level, service], start, count) in counts {
        let (events, anomalies) = (factor * count.events, factor * count.anomalies);
        add.execute(params![scale, start, level, service, events, anomalies])?;
        if sign == Sign::Remove {
            clear.execute(params![scale, start, level, service])?;
        }
    }
    Ok(())
}
