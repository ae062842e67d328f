//! Counts of what a search finds: from the counts that are kept where they know the answer, else from the events
//! themselves, all of them or a sample.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use lograil_plugin::store::{
    FacetQuery, Facets, IntervalCount, LevelCount, LogQuery, Only, QueryControl, ServiceCount,
    Stats, TemplateCount,
};
use rusqlite::{Connection, OptionalExtension};

use super::connection::QueryError;
use super::filter::Filter;
use super::sample::{Question, Sample, Seen, SightNames, candidates, look};
use super::stats::{Selection, busiest_first, by_frequency, counted, is_error};

/// Which part of the answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    AllButTemplates,
    /// Levels or services.
    Names,
    Templates,
}

pub(super) fn facets(
    connection: &Connection,
    query: &FacetQuery,
    control: &QueryControl,
) -> Result<Facets, QueryError> {
    let search = &query.search;
    let own_filters =
        [!search.levels.is_empty(), !search.services.is_empty(), search.template_id.is_some()];
    let questions = 1 + own_filters.into_iter().filter(|own| *own).count() as u32;
    // An estimate in time is better than none.
    let time_max = control.remaining().map_or(query.time_max, |left| query.time_max.min(left / 2));
    let time = time_max / questions;
    let ask = |search: &LogQuery, wanted| count(connection, query, search, wanted, time, control);
    let [own_levels, own_services, own_template] = own_filters;
    let wanted = if own_template { Wanted::AllButTemplates } else { Wanted::All };
    let mut facets = ask(search, wanted)?;
    if own_levels {
        let others = ask(&LogQuery { levels: Vec::new(), ..search.clone() }, Wanted::Names)?;
        facets.is_estimate |= others.is_estimate;
        facets.events_seen += others.events_seen;
        facets.levels = others.levels;
    }
    if own_services {
        let others = ask(&LogQuery { services: Vec::new(), ..search.clone() }, Wanted::Names)?;
        facets.is_estimate |= others.is_estimate;
        facets.events_seen += others.events_seen;
        facets.services = others.services;
    }
    if own_template {
        let others = ask(&LogQuery { template_id: None, ..search.clone() }, Wanted::Templates)?;
        facets.is_estimate_of_templates = others.is_estimate_of_templates;
        facets.events_seen += others.events_seen;
        facets.templates = others.templates;
    }
    facets.levels.truncate(query.values_max);
    facets.services.truncate(query.values_max);
    Ok(facets)
}

fn count(
    connection: &Connection,
    query: &FacetQuery,
    search: &LogQuery,
    wanted: Wanted,
    time: Duration,
    control: &QueryControl,
) -> Result<Facets, QueryError> {
    let severity_min = search.severity_min;
    // The severity is tested beyond the filter, as the template is: the counts that a sample is held against know
    // nothing of them.
    let filter = Filter::of(&LogQuery { severity_min: None, cursor: None, ..search.clone() })?;
    let selection = Selection {
        from_ns: search.from_ns,
        to_ns: search.to_ns,
        levels: &filter.levels,
        services: &filter.services,
    };
    let counts = counted(connection, &selection, query.intervals_max.max(1))?;
    let is_kept = filter.text.is_none()
        && filter.template_id.is_none()
        && filter.condition.is_none()
        && severity_min.is_none()
        && filter.only == Only::All;
    let wants_templates = matches!(wanted, Wanted::All | Wanted::Templates);
    if is_kept && !(wants_templates && has_templates(connection)?) {
        return Ok(kept(counts));
    }
    let patience = QueryControl::within(time);
    let events_max = query.events_max as u64;
    let question =
        Question { filter: &filter, severity_min, events_max, patience: &patience, control };
    let sample = look(connection, &question, &counts)?;
    let found = Estimate::of(&filter, &counts, &sample);
    let templates = match wants_templates {
        true => found.templates(connection, query.values_max)?,
        false => Vec::new(),
    };
    let is_estimate_of_templates =
        wants_templates && (found.is_estimate || sample.names.templates.is_cut);
    let facets = if is_kept { kept(counts) } else { found.facets(counts.interval_ns) };
    Ok(Facets { templates, is_estimate_of_templates, events_seen: found.seen, ..facets })
}

fn has_templates(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM templates)", [], |row| row.get(0))
}

/// What the counts that are kept say.
fn kept(counts: Stats) -> Facets {
    Facets {
        total: counts.total,
        anomalies: counts.anomalies,
        levels: counts.levels,
        services: counts.services,
        interval_ns: counts.interval_ns,
        timeline: counts.timeline,
        ..Facets::default()
    }
}

/// What was seen, each event counted for those that it stands for.
#[derive(Default)]
struct Estimate<'s> {
    total: f64,
    anomalies: f64,
    levels: HashMap<&'s str, f64>,
    /// Events and errors.
    services: HashMap<&'s str, (f64, f64)>,
    templates: HashMap<&'s str, f64>,
    intervals: BTreeMap<i64, (HashMap<&'s str, f64>, f64)>,
    seen: u64,
    is_estimate: bool,
}

impl<'s> Estimate<'s> {
    fn of(filter: &Filter, counts: &Stats, sample: &'s Sample) -> Self {
        let weights = Weights::of(filter, counts, &sample.parts);
        // Intervals for which there was no time are like the others, as far as anybody knows.
        let unseen = weights.unseen();
        let interval_ns = counts.interval_ns.max(1);
        let SightNames { levels, services, templates } = &sample.names;
        let mut estimate =
            Self { is_estimate: levels.is_cut || services.is_cut, ..Self::default() };
        let (levels, services, templates) = (levels.texts(), services.texts(), templates.texts());
        for part in &sample.parts {
            let in_time = weights.of_part(part);
            let weight = in_time * unseen;
            estimate.seen += part.candidates;
            estimate.is_estimate |= !part.is_whole;
            for sight in &part.sights {
                estimate.total += weight;
                let start = sight.timestamp_ns.div_euclid(interval_ns) * interval_ns;
                let interval = estimate.intervals.entry(start).or_default();
                let level = levels.get(sight.level);
                if let Some(level) = level {
                    *estimate.levels.entry(level).or_default() += weight;
                    *interval.0.entry(level).or_default() += in_time;
                }
                if let Some(service) = services.get(sight.service) {
                    let (events, errors) = estimate.services.entry(service).or_default();
                    *events += weight;
                    *errors += if level.is_some_and(is_error) { weight } else { 0.0 };
                }
                if let Some(id) = templates.get(sight.template_id).filter(|id| !id.is_empty()) {
                    *estimate.templates.entry(id).or_default() += weight;
                }
                if sight.is_anomaly {
                    interval.1 += in_time;
                    estimate.anomalies += weight;
                }
            }
        }
        estimate
    }

    fn facets(&self, interval_ns: i64) -> Facets {
        let service = |(name, (total, errors)): (&&str, &(f64, f64))| ServiceCount {
            service: (*name).to_owned(),
            total: whole(*total),
            errors: whole(*errors),
        };
        let mut services: Vec<ServiceCount> = self.services.iter().map(service).collect();
        busiest_first(&mut services);
        let interval =
            |(start_ns, (levels, anomalies)): (&i64, &(HashMap<&str, f64>, f64))| IntervalCount {
                start_ns: *start_ns,
                levels: frequent(levels),
                anomalies: whole(*anomalies),
            };
        Facets {
            total: whole(self.total),
            anomalies: whole(self.anomalies),
            levels: frequent(&self.levels),
            services,
            interval_ns,
            timeline: self.intervals.iter().map(interval).collect(),
            is_estimate: self.is_estimate,
            ..Facets::default()
        }
    }

    /// The most frequent templates with their texts.
    fn templates(
        &self,
        connection: &Connection,
        values_max: usize,
    ) -> rusqlite::Result<Vec<TemplateCount>> {
        let mut counts: Vec<(&str, u64)> =
            self.templates.iter().map(|(id, count)| (*id, whole(*count))).collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        counts.truncate(values_max);
        let mut text = connection.prepare_cached("SELECT text FROM templates WHERE id = ?1")?;
        let with_text = |(id, count): (&str, u64)| {
            let text: Option<String> = text.query_row([id], |row| row.get(0)).optional()?;
            Ok(TemplateCount { id: id.to_owned(), text: text.unwrap_or_default(), count })
        };
        counts.into_iter().map(with_text).collect()
    }
}

fn whole(count: f64) -> u64 {
    count.round() as u64
}

fn frequent(levels: &HashMap<&str, f64>) -> Vec<LevelCount> {
    by_frequency(levels.iter().map(|(level, count)| ((*level).to_owned(), whole(*count))).collect())
}

/// How many events one that was seen stands for: one in a part that was read to its end, else so many that the
/// candidates of its interval add up to those that are kept count of.
struct Weights(Vec<IntervalWeight>);

#[derive(Clone, Copy, Default)]
struct IntervalWeight {
    whole: u64,
    open: u64,
    /// Parts that are not whole.
    is_open: bool,
    candidates: u64,
}

impl Weights {
    fn of(filter: &Filter, counts: &Stats, seen: &[Seen]) -> Self {
        let mut weights = vec![IntervalWeight::default(); counts.timeline.len()];
        for (at, weight) in weights.iter_mut().enumerate() {
            weight.candidates = candidates(filter, counts, at);
        }
        for part in seen {
            let Some(weight) = part.interval.and_then(|at| weights.get_mut(at)) else { continue };
            match part.is_whole {
                true => weight.whole += part.candidates,
                false => weight.open += part.candidates,
            }
            weight.is_open |= !part.is_whole;
        }
        Self(weights)
    }

    /// All candidates for each of those in intervals of which something was seen.
    fn unseen(&self) -> f64 {
        let all: u64 = self.0.iter().map(|of| of.candidates).sum();
        let seen = self.0.iter().filter(|of| of.whole + of.open > 0);
        let seen: u64 = seen.map(|of| of.candidates).sum();
        if seen == 0 { 1.0 } else { all as f64 / seen as f64 }
    }

    fn of_part(&self, part: &Seen) -> f64 {
        let Some(of) = part.interval.and_then(|at| self.0.get(at)) else { return 1.0 };
        let IntervalWeight { whole, open, is_open, candidates } = *of;
        let (stands_for, seen) = match (is_open, open) {
            (false, _) => return 1.0,
            (true, 0) => (candidates, whole),
            (true, _) if part.is_whole => return 1.0,
            (true, _) => (candidates.saturating_sub(whole), open),
        };
        (stands_for as f64 / seen.max(1) as f64).max(1.0)
    }
}
