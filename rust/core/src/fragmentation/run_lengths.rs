//! Lengths of runs, each with the number of runs that have it.

use std::mem;

use super::LengthClass;
use crate::units::index_u32;

/// Lengths below this have a counter each: all that lie within one leaf, and most others.
const SHORT: usize = 512;

/// How many runs have each length.
///
/// There are less than 2³² mappings. Memory: runs of different lengths cover at least half the square of their number in blocks,
/// so of `n` mappings there are never more than √(2n) entries, of 8 bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RunLengths(Vec<(u32, u32)>);

impl RunLengths {
    /// Lengths, ascending, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    /// Number of runs.
    fn count(&self) -> u64 {
        self.iter().fold(0, |sum, (_, count)| sum.saturating_add(u64::from(count)))
    }

    /// The shortest length that half of the runs, or more, do not exceed; 0 where there is none.
    pub(super) fn median(&self) -> u64 {
        let mut left = self.count().div_ceil(2);
        for (length, count) in self.iter() {
            match left.checked_sub(u64::from(count)) {
                Some(0) | None => return u64::from(length),
                Some(rest) => left = rest,
            }
        }
        0
    }

    /// The longest length; 0 where there is none.
    pub(super) fn longest(&self) -> u64 {
        self.0.last().map_or(0, |(length, _)| u64::from(*length))
    }

    /// By powers of two.
    pub(super) fn classes(&self) -> Vec<LengthClass> {
        let mut classes = Vec::new();
        for (length, count) in self.iter() {
            LengthClass::note(&mut classes, u64::from(length), u64::from(count));
        }
        classes
    }
}

/// Counts lengths, whatever order they come in.
#[derive(Debug)]
pub(super) struct Tally {
    /// By length.
    short: Vec<u32>,
    /// In no order; a length may come again.
    long: Vec<(u32, u32)>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { short: vec![0; SHORT], long: Vec::new() }
    }

    /// Counts so many runs of a length.
    pub(super) fn add(&mut self, length: u32, count: u32) {
        match self.short.get_mut(index_u32(length)) {
            Some(slot) => *slot = slot.saturating_add(count),
            None => self.long.push((length, count)),
        }
    }

    /// Takes out what was counted.
    pub(super) fn take(&mut self) -> RunLengths {
        self.long.sort_unstable_by_key(|(length, _)| *length);
        let short = (0..).zip(&mut self.short).map(|(length, count)| (length, mem::take(count)));
        let mut lengths: Vec<(u32, u32)> = short.filter(|(_, count)| *count > 0).collect();
        for (length, count) in self.long.drain(..) {
            match lengths.last_mut() {
                Some((last, sum)) if *last == length => *sum = sum.saturating_add(count),
                _ => lengths.push((length, count)),
            }
        }
        lengths.shrink_to_fit();
        RunLengths(lengths)
    }
}

impl LengthClass {
    /// Adds so many of a length to its class; those before it are there, if empty.
    pub(super) fn note(classes: &mut Vec<Self>, length: u64, count: u64) {
        let class = index_u32(length.checked_ilog2().unwrap_or_default());
        while classes.len() <= class {
            let shortest = 1_u64.checked_shl(u32::try_from(classes.len()).unwrap_or(u32::MAX));
            classes.push(Self { shortest: shortest.unwrap_or(u64::MAX), ..Self::default() });
        }
        if let Some(class) = classes.get_mut(class) {
            class.count = class.count.saturating_add(count);
            class.blocks = class.blocks.saturating_add(count.saturating_mul(length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(of: &[u32]) -> RunLengths {
        let mut tally = Tally::new();
        for length in of {
            tally.add(*length, 1);
        }
        tally.take()
    }

    #[test]
    fn medians_are_lengths() {
        assert_eq!(lengths(&[]).median(), 0);
        assert_eq!(lengths(&[7]).median(), 7);
        assert_eq!(lengths(&[9, 7]).median(), 7);
        assert_eq!(lengths(&[1, 1, 600, 600, 600]).median(), 600);
        assert_eq!(lengths(&[1, 2, 600, 9000, 600, 2]).median(), 2);
    }

    #[test]
    fn lengths_come_in_order_and_once() {
        let lengths = lengths(&[9000, 3, 511, 512, 9000, 3, 1 << 29]);
        let expected = [(3, 2), (511, 1), (512, 1), (9000, 2), (1 << 29, 1)];
        assert!(lengths.iter().eq(expected));
        assert_eq!(lengths.longest(), 1 << 29);
        let classes = lengths.classes();
        assert_eq!(classes.len(), 30);
        assert_eq!(classes[1], LengthClass { shortest: 2, count: 2, blocks: 6 });
        assert_eq!(classes[8], LengthClass { shortest: 256, count: 1, blocks: 511 });
        assert_eq!(classes[9], LengthClass { shortest: 512, count: 1, blocks: 512 });
        assert_eq!(classes[28], LengthClass { shortest: 1 << 28, count: 0, blocks: 0 });
    }
}
