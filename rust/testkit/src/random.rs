//! Random numbers from a seed.
//!
//! The generator is `SplitMix64`, written out here: what a seed gives must stay the same for as
//! long as tests remember images by it, and libraries do not promise that.

/// A stream of numbers that a seed determines.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another stream, for the part of the work that `salt` names.
    #[must_use]
    pub fn fork(&self, salt: u64) -> Self {
        Self(Self(self.0 ^ salt.wrapping_mul(0xd605_bbb5_8c8a_bd8d)).number())
    }

    /// Any number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(end);
        (wide >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True once in `of` times.
    pub fn once_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// One of the members.
    pub fn pick<'a, T>(&mut self, members: &'a [T]) -> Option<&'a T> {
        members.get(self.below(members.len() as u64) as usize)
    }
}
