//! A set of metadata blocks: one bit each, at most 508 KiB, with ranks.

use crate::units::{MetadataBlock, index_u32, index_u64, low_u32, widen};

/// Bits in a word.
const WORD: usize = 64;

/// A set of metadata blocks below a bound.
#[derive(Debug)]
pub(crate) struct BlockSet {
    words: Vec<u64>,
}

impl BlockSet {
    pub(crate) fn new(blocks: u64) -> Self {
        Self { words: vec![0; index_u64(blocks).div_ceil(WORD)] }
    }

    pub(crate) fn insert(&mut self, block: MetadataBlock) {
        if let Some(word) = self.words.get_mut(block.index() / WORD) {
            *word |= bit(block);
        }
    }

    pub(crate) fn contains(&self, block: MetadataBlock) -> bool {
        self.words.get(block.index() / WORD).is_some_and(|word| word & bit(block) != 0)
    }

    /// The members in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = MetadataBlock> {
        (0..).step_by(WORD).zip(&self.words).flat_map(|(first, word): (u32, _)| {
            let bits = (0..64_u32).filter(move |bit| word >> bit & 1 != 0);
            bits.map(move |bit| MetadataBlock::new(first.saturating_add(bit)))
        })
    }

    /// Prepares for [`Ranks::of`].
    pub(crate) fn ranks(&self) -> Ranks<'_> {
        let mut below = 0_u32;
        let counts = self.words.iter().map(|word| {
            let count = below;
            below = below.saturating_add(word.count_ones());
            count
        });
        Ranks { set: self, below: counts.collect() }
    }
}

/// The position of each member among all.
#[derive(Debug)]
pub(crate) struct Ranks<'a> {
    set: &'a BlockSet,
    below: Vec<u32>,
}

impl Ranks<'_> {
    /// How many members are lower than the block.
    pub(crate) fn of(&self, block: MetadataBlock) -> u32 {
        let word = block.index() / WORD;
        match (self.below.get(word), self.set.words.get(word)) {
            (Some(below), Some(bits)) => {
                let lower = bits & bit(block).saturating_sub(1);
                below.saturating_add(lower.count_ones())
            }
            _ => 0,
        }
    }
}

fn bit(block: MetadataBlock) -> u64 {
    1_u64.wrapping_shl(low_u32(widen(index_u32(block.get()) % WORD)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_ranks() {
        let mut set = BlockSet::new(200);
        let members = [0, 5, 63, 64, 130, 199].map(MetadataBlock::new);
        for block in members {
            set.insert(block);
        }
        assert!(set.iter().eq(members));
        let ranks = set.ranks();
        assert_eq!(members.map(|block| ranks.of(block)), [0, 1, 2, 3, 4, 5]);
        assert!(!set.contains(MetadataBlock::new(1)));
        assert!(!set.contains(MetadataBlock::new(100_000)));
    }
}
