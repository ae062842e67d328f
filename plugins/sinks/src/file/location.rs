//! Where the file may be: the path made absolute, and the directory it must not leave.

use std::io;
use std::path::{Component, Path, PathBuf};

use lograil_plugin::{ConfigError, FileSystem};

use super::slots::exists;

/// The path without `.`, and without `..` as far as the text alone can tell.
pub(super) fn normalise(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match normal.components().next_back() {
                Some(Component::Normal(_)) => {
                    normal.pop();
                }
                Some(Component::RootDir) => {}
                _ => normal.push(".."),
            },
            other => normal.push(other),
        }
    }
    normal
}

/// What is wrong with the options `path` and `base_dir` as written.
pub(super) fn check(path: &str, base_dir: Option<&str>) -> Result<(), ConfigError> {
    if path.is_empty() {
        return Err(ConfigError::new(["path"], "the path is empty")
            .help("name the file to write, such as `path = \"out.log\"`"));
    }
    if path.contains('\0') {
        return Err(ConfigError::new(["path"], "a path cannot contain a NUL byte"));
    }
    if path.ends_with('/') || path == "." || path == ".." || path.ends_with("/..") {
        return Err(ConfigError::new(["path"], "the path names a directory, not a file"));
    }
    let Some(base) = base_dir else { return Ok(()) };
    if base.is_empty() {
        return Err(ConfigError::new(["base_dir"], "the directory is empty")
            .help("write \".\" for the directory that lograil runs in"));
    }
    let base = normalise(Path::new(base));
    // A relative base under an absolute path cannot be judged before the topology's directory is known.
    if Path::new(path).is_absolute() && !base.is_absolute() {
        return Ok(());
    }
    if normalise(&base.join(path)).starts_with(&base) {
        return Ok(());
    }
    Err(ConfigError::new(["path"], format!("the path leaves `base_dir` ({})", base.display()))
        .help("choose a path inside it, or take `base_dir` away"))
}

/// A place in the file system.
#[derive(Debug, Clone)]
pub(super) struct Location {
    /// The file.
    pub(super) path: PathBuf,
    /// The directory it must be in, links resolved or not.
    base: Option<PathBuf>,
    create_dirs: bool,
}

impl Location {
    /// `path` starts from `base_dir` if that is given, which starts from the topology's directory.
    pub(super) fn new(
        topology_dir: &Path,
        path: &str,
        base_dir: Option<&str>,
        dirs: Directories,
    ) -> Self {
        let base = base_dir.map(|base| normalise(&topology_dir.join(base)));
        let path = normalise(&base.as_deref().unwrap_or(topology_dir).join(path));
        Self { path, base, create_dirs: dirs == Directories::Create }
    }

    /// The same, which must be in a directory.
    pub(super) fn within(self, base: &Path) -> Self {
        Self { base: Some(normalise(base)), ..self }
    }

    /// Whether the text of the path is in its base.
    pub(super) fn is_inside(&self) -> bool {
        self.base.as_ref().is_none_or(|base| self.path.starts_with(base))
    }

    /// Makes missing directories, and holds the path against its base. Returns the directories whose entries
    /// changed, for their sync.
    pub(super) fn prepare(&self, files: &dyn FileSystem) -> io::Result<Vec<PathBuf>> {
        if let Some(base) = &self.base {
            if !self.path.starts_with(base) {
                return Err(self.outside(&self.path));
            }
            // Before a directory is made through a link, not only after.
            let mut known: &Path = self.path.parent().unwrap_or(base);
            while known != base && !exists(files, known)? {
                known = known.parent().unwrap_or(base);
            }
            if known != base {
                self.confine(files, known)?;
            }
        }
        let changed = self.make_directories(files)?;
        match files.metadata(&self.path) {
            Ok(metadata) if !metadata.is_file => return Err(no_file()),
            _ => {}
        }
        if self.base.is_some() {
            let directory = parent(&self.path);
            self.confine(files, directory)?;
            if exists(files, &self.path)? {
                self.confine(files, &self.path)?;
            } else if files
                .read_dir(directory)?
                .iter()
                .any(|entry| entry.file_name() == self.path.file_name())
            {
                // A link to nothing: opening it would create its target wherever that is.
                return Err(self.outside(&self.path));
            }
        }
        Ok(changed)
    }

    fn make_directories(&self, files: &dyn FileSystem) -> io::Result<Vec<PathBuf>> {
        let mut changed = Vec::new();
        let mut directory = parent(&self.path);
        if !self.create_dirs || exists(files, directory)? {
            return Ok(changed);
        }
        while !exists(files, directory)? {
            let above = parent(directory);
            changed.push(above.to_owned());
            if above == directory {
                break;
            }
            directory = above;
        }
        files.create_dir_all(parent(&self.path))?;
        Ok(changed)
    }

    fn confine(&self, files: &dyn FileSystem, path: &Path) -> io::Result<()> {
        let Some(base) = &self.base else { return Ok(()) };
        if files.canonicalize(path)?.starts_with(files.canonicalize(base)?) {
            Ok(())
        } else {
            Err(self.outside(path))
        }
    }

    fn outside(&self, path: &Path) -> io::Error {
        let base = self.base.as_deref().unwrap_or(Path::new("."));
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("`{}` leads out of base_dir `{}`", path.display(), base.display()),
        )
    }
}

fn no_file() -> io::Error {
    let what = "it is no regular file; the sink `stdout` writes to pipes and terminals";
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

/// Whether missing directories are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directories {
    Create,
    MustExist,
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}
