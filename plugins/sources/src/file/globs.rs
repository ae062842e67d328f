//! Finding the files that patterns mean.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use lograil_plugin::ConfigError;
use lograil_plugin::fs::{FileId, FileSystem, Metadata};

/// Deepest directory that `**` reaches, below the part of the pattern without wildcards.
const DEPTH_MAX: usize = 64;

/// Patterns of files to read and not to read.
#[derive(Debug, Clone)]
pub struct Globs {
    roots: Vec<Root>,
    exclude: GlobSet,
}

/// One `include` pattern: where to start, how deep to go, and what to take.
#[derive(Debug, Clone)]
struct Root {
    start: PathBuf,
    depth: usize,
    pattern: Option<globset::GlobMatcher>,
}

/// A file or directory that could not be looked at.
#[derive(Debug)]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: std::io::Error,
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Found {
    /// Regular files, each path once.
    pub files: Vec<(PathBuf, Metadata)>,
    /// Directories that were looked into.
    pub directories: HashSet<PathBuf>,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
}

impl Globs {
    /// Compiles patterns; all mistakes at once.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let mut roots = Vec::new();
        for (index, pattern) in include.iter().enumerate() {
            match Root::new(pattern) {
                Ok(root) => roots.push(root),
                Err(error) => errors.push(mistake("include", index, &error)),
            }
        }
        let mut set = GlobSetBuilder::new();
        for (index, pattern) in exclude.iter().enumerate() {
            match compile(pattern) {
                Ok(glob) => {
                    set.add(glob);
                }
                Err(error) => errors.push(mistake("exclude", index, &error)),
            }
        }
        match set.build() {
            Ok(exclude) if errors.is_empty() => Ok(Self { roots, exclude }),
            Ok(_) => Err(errors),
            Err(error) => {
                errors.push(ConfigError::new(["exclude"], error.kind().to_string()));
                Err(errors)
            }
        }
    }

    /// Whether the patterns mean a file at a path, relative to the same directory as they or absolute.
    pub fn mean(&self, path: &Path) -> bool {
        let path = path.strip_prefix(".").unwrap_or(path);
        let here = std::env::current_dir().unwrap_or_default();
        let absolute = here.join(path);
        let relative = path.strip_prefix(&here).unwrap_or(path);
        let is_included = |path: &Path| {
            self.roots.iter().any(|root| match &root.pattern {
                Some(glob) => glob.is_match(path),
                None => root.start.strip_prefix(".").unwrap_or(&root.start) == path,
            })
        };
        let is_meant = |path: &Path| is_included(path) && !self.exclude.is_match(path);
        is_meant(relative) || is_meant(&absolute)
    }

    /// The files that the patterns mean now.
    pub fn find(&self, files: &dyn FileSystem) -> Found {
        let mut walk = Walk { files, globs: self, found: Found::default(), seen: HashSet::new() };
        for root in &self.roots {
            match root.pattern {
                None => walk.take(&root.start),
                Some(_) => walk.descend(root, &root.start, root.depth, &mut Vec::new()),
            }
        }
        walk.found
    }
}

fn mistake(option: &str, index: usize, error: &globset::Error) -> ConfigError {
    ConfigError::new([option.to_owned(), index.to_string()], error.kind().to_string())
        .help("`*` and `?` stay within a directory, `**` goes into those below")
}

fn compile(pattern: &str) -> Result<Glob, globset::Error> {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    GlobBuilder::new(pattern).literal_separator(true).build()
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

impl Root {
    fn new(pattern: &str) -> Result<Self, globset::Error> {
        let glob = compile(pattern)?;
        if !is_pattern(pattern) {
            return Ok(Self { start: PathBuf::from(pattern), depth: 0, pattern: None });
        }
        let mut start = PathBuf::new();
        let parts: Vec<Component<'_>> = Path::new(pattern).components().collect();
        let fixed =
            parts.iter().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy()));
        let fixed = fixed.filter(|part| **part != Component::CurDir).fold(0, |count, part| {
            start.push(part);
            count + 1
        });
        // Alternatives may hold separators of their own, so with them the depth is not the part count.
        let unbounded = pattern.contains("**") || pattern.contains('{');
        let wild = parts.iter().filter(|part| **part != Component::CurDir).count() - fixed;
        let depth = if unbounded { DEPTH_MAX } else { wild };
        Ok(Self { start, depth, pattern: Some(glob.compile_matcher()) })
    }
}

struct Walk<'a> {
    files: &'a dyn FileSystem,
    globs: &'a Globs,
    found: Found,
    seen: HashSet<PathBuf>,
}

impl Walk<'_> {
    /// Looks into a directory. `above` holds the directories on the way, against loops of links.
    fn descend(&mut self, root: &Root, directory: &Path, depth: usize, above: &mut Vec<FileId>) {
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let entries = match self.files.read_dir(here) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable(here, error);
                return;
            }
        };
        self.found.directories.insert(here.to_path_buf());
        for entry in entries {
            let path = entry.strip_prefix("./").map(Path::to_path_buf).unwrap_or(entry);
            let matches = root.pattern.as_ref().is_some_and(|glob| glob.is_match(&path));
            if !matches && depth <= 1 {
                continue;
            }
            match self.files.metadata(&path) {
                Ok(metadata) if metadata.is_dir => {
                    if depth > 1 && !above.contains(&metadata.id) {
                        above.push(metadata.id);
                        self.descend(root, &path, depth - 1, above);
                        above.pop();
                    }
                }
                Ok(metadata) if matches => self.add(path, metadata),
                Ok(_) => {}
                Err(error) => {
                    if matches {
                        self.unreadable(&path, error);
                    }
                }
            }
        }
    }

    /// A path given without wildcards.
    fn take(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.found.directories.insert(parent.to_path_buf());
        }
        match self.files.metadata(path) {
            Ok(metadata) => self.add(path.to_path_buf(), metadata),
            Err(error) => self.unreadable(path, error),
        }
    }

    fn add(&mut self, path: PathBuf, metadata: Metadata) {
        if metadata.is_file && !self.globs.exclude.is_match(&path) && self.seen.insert(path.clone())
        {
            self.found.files.push((path, metadata));
        }
    }

    /// What does not exist is not unreadable: it may come, or has just gone.
    fn unreadable(&mut self, path: &Path, error: std::io::Error) {
        let excluded = self.globs.exclude.is_match(path);
        if error.kind() != std::io::ErrorKind::NotFound && !excluded {
            self.found.unreadable.push(Unreadable { path: path.to_path_buf(), error });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_there_yet_are_meant_by_either_way_of_writing_them() {
        let globs =
            |include: &str, exclude: &[String]| Globs::new(&[include.to_owned()], exclude).unwrap();
        let here = std::env::current_dir().unwrap();
        let absolute = here.join("out/a.log");
        for include in ["out/*.log", "./out/a.log", "**/*.log", absolute.to_str().unwrap()] {
            assert!(globs(include, &[]).mean(Path::new("out/a.log")), "{include}");
            assert!(globs(include, &[]).mean(&absolute), "{include}");
            assert!(!globs(include, &[]).mean(Path::new("out/a.txt")), "{include}");
        }
        assert!(!globs("out/*.log", &["**/a.log".to_owned()]).mean(Path::new("out/a.log")));
    }
}
