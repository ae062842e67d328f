//! Where answers are printed: stdout as a table, as JSON or as CSV.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use lograil_codec::time::write_rfc3339;

use crate::args::QueryFormat;
use crate::output::use_color;

/// Stdout in one of the formats.
pub(super) struct Printer {
    out: BufWriter<Stdout>,
    pub(super) format: QueryFormat,
    pub(super) color: bool,
    has_header: bool,
}

impl Printer {
    pub(super) fn new(format: QueryFormat) -> Self {
        let stdout = io::stdout();
        let color = use_color(stdout.is_terminal());
        Self { out: BufWriter::new(stdout), format, color, has_header: false }
    }

    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }

    pub(super) fn json(&mut self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        Ok(self.line("")?)
    }

    /// A line of CSV; its header goes before the first.
    pub(super) fn csv(&mut self, header: &[&str], values: &[String]) -> io::Result<()> {
        if !self.has_header {
            self.has_header = true;
            self.out.write_all(header.join(",").as_bytes())?;
            self.out.write_all(b"\r\n")?;
        }
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.out.write_all(b",")?;
            }
            if value.contains([',', '"', '\r', '\n']) {
                write!(self.out, "\"{}\"", value.replace('"', "\"\""))?;
            } else {
                self.out.write_all(value.as_bytes())?;
            }
        }
        self.out.write_all(b"\r\n")
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A time as RFC 3339 in UTC.
pub(super) fn time(ns: i64) -> String {
    let mut text = Vec::with_capacity(32);
    write_rfc3339(ns, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Text on one line that cannot steer a terminal.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
