//! The file of a plugin in memory: read once, for its hash, its manifest and the system's loader.
//!
//! **Invariant:** what was examined is what is loaded, whatever becomes of the file on the disk meanwhile.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::{self, NonNull};

use sha2::{Digest, Sha256};

/// Bytes that are read, hashed and written at once: so many stay in the processor's cache, and the system need not find
/// memory for the file a second time.
const CHUNK_BYTES: usize = 128 << 10;

/// A file in memory with the bytes of another. Nobody else has it.
#[derive(Debug)]
pub(crate) struct Image {
    file: File,
    /// Where its bytes are mapped; none where it is empty.
    bytes: Option<NonNull<u8>>,
    len: usize,
}

// SAFETY: the bytes are mapped to be read, and nobody writes into the file any more.
unsafe impl Send for Image {}

impl Image {
    /// The file at `path`, and its sha256.
    pub fn read(path: &Path) -> io::Result<(Self, Sha256)> {
        // The name is shown by debuggers and in `/proc`.
        let name =
            CString::new(path.file_name().unwrap_or_default().as_bytes()).unwrap_or_default();
        // SAFETY: the name lives during the call.
        let descriptor = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let mut file = unsafe { File::from_raw_fd(descriptor) };
        let (mut source, mut hash) = (File::open(path)?, Sha256::new());
        let (mut chunk, mut len) = (vec![0; CHUNK_BYTES], 0);
        loop {
            let part = match source.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => &chunk[..read],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hash.update(part);
            file.write_all(part)?;
            len += part.len();
        }
        let bytes = map(&file, len)?;
        Ok((Self { file, bytes, len }, hash))
    }

    /// The path of the file while it is open. The system's loader knows a library by its path, so that the number of one
    /// that was loaded must not come again.
    pub fn into_path(mut self) -> io::Result<(PathBuf, File)> {
        self.unmap();
        let kept = self.file.try_clone()?;
        Ok((PathBuf::from(format!("/proc/self/fd/{}", kept.as_raw_fd())), kept))
    }

    fn unmap(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            // SAFETY: mapped by `map` with this length, and the borrow of `self` ends all borrows of the bytes.
            unsafe { libc::munmap(bytes.as_ptr().cast(), self.len) };
        }
    }
}

fn map(file: &File, len: usize) -> io::Result<Option<NonNull<u8>>> {
    if len == 0 {
        return Ok(None);
    }
    // SAFETY: a new mapping of a file that is open.
    let bytes = unsafe {
        libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
    };
    if bytes == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(bytes.cast()))
}

impl Deref for Image {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self.bytes {
            // SAFETY: `len` bytes are mapped there until `self` ends, and nobody changes them.
            Some(bytes) => unsafe { std::slice::from_raw_parts(bytes.as_ptr(), self.len) },
            None => &[],
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.unmap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_bytes_and_the_hash_that_the_file_had_when_it_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugin.so");
        for len in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7] {
            let content: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &content).unwrap();
            let (image, hash) = Image::read(&path).unwrap();
            std::fs::write(&path, "other").unwrap();
            assert_eq!(&*image, &content[..]);
            assert_eq!(hash.finalize(), Sha256::digest(&content));
            let (in_memory, _open) = image.into_path().unwrap();
            assert_eq!(std::fs::read(in_memory).unwrap(), content);
        }
        assert!(Image::read(&directory.path().join("absent.so")).is_err());
    }
}
