//! Calls that are made to fail, and the record of all calls.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// `errno` of a full disk.
pub const ENOSPC: i32 = 28;
/// `errno` of a broken disk.
pub const EIO: i32 = 5;
/// `errno` of too many open files.
pub const EMFILE: i32 = 24;

/// Calls the record keeps.
const LOG_MAX: usize = 100_000;

/// What was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SimOperation {
    /// `FileSystem::open`.
    Open,
    /// `File::read_at`.
    Read,
    /// `File::write_at`.
    Write,
    /// `File::set_len`.
    SetLen,
    /// `File::sync`.
    Sync,
    /// `metadata` of a path or a handle.
    Metadata,
    /// `FileSystem::canonicalize`.
    Canonicalize,
    /// `FileSystem::read_dir`.
    ReadDir,
    /// `FileSystem::rename`.
    Rename,
    /// `FileSystem::remove_file`.
    Remove,
    /// `FileSystem::create_dir_all`.
    CreateDir,
    /// `FileSystem::sync_dir`.
    SyncDir,
}

/// A call that was made. `path` is the name the handle was opened by, for calls on handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// What was called.
    pub operation: SimOperation,
    /// On what.
    pub path: PathBuf,
    /// Whether a fault was put into it.
    pub fault: bool,
}

#[derive(Debug, Clone, Copy)]
enum Effect {
    Errno(i32),
    Kind(io::ErrorKind),
    /// A read or a write does this many bytes at most.
    Short(usize),
}

type OnPath = Box<dyn Fn(&Path) -> bool + Send + Sync>;

/// Which calls fail, and how: by default all calls of a kind, with `EIO`.
pub struct Fault {
    operation: SimOperation,
    on_path: Option<OnPath>,
    skip: u64,
    times: u64,
    effect: Effect,
    loses_writes: bool,
    hits: Arc<AtomicU64>,
}

/// How often a fault struck.
#[derive(Debug, Clone)]
pub struct Hits(Arc<AtomicU64>);

impl Hits {
    /// How often the fault struck.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Fault {
    /// Every call of a kind fails with `EIO`.
    #[must_use]
    pub fn new(operation: SimOperation) -> Self {
        let effect = Effect::Errno(EIO);
        let hits = Arc::default();
        Self {
            operation,
            on_path: None,
            skip: 0,
            times: u64::MAX,
            effect,
            loses_writes: false,
            hits,
        }
    }

    /// Only where the path is this one. For a handle that is the path it was opened by.
    #[must_use]
    pub fn at(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.on_path(move |other| other == path)
    }

    /// Only where the path satisfies a condition.
    #[must_use]
    pub fn on_path(mut self, condition: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        self.on_path = Some(Box::new(condition));
        self
    }

    /// Only the `n`th such call from now, counted from 1.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        self.after(n.saturating_sub(1)).times(1)
    }

    /// Lets that many such calls pass first.
    #[must_use]
    pub fn after(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Strikes that many times and never again.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Fails with this `errno`.
    #[must_use]
    pub fn errno(mut self, errno: i32) -> Self {
        self.effect = Effect::Errno(errno);
        self
    }

    /// Fails with this kind of error.
    #[must_use]
    pub fn kind(mut self, kind: io::ErrorKind) -> Self {
        self.effect = Effect::Kind(kind);
        self
    }

    /// Does not fail but reads or writes `bytes` at most; 0 makes a write return 0.
    #[must_use]
    pub fn short(mut self, bytes: usize) -> Self {
        self.effect = Effect::Short(bytes);
        self
    }

    /// For `Sync`: what was to be made durable never will be, not by a later `sync` that succeeds either,
    /// unless it is written again. Linux does so: a failed fsync marks the pages clean.
    #[must_use]
    pub fn loses_writes(mut self) -> Self {
        self.loses_writes = true;
        self
    }

    fn strikes(&mut self, operation: SimOperation, path: &Path) -> bool {
        let meant = self.operation == operation
            && self.times > 0
            && self.on_path.as_ref().is_none_or(|condition| condition(path));
        if !meant {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        self.hits.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// All faults and the record of calls.
#[derive(Default)]
pub(crate) struct Faults {
    faults: Vec<Fault>,
    counts: BTreeMap<SimOperation, u64>,
    log: VecDeque<Logged>,
    /// Whether the last call was struck by a fault that loses writes.
    pub(crate) lost_writes: bool,
}

impl Faults {
    pub(crate) fn inject(&mut self, fault: Fault) -> Hits {
        let hits = Hits(Arc::clone(&fault.hits));
        self.faults.push(fault);
        hits
    }

    pub(crate) fn heal(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn count(&self, operation: SimOperation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or(0)
    }

    pub(crate) fn log(&self) -> Vec<Logged> {
        self.log.iter().cloned().collect()
    }

    /// Records a call and strikes it if a fault says so; the answer bounds reads and writes.
    pub(crate) fn enter(&mut self, operation: SimOperation, path: &Path) -> io::Result<usize> {
        *self.counts.entry(operation).or_default() += 1;
        let mut faults = self.faults.iter_mut();
        let fault = faults.find_map(|fault| fault.strikes(operation, path).then_some(fault));
        self.lost_writes = fault.as_ref().is_some_and(|fault| fault.loses_writes);
        let struck = fault.map(|fault| fault.effect);
        if self.log.len() == LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(Logged { operation, path: path.to_owned(), fault: struck.is_some() });
        match struck {
            None => Ok(usize::MAX),
            Some(Effect::Short(bytes)) => Ok(bytes),
            Some(Effect::Errno(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Effect::Kind(kind)) => Err(kind.into()),
        }
    }
}
