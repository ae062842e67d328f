//! Names: as they are now, as a power loss leaves them, and the changes between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Names of nodes by absolute path.
pub(crate) type Tree = BTreeMap<PathBuf, usize>;

/// A change of names that is not durable yet.
#[derive(Debug, Clone)]
pub(crate) enum NameChange {
    Add {
        path: PathBuf,
        node: usize,
    },
    Remove {
        path: PathBuf,
    },
    /// Also of a directory with all below it.
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    pub(crate) now: Tree,
    pub(crate) durable: Tree,
    pub(crate) pending: Vec<NameChange>,
}

impl NameChange {
    /// The directories that must be synced for the change to be durable; a rename is one transaction, so
    /// either of its two does.
    fn directories(&self) -> Vec<&Path> {
        let paths = match self {
            Self::Add { path, .. } | Self::Remove { path } => vec![path],
            Self::Rename { from, to } => vec![from, to],
        };
        paths.into_iter().filter_map(|path| path.parent()).collect()
    }

    pub(crate) fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Add { path, node } => {
                tree.insert(path.clone(), *node);
            }
            Self::Remove { path } => {
                tree.remove(path);
            }
            Self::Rename { from, to } => {
                let below =
                    tree.range(from.clone()..).take_while(|(path, _)| path.starts_with(from));
                let moved: Vec<_> = below.map(|(path, node)| (path.clone(), *node)).collect();
                for (path, node) in moved {
                    let Ok(below) = path.strip_prefix(from) else { continue };
                    tree.remove(&path);
                    let below_nothing = below.as_os_str().is_empty();
                    tree.insert(if below_nothing { to.clone() } else { to.join(below) }, node);
                }
            }
        }
    }
}

impl Names {
    pub(crate) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    /// Makes the changes in a directory durable, and those elsewhere that they build on.
    pub(crate) fn sync_dir(&mut self, directory: &Path) {
        let mut directories = BTreeSet::from([directory.to_owned()]);
        let mut synced = vec![false; self.pending.len()];
        for (change, synced) in self.pending.iter().zip(&mut synced).rev() {
            let touched = change.directories();
            if touched.iter().any(|touched| directories.contains(*touched)) {
                *synced = true;
                directories.extend(touched.into_iter().map(Path::to_owned));
            }
        }
        let mut synced = synced.into_iter();
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let now = synced.next().unwrap_or(false);
            if now {
                change.apply(durable);
            }
            !now
        });
    }

    /// Makes everything durable.
    pub(crate) fn sync_all(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }
}
