//! How often each block is reached, counted by several threads.
//!
//! A bit a block for the first time, a byte for how often again, and how often the byte came round;
//! where the blocks are so many that few of them can have been reached, a list of those that were.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::reached::in_words;
use crate::units::{index_u64, low_u32, widen};

/// Bytes that one mapping takes in a list.
const LISTED_BYTES: u64 = 8;

/// What a byte that came round stands for.
const ROUND: u32 = 256;

/// How often each block is reached.
///
/// Memory: nine bits a block or, where that is more, 8 bytes for each time that one is reached.
#[derive(Debug)]
pub(super) enum Tally {
    /// Most blocks are reached once, and only their bits are touched.
    Cells(Cells<AtomicU64, AtomicU8>, Mutex<HashMap<u64, u32>>),
    /// The lists that threads put down, sorted once all have.
    Lists(Mutex<Vec<u64>>),
}

/// A bit and a byte for each block.
#[derive(Debug)]
pub(super) struct Cells<Word, Byte> {
    /// Whether it is reached.
    once: Vec<Word>,
    /// How often more.
    again: Vec<Byte>,
}

impl Tally {
    /// Of so many blocks, which are reached at most so many times altogether.
    pub(super) fn new(blocks: u64, most: u64) -> Self {
        if blocks > most.saturating_mul(LISTED_BYTES).saturating_add(1 << 20) {
            return Self::Lists(Mutex::default());
        }
        let words = index_u64(blocks.div_ceil(64));
        let once = std::iter::repeat_with(AtomicU64::default).take(words).collect();
        let again = std::iter::repeat_with(AtomicU8::default).take(index_u64(blocks)).collect();
        Self::Cells(Cells { once, again }, Mutex::default())
    }

    /// Counts blocks, in the tally or in the thread's own list.
    pub(super) fn add(&self, blocks: impl Iterator<Item = u64>, list: &mut Vec<u64>) {
        let Self::Cells(cells, rounds) = self else {
            list.extend(blocks);
            return;
        };
        in_words(blocks, |word, bits| {
            let Some(cell) = cells.once.get(word) else { return };
            let mut again = cell.fetch_or(bits, Ordering::Relaxed) & bits;
            while again != 0 {
                let bit = widen(word).saturating_mul(64);
                cells.count_again(bit.saturating_add(u64::from(again.trailing_zeros())), rounds);
                again &= again.saturating_sub(1);
            }
        });
    }

    /// Takes a thread's list in.
    pub(super) fn put(&self, list: Vec<u64>) {
        if let Self::Lists(all) = self {
            all.lock().unwrap_or_else(PoisonError::into_inner).extend(list);
        }
    }

    /// The counts, when all are in.
    pub(super) fn counts(self) -> Counts {
        match self {
            Self::Cells(cells, rounds) => {
                let once = cells.once.into_iter().map(AtomicU64::into_inner).collect();
                let again = cells.again.into_iter().map(AtomicU8::into_inner).collect();
                let rounds = rounds.into_inner().unwrap_or_else(PoisonError::into_inner);
                Counts::Cells(Cells { once, again }, rounds)
            }
            Self::Lists(all) => {
                let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
                all.sort_unstable();
                Counts::Sorted(all)
            }
        }
    }
}

impl Cells<AtomicU64, AtomicU8> {
    /// Counts a block that was reached before.
    fn count_again(&self, block: u64, rounds: &Mutex<HashMap<u64, u32>>) {
        let Some(cell) = self.again.get(index_u64(block)) else { return };
        // An atomic addition wraps.
        if cell.fetch_add(1, Ordering::Relaxed) == u8::MAX {
            let mut rounds = rounds.lock().unwrap_or_else(PoisonError::into_inner);
            let round = rounds.entry(block).or_default();
            *round = round.saturating_add(1);
        }
    }
}

impl Cells<u64, u8> {
    /// Whether four neighbours are reached, a bit for each.
    fn four_once(&self, block: u64) -> u64 {
        let word = self.once.get(index_u64(block / 64)).copied().unwrap_or_default();
        word >> (block % 64) & 15
    }
}

/// How often each block was reached.
#[derive(Debug)]
pub(super) enum Counts {
    /// By block, and how often those came round that did.
    Cells(Cells<u64, u8>, HashMap<u64, u32>),
    /// Each block as often as it was reached.
    Sorted(Vec<u64>),
}

impl Counts {
    /// How often a block was reached.
    pub(super) fn of(&self, block: u64) -> u32 {
        match self {
            Self::Cells(cells, rounds) => {
                let again = cells.again.get(index_u64(block)).copied().unwrap_or_default();
                let low = low_u32(cells.four_once(block) & 1).saturating_add(u32::from(again));
                let rounds = if rounds.is_empty() { None } else { rounds.get(&block) };
                rounds.map_or(low, |rounds| rounds.saturating_mul(ROUND).saturating_add(low))
            }
            Self::Sorted(all) => {
                let begin = all.partition_point(|reached| *reached < block);
                let end = all.partition_point(|reached| *reached <= block);
                low_u32(widen(end.saturating_sub(begin)))
            }
        }
    }

    /// Four neighbours, of which the first has a number that four divides, where they are plain to
    /// see.
    pub(super) fn four(&self, block: u64) -> Option<[u8; 4]> {
        match self {
            Self::Cells(cells, rounds) if rounds.is_empty() => {
                let begin = index_u64(block);
                let again = cells.again.get(begin..begin.saturating_add(4))?;
                let mut four: [u8; 4] = again.try_into().ok()?;
                let once = cells.four_once(block);
                for (count, bit) in four.iter_mut().zip(0_u32..) {
                    *count = count.saturating_add(u8::from(once >> bit & 1 != 0));
                }
                Some(four)
            }
            Self::Cells(..) => None,
            Self::Sorted(all) => {
                let next = all.partition_point(|reached| *reached < block);
                let is_near = all.get(next).is_some_and(|next| next.saturating_sub(block) < 4);
                (!is_near).then_some([0; 4])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_lists_count_alike() {
        for most in [1 << 20, 0] {
            let tally = Tally::new(if most == 0 { 1 << 40 } else { 5000 }, most);
            assert_eq!(matches!(tally, Tally::Lists(_)), most == 0);
            let mut list = Vec::new();
            tally.add(std::iter::repeat_n(9, 700), &mut list);
            tally.add([11, 130, 64, 127, 130].into_iter(), &mut list);
            tally.put(list);
            let counts = tally.counts();
            assert_eq!([8, 9, 10, 11].map(|block| counts.of(block)), [0, 700, 0, 1]);
            assert_eq!([63, 64, 127, 128, 130].map(|block| counts.of(block)), [0, 1, 1, 0, 2]);
            assert!(counts.four(12).is_none_or(|four| four == [0; 4]));
        }
        // Where no byte came round, neighbours can be seen at once.
        let tally = Tally::new(200, 200);
        tally.add([64, 66, 66, 66, 127].into_iter(), &mut Vec::new());
        let counts = tally.counts();
        let firsts = [60, 64, 124, 128, 196, 200];
        let fours = [[0; 4], [1, 0, 3, 0], [0, 0, 0, 1], [0; 4], [0; 4]].map(Some);
        assert_eq!(firsts.map(|first| counts.four(first))[..5], fours);
        assert_eq!(counts.four(200), None);
    }
}
