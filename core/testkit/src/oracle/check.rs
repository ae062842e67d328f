//! Compares what came out with what was written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde_json::{Value, json};

use super::line::parse;

/// What a check found. All zero but `lines`: everything arrived, once, whole and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines read from the outputs.
    pub lines: u64,
    /// Numbers that are nowhere.
    pub lost: u64,
    /// Lines whose number came before.
    pub duplicated: u64,
    /// Lines that are not exactly one line as it was written, or lack their newline.
    pub torn: u64,
    /// Lines that came, for the first time, after a higher number of their stream.
    pub out_of_order: u64,
    /// Lines of a number or a stream that was never written.
    pub unexpected: u64,
}

impl Report {
    /// Whether everything arrived, once, whole and in order.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        *self == Self { lines: self.lines, ..Self::default() }
    }

    /// The report as `oracle check` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "lines": self.lines,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "torn": self.torn,
            "out_of_order": self.out_of_order,
            "unexpected": self.unexpected,
        })
    }
}

#[derive(Debug)]
struct Stream {
    /// By number: whether it came.
    seen: Vec<bool>,
    next: u64,
}

/// A check under way: outputs are added in their order, the oldest first.
#[derive(Debug)]
pub struct Check {
    lines: u64,
    streams: BTreeMap<String, Stream>,
    report: Report,
}

impl Check {
    /// Expects the numbers from 0 to below `lines` of each of `streams`.
    #[must_use]
    pub fn new(lines: u64, streams: &[&str]) -> Self {
        let seen = vec![false; usize::try_from(lines).unwrap_or(usize::MAX)];
        let stream = |name: &&str| ((*name).to_owned(), Stream { seen: seen.clone(), next: 0 });
        let streams = streams.iter().map(stream).collect();
        Self { lines, streams, report: Report::default() }
    }

    /// Looks at one output line, with or without its newline.
    pub fn line(&mut self, bytes: &[u8]) {
        self.report.lines += 1;
        let Some(line) = parse(bytes) else {
            self.report.torn += 1;
            return;
        };
        let stream = self.streams.get_mut(line.stream).filter(|_| line.seq < self.lines);
        let Some(stream) = stream else {
            self.report.unexpected += 1;
            return;
        };
        let seen = &mut stream.seen[line.seq as usize];
        if *seen {
            self.report.duplicated += 1;
            return;
        }
        *seen = true;
        self.report.out_of_order += u64::from(line.seq < stream.next);
        stream.next = stream.next.max(line.seq + 1);
    }

    /// Looks at a whole output.
    pub fn read(&mut self, mut output: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line)? > 0 {
            if line.ends_with(b"\n") {
                self.line(&line);
            } else {
                self.report.lines += 1;
                self.report.torn += 1;
            }
            line.clear();
        }
        Ok(())
    }

    /// The result.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let seen = self.streams.values().flat_map(|stream| &stream.seen);
        self.report.lost = seen.filter(|seen| !**seen).count() as u64;
        self.report
    }

    /// The first numbers that are nowhere, by stream: for the message of a test that fails.
    #[must_use]
    pub fn first_lost(&self, limit: usize) -> Vec<(String, u64)> {
        let streams = self.streams.iter();
        let lost = streams.flat_map(|(name, stream)| {
            let seen = stream.seen.iter().enumerate();
            seen.filter(|(_, seen)| !**seen).map(move |(seq, _)| (name.clone(), seq as u64))
        });
        lost.take(limit).collect()
    }
}

/// Checks files, the oldest first, for the numbers from 0 to below `lines` of each stream.
pub fn check(
    lines: u64,
    streams: &[&str],
    outputs: impl IntoIterator<Item = impl AsRef<Path>>,
) -> io::Result<Report> {
    let mut check = Check::new(lines, streams);
    for output in outputs {
        check.read(BufReader::with_capacity(1 << 20, File::open(output)?))?;
    }
    Ok(check.finish())
}
