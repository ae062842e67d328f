//! Parsed log events as a topology hands them to a store: about 250 bytes, ten fields, messages of about ten words.

use std::fmt::Write;

use bytes::Bytes;
use lograil_codec::json::{ParseOptions, Parser};
use lograil_event::{Batch, Span, Tag};

use crate::generator::Random;

/// One of the levels, each as often as it stands here.
const LEVELS: [&str; 10] =
    ["DEBUG", "DEBUG", "INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "WARN", "ERROR"];

const SERVICES: [&str; 8] =
    ["orders", "users", "payments", "mail", "search", "gateway", "stock", "reports"];

const VERBS: [&str; 6] = ["created", "updated", "rejected", "queued", "delivered", "expired"];

/// Makes events one after the other, the same for the same seed.
pub struct LogEvents {
    random: Random,
    parser: Parser,
    number: u64,
    ns: i64,
    /// Nanoseconds between two events, on average.
    step_ns: i64,
}

impl LogEvents {
    /// Events from a time on, so many nanoseconds apart.
    #[must_use]
    pub fn new(start_ns: i64, step_ns: i64) -> Self {
        Self {
            random: Random::new(0x51_71E5),
            parser: Parser::new(),
            number: 0,
            ns: start_ns,
            step_ns,
        }
    }

    /// The next batch of events.
    pub fn batch(&mut self, events: usize) -> Batch {
        let mut text = String::new();
        let mut places = Vec::with_capacity(events);
        for _ in 0..events {
            let start = text.len();
            self.write(&mut text);
            places.push((self.ns, start, text.len()));
        }
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let segment = edit.add_segment(Bytes::from(text), None);
        let key = edit.key("message");
        for (ns, start, end) in places {
            let span = Span { segment, offset: start as u32, len: (end - start) as u32 };
            edit.push_line(ns, key, Tag::Str, span, span);
        }
        let mut failures = Vec::new();
        self.parser.parse_batch(&mut batch, "message", ParseOptions::default(), &mut failures);
        assert!(failures.is_empty(), "the events are JSON");
        batch
    }

    fn write(&mut self, out: &mut String) {
        let random = &mut self.random;
        self.number += 1;
        self.ns += random.below(2 * self.step_ns as usize) as i64;
        // A rare service and a rare word, one event in 10,000 and in 100,000.
        let service =
            if self.number.is_multiple_of(10_000) { "audit" } else { random.pick(&SERVICES) };
        let rare = if self.number.is_multiple_of(100_000) { " quarantined" } else { "" };
        let (level, verb) = (random.pick(&LEVELS), random.pick(&VERBS));
        let (order, user, ms) = (self.number, random.below(50_000), random.below(900));
        let (a, b) = (random.below(1 << 30), random.below(1 << 30));
        let (kind, severity) = (random.below(40), random.below(100));
        // Writing to a string does not fail.
        let _written = write!(
            out,
            r#"{{"level":"{level}","service":"{service}","message":"order {order} {verb} for user u{user} via host-{kind} in {ms} ms{rare}","severity":{severity},"status":{},"duration_ms":{ms},"trace_id":"{a:08x}{b:08x}","component":"handler","region":"eu-{}","template_id":"t{kind}"}}"#,
            200 + kind * 10,
            kind % 3,
        );
    }
}
