//! Components of which a test decides everything, and plans made of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lograil_config::{BufferOptions, Global, InputRef, Plan, PlannedComponent, PluginOptions};
use lograil_event::Batch;
use lograil_plugin::{
    BoxFuture, Build, ByteSize, Clock, CommitPolicy, ComponentSpec, Delivery, Options, Outputs,
    Period, Port, PositionUpdate, Rejection, Sink, SinkContext, SinkError, Source, SourceContext,
    SourceError, SourceStart, Threading, Transform, TransformContext, TransformError,
};
use lograil_testkit::{batch_of_lines, lines_of};
use serde_json::json;

/// A clock on which every wait is over after a few turns of the scheduler.
#[derive(Default)]
pub struct EagerClock(AtomicU64);

impl Clock for EagerClock {
    fn now_ns(&self) -> i64 {
        self.monotonic().as_nanos() as i64
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, period: Duration) -> BoxFuture<'static, ()> {
        self.0.fetch_add(period.as_nanos() as u64, Ordering::Relaxed);
        Box::pin(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        })
    }
}

/// Sends the lines `line 0`, `line 1` ... and replays from its position.
pub struct Lines {
    pub count: u64,
    pub per_batch: u64,
    pub replays: bool,
    /// Stays until it is stopped.
    pub endless: bool,
}

impl Source for Lines {
    fn run(
        self: Box<Self>,
        mut context: SourceContext,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let mut next: u64 = context.positions.get("s").map_or(0, |p| p.parse().unwrap());
            while next < self.count && !context.shutdown.is_requested() {
                let end = (next + self.per_batch).min(self.count);
                let lines: Vec<String> = (next..end).map(|n| format!("line {n}")).collect();
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                let position = Some(end.to_string());
                let positions = vec![PositionUpdate { stream: "s".into(), position }];
                if context.output.send(batch_of_lines(&lines), positions).await.is_err() {
                    return Ok(());
                }
                next = end;
                tokio::task::yield_now().await;
            }
            if self.endless {
                context.shutdown.requested().await;
            }
            Ok(())
        })
    }

    fn replays(&self) -> bool {
        self.replays
    }
}

/// Replays, but has lost what it is to give again; counts how often it was asked.
pub struct HasLost {
    pub lines: Lines,
    pub asked: Arc<AtomicU64>,
}

impl Source for HasLost {
    fn run(self: Box<Self>, context: SourceContext) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::new(self.lines).run(context)
    }

    fn replays(&self) -> bool {
        true
    }

    fn can_replay(&self, _: &SourceStart) -> Result<(), String> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err("a file is gone".to_owned())
    }
}

/// What a sink's storage holds, across restarts.
#[derive(Default)]
pub struct Disk {
    pub lines: Vec<String>,
    pub durable: usize,
}

/// What a sink is to do wrong.
#[derive(Default, Clone)]
pub struct Faults {
    /// The first this many writes fail and may be retried.
    pub write_failures: u64,
    /// Lines that contain this are refused.
    pub refuse: Option<&'static str>,
    /// Every write waits for ever.
    pub stuck: bool,
    /// `open` does not return.
    pub open_stuck: bool,
    /// The output closes after this many batches.
    pub closes_after: Option<u64>,
    /// Fails for good after this many batches.
    pub fails_after: Option<u64>,
    /// Crashes after this many batches.
    pub panics_after: Option<u64>,
    /// The first this many calls of `open` fail and may be retried.
    pub open_failures: u64,
    /// Cannot be opened.
    pub never_opens: bool,
    /// Holds lines back until a commit, which fails.
    pub never_commits: bool,
    /// Holds lines back until a commit, which fails while this is false.
    pub peer: Option<Arc<AtomicBool>>,
    /// Does not ask for its batches to be kept until the commit.
    pub keeps_none: bool,
}

/// Stores lines; its state is how many it has.
pub struct Store {
    pub disk: Arc<Mutex<Disk>>,
    pub faults: Faults,
    pub writes: u64,
    pub opens: u64,
    pub held: Vec<String>,
}

impl Sink for Store {
    fn open(&mut self, context: SinkContext) -> BoxFuture<'_, Result<(), SinkError>> {
        self.opens += 1;
        if self.faults.never_opens {
            return Box::pin(async { Err(SinkError::Fatal("there is no such place".into())) });
        }
        if self.opens <= self.faults.open_failures {
            return Box::pin(async { Err(SinkError::retry("nobody is there")) });
        }
        if self.faults.open_stuck {
            return Box::pin(std::future::pending());
        }
        let mut disk = self.disk.lock().unwrap();
        if let (Some(state), true) = (&context.state, context.comes_again()) {
            let kept: usize = state.parse().unwrap();
            assert!(kept <= disk.durable, "the checkpoint names only what is durable");
            disk.lines.truncate(kept);
        }
        // What it keeps it makes durable, as a file that is opened is synced.
        disk.durable = disk.lines.len();
        Box::pin(async { Ok(()) })
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> BoxFuture<'a, Result<Delivery, SinkError>> {
        Box::pin(async move {
            self.writes += 1;
            if self.faults.never_commits {
                return Ok(Delivery::default());
            }
            if self.faults.stuck {
                std::future::pending::<()>().await;
            }
            if self.writes <= self.faults.write_failures {
                return Err(SinkError::retry("not now"));
            }
            if self.faults.closes_after.is_some_and(|n| self.writes > n) {
                return Err(SinkError::Closed);
            }
            if self.faults.fails_after.is_some_and(|n| self.writes > n) {
                return Err(SinkError::Fatal("broken".into()));
            }
            assert!(self.faults.panics_after.is_none_or(|n| self.writes <= n), "a bug");
            let mut delivery = Delivery::default();
            if self.faults.peer.is_some() {
                let lines = lines_of(batch).into_iter();
                self.held.extend(lines.map(|line| String::from_utf8(line).unwrap()));
                return Ok(delivery);
            }
            let mut disk = self.disk.lock().unwrap();
            for (event, line) in lines_of(batch).into_iter().enumerate() {
                let line = String::from_utf8(line).unwrap();
                if self.faults.refuse.is_some_and(|refused| line.contains(refused)) {
                    delivery.rejected.push(Rejection { event, reason: "refused".into() });
                } else {
                    delivery.bytes += line.len() as u64;
                    disk.lines.push(line);
                }
            }
            Ok(delivery)
        })
    }

    fn commit_policy(&self) -> CommitPolicy {
        let holds = self.faults.never_commits || self.faults.peer.is_some();
        let rejects_late = holds && !self.faults.keeps_none;
        CommitPolicy { rejects_late, ..CommitPolicy::default() }
    }

    fn commit(&mut self) -> BoxFuture<'_, Result<(), SinkError>> {
        if self.faults.never_commits {
            return Box::pin(async { Err(SinkError::retry("nobody takes it")) });
        }
        if self.faults.peer.as_ref().is_some_and(|peer| !peer.load(Ordering::Relaxed)) {
            return Box::pin(async { Err(SinkError::retry("nobody is there")) });
        }
        let mut disk = self.disk.lock().unwrap();
        disk.lines.append(&mut self.held);
        disk.durable = disk.lines.len();
        Box::pin(async { Ok(()) })
    }

    fn state(&self) -> Option<String> {
        let holds = self.faults.never_commits || self.faults.peer.is_some();
        if self.opens <= self.faults.open_failures || holds {
            return None;
        }
        Some(self.disk.lock().unwrap().lines.len().to_string())
    }
}

/// Keeps the lines that contain `keep`, and appends `mark` to a field of those it keeps.
pub struct KeepAndMark {
    pub keep: &'static str,
    pub mark: &'static str,
}

impl Transform for KeepAndMark {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let lines = lines_of(&batch);
        let keep = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(self.keep);
        let dropped = batch.retain(|index| keep(&lines[index]));
        out.discard("unwanted", dropped);
        let events = batch.len();
        let mut edit = batch.edit();
        let key = edit.key("mark");
        for event in 0..events {
            edit.set_str(event, key, self.mark);
        }
        out.emit(batch);
    }
}

fn spec(name: &'static str, build: Build) -> ComponentSpec {
    ComponentSpec {
        name,
        summary: "",
        manual: "",
        schema: || json!({}),
        ports: lograil_plugin::spec::no_ports,
        claims: lograil_plugin::spec::no_claims,
        threading: Threading::Async,
        build,
    }
}

/// Crashes at a line that contains `at`.
pub struct Crashes {
    pub at: &'static str,
}

impl Transform for Crashes {
    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        let is_bad = |line: &Vec<u8>| String::from_utf8_lossy(line).contains(self.at);
        assert!(!lines_of(&batch).iter().any(is_bad), "a bug");
        out.emit(batch);
    }
}

/// Does not start.
pub struct Refuses;

impl Transform for Refuses {
    fn start(&mut self, _context: TransformContext) -> Result<(), TransformError> {
        Err(TransformError("the table is missing".to_owned()))
    }

    fn process(&mut self, batch: Batch, out: &mut Outputs) {
        out.emit(batch);
    }
}

/// Makes `copies` of every event, and says so.
pub struct Multiplies {
    pub copies: usize,
}

impl Transform for Multiplies {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        for _ in 1..self.copies {
            out.create(batch.len());
            out.emit(batch.share());
        }
        out.emit(batch);
    }
}

/// Fails for good once it has sent `after` lines.
pub struct FailsAfter {
    pub after: u64,
}

impl Source for FailsAfter {
    fn run(
        self: Box<Self>,
        mut context: SourceContext,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            for line in 0..self.after {
                let batch = batch_of_lines(&[&format!("line {line}")]);
                if context.output.send(batch, Vec::new()).await.is_err() {
                    return Ok(());
                }
            }
            Err(SourceError::Failed("broken".into()))
        })
    }
}

/// A component made by `make`, of any kind.
pub enum Fake {
    Source(Box<dyn Fn() -> Box<dyn Source> + Sync>),
    Transform(Box<dyn Fn() -> Box<dyn Transform> + Sync>),
    Sink(Box<dyn Fn() -> Box<dyn Sink> + Sync>),
    /// The same component type in several plans.
    Made(ComponentSpec),
}

impl Fake {
    /// The component type.
    pub fn spec(self) -> ComponentSpec {
        let build = match self {
            Self::Source(make) => Build::Source(Box::leak(Box::new(move |_: &Options| Ok(make())))),
            Self::Transform(make) => {
                Build::Transform(Box::leak(Box::new(move |_: &Options| Ok(make()))))
            }
            Self::Sink(make) => Build::Sink(Box::leak(Box::new(move |_: &Options| Ok(make())))),
            Self::Made(spec) => return spec,
        };
        spec("fake", build)
    }
}

/// A line source.
pub fn lines(count: u64, per_batch: u64) -> Fake {
    Fake::Source(Box::new(move || {
        Box::new(Lines { count, per_batch, replays: true, endless: false })
    }))
}

/// A transform that keeps and marks.
pub fn keep(keep: &'static str, mark: &'static str) -> Fake {
    Fake::Transform(Box::new(move || Box::new(KeepAndMark { keep, mark })))
}

/// A sink on a disk.
pub fn store(disk: &Arc<Mutex<Disk>>, faults: Faults) -> Fake {
    let disk = Arc::clone(disk);
    Fake::Sink(Box::new(move || {
        let (disk, faults) = (Arc::clone(&disk), faults.clone());
        Box::new(Store { disk, faults, writes: 0, opens: 0, held: Vec::new() })
    }))
}

/// A plan in which the components of these ids get threads of their own.
pub fn blocking(mut plan: Plan, ids: &[&str]) -> Plan {
    for component in plan.components.iter_mut().filter(|c| ids.contains(&c.id.as_str())) {
        component.spec.threading = Threading::Blocking;
    }
    plan
}

/// A plan of components, each with the ids it reads; `id.dead_letter` for dead letters.
pub fn plan(components: Vec<(&str, Fake, &[&str])>) -> Plan {
    let ids: BTreeMap<String, usize> =
        components.iter().enumerate().map(|(i, (id, ..))| ((*id).to_owned(), i)).collect();
    let planned = components.into_iter().map(|(id, fake, inputs)| {
        let inputs = inputs.iter().map(|input| match input.strip_suffix(".dead_letter") {
            Some(of) => InputRef { component: ids[of], port: Port::DEAD_LETTER },
            None => InputRef { component: ids[*input], port: Port::MAIN },
        });
        PlannedComponent::added(id, fake.spec(), json!({}), inputs.collect())
    });
    Plan {
        global: Global {
            data_dir: None,
            admin: None,
            shutdown_timeout: Period(Duration::from_secs(60)),
            buffer: BufferOptions { max_bytes: ByteSize(64 * 1024) },
            plugins: PluginOptions::default(),
        },
        base_dir: PathBuf::new(),
        components: planned.collect(),
    }
}
