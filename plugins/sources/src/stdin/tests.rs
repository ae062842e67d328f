//! The `stdin` source on pipes that tests hold the other end of.

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lograil_event::EventFlags;
use lograil_plugin::{Options, Port};
use lograil_testkit::SourceHarness;
use serde_json::json;

use super::{Input, StdinSource};

fn harness(options: serde_json::Value, input: impl Read + Send + 'static) -> SourceHarness {
    let source = StdinSource::new(&Options(options), Input::Of(Box::new(input))).unwrap();
    SourceHarness::builder(Box::new(source)).on_own_thread().start()
}

fn read_all(options: serde_json::Value, input: impl Read + Send + 'static) -> SourceHarness {
    let mut harness = harness(options, input);
    harness.finish().unwrap();
    harness
}

fn text(lines: &[Vec<u8>]) -> Vec<&str> {
    lines.iter().map(|line| std::str::from_utf8(line).unwrap()).collect()
}

/// Gives at most so many bytes a read.
struct Dribble<R>(R, usize);

impl<R: Read> Read for Dribble<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len().min(self.1);
        self.0.read(&mut buf[..len])
    }
}

#[test]
fn a_typed_line_comes_out_before_the_next_is_typed() {
    let (read, mut write) = io::pipe().unwrap();
    let mut harness = harness(json!({}), read);
    for line in ["one", "two", ""] {
        write.write_all(line.as_bytes()).unwrap();
        write.write_all(b"\n").unwrap();
        assert_eq!(text(&harness.next_lines(1)), [line]);
    }
    write.write_all(b"last").unwrap();
    drop(write);
    assert_eq!(text(&harness.next_lines(1)), ["last"]);
    harness.finish().unwrap();
}

#[test]
fn stops_although_the_read_does_not_return() {
    let (read, mut write) = io::pipe().unwrap();
    let mut harness = harness(json!({}), read);
    write.write_all(b"one\npartial").unwrap();
    assert_eq!(text(&harness.next_lines(1)), ["one"]);
    harness.stop().unwrap();
    drop(write);
}

#[test]
fn lines_come_out_as_they_went_in_whatever_the_reads() {
    let mut input = Vec::new();
    for i in 0..3000_usize {
        input.extend(std::iter::repeat_n(b'a' + (i % 26) as u8, i * 7 % 900));
        input.extend_from_slice(if i % 3 == 0 { b"\r\n" } else { b"\n" });
    }
    input.extend_from_slice(&vec![b'x'; 600_000]);
    input.extend_from_slice(b"\n\xFF\n");
    let expected: Vec<Vec<u8>> = input[..input.len() - 1]
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec())
        .collect();
    for size in [7, 1000, 65_536, 1 << 20] {
        let harness = read_all(json!({}), Dribble(Cursor::new(input.clone()), size));
        assert!(harness.lines() == expected, "reads of {size}");
        for sent in harness.sent() {
            for event in sent.batch.iter() {
                let (stream, offset) = event.origin().unwrap();
                let line = event.raw().unwrap();
                assert_eq!(stream, 0);
                assert!(input[offset as usize..].starts_with(line));
            }
        }
    }
}

#[test]
fn lines_over_the_limit_are_cut_and_their_rest_is_skipped() {
    let mut input = b"short\n".to_vec();
    input.extend_from_slice(&vec![b'x'; 3 << 20]);
    input.extend_from_slice(b"\nafter\n");
    input.extend_from_slice(&vec![b'y'; 1 << 20]);
    for size in [1000, 65_536, 1 << 20] {
        let options = json!({ "max_line_bytes": 100 });
        let harness = read_all(options, Dribble(Cursor::new(input.clone()), size));
        let lines = harness.lines();
        let (x, y) = ("x".repeat(100), "y".repeat(100));
        assert_eq!(text(&lines), ["short", &x, "after", &y], "reads of {size}");
        let cut: Vec<bool> = harness
            .sent()
            .iter()
            .flat_map(|sent| sent.batch.records().to_vec())
            .map(|record| record.flags.contains(EventFlags::TRUNCATED))
            .collect();
        assert_eq!(cut, [false, true, false, true]);
        let origins: Vec<u64> = harness
            .sent()
            .iter()
            .flat_map(|sent| sent.batch.iter().map(|e| e.origin().unwrap().1).collect::<Vec<_>>())
            .collect();
        assert_eq!(origins, [0, 6, 6 + (3 << 20) + 1, 6 + (3 << 20) + 7]);
    }
}

#[test]
fn a_line_over_the_limit_becomes_a_dead_letter_when_asked_for() {
    let options = json!({ "max_line_bytes": 4, "oversized": "dead_letter" });
    let harness = read_all(options, Cursor::new(b"ok\n12345678\nfine\n"));
    assert_eq!(text(&harness.lines()), ["ok", "fine"]);
    assert_eq!(harness.events(Port::DEAD_LETTER)[0]["message"], "1234");
}

/// Counts the bytes that were read.
struct Counted<R>(R, Arc<AtomicUsize>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buf)?;
        self.1.fetch_add(n, Ordering::SeqCst);
        Ok(n)
    }
}

#[test]
fn blocks_grow_while_the_edges_are_full() {
    let line = "-".repeat(50) + "\n";
    let read = Arc::new(AtomicUsize::new(0));
    let input = Dribble(Cursor::new(line.repeat(40_000).into_bytes()), 65_536);
    let source = StdinSource::new(
        &Options(json!({})),
        Input::Of(Box::new(Counted(input, Arc::clone(&read)))),
    );
    let builder = SourceHarness::builder(Box::new(source.unwrap())).held().on_own_thread();
    let mut harness = builder.start();
    // One block is being sent, two wait, and the one after them is filled.
    while read.load(Ordering::SeqCst) < 400_000 {
        std::thread::yield_now();
    }
    harness.release();
    harness.finish().unwrap();
    assert_eq!(harness.lines().len(), 40_000);
    let largest = harness.sent().iter().map(|sent| sent.batch.len()).max().unwrap();
    assert!(largest > 3000, "{largest} events, more than one read brings");
}

#[test]
fn an_empty_input_ends_at_once() {
    assert!(read_all(json!({}), Cursor::new(b"")).sent().is_empty());
}

#[test]
fn a_broken_input_is_an_error_after_what_was_read() {
    struct Broken(u8);
    impl Read for Broken {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 {
                return Err(io::Error::other("broken"));
            }
            buf[..4].copy_from_slice(b"one\n");
            Ok(4)
        }
    }
    let mut harness = harness(json!({}), Broken(0));
    let error = harness.finish().unwrap_err();
    assert!(error.contains("read standard input: broken"), "{error}");
    assert_eq!(text(&harness.lines()), ["one"]);
}

#[test]
fn the_manual_and_the_options_agree() {
    lograil_testkit::conformance::manual(&super::SPEC);
    lograil_testkit::conformance::options(&super::SPEC, &json!({ "max_line_bytes": "64 KiB" }));
}

#[test]
fn lines_that_belong_together_are_one_event_whatever_the_reads() {
    let mut input = String::new();
    let mut expected = Vec::new();
    for n in 0..500 {
        let frames = "\tat com.shop.Orders.find(Orders.java:42)\n".repeat(n % 7);
        let event = format!("{n} ERROR failed\njava.lang.IllegalStateException: {n}\n{frames}");
        input.push_str(&event);
        expected.push(event.trim_end().to_owned());
    }
    for size in [3, 1000, 1 << 20] {
        let options = json!({ "multiline": { "preset": "java" } });
        let harness = read_all(options, Dribble(Cursor::new(input.clone()), size));
        assert_eq!(text(&harness.lines()), expected, "reads of {size}");
        let origins: Vec<u64> = harness
            .sent()
            .iter()
            .flat_map(|sent| sent.batch.iter().map(|e| e.origin().unwrap().1).collect::<Vec<_>>())
            .collect();
        assert_eq!(origins[1], expected[0].len() as u64 + 1);
        assert_eq!(origins.len(), 500);
    }
}

#[test]
fn an_open_event_ends_with_the_input_and_before_a_line_over_the_limit() {
    let options = json!({ "multiline": { "preset": "indent" }, "max_line_bytes": 20 });
    let long = " ".repeat(300_000);
    let input = format!("a\n b\n{long}\n c\nd\n e");
    let harness = read_all(options, Cursor::new(input));
    assert_eq!(text(&harness.lines()), ["a\n b", &long[..20], " c", "d\n e"]);
}

#[test]
fn an_open_event_is_taken_when_nothing_follows_in_time() {
    let (read, mut write) = io::pipe().unwrap();
    let mut harness = harness(json!({ "multiline": { "preset": "indent" } }), read);
    write.write_all(b"a\n b\nc\n").unwrap();
    assert_eq!(text(&harness.next_lines(1)), ["a\n b"]);
    assert_eq!(text(&harness.next_lines(1)), ["c"]);
    write.write_all(b" d\n").unwrap();
    drop(write);
    assert_eq!(text(&harness.next_lines(1)), [" d"]);
    harness.finish().unwrap();
}

#[test]
fn utf16_comes_out_as_its_lines_whatever_the_reads() {
    let lines: Vec<String> =
        (0..2000).map(|n| format!("{n} Ċਊ😀 {}", "\u{A00}\u{D0A}".repeat(n * 7 % 400))).collect();
    let whole = format!("\u{FEFF}{}\r\n{}\nend", lines.join("\r\n"), "\u{A0A}".repeat(700_000));
    let input: Vec<u8> = whole.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for size in [7, 1000, 65_536, 1 << 20] {
        let options = json!({ "charset": "utf-16be" });
        let harness = read_all(options, Dribble(Cursor::new(input.clone()), size));
        let got = harness.lines();
        let got = text(&got);
        assert!(got[..2000] == lines, "reads of {size}");
        assert_eq!(
            (got[2000].chars().count(), got[2001]),
            (1 << 19, "end"),
            "cut, the rest skipped"
        );
        let sent = harness.sent();
        for event in sent.iter().flat_map(|sent| sent.batch.iter()) {
            let (line, at) = (event.raw().unwrap(), event.origin().unwrap().1);
            assert!(input[at as usize..].starts_with(line), "reads of {size}");
        }
    }
}
