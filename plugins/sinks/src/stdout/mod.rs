//! `stdout`: batches to standard output or standard error.

mod descriptor;

use std::io;

use futures::future::BoxFuture;
use lograil_codec::{Encoder, EncodingConfig};
use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigErrors, Delivery, Options, Sink, SinkContext, SinkError, Threading,
};
use schemars::JsonSchema;
use serde::Deserialize;

use descriptor::{Descriptor, Stream};

use crate::encoding;

/// The spec of `stdout`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "stdout",
    summary: "Writes events to standard output; ends the topology quietly when nobody reads it any more.",
    manual: include_str!("README.md"),
    schema: schema_of::<StdoutOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Blocking,
    build: Build::Sink(&build),
};

/// Where the events go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Standard output.
    #[default]
    Stdout,
    /// Standard error, where lograil's own logs go too.
    Stderr,
}

/// The options of `stdout`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StdoutOptions {
    /// How events become bytes.
    pub encoding: EncodingConfig,
    /// Standard output or standard error.
    pub target: Target,
}

fn build(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let options: StdoutOptions = options.parse()?;
    let encoder = encoding::encoder(&options.encoding)?;
    Ok(Box::new(StdoutSink::new(encoder, Box::new(Stream::new(options.target)))))
}

struct StdoutSink {
    encoder: Encoder,
    descriptor: Box<dyn Descriptor>,
    encoded: Vec<u8>,
    /// A batch of which the first `written` bytes are out, left by a write that failed.
    begun: Vec<u8>,
    written: usize,
    /// Whether the header of the encoding is out.
    is_headed: bool,
}

impl StdoutSink {
    fn new(encoder: Encoder, descriptor: Box<dyn Descriptor>) -> Self {
        Self {
            encoder,
            descriptor,
            encoded: Vec::new(),
            begun: Vec::new(),
            written: 0,
            is_headed: false,
        }
    }

    fn write_batch(&mut self, batch: &Batch) -> Result<Delivery, SinkError> {
        self.encoded.clear();
        if !self.is_headed && !batch.is_empty() {
            self.encoded.extend_from_slice(self.encoder.header());
        }
        self.encoder.encode(batch, &mut self.encoded);
        // The same batch comes again after an error. If it is another one after all, the events that were
        // begun are ended first, so that no line is torn.
        if self.written > 0 && self.begun != self.encoded {
            self.write_begun()?;
            if !self.is_headed {
                // It was the beginning of what was begun.
                self.encoded.drain(..self.encoder.header().len().min(self.encoded.len()));
                self.is_headed = true;
            }
        }
        let bytes = self.encoded.len() as u64;
        std::mem::swap(&mut self.begun, &mut self.encoded);
        self.write_begun()?;
        self.is_headed |= bytes > 0;
        encoding::shrink(&mut self.begun);
        encoding::shrink(&mut self.encoded);
        Ok(Delivery { bytes, rejected: Vec::new() })
    }

    /// Writes `begun` from where it stopped; afterwards nothing is begun.
    fn write_begun(&mut self) -> Result<(), SinkError> {
        while self.written < self.begun.len() {
            match self.descriptor.write(&self.begun[self.written..]) {
                Ok(0) => {
                    return Err(SinkError::retry("write to standard output: it takes no bytes"));
                }
                Ok(n) => self.written += n,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => {
                        self.descriptor.wait_writable().map_err(|error| {
                            SinkError::retry(format!("wait for standard output: {error}"))
                        })?
                    }
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                        return Err(SinkError::Closed);
                    }
                    _ => {
                        return Err(SinkError::retry(format!("write to standard output: {error}")));
                    }
                },
            }
        }
        self.begun.clear();
        self.written = 0;
        Ok(())
    }
}

impl Sink for StdoutSink {
    fn open(&mut self, _: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        let opened = self.descriptor.open();
        let opened =
            opened.map_err(|error| SinkError::Fatal(format!("open standard output: {error}")));
        Box::pin(async { opened })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move { self.write_batch(batch) })
    }
}

#[cfg(test)]
mod tests;
