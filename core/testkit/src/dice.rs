//! Numbers that look random and are the same in every run: for mutations of what comes from outside.

/// Marsaglia's xorshift64 ("Xorshift RNGs", 2003).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Another seed, other numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }
}
