//! Packed files, shown as what they hold: `app.log.2.gz` and `app.log.3.zst` are files of lines like any other.
//!
//! What the rest of the source sees of them, also length and identity of the content, is of the unpacked bytes.
//!
//! **Invariant:** packed files are only read. One that is still being written is not there yet.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lograil_plugin::fs::{FileId, Metadata, Open};
use lograil_plugin::{Clock, File, FileSystem};

/// How long a packed file has to be unchanged before it is read.
const QUIET_FOR: Duration = Duration::from_secs(2);
/// How far back an open packed file can be read without unpacking it anew.
const WINDOW_BYTES: usize = 512 << 10;
/// The first bytes, which are asked for again and again.
const HEAD_BYTES: usize = 4 << 10;
/// How much is unpacked at a time.
const STEP_BYTES: usize = 64 << 10;
/// Most lengths that are remembered.
const REMEMBERED_MAX: usize = 65_536;

/// Whether a path is that of a packed file, by its name.
pub fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz" || extension == "zst")
}

/// The path without what says that it is packed.
pub fn unpacked_name(path: &Path) -> PathBuf {
    if is_packed(path) { path.with_extension("") } else { path.to_path_buf() }
}

/// A length as it was found.
#[derive(Debug, Clone, Copy)]
struct Measured {
    packed_len: u64,
    modified_ns: i64,
    len: u64,
}

/// A file system with packed files unpacked.
pub struct Unpacking {
    files: Arc<dyn FileSystem>,
    clock: Arc<dyn Clock>,
    quiet_for: Duration,
    measured: Mutex<HashMap<FileId, Measured>>,
}

impl Unpacking {
    /// Shows `files`. A source that runs once does not wait for packed files to be complete.
    #[must_use]
    pub fn new(files: Arc<dyn FileSystem>, clock: Arc<dyn Clock>, once: bool) -> Self {
        let quiet_for = if once { Duration::ZERO } else { QUIET_FOR };
        Self { files, clock, quiet_for, measured: Mutex::default() }
    }

    /// Which packed bytes the length of a file was found in: how many, and when they were written.
    #[must_use]
    pub fn source_of(&self, id: FileId) -> Option<(u64, i64)> {
        self.lock().get(&id).map(|known| (known.packed_len, known.modified_ns))
    }

    /// What an earlier run found: the length of a file that is packed in these bytes.
    pub fn remember(&self, id: FileId, (packed_len, modified_ns): (u64, i64), len: u64) {
        self.lock().insert(id, Measured { packed_len, modified_ns, len });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FileId, Measured>> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metadata of a file as if it were not packed. `Ok(None)`: it is not packed.
    fn measure(&self, path: &Path, seen: Metadata) -> io::Result<Option<Metadata>> {
        if !seen.is_file || !is_packed(path) {
            return Ok(None);
        }
        let age_ns = self.clock.now_ns().saturating_sub(seen.modified_ns);
        // A time in the future says nothing.
        if (0..self.quiet_for.as_nanos() as i64).contains(&age_ns) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let known = self.lock().get(&seen.id).copied();
        if let Some(known) = known
            && known.packed_len == seen.len
            && known.modified_ns == seen.modified_ns
        {
            return Ok(Some(Metadata { len: known.len, ..seen }));
        }
        let file: Arc<dyn File> = Arc::from(self.files.open(path, Open::Read)?);
        let Some(mut stream) = Stream::open(file, path)? else { return Ok(None) };
        let mut step = vec![0; STEP_BYTES];
        let mut len = 0;
        loop {
            match stream.read(&mut step)? {
                0 => break,
                n => len += n as u64,
            }
        }
        let mut measured = self.lock();
        if measured.len() >= REMEMBERED_MAX {
            measured.clear();
        }
        let (packed_len, modified_ns) = (seen.len, seen.modified_ns);
        measured.insert(seen.id, Measured { packed_len, modified_ns, len });
        Ok(Some(Metadata { len, ..seen }))
    }
}

impl FileSystem for Unpacking {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>> {
        let file = self.files.open(path, how)?;
        let packed = file.metadata()?;
        let Some(metadata) = self.measure(path, packed)? else { return Ok(file) };
        Ok(Box::new(Unpacked {
            file: Arc::from(file),
            path: path.to_path_buf(),
            packed,
            metadata,
            reading: Mutex::default(),
        }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = self.files.metadata(path)?;
        Ok(self.measure(path, metadata)?.unwrap_or(metadata))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.canonicalize(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.read_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.files.sync_dir(path)
    }
}

/// An open packed file.
struct Unpacked {
    file: Arc<dyn File>,
    path: PathBuf,
    /// What it was when it was opened, packed and not.
    packed: Metadata,
    metadata: Metadata,
    reading: Mutex<Reading>,
}

/// How far it was unpacked.
#[derive(Default)]
struct Reading {
    stream: Option<Stream>,
    head: Vec<u8>,
    /// The last bytes that were unpacked, and where they end.
    window: Vec<u8>,
    end: u64,
}

impl Reading {
    /// Copies what is at `offset`, if it is at hand.
    fn copy(&self, buf: &mut [u8], offset: u64) -> usize {
        let start = self.end - self.window.len() as u64;
        let (bytes, from) =
            if offset >= start { (&self.window, offset - start) } else { (&self.head, offset) };
        let Some(bytes) = bytes.get(from as usize..) else { return 0 };
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        len
    }

    /// Unpacks a step further. Whether there was more.
    fn advance(&mut self) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        if self.window.len() > 2 * WINDOW_BYTES {
            self.window.drain(..self.window.len() - WINDOW_BYTES);
        }
        let len = self.window.len();
        self.window.resize(len + STEP_BYTES, 0);
        let n = stream.read(&mut self.window[len..])?;
        self.window.truncate(len + n);
        if self.end < HEAD_BYTES as u64 {
            let room = HEAD_BYTES - self.head.len();
            self.head.extend_from_slice(&self.window[len..len + n.min(room)]);
        }
        self.end += n as u64;
        Ok(n > 0)
    }
}

impl File for Unpacked {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let is_behind = offset + (reading.window.len() as u64) < reading.end;
        let in_head = offset < reading.head.len() as u64;
        if reading.stream.is_none() || (is_behind && !in_head) {
            let stream = Stream::open(Arc::clone(&self.file), &self.path)?;
            *reading = Reading { stream, ..Reading::default() };
        }
        loop {
            let n = reading.copy(buf, offset);
            if n > 0 || buf.is_empty() || !reading.advance()? {
                return Ok(n);
            }
        }
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// `NotFound` if it was written to since it was opened: then it has to be opened anew.
    fn metadata(&self) -> io::Result<Metadata> {
        if self.file.metadata()? == self.packed {
            Ok(self.metadata)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}

/// The unpacked bytes of a file, in order.
struct Stream {
    decoder: Box<dyn Read + Send>,
    path: PathBuf,
    unpacked: u64,
}

impl Stream {
    /// Nothing if the file does not begin as packed files do.
    fn open(file: Arc<dyn File>, path: &Path) -> io::Result<Option<Self>> {
        let mut magic = [0; 4];
        let mut packed = Packed { file, offset: 0 };
        let n = packed.file.read_at(&mut magic, 0)?;
        packed.offset = 0;
        let decoder: Box<dyn Read + Send> = match &magic[..n] {
            [0x1F, 0x8B, ..] => Box::new(flate2::read::MultiGzDecoder::new(packed)),
            [0x28, 0xB5, 0x2F, 0xFD] => Box::new(zstd::stream::read::Decoder::new(packed)?),
            _ => return Ok(None),
        };
        Ok(Some(Self { decoder, path: path.to_path_buf(), unpacked: 0 }))
    }

    /// 0 at the end, which is also where the rest cannot be unpacked: what is before that is whole.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.decoder.read(buf) {
                Ok(n) => {
                    self.unpacked += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What the machine says is not about the content.
                Err(error) if error.raw_os_error().is_some() => return Err(error),
                Err(error) => {
                    let path = self.path.display();
                    let unpacked = self.unpacked;
                    tracing::warn!("{path} is damaged: it ends after {unpacked} bytes: {error}");
                    return Ok(0);
                }
            }
        }
    }
}

/// The packed bytes of a file, in order.
struct Packed {
    file: Arc<dyn File>,
    offset: u64,
}

impl Read for Packed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buf, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}
