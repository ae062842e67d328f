//! The oracle itself: it sees every kind of fault, and its writer makes none.

use std::collections::BTreeSet;

use super::*;

fn line(seq: u64) -> Vec<u8> {
    let mut line = Vec::new();
    write_line(&mut line, "app", seq);
    line
}

fn report_of(output: &[Vec<u8>], lines: u64) -> Report {
    let mut check = Check::new(lines, &["app"]);
    check.read(output.concat().as_slice()).unwrap();
    check.finish()
}

#[test]
fn a_line_is_found_inside_json_and_behind_a_prefix() {
    let plain = line(7);
    let text = std::str::from_utf8(&plain).unwrap().trim_end();
    assert_eq!(parse(&plain), Some(Line { stream: "app", seq: 7 }));
    let json = serde_json::json!({ "message": text, "file": "/a" }).to_string();
    assert_eq!(parse(json.as_bytes()), Some(Line { stream: "app", seq: 7 }));
    assert_eq!(parse(format!("[INFO] {text}").as_bytes()), Some(Line { stream: "app", seq: 7 }));
}

#[test]
fn every_cut_and_every_changed_byte_is_seen() {
    let whole = line(12345);
    for cut in 0..whole.len() - 1 {
        assert_eq!(parse(&whole[..cut]), None, "cut at {cut}");
    }
    for at in 0..whole.len() - 1 {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert_eq!(parse(&damaged), None, "changed at {at}");
    }
    let joined = [&whole[..20], &line(2)].concat();
    assert_eq!(parse(&joined), None, "the head of one line before another");
    assert_eq!(parse(&[line(1), line(2)].concat()), None, "two lines in one");
}

#[test]
fn lines_have_many_lengths() {
    let lengths: BTreeSet<usize> = (0..1000).map(|seq| line(seq).len()).collect();
    assert!(lengths.len() > 100, "{}", lengths.len());
}

#[test]
fn each_fault_is_counted_as_what_it_is() {
    let all: Vec<_> = (0..10).map(line).collect();
    assert_eq!(report_of(&all, 10), Report { lines: 10, ..Report::default() });
    assert!(report_of(&all, 10).is_perfect());
    let of = |seqs: &[u64]| seqs.iter().map(|seq| line(*seq)).collect::<Vec<_>>();
    let expect = |lines, report| Report { lines, ..report };
    assert_eq!(report_of(&of(&[0, 1, 3]), 4), expect(3, Report { lost: 1, ..Report::default() }));
    assert_eq!(
        report_of(&of(&[0, 1, 0, 1, 2]), 3),
        expect(5, Report { duplicated: 2, ..Report::default() })
    );
    assert_eq!(
        report_of(&of(&[0, 2, 1, 3]), 4),
        expect(4, Report { out_of_order: 1, ..Report::default() })
    );
    assert_eq!(
        report_of(&of(&[0, 1, 99]), 2),
        expect(3, Report { unexpected: 1, ..Report::default() })
    );
    let torn = [line(0), b"\n".to_vec(), line(1)[..30].to_vec(), line(2), line(3)[..30].to_vec()];
    assert_eq!(report_of(&torn, 4), expect(4, Report { torn: 3, lost: 3, ..Report::default() }));
}

#[test]
fn an_expected_stream_that_is_missing_is_lost_and_streams_are_ordered_apart() {
    let mut check = Check::new(2, &["a", "b", "c"]);
    for (stream, seq) in [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("d", 0)] {
        let mut line = Vec::new();
        write_line(&mut line, stream, seq);
        check.line(&line);
    }
    assert_eq!(check.first_lost(9), [("c".to_owned(), 0), ("c".to_owned(), 1)]);
    let expected = Report { lines: 5, lost: 2, unexpected: 1, ..Report::default() };
    assert_eq!(check.finish(), expected);
}

/// Writes 500 lines with rotation and gives the files, the oldest first.
fn written(rotate: Rotate) -> (tempfile::TempDir, Vec<std::path::PathBuf>, u64) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let mut writer = Writer::open(&path, "app", rotate, 5_000).unwrap().split_every(3);
    writer.write_lines(500).unwrap();
    let rotations = writer.rotations();
    let old = (1..=rotations).rev().map(|n| directory.path().join(format!("app.log.{n}")));
    let files = old.filter(|path| path.exists()).chain([path]).collect();
    (directory, files, rotations)
}

#[test]
fn rotated_files_hold_every_line_once_and_in_order() {
    for rotate in [Rotate::Never, Rotate::Create, Rotate::CopyTruncate] {
        let (_directory, files, rotations) = written(rotate);
        assert_eq!(files.len() as u64, rotations + 1);
        assert_eq!(rotations > 5, rotate != Rotate::Never);
        let report = check(500, &["app"], &files).unwrap();
        assert_eq!(report, Report { lines: 500, ..Report::default() }, "{rotate:?}");
    }
}

#[test]
fn truncation_loses_what_nobody_read() {
    let (_directory, files, rotations) = written(Rotate::Truncate);
    assert!(rotations > 5 && files.len() == 1);
    assert!(check(500, &["app"], &files).unwrap().lost > 300);
}

#[test]
fn a_writer_goes_on_where_another_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let open = || Writer::open(&path, "app", Rotate::Never, 0).unwrap();
    open().write_lines(3).unwrap();
    open().starting_at(3).write_lines(2).unwrap();
    assert!(check(5, &["app"], [&path]).unwrap().is_perfect());
}
