//! `lograil query`: answers from a store file, or the store of a topology, page by page, while it is written.

mod event;
pub(crate) mod moment;
mod output;
mod summary;

use std::env;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail};
use lograil_plugin::store::{
    LogQuery, Only, Order, QueryControl, StatsQuery, TemplateOrder, TemplateQuery,
};
use lograil_plugin::{Options, Store, StoreError};
use lograil_server::AttachedStore;
use serde_json::json;

use crate::args::{QueryArguments, QueryOrder, QueryTemplates, TopologyArguments};
use crate::exit::Exit;
use crate::{stores, topology};
use output::Printer;

/// Events that are read at once.
const PAGE_EVENTS: usize = 1000;

/// Lines of a timeline.
const INTERVALS_MAX: usize = 24;

pub(crate) fn run(arguments: &QueryArguments) -> anyhow::Result<Exit> {
    let Some(store) = open(arguments)? else { return Ok(Exit::Failed) };
    let mut printer = Printer::new(arguments.format);
    let control = QueryControl::within(arguments.timeout.0);
    let answered = if arguments.stats {
        stats(&*store, arguments, &control, &mut printer)
    } else if let Some(which) = arguments.templates {
        templates(&*store, arguments, which, &control, &mut printer)
    } else {
        events(&*store, arguments, &control, &mut printer)
    };
    // Who reads the answer may have seen enough.
    match answered.and_then(|()| Ok(printer.finish()?)) {
        Err(error) if is_closed_pipe(&error) => Ok(Exit::Success),
        result => result.map(|()| Exit::Success),
    }
}

/// The store that is asked; none if the topology has mistakes, which were told.
fn open(arguments: &QueryArguments) -> anyhow::Result<Option<Arc<dyn Store>>> {
    let path = &arguments.store;
    if path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") {
        return open_of_topology(path, arguments.sink.as_deref());
    }
    if arguments.sink.is_some() {
        bail!("--sink goes with a topology; {} is taken for a database", path.display());
    }
    let options = Options(json!({ "path": path.to_string_lossy() }));
    let directory = env::current_dir().context("find the current directory")?;
    let [spec] = lograil_sqlite::STORES else { bail!("there is no store") };
    Ok(Some((spec.open)(&options, &directory)?))
}

fn open_of_topology(path: &Path, sink: Option<&str>) -> anyhow::Result<Option<Arc<dyn Store>>> {
    let arguments = TopologyArguments { files: vec![path.to_owned()], sets: Vec::new() };
    let loaded = topology::read(&arguments)?;
    if topology::report(&loaded) {
        return Ok(None);
    }
    let stores = loaded.plan.as_ref().map(stores::attach).unwrap_or_default();
    let ids = stores.iter().map(|store| format!("`{}`", store.id)).collect::<Vec<_>>().join(", ");
    let name = path.display();
    let is_meant = |store: &AttachedStore| sink.is_none_or(|sink| *store.id == *sink);
    let mut meant = stores.into_iter().filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(store), None) => Ok(Some(store.store)),
        (Some(_), Some(_)) => bail!("{name} has several stores: choose one with --sink: {ids}"),
        (None, _) if ids.is_empty() => {
            bail!("{name} has no sink that keeps events, as `sqlite` does")
        }
        (None, _) => bail!("{name} has no store `{}`, but {ids}", sink.unwrap_or_default()),
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn events(
    store: &dyn Store,
    arguments: &QueryArguments,
    control: &QueryControl,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let now_ns = now_ns();
    let mut query = LogQuery {
        from_ns: arguments.since.map(|since| since.ns(now_ns)),
        to_ns: arguments.until.map(|until| until.ns(now_ns)),
        levels: arguments.levels.clone(),
        services: arguments.services.clone(),
        text: arguments.text.clone(),
        condition: arguments.condition.clone(),
        severity_min: arguments.min_severity,
        template_id: arguments.template.clone(),
        only: match arguments {
            QueryArguments { anomalies: true, .. } => Only::Anomalies,
            QueryArguments { bursts: true, .. } => Only::Bursts,
            _ => Only::All,
        },
        order: match arguments.order {
            QueryOrder::Newest => Order::NewestFirst,
            QueryOrder::Oldest => Order::OldestFirst,
        },
        limit: 0,
        cursor: None,
    };
    let mut left = arguments.limit;
    loop {
        query.limit = left.min(PAGE_EVENTS);
        let page = store.logs(&query, control).map_err(|error| explain(error, &query))?;
        left -= page.logs.len().min(left);
        event::print(&page.logs, printer)?;
        query.cursor = page.next;
        if left == 0 || query.cursor.is_none() {
            return Ok(());
        }
    }
}

fn stats(
    store: &dyn Store,
    arguments: &QueryArguments,
    control: &QueryControl,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let now_ns = now_ns();
    let service = match &arguments.services[..] {
        [] => None,
        [service] => Some(service.clone()),
        _ => bail!("--stats takes one --service"),
    };
    let query = StatsQuery {
        from_ns: arguments.since.map(|since| since.ns(now_ns)),
        to_ns: arguments.until.map(|until| until.ns(now_ns)),
        service,
        intervals_max: INTERVALS_MAX,
    };
    let (stats, info) = (store.stats(&query, control)?, store.info(control)?);
    summary::print_stats(&stats, &info, printer)
}

fn templates(
    store: &dyn Store,
    arguments: &QueryArguments,
    which: QueryTemplates,
    control: &QueryControl,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let query = TemplateQuery {
        order: match which {
            QueryTemplates::Top => TemplateOrder::Top,
            QueryTemplates::New => TemplateOrder::New,
            QueryTemplates::Rare => TemplateOrder::Rare,
        },
        first_seen_from_ns: arguments.since.map(|since| since.ns(now_ns())),
        limit: arguments.limit,
    };
    summary::print_templates(&store.templates(&query, control)?, printer)
}

/// Shows the place of a mistake in a condition.
fn explain(error: StoreError, query: &LogQuery) -> anyhow::Error {
    let StoreError::Invalid { parameter, within, message, help } = error else {
        return error.into();
    };
    let mut text = format!("--{parameter}: {message}");
    if let (Some(range), Some(source)) = (within, &query.condition) {
        let column = source.get(..range.start).map_or(0, |before| before.chars().count());
        let marked = source.get(range).map_or(1, |marked| marked.chars().count().max(1));
        let one_line = source.replace(['\n', '\r', '\t'], " ");
        text.push_str(&format!("\n  {one_line}\n  {:column$}{}", "", "^".repeat(marked)));
    }
    if let Some(help) = help {
        text.push_str(&format!("\n  help: {help}"));
    }
    anyhow!(text)
}
