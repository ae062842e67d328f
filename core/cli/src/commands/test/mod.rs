//! `lograil test`: runs the `[[tests]]` of topologies.

mod bench;
mod compare;
mod events;
mod update;

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use lograil_config::{Plan, SourceFile, TestCase};
use serde_json::{Value, json};

use crate::args::TestArguments;
use crate::catalogue::set_limits;
use crate::exit::Exit;
use crate::{output, topology};

/// What became of one case.
struct Verdict {
    name: String,
    /// What is wrong; nothing if it passed.
    failures: Vec<String>,
    /// For each expected list of events, what really came: what `--update` writes.
    came: Vec<Option<Vec<Value>>>,
    index_in_file: usize,
}

pub(crate) fn run(arguments: &TestArguments) -> anyhow::Result<Exit> {
    let mut files = Vec::new();
    for path in &arguments.files {
        topology::expand(path, &mut files)?;
    }
    let mut report = Report { json: arguments.json, ..Report::default() };
    for path in &files {
        run_file(path, arguments, &mut report)?;
    }
    report.finish()
}

fn run_file(path: &Path, arguments: &TestArguments, report: &mut Report) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let Some(mut verdicts) = judge_file(&name, path, arguments)? else {
        report.invalid(&name);
        return Ok(());
    };
    let failed = |verdict: &Verdict| !verdict.failures.is_empty();
    let before: Vec<bool> = verdicts.iter().map(failed).collect();
    if arguments.update && before.contains(&true) {
        update::write(path, &verdicts)?;
        // Conditions, and outputs that should be silent, are for a person to mend.
        verdicts = judge_file(&name, path, arguments)?.unwrap_or(verdicts);
    }
    let words = verdicts.iter().zip(before).map(|(verdict, failed_before)| {
        match (failed(verdict), failed_before) {
            (true, _) => "FAILED",
            (false, true) => "updated",
            (false, false) => "ok",
        }
    });
    let words: Vec<_> = words.collect();
    report.file(&name, &verdicts, &words)
}

/// The verdicts on all cases of a file, which is a topology of its own; none if it has mistakes, which are told.
fn judge_file(
    name: &str,
    path: &Path,
    arguments: &TestArguments,
) -> anyhow::Result<Option<Vec<Verdict>>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read topology {name}"))?;
    let file = SourceFile { name: name.to_owned(), text };
    let loaded = topology::check(vec![file], arguments.sets.clone())?;
    let Some(plan) = &loaded.plan else {
        topology::report(&loaded);
        return Ok(None);
    };
    set_limits(&plan.global.plugins);
    Ok(Some(loaded.tests.iter().map(|case| judge(plan, case)).collect()))
}

fn judge(plan: &Plan, case: &TestCase) -> Verdict {
    let mut verdict = Verdict {
        name: case.name.clone(),
        failures: Vec::new(),
        came: Vec::new(),
        index_in_file: case.index_in_file,
    };
    match bench::run(plan, case) {
        Ok(outputs) => {
            for expected in &case.outputs {
                let came = outputs.from(plan, &expected.extract_from);
                verdict.failures.extend(compare::output(expected, &came));
                verdict.came.push(expected.events.is_some().then_some(came));
            }
            for silent in &case.no_outputs_from {
                verdict.failures.extend(compare::silent(silent, &outputs.from(plan, silent)));
            }
        }
        Err(reason) => verdict.failures.push(reason),
    }
    verdict
}

/// What is told at the end, and on the way.
#[derive(Default)]
struct Report {
    json: bool,
    passed: usize,
    failed: usize,
    invalid: Vec<String>,
    cases: Vec<Value>,
}

impl Report {
    fn invalid(&mut self, file: &str) {
        self.invalid.push(file.to_owned());
    }

    fn file(&mut self, file: &str, verdicts: &[Verdict], words: &[&str]) -> anyhow::Result<()> {
        for (verdict, word) in verdicts.iter().zip(words) {
            let passed = verdict.failures.is_empty();
            if passed {
                self.passed += 1
            } else {
                self.failed += 1
            }
            if self.json {
                let (name, failures) = (&verdict.name, &verdict.failures);
                self.cases.push(
                    json!({ "file": file, "name": name, "passed": passed, "failures": failures }),
                );
                continue;
            }
            output::answer(&format!("{} {file}: {}\n", paint(word, passed), verdict.name))?;
            if !passed {
                for failure in &verdict.failures {
                    output::answer(&format!("{failure}\n"))?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<Exit> {
        let Self { json, passed, failed, invalid, cases } = self;
        if json {
            let document =
                json!({ "passed": passed, "failed": failed, "invalid": invalid, "tests": cases });
            output::answer(&format!("{document:#}\n"))?;
        } else {
            let broken = match invalid.len() {
                0 => String::new(),
                1 => ", 1 file is not a valid topology".to_owned(),
                n => format!(", {n} files are not valid topologies"),
            };
            output::answer(&format!("{passed} passed, {failed} failed{broken}\n"))?;
        }
        Ok(if failed == 0 && invalid.is_empty() { Exit::Success } else { Exit::Failed })
    }
}

fn paint(word: &str, good: bool) -> String {
    if !output::use_color(std::io::stdout().is_terminal()) {
        return word.to_owned();
    }
    format!("\u{1b}[{}m{word}\u{1b}[0m", if good { 32 } else { 31 })
}
