//! The file of a plugin in memory: read once, for its manifest, the system's loader and its hash.
//!
//! What is not loaded, such as debug information, is often most of a file. It is copied when the hash of the file is asked
//! for, at the latest while the plugin is at work already.
//!
//! **Invariant:** what was examined is what is loaded, whatever becomes of the file on the disk meanwhile.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use lograil_abi::SECTION;
use sha2::{Digest, Sha256};

use crate::elf::Elf;
use crate::trust::hex;

/// Bytes that are read and written, or hashed at once: so many stay in the processor's cache.
const CHUNK_BYTES: usize = 128 << 10;

/// The header of a file and more, most often with the list of its segments.
const HEAD_BYTES: usize = 4096;

/// What the system maps is made of these.
const PAGE_BYTES: usize = 4096;

/// Longest name of a file in memory.
const NAME_BYTES_MAX: usize = 249;

type Parts = fn(&Elf<'_>) -> Option<Vec<Range<usize>>>;

/// What of a file is loaded or examined. Where each part is stands in those before it.
const PARTS: [Parts; 5] = [
    |elf| elf.segment_table().map(|table| vec![table]),
    |elf| elf.segments(),
    |elf| elf.section_table().map(|table| vec![table]),
    |elf| elf.section_names().map(|names| vec![names]),
    |elf| elf.section_range(SECTION).map(|manifest| vec![manifest]),
];

/// A file in memory with the bytes of another. Nobody else has it.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    len: usize,
    /// Open until all of it is copied.
    source: Mutex<Option<File>>,
    /// When the source was changed last.
    modified: SystemTime,
    /// What is neither loaded nor examined: copied with the hash.
    rest: Vec<Range<usize>>,
    sha256: OnceLock<String>,
}

impl Image {
    /// The file at `path`, but for what of it nobody loads.
    pub fn read(path: &Path) -> io::Result<Self> {
        let source = File::open(path)?;
        let about = source.metadata()?;
        let len = usize::try_from(about.len()).map_err(io::Error::other)?;
        let modified = about.modified()?;
        let file = in_memory(path)?;
        file.set_len(len as u64)?;
        let (rest, sha256) = (Vec::new(), OnceLock::new());
        let mut image = Self { file, len, source: Mutex::default(), modified, rest, sha256 };
        match image.copy_loaded(&source)? {
            Some(copied) => image.rest = between(copied, len),
            None => image.copy(&source, 0..len)?,
        }
        if !image.rest.is_empty() {
            image.source = Mutex::new(Some(source));
        }
        Ok(image)
    }

    /// Copies what the system's loader and the reader of the manifest look at. `None` where it cannot be told.
    fn copy_loaded(&self, source: &File) -> io::Result<Option<Vec<Range<usize>>>> {
        let (view, mut copied) = (self.view()?, Vec::new());
        let mut copy = |range: Range<usize>| {
            let pages =
                range.start / PAGE_BYTES * PAGE_BYTES..range.end.next_multiple_of(PAGE_BYTES);
            let pages = pages.start..pages.end.min(self.len);
            copied.push(pages.clone());
            self.copy(source, pages)
        };
        copy(0..HEAD_BYTES.min(self.len))?;
        for parts in PARTS {
            let Some(parts) = Elf::parse(&view).ok().and_then(|elf| parts(&elf)) else {
                return Ok(None);
            };
            for part in parts {
                if part.end > self.len {
                    return Ok(None);
                }
                copy(part)?;
            }
        }
        Ok(Some(copied))
    }

    fn copy(&self, source: &File, range: Range<usize>) -> io::Result<()> {
        in_chunks(range, |chunk, at| {
            source.read_exact_at(chunk, at)?;
            self.file.write_all_at(chunk, at)
        })
    }

    /// The bytes. What is not copied yet is zero.
    pub fn view(&self) -> io::Result<View> {
        View::new(&self.file, self.len)
    }

    /// The file in memory.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its path while the image lives.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// The sha256 of the whole file in hexadecimal, which is copied to its end before. An error is not for good: a file that
    /// is being written may become again what it was.
    pub fn sha256(&self) -> io::Result<&str> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let hash = self.complete()?;
        Ok(self.sha256.get_or_init(|| hash))
    }

    fn complete(&self) -> io::Result<String> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*source {
            let before = file.metadata()?;
            // Another time alone says nothing: `touch` sets it, and `cp` may write what was there.
            let is_same = before.len() == self.len as u64
                && (before.modified()? == self.modified || self.is_as_loaded(file)?);
            if is_same {
                for range in &self.rest {
                    self.copy(file, range.clone())?;
                }
            }
            if !is_same || file.metadata()?.modified()? != before.modified()? {
                return Err(io::Error::other("it was changed after it was loaded"));
            }
            *source = None;
        }
        drop(source);
        let mut hash = Sha256::new();
        in_chunks(0..self.len, |chunk, at| {
            self.file.read_exact_at(chunk, at)?;
            hash.update(chunk);
            Ok(())
        })?;
        Ok(hex(&hash.finalize()))
    }

    /// Whether the source still has what was copied first.
    fn is_as_loaded(&self, source: &File) -> io::Result<bool> {
        let (mut own, mut is_same) = (vec![0; CHUNK_BYTES.min(self.len)], true);
        for range in between(self.rest.clone(), self.len) {
            in_chunks(range, |chunk, at| {
                let own = &mut own[..chunk.len()];
                self.file.read_exact_at(own, at)?;
                source.read_exact_at(chunk, at)?;
                is_same &= own == chunk;
                Ok(())
            })?;
        }
        Ok(is_same)
    }
}

/// The sha256 of a file that is loaded; its image is kept until it is known.
#[derive(Debug)]
pub(crate) struct Hash {
    image: Mutex<Option<Image>>,
    sha256: OnceLock<String>,
}

impl Hash {
    /// Finds it out while the caller goes on.
    pub fn of(image: Image) -> Arc<Self> {
        let hash = Arc::new(Self { image: Mutex::new(Some(image)), sha256: OnceLock::new() });
        let found = Arc::clone(&hash);
        let thread = std::thread::Builder::new().name("plugin-hash".to_owned());
        // Where there is no thread to be had, whoever asks for the hash does it.
        let _detached = thread.spawn(move || {
            let _known_to_who_asks = found.sha256();
        });
        hash
    }

    /// In hexadecimal.
    pub fn sha256(&self) -> io::Result<&str> {
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let mut image = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = &*image {
            let hash = one.sha256()?.to_owned();
            self.sha256.get_or_init(|| hash);
            *image = None;
        }
        self.sha256.get().map(String::as_str).ok_or_else(|| io::Error::other("its image is gone"))
    }
}

/// A new file in memory. Its name is shown by debuggers and in `/proc`.
fn in_memory(path: &Path) -> io::Result<File> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let name = CString::new(&name[..name.len().min(NAME_BYTES_MAX)]).unwrap_or_default();
    // SAFETY: the name lives during the call.
    let descriptor = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

/// Does something with a range of a file, a part at a time, each with its place.
fn in_chunks(
    range: Range<usize>,
    mut each: impl FnMut(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES.min(range.len())];
    let mut at = range.start;
    while at < range.end {
        let part = &mut chunk[..CHUNK_BYTES.min(range.end - at)];
        each(part, at as u64)?;
        at += part.len();
    }
    Ok(())
}

/// What lies between ranges of a file of `len` bytes.
fn between(mut ranges: Vec<Range<usize>>, len: usize) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let (mut gaps, mut end) = (Vec::new(), 0);
    for range in ranges {
        if range.start > end {
            gaps.push(end..range.start);
        }
        end = end.max(range.end);
    }
    if end < len {
        gaps.push(end..len);
    }
    gaps
}

/// The bytes of an image, mapped.
#[derive(Debug)]
pub(crate) struct View {
    /// None where there are none.
    bytes: Option<NonNull<u8>>,
    len: usize,
}

impl View {
    fn new(file: &File, len: usize) -> io::Result<Self> {
        if len == 0 {
            return Ok(Self { bytes: None, len });
        }
        // SAFETY: a new mapping of a file that is open.
        let bytes = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if bytes == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { bytes: NonNull::new(bytes.cast()), len })
    }
}

impl Deref for View {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.bytes {
            // SAFETY: `len` bytes are mapped there until `self` ends. The image is written to only by itself, between
            // two looks at its bytes.
            Some(bytes) => unsafe { std::slice::from_raw_parts(bytes.as_ptr(), self.len) },
            None => &[],
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes {
            // SAFETY: mapped by `new` with this length, and the borrow of `self` ends all borrows of the bytes.
            unsafe { libc::munmap(bytes.as_ptr().cast(), self.len) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::sha256_hex;
    use std::time::Duration;

    fn all_of(image: &Image) -> Vec<u8> {
        std::fs::read(image.path()).unwrap()
    }

    #[test]
    fn has_the_bytes_and_the_hash_that_the_file_had_when_it_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7] {
            let content: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let image = Image::read(&path).unwrap();
            std::fs::write(&path, "other").unwrap();
            assert_eq!(&*image.view().unwrap(), &content[..]);
            assert_eq!(image.sha256().unwrap(), sha256_hex(&content));
            assert_eq!(all_of(&image), content);
        }
        assert!(Image::read(&directory.path().join("absent.so")).is_err());
    }

    #[test]
    fn of_a_library_first_only_what_is_loaded_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        let content = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        std::fs::write(&path, &content).unwrap();
        let image = Image::read(&path).unwrap();
        let rest: usize = image.rest.iter().map(Range::len).sum();
        assert!(rest > content.len() / 10, "{rest} of {}", content.len());
        let before = all_of(&image);
        let elf = Elf::parse(&content).unwrap();
        for range in elf.segments().unwrap().into_iter().chain(elf.section_range(SECTION)) {
            assert_eq!(before[range.clone()], content[range]);
        }
        assert!(image.rest.iter().all(|range| before[range.clone()].iter().all(|byte| *byte == 0)));
        assert_eq!(image.sha256().unwrap(), sha256_hex(&content));
        assert!(all_of(&image) == content);
        let hash = Hash::of(Image::read(&path).unwrap());
        assert_eq!(hash.sha256().unwrap(), sha256_hex(&content));
        assert!(hash.image.lock().unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_written_as_it_was_has_the_same_hash_and_a_changed_one_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        let content = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        std::fs::write(&path, &content).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let touch = |seconds| {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        let image = Image::read(&path).unwrap();
        touch(1);
        assert_eq!(image.sha256().unwrap(), sha256_hex(&content));

        let image = Image::read(&path).unwrap();
        let loaded = between(image.rest.clone(), image.len)[0].end - 1;
        let hash = Hash { image: Mutex::new(Some(image)), sha256: OnceLock::new() };
        file.write_all_at(&[!content[loaded]], loaded as u64).unwrap();
        touch(2);
        assert!(hash.sha256().unwrap_err().to_string().contains("changed after it was loaded"));
        file.set_len(0).unwrap();
        assert!(hash.sha256().is_err());
        std::fs::write(&path, &content).unwrap();
        assert_eq!(hash.sha256().unwrap(), sha256_hex(&content));
    }

    #[test]
    fn a_long_name_of_a_file_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        for len in [249, 250, 255] {
            let path = directory.path().join("ä".repeat(len / 2) + &"x".repeat(len % 2));
            std::fs::write(&path, "content").unwrap();
            assert_eq!(&*Image::read(&path).unwrap().view().unwrap(), b"content");
        }
    }
}
