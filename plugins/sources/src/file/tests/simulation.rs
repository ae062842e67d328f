//! Random histories of a log file, with an oracle that knows every line that was written.

use std::time::Duration;

use serde_json::json;

use super::Rig;

/// A small generator of numbers (xorshift), so that a history follows from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct History {
    dice: Dice,
    rig: Rig,
    written: Vec<String>,
    read: Vec<String>,
    rotations: usize,
    /// Most further lines of an event.
    further_lines_max: u64,
}

impl History {
    fn new(seed: u64, include: &str) -> Self {
        let mut rig = Rig::new(json!({ "include": [include], "max_open_files": 2 }));
        rig.files.reuse_inodes();
        rig.files.write("/logs/app.log", "");
        rig.start();
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self {
            dice,
            rig,
            written: Vec::new(),
            read: Vec::new(),
            rotations: 0,
            further_lines_max: 0,
        }
    }

    /// The same with events of several lines.
    fn multiline(mut self) -> Self {
        self.rig.stop();
        self.rig.options["multiline"] = json!({ "preset": "indent", "timeout": "2s" });
        self.rig.start();
        self.further_lines_max = 6;
        self
    }

    fn write(&mut self) {
        for _ in 0..self.dice.roll(5) {
            let pad = "~".repeat(self.dice.roll(400) as usize);
            let further = self.dice.roll(self.further_lines_max + 1);
            let further = format!("\n {pad}").repeat(further as usize);
            let line = format!("{} {pad}{further}", self.written.len());
            // Sometimes in two parts, with time between them.
            if self.dice.roll(4) == 0 {
                let (a, b) = line.split_at(line.len() / 2);
                self.rig.files.append("/logs/app.log", a);
                self.wait(50);
                self.rig.files.append("/logs/app.log", format!("{b}\n"));
            } else {
                self.rig.files.append("/logs/app.log", format!("{line}\n"));
            }
            self.written.push(line);
        }
    }

    fn wait(&mut self, ms_max: u64) {
        let ms = self.dice.roll(ms_max);
        if ms > 0 {
            self.rig.pass(Duration::from_millis(ms));
        }
    }

    /// Shifts the numbered files up, as logrotate does, and drops the oldest.
    fn shift(&mut self) {
        for number in (1..4).rev() {
            let from = format!("/logs/app.log.{number}");
            if self.rig.files.exists(&from) {
                self.rig.files.mv(from, format!("/logs/app.log.{}", number + 1));
            }
        }
        self.rotations += 1;
    }

    fn rename(&mut self) {
        if !self.rig.options["include"][0].as_str().unwrap().ends_with('*') {
            // A file that has its only known name for less than a scan period cannot be found.
            self.rig.pass(Duration::from_millis(1100));
        }
        self.shift();
        self.rig.files.mv("/logs/app.log", "/logs/app.log.1");
        self.wait(20);
        self.rig.files.write("/logs/app.log", "");
    }

    fn copytruncate(&mut self) {
        self.shift();
        let content = self.rig.files.content("/logs/app.log");
        // The copy takes the place of a file that is gone, perhaps with its inode.
        self.rig.files.write("/logs/app.log.1", &content[..content.len() / 2]);
        self.wait(30);
        self.rig.files.append("/logs/app.log.1", &content[content.len() / 2..]);
        self.rig.files.truncate("/logs/app.log", 0);
    }

    fn restart(&mut self) {
        let new = self.rig.stop();
        self.read.extend(new);
        if self.dice.roll(2) == 0 {
            // Acknowledged positions are all that is left; the rest of the run goes on without a source.
            self.written_while_stopped();
        }
        self.rig.start();
    }

    fn written_while_stopped(&mut self) {
        let line = format!("{} while stopped", self.written.len());
        self.rig.files.append("/logs/app.log", format!("{line}\n"));
        self.written.push(line);
    }

    fn finish(mut self, seed: u64) {
        self.rig.pass(Duration::from_secs(60));
        let new = self.rig.stop();
        self.read.extend(new);
        assert!(self.rotations > 0, "seed {seed}: nothing was rotated");
        let mut read = self.read.clone();
        read.sort();
        read.dedup();
        let mut written = self.written;
        written.sort();
        let lost: Vec<_> =
            written.iter().filter(|line| read.binary_search(line).is_err()).collect();
        let lost: Vec<_> = lost.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert!(lost.is_empty(), "seed {seed}: lost {lost:?}");
        let repeated = self.read.len() - read.len();
        assert_eq!(repeated, 0, "seed {seed}: {} read, {} written", self.read.len(), written.len());
        assert_eq!(read, written, "seed {seed}: something was read that was not written");
    }
}

#[test]
fn renames_at_any_moment_lose_and_repeat_nothing() {
    for seed in (1..=100).chain([907]) {
        let include = if seed % 2 == 0 { "/logs/app.log" } else { "/logs/app.log*" };
        let mut history = History::new(seed, include);
        for _ in 0..40 {
            history.write();
            history.wait(700);
            match history.dice.roll(8) {
                0 => history.rename(),
                1 => history.restart(),
                _ => {}
            }
        }
        history.rename();
        history.finish(seed);
    }
}

#[test]
fn events_of_several_lines_stay_whole_through_renames_copytruncates_and_restarts() {
    for seed in 1..=100 {
        let mut history = History::new(seed, "/logs/app.log*").multiline();
        for _ in 0..40 {
            history.write();
            history.wait(700);
            match (history.dice.roll(8), seed % 2) {
                (0, 0) => history.copytruncate(),
                (0, _) => history.rename(),
                (1, _) => history.restart(),
                _ => {}
            }
        }
        history.shift();
        history.finish(seed);
    }
}

#[test]
fn copytruncates_at_any_moment_lose_and_repeat_nothing_when_the_copies_are_included() {
    for seed in 1..=100 {
        let mut history = History::new(seed, "/logs/app.log*");
        for _ in 0..40 {
            history.write();
            history.wait(700);
            match history.dice.roll(8) {
                0 => history.copytruncate(),
                1 => history.restart(),
                _ => {}
            }
        }
        history.copytruncate();
        history.finish(seed);
    }
}
