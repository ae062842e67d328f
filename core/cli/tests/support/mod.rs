//! Running the real program: a directory of its own, its output, its signals, its end.

#![expect(dead_code, reason = "each test file uses a part of this")]

pub mod delivered;
pub mod http;
pub mod plugins;
pub mod rsyslog;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A directory for one test; everything the program writes goes below it.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let file = fs::OpenOptions::new().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(content.as_ref()).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    /// The program, started in this directory, with no setting from outside.
    pub fn lograil(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lograil"));
        command.args(arguments).current_dir(self.0.path());
        command
            .env_remove("LOGRAIL_LOG")
            .env_remove("LOGRAIL_LOG_FORMAT")
            .env_remove("LOGRAIL_DATA_DIR");
        command.env("XDG_STATE_HOME", self.path("state"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        Finished(self.lograil(arguments).output().unwrap())
    }

    /// Runs to the end with `input` on stdin.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Finished {
        let mut child = self.lograil(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // The program may end before it has read everything, as with `| head -1`.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Finished(output)
    }

    /// Starts in the background; what it prints goes to the files `stdout` and `stderr`.
    pub fn start(&self, arguments: &[&str]) -> Background {
        let open = |name| {
            let mut options = fs::OpenOptions::new();
            options.append(true).create(true).open(self.path(name)).unwrap()
        };
        let mut command = self.lograil(arguments);
        command.stdout(open("stdout")).stderr(open("stderr"));
        Background(command.spawn().unwrap())
    }
}

/// A run that has ended.
pub struct Finished(pub Output);

impl Finished {
    pub fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    pub fn assert_success(&self) -> &Self {
        assert_eq!(self.code(), 0, "stdout:\n{}\nstderr:\n{}", self.stdout(), self.stderr());
        self
    }
}

/// A run in the background; killed when dropped.
pub struct Background(pub Child);

impl Background {
    pub fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// `kill -9`, and the end of the process.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until("the program ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Asks to stop and waits for the end.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// Waits for a condition; what is waited for is outside this process, so that there is no event to wait on.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether an optional program is there. In CI (`LOGRAIL_REQUIRE_SERVERS=1`) it must be.
pub fn has(program: &str) -> bool {
    let found = std::env::var("PATH")
        .unwrap_or_default()
        .split(':')
        .chain(["/usr/sbin"])
        .any(|dir| Path::new(dir).join(program).is_file());
    if !found {
        assert!(
            std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(),
            "{program} is not installed"
        );
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// A Python that has this module: `LOGRAIL_TEST_PYTHON`, or one of the system's. In CI (`LOGRAIL_REQUIRE_SERVERS=1`)
/// there must be one.
pub fn python_with(module: &str) -> Option<String> {
    let import = format!("import {module}");
    let has_it = |python: &String| {
        let mut command = Command::new(python);
        command.args(["-c", &import]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let systems = ["python3", "/usr/bin/python3"].map(str::to_owned);
    let found = std::env::var("LOGRAIL_TEST_PYTHON").into_iter().chain(systems).find(has_it);
    if found.is_none() {
        assert!(
            std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(),
            "no Python has the module {module}"
        );
        eprintln!("skipped: no Python has the module {module}");
    }
    found
}

/// The directory of public log data, if the run has one.
pub fn shared_data() -> Option<PathBuf> {
    let directory = std::env::var_os("LOGRAIL_SHARED_DATA").map(PathBuf::from);
    if directory.is_none() {
        assert!(
            std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(),
            "LOGRAIL_SHARED_DATA is not set"
        );
        eprintln!("skipped: LOGRAIL_SHARED_DATA is not set");
    }
    directory
}

/// A disk of its own below a directory; unmounted when dropped.
pub struct SmallDisk(PathBuf);

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The directory is temporary; all that is left to do is to try.
        let _unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Mounts a tmpfs of this size, where the user may. In CI (`LOGRAIL_REQUIRE_SERVERS=1`) it must work.
pub fn small_disk(directory: &Path, size: &str) -> Option<SmallDisk> {
    fs::create_dir_all(directory).unwrap();
    let options = format!("size={size}");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
        .arg(directory)
        .status();
    if mount.is_ok_and(|status| status.success()) {
        return Some(SmallDisk(directory.to_owned()));
    }
    assert!(std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(), "cannot mount a tmpfs");
    eprintln!("skipped: mounting a tmpfs needs root");
    None
}
