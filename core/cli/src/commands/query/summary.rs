//! Statistics and templates as lines.

use lograil_plugin::store::{LevelCount, Stats, StoreInfo, TemplateSummary};
use serde_json::{Map, Value, json};

use super::output::{Printer, shown, time};
use crate::args::QueryFormat;
use crate::output;

/// Columns of the longest bar of a timeline.
const BAR_WIDTH: u64 = 40;

pub(super) fn print_stats(
    stats: &Stats,
    info: &StoreInfo,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    match printer.format {
        QueryFormat::Json => printer.json(&stats_object(stats, info)),
        QueryFormat::Csv => stats_csv(stats, printer),
        QueryFormat::Table => stats_table(stats, info, printer),
    }
}

fn levels_object(levels: &[LevelCount]) -> Value {
    Value::Object(levels.iter().map(|l| (l.level.clone(), l.count.into())).collect())
}

fn stats_object(stats: &Stats, info: &StoreInfo) -> Value {
    let services: Map<String, Value> = stats
        .services
        .iter()
        .map(|s| (s.service.clone(), json!({ "total": s.total, "errors": s.errors })))
        .collect();
    let timeline: Vec<Value> = stats
        .timeline
        .iter()
        .map(|interval| {
            json!({
                "start": time(interval.start_ns),
                "levels": levels_object(&interval.levels),
                "anomalies": interval.anomalies,
            })
        })
        .collect();
    json!({
        "total": stats.total,
        "errors": stats.errors,
        "anomalies": stats.anomalies,
        "levels": levels_object(&stats.levels),
        "services": services,
        "interval_seconds": stats.interval_ns as f64 / 1e9,
        "timeline": timeline,
        "store": {
            "rows": info.rows,
            "size_bytes": info.size_bytes,
            "oldest": info.oldest_ns.map(time),
            "newest": info.newest_ns.map(time),
        },
    })
}

/// One line for each interval and level.
fn stats_csv(stats: &Stats, printer: &mut Printer) -> anyhow::Result<()> {
    for interval in &stats.timeline {
        for LevelCount { level, count } in &interval.levels {
            let values = [time(interval.start_ns), level.clone(), count.to_string()];
            printer.csv(&["start", "level", "events"], &values)?;
        }
    }
    Ok(())
}

fn stats_table(stats: &Stats, info: &StoreInfo, printer: &mut Printer) -> anyhow::Result<()> {
    let (Some(oldest), Some(newest)) = (info.oldest_ns, info.newest_ns) else {
        printer.line("no events")?;
        return Ok(());
    };
    let megabytes = info.size_bytes as f64 / 1e6;
    printer.line(&format!(
        "store   {} from {} to {}, {megabytes:.1} MB",
        output::counted(info.rows, "event", "events"),
        time(oldest),
        time(newest)
    ))?;
    printer.line(&format!(
        "here    {}, {}, {}",
        output::counted(stats.total, "event", "events"),
        output::counted(stats.errors, "error", "errors"),
        output::counted(stats.anomalies, "anomaly", "anomalies")
    ))?;
    printer.line("\nlevel             events")?;
    for LevelCount { level, count } in &stats.levels {
        printer.line(&format!("{:<12} {count:>11}", named(level)))?;
    }
    printer.line("\nservice           events      errors")?;
    for service in &stats.services {
        let name = named(&service.service);
        printer.line(&format!("{name:<12} {:>11} {:>11}", service.total, service.errors))?;
    }
    let total = |levels: &[LevelCount]| levels.iter().map(|level| level.count).sum::<u64>();
    let most = stats.timeline.iter().map(|interval| total(&interval.levels)).max().unwrap_or(0);
    let seconds = stats.interval_ns / 1_000_000_000;
    printer.line(&format!("\nevery {seconds} s                events"))?;
    for interval in &stats.timeline {
        let count = total(&interval.levels);
        let bar = "#".repeat((count * BAR_WIDTH).div_ceil(most.max(1)) as usize);
        printer.line(&format!("{:<20} {count:>11} {bar}", time(interval.start_ns)))?;
    }
    Ok(())
}

fn named(name: &str) -> String {
    if name.is_empty() { "(none)".to_owned() } else { shown(name) }
}

pub(super) fn print_templates(
    templates: &[TemplateSummary],
    printer: &mut Printer,
) -> anyhow::Result<()> {
    if printer.format == QueryFormat::Table {
        printer.line(
            "     events  first seen                      last seen                       template",
        )?;
    }
    for template in templates {
        let TemplateSummary { id, text, count, first_seen_ns, last_seen_ns } = template;
        let (first, last) = (time(*first_seen_ns), time(*last_seen_ns));
        match printer.format {
            QueryFormat::Table => {
                let name = if text.is_empty() { id } else { text };
                printer.line(&format!("{count:>11}  {first:<30}  {last:<30}  {}", shown(name)))?;
            }
            QueryFormat::Json => printer.json(&json!({
                "id": id, "text": text, "count": count, "first_seen": first, "last_seen": last,
            }))?,
            QueryFormat::Csv => printer.csv(
                &["id", "text", "count", "first_seen", "last_seen"],
                &[id.clone(), text.clone(), count.to_string(), first, last],
            )?,
        }
    }
    Ok(())
}
