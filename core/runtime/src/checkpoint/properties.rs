//! The tracker under random topologies and random interleavings, without threads: whatever happens in which
//! order, a snapshot names the same batches by its positions as by its sink states, and nothing is lost or
//! stored twice after a crash.

use std::collections::VecDeque;

use lograil_event::Acks;
use proptest::prelude::*;

use super::*;

/// A path from a source to a sink. Two paths between the same two make a diamond.
#[derive(Debug, Clone)]
struct Route {
    source: usize,
    sink: usize,
    /// Takes only batches whose number has this remainder by two; all if `None`.
    only: Option<u64>,
}

#[derive(Debug, Clone)]
enum Step {
    Begin(usize),
    /// The next batch that waits on a route is written by its sink.
    Write(usize),
    Commit(usize),
    Open(usize),
    Cut,
    Crash,
}

/// A batch by its source and its number there, across crashes; and the route it came on.
type Stored = (usize, u64, usize);

#[derive(Default)]
struct Disk {
    stored: Vec<Stored>,
    durable: usize,
}

#[derive(Default)]
struct SinkModel {
    disk: Disk,
    /// Its number in the tracker, once it is open.
    number: Option<usize>,
    uncommitted: Vec<Acks>,
}

struct World {
    routes: Vec<Route>,
    tracker: Arc<Tracker>,
    saved: Snapshot,
    /// The number of each source's next batch.
    next: Vec<u64>,
    waiting: Vec<VecDeque<(Stored, Acks)>>,
    sinks: Vec<SinkModel>,
    /// Whether cuts may be forced, which allows doubles.
    is_exact: bool,
}

fn name(index: usize) -> String {
    index.to_string()
}

impl World {
    fn new(sources: usize, sinks: usize, routes: Vec<Route>, is_exact: bool) -> Self {
        let waiting = routes.iter().map(|_| VecDeque::new()).collect();
        let mut world = Self {
            routes,
            tracker: Tracker::new(Snapshot::default()),
            saved: Snapshot::default(),
            next: vec![0; sources],
            waiting,
            sinks: (0..sinks).map(|_| SinkModel::default()).collect(),
            is_exact,
        };
        world.crash();
        world
    }

    fn position(&self, snapshot: &Snapshot, source: usize) -> u64 {
        let streams = snapshot.positions.get(&name(source));
        streams.and_then(|s| s.get("s")).map_or(0, |position| position.parse().unwrap())
    }

    /// All is lost but the disks and the last snapshot; the sources start anew, the sinks are not yet open.
    fn crash(&mut self) {
        self.waiting.iter_mut().for_each(VecDeque::clear);
        self.tracker = Tracker::new(self.saved.clone());
        self.next = (0..self.next.len()).map(|source| self.position(&self.saved, source)).collect();
        for source in 0..self.next.len() {
            assert_eq!(self.tracker.source(&name(source)) as usize, source);
        }
        for sink in &mut self.sinks {
            sink.uncommitted.clear();
            sink.number = None;
            // What is not durable may be lost.
            sink.disk.stored.truncate(sink.disk.durable);
        }
    }

    fn open(&mut self, index: usize) {
        let sink = &mut self.sinks[index];
        if sink.number.is_some() {
            return;
        }
        if let Some(state) = self.saved.sink_states.get(&name(index)) {
            let kept: usize = state.parse().unwrap();
            assert!(kept <= sink.disk.durable, "a state is durable");
            sink.disk.stored.truncate(kept);
            sink.disk.durable = kept;
        }
        let state = sink.disk.stored.len().to_string();
        sink.number = Some(self.tracker.track_sink(&name(index), state));
        // The runtime saves the state of a sink before its first write.
        self.cut();
    }

    fn begin(&mut self, source: usize) {
        let number = self.next[source];
        self.next[source] += 1;
        let position = Some(self.next[source].to_string());
        let positions = vec![PositionUpdate { stream: "s".into(), position }];
        let acks = Acks::from(self.tracker.begin(source as u32, positions));
        for (index, route) in self.routes.iter().enumerate() {
            if route.source == source && route.takes(number) {
                self.waiting[index].push_back(((source, number, index), acks.clone()));
            }
        }
        acks.resolve(AckStatus::Delivered);
    }

    fn write(&mut self, route: usize) {
        let sink = &mut self.sinks[self.routes[route].sink];
        let Some(number) = sink.number else { return };
        let Some((stored, acks)) = self.waiting[route].pop_front() else { return };
        sink.disk.stored.push(stored);
        self.tracker.written(number, &acks, sink.disk.stored.len().to_string());
        sink.uncommitted.push(acks);
    }

    fn commit(&mut self, index: usize) {
        let sink = &mut self.sinks[index];
        let Some(number) = sink.number else { return };
        sink.disk.durable = sink.disk.stored.len();
        self.tracker.committed(number);
        sink.uncommitted.drain(..).for_each(|acks| acks.resolve(AckStatus::Delivered));
    }

    fn cut(&mut self) {
        if let Some(snapshot) = self.tracker.cut() {
            self.check(&snapshot);
            self.saved = snapshot;
        }
    }

    /// What lies before the positions is what lies in the sinks' states.
    fn check(&self, snapshot: &Snapshot) {
        for (index, sink) in self.sinks.iter().enumerate() {
            let state = snapshot.sink_states.get(&name(index));
            let len: usize = state.map_or(0, |state| state.parse().unwrap());
            assert!(len <= sink.disk.durable);
            let mut held = sink.disk.stored[..len].to_vec();
            held.sort_unstable();
            let mut passed = Vec::new();
            for (number, route) in self.routes.iter().enumerate().filter(|(_, r)| r.sink == index) {
                let batches = 0..self.position(snapshot, route.source);
                let taken = batches.filter(|batch| route.takes(*batch));
                passed.extend(taken.map(|batch| (route.source, batch, number)));
            }
            passed.sort_unstable();
            if self.is_exact {
                assert_eq!(held, passed, "sink {index}");
            } else {
                assert!(passed.iter().all(|batch| held.contains(batch)), "sink {index}");
            }
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Begin(source) => self.begin(source % self.next.len()),
            Step::Write(route) => self.write(route % self.routes.len()),
            Step::Commit(sink) => self.commit(sink % self.sinks.len()),
            Step::Open(sink) => self.open(sink % self.sinks.len()),
            Step::Cut => self.cut(),
            Step::Crash => self.crash(),
        }
    }

    /// Lets everything through; one more cut then names all of it.
    fn drain(&mut self) {
        for sink in 0..self.sinks.len() {
            self.open(sink);
        }
        for route in 0..self.routes.len() {
            while !self.waiting[route].is_empty() {
                self.write(route);
            }
        }
        for sink in 0..self.sinks.len() {
            self.commit(sink);
        }
        self.cut();
        assert_eq!(self.tracker.in_flight(), 0);
        for source in 0..self.next.len() {
            assert_eq!(self.position(&self.saved, source), self.next[source], "source {source}");
        }
        for (index, sink) in self.sinks.iter().enumerate() {
            let state = &self.saved.sink_states[&name(index)];
            assert_eq!(state.parse::<usize>().unwrap(), sink.disk.stored.len());
        }
    }
}

impl Route {
    fn takes(&self, number: u64) -> bool {
        self.only.is_none_or(|remainder| number % 2 == remainder)
    }
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let only = prop_oneof![2 => Just(None), 1 => (0u64..2).prop_map(Some)];
    let route =
        (0usize..3, 0usize..3, only).prop_map(|(source, sink, only)| Route { source, sink, only });
    proptest::collection::vec(route, 1..7)
}

fn steps(cut_weight: u32) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0usize..3).prop_map(Step::Begin),
        24 => (0usize..7).prop_map(Step::Write),
        8 => (0usize..3).prop_map(Step::Commit),
        4 => (0usize..3).prop_map(Step::Open),
        cut_weight => Just(Step::Cut),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 0..300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn positions_and_sink_states_name_the_same_batches(routes in routes(), steps in steps(5)) {
        let mut world = World::new(3, 3, routes, true);
        let mut cuts = 0;
        for step in &steps {
            let is_cut = matches!(step, Step::Cut | Step::Open(_));
            cuts += u32::from(is_cut);
            // No cut is forced before so many.
            if cuts < STALLED_CUTS_MAX - 3 || !is_cut {
                world.step(step);
            }
        }
        world.drain();
    }

    #[test]
    fn a_forced_cut_loses_nothing(routes in routes(), steps in steps(40)) {
        let mut world = World::new(3, 3, routes, false);
        for step in &steps {
            world.step(step);
        }
        world.drain();
    }
}
