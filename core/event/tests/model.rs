//! The batch against a naive model: a vector of maps. Whatever is done to a batch, reading it gives what the
//! same changes make of the model, and no change of one handle shows in another.

use std::collections::BTreeMap;

use bytes::Bytes;
use lograil_event::{
    Ack, AckId, Batch, EventFlags, Field, FieldFlags, ForeignBatch, Origin, Segment, Span, Tag,
    ValueRef,
};
use proptest::prelude::*;

type Row = BTreeMap<String, Cell>;

#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Int(i64),
    Text(String),
    Bool(bool),
    Null,
}

#[derive(Debug, Clone)]
enum Step {
    PushEvent(i64),
    PushLines(Vec<String>),
    Set(usize, u8, Cell),
    Append(usize, u8, Cell),
    Remove(usize, u8),
    Retain(u64),
    Split(u64),
    Share,
    Freeze,
    /// Goes on with another of the handles.
    Turn(usize),
    Drop,
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        any::<i64>().prop_map(Cell::Int),
        any::<String>().prop_map(Cell::Text),
        any::<bool>().prop_map(Cell::Bool),
        Just(Cell::Null),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let at = 0usize..40;
    prop_oneof![
        4 => any::<i64>().prop_map(Step::PushEvent),
        2 => proptest::collection::vec("[a-zé]{0,8}", 1..5).prop_map(Step::PushLines),
        12 => (at.clone(), 0u8..8, cell()).prop_map(|(e, k, c)| Step::Set(e, k, c)),
        8 => (at.clone(), 0u8..8, cell()).prop_map(|(e, k, c)| Step::Append(e, k, c)),
        6 => (at.clone(), 0u8..8).prop_map(|(e, k)| Step::Remove(e, k)),
        1 => any::<u64>().prop_map(Step::Retain),
        1 => any::<u64>().prop_map(Step::Split),
        2 => Just(Step::Share),
        1 => Just(Step::Freeze),
        3 => at.prop_map(Step::Turn),
        1 => Just(Step::Drop),
    ]
}

/// A batch, and what it must read as.
struct Pair {
    batch: Batch,
    rows: Vec<Row>,
}

fn field(batch: &mut Batch, name: &str, cell: &Cell) -> Field {
    let mut edit = batch.edit();
    let key = edit.key(name).0;
    match cell {
        Cell::Int(value) => Field::i64(key, *value),
        Cell::Bool(value) => Field::bool(key, *value),
        Cell::Null => Field::null(key),
        Cell::Text(text) => {
            let span = edit.push_text(text.as_bytes());
            Field::text(key, Tag::Str, span, FieldFlags::NONE)
        }
    }
}

impl Pair {
    fn check(&self) {
        assert_eq!(self.batch.len(), self.rows.len());
        for (event, row) in self.batch.iter().zip(&self.rows) {
            assert_eq!(event.fields().len(), row.len());
            for (name, value) in event.iter() {
                let seen = match value {
                    ValueRef::I64(value) => Cell::Int(value),
                    ValueRef::Bool(value) => Cell::Bool(value),
                    ValueRef::Null => Cell::Null,
                    other => Cell::Text(
                        String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
                    ),
                };
                assert_eq!(Some(&seen), row.get(name), "{name}");
            }
            for name in (0..8).map(|key| format!("k{key}")) {
                assert_eq!(event.get_named(&name).is_some(), row.contains_key(&name));
            }
        }
    }

    fn push_lines(&mut self, lines: &[String]) {
        let mut edit = self.batch.edit();
        if edit.segment_count() > 200 {
            return;
        }
        let key = edit.key("k0");
        let segment = edit.add_segment(Bytes::from(lines.join("\n")), None);
        let mut offset = 0;
        for line in lines {
            let span = Span { segment, offset, len: line.len() as u32 };
            edit.push_line(0, key, Tag::Str, span, span);
            offset += line.len() as u32 + 1;
            self.rows.push(Row::from([("k0".to_owned(), Cell::Text(line.clone()))]));
        }
    }

    fn set(&mut self, event: usize, key: u8, cell: &Cell, only_new: bool) {
        if self.rows.is_empty() {
            return;
        }
        let (event, name) = (event % self.rows.len(), format!("k{key}"));
        if only_new && self.rows[event].contains_key(&name) {
            return;
        }
        let field = field(&mut self.batch, &name, cell);
        let mut edit = self.batch.edit();
        if only_new {
            edit.append(event, field)
        } else {
            edit.set(event, field)
        }
        self.rows[event].insert(name, cell.clone());
    }

    fn remove(&mut self, event: usize, key: u8) {
        if self.rows.is_empty() {
            return;
        }
        let (event, name) = (event % self.rows.len(), format!("k{key}"));
        let mut edit = self.batch.edit();
        let key = edit.key(&name);
        let had = self.rows[event].remove(&name).is_some();
        assert_eq!(edit.remove(event, key).is_some(), had);
    }

    fn split(&mut self, mask: u64) -> Option<Self> {
        let takes = |at: usize| mask >> (at % 64) & 1 == 1;
        let batch = self.batch.split_off_where(takes);
        let (mut taken, mut kept) = (Vec::new(), Vec::new());
        for (at, row) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            if takes(at) { taken.push(row) } else { kept.push(row) }
        }
        self.rows = kept;
        assert_eq!(batch.is_some(), !taken.is_empty());
        batch.map(|batch| Self { batch, rows: taken })
    }
}

/// Does one step on the current handle; gives a new handle if the step makes one.
fn apply(pair: &mut Pair, step: &Step) -> Option<Pair> {
    match step {
        Step::PushEvent(time) => {
            let event = pair.batch.edit().push_event(*time);
            assert_eq!(pair.batch.event(event).timestamp_ns(), *time);
            pair.rows.push(Row::new());
        }
        Step::PushLines(lines) => pair.push_lines(lines),
        Step::Set(event, key, cell) => pair.set(*event, *key, cell, false),
        Step::Append(event, key, cell) => pair.set(*event, *key, cell, true),
        Step::Remove(event, key) => pair.remove(*event, *key),
        Step::Retain(mask) => {
            let keeps = |at: usize| mask >> (at % 64) & 1 == 1;
            let before = pair.rows.len();
            let mut at = 0;
            pair.rows.retain(|_| {
                at += 1;
                keeps(at - 1)
            });
            assert_eq!(pair.batch.retain(keeps), before - pair.rows.len());
        }
        Step::Split(mask) => return pair.split(*mask),
        Step::Share => {
            let (batch, rows) = (pair.batch.share(), pair.rows.clone());
            return Some(Pair { batch, rows });
        }
        Step::Freeze => pair.batch.freeze(),
        Step::Turn(_) | Step::Drop => {}
    }
    None
}

/// The batch as its arrays, offered as if they came from outside.
fn as_foreign(batch: &mut Batch) -> ForeignBatch {
    batch.freeze();
    ForeignBatch {
        segments: batch.segments().iter().map(Segment::clone).collect(),
        fields: batch.fields().to_vec(),
        events: batch.records().to_vec(),
        keys: batch.keys().clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_reads_as_its_model_after_any_steps(steps in proptest::collection::vec(step(), 0..120)) {
        let mut pairs = vec![Pair { batch: Batch::new(), rows: Vec::new() }];
        let mut current = 0;
        for step in &steps {
            match step {
                Step::Turn(to) => current = to % pairs.len(),
                Step::Drop if pairs.len() > 1 => {
                    pairs.remove(current);
                    current = 0;
                }
                _ => {
                    let made = apply(&mut pairs[current], step);
                    pairs.extend(made);
                }
            }
            pairs[current].check();
        }
        for pair in &mut pairs {
            pair.check();
            let again = as_foreign(&mut pair.batch).validate().unwrap();
            pair.batch = again;
            pair.check();
        }
    }
}

#[test]
fn a_share_and_a_split_carry_the_acknowledgement() {
    let mut batch = Batch::new();
    batch.add_acks(Ack::new(AckId { source: 1, sequence: 2 }, |_, _| {}).into());
    for time in 0..4 {
        batch.edit().push_event(time);
    }
    let other = batch.split_off_where(|at| at % 2 == 0).unwrap();
    for handle in [&batch, &other] {
        assert_eq!(handle.acks().ids().collect::<Vec<_>>(), [AckId { source: 1, sequence: 2 }]);
    }
    let times = |batch: &Batch| batch.iter().map(|event| event.timestamp_ns()).collect::<Vec<_>>();
    assert_eq!((times(&other), times(&batch)), (vec![0, 2], vec![1, 3]));
}

#[test]
fn arrays_from_outside_that_lie_are_refused() {
    let good = || {
        let mut copy = Batch::new();
        let mut edit = copy.edit();
        let key = edit.key("k");
        edit.push_event(0);
        edit.set_str(0, key, "é");
        as_foreign(&mut copy)
    };
    assert!(good().validate().is_ok());
    let refused = |change: &dyn Fn(&mut ForeignBatch)| {
        let mut foreign = good();
        change(&mut foreign);
        foreign.validate().is_err()
    };
    assert!(refused(&|f| f.fields[0].key = 9));
    assert!(refused(&|f| f.segments[0].bytes = Bytes::from_static(b"\xC3(")));
    assert!(refused(&|f| f.segments[0].bytes = Bytes::from_static(b"x")));
    assert!(refused(&|f| f.segments.clear()));
    assert!(refused(&|f| f.events[0].first = 1));
    assert!(refused(&|f| f.events[0].count = u32::MAX));
    assert!(refused(&|f| f.events[0].capacity = u32::MAX));
    assert!(refused(&|f| f.events.push(f.events[0])));
    assert!(refused(&|f| f.events[0].raw_fields = 2));
}

/// A batch goes through more stages than there are segment indices, each of which adds text and shares it.
#[test]
fn a_batch_never_runs_out_of_segments() {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("message");
    for offset in 0..192 {
        let origin = Origin { stream: 7, offset: offset * 100 };
        let segment = edit.add_segment(Bytes::from(format!("line {offset}")), Some(origin));
        let span = Span { segment, offset: 0, len: edit.segment_bytes(segment).len() as u32 };
        edit.push_line(0, key, Tag::Str, span, span);
    }
    let mut others = Vec::new();
    for stage in 0..1000 {
        let mut edit = batch.edit();
        let key = edit.key(&format!("stage{}", stage % 50));
        edit.set_str(stage % 192, key, &format!("text of {stage}"));
        if stage % 2 == 0 {
            others.push((stage, batch.share()));
        } else {
            let mut all = batch.split_off_where(|_| true).unwrap();
            batch = all.share();
            others.push((stage, all));
        }
        while others.len() > 3 {
            others.remove(0);
        }
    }
    others.push((999, batch));
    for (stage, batch) in &others {
        let text = |event: usize, name: &str| {
            batch
                .event(event)
                .get_named(name)
                .and_then(|v| v.as_str())
                .unwrap_or_default()
                .to_owned()
        };
        for event in 0..192 {
            assert_eq!(text(event, "message"), format!("line {event}"));
            assert_eq!(batch.event(event).raw(), Some(format!("line {event}").as_bytes()));
            assert_eq!(batch.event(event).origin(), Some((7, event as u64 * 100)));
        }
        assert_eq!(text(stage % 192, &format!("stage{}", stage % 50)), format!("text of {stage}"));
    }
}

/// The text of a claim, as a batch of one event with one field from outside.
fn claim(tag: Tag, text: &'static str, flags: FieldFlags, raw: EventFlags) -> ForeignBatch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("k");
    let segment = edit.add_segment(Bytes::from_static(text.as_bytes()), None);
    let span = Span { segment, offset: 0, len: text.len() as u32 };
    edit.push_line(0, key, tag, span, span);
    edit.fields()[0] = Field::text(key.0, tag, span, flags);
    edit.events()[0].flags.insert(raw);
    edit.events()[0].raw_fields = 1;
    as_foreign(&mut batch)
}

#[test]
fn values_from_outside_are_json_or_refused() {
    let is_taken =
        |tag, text| claim(tag, text, FieldFlags::NONE, EventFlags::RAW).validate().is_ok();
    assert!(is_taken(Tag::Number, "-1.5e300") && is_taken(Tag::Object, "{\"a\":[1]}"));
    assert!(is_taken(Tag::Array, "[{}]") && is_taken(Tag::Str, "{"));
    for (tag, text) in [
        (Tag::Number, "1, \"admin\": true"),
        (Tag::Number, "0x10"),
        (Tag::Number, ""),
        (Tag::Object, "{\"a\":1}}"),
        (Tag::Object, "[1]"),
        (Tag::Object, " {}"),
        (Tag::Array, "[1"),
        (Tag::Array, "{}"),
    ] {
        assert!(!is_taken(tag, text), "{tag:?} {text}");
    }
}

#[test]
fn what_outside_says_of_a_text_is_found_out_instead() {
    let flags = |text| {
        let batch = claim(Tag::Str, text, FieldFlags::CLEAN, EventFlags::RAW).validate().unwrap();
        batch.fields()[0].flags()
    };
    assert_eq!(flags("plain"), FieldFlags::CLEAN);
    assert_eq!(flags("a\"b"), FieldFlags::NONE);
    let mut unsaid = claim(Tag::Str, "plain", FieldFlags::NONE, EventFlags::RAW);
    unsaid.fields[0] = Field::text(0, Tag::Str, unsaid.fields[0].span(), FieldFlags::NONE);
    assert_eq!(unsaid.validate().unwrap().fields()[0].flags(), FieldFlags::CLEAN);
}

/// An event whose raw bytes are copied out must be those bytes.
#[test]
fn raw_bytes_from_outside_are_believed_only_where_they_are_the_fields() {
    let raw_json = |raw: &'static str, fields: &[(&str, Tag, &'static str)]| {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        let event = edit.push_event(0);
        let segment = edit.add_segment(Bytes::from_static(raw.as_bytes()), None);
        for (name, tag, text) in fields {
            let key = edit.key(name).0;
            let field = match tag {
                Tag::Null => Field::null(key),
                Tag::Bool => Field::bool(key, *text == "true"),
                _ => Field::text(key, *tag, edit.push_text(text.as_bytes()), FieldFlags::NONE),
            };
            edit.append(event, field);
        }
        let record = &mut edit.events()[event];
        record.raw_fields = fields.len() as u32;
        record.set_raw(Span { segment, offset: 0, len: raw.len() as u32 });
        record.flags.insert(EventFlags::RAW_JSON);
        let batch = as_foreign(&mut batch).validate().unwrap();
        batch.records()[0].flags.contains(EventFlags::RAW_JSON)
    };
    let raw = r#" {"a":"x\ny", "b":1.0,"c":[ ],"d":null,"e":true} "#;
    let fields = [
        ("a", Tag::Str, "x\ny"),
        ("b", Tag::Number, "1.0"),
        ("c", Tag::Array, "[ ]"),
        ("d", Tag::Null, ""),
        ("e", Tag::Bool, "true"),
    ];
    assert!(raw_json(raw, &fields));
    assert!(raw_json("{}", &[]));
    assert!(!raw_json(raw, &fields[..4]), "a member that is no field");
    assert!(!raw_json("{}", &fields[..1]), "a field that is no member");
    assert!(!raw_json(r#"{"a":"other"}"#, &fields[..1]));
    assert!(!raw_json(r#"{"z":"x\ny"}"#, &fields[..1]));
    assert!(!raw_json(r#"{"a":"x\ny"}}"#, &fields[..1]), "no JSON");
    assert!(!raw_json("x", &[]), "no JSON");
}
