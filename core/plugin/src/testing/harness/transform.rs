//! Runs one transform and holds its delivery ledger against what it was fed.

use std::sync::Arc;

use crate::{
    Build, ComponentMetrics, ComponentSpec, Options, Outputs, Port, Transform, TransformContext,
};
use lograil_event::Batch;
use serde_json::Value;

use super::COMPONENT_ID;
use crate::testing::batches::{batch_of_json, batch_of_lines, events_of};
use crate::testing::clock::ManualClock;

/// What a transform made of one call.
#[derive(Debug, Default)]
pub struct Emitted {
    /// Batches in the order they were emitted.
    pub batches: Vec<(Port, Batch)>,
    /// Events dropped as configured, by reason.
    pub discarded: Vec<(&'static str, u64)>,
}

impl Emitted {
    /// The events on an output.
    #[must_use]
    pub fn on(&self, port: Port) -> Vec<Value> {
        let batches = self.batches.iter().filter(|(on, _)| *on == port);
        batches.flat_map(|(_, batch)| events_of(batch)).collect()
    }

    /// The events on the main output.
    #[must_use]
    pub fn main(&self) -> Vec<Value> {
        self.on(Port::MAIN)
    }

    /// The dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<Value> {
        self.on(Port::DEAD_LETTER)
    }

    /// The reasons of the dead letters.
    #[must_use]
    pub fn dead_letter_reasons(&self) -> Vec<String> {
        let letters = self.dead_letters();
        letters
            .iter()
            .map(|letter| letter["dead_letter"]["reason"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Events dropped as configured.
    #[must_use]
    pub fn discarded_events(&self) -> u64 {
        self.discarded.iter().map(|(_, events)| events).sum()
    }

    fn events(&self) -> u64 {
        self.batches.iter().map(|(_, batch)| batch.len() as u64).sum()
    }
}

/// When what came in must equal what went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ledger {
    EveryBatch,
    Flush,
    Never,
}

/// A started transform.
pub struct TransformHarness {
    transform: Box<dyn Transform>,
    outputs: Outputs,
    clock: ManualClock,
    ledger: Ledger,
    fed: u64,
    accounted: u64,
}

impl TransformHarness {
    /// Starts a transform. Every event fed must come out, be discarded or be dead-lettered in the same call.
    #[must_use]
    pub fn new(transform: Box<dyn Transform>) -> Self {
        Self::with_type(transform, "under_test", ComponentMetrics::detached())
    }

    /// Starts a transform with metrics of the test's own.
    #[must_use]
    pub fn with_type(
        transform: Box<dyn Transform>,
        component_type: &'static str,
        metrics: ComponentMetrics,
    ) -> Self {
        Self::start(transform, component_type, metrics, ManualClock::new(), None)
    }

    /// Builds a transform that goes on where another one left off: what that one's [`Transform::state`] said.
    #[must_use]
    pub fn resume(spec: &ComponentSpec, options: Value, clock: ManualClock, state: &[u8]) -> Self {
        let metrics = ComponentMetrics::detached();
        Self::start(build(spec, options), spec.name, metrics, clock, Some(state.into()))
    }

    fn start(
        mut transform: Box<dyn Transform>,
        component_type: &'static str,
        metrics: ComponentMetrics,
        clock: ManualClock,
        state: Option<Arc<[u8]>>,
    ) -> Self {
        let id: Arc<str> = COMPONENT_ID.into();
        let mut context = TransformContext::new(id.clone(), clock.shared(), metrics);
        context.state = state;
        if let Err(error) = transform.start(context) {
            panic!("{component_type} does not start: {error}");
        }
        let outputs = Outputs::new(id, component_type);
        Self { transform, outputs, clock, ledger: Ledger::EveryBatch, fed: 0, accounted: 0 }
    }

    /// Builds a transform from its options and starts it; panics where they are refused.
    #[must_use]
    pub fn build(spec: &ComponentSpec, options: Value) -> Self {
        Self::with_type(build(spec, options), spec.name, ComponentMetrics::detached())
    }

    /// For transforms that hold events back: the ledger must balance after [`Self::flush`] only.
    #[must_use]
    pub fn holds_back(mut self) -> Self {
        self.ledger = Ledger::Flush;
        self
    }

    /// For transforms that make more or fewer events than they take.
    #[must_use]
    pub fn unbalanced(mut self) -> Self {
        self.ledger = Ledger::Never;
        self
    }

    /// The transform's clock.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// What the transform has learned so far.
    #[must_use]
    pub fn state(&self) -> Option<Vec<u8>> {
        self.transform.state()
    }

    /// Feeds one batch.
    pub fn feed(&mut self, batch: Batch) -> Emitted {
        self.fed += batch.len() as u64;
        self.transform.process(batch, &mut self.outputs);
        self.take(Ledger::EveryBatch)
    }

    /// Feeds one batch of lines.
    pub fn feed_lines(&mut self, lines: &[&str]) -> Emitted {
        self.feed(batch_of_lines(lines))
    }

    /// Feeds one batch of JSON objects.
    pub fn feed_json(&mut self, events: &[Value]) -> Emitted {
        self.feed(batch_of_json(events))
    }

    /// Lets the transform look at the clock.
    pub fn tick(&mut self) -> Emitted {
        let now_ns = crate::Clock::now_ns(&self.clock);
        self.transform.tick(now_ns, &mut self.outputs);
        self.take(Ledger::EveryBatch)
    }

    /// Tells the transform that there will be no more.
    pub fn flush(&mut self) -> Emitted {
        self.transform.flush(&mut self.outputs);
        self.take(Ledger::Flush)
    }

    fn take(&mut self, moment: Ledger) -> Emitted {
        let emitted = Emitted {
            batches: self.outputs.take_emitted().collect(),
            discarded: self.outputs.take_discarded().collect(),
        };
        self.fed += self.outputs.take_created();
        self.accounted += emitted.events() + emitted.discarded_events();
        let due = match self.ledger {
            Ledger::EveryBatch => true,
            Ledger::Flush => moment == Ledger::Flush,
            Ledger::Never => false,
        };
        if due {
            let (fed, accounted) = (self.fed, self.accounted);
            assert_eq!(
                fed, accounted,
                "events fed, and events emitted, discarded or dead-lettered"
            );
        }
        emitted
    }
}

fn build(spec: &ComponentSpec, options: Value) -> Box<dyn Transform> {
    let Build::Transform(build) = spec.build else {
        panic!("{spec:?} is no transform");
    };
    match build(&Options(options)) {
        Ok(transform) => transform,
        Err(errors) => panic!("{spec:?}: {errors:?}"),
    }
}
