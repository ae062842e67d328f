//! The transform `lookup`: adds fields from a table in a file.

mod options;
mod table;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use lograil_event::{Batch, Field, Key, Span};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, Clock, ComponentSpec, ConfigErrors, Options, Outputs, SystemFiles, Threading, Transform,
    TransformContext, TransformError,
};

use crate::event_key::KeyHasher;
use crate::field_path::FieldPath;
use crate::short_key::RecentKeys;
use options::LookupOptions;
use table::{Notation, Table, Wanted, append_key};
use watch::{Origin, Watch};

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "lookup",
    summary: "Adds fields from a table in a CSV or JSON file, which is read again when it changes.",
    manual: include_str!("README.md"),
    schema: schema_of::<LookupOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options: &Options| Ok(Box::new(Lookup::new(options.parse()?)?))),
};

struct Lookup {
    options: LookupOptions,
    notation: Notation,
    keys: Vec<(String, FieldPath)>,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    /// The rows of keys that came of late.
    recent: RecentKeys,
    /// The row of each event of the current batch.
    rows: Vec<Option<u32>>,
    running: Option<Running>,
}

struct Running {
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    table: Table,
    watch: Watch,
    /// When the file was looked at.
    looked: Duration,
    rows: prometheus::IntGauge,
    unmatched: prometheus::IntCounter,
    reloads: prometheus::IntCounter,
    failures: prometheus::IntCounter,
}

impl Lookup {
    fn new(options: LookupOptions) -> Result<Self, ConfigErrors> {
        let checked = options.check()?;
        Ok(Self {
            options,
            notation: checked.notation,
            keys: checked.keys,
            hasher: KeyHasher::new(),
            scratch: Vec::new(),
            recent: RecentKeys::default(),
            rows: Vec::new(),
            running: None,
        })
    }

    /// Fills `rows`; gives how many events have none.
    fn find(&mut self, batch: &Batch, table: &Table) -> usize {
        self.rows.clear();
        let keys: Vec<Option<Key>> = self.keys.iter().map(|(_, path)| path.key(batch)).collect();
        for event in batch.iter() {
            // A key of one field alone is mostly known by its text.
            let short = match (&*self.keys, &*keys) {
                ([(_, path)], [key]) => path.short_key(event, *key),
                _ => None,
            };
            if let Some(row) = short.and_then(|short| self.recent.find(short)) {
                self.rows.push(Some(row));
                continue;
            }
            self.hasher.form.clear();
            let is_whole = self.keys.iter().zip(&keys).all(|((_, path), key)| {
                let value = path.get(event, *key, &mut self.scratch);
                append_key(value, &mut self.hasher.form).is_some()
            });
            let row = is_whole.then(|| table.find(self.hasher.recall())).flatten();
            if let (Some(short), Some(row)) = (short, row) {
                self.recent.note(short, row);
            }
            self.rows.push(row);
        }
        self.rows.iter().filter(|row| row.is_none()).count()
    }

    /// Adds the fields of the rows that were found.
    fn add(&self, batch: &mut Batch, table: &Table) {
        let prefix = &self.options.prefix;
        let names: Vec<String> =
            table.columns.iter().map(|name| format!("{prefix}{name}")).collect();
        // What the batch has no key for no event has.
        let are_unknown = names.iter().all(|name| batch.find_key(name).is_none());
        let mut edit = batch.edit();
        let keys: Vec<Key> = names.iter().map(|name| edit.key(name)).collect();
        // New keys ascend, unless a name is there twice.
        let are_new = are_unknown && keys.is_sorted_by(|one, next| one.0 < next.0);
        // Events of a batch often have the same row: its texts are written once then.
        let (mut last, mut fields) = (None, Vec::<Field>::new());
        for (event, row) in self.rows.iter().enumerate() {
            let Some(number) = row else { continue };
            if last != Some(*number) {
                last = Some(*number);
                let Some(row) = table.row(*number) else { continue };
                let text = edit.push_text(row.text);
                fields.clear();
                fields.extend(row.fields.iter().map(|field| placed(*field, &keys, text)));
            }
            for field in &fields {
                if are_new {
                    edit.append(event, *field);
                } else {
                    edit.set(event, *field);
                }
            }
        }
    }
}

/// A field of a row in a batch that has the row's text in `text`.
fn placed(field: Field, keys: &[Key], text: Span) -> Field {
    let key = keys[field.key as usize].0;
    if !field.tag.is_span() {
        return Field::scalar(key, field.tag, field.payload());
    }
    let Span { offset, len, .. } = field.span();
    let span = Span { offset: text.offset + offset, len, ..text };
    Field::text(key, field.tag, span, field.flags())
}

impl Running {
    /// Takes the new table, if there is one.
    fn take_found(&mut self, recent: &mut RecentKeys) {
        match self.watch.found() {
            None => {}
            Some(Ok(table)) => {
                warn_of_repeated(&self.id, &table);
                tracing::info!(
                    component_id = &*self.id,
                    "the table has changed: {} rows",
                    table.len()
                );
                self.rows.set(table.len() as i64);
                self.reloads.inc();
                self.table = table;
                *recent = RecentKeys::default();
            }
            Some(Err(why)) => {
                self.failures.inc();
                tracing::warn!(
                    component_id = &*self.id,
                    "the table cannot be read, the one before stays: {why}"
                );
            }
        }
    }
}

fn warn_of_repeated(id: &str, table: &Table) {
    if table.repeated > 0 {
        let repeated = table.repeated;
        tracing::warn!(
            component_id = id,
            "{repeated} rows of the table have the key of another; the last counts"
        );
    }
}

impl Transform for Lookup {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        let origin = Origin {
            path: context.base_dir.join(&self.options.path),
            wanted: Wanted {
                notation: self.notation,
                keys: self.keys.iter().map(|(column, _)| column.clone()).collect(),
                columns: self.options.columns.clone(),
                hash_key: self.hasher.key(),
            },
            bytes_max: self.options.max_bytes.0,
            files: Arc::new(SystemFiles),
        };
        let failed = |why: String| TransformError(format!("read the table {why}"));
        let (table, metadata) = origin.load().map_err(failed)?;
        warn_of_repeated(&context.id, &table);
        let watch = Watch::start(origin, metadata);
        let watch = watch.map_err(|error| TransformError(format!("start a thread: {error}")))?;
        let metrics = &context.metrics;
        let unmatched = "Events for which the table has no row.";
        let reloads = "Times that the table was read again.";
        let failures = "Times that the table had changed and could not be read.";
        let rows = metrics.gauge("table_rows", "Rows of the table.");
        rows.set(table.len() as i64);
        self.running = Some(Running {
            rows,
            unmatched: metrics.counter("unmatched_events", unmatched),
            reloads: metrics.counter("table_reloads", reloads),
            failures: metrics.counter("table_failures", failures),
            looked: context.clock.monotonic(),
            id: context.id,
            clock: context.clock,
            table,
            watch,
        });
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        if let Some(mut running) = self.running.take() {
            running.take_found(&mut self.recent);
            let unmatched = self.find(&batch, &running.table);
            running.unmatched.inc_by(unmatched as u64);
            // A batch that stays as it is may be shared with other branches: leave its arrays alone.
            if unmatched < batch.len() {
                self.add(&mut batch, &running.table);
            }
            self.running = Some(running);
        }
        out.emit(batch);
    }

    fn tick(&mut self, _now_ns: i64, _out: &mut Outputs) {
        let Some(running) = &mut self.running else { return };
        running.take_found(&mut self.recent);
        let now = running.clock.monotonic();
        if now.saturating_sub(running.looked) >= self.options.check_every.0 {
            running.looked = now;
            running.watch.order();
        }
    }
}

#[cfg(test)]
mod tests;
