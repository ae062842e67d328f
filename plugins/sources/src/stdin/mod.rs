//! The `stdin` source: lines from standard input.
//!
//! **Invariant:** nothing is read again: there is no position to return to. Reading happens on a thread that
//! may stay in its read for ever, so the source never waits for that thread to end.

mod intake;
mod open_event;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::sync::Arc;

use lograil_event::Origin;
use lograil_plugin::schemars::JsonSchema;
use lograil_plugin::spec::{no_ports, schema_of};
use lograil_plugin::{
    BoxFuture, Build, ByteSize, Closed, ComponentSpec, ConfigErrors, Options, Source,
    SourceContext, SourceError, Threading, dead_letter,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::charset::Charset;
use crate::line_blocks::{LineBatcher, LineBlock, LineFormat, Oversized, check_line_bytes};
use crate::line_meters::LineMeters;
use crate::multiline::{Grouping, MultilineOptions};
use intake::{Intake, Taken};
use open_event::{Events, OpenEvent};

/// The `stdin` source.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "stdin",
    summary: "Reads lines from standard input until it ends.",
    manual: include_str!("README.md"),
    schema: schema_of::<StdinOptions>,
    ports: no_ports,
    claims,
    threading: Threading::Blocking,
    build: Build::Source(&build),
};

/// The options as written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "lograil_plugin::schemars")]
pub struct StdinOptions {
    /// What the input is written in, by a name of the WHATWG Encoding Standard; events are UTF-8.
    #[serde(default)]
    pub charset: Option<String>,
    /// Which lines belong to one event; without it every line is one.
    #[serde(default)]
    pub multiline: Option<MultilineOptions>,
    /// Longest line, without its end. With `multiline`, longest event.
    #[serde(default = "default_line_bytes")]
    pub max_line_bytes: ByteSize,
    /// What becomes of longer lines.
    #[serde(default)]
    pub oversized: Oversized,
}

fn default_line_bytes() -> ByteSize {
    ByteSize(1 << 20)
}

/// Two sources would each get some of the lines.
fn claims(_: &serde_json::Value) -> Vec<String> {
    vec!["stdin".to_owned()]
}

fn build(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    Ok(Box::new(StdinSource::new(options, Input::Standard)?))
}

/// Where the bytes come from.
enum Input {
    Standard,
    #[cfg(test)]
    Of(Box<dyn Read + Send>),
}

impl Input {
    fn open(self) -> std::io::Result<Box<dyn Read + Send>> {
        match self {
            // A handle of its own on the same input, without the standard library's small buffer.
            Self::Standard => {
                use std::os::fd::AsFd;
                let own = std::io::stdin().as_fd().try_clone_to_owned()?;
                Ok(Box::new(std::fs::File::from(own)))
            }
            #[cfg(test)]
            Self::Of(read) => Ok(read),
        }
    }
}

struct StdinSource {
    grouping: Option<Grouping>,
    format: LineFormat,
    input: Input,
}

impl StdinSource {
    fn new(options: &Options, input: Input) -> Result<Self, ConfigErrors> {
        let written: StdinOptions = options.parse()?;
        let mut errors = Vec::new();
        check_line_bytes(written.max_line_bytes, &mut errors);
        let charset = Charset::check(written.charset.as_deref(), &mut errors);
        let event_bytes_max = written.max_line_bytes.0 as usize;
        let grouping = written.multiline.as_ref();
        let grouping = grouping.and_then(|options| options.check(event_bytes_max, &mut errors));
        let grouping = grouping.map(|grouping| grouping.with_charset(charset));
        if !errors.is_empty() {
            return Err(ConfigErrors(errors));
        }
        let format = LineFormat {
            charset,
            line_bytes_max: event_bytes_max,
            oversized: written.oversized,
            file_key: None,
            offset_key: None,
        };
        Ok(Self { grouping, format, input })
    }
}

impl Source for StdinSource {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let io = |action: &str| {
                let action = action.to_owned();
                move |source| SourceError::Io { action, source }
            };
            let input = self.input.open().map_err(io("open standard input"))?;
            let line_bytes_max = self.format.line_bytes_max;
            let line_end = self.format.charset.line_end();
            let taken = Intake::start(input, line_bytes_max, line_end);
            let taken = taken.map_err(io("start reading"))?;
            Feed::new(self.format, self.grouping, context).run(taken).await
        })
    }

    fn restarts(&self) -> bool {
        // A read that waits cannot be ended: the next lines would go to an instance that is gone.
        false
    }
}

/// Turns what was taken in into batches.
struct Feed {
    batcher: LineBatcher,
    open_event: OpenEvent,
    context: SourceContext,
    meters: LineMeters,
}

impl Feed {
    fn new(format: LineFormat, grouping: Option<Grouping>, context: SourceContext) -> Self {
        let meters = LineMeters::new(&context.metrics, &context.id);
        let open_event = OpenEvent::new(grouping, format.charset.line_end());
        Self { batcher: LineBatcher::new(format), open_event, context, meters }
    }

    async fn run(mut self, mut taken: mpsc::Receiver<Taken>) -> Result<(), SourceError> {
        let mut shutdown = self.context.shutdown.clone();
        loop {
            let timeout = self.open_event.waiting().map(Grouping::timeout);
            let next = tokio::select! {
                biased;
                () = shutdown.requested() => None,
                next = taken.recv() => next,
                () = self.context.clock.sleep(timeout.unwrap_or_default()), if timeout.is_some() => {
                    if self.end_event().await.is_err() || self.flush().await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
            };
            let is_stopping = next.is_none();
            let mut next = next.or_else(|| taken.try_recv().ok());
            // Everything that is at hand goes into this batch, as far as there is room.
            while let Some(block) = next {
                match self.add(block).await {
                    Ok(None) => {}
                    Ok(Some(error)) => {
                        if self.end_event().await.is_ok() {
                            let _closed = self.flush().await;
                        }
                        let action = "read standard input".to_owned();
                        return Err(SourceError::Io { action, source: error });
                    }
                    Err(Closed) => return Ok(()),
                }
                next = taken.try_recv().ok();
            }
            if is_stopping && self.end_event().await.is_err() {
                return Ok(());
            }
            if self.flush().await.is_err() || is_stopping {
                return Ok(());
            }
        }
    }

    /// Adds a block. Gives the error that the input ended with.
    async fn add(&mut self, taken: Taken) -> Result<Option<std::io::Error>, Closed> {
        let (lines, offset) = match taken {
            Taken::Lines { bytes, offset } => (bytes, offset),
            Taken::Failed(error) => return Ok(Some(error)),
        };
        let events = self.open_event.add(lines, offset);
        self.gather(events).await?;
        Ok(None)
    }

    /// Takes the open event as it is.
    async fn end_event(&mut self) -> Result<(), Closed> {
        match self.open_event.take() {
            Some(events) => self.gather(events).await,
            None => Ok(()),
        }
    }

    async fn gather(&mut self, events: Events) -> Result<(), Closed> {
        let origin = Origin { stream: 0, offset: events.offset };
        let lines = LineBlock::new(events.bytes, origin, self.context.clock.now_ns());
        let mut lines = lines.with_ends(events.ends);
        while !lines.is_done() {
            self.batcher.add(&mut lines, "");
            if self.batcher.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Closed> {
        self.meters.count(&mut self.batcher);
        if self.batcher.is_empty() {
            return Ok(());
        }
        let (batch, letters) = self.batcher.take();
        if !letters.is_empty() {
            let limit = self.batcher.format().line_bytes_max;
            let reason = format!("line longer than max_line_bytes ({limit} bytes)");
            let id = Arc::clone(&self.context.id);
            let letters = dead_letter::convert(letters, &id, "stdin", |_| &reason);
            self.context.output.dead_letter(letters).await?;
        }
        if batch.is_empty() {
            return Ok(());
        }
        self.context.output.send(batch, Vec::new()).await
    }
}
