//! Tests of the encodings: options, text formats, raw bytes, and values that JSON has no form for.

use bytes::Bytes;
use lograil_event::{Batch, Field, FieldFlags, TIMESTAMP_UNKNOWN, Tag};

use crate::json::{ParseOptions, Parser};
use crate::lines::{self, LineOptions};
use crate::{Codec, Encoder, EncodingConfig};

const LINES: &[u8] = b"{\"level\":\"info\",\"message\":\"a \\\"b\\\"\",\"n\":{\"a b\":[1,{\"c\":\"x\\ty\"}]},\"s\":1.50}\n\
                       {\"level\":null,\"timestamp\":\"own\",\"t\":true}\n";

fn batch() -> Batch {
    let mut batch = Batch::new();
    let options = LineOptions::new("message", 1_700_000_000_000_000_000);
    lines::split(&mut batch, &Bytes::from_static(LINES), None, options);
    let mut failures = Vec::new();
    Parser::new().parse_batch(&mut batch, "message", ParseOptions::default(), &mut failures);
    assert_eq!(failures, []);
    batch
}

fn encoder(codec: Codec, format: Option<&str>) -> Encoder {
    EncodingConfig { codec, format: format.map(str::to_owned), ..EncodingConfig::default() }
        .build()
        .unwrap()
}

fn written(encoder: &mut Encoder, batch: &Batch) -> String {
    let mut out = Vec::new();
    encoder.encode(batch, &mut out);
    String::from_utf8(out).unwrap()
}

fn text(format: &str) -> String {
    written(&mut encoder(Codec::Text, Some(format)), &batch())
}

#[test]
fn a_format_fills_in_fields_paths_and_the_time() {
    assert_eq!(
        text("[{timestamp}] {level}: {message}"),
        "[2023-11-14T22:13:20Z] info: a \"b\"\n[own] null: \n"
    );
    assert_eq!(text("{n.\"a b\"[1].c}|{n.\"a b\"[-2]}|{.s}|{t}"), "x\ty|1|1.50|\n|||true\n");
    assert_eq!(text("{{{level}}} }}{{"), "{info} }{\n{null} }{\n");
    assert_eq!(text("{n}"), "{\"a b\":[1,{\"c\":\"x\\ty\"}]}\n\n");
    assert_eq!(text("{level.x}{absent}plain"), "plain\nplain\n");
    assert_eq!(text(""), "\n\n");
}

#[test]
fn a_wrong_format_is_underlined_where_it_is_wrong() {
    let wrong = |format: &str| {
        let config = EncodingConfig {
            codec: Codec::Text,
            format: Some(format.to_owned()),
            ..EncodingConfig::default()
        };
        let error = config.build().unwrap_err();
        let within = error.within.unwrap();
        format!("{} | {}", &format[within], error.message)
    };
    assert_eq!(wrong("a {b"), "{b | `{` is never closed; write `{{` for a brace");
    assert_eq!(wrong("a } b"), "} | `}` without `{`; write `}}` for a brace");
    assert!(wrong("{}").contains("expected the name of a field"));
    assert!(wrong("{a b}").starts_with(" b | expected `.`, `[` or `}`"));
    assert!(wrong("{a[x]}").starts_with("x] | expected an index"));
    assert!(wrong("{a[1}").starts_with("1 | expected an index"));
    assert!(wrong("{é.}").contains("expected the name of a field"));
    assert!(wrong("{\"a}").contains("never closed"));
}

#[test]
fn without_a_format_text_is_the_message_or_the_event() {
    let lines = written(&mut encoder(Codec::Text, None), &batch());
    assert_eq!(lines, "a \"b\"\n{\"level\":null,\"timestamp\":\"own\",\"t\":true}\n");
}

#[test]
fn raw_is_what_was_read_whatever_became_of_it() {
    let mut batch = batch();
    let mut edit = batch.edit();
    let level = edit.key("level");
    edit.set_str(0, level, "changed");
    edit.push_event(TIMESTAMP_UNKNOWN);
    edit.set_str(2, level, "new");
    let lines = written(&mut encoder(Codec::Raw, None), &batch);
    let read = std::str::from_utf8(LINES).unwrap();
    assert_eq!(lines, format!("{read}{{\"level\":\"new\"}}\n"));
}

#[test]
fn ends_are_reported_behind_each_newline() {
    for (codec, format) in [(Codec::Json, None), (Codec::Raw, None), (Codec::Text, Some("{level}"))]
    {
        let (mut out, mut ends) = (b"before".to_vec(), vec![1, 2, 3]);
        encoder(codec, format).encode_with_ends(&batch(), &mut out, &mut ends);
        assert_eq!(ends.len(), 2);
        assert_eq!(ends[1], out.len());
        assert!(ends.iter().all(|end| out[end - 1] == b'\n'));
    }
}

#[test]
fn an_encoder_follows_the_keys_of_each_batch() {
    let mut encoder = encoder(Codec::Text, Some("{b}"));
    for names in [["a", "b"], ["b", "a"]] {
        let mut batch = Batch::new();
        let mut edit = batch.edit();
        edit.push_event(0);
        for name in names {
            let key = edit.key(name);
            edit.set_str(0, key, name);
        }
        assert_eq!(written(&mut encoder, &batch), "b\n");
    }
}

#[test]
fn values_without_a_json_form_are_written_so_that_nothing_is_lost() {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    edit.push_event(0);
    let key = |edit: &mut lograil_event::BatchMut<'_>, at: u32| edit.key(&format!("k{at}")).0;
    let keys: Vec<u32> = (0..8).map(|at| key(&mut edit, at)).collect();
    let bytes = edit.push_text(b"\xFF\x00");
    let nested = edit.push_text(b"{\n\"a\":\r\n1}");
    let fields = [
        Field::text(keys[0], Tag::Bytes, bytes, FieldFlags::NONE),
        Field::f64(keys[1], f64::NAN),
        Field::f64(keys[2], f64::NEG_INFINITY),
        Field::f64(keys[3], 1.0),
        Field::f64(keys[4], 1e300),
        Field::timestamp(keys[5], 1),
        Field::scalar(keys[6], Tag::U64, u64::MAX),
        Field::text(keys[7], Tag::Object, nested, FieldFlags::NONE),
    ];
    fields.into_iter().for_each(|field| edit.set(0, field));
    let line = written(&mut encoder(Codec::Json, None), &batch);
    assert_eq!(
        line,
        "{\"k0\":{\"$bytes\":\"/wA=\"},\"k1\":null,\"k2\":null,\"k3\":1.0,\"k4\":1e+300,\
         \"k5\":\"1970-01-01T00:00:00.000000001Z\",\"k6\":18446744073709551615,\
         \"k7\":{ \"a\":\r 1}}\n"
    );
}

#[test]
fn options_have_defaults_and_refuse_what_they_do_not_know() {
    let read = |text: &str| serde_json::from_str::<EncodingConfig>(text);
    assert_eq!(read("{}").unwrap(), EncodingConfig::default());
    assert_eq!(read("{\"codec\":\"raw\"}").unwrap().codec, Codec::Raw);
    assert!(read("{\"codec\":\"yaml\"}").is_err());
    assert!(read("{\"codecs\":\"raw\"}").is_err());
    let both = EncodingConfig { format: Some("{a}".to_owned()), ..EncodingConfig::default() };
    assert_eq!(
        both.build().unwrap_err().to_string(),
        "`format` needs `codec = \"text\"`, the codec is `json`"
    );
}
