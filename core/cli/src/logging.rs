//! What the program says about itself: on stderr, for people on a terminal, as JSON on request.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{LogArguments, LogFormat};
use crate::output;

/// Whether it is a level, or a module with its level. The library takes any other word for a module, and then says
/// nothing of all others.
fn is_directive(part: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    part.contains('=') || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part))
}

/// Starts logging. A level that cannot be read is reported and `info` used instead.
pub(crate) fn start(arguments: &LogArguments) {
    let level = &arguments.log_level;
    let filter = match level.split(',').find(|part| !is_directive(part.trim())) {
        Some(part) => Err(format!("`{part}` is no level")),
        None => EnvFilter::try_new(level).map_err(|error| error.to_string()),
    };
    let filter = filter.unwrap_or_else(|error| {
        output::error(&format!("log level `{level}`: {error}; using info"));
        EnvFilter::new("info")
    });
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Json => base.json().flatten_event(true).init(),
        LogFormat::Text => {
            base.with_ansi(output::use_color(std::io::stderr().is_terminal()))
                .with_target(false)
                .init();
        }
    }
}
