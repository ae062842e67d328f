//! Errors by who must act: the user (configuration), the machine (a source), the peer (a sink).

use std::ops::Range;
use std::time::Duration;

use thiserror::Error;

/// A mistake in a component's options, for the user to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: option names and list positions from the component's table down, `["encoding", "codec"]`.
    pub path: Vec<String>,
    /// Which bytes of the option's text, where the mistake is inside it (an expression, a pattern).
    pub within: Option<Range<usize>>,
    /// What is wrong, one clause, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ConfigError {
    /// A mistake in the option at `path`.
    pub fn new<P: Into<String>>(
        path: impl IntoIterator<Item = P>,
        message: impl Into<String>,
    ) -> Self {
        let path = path.into_iter().map(Into::into).collect();
        Self { path, within: None, message: message.into(), help: None }
    }

    /// States which bytes of the option's text are meant.
    #[must_use]
    pub fn within(mut self, range: Range<usize>) -> Self {
        self.within = Some(range);
        self
    }

    /// States the remedy.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All mistakes found in a component's options; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

/// Why a source ended before its input did.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A call to the machine or the peer failed for good. `action` is a verb phrase: "open checkpoint".
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// What came of it.
        source: std::io::Error,
    },
    /// Anything else, in one clause.
    #[error("{0}")]
    Failed(String),
}

/// Why a transform could not start, in one clause: a file that is missing, a table that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct TransformError(pub String);

/// Why a sink could not take a batch, or make it durable.
#[derive(Debug, Clone, Error)]
pub enum SinkError {
    /// It may work later: the runtime offers the batch again.
    #[error("{reason}")]
    Retry {
        /// What happened.
        reason: String,
        /// When the peer asked to be left alone until; otherwise the runtime's backoff decides.
        after: Option<Duration>,
    },
    /// It will never work; the sink and with it the topology must stop.
    #[error("{0}")]
    Fatal(String),
    /// Nobody reads the output any more (a closed pipe). The topology ends quietly.
    #[error("nobody reads the output any more")]
    Closed,
}

impl SinkError {
    /// An error that may pass.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }
}
