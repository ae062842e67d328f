//! The open database, and whether its names still lead to its files.
//!
//! **Invariant:** the file is opened a second time only to stand for it (`O_PATH`): closing any other descriptor of it
//! would take the locks away that SQLite holds on it.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lograil_plugin::SinkError;
use rusqlite::{Connection, ErrorCode};

use crate::schema::{self, Unusable};

/// Symbolic links that are followed one after the other, as many as Linux follows.
const LINKS_MAX: usize = 40;

/// A database that is written to.
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) place: Place,
}

/// Where the files of a database were when it was opened.
pub(super) struct Place {
    path: PathBuf,
    id: FileId,
    /// The file, whatever it is called now.
    file: File,
    /// The log and its index.
    companions: [(PathBuf, Option<FileId>); 2],
}

/// Device and inode.
type FileId = (u64, u64);

/// What became of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    InPlace,
    /// The database is in its place, but its log or the index of that is not: others do not see what it holds.
    WithoutLog,
    /// The path leads elsewhere or nowhere; the file has another name.
    Renamed,
    /// The path leads elsewhere or nowhere; the file has no name left.
    Deleted,
}

impl Standing {
    /// Whether what is stored now is found by the path.
    pub(super) fn is_at_path(self) -> bool {
        matches!(self, Self::InPlace | Self::WithoutLog)
    }

    /// What is said of it.
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::InPlace => "the database is in its place",
            Self::WithoutLog => {
                "somebody removed the log of the database while it was written; opened it anew, nothing is lost"
            }
            Self::Renamed => {
                "somebody renamed the database while it was written; going on with what is at its path now"
            }
            Self::Deleted => {
                "somebody deleted the database while it was written; its events are gone, going on with what is at its path now"
            }
        }
    }
}

impl Database {
    /// Opens the database at a path, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self, SinkError> {
        let failed = |error: io::Error| io_failure("open", path, &error);
        let file = behind_links(path);
        let names = ["-wal", "-shm"].map(|suffix| beside(&file, suffix));
        let log = &names[0];
        let has_log = fs::metadata(log).is_ok_and(|log| log.len() > 0);
        if has_log && id_of(path).map_err(failed)?.is_none() {
            return Err(SinkError::Fatal(format!(
                "open {}: it is gone, but its log {} is there and may hold acknowledged events; \
                 move the log to where the database is now, as NAME-wal, or remove it",
                path.display(),
                log.display()
            )));
        }
        let connection = schema::open(path).map_err(|error| match error {
            Unusable::Sqlite(error) => failure("open", path, &error),
            Unusable::Foreign(why) | Unusable::Unfinished(why) => {
                SinkError::Fatal(format!("open {}: {why}", path.display()))
            }
        })?;
        match Place::of(path, names) {
            Ok(place) => Ok(Self { connection, place }),
            Err(error) => {
                empty_log(&connection);
                Err(failed(error))
            }
        }
    }

    /// Closes what is not used after all. It may have been moved, and then its log would stay and seem to hold events.
    pub(super) fn abandon(self) {
        empty_log(&self.connection);
    }

    /// Makes a file that has another name, or whose log has none, whole without its log; to be called before it is closed.
    pub(super) fn leave(&self, standing: Standing) -> Result<(), SinkError> {
        let path = &self.place.path;
        if standing != Standing::Deleted {
            let is_busy = self
                .connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
                .map_err(|error| failure("bring the log into", path, &error))?;
            if is_busy != 0 {
                return Err(SinkError::retry(format!(
                    "{}: it was moved, or its log was, while somebody reads from it",
                    path.display()
                )));
            }
        }
        if standing != Standing::WithoutLog {
            self.place
                .remove_companions()
                .map_err(|error| io_failure("remove the log of", path, &error))?;
        }
        Ok(())
    }
}

impl Place {
    fn of(path: &Path, companions: [PathBuf; 2]) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path)?;
        let id = id_of(path)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let [log, index] = companions;
        let companion = |name: PathBuf| id_of(&name).map(|id| (name, id));
        let companions = [companion(log)?, companion(index)?];
        Ok(Self { path: path.to_owned(), id, file, companions })
    }

    /// What became of the files.
    pub(super) fn standing(&self) -> Result<Standing, SinkError> {
        self.look().map_err(|error| io_failure("look for", &self.path, &error))
    }

    fn look(&self) -> io::Result<Standing> {
        if id_of(&self.path)? != Some(self.id) {
            let is_named = self.file.metadata()?.nlink() > 0;
            return Ok(if is_named { Standing::Renamed } else { Standing::Deleted });
        }
        for (name, id) in &self.companions {
            if id.is_some() && id_of(name)? != *id {
                return Ok(Standing::WithoutLog);
            }
        }
        Ok(Standing::InPlace)
    }

    /// Removes the log and its index where they still belong to this file: its successor must not take them for its own.
    fn remove_companions(&self) -> io::Result<()> {
        for (name, id) in &self.companions {
            if id.is_some() && id_of(name)? == *id {
                fs::remove_file(name)?;
            }
        }
        Ok(())
    }
}

/// Brings what is in the log into the database, as far as that is possible now.
fn empty_log(connection: &Connection) {
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    if let Err(error) = done {
        tracing::debug!(%error, "the log of a database that is not used stays");
    }
}

/// The file that a path leads to, there or not: SQLite keeps the log beside it, not beside a link to it.
fn behind_links(path: &Path) -> PathBuf {
    let mut file = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&file) else { break };
        file = file.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
    }
    file
}

/// The same for each way in which a database may be spelled, as long as its directory is there.
pub(super) fn real(path: &Path) -> PathBuf {
    let file = behind_links(path);
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new(".")).canonicalize();
    match (directory, file.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => file,
    }
}

fn beside(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn id_of(path: &Path) -> io::Result<Option<FileId>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some((metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn io_failure(action: &str, path: &Path, error: &io::Error) -> SinkError {
    SinkError::retry(format!("{action} {}: {error}", path.display()))
}

/// A lock, a full disk and the like may pass; a damaged file does not.
pub(super) fn failure(action: &str, path: &Path, error: &rusqlite::Error) -> SinkError {
    let mut reason = format!("{action} {}: {error}", path.display());
    if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) {
        // SQLite does not say which of these it is, nor of which of its three files.
        reason.push_str("; its directory must be there, and must not be read-only");
    }
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted,
        ) => SinkError::retry(reason),
        _ => SinkError::Fatal(reason),
    }
}
