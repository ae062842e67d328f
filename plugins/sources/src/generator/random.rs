//! A small seeded source of random numbers: repeatable, fast, and not for secrets.
//!
//! xoshiro256++ (Blackman and Vigna, 2019), seeded by splitmix64 as its authors advise.

/// The generator's state.
#[derive(Debug, Clone)]
pub(super) struct Random([u64; 4]);

impl Random {
    /// The sequence that belongs to a seed.
    pub(super) fn new(mut seed: u64) -> Self {
        Self(std::array::from_fn(|_| {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = seed;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        }))
    }

    /// 64 random bits.
    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number below `end`, or 0 when `end` is 0. The bias is below `end` / 2^32.
    #[inline]
    pub(super) fn below(&mut self, end: u32) -> u32 {
        scale((self.bits() >> 32) as u32, end)
    }

    /// A number from 0 to below 1.
    #[inline]
    pub(super) fn fraction(&mut self) -> f64 {
        // 53 bits, as many as a float holds.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of a list that is not empty.
    #[inline]
    pub(super) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len() as u32) as usize]
    }
}

/// Maps 32 random bits to a number below `end`.
#[inline]
pub(super) fn scale(bits: u32, end: u32) -> u32 {
    ((u64::from(bits) * u64::from(end)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_reference_sequence() {
        // State 1, 2, 3, 4: the first outputs of the authors' C code.
        let mut random = Random([1, 2, 3, 4]);
        let first: Vec<u64> = (0..4).map(|_| random.bits()).collect();
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn spreads_evenly_below_the_end() {
        let mut random = Random::new(7);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[random.below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
        assert_eq!(random.below(0), 0);
    }
}
