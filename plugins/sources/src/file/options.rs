//! The options of the `file` source, as written and as checked.

use std::time::Duration;

use lograil_plugin::schemars::{self, JsonSchema};
use lograil_plugin::{ByteSize, ConfigError, ConfigErrors, Options, Period};
use serde::{Deserialize, Serialize};

use super::family::Families;
use super::globs::Globs;
use crate::charset::{Charset, LineEnd};
use crate::line_blocks::{LineFormat, Oversized, check_line_bytes};
use crate::multiline::{Grouping, MultilineOptions};

/// Where reading starts in a file that is there when the source starts for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// At its first byte.
    #[default]
    Beginning,
    /// At its last line start. What is in it already is not read.
    End,
}

/// The options as written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "lograil_plugin::schemars")]
pub struct FileOptions {
    /// Patterns of the files to read: `*` and `?` stay within a directory, `**` goes into those below.
    pub include: Vec<String>,
    /// Patterns of files not to read, among those of `include`.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Where to start in files without a checkpoint that are there at the start. Files that appear later are
    /// read from their beginning.
    #[serde(default)]
    pub read_from: ReadFrom,
    /// Files without a checkpoint that were last changed longer ago than this many seconds are not read.
    #[serde(default)]
    pub ignore_older_secs: Option<u64>,
    /// What the files are written in, by a name of the WHATWG Encoding Standard; events are UTF-8.
    #[serde(default)]
    pub charset: Option<String>,
    /// Which lines belong to one event; without it every line is one.
    #[serde(default)]
    pub multiline: Option<MultilineOptions>,
    /// Whether all files are read one after the other, the one that was changed longest ago first. Without it
    /// only the files of one log are, and different logs in turns.
    #[serde(default)]
    pub oldest_first: bool,
    /// Longest line, without its end. With `multiline`, longest event.
    #[serde(default = "default_line_bytes")]
    pub max_line_bytes: ByteSize,
    /// What becomes of longer lines.
    #[serde(default)]
    pub oversized: Oversized,
    /// Field that takes the file's path; none if empty.
    #[serde(default)]
    pub file_key: Option<String>,
    /// Field that takes the line's offset in the file; none if empty.
    #[serde(default)]
    pub offset_key: Option<String>,
    /// Time between two looks for files that are new, renamed or gone.
    #[serde(default = "default_cooldown")]
    pub glob_minimum_cooldown: Period,
    /// Most bytes read from one file before the next one's turn.
    #[serde(default = "default_read_bytes")]
    pub max_read_bytes: ByteSize,
    /// Most files held open.
    #[serde(default = "default_open_files")]
    pub max_open_files: usize,
    /// How long a file that was renamed or deleted is watched for more after it last grew. Then its last line
    /// is taken even without a newline, and a file that is gone is closed.
    #[serde(default = "default_rotate_wait")]
    pub rotate_wait: Period,
}

fn default_line_bytes() -> ByteSize {
    ByteSize(1 << 20)
}

fn default_cooldown() -> Period {
    Period(Duration::from_secs(1))
}

fn default_read_bytes() -> ByteSize {
    ByteSize(2 << 20)
}

fn default_open_files() -> usize {
    256
}

fn default_rotate_wait() -> Period {
    Period(Duration::from_secs(30))
}

/// How files are followed.
#[derive(Debug, Clone)]
pub struct Rules {
    /// See [`FileOptions::read_from`].
    pub read_from: ReadFrom,
    /// See [`FileOptions::ignore_older_secs`].
    pub ignore_older: Option<Duration>,
    /// Whether the source reads to the present end and stops.
    pub once: bool,
    /// See [`FileOptions::glob_minimum_cooldown`].
    pub scan_period: Duration,
    /// See [`FileOptions::max_read_bytes`].
    pub max_read_bytes: u64,
    /// See [`FileOptions::oldest_first`].
    pub families: Families,
    /// See [`FileOptions::max_open_files`].
    pub max_open_files: usize,
    /// See [`FileOptions::rotate_wait`].
    pub rotate_wait: Duration,
    /// What lines end with.
    pub line_end: LineEnd,
}

/// The options, checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Which files.
    pub globs: Globs,
    /// How they are followed.
    pub rules: Rules,
    /// Which of their lines belong together, if that is asked for.
    pub grouping: Option<Grouping>,
    /// How their lines become events.
    pub format: LineFormat,
}

impl Checked {
    /// Checks options; all mistakes at once.
    pub fn new(options: &Options) -> Result<Self, ConfigErrors> {
        let written: FileOptions = options.parse()?;
        let mut errors = Vec::new();
        if written.include.is_empty() {
            errors.push(
                ConfigError::new(["include"], "no file is included")
                    .help("name at least one file or pattern: include = [\"/var/log/*.log\"]"),
            );
        }
        check_line_bytes(written.max_line_bytes, &mut errors);
        let charset = Charset::check(written.charset.as_deref(), &mut errors);
        if written.max_open_files == 0 {
            errors.push(ConfigError::new(["max_open_files"], "at least one file must be open"));
        }
        let file_key = written.file_key.filter(|key| !key.is_empty());
        let offset_key = written.offset_key.filter(|key| !key.is_empty());
        for (option, key) in [("file_key", &file_key), ("offset_key", &offset_key)] {
            if key.as_deref() == Some("message")
                || (option == "offset_key" && key.is_some() && *key == file_key)
            {
                let message = "this field is taken";
                errors.push(ConfigError::new([option], message).help("choose another name"));
            }
        }
        let event_bytes_max = written.max_line_bytes.0 as usize;
        let grouping = written.multiline.as_ref();
        let grouping = grouping.and_then(|options| options.check(event_bytes_max, &mut errors));
        let grouping = grouping.map(|grouping| grouping.with_charset(charset));
        let globs = Globs::new(&written.include, &written.exclude);
        let globs = match globs {
            Ok(globs) if errors.is_empty() => globs,
            Ok(_) => return Err(ConfigErrors(errors)),
            Err(more) => {
                errors.extend(more);
                return Err(ConfigErrors(errors));
            }
        };
        Ok(Self {
            globs,
            rules: Rules {
                read_from: written.read_from,
                ignore_older: written.ignore_older_secs.map(Duration::from_secs),
                once: false,
                scan_period: written.glob_minimum_cooldown.0.max(Duration::from_millis(10)),
                max_read_bytes: written.max_read_bytes.0.max(1),
                families: if written.oldest_first { Families::One } else { Families::ByName },
                max_open_files: written.max_open_files,
                rotate_wait: written.rotate_wait.0,
                line_end: charset.line_end(),
            },
            grouping,
            format: LineFormat {
                charset,
                line_bytes_max: event_bytes_max,
                oversized: written.oversized,
                file_key,
                offset_key,
            },
        })
    }
}
