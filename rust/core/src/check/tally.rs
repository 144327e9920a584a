//! How often each block is reached, counted by several threads.
//!
//! A byte a block, and how often the byte came round; where the blocks are so many that few of
//! them can have been reached, a list of those that were.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::units::{index_u64, low_u32, widen};

/// Bytes that one mapping takes in a list.
const LISTED_BYTES: u64 = 8;

/// What a byte that came round stands for.
const ROUND: u32 = 256;

/// How often each block is reached.
///
/// Memory: a byte a block or, where that is more, 8 bytes for each time that one is reached.
#[derive(Debug)]
pub(super) enum Tally {
    /// The counts, and how often those came round that did.
    Bytes(Vec<AtomicU8>, Mutex<HashMap<u64, u32>>),
    /// The lists that threads put down, sorted once all have.
    Lists(Mutex<Vec<u64>>),
}

impl Tally {
    /// Of so many blocks, which are reached at most so many times altogether.
    pub(super) fn new(blocks: u64, most: u64) -> Self {
        if blocks > most.saturating_mul(LISTED_BYTES).saturating_add(1 << 20) {
            return Self::Lists(Mutex::default());
        }
        let cells = std::iter::repeat_with(AtomicU8::default).take(index_u64(blocks)).collect();
        Self::Bytes(cells, Mutex::default())
    }

    /// Counts a block, in the tally or in the thread's own list.
    pub(super) fn add(&self, block: u64, list: &mut Vec<u64>) {
        let Self::Bytes(cells, rounds) = self else {
            list.push(block);
            return;
        };
        let Some(cell) = cells.get(index_u64(block)) else { return };
        // An atomic addition wraps.
        if cell.fetch_add(1, Ordering::Relaxed) == u8::MAX {
            let mut rounds = rounds.lock().unwrap_or_else(PoisonError::into_inner);
            let round = rounds.entry(block).or_default();
            *round = round.saturating_add(1);
        }
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
            Self::Bytes(cells, rounds) => {
                let cells = cells.into_iter().map(AtomicU8::into_inner).collect();
                let rounds = rounds.into_inner().unwrap_or_else(PoisonError::into_inner);
                Counts::Bytes(cells, rounds)
            }
            Self::Lists(all) => {
                let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
                all.sort_unstable();
                Counts::Sorted(all)
            }
        }
    }
}

/// How often each block was reached.
#[derive(Debug)]
pub(super) enum Counts {
    /// By block, and how often those came round that did.
    Bytes(Vec<u8>, HashMap<u64, u32>),
    /// Each block as often as it was reached.
    Sorted(Vec<u64>),
}

impl Counts {
    /// How often a block was reached.
    pub(super) fn of(&self, block: u64) -> u32 {
        match self {
            Self::Bytes(cells, rounds) => {
                let low = cells.get(index_u64(block)).copied().map_or(0, u32::from);
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

    /// Four neighbours, where they are plain to see.
    pub(super) fn four(&self, block: u64) -> Option<[u8; 4]> {
        match self {
            Self::Bytes(cells, rounds) if rounds.is_empty() => {
                let begin = index_u64(block);
                cells.get(begin..begin.saturating_add(4))?.try_into().ok()
            }
            Self::Bytes(..) => None,
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
            for _ in 0..700 {
                tally.add(9, &mut list);
            }
            tally.add(11, &mut list);
            tally.put(list);
            let counts = tally.counts();
            assert_eq!([8, 9, 10, 11].map(|block| counts.of(block)), [0, 700, 0, 1]);
            assert!(counts.four(12).is_none_or(|four| four == [0; 4]));
        }
    }
}
