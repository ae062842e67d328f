//! Tests of the JSON codec.

use bytes::Bytes;
use lograil_event::{Batch, EventFlags, Field, ValueRef};

use super::{JsonErrorKind, ParseOptions, Parser, encode_batch};
use crate::lines::{self, LastLine, LineOptions};

/// One event whose raw bytes and `message` are the document; `Lines` would cut it at its newlines.
pub(super) fn whole(document: &[u8]) -> Batch {
    use lograil_event::{Span, Tag};
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("message");
    let is_text = std::str::from_utf8(document).is_ok();
    // Bytes around the document make a read beyond its end visible.
    let mut block = b"\"x\",".to_vec();
    block.extend_from_slice(document);
    block.extend_from_slice(b"\"}]} ,\"y\":1}");
    let segment = edit.add_segment(Bytes::from(block), None);
    let span = Span { segment, offset: 4, len: document.len() as u32 };
    edit.push_line(0, key, if is_text { Tag::Str } else { Tag::Bytes }, span, span);
    batch
}

pub(super) fn lines_of(text: &str) -> Batch {
    let mut batch = Batch::new();
    let options = LineOptions { last_line: LastLine::Take, ..LineOptions::new("message", 0) };
    lines::split(&mut batch, &Bytes::from(text.to_owned()), None, options);
    batch
}

pub(super) fn parse(parser: &mut Parser, batch: &mut Batch) -> Vec<(usize, super::JsonError)> {
    let mut failures = Vec::new();
    parser.parse_batch(batch, "message", ParseOptions::default(), &mut failures);
    failures
}

pub(super) fn encoded(batch: &Batch) -> String {
    let mut out = Vec::new();
    encode_batch(batch, &mut out);
    String::from_utf8(out).unwrap()
}

/// The same batch, its events marked as changed so that nothing is copied from the raw bytes.
pub(super) fn rewritten(batch: &mut Batch) -> String {
    for record in batch.edit().events() {
        record.flags.insert(EventFlags::CHANGED);
    }
    encoded(batch)
}

fn parsed(text: &str) -> Batch {
    let mut batch = lines_of(text);
    assert_eq!(parse(&mut Parser::new(), &mut batch), []);
    batch
}

#[test]
fn members_become_fields_and_an_untouched_event_is_written_as_it_was() {
    let text = "{\"b\" : 1.0, \"a\":\"x\\ty\",\"n\":{ \"k\":[1,2 ] },\"t\":true,\"z\":null}\n";
    let mut batch = parsed(text);
    let names: Vec<_> = batch.event(0).iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["b", "a", "n", "t", "z"]);
    assert_eq!(batch.event(0).get_named("b"), Some(ValueRef::Number(b"1.0")));
    assert_eq!(batch.event(0).get_named("a").unwrap().as_str(), Some("x\ty"));
    assert_eq!(encoded(&batch), text);
    let again = rewritten(&mut batch);
    assert_eq!(again, "{\"b\":1.0,\"a\":\"x\\ty\",\"n\":{ \"k\":[1,2 ] },\"t\":true,\"z\":null}\n");
}

#[test]
fn added_fields_are_spliced_and_changed_ones_written() {
    let mut batch = parsed("{ \"a\":1 } \n{}\n{ }\n{\"a\":1,\"a\":2}\n");
    let mut edit = batch.edit();
    let (new, a) = (edit.key("new"), edit.key("a"));
    for event in 0..4 {
        edit.set_str(event, new, "q\"");
    }
    let spliced = "{ \"a\":1 ,\"new\":\"q\\\"\"}\n{\"new\":\"q\\\"\"}\n{ \"new\":\"q\\\"\"}\n\
                   {\"a\":1,\"a\":2,\"new\":\"q\\\"\"}\n";
    assert_eq!(encoded(&batch), spliced);
    let mut edit = batch.edit();
    edit.set(0, Field::i64(a.0, 7));
    edit.remove(3, a);
    let text = encoded(&batch);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "{\"a\":7,\"new\":\"q\\\"\"}");
    assert_eq!(lines[3], "{\"new\":\"q\\\"\"}");
}

#[test]
fn other_fields_follow_the_members_unless_one_has_their_name() {
    let mut batch = lines_of("{\"host\":\"inner\",\"x\":1}\n{\"x\":2}\n");
    let mut edit = batch.edit();
    let host = edit.key("host");
    edit.set_str(0, host, "outer");
    edit.set_str(1, host, "outer");
    assert_eq!(parse(&mut Parser::new(), &mut batch), []);
    assert_eq!(encoded(&batch), "{\"host\":\"inner\",\"x\":1}\n{\"x\":2,\"host\":\"outer\"}\n");
}

#[test]
fn the_last_of_equal_keys_counts_in_the_place_of_the_first() {
    let mut batch = parsed("{\"a\":1,\"b\":2,\"\\u0061\":3}\n{\"a\":1,\"b\":2,\"\\u0061\":4}\n");
    assert_eq!(rewritten(&mut batch), "{\"a\":3,\"b\":2}\n{\"a\":4,\"b\":2}\n");
}

#[test]
fn a_document_that_is_no_object_keeps_its_field_and_is_written_whole() {
    let text = "[1, 2]\n 3.50 \n\"a\\u0062\"\nnull\n";
    let mut batch = parsed(text);
    assert_eq!(batch.event(0).get_named("message"), Some(ValueRef::Array(b"[1, 2]")));
    assert_eq!(batch.event(1).get_named("message"), Some(ValueRef::Number(b"3.50")));
    assert_eq!(batch.event(2).get_named("message").unwrap().as_str(), Some("ab"));
    assert_eq!(encoded(&batch), text);
    let mut edit = batch.edit();
    let new = edit.key("new");
    edit.set(0, Field::bool(new.0, true));
    assert!(encoded(&batch).starts_with("{\"message\":[1, 2],\"new\":true}\n 3.50 \n"));
}

#[test]
fn a_target_takes_the_whole_value() {
    let mut failures = Vec::new();
    let mut options = ParseOptions { target: Some("json"), keep_source: false };
    let mut batch = lines_of("{\"a\":[1]}\n7\n");
    Parser::new().parse_batch(&mut batch, "message", options, &mut failures);
    assert_eq!(encoded(&batch), "{\"json\":{\"a\":[1]}}\n{\"json\":7}\n");
    options.keep_source = true;
    let mut batch = lines_of("{\"a\":[1]}\n");
    Parser::new().parse_batch(&mut batch, "message", options, &mut failures);
    assert_eq!(encoded(&batch), "{\"message\":\"{\\\"a\\\":[1]}\",\"json\":{\"a\":[1]}}\n");
    options.target = Some("message");
    let mut batch = lines_of("{\"a\":[1]}\n");
    Parser::new().parse_batch(&mut batch, "message", options, &mut failures);
    assert_eq!(encoded(&batch), "{\"message\":{\"a\":[1]}}\n");
    assert_eq!(failures, []);
}

#[test]
fn text_in_the_arena_and_in_a_parsed_field_can_be_parsed() {
    let mut batch = parsed("{\"m\":\"{\\\"k\\\":1}\",\"z\":\"[2]\",\"k\":0}\n");
    let mut failures = Vec::new();
    let mut parser = Parser::new();
    parser.parse_batch(&mut batch, "m", ParseOptions::default(), &mut failures);
    assert_eq!(encoded(&batch), "{\"k\":1,\"z\":\"[2]\"}\n");
    parser.parse_batch(&mut batch, "z", ParseOptions::default(), &mut failures);
    assert_eq!(encoded(&batch), "{\"k\":1,\"z\":[2]}\n");
    assert_eq!(failures, []);
}

#[test]
fn an_event_that_cannot_be_parsed_stays_and_says_why() {
    let mut batch = lines_of("{\"a\":1}\n{\"a\":1,}\nplain\n{\"a\":\"\\ud800\"}\n{\"a");
    let mut edit = batch.edit();
    let message = edit.key("message");
    edit.set(0, Field::i64(message.0, 1));
    let failures = parse(&mut Parser::new(), &mut batch);
    let said: Vec<_> = failures.iter().map(|(event, error)| format!("{event}: {error}")).collect();
    let expected = [
        "0: the field is not text",
        "1: expected a key in quotes at byte 7, found `}`",
        "2: expected a value at byte 0, found `p`",
        "3: the escape at byte 6 is half of a surrogate pair",
        "4: expected the quote that ends the string at byte 3, found the end of the text",
    ];
    assert_eq!(said, expected);
    assert_eq!(batch.event(2).get_named("message").unwrap().as_str(), Some("plain"));
    let mut failures = Vec::new();
    Parser::new().parse_batch(&mut batch, "absent", ParseOptions::default(), &mut failures);
    assert_eq!(failures.len(), 5);
    assert_eq!(failures[0].1.kind, JsonErrorKind::MissingField);
}
