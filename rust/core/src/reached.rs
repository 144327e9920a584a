//! Which data blocks mappings name, noted by several threads.
//!
//! A mapping in a hostile leaf can name any block of a data device of 2⁴⁰ blocks; a bit for each
//! is taken only where that is no more than remembering the blocks themselves.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::units::{DataBlock, index_u64, widen};

/// Mappings in a leaf, at most.
const LEAF_ROOM: u64 = 252;

/// A set of data blocks that several threads fill.
///
/// Memory: one bit a block of the data device or, where that is more, 8 bytes a mapping in the
/// lists of those who fill it.
#[derive(Debug)]
pub(crate) enum Reached {
    Bits(Vec<AtomicU64>),
    Lists,
}

impl Reached {
    /// An empty set, to be filled from so many leaves.
    pub(crate) fn new(data_blocks: u64, leaves: usize) -> Self {
        let most = widen(leaves).saturating_mul(LEAF_ROOM);
        if data_blocks / 64 > most {
            return Self::Lists;
        }
        let words = index_u64(data_blocks.div_ceil(64));
        Self::Bits(std::iter::repeat_with(AtomicU64::default).take(words).collect())
    }

    /// Notes blocks, in the set or in the thread's own list. What the set had goes to `again`, where
    /// that is wanted: a set for the same blocks.
    pub(crate) fn insert_all(
        &self,
        blocks: impl Iterator<Item = DataBlock>,
        again: Option<&Self>,
        list: &mut Vec<u64>,
    ) {
        let Self::Bits(words) = self else {
            list.extend(blocks.map(DataBlock::get));
            return;
        };
        in_words(blocks.map(DataBlock::get), |word, bits| {
            let note = |words: &[AtomicU64], bits| {
                let word = words.get(word);
                word.map_or(0, |word| word.fetch_or(bits, Ordering::Relaxed) & bits)
            };
            let had = note(words, bits);
            if let (1.., Some(Self::Bits(again))) = (had, again) {
                note(again, had);
            }
        });
    }

    /// Whether the set has a block; nothing of the lists is in it.
    pub(crate) fn contains(&self, block: DataBlock) -> bool {
        let Self::Bits(words) = self else { return false };
        let word = words.get(index_u64(block.get() / 64));
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (block.get() % 64) & 1 != 0)
    }

    /// Number of distinct blocks; `sorted` holds all lists.
    pub(crate) fn count(&self, sorted: &[u64]) -> u64 {
        match self {
            Self::Bits(words) => {
                let ones = |word: &AtomicU64| u64::from(word.load(Ordering::Relaxed).count_ones());
                words.iter().map(ones).sum()
            }
            Self::Lists => widen(sorted.chunk_by(u64::eq).count()),
        }
    }
}

/// Calls `each` with the number of a word of 64 bits and those of its bits that stand for blocks, as
/// many at a time as follow in one word, none of them twice. Data blocks come in runs, and a word that
/// threads share costs as much to change for one bit as for all.
pub(crate) fn in_words(blocks: impl Iterator<Item = u64>, mut each: impl FnMut(usize, u64)) {
    let (mut word, mut bits) = (0, 0_u64);
    for block in blocks {
        let bit = 1 << (block % 64);
        if block / 64 != word || bits & bit != 0 {
            if bits != 0 {
                each(index_u64(word), bits);
            }
            (word, bits) = (block / 64, 0);
        }
        bits |= bit;
    }
    if bits != 0 {
        each(index_u64(word), bits);
    }
}
