//! Sockets in the file system: made, given their permissions, and removed at the end.
//!
//! **Invariant:** removes nothing but a socket that nobody listens on, or its own.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};

use super::options::UnixPath;

/// A socket of ours in the file system; removed when this is dropped.
pub(super) struct Bound(Option<(PathBuf, u64)>);

impl Bound {
    /// For sockets that are not in the file system.
    pub fn none() -> Self {
        Self(None)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let Some((path, inode)) = self.0.take() else { return };
        // Another may have taken the name.
        if fs::symlink_metadata(&path).is_ok_and(|now| now.ino() == inode) {
            let _removed = fs::remove_file(&path);
        }
    }
}

/// The same for each way in which a path may be spelled, as long as its directory is there.
pub(super) fn real(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new(".")).canonicalize();
    match (directory, path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

/// Binds to a path. A socket that an earlier run left there gives way.
pub(super) fn bind<T>(
    unix: &UnixPath,
    bind: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(T, Bound)> {
    let path = unix.path.as_path();
    let bound = match bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            bind(path)
        }
        bound => bound,
    }?;
    if let Some(mode) = unix.mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    let inode = fs::symlink_metadata(path)?.ino();
    Ok((bound, Bound(Some((path.to_owned(), inode)))))
}

/// Whether it is a socket that nobody listens on.
fn is_left_over(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let is_refused = |result: io::Result<()>| matches!(&result, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused);
    is_socket
        && is_refused(UnixStream::connect(path).map(drop))
        && is_refused(UnixDatagram::unbound().and_then(|socket| socket.connect(path)))
}
