//! Real log files of many programs: every line of every file comes out or is refused with its own bytes, and
//! JSON is accepted and refused as a suite of hard cases says. What must come out is found by a reader of
//! this test's own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde_json::Value;
use support::{Finished, Place};

type Lines = Vec<Vec<u8>>;

/// The lines of a file: ends are `\n` or `\r\n`, and what follows the last one is a line unless it is empty.
fn lines_of(content: &[u8]) -> Lines {
    let mut lines: Lines = content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let rest = lines.pop().unwrap();
    for line in &mut lines {
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    lines.extend(Some(rest).filter(|rest| !rest.is_empty()));
    lines
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// All real log files and their lines.
fn real_files(data: &Path) -> BTreeMap<PathBuf, Lines> {
    let mut paths = Vec::new();
    files_below(&data.join("lnav/test"), &mut paths);
    files_below(&data.join("loghub"), &mut paths);
    let files: BTreeMap<_, _> =
        paths.into_iter().map(|path| (path.clone(), lines_of(&fs::read(path).unwrap()))).collect();
    assert!(files.len() >= 50, "only {} files", files.len());
    assert!(files.values().map(Vec::len).sum::<usize>() > 10_000);
    files
}

fn base64_decode(text: &str) -> Vec<u8> {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = letters.iter().position(|known| *known == letter).unwrap();
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

/// The bytes of a JSON string, or of the form that stands for bytes that are not UTF-8.
fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Object(object) if object.len() == 1 => {
            base64_decode(object["$bytes"].as_str().unwrap())
        }
        other => panic!("neither text nor bytes: {other}"),
    }
}

fn events(content: &[u8]) -> Vec<Value> {
    let parse = |line: &[u8]| -> Value {
        serde_json::from_slice(line)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
    };
    let lines = content.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty()).map(parse).collect()
}

/// The messages of dead letters, each of which must say why and where.
fn refused(content: &[u8]) -> Lines {
    let letters = events(content);
    for letter in &letters {
        assert!(!letter["dead_letter"]["reason"].as_str().unwrap().is_empty(), "{letter}");
        assert_eq!(letter["dead_letter"]["component_type"], "parse", "{letter}");
    }
    letters.iter().map(|letter| bytes_of(&letter["message"])).collect()
}

/// Whether a line is one JSON document, in the judgement of another parser.
fn is_json(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

fn sorted(mut lines: Lines) -> Lines {
    lines.sort();
    lines
}

/// Compares without printing megabytes.
#[track_caller]
fn assert_same(found: &[Vec<u8>], wanted: &[Vec<u8>]) {
    if let Some(at) =
        (0..found.len().max(wanted.len())).find(|at| found.get(*at) != wanted.get(*at))
    {
        let show = |lines: &[Vec<u8>]| {
            lines.get(at).map(|line| String::from_utf8_lossy(line).into_owned())
        };
        panic!(
            "{} lines instead of {}; line {at} is {:?} instead of {:?}",
            found.len(),
            wanted.len(),
            show(found),
            show(wanted)
        );
    }
}

/// A topology that reads all real files, with what follows the source.
fn run_over_all(data: &Path, rest: &str) -> Place {
    let place = Place::new();
    let data = data.display();
    let text = format!(
        "data_dir = \"data\"\n[sources.all]\ntype = \"file\"\n\
         include = [\"{data}/lnav/test/*\", \"{data}/loghub/**\"]\nfile_key = \"file\"\n{rest}"
    );
    place.write("t.toml", text);
    place.run(&["run", "--once", "t.toml"]).assert_success();
    place
}

#[test]
fn every_line_of_every_file_comes_out_as_it_was() {
    let Some(data) = support::shared_data() else { return };
    let place = run_over_all(
        &data,
        "[sinks.out]\ntype = \"file\"\ninputs = [\"all\"]\npath = \"out\"\nencoding.codec = \"raw\"\n",
    );
    // A line may end in `\r` itself, so the output is split at `\n` alone.
    let output = fs::read(place.path("out")).unwrap();
    let mut found: Lines = output.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    assert_eq!(found.pop().unwrap(), b"", "the output ends in the middle of a line");
    let wanted = real_files(&data).into_values().flatten().collect();
    assert_same(&sorted(found), &sorted(wanted));
}

#[test]
fn every_file_keeps_its_lines_and_their_order() {
    let Some(data) = support::shared_data() else { return };
    let place =
        run_over_all(&data, "[sinks.out]\ntype = \"file\"\ninputs = [\"all\"]\npath = \"out\"\n");
    let mut found: BTreeMap<PathBuf, Lines> = BTreeMap::new();
    for event in events(&fs::read(place.path("out")).unwrap()) {
        let file = PathBuf::from(event["file"].as_str().unwrap());
        found.entry(file).or_default().push(bytes_of(&event["message"]));
    }
    let mut wanted = real_files(&data);
    wanted.retain(|_, lines| !lines.is_empty());
    assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (file, lines) in &wanted {
        eprintln!("{}", file.display());
        assert_same(&found[file], lines);
    }
}

#[test]
fn each_line_is_parsed_as_json_or_refused_with_its_own_bytes() {
    let Some(data) = support::shared_data() else { return };
    let place = run_over_all(
        &data,
        r#"
[transforms.parsed]
type = "parse"
inputs = ["all"]
format = "json"

[sinks.good]
type = "file"
inputs = ["parsed"]
path = "good"

[sinks.original]
type = "file"
inputs = ["parsed"]
path = "original"
encoding.codec = "raw"

[sinks.bad]
type = "file"
inputs = ["parsed.dead_letter"]
path = "bad"
"#,
    );
    let originals = lines_of(&fs::read(place.path("original")).unwrap());
    let good = events(&fs::read(place.path("good")).unwrap());
    let bad = refused(&fs::read(place.path("bad")).unwrap());
    let all: Lines = real_files(&data).into_values().flatten().collect();
    let (are_json, are_not): (Lines, Lines) = all.into_iter().partition(|line| is_json(line));
    assert!(are_json.len() > 50, "only {} lines are JSON", are_json.len());
    assert_same(&sorted(originals.clone()), &sorted(are_json));
    assert_same(&sorted(bad), &sorted(are_not));
    assert_eq!(good.len(), originals.len());
    for (mut event, line) in good.into_iter().zip(originals) {
        let Ok(mut wanted) = serde_json::from_slice::<Value>(&line) else { continue };
        if !wanted.is_object() {
            wanted = serde_json::json!({ "message": wanted });
        }
        // The document's own `file` goes before the source's.
        if wanted.get("file").is_none() {
            event.as_object_mut().unwrap().remove("file");
        }
        assert_eq!(event, wanted, "{}", String::from_utf8_lossy(&line));
    }
}

fn pipe(arguments: &[&str], input: &[u8]) -> Finished {
    let arguments = [&["--log-level", "error", "pipe"], arguments].concat();
    Place::new().run_with(&arguments, input)
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.iter().copied().chain(Some(b'\n'))).collect()
}

#[test]
fn every_file_passes_through_a_pipe() {
    let Some(data) = support::shared_data() else { return };
    for (file, lines) in real_files(&data) {
        eprintln!("{}", file.display());
        let ran = pipe(&[], &fs::read(file).unwrap());
        assert!(ran.assert_success().0.stdout == joined(&lines));
        assert!(ran.stderr().is_empty(), "{}", ran.stderr());
    }
}

#[test]
fn every_file_is_parsed_in_a_pipe_or_refused_with_its_own_bytes() {
    let Some(data) = support::shared_data() else { return };
    for (file, lines) in real_files(&data) {
        eprintln!("{}", file.display());
        assert_parsed_or_refused(&fs::read(file).unwrap(), lines);
    }
}

/// Through `pipe --parse json`: what is JSON comes out in order, the rest goes to stderr in order.
fn assert_parsed_or_refused(input: &[u8], lines: Lines) {
    let ran = pipe(&["--parse", "json", "--format", "raw"], input);
    let (are_json, are_not): (Lines, Lines) = lines.into_iter().partition(|line| is_json(line));
    assert_same(&lines_of(&ran.assert_success().0.stdout), &are_json);
    assert_same(&refused(&ran.0.stderr), &are_not);
}

/// The documents of JSONTestSuite whose name begins with `verdict` and that fit into one line.
fn suite(data: &Path, verdict: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths = Vec::new();
    files_below(&data.join("jsontestsuite/test_parsing"), &mut paths);
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let documents = paths.iter().filter(|path| name(path).starts_with(verdict));
    let documents = documents.map(|path| (name(path), fs::read(path).unwrap()));
    documents
        .filter(|(_, content)| !content.contains(&b'\n') && !content.ends_with(b"\r"))
        .collect()
}

#[test]
fn valid_documents_of_the_suite_come_out_byte_for_byte() {
    let Some(data) = support::shared_data() else { return };
    let valid = suite(&data, "y_");
    assert!(valid.len() > 30, "{}", valid.len());
    let documents: Lines = valid.into_iter().map(|(_, content)| content).collect();
    let ran = pipe(&["--parse", "json", "--format", "raw"], &joined(&documents));
    assert_eq!(ran.assert_success().stderr(), "");
    assert_same(&lines_of(&ran.0.stdout), &documents);
}

#[test]
fn invalid_documents_of_the_suite_are_refused_with_their_own_bytes() {
    let Some(data) = support::shared_data() else { return };
    let invalid = suite(&data, "n_");
    assert!(invalid.len() > 60, "{}", invalid.len());
    let documents: Lines = invalid.into_iter().map(|(_, content)| content).collect();
    let ran = pipe(&["--parse", "json"], &joined(&documents));
    assert_eq!(ran.assert_success().stdout(), "");
    assert_same(&refused(&ran.0.stderr), &documents);
}

#[test]
fn documents_the_suite_leaves_open_are_taken_or_refused_whole() {
    let Some(data) = support::shared_data() else { return };
    let open = suite(&data, "i_");
    assert!(open.len() > 10, "{}", open.len());
    let documents: Lines = open.into_iter().map(|(_, content)| content).collect();
    let ran = pipe(&["--parse", "json", "--format", "raw"], &joined(&documents));
    let mut found = lines_of(&ran.assert_success().0.stdout);
    found.extend(refused(&ran.0.stderr));
    assert_same(&sorted(found), &sorted(documents));
}
