//! How many different values there were: exactly while they are few, then estimated by a HyperLogLog.
//!
//! The sketch is that of Flajolet, Fusy, Gandouet, Meunier: "HyperLogLog: the analysis of a near-optimal cardinality
//! estimation algorithm" (AofA 2007), with 2^12 registers and 64-bit hashes; the estimate is that of Ertl: "New
//! cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284, algorithm 6), which needs no
//! correction for small or large numbers. Its standard error is 1.04 / sqrt(2^12) = 1.6 %.

/// Bits of a hash that choose a register.
const PRECISION: u32 = 12;
const REGISTERS: usize = 1 << PRECISION;

/// Bits that are left for a register's rank.
const RANK_BITS: usize = (u64::BITS - PRECISION) as usize;

/// Hashes that are kept as they are; they take as much room as the registers.
const EXACT_MAX: usize = REGISTERS / size_of::<u64>();

/// The values, by their hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Distinct {
    /// Sorted.
    Exact(Vec<u64>),
    Registers(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    /// Adds a value by its hash, all bits of which are as good as random.
    pub(super) fn add(&mut self, hash: u64) {
        match self {
            Self::Registers(registers) => raise(registers, hash),
            Self::Exact(hashes) => {
                let Err(at) = hashes.binary_search(&hash) else { return };
                if hashes.len() < EXACT_MAX {
                    hashes.insert(at, hash);
                } else {
                    self.registers();
                    self.add(hash);
                }
            }
        }
    }

    /// Adds all values of another.
    pub(super) fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(hashes) => hashes.iter().for_each(|hash| self.add(*hash)),
            Self::Registers(theirs) => {
                for (own, their) in self.registers().iter_mut().zip(theirs) {
                    *own = (*own).max(*their);
                }
            }
        }
    }

    /// How many there are, as well as it is known.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Registers(registers) => estimate(registers).round() as u64,
        }
    }

    fn registers(&mut self) -> &mut [u8] {
        if let Self::Exact(hashes) = self {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            hashes.iter().for_each(|hash| raise(&mut registers, *hash));
            *self = Self::Registers(registers);
        }
        match self {
            Self::Registers(registers) => registers,
            Self::Exact(_) => &mut [],
        }
    }
}

/// Notes the rank of a hash: the position of the first bit that is set, of those that do not choose the register.
fn raise(registers: &mut [u8], hash: u64) {
    let rank = ((hash << PRECISION) | 1 << (PRECISION - 1)).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut((hash >> RANK_BITS) as usize) {
        *register = (*register).max(rank);
    }
}

fn estimate(registers: &[u8]) -> f64 {
    let mut counts = [0u32; RANK_BITS + 2];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(*register)) {
            *count += 1;
        }
    }
    let m = REGISTERS as f64;
    let mut z = m * tau(1.0 - f64::from(counts[RANK_BITS + 1]) / m);
    for count in counts[1..=RANK_BITS].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(counts[0]) / m);
    m * m / (2.0 * std::f64::consts::LN_2 * z)
}

/// `x + sum of x^(2^k) * 2^(k-1)`; infinite at 1.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// `(1 - x - sum of (1 - x^(2^-k))^2 * 2^-k) / 3`.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_key::stable_hash;

    fn of(numbers: std::ops::Range<u64>) -> Distinct {
        let mut distinct = Distinct::default();
        for number in numbers {
            distinct.add(stable_hash(&number.to_le_bytes(), 7));
        }
        distinct
    }

    #[test]
    fn is_exact_while_there_are_few() {
        for count in [0, 1, 100, EXACT_MAX as u64] {
            assert_eq!(of(0..count).count(), count);
        }
    }

    #[test]
    fn is_within_four_standard_errors_of_the_truth() {
        let error = 1.04 / (REGISTERS as f64).sqrt();
        for count in [513u64, 1_000, 5_000, 10_000, 30_000, 100_000, 1_000_000] {
            let found = of(0..count).count() as f64;
            let off = (found / count as f64 - 1.0).abs();
            assert!(off < 4.0 * error, "{found} for {count}");
        }
    }

    #[test]
    fn merged_is_as_if_all_had_been_added_to_one() {
        for (first, second) in
            [(0..10, 5..300), (0..400, 200..900), (0..5_000, 10..20), (7..9, 0..5_000)]
        {
            let (start, end) = (first.start.min(second.start), first.end.max(second.end));
            let mut merged = of(first);
            merged.merge(&of(second));
            assert_eq!(merged.count(), of(start..end).count());
        }
    }
}
