//! `lograil plugin check`: holds a plugin against the rules, in a child process.
//!
//! The child ([`child`]) says before each check what it is about to do, and afterwards how it went. So when it
//! crashes or hangs, the parent knows in which check, and goes on behind it with a new child.

mod child;
mod report;
mod sink;
mod source;
mod subject;
mod transform;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use lograil_loader::inspect;

pub(super) use child::run as run_child;
use report::{Line, Report, Verdict};

use crate::args::PluginCheckArguments;
use crate::exit::Exit;
use crate::output;

/// Lines of what a child wrote to stderr before it died that are shown.
const LAST_WORDS: usize = 6;

pub(super) fn run(arguments: &PluginCheckArguments) -> anyhow::Result<Exit> {
    let file = arguments
        .file
        .canonicalize()
        .with_context(|| format!("open {}", arguments.file.display()))?;
    let manifest = inspect(&file)?;
    let directory = Scratch::new()?;
    let mut report = Report::new(&arguments.file, &manifest);
    let mut from = Start::default();
    while let Some(next) = check_from(&from, arguments, &file, &directory.0, &mut report)? {
        from.first = next.first;
        from.without.extend(next.without);
    }
    let text = if arguments.json { report.json() } else { report.text() };
    output::answer(&text)?;
    Ok(if report.has_failed() { Exit::Failed } else { Exit::Success })
}

/// A directory of the checks' own, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("lograil-check-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What a plugin left there may be unremovable; it is in the directory for temporary files.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a child begins.
#[derive(Default)]
struct Start {
    first: usize,
    /// Components of which no instance can be made and ended: what needs one is skipped.
    without: Vec<String>,
}

/// Runs checks in a child. Gives what the next one is to go on with behind a check that this one did not survive.
fn check_from(
    from: &Start,
    arguments: &PluginCheckArguments,
    file: &Path,
    directory: &Path,
    report: &mut Report,
) -> anyhow::Result<Option<Start>> {
    let mut child = spawn(from, arguments, file, directory)?;
    let lines = follow(child.stdout.take());
    let last_words = listen(child.stderr.take());
    let patience = Duration::from_secs(arguments.timeout);
    let mut under_way: Option<(usize, Line)> = None;
    let mut at = from.first;
    loop {
        match lines.recv_timeout(patience) {
            Ok(Line::Begin { .. }) if under_way.is_some() => {}
            Ok(line @ Line::Begin { .. }) => under_way = Some((at, line)),
            Ok(Line::End { verdict }) => {
                if let Some((_, begun)) = under_way.take() {
                    report.add(begun, verdict);
                    at += 1;
                }
            }
            Ok(Line::Done) => {
                finish(&mut child, last_words);
                return Ok(None);
            }
            Err(RecvTimeoutError::Timeout) => {
                let last_words = finish(&mut child, last_words);
                let function = function_that_hangs(&last_words);
                let said = function.map_or_else(String::new, |name| format!("`{name}` "));
                let why = format!("{said}did not return within {} s", patience.as_secs());
                let next = broken(under_way, at, why, report);
                return Ok(next.map(|next| next.without_unless_made(function)));
            }
            Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait().context("wait for the checks")?;
                let mut why = match status.signal() {
                    Some(signal) => format!("crashed: {}", signal_name(signal)),
                    None => format!("ended the process: {status}"),
                };
                for line in last_words.and_then(|reader| reader.join().ok()).unwrap_or_default() {
                    why.push_str("\n  ");
                    why.push_str(&line);
                }
                let next = broken(under_way, at, why, report);
                return Ok(next.map(|next| next.without_unless_made(None)));
            }
        }
    }
}

impl Start {
    /// Of a component of which `function` hangs.
    fn without_unless_made(mut self, function: Option<&str>) -> Self {
        if !function.is_some_and(|name| ["create", "destroy", "traits", "replays"].contains(&name))
        {
            self.without.clear();
        }
        self
    }
}

/// Notes what a child died of; where to go on, and the component it was at.
fn broken(
    under_way: Option<(usize, Line)>,
    at: usize,
    why: String,
    report: &mut Report,
) -> Option<Start> {
    match under_way {
        Some((number, begun)) => {
            // Where it does not even load there is nothing to go on with.
            let goes_on = number > 0;
            let without = match &begun {
                Line::Begin { component, .. } => vec![component.clone()],
                _ => Vec::new(),
            };
            report.add(begun, Verdict::Failed(why));
            goes_on.then_some(Start { first: number + 1, without })
        }
        None => {
            let between =
                Line::Begin { component: String::new(), check: format!("after check {at}") };
            report.add(between, Verdict::Failed(why));
            None
        }
    }
}

fn spawn(
    from: &Start,
    arguments: &PluginCheckArguments,
    file: &Path,
    directory: &Path,
) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(program);
    command.args(["--log-level", "warn", "plugin", "check-child"]).arg(file);
    command.arg(format!("--first={}", from.first)).arg(format!("--timeout={}", arguments.timeout));
    for component in &from.without {
        command.arg(format!("--without={component}"));
    }
    for options in &arguments.options {
        command.arg(format!("--options={options}"));
    }
    command.current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context("start the checks")
}

/// Ends a child that has nothing left to say, or never will. Gives its last words.
fn finish(child: &mut Child, last_words: Option<JoinHandle<Vec<String>>>) -> Vec<String> {
    // It may have ended by itself.
    let _killed = child.kill();
    let _ended = child.wait();
    last_words.and_then(|reader| reader.join().ok()).unwrap_or_default()
}

/// The function that the child warned of, if it is one call that hangs.
fn function_that_hangs(last_words: &[String]) -> Option<&str> {
    let warning = last_words.iter().rfind(|line| line.contains(" has not "))?;
    warning.split('`').nth(1)
}

/// What the child says about its checks; everything else it writes is the plugin's own.
fn follow(stdout: Option<ChildStdout>) -> Receiver<Line> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            if let Some(line) = Line::parse(&line)
                && sender.send(line).is_err()
            {
                return;
            }
        }
    });
    receiver
}

fn listen(stderr: Option<ChildStderr>) -> Option<JoinHandle<Vec<String>>> {
    let mut stderr = stderr?;
    Some(std::thread::spawn(move || {
        let mut said = Vec::new();
        // What could be read before an error is all there is.
        let _read = stderr.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<String> = said.lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(LAST_WORDS)..].to_vec()
    }))
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGSEGV => "SIGSEGV (memory that is not there)".to_owned(),
        libc::SIGBUS => "SIGBUS (memory that is not there)".to_owned(),
        libc::SIGABRT => "SIGABRT (it gave up itself)".to_owned(),
        libc::SIGILL => "SIGILL (not an instruction)".to_owned(),
        libc::SIGFPE => "SIGFPE (a division by zero)".to_owned(),
        other => format!("signal {other}"),
    }
}
