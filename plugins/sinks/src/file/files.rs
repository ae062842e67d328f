//! Many files, chosen event by event: a bounded number of them open, a batch in all of its files or in none.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lograil_event::Batch;
use lograil_plugin::{Delivery, Rejection, SinkContext, SinkError};
use serde::{Deserialize, Serialize};

use super::journal::{Journal, Known};
use super::location::{Directories, Location};
use super::path_template::PathTemplate;
use super::position::State;
use super::restore::Beyond;
use super::slots::{Slots, exists};
use super::writer::{Settings, Writer};

/// How long a file stays open that is not written to.
const IDLE: Duration = Duration::from_secs(60);

/// Where the files may be.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The directory that relative paths start from.
    pub(super) topology_dir: PathBuf,
    /// See the option `base_dir`; without it, the directory that all paths have in common.
    pub(super) base: String,
    /// Whether paths start from `base`.
    pub(super) is_base_given: bool,
    pub(super) dirs: Directories,
}

impl Place {
    fn location(&self, path: &str) -> Location {
        if self.is_base_given {
            return Location::new(&self.topology_dir, path, Some(&self.base), self.dirs);
        }
        Location::new(&self.topology_dir, path, None, self.dirs)
            .within(&self.topology_dir.join(&self.base))
    }
}

/// What the checkpoint holds of a sink with many files.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    known: Known,
    files: Vec<State>,
}

/// Why events were not written.
enum Trouble {
    /// The file that they name cannot be opened.
    Open(io::Error),
    Other(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

struct Opened {
    writer: Writer,
    /// Grows with every use.
    used: u64,
    used_at: Duration,
}

/// The files of a path with fields or times in it.
pub(super) struct Files {
    context: SinkContext,
    place: Place,
    settings: Settings,
    template: PathTemplate,
    open_max: usize,
    /// The directory that all paths are in.
    shared: PathBuf,
    journal: Journal,
    open: HashMap<PathBuf, Opened>,
    uses: u64,
    /// Closed files that have to go back to these positions before anything is written.
    to_restore: Vec<State>,
    /// Positions before the batch at hand of files that were closed to make room for others.
    closed_in_batch: Vec<State>,
    /// For each event that has a path the number of its path, in the order of paths.
    order: Vec<(u32, u32)>,
    paths: Vec<String>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Files {
    /// Opens the files that the checkpoint names, where it says they stood.
    pub(super) fn open(
        context: &SinkContext,
        place: Place,
        settings: Settings,
        template: PathTemplate,
        open_max: usize,
    ) -> io::Result<Self> {
        let saved =
            context.state.as_deref().and_then(|text| serde_json::from_str::<Saved>(text).ok());
        let name = format!("{}.{}.openings", template.fixed_directory(), context.id);
        let journal = place.location(&name);
        journal.prepare(&*context.files)?;
        let shared = journal.path.parent().map(Path::to_owned).unwrap_or_default();
        let (journal, unknown) = Journal::open(
            std::sync::Arc::clone(&context.files),
            journal.path,
            settings.durability,
            saved.as_ref().map(|saved| saved.known),
            context.clock.now_ns(),
        )?;
        let mut states = saved.map_or_else(Vec::new, |saved| saved.files);
        for state in unknown {
            if states.iter().all(|known| known.path != state.path) {
                states.push(state);
            }
        }
        let template = if settings.rotate.is_on() { template.rotating() } else { template };
        let mut files = Self {
            context: context.clone(),
            place,
            settings,
            template,
            open_max,
            shared,
            journal,
            open: HashMap::new(),
            uses: 0,
            to_restore: Vec::new(),
            closed_in_batch: Vec::new(),
            order: Vec::new(),
            paths: Vec::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        let beyond =
            if files.context.comes_again() { Beyond::Remove } else { Beyond::KeepWholeLines };
        for state in states {
            files.restore(state, beyond)?;
        }
        Ok(files)
    }

    fn restore(&mut self, state: State, beyond: Beyond) -> io::Result<()> {
        let location = self.place.location(&state.path);
        let slots = Slots::new(&location.path);
        if !location.is_inside()
            || slots.taken(&*self.context.files).is_ok_and(|taken| taken.is_empty())
        {
            // The path of the topology is another one now, or somebody took the file away.
            tracing::warn!(component_id = &*self.context.id, path = %state.path, "a file of the checkpoint is not there");
            return Ok(());
        }
        self.make_room()?;
        let path = location.path.clone();
        let writer = Writer::open(&self.context, location, &self.settings, Some(state), beyond)?;
        self.insert(path, writer);
        Ok(())
    }

    fn insert(&mut self, path: PathBuf, writer: Writer) {
        self.uses += 1;
        let used_at = self.context.clock.monotonic();
        self.open.insert(path, Opened { writer, used: self.uses, used_at });
    }

    /// Closes the file that was not used for longest if there are too many.
    fn make_room(&mut self) -> io::Result<()> {
        while self.open.len() >= self.open_max {
            let oldest = self.open.iter().min_by_key(|(_, file)| file.used);
            let Some(path) = oldest.map(|(path, _)| path.clone()) else { return Ok(()) };
            self.close_file(&path)?;
        }
        Ok(())
    }

    fn close_file(&mut self, path: &Path) -> io::Result<()> {
        let Some(file) = self.open.get_mut(path) else { return Ok(()) };
        let before = file.writer.position_before_batch();
        // On an error it stays open: what earlier batches wrote may not be durable either, and only the
        // writer knows.
        file.writer.finish()?;
        self.closed_in_batch.extend(before);
        self.open.remove(path);
        Ok(())
    }

    /// Writes the events of a batch that was encoded as `encoded`, event by event up to `ends`.
    pub(super) fn write(
        &mut self,
        batch: &Batch,
        encoded: &[u8],
        ends: &[usize],
    ) -> Result<Delivery, SinkError> {
        self.put_back()?;
        let mut rejected = self.sort(batch);
        let order = std::mem::take(&mut self.order);
        let mut delivered = 0;
        let mut written = Vec::new();
        let mut outcome = Ok(());
        for events in order.chunk_by(|a, b| a.0 == b.0) {
            let path = self.paths[events[0].0 as usize].clone();
            let location = self.place.location(&path);
            match self.write_to(location, events, encoded, ends) {
                Ok(len) => delivered += len,
                Err(Trouble::Open(error)) if self.is_of_the_name(&error) => {
                    let reason = format!("the file `{path}` cannot be: {error}");
                    let events = events.iter().map(|(_, event)| *event as usize);
                    rejected
                        .extend(events.map(|event| Rejection { event, reason: reason.clone() }));
                    continue;
                }
                Err(Trouble::Open(error) | Trouble::Other(error)) => {
                    outcome = Err(failure("write", &path, &error));
                    break;
                }
            }
            written.push(self.place.location(&path).path);
        }
        self.order = order;
        for path in written {
            let Some(file) = self.open.get_mut(&path) else { continue };
            match outcome {
                Ok(()) => file.writer.keep(),
                Err(_) => file.writer.take_back(),
            }
        }
        if outcome.is_err() {
            self.to_restore.append(&mut self.closed_in_batch);
        }
        self.closed_in_batch.clear();
        rejected.sort_by_key(|rejection| rejection.event);
        outcome.map(|()| Delivery { bytes: delivered, rejected })
    }

    /// Finds the paths of the events, and sorts these by them. The events that have none.
    fn sort(&mut self, batch: &Batch) -> Vec<Rejection> {
        self.order.clear();
        self.paths.clear();
        self.template.prepare(batch);
        let now_ns = self.context.clock.now_ns();
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut rejected = Vec::new();
        let (mut path, mut last) = (String::new(), 0);
        for event in 0..batch.len() {
            if let Err(reason) = self.template.render(batch, event, now_ns, &mut path) {
                rejected.push(Rejection { event, reason });
                continue;
            }
            if self.paths.get(last as usize) != Some(&path) {
                last = match numbers.get(&path) {
                    Some(number) => *number,
                    None => {
                        let number = self.paths.len() as u32;
                        numbers.insert(path.clone(), number);
                        self.paths.push(path.clone());
                        number
                    }
                };
            }
            self.order.push((last, event as u32));
        }
        self.order.sort_unstable();
        rejected
    }

    fn write_to(
        &mut self,
        location: Location,
        events: &[(u32, u32)],
        encoded: &[u8],
        ends: &[usize],
    ) -> Result<u64, Trouble> {
        self.bytes.clear();
        self.ends.clear();
        for (_, event) in events {
            let event = *event as usize;
            let start = event.checked_sub(1).map_or(0, |before| ends[before]);
            self.bytes.extend_from_slice(&encoded[start..ends[event]]);
            self.ends.push(self.bytes.len());
        }
        if !self.open.contains_key(&location.path) {
            self.open_file(&location)?;
        }
        let Some(file) = self.open.get_mut(&location.path) else { return Ok(0) };
        self.uses += 1;
        file.used = self.uses;
        file.used_at = self.context.clock.monotonic();
        file.writer.try_write(&self.bytes, &self.ends).map_err(|(step, error)| match step {
            "open" => Trouble::Open(error),
            _ => Trouble::Other(error),
        })?;
        Ok(self.bytes.len() as u64)
    }

    fn open_file(&mut self, location: &Location) -> Result<(), Trouble> {
        self.make_room()?;
        let location = location.clone();
        let path = location.path.clone();
        let mut writer =
            Writer::open(&self.context, location, &self.settings, None, Beyond::Remove)
                .map_err(Trouble::Open)?;
        writer.protect_backups().map_err(Trouble::Open)?;
        self.journal.opened(writer.state())?;
        self.insert(path, writer);
        Ok(())
    }

    /// Whether a file cannot be opened because of the path that the event's values make: others need not wait.
    fn is_of_the_name(&self, error: &io::Error) -> bool {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::InvalidFilename
            | Kind::IsADirectory
            | Kind::NotADirectory
            | Kind::InvalidInput
            | Kind::PermissionDenied => true,
            Kind::NotFound => {
                self.place.dirs == Directories::MustExist
                    && exists(&*self.context.files, &self.shared).unwrap_or(false)
            }
            // Symbolic links in a circle.
            _ => error.raw_os_error() == Some(libc::ELOOP),
        }
    }

    /// Takes back what failed batches have left in files that are closed.
    fn put_back(&mut self) -> Result<(), SinkError> {
        while let Some(state) = self.to_restore.last().cloned() {
            let path = state.path.clone();
            self.restore(state, Beyond::Remove)
                .map_err(|error| failure("undo a batch in", &path, &error))?;
            self.to_restore.pop();
        }
        Ok(())
    }

    /// Makes everything durable, and closes what is not used.
    pub(super) fn commit(&mut self) -> Result<(), SinkError> {
        self.put_back()?;
        for file in self.open.values_mut() {
            file.writer.commit()?;
        }
        let now = self.context.clock.monotonic();
        let idle = self.open.iter().filter(|(_, file)| now.saturating_sub(file.used_at) >= IDLE);
        let idle: Vec<PathBuf> = idle.map(|(path, _)| path.clone()).collect();
        let tidied = idle.iter().try_for_each(|path| self.close_file(path));
        if let Err(error) = tidied.and_then(|()| self.journal.committed(now)) {
            tracing::warn!(component_id = &*self.context.id, "tidy up: {error}");
        }
        self.closed_in_batch.clear();
        Ok(())
    }

    /// What the checkpoint keeps.
    pub(super) fn state(&self) -> Option<String> {
        let open = self.open.values().map(|file| file.writer.state());
        let files = open.chain(self.to_restore.iter().cloned()).collect();
        serde_json::to_string(&Saved { known: self.journal.known(), files }).ok()
    }

    /// Looks at the paths again before the next batch.
    pub(super) fn reopen(&mut self) {
        for file in self.open.values_mut() {
            file.writer.reopen();
        }
    }

    /// After the last commit.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.open.values_mut().try_for_each(|file| file.writer.close())
    }
}

fn failure(action: &str, path: &str, error: &io::Error) -> SinkError {
    let reason = format!("{action} {path}: {error}");
    match error.kind() {
        io::ErrorKind::InvalidData => SinkError::Fatal(reason),
        _ => SinkError::retry(reason),
    }
}
