//! The `generator` source: log lines of an application that does not exist, at an exact rate.
//!
//! `schedule` says how many events are due, `producer` draws them (from the `catalogue`, the stories of
//! `sequence`, or as a `request`) and has `line` write them; this file runs them by the clock. **Invariant:** what is drawn depends on the seed alone, never on
//! how the events are cut into batches.

mod bursts;
mod catalogue;
mod fields;
mod format;
mod layout;
mod levels;
mod line;
mod options;
mod producer;
mod random;
mod rate;
mod request;
#[cfg(test)]
mod scenario_tests;
mod schedule;
mod sequence;
mod stamp;
mod template;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use lograil_event::Batch;
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    BoxFuture, Build, Clock, ComponentSpec, ConfigErrors, Options, Source, SourceContext,
    SourceError, Threading,
};

use bursts::Bursts;
use options::GeneratorOptions;
use producer::{Producer, Times};
use rate::Rate;
use schedule::{Moments, Schedule};

/// The `generator` source.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "generator",
    summary: "Generates realistic application log lines at an exact rate.",
    manual: include_str!("README.md"),
    schema: schema_of::<GeneratorOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Source(&build),
};

/// Event times with a start time but an unlimited rate are this far apart: a million events a second.
const UNLIMITED_SPACING_RATE: f64 = 1e6;

/// The wall clock may drift this far from the schedule before event times follow it. Below it they stay
/// evenly spaced and in order although the two clocks cannot be read at the same instant.
const WALL_DRIFT_MAX_NS: i64 = 1_000_000;

fn build(options: &Options) -> Result<Box<dyn Source>, ConfigErrors> {
    let options: GeneratorOptions = options.parse()?;
    let mistakes = options.mistakes();
    if mistakes.is_empty() { Ok(Box::new(Generator(options))) } else { Err(ConfigErrors(mistakes)) }
}

struct Generator(GeneratorOptions);

impl Source for Generator {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            Run::new(&self.0, &context).run(context).await;
            Ok(())
        })
    }
}

/// A generator at work.
struct Run {
    schedule: Schedule,
    producer: Producer,
    /// The given time of the first event, and the moments after it.
    given: Option<(i64, Moments)>,
    /// Wall-clock time at monotonic time 0.
    wall_ns: i64,
    /// Events still to make; `None`: no end.
    remaining: Option<u64>,
}

impl Run {
    fn new(options: &GeneratorOptions, context: &SourceContext) -> Self {
        let now_ns = context.clock.now_ns();
        let random = || RandomState::new().hash_one(now_ns);
        let start_ns = options.start_time_ns().ok().flatten();
        let seed = options.seed.unwrap_or_else(random);
        // A stream that would repeat byte for byte keeps its name, any other gets a new one.
        let is_repeatable = options.seed.is_some() && start_ns.is_some();
        let run = if is_repeatable { seed } else { random() };
        let stream = stream_id(&context.id, run);
        let pace = options.pace();
        let bursts = options.bursts.enabled.then(|| Bursts::new(&options.bursts, seed));
        let given_pace = match pace {
            Rate::Unlimited => Rate::PerSecond(UNLIMITED_SPACING_RATE),
            pace => pace,
        };
        let given = start_ns.zip(Moments::new(given_pace, bursts.clone()));
        Self {
            schedule: Schedule::new(Moments::new(pace, bursts), context.clock.monotonic()),
            producer: Producer::new(seed, options, stream),
            given,
            wall_ns: wall_at_zero(&*context.clock),
            remaining: options.count,
        }
    }

    /// Runs until the count is reached or stopping is asked for.
    async fn run(mut self, context: SourceContext) {
        let SourceContext { mut output, mut shutdown, clock, metrics, .. } = context;
        let skipped = metrics.counter(
            "skipped_events",
            "Events left out because the generator was too far behind its schedule.",
        );
        while self.remaining != Some(0) && !shutdown.is_requested() {
            let now = clock.monotonic();
            let due = self.schedule.due(now);
            skipped.inc_by(self.schedule.take_skipped());
            if due > 0 {
                self.follow_wall_clock(&*clock);
                let (batch, written) = self.produce(due, now);
                if output.send(batch, Vec::new()).await.is_err() {
                    return;
                }
                // With an output that never makes it wait, nobody else would get this thread.
                tokio::task::yield_now().await;
                if written < due || self.remaining == Some(0) {
                    continue;
                }
            }
            let wait = self.schedule.wait(clock.monotonic());
            if wait > Duration::ZERO {
                tokio::select! {
                    () = clock.sleep(wait) => {}
                    () = shutdown.requested() => return,
                }
            }
        }
    }

    /// Makes some or all of the events that are due; how many.
    fn produce(&mut self, due: u64, now: Duration) -> (Batch, u64) {
        let events = due.min(self.remaining.unwrap_or(u64::MAX));
        let start_ns = self.wall_ns.saturating_add_unsigned(self.schedule.start_ns());
        let times = match (&mut self.given, self.schedule.moments()) {
            (Some((start_ns, moments)), _) => Times::After(*start_ns, moments),
            (None, Some(moments)) => Times::After(start_ns, moments),
            (None, None) => Times::Same(self.wall_ns.saturating_add(nanoseconds(now))),
        };
        let (batch, written) = self.producer.produce(events, times);
        if self.given.is_some() {
            self.schedule.pass(written);
        }
        if let Some(remaining) = &mut self.remaining {
            *remaining -= written;
        }
        (batch, written)
    }

    fn follow_wall_clock(&mut self, clock: &dyn Clock) {
        let wall_ns = wall_at_zero(clock);
        if wall_ns.abs_diff(self.wall_ns) > WALL_DRIFT_MAX_NS.unsigned_abs() {
            self.wall_ns = wall_ns;
        }
    }
}

fn wall_at_zero(clock: &dyn Clock) -> i64 {
    clock.now_ns().saturating_sub(nanoseconds(clock.monotonic()))
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A number for the stream of a component: FNV-1a, the same on every machine and in every version.
fn stream_id(component_id: &str, run: u64) -> u64 {
    let bytes = component_id.bytes().chain(run.to_le_bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
