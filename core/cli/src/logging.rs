//! What the program says about itself: on stderr, for people on a terminal, as JSON on request.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{LogArguments, LogFormat};
use crate::output;

/// Starts logging. A level that cannot be read is reported and `info` used instead.
pub(crate) fn start(arguments: &LogArguments) {
    let filter = EnvFilter::try_new(&arguments.log_level).unwrap_or_else(|error| {
        output::error(&format!("log level `{}`: {error}; using info", arguments.log_level));
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
