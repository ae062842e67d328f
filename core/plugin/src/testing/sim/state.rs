//! The file system's state, and every operation on it without faults.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::Clock;
use crate::fs::{FileId, Metadata, Open};

use super::fault::{ENOSPC, Faults, SimOperation};
use super::names::{NameChange, Names};
use super::node::{Change, Content, Kind, Node};

/// Links followed in one path, as Linux does.
const LINKS_MAX: usize = 40;
/// The one device.
const DEVICE: u64 = 1;
const ROOT: &str = "/";
/// `errno` of too many symbolic links.
const ELOOP: i32 = 40;

pub(crate) struct State {
    clock: Option<Arc<dyn Clock>>,
    changes: i64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) names: Names,
    pub(crate) faults: Faults,
    pub(crate) disk_limit: Option<u64>,
    used: u64,
    pub(crate) reuse_inodes: bool,
    pub(crate) next_inode: u64,
    free_inodes: Vec<u64>,
    pub(crate) open_handles: usize,
    pub(crate) open_handles_peak: usize,
    /// Calls until the power goes, and how; then what it left.
    pub(crate) loss_due: Option<(u64, u64)>,
    pub(crate) loss: Option<Box<State>>,
}

impl State {
    pub(crate) fn new(clock: Option<Arc<dyn Clock>>) -> Self {
        let mut state = Self {
            clock,
            changes: 0,
            nodes: Vec::new(),
            names: Names::default(),
            faults: Faults::default(),
            disk_limit: None,
            used: 0,
            reuse_inodes: false,
            next_inode: 2,
            free_inodes: Vec::new(),
            open_handles: 0,
            open_handles_peak: 0,
            loss_due: None,
            loss: None,
        };
        state.add(PathBuf::from(ROOT), Kind::Directory);
        state.names.sync_all();
        state
    }

    /// A state with the same nodes, limits and clock but nothing open, no fault and no record.
    pub(crate) fn restarted(&self, nodes: Vec<Node>, names: Names) -> Self {
        let mut state = Self {
            clock: self.clock.clone(),
            changes: self.changes,
            nodes,
            names,
            faults: Faults::default(),
            disk_limit: self.disk_limit,
            used: 0,
            reuse_inodes: self.reuse_inodes,
            next_inode: self.next_inode,
            free_inodes: self.free_inodes.clone(),
            open_handles: 0,
            open_handles_peak: 0,
            loss_due: None,
            loss: None,
        };
        for node in &mut state.nodes {
            node.handles = 0;
            node.names = 0;
        }
        for index in state.names.now.values() {
            state.nodes[*index].names += 1;
        }
        // A deleted file whose name came back has its inode again.
        let State { nodes, free_inodes, .. } = &mut state;
        free_inodes.retain(|inode| !nodes.iter().any(|n| n.names > 0 && n.inode == *inode));
        let named = state.nodes.iter().filter(|node| node.names > 0);
        state.used = named.map(Node::len).sum();
        state
    }

    /// A call begins: takes the power if it is due, records the call and strikes it if a fault says so.
    pub(crate) fn enter(&mut self, operation: SimOperation, path: &Path) -> io::Result<usize> {
        match &mut self.loss_due {
            Some((0, seed)) => {
                let seed = *seed;
                self.loss_due = None;
                self.loss = Some(Box::new(self.after_power_loss(seed)));
            }
            Some((calls, _)) => *calls -= 1,
            None => {}
        }
        self.faults.enter(operation, path)
    }

    fn now_ns(&mut self) -> i64 {
        self.changes += 1;
        self.clock.as_ref().map_or(self.changes, |clock| clock.now_ns())
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.used
    }

    fn take_inode(&mut self) -> u64 {
        if self.reuse_inodes
            && let Some(inode) = self.free_inodes.pop()
        {
            return inode;
        }
        self.next_inode += 1;
        self.next_inode - 1
    }

    fn add(&mut self, path: PathBuf, kind: Kind) -> usize {
        let (inode, modified_ns) = (self.take_inode(), self.now_ns());
        self.nodes.push(Node { inode, kind, modified_ns, names: 1, handles: 0 });
        let node = self.nodes.len() - 1;
        self.names.change(NameChange::Add { path, node });
        node
    }

    /// Gives the space and the inode number of a node back that has neither name nor handle.
    fn release(&mut self, index: usize) {
        let node = &self.nodes[index];
        if node.names == 0 && node.handles == 0 {
            self.used = self.used.saturating_sub(node.len());
            self.free_inodes.push(node.inode);
        }
    }

    /// The absolute path without links. The last part need not exist; it is followed if `follow` says so.
    fn resolve(&self, path: &Path, follow: Follow) -> io::Result<PathBuf> {
        let mut links = 0;
        let mut resolved = PathBuf::from(ROOT);
        let mut rest: Vec<PathBuf> = parts(path);
        while let Some(part) = rest.pop() {
            if part.as_os_str() == ".." {
                resolved.pop();
                continue;
            }
            let next = resolved.join(part);
            let last = rest.is_empty();
            match self.names.now.get(&next).map(|index| &self.nodes[*index].kind) {
                Some(Kind::Link(target)) if !last || follow == Follow::Last => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(io::Error::from_raw_os_error(ELOOP));
                    }
                    if target.is_absolute() {
                        resolved = PathBuf::from(ROOT);
                    }
                    rest.extend(parts(target));
                }
                Some(Kind::Directory) => resolved = next,
                _ if last => resolved = next,
                Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        Ok(resolved)
    }

    fn find(&self, path: &Path, follow: Follow) -> io::Result<(PathBuf, usize)> {
        let path = self.resolve(path, follow)?;
        let index = self.names.now.get(&path).copied();
        index.map(|index| (path, index)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.find(path, Follow::Last).map(|(path, _)| path)
    }

    pub(crate) fn exists(&self, path: &Path) -> bool {
        self.find(path, Follow::Last).is_ok()
    }

    pub(crate) fn describe_path(&self, path: &Path) -> io::Result<Metadata> {
        self.find(path, Follow::Last).map(|(_, index)| self.describe(index))
    }

    pub(crate) fn describe(&self, index: usize) -> Metadata {
        let node = &self.nodes[index];
        Metadata {
            id: FileId { device: DEVICE, inode: node.inode },
            len: node.len(),
            is_file: matches!(node.kind, Kind::File(_)),
            is_dir: matches!(node.kind, Kind::Directory),
            links: node.names as u64,
            modified_ns: node.modified_ns,
        }
    }

    pub(crate) fn list(&self) -> Vec<PathBuf> {
        let names = self.names.now.iter();
        names
            .filter(|(_, index)| !matches!(self.nodes[**index].kind, Kind::Directory))
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The node of a file to be opened; made or emptied as `how` says.
    pub(crate) fn open(&mut self, path: &Path, how: Open) -> io::Result<usize> {
        let path = self.resolve(path, Follow::Last)?;
        let Some(&index) = self.names.now.get(&path) else {
            if matches!(how, Open::Read | Open::ReadWrite) {
                return Err(io::ErrorKind::NotFound.into());
            }
            return Ok(self.add(path, Kind::File(Content::default())));
        };
        if self.nodes[index].content().is_none() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if how == Open::CreateEmpty {
            self.set_len(index, 0)?;
        }
        Ok(index)
    }

    pub(crate) fn hold(&mut self, index: usize) {
        self.nodes[index].handles += 1;
        self.open_handles += 1;
        self.open_handles_peak = self.open_handles_peak.max(self.open_handles);
    }

    pub(crate) fn let_go(&mut self, index: usize) {
        self.nodes[index].handles -= 1;
        self.open_handles -= 1;
        self.release(index);
    }

    pub(crate) fn read(&self, index: usize, buf: &mut [u8], offset: u64) -> usize {
        let bytes = self.nodes[index].content().map_or(&[][..], |content| &content.bytes);
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let len = buf.len().min(bytes.len() - from);
        buf[..len].copy_from_slice(&bytes[from..from + len]);
        len
    }

    /// Writes what fits on the disk.
    pub(crate) fn write(&mut self, index: usize, buf: &[u8], offset: u64) -> io::Result<usize> {
        let len = self.nodes[index].len();
        let room = self.room().saturating_add(len).saturating_sub(offset);
        let fits = usize::try_from(room).unwrap_or(usize::MAX).min(buf.len());
        if fits == 0 && !buf.is_empty() {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.change(index, Change::Write { offset, bytes: buf[..fits].to_vec() });
        Ok(fits)
    }

    pub(crate) fn set_len(&mut self, index: usize, len: u64) -> io::Result<()> {
        if len.saturating_sub(self.nodes[index].len()) > self.room() {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.change(index, Change::SetLen(len));
        Ok(())
    }

    fn room(&self) -> u64 {
        self.disk_limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.used))
    }

    fn change(&mut self, index: usize, change: Change) {
        let modified_ns = self.now_ns();
        let node = &mut self.nodes[index];
        let before = node.len();
        if let Some(content) = node.content_mut() {
            content.change(change);
        }
        node.modified_ns = modified_ns;
        self.used = self.used - before + node.len();
    }

    pub(crate) fn sync(&mut self, index: usize) {
        if let Some(content) = self.nodes[index].content_mut() {
            content.sync();
        }
    }

    /// What is not durable yet never will be, though it is still read.
    pub(crate) fn forget_pending(&mut self, index: usize) {
        if let Some(content) = self.nodes[index].content_mut() {
            content.pending.clear();
        }
    }

    pub(crate) fn read_dir(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let directory = self.directory(path)?;
        let names = self.names.now.range(directory.clone()..).map(|(name, _)| name);
        let below = names.take_while(|name| name.starts_with(&directory));
        let entries = below.filter(|name| name.parent() == Some(&directory));
        Ok(entries.filter_map(|name| Some(path.join(name.file_name()?))).collect())
    }

    fn directory(&self, path: &Path) -> io::Result<PathBuf> {
        let (path, index) = self.find(path, Follow::Last)?;
        match self.nodes[index].kind {
            Kind::Directory => Ok(path),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, index) = self.find(from, Follow::AllButLast)?;
        let to = self.resolve(to, Follow::AllButLast)?;
        if from == to {
            return Ok(());
        }
        let replaced = self.names.now.get(&to).copied();
        let moves_directory = matches!(self.nodes[index].kind, Kind::Directory);
        if let Some(replaced) = replaced {
            match (moves_directory, &self.nodes[replaced].kind) {
                (false, Kind::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
                (true, Kind::Directory) => return Err(io::ErrorKind::DirectoryNotEmpty.into()),
                (true, _) => return Err(io::ErrorKind::NotADirectory.into()),
                (false, _) => {}
            }
        }
        self.names.change(NameChange::Rename { from, to });
        if let Some(replaced) = replaced {
            self.nodes[replaced].names -= 1;
            self.release(replaced);
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let (path, index) = self.find(path, Follow::AllButLast)?;
        if matches!(self.nodes[index].kind, Kind::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.names.change(NameChange::Remove { path });
        self.nodes[index].names -= 1;
        self.release(index);
        Ok(())
    }

    pub(crate) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut made = PathBuf::from(ROOT);
        for part in parts(path).into_iter().rev() {
            made.push(part);
            match self.find(&made, Follow::Last) {
                Ok((_, index)) if !matches!(self.nodes[index].kind, Kind::Directory) => {
                    return Err(io::ErrorKind::NotADirectory.into());
                }
                Ok((resolved, _)) => made = resolved,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.add(made.clone(), Kind::Directory);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let directory = self.directory(path)?;
        self.names.sync_dir(&directory);
        Ok(())
    }

    /// Makes a symbolic link, in place of one that is there.
    pub(crate) fn symlink(&mut self, target: &Path, link: &Path) -> io::Result<()> {
        if let Ok((_, index)) = self.find(link, Follow::AllButLast) {
            match self.nodes[index].kind {
                Kind::Link(_) => self.remove(link)?,
                _ => return Err(io::ErrorKind::AlreadyExists.into()),
            }
        }
        let link = self.resolve(link, Follow::AllButLast)?;
        self.add(link, Kind::Link(target.to_owned()));
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follow {
    Last,
    AllButLast,
}

/// The parts of a path, the last one first; a relative path starts at the root.
fn parts(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().rev();
    parts
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| PathBuf::from(part.as_os_str()))
        .collect()
}

impl Node {
    pub(crate) fn len(&self) -> u64 {
        self.content().map_or(0, |content| content.bytes.len() as u64)
    }
}
