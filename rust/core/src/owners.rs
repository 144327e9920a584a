//! Who holds given blocks of the data device: the reverse of the mappings.
//!
//! Each distinct leaf is read once, in disk order, however many devices share it; who reaches
//! what is found is handed down the graph. Cost: by distinct nodes, and by the answer.
//!
//! Holders are the devices and, where the live pool is read, the devices as the held metadata
//! snapshot keeps them. What such a device still has itself is told once, as its own.
//!
//! Rows are as long as they can be, for each device by itself, and come by where they begin on the
//! data device; what is shared by many is multiplied only while rows are handed out.

mod found;
mod lines;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::error::Result;
use crate::graph::{Graph, LeafReader};
use crate::sharing::sets::HolderSets;
use crate::units::{DataBlock, DeviceId, Time, VirtualBlock, index_u32, low_u32, widen};
use crate::watch::Watch;

use found::{Stretch, find};
pub use lines::ReverseLines;

/// Rows in a batch.
const BATCH: usize = 32 << 10;

/// Steps between two looks at whether anybody waits.
const SLICE: u32 = 4096;

/// Blocks of the data device that a device holds: mappings consecutive in data block and virtual
/// block, of one time where times are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// First data block.
    pub data_begin: DataBlock,
    /// Number of blocks.
    pub length: u64,
    /// The device.
    pub device: DeviceId,
    /// First virtual block.
    pub virtual_begin: VirtualBlock,
    /// The pool's time when the blocks were allocated; 0 where times are not told.
    pub time: Time,
    /// Whether only the held metadata snapshot has the mapping: the device has it no more.
    pub only_metadata_snapshot: bool,
}

/// The blocks that are asked about.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// First and last blocks of ranges that neither meet nor overlap, ascending; none: all blocks.
    ranges: Option<Vec<(u64, u64)>>,
}

impl Wanted {
    /// All blocks.
    pub const ALL: Self = Self { ranges: None };

    /// The blocks of some ranges, each with its first block and its last.
    #[must_use]
    pub fn ranges(mut ranges: Vec<(u64, u64)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        ranges.dedup_by(|(first, last), (_, before)| {
            let joins = *first <= before.saturating_add(1);
            if joins {
                *before = (*before).max(*last);
            }
            joins
        });
        Self { ranges: Some(ranges) }
    }

    fn has(&self, block: DataBlock) -> bool {
        let Some(ranges) = &self.ranges else { return true };
        let behind = ranges.partition_point(|(first, _)| *first <= block.get());
        let range = behind.checked_sub(1).and_then(|at| ranges.get(at));
        range.is_some_and(|(_, last)| block.get() <= *last)
    }
}

/// A device, or a device as the metadata snapshot keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub(crate) device: DeviceId,
    pub(crate) is_snapshot: bool,
}

/// Streams who holds the blocks: by first data block, then by device, then by virtual block.
///
/// Memory: 32 bytes for each run of mappings in a distinct leaf, the sets of their holders, and
/// what is at one data block; whatever the number of rows.
#[derive(Debug)]
pub struct OwnerStream {
    holders: Vec<Holder>,
    sets: HolderSets,
    stretches: Vec<Stretch>,
    /// The stretches by where they begin on the data device.
    order: std::iter::Peekable<std::vec::IntoIter<u32>>,
    /// Of those that begin at one data block, what comes next of each.
    here: BinaryHeap<Reverse<Next>>,
}

/// A holder of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    holder: u32,
    virtual_begin: u64,
    time: u32,
    stretch: u32,
}

impl OwnerStream {
    /// Reads the leaves. The roots of the graph are those of the holders, which are in order.
    pub(crate) fn read(
        leaves: &LeafReader<'_>,
        graph: &Graph,
        holders: Vec<Holder>,
        wanted: &Wanted,
        with_times: bool,
        threads: usize,
    ) -> Result<Self> {
        let mut sets = HolderSets::new(low_u32(widen(holders.len())));
        let stretches = find(leaves, graph, wanted, with_times, &mut sets, threads)?;
        let mut order: Vec<u32> = (0..low_u32(widen(stretches.len()))).collect();
        let begin = |at: &u32| stretches.get(index_u32(*at)).map(|stretch| stretch.data_begin);
        order.sort_unstable_by_key(begin);
        let order = order.into_iter().peekable();
        Ok(Self { holders, sets, stretches, order, here: BinaryHeap::new() })
    }

    /// The next rows, at most 32 Ki of them, or none at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<Owner>>> {
        let mut rows = Vec::new();
        let mut steps = 0_u32;
        while rows.len() < BATCH {
            if self.here.is_empty() && !self.go_on() {
                break;
            }
            let Some(Reverse(next)) = self.here.pop() else { break };
            rows.extend(self.row(next, &mut steps));
            self.put(next.stretch, Some(next.holder));
            steps = steps.saturating_add(1);
            if steps >= SLICE {
                watch.advance(0)?;
                steps = 0;
            }
        }
        Ok(if rows.is_empty() { None } else { Some(rows) })
    }

    /// Goes on to the stretches that begin at the next data block. Returns whether there are any.
    fn go_on(&mut self) -> bool {
        let Some(first) = self.order.next() else { return false };
        let begin = self.begin(first);
        self.put(first, None);
        while let Some(next) = self.order.peek().copied().filter(|at| self.begin(*at) == begin) {
            self.order.next();
            self.put(next, None);
        }
        true
    }

    fn begin(&self, at: u32) -> Option<u64> {
        self.stretches.get(index_u32(at)).map(|stretch| stretch.data_begin)
    }

    /// Puts the holder that comes behind another among what is here.
    fn put(&mut self, at: u32, behind: Option<u32>) {
        let Some(stretch) = self.stretches.get(index_u32(at)) else { return };
        let members = self.sets.members(stretch.holders);
        let holder = match behind {
            None => members.iter().next(),
            Some(holder) => members.spans_behind(holder).next().map(|span| span.start),
        };
        if let Some(holder) = holder {
            let (virtual_begin, time) = (stretch.virtual_begin, stretch.time);
            self.here.push(Reverse(Next { holder, virtual_begin, time, stretch: at }));
        }
    }

    /// The row of a holder that begins with a stretch, if it begins there.
    fn row(&self, next: Next, steps: &mut u32) -> Option<Owner> {
        let at = index_u32(next.stretch);
        let first = self.stretches.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.stretches.get(before));
        let goes_on =
            before.is_some_and(|before| before.meets(first) && self.is_told(before, next.holder));
        if goes_on || !self.is_told(first, next.holder) {
            return None;
        }
        let (mut last, mut length) = (first, u64::from(first.length));
        for stretch in self.stretches.iter().skip(at).skip(1) {
            if !last.meets(stretch) || !self.is_told(stretch, next.holder) {
                break;
            }
            length = length.saturating_add(u64::from(stretch.length));
            last = stretch;
            *steps = steps.saturating_add(1);
        }
        let holder = self.holders.get(index_u32(next.holder))?;
        Some(Owner {
            data_begin: DataBlock::new(first.data_begin),
            length,
            device: holder.device,
            virtual_begin: VirtualBlock::new(first.virtual_begin),
            time: Time::new(first.time),
            only_metadata_snapshot: holder.is_snapshot,
        })
    }

    /// Whether a stretch is told of a holder: not of the metadata snapshot's version of a device
    /// that has it itself, which stands just before it.
    fn is_told(&self, stretch: &Stretch, holder: u32) -> bool {
        let members = self.sets.members(stretch.holders);
        if !members.contains(holder) {
            return false;
        }
        let at = |holder: u32| self.holders.get(index_u32(holder)).copied();
        let (Some(own), Some(before)) = (at(holder), holder.checked_sub(1).and_then(at)) else {
            return true;
        };
        let is_its_own = own.is_snapshot && !before.is_snapshot && before.device == own.device;
        !(is_its_own && members.contains(holder.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined() {
        let wanted = Wanted::ranges(vec![(5, 9), (20, 30), (10, 12), (3, 2), (25, 26), (7, 8)]);
        assert_eq!(wanted.ranges.as_deref(), Some([(5, 12), (20, 30)].as_slice()));
        let has: Vec<_> = (0..40).filter(|block| wanted.has(DataBlock::new(*block))).collect();
        assert_eq!(has, (5..13).chain(20..31).collect::<Vec<_>>());
        assert!(Wanted::ALL.has(DataBlock::new(7)));
        assert!(!Wanted::ranges(Vec::new()).has(DataBlock::new(0)));
        let whole = Wanted::ranges(vec![(0, u64::MAX), (7, 9)]);
        assert!(whole.has(DataBlock::new(u64::MAX)));
    }
}
