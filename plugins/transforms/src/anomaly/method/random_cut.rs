//! The method `random_cut_forest`: how much of a forest of random cuts would be one cut simpler without a value and the
//! three before it (Guha, Mishra, Roy and Schrijvers, Robust Random Cut Forest Based Anomaly Detection On Streams, ICML
//! 2016: insertion, deletion and collusive displacement). Sees shapes that did not come of late.
//!
//! **Invariant:** the cuts are drawn from a fixed seed, so equal values give equal scores, also after a restart.

use super::{Judgement, RATIO_MAX, View, all_learned, learned};
use crate::event_key::mix;
use crate::state_bytes::{StateReader, StateWriter};

/// Trees.
const TREES: usize = 16;

/// Points of a tree, the same in all: those of the last values.
const POINTS: usize = 96;

/// Values of a point: the newest and those before it.
const SHINGLE: usize = 4;

/// Values of which the last `POINTS` points consist.
const VALUES: usize = POINTS + SHINGLE - 1;

/// Points before which there are no trees.
const WARM_UP: usize = 64;

/// Cuts of a tree at most: one less than points.
const CUTS: usize = POINTS - 1;

/// In the place of a cut: points that are alike, or no cut.
const NONE: u8 = u8::MAX;

/// How far beyond its mean, in standard deviations, a displacement is an alarm. Their distribution has a long tail: of
/// normal noise about one in a thousand is.
const DEVIATIONS_LIMIT: f64 = 8.0;

/// The least weight of a displacement in mean and variance.
const DISPLACEMENT_WEIGHT: f64 = 0.005;

/// No deviation is less: where all is alike, what is a little different is no alarm.
const DEVIATION_MIN: f64 = 3.0;

const SEED: u64 = 0x0F0_5E57;
/// 2^64 over the golden ratio: SplitMix64 (Steele, Lea and Flood 2014).
const SEED_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

#[derive(Debug, Clone)]
pub(super) struct RandomCutForest {
    /// The last values, the newest last.
    values: Vec<f64>,
    trees: Vec<Tree>,
    random: Random,
    /// Mean and variance of the displacements, and how many there were.
    mean: f64,
    variance: f64,
    displacements: u64,
}

/// A tree of cuts. Which points are where is not kept: the cuts say so.
#[derive(Debug, Clone)]
struct Tree {
    root: u8,
    cuts: Vec<Cut>,
    /// Cuts that are not used, to be used again.
    free: Vec<u8>,
}

/// Parts points by one of their values: those up to `at` from those beyond.
#[derive(Debug, Clone, Copy)]
struct Cut {
    at: f64,
    axis: u8,
    /// The cuts of the two parts.
    parts: [u8; 2],
}

/// Where the number of a cut stands.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Root,
    Part(u8, usize),
}

#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    /// Uniform in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(SEED_STEP);
        (mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl RandomCutForest {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            trees: Vec::new(),
            random: Random(SEED),
            mean: 0.0,
            variance: 0.0,
            displacements: 0,
        }
    }

    pub(super) fn push(&mut self, value: f64) -> Judgement {
        let known = self.values.iter().copied();
        let (low, high) = (known.clone().fold(value, f64::min), known.fold(value, f64::max));
        let ratio = match self.learn(value) {
            Some(displacement) => self.ratio(displacement),
            None => 0.0,
        };
        let baseline = f64::midpoint(low, high);
        Judgement { ratio, low, high, baseline, view: View::Shape }
    }

    /// Takes a value up, and lets the oldest point go; gives the displacement by the newest.
    fn learn(&mut self, value: f64) -> Option<f64> {
        if self.values.len() == VALUES {
            let (oldest, others) = (&self.values[..SHINGLE], 1..POINTS);
            for tree in &mut self.trees {
                tree.remove(&self.values, oldest, others.clone());
            }
            self.values.remove(0);
        }
        self.values.push(value);
        let points = (self.values.len() + 1).saturating_sub(SHINGLE);
        if points < WARM_UP {
            return None;
        }
        if self.trees.is_empty() {
            let empty = Tree { root: NONE, cuts: Vec::new(), free: Vec::new() };
            self.trees = vec![empty; TREES];
            for tree in &mut self.trees {
                for point in 1..points - 1 {
                    tree.insert(&self.values, point, &mut self.random);
                }
            }
        }
        let mut sum = 0.0;
        for tree in &mut self.trees {
            sum += tree.insert(&self.values, points - 1, &mut self.random);
        }
        Some(sum / TREES as f64)
    }

    /// How far a displacement is beyond what is usual, then learns it.
    fn ratio(&mut self, displacement: f64) -> f64 {
        let beyond = displacement - self.mean;
        let deviation = self.variance.sqrt().max(DEVIATION_MIN);
        let ratio = if self.displacements >= WARM_UP as u64 {
            (beyond / (DEVIATIONS_LIMIT * deviation)).clamp(0.0, RATIO_MAX)
        } else {
            0.0
        };
        self.displacements = self.displacements.saturating_add(1);
        let weight = (1.0 / self.displacements as f64).max(DISPLACEMENT_WEIGHT);
        self.mean += weight * beyond;
        self.variance = (1.0 - weight) * (self.variance + weight * beyond * beyond);
        ratio
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        out.f64s(&self.values);
        out.u64(self.random.0);
        [self.mean, self.variance].iter().for_each(|number| out.f64(*number));
        out.u64(self.displacements);
        out.u64(self.trees.len() as u64);
        for tree in &self.trees {
            out.u64(tree.root.into());
            let cuts: Vec<f64> = tree.cuts.iter().map(|cut| cut.at).collect();
            out.f64s(&cuts);
            let places = |cut: &Cut| [cut.axis, cut.parts[0], cut.parts[1]];
            out.bytes(&tree.cuts.iter().flat_map(places).collect::<Vec<u8>>());
            out.bytes(&tree.free);
        }
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let values = all_learned(from, VALUES)?;
        let random = Random(from.u64()?);
        let (mean, variance) = (learned(from)?, learned(from).filter(|it| *it >= 0.0)?);
        let displacements = from.u64()?;
        let points = (values.len() + 1).saturating_sub(SHINGLE);
        let count = from.u64()?;
        if count != if points >= WARM_UP { TREES as u64 } else { 0 } {
            return None;
        }
        let trees = (0..count).map(|_| Tree::read(from, &values, points)).collect::<Option<_>>()?;
        Some(Self { values, trees, random, mean, variance, displacements })
    }
}

impl Tree {
    fn slot(&mut self, slot: Slot) -> &mut u8 {
        match slot {
            Slot::Root => &mut self.root,
            Slot::Part(cut, part) => &mut self.cuts[usize::from(cut)].parts[part],
        }
    }

    /// Takes a point up that stands at `point` in `values`, where the others are before it; gives the displacement by it:
    /// how many times as many points would each be one cut nearer to the root without it and its like.
    fn insert(&mut self, values: &[f64], point: usize, random: &mut Random) -> f64 {
        let first = (point + 1).saturating_sub(POINTS);
        let new = &values[point..][..SHINGLE];
        let mut others = Others::new(values, first..point);
        let mut displacement: f64 = 0.0;
        let mut slot = Slot::Root;
        if others.is_empty() {
            return displacement;
        }
        loop {
            let (low, high) = others.bounds();
            let Some((axis, at)) = draw(&low, &high, new, random) else { return displacement };
            let node = *self.slot(slot);
            let is_beyond = new[axis] > at;
            let is_apart = if is_beyond { high[axis] <= at } else { low[axis] > at };
            if is_apart || node == NONE {
                // Points that are alike have no cut of their own, so whatever is drawn parts the new one from them.
                let parts = if is_beyond { [node, NONE] } else { [NONE, node] };
                let cut = self.add(Cut { at, axis: axis as u8, parts });
                *self.slot(slot) = cut;
                return displacement.max(others.len() as f64);
            }
            let cut = self.cuts[usize::from(node)];
            let part = usize::from(new[usize::from(cut.axis)] > cut.at);
            let all = others.len();
            others.keep(cut, part);
            let own = others.len() + 1;
            displacement = displacement.max((all + 1 - own) as f64 / own as f64);
            slot = Slot::Part(node, part);
            if others.is_empty() {
                return displacement;
            }
        }
    }

    fn add(&mut self, cut: Cut) -> u8 {
        match self.free.pop() {
            Some(at) => {
                self.cuts[usize::from(at)] = cut;
                at
            }
            None => {
                self.cuts.push(cut);
                (self.cuts.len() - 1) as u8
            }
        }
    }

    /// Lets a point go; `others` are the others' places in `values`.
    fn remove(&mut self, values: &[f64], point: &[f64], others: std::ops::Range<usize>) {
        let mut others = Others::new(values, others);
        let (mut slot, mut last) = (Slot::Root, None);
        loop {
            let node = *self.slot(slot);
            if node == NONE {
                break;
            }
            let cut = self.cuts[usize::from(node)];
            let part = usize::from(point[usize::from(cut.axis)] > cut.at);
            others.keep(cut, part);
            last = Some((slot, node, cut.parts[1 - part]));
            slot = Slot::Part(node, part);
        }
        // With others like it the cut above is still theirs.
        if others.is_empty()
            && let Some((above, node, sibling)) = last
        {
            *self.slot(above) = sibling;
            self.free.push(node);
        }
    }

    fn read(from: &mut StateReader<'_>, values: &[f64], points: usize) -> Option<Self> {
        let root = u8::try_from(from.u64()?).ok()?;
        let at = all_learned(from, CUTS)?;
        let places = from.bytes()?;
        let free = from.bytes()?.to_vec();
        if places.len() != 3 * at.len() {
            return None;
        }
        let cut = |(at, place): (&f64, &[u8])| {
            let [axis, left, right] = *place else { return None };
            (usize::from(axis) < SHINGLE).then_some(Cut { at: *at, axis, parts: [left, right] })
        };
        let cuts = at.iter().zip(places.chunks(3)).map(cut).collect::<Option<Vec<Cut>>>()?;
        let tree = Self { root, cuts, free };
        let mut is_used = vec![false; tree.cuts.len()];
        for free in &tree.free {
            let is_used = is_used.get_mut(usize::from(*free))?;
            (!std::mem::replace(is_used, true)).then_some(())?;
        }
        tree.check(tree.root, Others::new(values, 0..points), &mut is_used)?;
        is_used.iter().all(|is_used| *is_used).then_some(tree)
    }

    /// Whether every cut is in one place and parts points from points, and no others are alike.
    fn check(&self, node: u8, points: Others<'_>, is_used: &mut [bool]) -> Option<()> {
        if node == NONE {
            let (low, high) = points.bounds();
            return (low == high).then_some(());
        }
        (!std::mem::replace(is_used.get_mut(usize::from(node))?, true)).then_some(())?;
        let cut = self.cuts[usize::from(node)];
        for part in 0..2 {
            let mut some = points.clone();
            some.keep(cut, part);
            (!some.is_empty()).then_some(())?;
            self.check(cut.parts[part], some, is_used)?;
        }
        Some(())
    }
}

/// Points by where they stand in the values.
#[derive(Clone)]
struct Others<'a> {
    values: &'a [f64],
    places: [u8; POINTS],
    len: usize,
}

impl<'a> Others<'a> {
    fn new(values: &'a [f64], places: std::ops::Range<usize>) -> Self {
        let mut others = Self { values, places: [0; POINTS], len: places.len().min(POINTS) };
        for (to, from) in others.places.iter_mut().zip(places) {
            *to = from as u8;
        }
        others
    }

    fn len(&self) -> usize {
        self.len
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Those that lie in one part of a cut.
    fn keep(&mut self, cut: Cut, part: usize) {
        let mut kept = 0;
        for at in 0..self.len {
            let place = self.places[at];
            let value = self.values[usize::from(place) + usize::from(cut.axis)];
            self.places[kept] = place;
            kept += usize::from(usize::from(value > cut.at) == part);
        }
        self.len = kept;
    }

    /// The least and greatest of each of their values.
    fn bounds(&self) -> ([f64; SHINGLE], [f64; SHINGLE]) {
        let (mut low, mut high) = ([f64::INFINITY; SHINGLE], [f64::NEG_INFINITY; SHINGLE]);
        for place in &self.places[..self.len] {
            let Some(point) = self.values[usize::from(*place)..].first_chunk::<SHINGLE>() else {
                continue;
            };
            for axis in 0..SHINGLE {
                // Not `f64::min`: that minds numbers which are none, and there are none.
                low[axis] = if point[axis] < low[axis] { point[axis] } else { low[axis] };
                high[axis] = if point[axis] > high[axis] { point[axis] } else { high[axis] };
            }
        }
        (low, high)
    }
}

/// A cut of the box that holds a new point too: each axis by its length, anywhere on it. `None` if all are alike.
fn draw(
    low: &[f64; SHINGLE],
    high: &[f64; SHINGLE],
    new: &[f64],
    random: &mut Random,
) -> Option<(usize, f64)> {
    let of = |axis: usize| (low[axis].min(new[axis]), high[axis].max(new[axis]));
    let sum: f64 = (0..SHINGLE).map(|axis| of(axis).1 - of(axis).0).sum();
    if sum <= 0.0 {
        return None;
    }
    let mut rest = random.next() * sum;
    let mut found = None;
    for axis in 0..SHINGLE {
        let (low, high) = of(axis);
        let length = high - low;
        if length > 0.0 {
            // The last one that has a length takes what rounding left over.
            let at = low + rest.max(0.0);
            found = Some((axis, if at < high { at } else { low }));
            if rest < length {
                break;
            }
        }
        rest -= length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cut parts points from points after each step, and equal points share a leaf.
    #[test]
    fn trees_stay_whole() {
        let mut forest = RandomCutForest::new();
        for at in 0u64..1000 {
            // Few different values, so that many points are alike; for a while all are.
            let value = if (400..600).contains(&at) { 0 } else { mix(at) % 4 };
            forest.push(value as f64);
            let points = (forest.values.len() + 1).saturating_sub(SHINGLE);
            for tree in &forest.trees {
                let mut is_used = vec![false; tree.cuts.len()];
                tree.free.iter().for_each(|free| is_used[usize::from(*free)] = true);
                let all = Others::new(&forest.values, 0..points);
                assert_eq!(tree.check(tree.root, all, &mut is_used), Some(()), "{at}");
                assert!(is_used.iter().all(|is_used| *is_used) && tree.cuts.len() <= CUTS);
            }
        }
    }

    #[test]
    fn a_point_far_off_displaces_all_others() {
        let mut forest = RandomCutForest::new();
        let mut random = Random(1);
        for _ in 0..300 {
            forest.learn(random.next());
        }
        let usual = forest.clone().learn(0.5).unwrap();
        let far = forest.learn(1e6).unwrap();
        assert!(usual < 40.0 && far > 90.0, "{usual} {far}");
    }
}
