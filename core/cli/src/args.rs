//! The command line as it is written.

mod admin;
mod query;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use admin::{
    AdminArguments, DeadLettersArguments, DeadLettersCommand, LetterChoice, LetterNarrowing,
    TapArguments, TopArguments,
};
pub(crate) use query::{QueryArguments, QueryFormat, QueryOrder, QueryTemplates};

const AFTER_HELP: &str = "\
Exit codes:
  0    everything that was read was delivered
  1    the topology has mistakes, or a component failed
  2    the command line has mistakes
  3    stopped before everything was delivered (it is read again at the next start)
  130  a second Ctrl-C ended it at once

Start here:
  lograil components                      what there is, and `lograil components NAME` for a manual
  lograil check configs/tail-nginx.toml   every mistake in a topology at once
  lograil run configs/tail-nginx.toml     run it
  cat app.log | lograil pipe --parse json --where '.status >= 500'";

/// A stream processor for logs: sources, transforms and sinks from a TOML topology.
#[derive(Debug, Parser)]
#[command(name = "lograil", version, after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub log: LogArguments,
    #[command(subcommand)]
    pub command: Command,
}

/// What the program says about itself; always on stderr.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Least important messages to show: error, warn, info, debug, trace, or per module as in
    /// `warn,lograil_runtime=debug`.
    #[arg(long, global = true, env = "LOGRAIL_LOG", default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
    /// How messages look.
    #[arg(long, global = true, env = "LOGRAIL_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// How messages look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a topology until its input ends or it is stopped
    Run(RunArguments),
    /// Report every mistake in a topology at once, without running it
    Check(CheckArguments),
    /// List the sources, transforms and sinks, or show the manual of one
    Components(ComponentsArguments),
    /// Run a topology made of flags, from stdin to stdout
    Pipe(PipeArguments),
    /// Search and count what a sink `sqlite` keeps
    Query(QueryArguments),
    /// Show live events of a component of a running lograil
    Tap(TapArguments),
    /// Watch a running lograil: rates, utilisation, buffers, live events
    Top(TopArguments),
    /// List, replay or drop the events that a running lograil refused
    DeadLetters(DeadLettersArguments),
    /// Begin, check and look at plugins
    Plugin(PluginArguments),
    /// Run the `[[tests]]` of topologies
    Test(TestArguments),
    /// Draw a topology: Graphviz, Mermaid or SVG
    Graph(GraphArguments),
    /// Serve a made-up log stream by websocket, for trying things out
    Mock(MockArguments),
    /// Print completions for a shell
    Completions(CompletionsArguments),
}

/// Which topology.
#[derive(Debug, Clone, Args)]
pub(crate) struct TopologyArguments {
    /// Topology files, or directories of them (all `*.toml`); together they are one topology. `-` is stdin.
    /// Without any: the built-in demonstration, `configs/demo.toml`.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Override a setting, as in `sources.app.rate=5`; the value is TOML, else text. Repeatable.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
}

const RUN_HELP: &str = "\
Signals:
  SIGINT, SIGTERM   stop reading, deliver what was read, end; a second one ends at once (exit 130)
  SIGHUP            read the topology again and change what differs; open the files of sinks anew

Examples:
  lograil run                              the built-in demonstration
  lograil run app.toml
  lograil run configs/ --set sources.app.read_from=end
  lograil run --watch app.toml             change what differs whenever the file does
  lograil run --once app.toml              read files to their end, deliver, end";

#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub topology: TopologyArguments,
    /// End at the end of the input, where a source has one: files as they are now, a generator's count.
    #[arg(long)]
    pub once: bool,
    /// Read the topology again whenever its files change, as SIGHUP does.
    #[arg(long, conflicts_with = "once")]
    pub watch: bool,
    /// Where checkpoints and dead letters are kept; overrides `data_dir` of the topology. Without either it
    /// is a directory of its own for each topology below the user's state directory.
    #[arg(long, env = "LOGRAIL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Do not print the summary at the end.
    #[arg(long, short)]
    pub quiet: bool,
}

const MOCK_HELP: &str = "\
Each message is one entry as JSON. The query of the address says what a client wants:
  interval_ms     time between entries, 10 to 10000; random up to 1000 without it
  service         the service of all entries
  level           INFO, WARN or ERROR for all entries
  level_weights   how often each level comes: INFO:70,WARN:20,ERROR:10
  debug           true: log each entry here, too
A wrong value is answered 400 with the reason.

Examples:
  lograil mock
  websocat 'ws://127.0.0.1:8080/ws/logs?interval_ms=500&level=ERROR'
  lograil run configs/websocket-logs.toml";

#[derive(Debug, Args)]
#[command(after_help = MOCK_HELP)]
pub(crate) struct MockArguments {
    /// IP address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: std::net::SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub topology: TopologyArguments,
    /// Print the diagnostics as one JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ComponentsArguments {
    /// Show the manual of this component; `source.file` or `sink.file` where a name is used twice.
    pub name: Option<String>,
    /// Include the components of this plugin. Repeatable.
    #[arg(long = "plugin", value_name = "FILE")]
    pub plugins: Vec<PathBuf>,
    /// Print JSON: name, kind, summary and the JSON Schema of the options.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PluginArguments {
    #[command(subcommand)]
    pub command: PluginCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Show what a plugin says about itself, and its sha256; none of its code runs
    Inspect(PluginInspectArguments),
    /// List the plugins of a directory, and why a file is none that could be loaded; none of their code runs
    List(PluginListArguments),
    /// Put another version of a plugin in the place of one that a running topology uses
    Swap(PluginSwapArguments),
    /// Begin a plugin: a project that builds and whose tests pass
    New(PluginNewArguments),
    /// Hold a plugin against the rules, in a process of its own, and print what it breaks
    Check(PluginCheckArguments),
    /// The process that `check` starts
    #[command(hide = true)]
    CheckChild(PluginCheckChildArguments),
    /// The process that loads a library before a program that must go on does; its standard input is the library
    #[command(hide = true)]
    TryOut(PluginTryOutArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PluginTryOutArguments {
    /// The plugin's name.
    pub name: String,
}

const PLUGIN_SWAP_HELP: &str = "\
The new file is checked with the topology, replaces the file of the plugin with the same name, and the program that
runs the topology takes it over: its sources, transforms and sinks are exchanged between two batches. If that fails at
any step, the old file is put back and what ran goes on.

Examples:
  lograil plugin swap target/release/libredact.so app.toml";

#[derive(Debug, Args)]
#[command(after_help = PLUGIN_SWAP_HELP)]
pub(crate) struct PluginSwapArguments {
    /// The new version of the shared library.
    pub file: PathBuf,
    #[command(flatten)]
    pub topology: TopologyArguments,
    /// The data directory of the running program, if it was given one.
    #[arg(long, env = "LOGRAIL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PluginInspectArguments {
    /// The shared library.
    pub file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PluginListArguments {
    /// Where the `*.so` are.
    pub directory: PathBuf,
}

const PLUGIN_NEW_HELP: &str = "\
Examples:
  lograil plugin new acme.redact --lang rust --kind transform
  lograil plugin new acme.sensor --lang c --kind source";

#[derive(Debug, Args)]
#[command(after_help = PLUGIN_NEW_HELP)]
pub(crate) struct PluginNewArguments {
    /// What `type = \"...\"` will say: a name of yours, a dot, and what it does. The project goes to a new
    /// directory of that name, with `-` for the dot.
    pub name: String,
    /// The language.
    #[arg(long, value_enum)]
    pub lang: PluginLanguage,
    /// What it will be.
    #[arg(long, value_enum)]
    pub kind: PluginKind,
    /// Rust: a checkout of lograil, whose `core/plugin` the project builds on. Without it: the one that this
    /// program was built in, or one above the current directory.
    #[arg(long, value_name = "PATH")]
    pub sdk: Option<PathBuf>,
}

/// The language of a new plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginLanguage {
    /// With the traits that the built-in components use.
    Rust,
    /// C11, with `lograil_plugin.h`.
    C,
}

/// What a new plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PluginKind {
    /// Brings events in.
    Source,
    /// Changes, drops or splits them.
    Transform,
    /// Delivers them.
    Sink,
}

const PLUGIN_CHECK_HELP: &str = "\
Each component is tried with the options of the first example in its manual, or those of --options.
The exit code is 1 if a check failed.

Examples:
  lograil plugin check target/release/libacme_redact.so
  lograil plugin check mask.so --options 'mask.digits={}' --json";

#[derive(Debug, Args)]
#[command(after_help = PLUGIN_CHECK_HELP)]
pub(crate) struct PluginCheckArguments {
    /// The shared library.
    pub file: PathBuf,
    /// Options of a component, as in `acme.redact={\"fields\":[\"a\"]}`. Repeatable.
    #[arg(long, value_name = "TYPE=JSON")]
    pub options: Vec<String>,
    /// How long one check may take before it counts as hanging.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub timeout: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PluginCheckChildArguments {
    /// The shared library.
    pub file: PathBuf,
    /// Options of components.
    #[arg(long)]
    pub options: Vec<String>,
    /// The number of the first check to run.
    #[arg(long)]
    pub first: usize,
    /// Components, as `transform acme.redact`, of which no instance can be made and ended.
    #[arg(long)]
    pub without: Vec<String>,
    /// Seconds that each may take.
    #[arg(long)]
    pub timeout: u64,
}

const PIPE_HELP: &str = "\
Lines that cannot be parsed go to stderr as JSON, with the reason and the original bytes; the rest goes on.

Examples:
  cat app.log | lograil pipe --parse json --where '.status >= 500' --format json
  lograil pipe --parse auto --where '.level == \"ERROR\"' --set '.team = \"core\"' --del .pid --format logfmt
  lograil pipe --parse json --text '{timestamp} {level} {message}' < app.log
  lograil pipe --multiline java --where 'contains(.message, \"Caused by: \")' < app.log
  lograil pipe --parse combined --format csv --columns client,status,path --sample 100 < access.log
  lograil pipe --parse regex --pattern '^(?P<ip>\\S+) .* (?P<status>\\d{3}) ' --where '.status == \"404\"'";

#[derive(Debug, Args)]
#[command(after_help = PIPE_HELP)]
pub(crate) struct PipeArguments {
    /// What the input is written in, if not in UTF-8: utf-16le, windows-1252, shift_jis, gbk ... Output is UTF-8.
    #[arg(long, value_name = "NAME")]
    pub charset: Option<String>,

    /// Longest line, such as 16MiB (default 1MiB, at most 64MiB). Longer ones are cut off there, and stderr says so
    #[arg(long, value_name = "SIZE")]
    pub max_line_bytes: Option<String>,
    /// Make one event of lines that belong together, such as stack traces: java, python, go, any, indent ... or a
    /// regular expression that lines which begin an event match.
    #[arg(long, value_name = "PRESET|PATTERN")]
    pub multiline: Option<String>,
    /// Parse each line: auto, json, logfmt, csv, syslog, combined, regex ...; `lograil components parse` has all.
    #[arg(long, value_name = "FORMAT")]
    pub parse: Option<String>,
    /// The pattern of `--parse regex`, with named groups.
    #[arg(long, value_name = "REGEX", requires = "parse")]
    pub pattern: Option<String>,
    /// What happens to a line that cannot be parsed: dead_letter (to stderr), pass, drop.
    #[arg(long, value_name = "WHAT", requires = "parse")]
    pub on_error: Option<String>,
    /// Keep only events for which this is true. Repeatable; all must be.
    #[arg(long = "where", value_name = "CONDITION")]
    pub conditions: Vec<String>,
    /// Change every event, as in '.team = "core"'. Repeatable; `lograil components remap` has the language.
    #[arg(long = "set", value_name = "ASSIGNMENT")]
    pub assignments: Vec<String>,
    /// Remove a field, as in .pid. Repeatable.
    #[arg(long = "del", value_name = "PATH")]
    pub deletions: Vec<String>,
    /// Keep one event in N.
    #[arg(long, value_name = "N")]
    pub sample: Option<u64>,
    /// How events are written: json, logfmt, csv, syslog, text, raw (the line as it was read). Default: json with
    /// `--parse` or `--set`, raw without, text with `--charset` alone.
    #[arg(long, value_name = "CODEC")]
    pub format: Option<String>,
    /// The columns of `--format csv`, as in time,level,message.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', required_if_eq("format", "csv"))]
    pub columns: Vec<String>,
    /// Write events as text, as in '[{timestamp}] {level}: {message}'.
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "format")]
    pub text: Option<String>,
    /// Print the topology instead of running it: a start for a file of your own.
    #[arg(long)]
    pub print: bool,
}

const TEST_HELP: &str = "\
A test puts lines or events into a transform and says what must come out:

  [[tests]]
  name = \"errors are kept\"
  [[tests.inputs]]
  insert_at = \"json\"
  lines = ['{\"level\":\"ERROR\"}', '{\"level\":\"INFO\"}', 'not JSON']
  [[tests.outputs]]
  extract_from = \"errors\"
  events = [{ level = \"ERROR\" }]          # or conditions = ['.level == \"ERROR\"']
  [[tests.outputs]]
  extract_from = \"json.dead_letter\"
  conditions = ['.message == \"not JSON\"']

`no_outputs_from = [\"errors\"]` in a test says that nothing comes out there.

Examples:
  lograil test configs/
  lograil test --update app.toml          write what comes out into the file; read the diff before you keep it";

#[derive(Debug, Args)]
#[command(after_help = TEST_HELP)]
pub(crate) struct TestArguments {
    /// Topology files, or directories of them (all `*.toml`). Each file is a topology of its own.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Override a setting, as for `run`. Repeatable.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// Write what came out into the files as what is expected.
    #[arg(long)]
    pub update: bool,
    /// Print the results as one JSON document.
    #[arg(long, conflicts_with = "update")]
    pub json: bool,
}

const GRAPH_HELP: &str = "\
Examples:
  lograil graph app.toml | dot -Tpng > app.png
  lograil graph --format mermaid app.toml            for Markdown
  lograil graph --format svg app.toml > app.svg      without any other program";

#[derive(Debug, Args)]
#[command(after_help = GRAPH_HELP)]
pub(crate) struct GraphArguments {
    #[command(flatten)]
    pub topology: TopologyArguments,
    /// The language of the drawing.
    #[arg(long, value_enum, default_value = "dot")]
    pub format: GraphFormat,
}

/// The language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Graphviz.
    Dot,
    /// Mermaid, as Markdown renderers draw it.
    Mermaid,
    /// An image.
    Svg,
}

const COMPLETIONS_HELP: &str = "\
Examples:
  lograil completions bash > /etc/bash_completion.d/lograil
  lograil completions zsh > ~/.zfunc/_lograil
  lograil completions fish > ~/.config/fish/completions/lograil.fish";

#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub(crate) struct CompletionsArguments {
    /// The shell.
    pub shell: clap_complete::Shell,
}
