//! The store: questions about what the sink keeps, answered from the file alone while it is written.

mod condition;
mod connection;
mod cursor;
mod facets;
mod filter;
mod keys;
mod names;
mod page;
mod rows;
mod sample;
mod stats;
mod templates;
#[cfg(test)]
mod tests;
mod text;
mod windows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lograil_plugin::store::{
    FacetQuery, Facets, Label, LogContext, LogPage, LogQuery, QueryControl, ServiceCount, Stats,
    StatsQuery, StoreInfo, TemplateQuery, TemplateSummary,
};
use lograil_plugin::{Options, Store, StoreError, StoreSpec};

use crate::sink;
use connection::{change, read};

/// How the store of the sink `sqlite` is reached.
pub(crate) const STORE: StoreSpec = StoreSpec { sink: sink::SPEC.name, open };

fn open(options: &Options, base_dir: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let options: sink::SqliteOptions = options.parse().map_err(|errors| {
        let messages: Vec<String> = errors.0.into_iter().map(|error| error.message).collect();
        StoreError::Failed(messages.join("; "))
    })?;
    Ok(Arc::new(SqliteStore { path: base_dir.join(options.path) }))
}

struct SqliteStore {
    path: PathBuf,
}

impl Store for SqliteStore {
    fn logs(&self, query: &LogQuery, control: &QueryControl) -> Result<LogPage, StoreError> {
        let filter = filter::Filter::of(query)?;
        read(&self.path, control, |connection| page::page(connection, &filter, query, control))
    }

    fn log(
        &self,
        id: i64,
        before: usize,
        after: usize,
        control: &QueryControl,
    ) -> Result<Option<LogContext>, StoreError> {
        read(&self.path, control, |connection| page::context(connection, id, before, after))
    }

    fn stats(&self, query: &StatsQuery, control: &QueryControl) -> Result<Stats, StoreError> {
        read(&self.path, control, |connection| stats::stats(connection, query))
    }

    fn facets(&self, query: &FacetQuery, control: &QueryControl) -> Result<Facets, StoreError> {
        read(&self.path, control, |connection| facets::facets(connection, query, control))
    }

    fn templates(
        &self,
        query: &TemplateQuery,
        control: &QueryControl,
    ) -> Result<Vec<TemplateSummary>, StoreError> {
        read(&self.path, control, |connection| templates::templates(connection, query))
    }

    fn services(&self, control: &QueryControl) -> Result<Vec<ServiceCount>, StoreError> {
        read(&self.path, control, |connection| {
            Ok(stats::stats(connection, &StatsQuery::default())?.services)
        })
    }

    fn label(&self, id: i64, label: Option<Label>) -> Result<bool, StoreError> {
        change(&self.path, |connection| rows::label(connection, id, label))
    }

    fn info(&self, control: &QueryControl) -> Result<StoreInfo, StoreError> {
        read(&self.path, control, |connection| stats::info(connection, &self.path))
    }
}
