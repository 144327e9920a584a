//! What is free on the data device in one piece.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::LengthClass;
use crate::error::Result;
use crate::space_map::{CountRun, ReferenceCounts};
use crate::units::DataBlock;
use crate::watch::Watch;

/// The free extents of the data device: stretches of free blocks, as long as they can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreeExtents {
    /// How many there are.
    pub count: u64,
    /// Data blocks in all of them.
    pub blocks: u64,
    /// Length of the longest one in data blocks; 0 where no block is free.
    pub longest: u64,
    /// By their lengths: class `n` holds those from 2ⁿ up to, but without, 2ⁿ⁺¹ blocks. The last
    /// class is not empty.
    pub lengths: Vec<LengthClass>,
    /// First block and length of the longest ones, as many as were asked for: the longest first,
    /// among equal ones the lowest.
    pub largest: Vec<(DataBlock, u64)>,
}

/// Reads the reference counts of the data device to their end.
///
/// Memory: 24 bytes for each extent that is asked for, and what [`ReferenceCounts`] takes.
///
/// # Errors
///
/// As [`ReferenceCounts::next_batch`].
pub(crate) fn free_extents(
    counts: &mut ReferenceCounts,
    largest: usize,
    watch: &Watch,
) -> Result<FreeExtents> {
    let mut free = FreeExtents::default();
    // The shortest of those kept on top, among equal ones the highest.
    let mut kept = BinaryHeap::new();
    while let Some(runs) = counts.next_batch(watch)? {
        for CountRun { begin, length, .. } in runs.into_iter().filter(|run| run.count == 0) {
            free.count = free.count.saturating_add(1);
            free.blocks = free.blocks.saturating_add(length);
            free.longest = free.longest.max(length);
            LengthClass::note(&mut free.lengths, length, 1);
            kept.push(Reverse((length, Reverse(begin))));
            if kept.len() > largest {
                kept.pop();
            }
        }
    }
    let sorted = kept.into_sorted_vec().into_iter();
    let largest = sorted.map(|Reverse((length, Reverse(begin)))| (DataBlock::new(begin), length));
    free.largest = largest.collect();
    Ok(free)
}
