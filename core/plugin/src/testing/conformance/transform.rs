//! Laws of a transform.

use crate::{ComponentSpec, Port};
use lograil_event::{AckStatus, Batch};
use serde_json::Value;

use super::corpus::corpus;
use super::{AckLog, assert_valid};
use crate::testing::batches::events_of;
use crate::testing::clock::ManualClock;
use crate::testing::harness::{Emitted, TransformHarness};

/// [`TransformLaws`] of a transform that accounts for every event in the call that brings it.
pub fn transform(spec: &ComponentSpec, options: &Value) {
    TransformLaws::new(spec, options).check();
}

/// The laws of every transform: options and build; any event passes without a panic; what comes out is
/// valid; every event is accounted for; no acknowledgement is lost; a shared batch is left as it was; key
/// ids mean nothing across batches; a damaged state does no harm.
#[derive(Debug)]
pub struct TransformLaws<'a> {
    spec: &'a ComponentSpec,
    options: &'a Value,
    ledger: Ledger,
    effect: Effect,
}

/// What a transform does to the events that it passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Any,
    Routes,
}

#[derive(Debug, Clone, Copy)]
enum Ledger {
    EveryBatch,
    AtFlush,
    Never,
}

impl<'a> TransformLaws<'a> {
    /// The laws for one set of options.
    #[must_use]
    pub fn new(spec: &'a ComponentSpec, options: &'a Value) -> Self {
        Self { spec, options, ledger: Ledger::EveryBatch, effect: Effect::Any }
    }

    /// For transforms that hold events back until a tick or the flush.
    #[must_use]
    pub fn holds_back(mut self) -> Self {
        self.ledger = Ledger::AtFlush;
        self
    }

    /// For transforms that make more or fewer events than they take.
    #[must_use]
    pub fn unbalanced(mut self) -> Self {
        self.ledger = Ledger::Never;
        self
    }

    /// For transforms that drop and route but change nothing (filter, route, sample): on every output but
    /// the dead letters the events of a batch are some of its events, in their order, with every value,
    /// time and raw byte as it was.
    #[must_use]
    pub fn only_routes(mut self) -> Self {
        self.effect = Effect::Routes;
        self
    }

    /// Holds the transform against the laws; panics with the one that is broken.
    pub fn check(&self) {
        super::options(self.spec, self.options);
        for (name, batch) in corpus(self.options) {
            eprintln!("{:?}: {name}", self.spec);
            self.check_batches(vec![batch]);
        }
        eprintln!("{:?}: everything, one after the other", self.spec);
        self.check_batches(corpus(self.options).into_iter().map(|(_, batch)| batch).collect());
        for (name, batch) in corpus(self.options) {
            eprintln!("{:?}: {name}, shared, and with other key ids", self.spec);
            self.check_sharing(batch);
        }
        self.check_key_ids();
        self.check_states();
    }

    fn start(&self) -> TransformHarness {
        let harness = TransformHarness::build(self.spec, self.options.clone());
        match self.ledger {
            Ledger::EveryBatch => harness,
            Ledger::AtFlush => harness.holds_back(),
            Ledger::Never => harness.unbalanced(),
        }
    }

    fn check_batches(&self, batches: Vec<Batch>) {
        let log = AckLog::default();
        let mut harness = self.start();
        for mut batch in batches {
            log.watch(&mut batch);
            let before = whole_events(&batch);
            let emitted = harness.feed(batch);
            if self.effect == Effect::Routes {
                assert_some_of(&before, &emitted);
            }
            deliver(emitted);
            if matches!(self.ledger, Ledger::EveryBatch) {
                log.assert_all_resolved("after the batch");
            }
            deliver(harness.tick());
        }
        deliver(harness.flush());
        drop(harness);
        log.assert_all_resolved("after the flush");
    }

    /// A state goes on in a new instance; one that is damaged in whatever way is no reason to panic.
    fn check_states(&self) {
        let mut harness = self.start();
        for (_, batch) in corpus(self.options) {
            deliver(harness.feed(batch));
        }
        let Some(state) = harness.state() else { return };
        let cut = (0..state.len().min(300)).map(|length| state[..length].to_vec());
        let flipped = (0..state.len().min(300)).map(|at| {
            let mut state = state.clone();
            state[at] ^= 0x81;
            state
        });
        for state in cut.chain(flipped).chain([state.clone(), [&state[..], b"more"].concat()]) {
            let clock = ManualClock::new();
            let mut harness =
                TransformHarness::resume(self.spec, self.options.clone(), clock, &state)
                    .unbalanced();
            deliver(harness.feed_lines(&["a line"]));
            deliver(harness.flush());
        }
    }

    fn check_sharing(&self, mut batch: Batch) {
        let other = batch.share();
        let before = events_of(&other);
        let mut harness = self.start();
        deliver(harness.feed(batch));
        deliver(harness.flush());
        assert_eq!(events_of(&other), before, "a batch that another branch shares stays as it is");
    }

    /// Feeds one transform the same batch twice, and another one the batch and then the same events with
    /// other key ids: what comes out the second time must be the same.
    fn check_key_ids(&self) {
        for ((name, first), (_, again)) in
            corpus(self.options).into_iter().zip(corpus(self.options))
        {
            let renumbered = renumber(&again);
            let [same, same_again, other] =
                [copy(&again), copy(&again), renumbered].map(|second| {
                    let mut harness = self.start();
                    let mut first = copy(&first);
                    deliver(harness.feed(std::mem::take(&mut first)));
                    [outcome(&harness.feed(second)), outcome(&harness.flush())]
                });
            // A transform that rolls dice cannot be held against this law.
            if same == same_again {
                assert_eq!(same, other, "key ids mean nothing across batches ({name})");
            }
        }
    }
}

fn copy(batch: &Batch) -> Batch {
    rebuild(batch, &[])
}

/// The same events in a batch whose key table starts with other names.
fn renumber(batch: &Batch) -> Batch {
    rebuild(batch, &["no_event_has_this", "nor_this", "level", "message", "a"])
}

fn rebuild(batch: &Batch, first_keys: &[&str]) -> Batch {
    let mut copy = Batch::new();
    let mut edit = copy.edit();
    for name in first_keys {
        edit.key(name);
    }
    for event in batch.iter() {
        let index = edit.push_event(event.timestamp_ns());
        for field in event.fields() {
            let key = edit.key(batch.keys().name(lograil_event::Key(field.key)));
            let field = if field.tag.is_span() {
                let span = edit.push_text(batch.text(field.span()));
                lograil_event::Field::text(key.0, field.tag, span, field.flags())
            } else {
                field.with_key(key.0)
            };
            edit.append(index, field);
        }
        if let Some(raw) = event.raw() {
            let span = edit.push_text(raw);
            edit.events()[index].set_raw(span);
        }
    }
    copy
}

/// Everything of an event: time, raw bytes, fields.
type Whole = (i64, Option<Vec<u8>>, Value);

fn whole_events(batch: &Batch) -> Vec<Whole> {
    let fields = events_of(batch).into_iter();
    let events = batch.iter().map(|event| (event.timestamp_ns(), event.raw().map(<[u8]>::to_vec)));
    events.zip(fields).map(|((timestamp_ns, raw), fields)| (timestamp_ns, raw, fields)).collect()
}

fn assert_some_of(before: &[Whole], emitted: &Emitted) {
    let mut ports: Vec<Port> = emitted.batches.iter().map(|(port, _)| *port).collect();
    ports.retain(|port| *port != Port::DEAD_LETTER);
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        let mut candidates = before.iter();
        let batches = emitted.batches.iter().filter(|(on, _)| *on == port);
        for event in batches.flat_map(|(_, batch)| whole_events(batch)) {
            assert!(
                candidates.any(|candidate| *candidate == event),
                "what is passed on stays as it was, in its order: {event:?}"
            );
        }
    }
}

type Outcome = (Vec<(Port, Vec<Value>)>, Vec<(&'static str, u64)>);

fn outcome(emitted: &Emitted) -> Outcome {
    let batches = emitted.batches.iter().filter(|(_, batch)| !batch.is_empty());
    (batches.map(|(port, batch)| (*port, events_of(batch))).collect(), emitted.discarded.clone())
}

/// Plays the sinks: looks at everything and acknowledges it.
fn deliver(emitted: Emitted) {
    for (port, mut batch) in emitted.batches {
        batch.freeze();
        assert_valid(&batch);
        let dead = port == Port::DEAD_LETTER;
        for event in events_of(&batch).iter().filter(|_| dead) {
            let reason = event["dead_letter"]["reason"].as_str().unwrap_or_default();
            assert!(!reason.is_empty(), "a dead letter has a reason: {event}");
        }
        let status = if dead { AckStatus::Rejected } else { AckStatus::Delivered };
        batch.take_acks().resolve(status);
    }
}
