//! The commands that ask a running lograil.

use clap::{Args, Subcommand, ValueEnum};

/// Which running lograil.
#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    /// The address of its admin server: `listen` of `[admin]`.
    #[arg(long, env = "LOGRAIL_ADMIN", default_value = "127.0.0.1:9598", value_name = "ADDRESS")]
    pub admin: String,
    /// The `token` of `[admin]`, if there is one.
    #[arg(long, env = "LOGRAIL_ADMIN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

const TAP_HELP: &str = "\
Examples:
  lograil tap parsed                                   what leaves the component, as JSON
  lograil tap parsed --where '.level == \"ERROR\"'
  lograil tap out --text '{timestamp} {level} {message}' --limit 100";

#[derive(Debug, Args)]
#[command(after_help = TAP_HELP)]
pub(crate) struct TapArguments {
    /// The id of the component. Shown is what leaves it, or what reaches it if it is a sink.
    pub component: String,
    /// Only events for which this condition is true.
    #[arg(long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// How events are written.
    #[arg(long, value_enum, default_value = "json")]
    pub format: TapFormat,
    /// A text with fields in braces, instead of a format.
    #[arg(long, value_name = "TEXT", conflicts_with = "format")]
    pub text: Option<String>,
    /// End after so many events.
    #[arg(long)]
    pub limit: Option<u64>,
    /// Only one in so many events.
    #[arg(long, default_value_t = 1)]
    pub sample: u64,
    /// At most so many events a second; the others are counted on stderr.
    #[arg(long, default_value_t = 1000)]
    pub rate: u64,
    #[command(flatten)]
    pub admin: AdminArguments,
}

/// How an event of a tap is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TapFormat {
    /// One JSON object a line.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// The bytes it was read from.
    Raw,
}

impl TapFormat {
    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Raw => "raw",
        }
    }
}

const TOP_HELP: &str = "\
Examples:
  lograil top                    until `q`; `t` listens to the selected component
  lograil top --once             the table alone
  lograil top --once --json      for scripts: the document of /topology";

#[derive(Debug, Args)]
#[command(after_help = TOP_HELP)]
pub(crate) struct TopArguments {
    /// Print the state once and end.
    #[arg(long)]
    pub once: bool,
    /// As JSON.
    #[arg(long, requires = "once")]
    pub json: bool,
    #[command(flatten)]
    pub admin: AdminArguments,
}

const DEAD_LETTERS_HELP: &str = "\
Examples:
  lograil dead-letters list --component parsed
  lograil dead-letters replay --component parsed    once the topology was mended and read again
  lograil dead-letters replay --all --to parsed     to another component than the one that refused them
  lograil dead-letters drop 5f0c2a9be1d37744-1c";

#[derive(Debug, Args)]
#[command(after_help = DEAD_LETTERS_HELP)]
pub(crate) struct DeadLettersArguments {
    #[command(subcommand)]
    pub command: DeadLettersCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Show the newest refused events as JSON, one a line
    List {
        #[command(flatten)]
        narrowing: LetterNarrowing,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u64,
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Offer refused events again; those that are delivered are dead letters no longer
    Replay {
        #[command(flatten)]
        choice: LetterChoice,
        /// The component that gets them, instead of the one that refused them.
        #[arg(long, value_name = "COMPONENT")]
        to: Option<String>,
        #[command(flatten)]
        admin: AdminArguments,
    },
    /// Take refused events out of the list for good
    Drop {
        #[command(flatten)]
        choice: LetterChoice,
        #[command(flatten)]
        admin: AdminArguments,
    },
}

/// Which dead letters, by what is told of them.
#[derive(Debug, Args)]
pub(crate) struct LetterNarrowing {
    /// Only those that this component refused.
    #[arg(long)]
    pub component: Option<String>,
    /// Only those whose reason has this text in it.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub(crate) struct LetterChoice {
    /// The ids of letters, as `list` shows them.
    pub ids: Vec<String>,
    #[command(flatten)]
    pub narrowing: LetterNarrowing,
    /// Every letter there is.
    #[arg(long)]
    pub all: bool,
}
