//! Packing backups: one is read and written compressed beside it, which then takes its place.
//!
//! **Invariant:** at every moment the whole backup is in a file under its slot. The unpacked file goes only
//! after the packed one and its name are durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lograil_plugin::fs::{FileId, Open};
use lograil_plugin::{File, FileSystem};
use schemars::JsonSchema;
use serde::Deserialize;

use super::slots::{Slots, exists};

/// How much of a backup is read at a time.
const BLOCK_BYTES: usize = 256 << 10;
/// How long packing rests after an error.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How backups are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As `path.N.gz`.
    Gzip,
    /// As `path.N.zst`.
    Zstd,
}

impl Compression {
    fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }
}

/// Packs one backup after the other.
pub(super) struct Packer {
    compression: Compression,
    current: Option<Packing>,
    /// Whether a backup may have come since none was found.
    is_due: bool,
    rest_until: Duration,
}

impl Packer {
    /// Removes what a crash left, and begins with the backups that are there.
    pub(super) fn start(
        compression: Compression,
        files: &dyn FileSystem,
        slots: &Slots,
    ) -> io::Result<Self> {
        remove_if_there(files, slots.temporary())?;
        for slot in slots.taken(files)? {
            let unpacked = slots.name(slot);
            if slot > 0 && exists(files, &unpacked)? {
                // A checkpoint may name the unpacked one.
                slots.remove_packed(files, slot)?;
            }
        }
        Ok(Self { compression, current: None, is_due: true, rest_until: Duration::ZERO })
    }

    /// Takes note of a rotation.
    pub(super) fn rotated(&mut self) {
        self.is_due = true;
    }

    /// Goes on with the backup at hand, for about so many bytes of it.
    pub(super) fn go_on(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        budget_bytes: u64,
    ) -> io::Result<u64> {
        let Some(packing) = &mut self.current else { return Ok(0) };
        let read = packing.go_on(budget_bytes)?;
        if packing.is_read {
            packing.finish(files, slots)?;
            self.current = None;
        }
        Ok(read)
    }

    /// Packs backups in slots above `fixed`, for about so many bytes: those below may be unpacked again by a
    /// restart.
    pub(super) fn work(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        fixed: u32,
        budget_bytes: u64,
        now: Duration,
    ) -> io::Result<()> {
        if now < self.rest_until {
            return Ok(());
        }
        let worked = self.pack_above(files, slots, fixed, budget_bytes);
        if worked.is_err() {
            self.rest_until = now + RETRY_AFTER;
            self.give_up(files, slots);
        }
        worked
    }

    /// Drops what is half packed.
    pub(super) fn give_up(&mut self, files: &dyn FileSystem, slots: &Slots) {
        if self.current.take().is_some() {
            // The next start removes it if this cannot.
            let _removed = files.remove_file(slots.temporary());
        }
    }

    fn pack_above(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        fixed: u32,
        budget_bytes: u64,
    ) -> io::Result<()> {
        let mut left = budget_bytes;
        loop {
            if self.current.is_none() {
                if !self.is_due {
                    return Ok(());
                }
                let Some(slot) = self.next_slot(files, slots, fixed)? else { return Ok(()) };
                self.current = Some(Packing::begin(self.compression, files, slots, slot)?);
            }
            left = left.saturating_sub(self.go_on(files, slots, left.max(1))?);
            if left == 0 {
                return Ok(());
            }
        }
    }

    fn next_slot(
        &mut self,
        files: &dyn FileSystem,
        slots: &Slots,
        fixed: u32,
    ) -> io::Result<Option<u32>> {
        let mut has_more = false;
        for slot in slots.taken(files)?.into_iter().filter(|slot| *slot > 0) {
            if exists(files, &slots.name(slot))? {
                if slot > fixed {
                    return Ok(Some(slot));
                }
                has_more = true;
            }
        }
        self.is_due = has_more;
        Ok(None)
    }
}

/// A backup that is being packed. Rotations may move it on meanwhile.
struct Packing {
    source: Box<dyn File>,
    id: FileId,
    offset: u64,
    is_read: bool,
    encoder: Encoder,
    extension: &'static str,
    temporary: PathBuf,
    target: Box<dyn File>,
    written: u64,
    block: Vec<u8>,
}

impl Packing {
    fn begin(
        compression: Compression,
        files: &dyn FileSystem,
        slots: &Slots,
        slot: u32,
    ) -> io::Result<Self> {
        let source = files.open(&slots.name(slot), Open::Read)?;
        let temporary = slots.temporary().to_owned();
        Ok(Self {
            id: source.metadata()?.id,
            source,
            offset: 0,
            is_read: false,
            encoder: Encoder::new(compression)?,
            extension: compression.extension(),
            target: files.open(&temporary, Open::CreateEmpty)?,
            temporary,
            written: 0,
            block: vec![0; BLOCK_BYTES],
        })
    }

    fn go_on(&mut self, budget_bytes: u64) -> io::Result<u64> {
        let start = self.offset;
        while !self.is_read && self.offset - start < budget_bytes {
            let n = match self.source.read_at(&mut self.block, self.offset) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.is_read = n == 0;
            self.encoder.add(&self.block[..n])?;
            self.offset += n as u64;
            self.put()?;
        }
        Ok(self.offset - start)
    }

    fn put(&mut self) -> io::Result<()> {
        let ready = self.encoder.ready();
        self.target.write_all_at(ready, self.written)?;
        self.written += ready.len() as u64;
        ready.clear();
        Ok(())
    }

    fn finish(&mut self, files: &dyn FileSystem, slots: &Slots) -> io::Result<()> {
        self.encoder.end()?;
        self.put()?;
        self.target.sync()?;
        for slot in slots.taken(files)?.into_iter().filter(|slot| *slot > 0) {
            let unpacked = slots.name(slot);
            match files.metadata(&unpacked) {
                Ok(metadata) if metadata.id == self.id => {
                    files.rename(&self.temporary, &slots.packed(slot, self.extension))?;
                    files.sync_dir(slots.directory())?;
                    return files.remove_file(&unpacked);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // It was the oldest and had to go, or somebody took it away.
        files.remove_file(&self.temporary)
    }
}

enum Encoder {
    Gzip(flate2::write::GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => {
                let level = flate2::Compression::default();
                Self::Gzip(flate2::write::GzEncoder::new(Vec::new(), level))
            }
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 0)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.try_finish(),
            Self::Zstd(encoder) => encoder.do_finish(),
        }
    }

    /// What is packed and not yet taken.
    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }
}

fn remove_if_there(files: &dyn FileSystem, path: &Path) -> io::Result<()> {
    match files.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
