//! The method `half_space_trees`: how few of the values of the last window lie where a value and its change lie (Tan,
//! Ting and Liu, Fast Anomaly Detection for Streaming Data, IJCAI 2011). Sees a usual value at an unusual time, such
//! as one that does not change any more.
//!
//! The cuts of all keys' trees are the same, drawn once from a fixed seed; a key has only the counts of its own.

use std::sync::LazyLock;

use super::{Judgement, RATIO_MAX, View, all_learned, learned};
use crate::event_key::mix;
use crate::state_bytes::{StateReader, StateWriter};

/// Trees.
const TREES: usize = 25;

/// Cuts from the root to a leaf.
const DEPTH: usize = 6;

/// Nodes of a tree; the root is 1, the children of `n` are `2n` and `2n + 1`.
const NODES: usize = 2 << DEPTH;

/// Values of a window.
const WINDOW: u16 = 256;

/// Values a node needs for its children to be asked.
const VALUES_MIN: u16 = WINDOW / 10;

/// The density, against an even spread over the range, below which an alarm is due.
const DENSITY_LIMIT: f64 = 0.05;

#[derive(Debug, Clone)]
pub(super) struct HalfSpaceTrees {
    /// Counts of the last window and of this one, tree by tree.
    last: Vec<u16>,
    this: Vec<u16>,
    /// Values in this window.
    values: u16,
    /// Values of the first window, from which the ranges come.
    first: Vec<f64>,
    /// Least and greatest value, and change.
    ranges: Option<[(f64, f64); 2]>,
    previous: f64,
}

impl HalfSpaceTrees {
    pub(super) fn new() -> Self {
        Self {
            last: Vec::new(),
            this: Vec::new(),
            values: 0,
            first: Vec::new(),
            ranges: None,
            previous: 0.0,
        }
    }

    pub(super) fn push(&mut self, value: f64) -> Judgement {
        let Some(ranges) = self.ranges else {
            self.gather(value);
            return Judgement {
                ratio: 0.0,
                low: value,
                high: value,
                baseline: value,
                view: View::Value,
            };
        };
        let change = value - self.previous;
        self.previous = value;
        let point = self.learn_and_place(ranges, value, change);
        let density = point / (TREES as f64 * f64::from(WINDOW));
        let (low, high) = ranges[0];
        let ratio = (DENSITY_LIMIT / density).min(RATIO_MAX);
        Judgement {
            ratio,
            low,
            high,
            baseline: f64::midpoint(low, high),
            view: View::Change(change),
        }
    }

    /// The mass at a point, summed over the trees; counts the point.
    fn learn_and_place(&mut self, ranges: [(f64, f64); 2], value: f64, change: f64) -> f64 {
        let point = [place(value, ranges[0]), place(change, ranges[1])];
        let mut sum = 0.0;
        for (tree, cuts) in CUTS.iter().enumerate() {
            sum += self.descend(tree, cuts, point);
        }
        self.values += 1;
        if self.values == WINDOW {
            std::mem::swap(&mut self.last, &mut self.this);
            self.this.fill(0);
            self.values = 0;
        }
        sum
    }

    /// Counts a point along its way to a leaf; gives the mass where the last window had few values left.
    fn descend(&mut self, tree: usize, cuts: &Cuts, point: [f64; 2]) -> f64 {
        let (last, this) =
            (&self.last[tree * NODES..][..NODES], &mut self.this[tree * NODES..][..NODES]);
        let mut space = cuts.space;
        let mut node = 1;
        let mut mass = None;
        for depth in 0..=DEPTH {
            this[node] = this[node].saturating_add(1);
            if mass.is_none() && (last[node] <= VALUES_MIN || depth == DEPTH) {
                mass = Some(f64::from(last[node]) * f64::from(1u32 << depth));
            }
            if depth < DEPTH {
                let axis = (cuts.axes >> node & 1) as usize;
                let (low, high) = space[axis];
                let middle = f64::midpoint(low, high);
                let is_right = point[axis] >= middle;
                space[axis] = if is_right { (middle, high) } else { (low, middle) };
                node = 2 * node + usize::from(is_right);
            }
        }
        mass.unwrap_or_default()
    }

    /// Keeps a value of the first window; its end fills the counts.
    fn gather(&mut self, value: f64) {
        self.first.push(value);
        if self.first.len() <= usize::from(WINDOW) {
            return;
        }
        let values = std::mem::take(&mut self.first);
        let changes = values.windows(2).map(|pair| pair[1] - pair[0]);
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            })
        };
        let ranges = [range(&mut values.iter().copied()), range(&mut changes.clone())];
        self.ranges = Some(ranges);
        self.last = vec![0; TREES * NODES];
        self.this = vec![0; TREES * NODES];
        for (value, change) in values[1..].iter().zip(changes) {
            self.learn_and_place(ranges, *value, change);
        }
        self.previous = value;
    }

    pub(super) fn write(&self, out: &mut StateWriter) {
        let counts = |counts: &[u16]| counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        let (last, this): (Vec<u8>, Vec<u8>) = (counts(&self.last), counts(&self.this));
        out.bytes(&last);
        out.bytes(&this);
        out.u64(self.values.into());
        out.f64s(&self.first);
        let ranges: Vec<f64> =
            self.ranges.iter().flatten().flat_map(|(low, high)| [*low, *high]).collect();
        out.f64s(&ranges);
        out.f64(self.previous);
    }

    pub(super) fn read(from: &mut StateReader<'_>) -> Option<Self> {
        let counts = |bytes: &[u8]| -> Vec<u16> {
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
        };
        let (last, this) = (counts(from.bytes()?), counts(from.bytes()?));
        let values = u16::try_from(from.u64()?).ok().filter(|values| *values < WINDOW)?;
        let first = all_learned(from, usize::from(WINDOW))?;
        let ranges = match all_learned(from, 4)?[..] {
            [] => None,
            [a, b, c, d] => Some([(a, b), (c, d)]),
            _ => return None,
        };
        let wanted = if ranges.is_some() { TREES * NODES } else { 0 };
        let fits = last.len() == wanted && this.len() == wanted;
        let previous = learned(from)?;
        fits.then_some(Self { last, this, values, first, ranges, previous })
    }
}

/// How a tree cuts its space.
struct Cuts {
    space: [(f64, f64); 2],
    /// A bit for each node that has children: whether they differ in the change, or in the value.
    axes: u64,
}

static CUTS: LazyLock<[Cuts; TREES]> = LazyLock::new(|| {
    std::array::from_fn(|tree| {
        let axis = |node: usize| mix((tree * NODES + node) as u64) & 1;
        let axes = (1..NODES / 2).fold(0, |axes, node| axes | axis(node) << node);
        Cuts { space: space_of(tree), axes }
    })
});

/// Where a number lies in a range: 0 to 1 inside.
fn place(number: f64, (low, high): (f64, f64)) -> f64 {
    if high > low {
        (number - low) / (high - low)
    } else if number == low {
        0.5
    } else {
        2.0
    }
}

/// The space that a tree cuts: around a random point of the range, far enough to hold all of it.
fn space_of(tree: usize) -> [(f64, f64); 2] {
    [0, 1].map(|axis| {
        let drawn = mix(0x5EED ^ ((tree as u64) << 1 | axis)) >> 11;
        let centre = drawn as f64 / (1u64 << 53) as f64;
        let reach = 2.0 * centre.max(1.0 - centre);
        (centre - reach, centre + reach)
    })
}
