//! `http`: sends events in the bodies of requests, again until they are taken, and finds those that never will be.
//!
//! **Invariant:** a commit returns when every event since the last one is answered 2xx or refused for good by itself.

mod options;
mod packet;
mod sender;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_codec::Encoder;
use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, CommitPolicy, ComponentSpec, ConfigErrors, Delivery, LateRejection, Options, Rejection,
    Sink, SinkContext, SinkError, Threading,
};
use prometheus::IntCounter;
use tokio::task::{JoinError, JoinSet};

use options::{HttpOptions, Settings};
use packet::{Builder, Packet};
use sender::Sender;
use verdict::Verdict;

use crate::tls;

/// Least time between two commits while there is no pause: requests under way are waited for.
const COMMIT_INTERVAL_MIN: Duration = Duration::from_millis(100);

/// The spec of `http`.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "http",
    summary: "Sends events by HTTP in batches, with retries; isolates those that are refused.",
    manual: include_str!("README.md"),
    schema: schema_of::<HttpOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Sink(&build),
};

fn build(options: &Options) -> Result<Box<dyn Sink>, ConfigErrors> {
    let (settings, encoder) = options.parse::<HttpOptions>()?.resolve()?;
    Ok(Box::new(HttpSink {
        settings,
        encoder,
        sender: None,
        builder: Builder::default(),
        waiting: VecDeque::new(),
        in_flight: JoinSet::new(),
        rejected: Vec::new(),
        batches: 0,
        settled: 0,
        keys: Keys::new(),
        requests: None,
        lines: Vec::new(),
        ends: Vec::new(),
    }))
}

/// Makes keys that no other packet has.
struct Keys {
    prefix: u64,
    next: u64,
}

impl Keys {
    fn new() -> Self {
        Self { prefix: RandomState::new().hash_one("key"), next: 0 }
    }

    fn next(&mut self) -> String {
        self.next += 1;
        format!("{:016x}-{}", self.prefix, self.next)
    }
}

struct HttpSink {
    settings: Settings,
    encoder: Encoder,
    /// There once it is open.
    sender: Option<Arc<Sender>>,
    builder: Builder,
    /// Packets that are to be sent, or sent again.
    waiting: VecDeque<Packet>,
    in_flight: JoinSet<(Packet, Verdict)>,
    /// Events refused since the last commit.
    rejected: Vec<LateRejection>,
    /// Batches written since the last commit.
    batches: usize,
    /// Requests that were answered for good.
    settled: u64,
    keys: Keys,
    requests: Option<Requests>,
    lines: Vec<u8>,
    ends: Vec<usize>,
}

/// What is counted.
struct Requests {
    delivered: IntCounter,
    refused: IntCounter,
    again: IntCounter,
}

impl Sink for HttpSink {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            let by = |outcome| {
                context.metrics.counter_by("requests", "Requests by outcome.", ("outcome", outcome))
            };
            self.requests = Some(Requests {
                delivered: by("delivered"),
                refused: by("refused"),
                again: by("again"),
            });
            let tls = self.settings.tls.load_for(&self.settings.target.uri).await;
            let tls = tls.and_then(|tls| tls.map_or_else(tls::of_nobody, Ok));
            self.sender = Some(Arc::new(Sender::new(
                self.settings.target.clone(),
                self.settings.frame.clone(),
                context.clock,
                self.settings.connect_timeout,
                tls.map_err(SinkError::Fatal)?,
            )));
            Ok(())
        })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            while !self.send_waiting() {
                self.finish_one().await?;
            }
            let mut lines = std::mem::take(&mut self.lines);
            lines.clear();
            self.encoder.encode_with_ends(batch, &mut lines, &mut self.ends);
            let mut start = 0;
            for event in 0..self.ends.len() {
                let line = &lines[start..self.ends[event]];
                start = self.ends[event];
                let (bytes_max, events_max) =
                    (self.settings.batch_bytes_max, self.settings.batch_events_max);
                if self.builder.is_full_for(line.len(), bytes_max, events_max) {
                    self.seal();
                }
                self.builder.add(line, self.batches, event);
            }
            let bytes = lines.len() as u64;
            self.lines = lines;
            self.batches += 1;
            self.send_waiting();
            Ok(Delivery { bytes, rejected: Vec::new() })
        })
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        Box::pin(async move {
            self.seal();
            loop {
                self.send_waiting();
                if self.in_flight.is_empty() {
                    break;
                }
                self.finish_one().await?;
            }
            self.batches = 0;
            Ok(())
        })
    }

    fn progress(&self) -> u64 {
        self.settled
    }

    fn commit_policy(&self) -> CommitPolicy {
        let wait = self.settings.batch_timeout.max(COMMIT_INTERVAL_MIN);
        CommitPolicy { pause: wait, interval: wait, idle: None, rejects_late: true }
    }

    fn take_rejected(&mut self) -> Vec<LateRejection> {
        std::mem::take(&mut self.rejected)
    }
}

impl HttpSink {
    /// Makes a packet of what the builder holds.
    fn seal(&mut self) {
        if !self.builder.is_empty() {
            let packet = self.builder.take(self.keys.next());
            self.waiting.push_back(packet);
        }
    }

    /// Sends packets that wait, as far as there is room. Whether none waits any more.
    fn send_waiting(&mut self) -> bool {
        let Some(sender) = &self.sender else { return self.waiting.is_empty() };
        while self.in_flight.len() < self.settings.concurrency {
            let Some(packet) = self.waiting.pop_front() else { return true };
            let sender = Arc::clone(sender);
            self.in_flight.spawn(async move {
                let verdict = sender.send(&packet).await;
                (packet, verdict)
            });
        }
        self.waiting.is_empty()
    }

    /// Waits for an answer. An error means that its packet, or another, is to be sent again later.
    async fn finish_one(&mut self) -> Result<(), SinkError> {
        let Some(done) = self.in_flight.join_next().await else { return Ok(()) };
        let mut result = self.settle(done);
        // Others that failed, too, are not to cost a wait each.
        while let Some(done) = self.in_flight.try_join_next() {
            result = worse(result, self.settle(done));
        }
        result
    }

    fn settle(&mut self, done: Result<(Packet, Verdict), JoinError>) -> Result<(), SinkError> {
        let (packet, verdict) =
            done.map_err(|error| SinkError::Fatal(format!("send a request: {error}")))?;
        let count = |of: fn(&Requests) -> &IntCounter| {
            if let Some(requests) = &self.requests {
                of(requests).inc();
            }
        };
        self.settled += u64::from(!matches!(verdict, Verdict::Later { .. }));
        match verdict {
            Verdict::Delivered => {
                count(|requests| &requests.delivered);
                Ok(())
            }
            Verdict::Later { reason, after } => {
                count(|requests| &requests.again);
                self.waiting.push_back(packet);
                Err(SinkError::Retry { reason, after })
            }
            Verdict::Refused(reason) => {
                count(|requests| &requests.refused);
                match packet.split() {
                    Ok([first, second]) => {
                        self.waiting.push_front(second);
                        self.waiting.push_front(first);
                    }
                    Err(packet) => self.reject(&packet, &reason),
                }
                Ok(())
            }
        }
    }

    fn reject(&mut self, packet: &Packet, reason: &str) {
        for place in packet.places() {
            let rejection = Rejection { event: place.event, reason: reason.to_owned() };
            self.rejected.push(LateRejection { batch: place.batch, rejection });
        }
    }
}

/// Of two results the one that asks for more patience.
fn worse(one: Result<(), SinkError>, other: Result<(), SinkError>) -> Result<(), SinkError> {
    let rank = |result: &Result<(), SinkError>| match result {
        Ok(()) => (0, None),
        Err(SinkError::Retry { after, .. }) => (1, *after),
        Err(_) => (2, None),
    };
    if rank(&other) > rank(&one) { other } else { one }
}
