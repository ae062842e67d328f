//! A sink in Rust: sends the field `message` of events over TCP, a line each.

use lograil_plugin::event::Batch;
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    BoxFuture, Build, ComponentSpec, Delivery, Rejection, Sink, SinkContext, SinkError, Threading,
    export_plugin,
};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const SPEC: ComponentSpec = ComponentSpec {
    name: "acme.tcp_lines",
    summary: "Sends the field `message` of events over TCP, a line each.",
    manual: include_str!("../README.md"),
    schema: schema_of::<Options>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Sink(&|options| {
        Ok(Box::new(TcpLines { options: options.parse()?, stream: None }))
    }),
};

export_plugin! { name: "acme-sink", version: env!("CARGO_PKG_VERSION"), components: [SPEC] }

/// Options of `acme.tcp_lines`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Host and port.
    address: String,
}

struct TcpLines {
    options: Options,
    stream: Option<TcpStream>,
}

impl TcpLines {
    async fn send(&mut self, lines: &[u8]) -> std::io::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&self.options.address).await?,
        };
        stream.write_all(lines).await?;
        // Kept only while it works: after an error the next attempt connects anew.
        self.stream = Some(stream);
        Ok(())
    }
}

impl Sink for TcpLines {
    fn open(&mut self, _: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async { self.send(b"").await.map_err(|e| SinkError::retry(e.to_string())) })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            let (mut lines, mut rejected) = (Vec::new(), Vec::new());
            for (event, found) in batch.iter().enumerate() {
                match found.get_named("message").and_then(|value| value.as_bytes()) {
                    Some(message) => {
                        lines.extend_from_slice(message);
                        lines.push(b'\n');
                    }
                    None => rejected.push(Rejection { event, reason: "no message".to_owned() }),
                }
            }
            self.send(&lines).await.map_err(|error| SinkError::retry(error.to_string()))?;
            Ok(Delivery { bytes: lines.len() as u64, rejected })
        })
    }
}
