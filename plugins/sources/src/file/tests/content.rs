//! What lines may hold: any bytes, of any length.

use lograil_event::EventFlags;
use lograil_plugin::Port;
use lograil_testkit::SourceHarness;
use serde_json::json;

use super::{Rig, source};

#[test]
fn crlf_nul_empty_and_broken_text_are_kept() {
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", b"crlf\r\n\nnul\0nul\n\xFF\xFE\n\r\nend\n");
    rig.start();
    let expected: Vec<&[u8]> = vec![b"crlf", b"", b"nul\0nul", b"\xFF\xFE", b"", b"end"];
    assert_eq!(rig.harness().lines(), expected);
}

#[test]
fn path_and_offset_are_added_when_asked_for() {
    let mut rig = Rig::app();
    rig.options["file_key"] = json!("file");
    rig.options["offset_key"] = json!("offset");
    rig.files.write("/logs/app.log", "a\nb\n");
    rig.start();
    let events = rig.harness().events(Port::MAIN);
    assert_eq!(events[1], json!({ "message": "b", "file": "/logs/app.log", "offset": 2 }));
}

#[test]
fn lines_across_blocks_are_whole() {
    let lines: Vec<String> = (0..40).map(|i| format!("{i}-").repeat(10_000 + i * 700)).collect();
    let mut rig = Rig::app();
    rig.files.write("/logs/app.log", lines.join("\n") + "\n");
    assert_eq!(rig.once(), lines);
}

#[test]
fn a_line_over_the_limit_is_cut_once_and_its_rest_skipped_also_across_blocks_and_restarts() {
    let mut rig = Rig::app();
    rig.options["max_line_bytes"] = json!(1000);
    rig.files.write("/logs/app.log", "before\n");
    rig.files.append("/logs/app.log", vec![b'x'; 3 << 20]);
    assert_eq!(rig.start().stop(), ["before".to_owned(), "x".repeat(1000)]);
    rig.files.append("/logs/app.log", vec![b'x'; 1 << 20]);
    assert!(rig.start().stop().is_empty());
    rig.files.append("/logs/app.log", "xxx\nafter\n");
    rig.start();
    assert_eq!(rig.harness().lines(), [b"after"]);
}

#[test]
fn a_line_exactly_at_the_limit_is_whole() {
    for size in [1000, 262_143, 262_144, 1 << 20] {
        let mut rig = Rig::app();
        rig.options["max_line_bytes"] = json!(size);
        let line = "y".repeat(size);
        rig.files.write("/logs/app.log", format!("{line}\r\n{line}z\n{line}\n"));
        let mut harness =
            SourceHarness::builder(source(&rig.options)).files(rig.files.shared()).once().start();
        harness.finish().unwrap();
        assert_eq!(harness.lines(), [line.as_bytes(); 3]);
        let cut: Vec<bool> = harness
            .sent()
            .iter()
            .flat_map(|sent| sent.batch.records().to_vec())
            .map(|record| record.flags.contains(EventFlags::TRUNCATED))
            .collect();
        assert_eq!(cut, [false, true, false], "{size}");
    }
}

#[test]
fn a_line_over_the_limit_becomes_a_dead_letter_when_asked_for() {
    let mut rig = Rig::app();
    rig.options["max_line_bytes"] = json!(4);
    rig.options["oversized"] = json!("dead_letter");
    rig.files.write("/logs/app.log", "ok\n12345678\nfine\n");
    assert_eq!(rig.start().new_lines(), ["ok", "fine"]);
    let letters = rig.harness().events(Port::DEAD_LETTER);
    assert_eq!(letters[0]["message"], "1234");
    assert!(letters[0].to_string().contains("max_line_bytes"), "{}", letters[0]);
}

#[test]
fn a_line_of_100_mb_takes_bounded_memory() {
    let rig = Rig::app();
    rig.files.write("/logs/app.log", vec![b'x'; 100 << 20]);
    rig.files.append("/logs/app.log", "\nafter\n");
    let mut harness =
        SourceHarness::builder(source(&rig.options)).files(rig.files.shared()).once().start();
    harness.finish().unwrap();
    let lines = harness.lines();
    assert_eq!((lines[0].len(), &lines[1][..]), (1 << 20, &b"after"[..]));
    let held: usize = harness.sent().iter().map(|sent| sent.batch.size_bytes()).sum();
    assert!(held < 2 << 20, "{held}");
}

#[test]
fn batches_stay_within_their_bounds_and_lose_nothing() {
    let rig = Rig::app();
    let text: String = (0..50_000).map(|i| format!("{i}\n")).collect();
    rig.files.write("/logs/app.log", text.clone());
    let mut harness =
        SourceHarness::builder(source(&rig.options)).files(rig.files.shared()).once().start();
    harness.finish().unwrap();
    assert!(harness.sent().iter().all(|sent| sent.batch.len() <= 4096));
    let joined: Vec<u8> =
        harness.lines().into_iter().flat_map(|line| [line, b"\n".to_vec()].concat()).collect();
    assert_eq!(joined, text.as_bytes());
}

#[test]
fn a_checkpoint_after_any_batch_neither_loses_nor_repeats_a_line() {
    let rig = Rig::app();
    let lines: Vec<String> = (0..20_000).map(|i| format!("line {i}")).collect();
    rig.files.write("/logs/app.log", lines.join("\n") + "\n");
    let run = |positions| {
        let mut harness = SourceHarness::builder(source(&rig.options))
            .files(rig.files.shared())
            .positions(positions)
            .once()
            .start();
        harness.finish().unwrap();
        harness
    };
    let first = run(Default::default());
    let mut sent_lines = 0;
    for sends in 1..=first.sent().len() {
        sent_lines += first.sent()[sends - 1].batch.len();
        let rest = run(first.acknowledged_positions(sends)).lines();
        assert_eq!(rest.len(), lines.len() - sent_lines);
        assert!(rest.iter().zip(&lines[sent_lines..]).all(|(a, b)| a == b.as_bytes()));
    }
}
