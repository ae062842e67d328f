//! What the child tells the parent, and the parent the user.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use lograil_loader::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How a check went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Passed,
    /// Passed, and took so many nanoseconds an event.
    Measured(f64),
    /// Not possible here, for this reason.
    Skipped(String),
    /// For this reason.
    Failed(String),
}

/// A line of the child's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "lograil_check", rename_all = "snake_case")]
pub(super) enum Line {
    Begin { component: String, check: String },
    End { verdict: Verdict },
    Done,
}

impl Line {
    /// A line of the child's, unless the plugin wrote it.
    pub fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

struct Entry {
    component: String,
    check: String,
    verdict: Verdict,
}

/// All that was found.
pub(super) struct Report {
    file: PathBuf,
    plugin: String,
    version: String,
    entries: Vec<Entry>,
}

impl Report {
    pub fn new(file: &Path, manifest: &Manifest) -> Self {
        let (plugin, version) = (manifest.name.clone(), manifest.version.clone());
        Self { file: file.to_owned(), plugin, version, entries: Vec::new() }
    }

    /// Adds the end of a check that had begun.
    pub fn add(&mut self, begun: Line, verdict: Verdict) {
        if let Line::Begin { component, check } = begun {
            self.entries.push(Entry { component, check, verdict });
        }
    }

    fn count(&self, is_counted: impl Fn(&Verdict) -> bool) -> usize {
        self.entries.iter().filter(|entry| is_counted(&entry.verdict)).count()
    }

    fn failed(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Failed(_)))
    }

    fn skipped(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Skipped(_)))
    }

    fn passed(&self) -> usize {
        self.entries.len() - self.failed() - self.skipped()
    }

    pub fn has_failed(&self) -> bool {
        self.failed() > 0
    }

    pub fn text(&self) -> String {
        let mut text = format!("{} {}: {}\n", self.plugin, self.version, self.file.display());
        let mut component = None;
        // Writing to a string does not fail.
        for entry in &self.entries {
            if component != Some(&entry.component) && !entry.component.is_empty() {
                let _written = writeln!(text, "  {}", entry.component);
            }
            component = Some(&entry.component);
            let (word, rest) = match &entry.verdict {
                Verdict::Passed => ("ok", String::new()),
                Verdict::Measured(ns) => ("ok", format!(": {ns:.0} ns an event")),
                Verdict::Skipped(why) => ("skipped", format!(": {why}")),
                Verdict::Failed(why) => ("FAILED", format!(": {why}")),
            };
            let rest = rest.replace('\n', "\n            ");
            let _written = writeln!(text, "    {word:<8}{}{rest}", entry.check);
        }
        let (passed, failed, skipped) = (self.passed(), self.failed(), self.skipped());
        let _written = writeln!(text, "{passed} passed, {failed} failed, {skipped} skipped");
        text
    }

    pub fn json(&self) -> String {
        let checks = self.entries.iter().map(|entry| {
            let (result, detail, ns) = match &entry.verdict {
                Verdict::Passed => ("passed", None, None),
                Verdict::Measured(ns) => ("passed", None, Some(*ns)),
                Verdict::Skipped(why) => ("skipped", Some(why), None),
                Verdict::Failed(why) => ("failed", Some(why), None),
            };
            json!({
                "component": entry.component,
                "check": entry.check,
                "result": result,
                "detail": detail,
                "ns_per_event": ns,
            })
        });
        let document = json!({
            "file": self.file,
            "name": self.plugin,
            "version": self.version,
            "passed": self.passed(),
            "failed": self.failed(),
            "skipped": self.skipped(),
            "checks": checks.collect::<Vec<_>>(),
        });
        format!("{document:#}\n")
    }
}
