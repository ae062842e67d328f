//! Files that are not UTF-8: offsets stay those of the file, whatever its text is.

use std::time::Duration;

use encoding_rs::{GBK, SHIFT_JIS, WINDOWS_1251};
use lograil_event::EventFlags;
use lograil_plugin::{ComponentMetrics, Port};
use lograil_testkit::SourceHarness;
use serde_json::json;

use super::{Rig, source};

const LOG: &str = "/logs/app.log";

fn rig(charset: &str) -> Rig {
    let mut rig = Rig::app();
    rig.options["charset"] = json!(charset);
    rig
}

fn little(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn big(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[test]
fn lines_of_utf16_keep_their_offsets_and_their_bytes() {
    for (charset, text) in [("utf-16le", little as fn(&str) -> Vec<u8>), ("utf-16be", big)] {
        let mut rig = rig(charset);
        rig.options["offset_key"] = json!("offset");
        rig.files.write(LOG, text("\u{FEFF}one\r\n\nĊ ਊ 😀\nlast"));
        rig.start();
        let expected = [("one", 0), ("", 12), ("Ċ ਊ 😀", 14)];
        let expected = expected.map(|(line, at)| json!({ "message": line, "offset": at }));
        assert_eq!(rig.harness().events(Port::MAIN), expected, "{charset}");
        let sent = rig.harness().sent();
        let events: Vec<_> = sent.iter().flat_map(|sent| sent.batch.iter()).collect();
        let origins: Vec<u64> = events.iter().map(|event| event.origin().unwrap().1).collect();
        assert_eq!(origins, [0, 12, 14], "{charset}");
        assert_eq!(events[0].raw(), Some(&text("\u{FEFF}one")[..]), "{charset}");
        assert_eq!(events[2].raw(), Some(&text("Ċ ਊ 😀")[..]), "{charset}");
        rig.files.append(LOG, text("!\n"));
        assert_eq!(rig.next_lines()[3..], ["last!"], "{charset}");
    }
}

#[test]
fn lines_of_many_charsets_are_text() {
    let text = "ERROR ошибка\nplain\n";
    for (charset, bytes) in [
        ("windows-1251", WINDOWS_1251.encode(text).0),
        ("gbk", GBK.encode(text).0),
        ("shift_jis", SHIFT_JIS.encode(text).0),
    ] {
        let mut rig = rig(charset);
        rig.files.write(LOG, &bytes);
        assert_eq!(rig.start().stop(), ["ERROR ошибка", "plain"], "{charset}");
        assert!(rig.start().next_lines().is_empty(), "{charset}");
    }
}

#[test]
fn the_byte_order_mark_of_a_file_is_no_text() {
    for charset in [None, Some("utf-8")] {
        let mut rig = Rig::app();
        rig.options["charset"] = json!(charset);
        rig.files.write(LOG, "\u{FEFF}{}\n\u{FEFF}x\n");
        rig.start();
        assert_eq!(rig.new_lines(), ["{}", "\u{FEFF}x"]);
        let origin = rig.harness().sent()[0].batch.event(0).origin().unwrap();
        assert_eq!(origin.1, 0);
    }
}

#[test]
fn what_means_nothing_is_replaced_counted_and_kept_in_the_original() {
    let rig = rig("shift_jis");
    let metrics = ComponentMetrics::detached();
    rig.files.write(LOG, b"ok\nbad \xFF \x83G\x83\nfine\n");
    let mut harness = SourceHarness::builder(source(&rig.options))
        .files(rig.files.shared())
        .metrics(metrics.clone())
        .once()
        .start();
    harness.finish().unwrap();
    let expected = ["ok", "bad \u{FFFD} エ\u{FFFD}", "fine"];
    assert_eq!(harness.lines(), expected.map(|line| line.as_bytes().to_vec()));
    assert_eq!(harness.sent()[0].batch.event(1).raw(), Some(&b"bad \xFF \x83G\x83"[..]));
    assert_eq!(metrics.counter("undecodable_lines", "").get(), 1);
}

#[test]
fn a_line_of_utf16_over_the_limit_is_cut_between_characters_and_its_rest_skipped() {
    for limit in [1000, 1001] {
        let mut rig = rig("utf-16le");
        rig.options["max_line_bytes"] = json!(limit);
        rig.files.write(LOG, little("before\n"));
        rig.files.append(LOG, little(&format!("x{}", "😀".repeat(300_000))));
        rig.files.append(LOG, b"\x0A");
        let cut = format!("x{}", "😀".repeat(249));
        assert_eq!(rig.start().stop(), ["before".to_owned(), cut], "{limit}");
        // The half of what looks like a line feed turns out to be half of something else.
        rig.files.append(LOG, b"\x01");
        assert!(rig.start().stop().is_empty());
        rig.files.append(LOG, little("zz\nafter\n"));
        rig.start();
        assert_eq!(rig.harness().lines(), [b"after"]);
    }
}

#[test]
fn a_line_of_utf16_exactly_at_the_limit_is_whole() {
    for size in [1000, 262_144, 1 << 20] {
        let mut rig = rig("utf-16be");
        rig.options["max_line_bytes"] = json!(size);
        let line = "y".repeat(size / 2);
        rig.files.write(LOG, big(&format!("{line}\r\n{line}z\n{line}\n")));
        let mut harness =
            SourceHarness::builder(source(&rig.options)).files(rig.files.shared()).once().start();
        harness.finish().unwrap();
        assert_eq!(harness.lines(), [line.as_bytes(); 3]);
        let sent = harness.sent();
        let records = sent.iter().flat_map(|sent| sent.batch.records());
        let cut: Vec<bool> = records.map(|r| r.flags.contains(EventFlags::TRUNCATED)).collect();
        assert_eq!(cut, [false, true, false], "{size}");
    }
}

#[test]
fn events_of_several_lines_are_grouped_by_what_their_text_says() {
    let text = "Ошибка 1\n  где\n  когда\nОшибка 2\n";
    for (charset, bytes) in [
        ("windows-1251", WINDOWS_1251.encode(text).0.into_owned()),
        ("utf-16le", little(&format!("\u{FEFF}{text}"))),
    ] {
        let mut rig = rig(charset);
        rig.options["multiline"] =
            json!({ "start_pattern": "^Ошибка", "continuation_pattern": "^  ", "timeout": "5s" });
        rig.files.write(LOG, bytes);
        assert_eq!(rig.start().stop(), ["Ошибка 1\n  где\n  когда"], "{charset}");
        rig.start().pass(Duration::from_secs(6));
        assert_eq!(rig.new_lines(), ["Ошибка 2"], "{charset}");
    }
}

#[test]
fn the_end_of_a_file_of_utf16_is_found_and_half_a_character_waits_for_its_other_half() {
    let mut rig = rig("utf-16le");
    rig.options["read_from"] = json!("end");
    rig.files.write(LOG, little("old\nċ"));
    rig.files.append(LOG, b"x");
    assert!(rig.start().new_lines().is_empty());
    rig.files.append(LOG, b"\0\n\0");
    assert_eq!(rig.next_lines(), ["ċx"]);
    rig.files.append(LOG, little("tail"));
    rig.files.append(LOG, b"\x0A");
    rig.stop();
    assert_eq!(rig.once(), ["tail"]);
    rig.files.append(LOG, b"\0next\0\n\0");
    assert_eq!(rig.once()[0], "", "the line feed that was half there");
}

/// Whatever pieces a file grows in and wherever the source is stopped, every line comes once and whole.
#[test]
fn no_line_is_torn_or_lost_however_the_file_grows() {
    for seed in 1..30_usize {
        let lines: Vec<String> =
            (0..200).map(|n| format!("{n} Ċਊ😀 {}", "\u{A00}".repeat(n * seed % 50))).collect();
        let bytes = little(&(lines.join("\n") + "\n"));
        let mut rig = rig("utf-16le");
        let (mut read, mut at, mut step) = (Vec::new(), 0, seed);
        rig.files.write(LOG, b"");
        rig.start();
        while at < bytes.len() {
            step = step * 31 % 1009 + 1;
            let end = (at + step).min(bytes.len());
            rig.files.append(LOG, &bytes[at..end]);
            at = end;
            if step % 3 == 0 {
                read.extend(rig.stop());
                rig.start();
            }
        }
        rig.pass_a_while();
        read.extend(rig.stop());
        assert_eq!(read, lines, "{seed}");
    }
}

#[test]
fn a_charset_that_is_said_later_holds_for_all_lines_that_come_then() {
    for (charset, text) in [("utf-16le", little as fn(&str) -> Vec<u8>), ("utf-16be", big)] {
        for limit in [3, 1000] {
            let mut rig = Rig::app();
            rig.options["max_line_bytes"] = json!(limit);
            rig.files.write(LOG, text("one\r\ntwo\n"));
            rig.start().stop();
            rig.options = json!({ "include": ["/logs/app.log*"], "charset": charset });
            rig.files.append(LOG, text("three\nfour\n"));
            assert_eq!(rig.start().stop(), ["three", "four"], "{charset} {limit}");
        }
    }
}

#[test]
fn packed_and_rotated_files_are_of_the_same_charset() {
    let mut rig = rig("utf-16le");
    let packed = zstd::encode_all(&little("1\n2\n")[..], 0).unwrap();
    rig.files.write("/logs/app.log.2.zst", packed);
    rig.clock.advance(Duration::from_secs(1));
    rig.files.write(LOG, little("3\n"));
    assert_eq!(rig.once(), ["1", "2", "3"]);
    rig.files.append(LOG, little("4\n"));
    rig.files.mv(LOG, "/logs/app.log.1");
    rig.files.write(LOG, little("5\n"));
    assert_eq!(rig.once(), ["4", "5"]);
}

#[test]
fn a_charset_nobody_knows_is_a_mistake() {
    let lograil_plugin::Build::Source(build) = super::SPEC.build else { panic!("a source") };
    let options = json!({ "include": ["/x"], "charset": "utf-17" });
    let Err(errors) = build(&lograil_plugin::Options(options)) else { panic!("it is refused") };
    assert!(format!("{errors:?}").contains("unknown charset \\\"utf-17\\\""), "{errors:?}");
}
