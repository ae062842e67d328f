//! The command line of `lograil query`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lograil_plugin::Period;

use crate::commands::query::moment::Moment;

const HELP: &str = "\
STORE is the database that a sink `sqlite` writes; it may be written meanwhile. Or the topology with that sink: a
`*.toml` file, or a directory of them.

Times:
  15m, 2h, 7d, 90s               so long ago
  2026-11-20T20:36:51Z           RFC 3339; `2026-11-20` and `2026-11-20 20:36` are UTC

Examples:
  lograil query logs.db                                     the newest 50 events
  lograil query logs.db --since 15m --level ERROR,WARN
  lograil query logs.db --service orders --text '\"connection refused\" db*'
  lograil query logs.db --where '.status >= 500 && .duration_ms > 100' --format json
  lograil query logs.db --stats --since 1d
  lograil query logs.db --templates new
  lograil query app.toml --since 15m                        the store of this topology";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct QueryArguments {
    /// The database, or a topology.
    pub store: PathBuf,
    /// Of a topology with several stores: the id of the sink.
    #[arg(long, value_name = "ID")]
    pub sink: Option<String>,
    /// Events from this time on.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Events before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Only these levels. Repeatable, or with commas.
    #[arg(long = "level", value_name = "LEVEL", value_delimiter = ',')]
    pub levels: Vec<String>,
    /// Only these services. Repeatable, or with commas.
    #[arg(long = "service", value_name = "NAME", value_delimiter = ',')]
    pub services: Vec<String>,
    /// Words the message must have, in any case and order; `"in quotes"` they stand together, `word*` is a beginning.
    #[arg(long, value_name = "WORDS")]
    pub text: Option<String>,
    /// Only events for which this is true.
    #[arg(long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// At least this severity, 0 to 100.
    #[arg(long, value_name = "NUMBER")]
    pub min_severity: Option<f64>,
    /// Only events of this template.
    #[arg(long, value_name = "ID")]
    pub template: Option<String>,
    /// Only events that an anomaly detector marked.
    #[arg(long, conflicts_with = "bursts")]
    pub anomalies: bool,
    /// Only starts and ends of bursts.
    #[arg(long)]
    pub bursts: bool,
    /// At most so many events or templates.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Which come first.
    #[arg(long, value_enum, default_value = "newest")]
    pub order: QueryOrder,
    /// Counts instead of events; of the filters only --since, --until and one --service apply.
    #[arg(long, conflicts_with_all = EVENT_FILTERS)]
    pub stats: bool,
    /// Message templates instead of events, those first; with `new`, --since is when they were first seen.
    #[arg(long, value_enum, value_name = "WHICH", conflicts_with_all = EVENT_FILTERS)]
    #[arg(conflicts_with_all = ["stats", "until", "services"])]
    pub templates: Option<QueryTemplates>,
    /// How the answer looks; json is one object a line.
    #[arg(long, value_enum, default_value = "table")]
    pub format: QueryFormat,
    /// Give up after this time.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub timeout: Period,
}

/// What makes no sense for counts.
const EVENT_FILTERS: [&str; 8] =
    ["levels", "text", "condition", "min_severity", "template", "anomalies", "bursts", "order"];

/// Which events come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryOrder {
    /// The newest.
    Newest,
    /// The oldest.
    Oldest,
}

/// Which templates come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryTemplates {
    /// The most frequent.
    Top,
    /// The last to appear.
    New,
    /// The least frequent.
    Rare,
}

/// How an answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryFormat {
    /// For people.
    Table,
    /// One JSON object a line.
    Json,
    /// A header and one line each (RFC 4180).
    Csv,
}
