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
    let mut next = 0;
    while let Some(broken) = check_from(next, arguments, &file, &directory.0, &mut report)? {
        next = broken + 1;
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

/// Runs checks from number `first` on in a child. Gives the number of the one that it did not survive.
fn check_from(
    first: usize,
    arguments: &PluginCheckArguments,
    file: &Path,
    directory: &Path,
    report: &mut Report,
) -> anyhow::Result<Option<usize>> {
    let mut child = spawn(first, arguments, file, directory)?;
    let lines = follow(child.stdout.take());
    let last_words = listen(child.stderr.take());
    let patience = Duration::from_secs(arguments.timeout);
    let mut under_way: Option<(usize, Line)> = None;
    let mut at = first;
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
                let why = format!("did not return within {} s", patience.as_secs());
                finish(&mut child, last_words);
                return Ok(broken(under_way, at, why, report));
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
                return Ok(broken(under_way, at, why, report));
            }
        }
    }
}

/// Notes what a child died of; where to go on.
fn broken(
    under_way: Option<(usize, Line)>,
    at: usize,
    why: String,
    report: &mut Report,
) -> Option<usize> {
    match under_way {
        Some((number, begun)) => {
            // Where it does not even load there is nothing to go on with.
            let goes_on = number > 0;
            report.add(begun, Verdict::Failed(why));
            goes_on.then_some(number)
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
    first: usize,
    arguments: &PluginCheckArguments,
    file: &Path,
    directory: &Path,
) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(program);
    command.args(["--log-level", "error", "plugin", "check-child"]).arg(file);
    command.arg(format!("--first={first}"));
    for options in &arguments.options {
        command.arg(format!("--options={options}"));
    }
    command.current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context("start the checks")
}

/// Ends a child that has nothing left to say, or never will.
fn finish(child: &mut Child, last_words: Option<JoinHandle<Vec<String>>>) {
    // It may have ended by itself.
    let _killed = child.kill();
    let _ended = child.wait();
    let _heard = last_words.map(JoinHandle::join);
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
