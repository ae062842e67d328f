//! A source in Rust: asks an HTTP endpoint again and again; every line of the answer is an event.

use lograil_plugin::event::{Batch, Tag};
use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    BoxFuture, Build, ComponentSpec, Period, Source, SourceContext, SourceError, Threading,
    export_plugin,
};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SPEC: ComponentSpec = ComponentSpec {
    name: "acme.http_poll",
    summary: "Asks an HTTP endpoint again and again; every line of the answer is an event.",
    manual: include_str!("../README.md"),
    schema: schema_of::<HttpPoll>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Source(&|options| Ok(Box::new(options.parse::<HttpPoll>()?))),
};

export_plugin! { name: "acme-source", version: env!("CARGO_PKG_VERSION"), components: [SPEC] }

/// Options of `acme.http_poll`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HttpPoll {
    /// Host and port.
    address: String,
    /// What to ask for.
    path: String,
    /// How long to wait after an answer.
    interval: Period,
}

/// Longest answer that is taken.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

impl HttpPoll {
    async fn ask(&self) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let request = format!(
            "GET {} HTTP/1.0\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.path, self.address
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        let body = answer.windows(4).position(|end| end == b"\r\n\r\n");
        Ok(body.map_or_else(Vec::new, |at| answer.split_off(at + 4)))
    }
}

fn batch_of(body: &[u8], now_ns: i64) -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("message");
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let span = edit.push_text(line);
        let tag = if std::str::from_utf8(line).is_ok() { Tag::Str } else { Tag::Bytes };
        edit.push_line(now_ns, key, tag, span, span);
    }
    batch
}

impl Source for HttpPoll {
    fn run(
        self: Box<Self>,
        mut context: SourceContext,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            while !context.shutdown.is_requested() {
                let body = self.ask().await.map_err(|source| SourceError::Io {
                    action: format!("ask {}", self.address),
                    source,
                })?;
                let batch = batch_of(&body, context.clock.now_ns());
                if context.output.send(batch, Vec::new()).await.is_err() || context.once {
                    break;
                }
                tokio::select! {
                    () = context.clock.sleep(self.interval.0) => {}
                    () = context.shutdown.requested() => {}
                }
            }
            Ok(())
        })
    }
}
