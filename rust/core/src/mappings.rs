//! Mappings of devices as runs, in key order, through a window of leaves.
//!
//! Leaves that follow each other in key order lie anywhere on disk. A window of about a thousand
//! is therefore sorted by position, read in joined reads, decoded on a few threads, and stitched
//! together in key order. Runs are as long as they can be: they do not depend on how the
//! mappings lie in leaves. What snapshots share is decoded for the first device and kept for the
//! others, within a bound.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::ThreadPool;
use zerocopy::little_endian::U64;

use crate::btree::{self, KeyRange, Tree};
use crate::damage::Damage;
use crate::error::Result;
use crate::graph::{Graph, LeafCursor, LeafReader, NodeRef, check_data_block, threads, unpack};
use crate::reader::Reader;
use crate::units::{DataBlock, DeviceId, MetadataBlock, Time, VirtualBlock, widen};
use crate::watch::Watch;

/// Leaves in a window: about 4 MiB of metadata, at most 8 MiB of runs.
const WINDOW: usize = 1024;

/// Runs in a batch, before the last window of it.
const BATCH: usize = 32 << 10;

/// Most runs kept for the devices that follow: 64 MiB. The devices' leaves come round in the same
/// order each time, so those that are kept first stay.
const MAX_KEPT_RUNS: usize = (64 << 20) / size_of::<Run>();

/// Mappings that are consecutive in virtual block and data block, and have one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The device.
    pub device: DeviceId,
    /// First virtual block.
    pub virtual_begin: VirtualBlock,
    /// First data block.
    pub data_begin: DataBlock,
    /// Number of blocks.
    pub length: u64,
    /// The pool's time when the blocks were allocated.
    pub time: Time,
}

impl Run {
    /// Its last virtual block.
    #[must_use]
    pub(crate) fn last_block(&self) -> VirtualBlock {
        let behind = self.virtual_begin.get().saturating_add(self.length);
        VirtualBlock::new(behind.saturating_sub(1))
    }

    /// Takes a run in that follows on this one. Returns whether it did.
    pub(crate) fn extend(&mut self, next: &Self) -> bool {
        let follows = |begin: u64, next: u64| begin.checked_add(self.length) == Some(next);
        let joins = self.device == next.device
            && self.time == next.time
            && follows(self.virtual_begin.get(), next.virtual_begin.get())
            && follows(self.data_begin.get(), next.data_begin.get());
        if joins {
            self.length = self.length.saturating_add(next.length);
        }
        joins
    }

    /// The part of the run within a range of virtual blocks.
    fn clip(mut self, range: KeyRange) -> Option<Self> {
        let begin = self.virtual_begin.get();
        let last = begin.saturating_add(self.length.saturating_sub(1)).min(range.last);
        let first = begin.max(range.first);
        let skipped = first.saturating_sub(begin);
        self.virtual_begin = VirtualBlock::new(first);
        self.data_begin = DataBlock::new(self.data_begin.get().saturating_add(skipped));
        self.length = last.checked_sub(first)?.saturating_add(1);
        Some(self)
    }
}

/// Streams the runs of some devices: devices in the order of their ids, runs in key order.
///
/// Memory: one window and 64 MiB, whatever the number of mappings.
#[derive(Debug)]
pub struct MappingStream {
    reader: Reader,
    data_blocks: u64,
    /// Where broken leaves are noted; or none: the first one is the error.
    damage: Option<Arc<Damage>>,
    graph: Arc<Graph>,
    thread_count: usize,
    /// Threads, with the process that started them: they do not survive a fork.
    threads: Option<(u32, ThreadPool)>,
    devices: std::vec::IntoIter<(DeviceId, NodeRef)>,
    current: Option<(DeviceId, LeafCursor)>,
    range: KeyRange,
    pending: Option<Run>,
    /// Runs of leaves by position, as if they were device 0's.
    kept: HashMap<u32, Vec<Run>>,
    /// How many runs more may be kept.
    room: usize,
    /// Leaves done, and in all where that is known.
    progress: (u64, u64),
}

impl MappingStream {
    /// Streams the devices of the graph, or only one, within a range of virtual blocks.
    pub(crate) fn new(
        leaves: &LeafReader<'_>,
        graph: Arc<Graph>,
        thread_count: usize,
        only: Option<DeviceId>,
        range: KeyRange,
    ) -> Self {
        let mut devices = graph.roots().to_vec();
        devices.retain(|(id, _)| only.is_none_or(|only| only == *id));
        let visits = match range {
            KeyRange::ALL => graph.sum_up(&vec![1; graph.leaves().len()]),
            _ => Vec::new(),
        };
        let wanted = visits.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        let progress = (0, wanted.map(|(_, leaves)| leaves).sum());
        let room = if devices.len() > 1 { MAX_KEPT_RUNS } else { 0 };
        let devices = devices.into_iter();
        Self {
            reader: leaves.reader.clone(),
            data_blocks: leaves.data_blocks,
            damage: leaves.damage.cloned(),
            graph,
            thread_count,
            threads: None,
            devices,
            current: None,
            range,
            pending: None,
            kept: HashMap::new(),
            room,
            progress,
        }
    }

    /// The next runs, about 32 Ki of them, or none at the end.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, or
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<Run>>> {
        let (done, total) = self.progress;
        watch.begin("reading mappings", total);
        watch.advance(done)?;
        let mut runs = Vec::new();
        while runs.len() < BATCH {
            let window = self.next_window(watch)?;
            if window.is_empty() {
                runs.extend(self.pending.take());
                break;
            }
            self.stitch(&window, &mut runs, watch)?;
        }
        Ok(if runs.is_empty() { None } else { Some(runs) })
    }

    /// Reads the leaves of a window and appends the runs that end in it.
    fn stitch(
        &mut self,
        window: &[(DeviceId, u32)],
        runs: &mut Vec<Run>,
        watch: &Watch,
    ) -> Result<()> {
        let mut positions: Vec<_> = window.iter().map(|(_, leaf)| *leaf).collect();
        positions.retain(|leaf| !self.kept.contains_key(leaf));
        positions.sort_unstable();
        positions.dedup();
        // Those that are read count as they are read.
        let known = window.len().saturating_sub(positions.len());
        watch.advance(widen(known))?;
        self.progress.0 = self.progress.0.saturating_add(widen(window.len()));
        let decoded = self.decode(&positions, watch)?;

        for (device, leaf) in window {
            let new = || decoded.get(positions.binary_search(leaf).ok()?);
            for run in self.kept.get(leaf).or_else(new).into_iter().flatten() {
                let Some(run) = (Run { device: *device, ..*run }).clip(self.range) else {
                    continue;
                };
                if !self.pending.as_mut().is_some_and(|pending| pending.extend(&run)) {
                    runs.extend(self.pending.replace(run));
                }
            }
        }
        self.keep(&positions, decoded);
        Ok(())
    }

    fn keep(&mut self, positions: &[u32], decoded: Vec<Vec<Run>>) {
        for (leaf, mut runs) in positions.iter().zip(decoded) {
            let size = runs.len().saturating_add(1);
            let Some(room) = self.room.checked_sub(size) else { return };
            self.room = room;
            runs.shrink_to_fit();
            self.kept.insert(*leaf, runs);
        }
    }

    /// The next leaves in key order, each with the device through which it is reached.
    fn next_window(&mut self, watch: &Watch) -> Result<Vec<(DeviceId, u32)>> {
        let mut window = Vec::new();
        while window.len() < WINDOW {
            if let Some((id, cursor)) = &mut self.current
                && let Some(leaf) = cursor.next(&self.graph)
            {
                window.push((*id, leaf));
                continue;
            }
            let Some((id, root)) = self.devices.next() else {
                break;
            };
            // A device may hold nothing of the range: there can be millions of those.
            watch.advance(0)?;
            self.current = Some((id, LeafCursor::new(root, self.range)));
        }
        Ok(window)
    }

    /// The runs of each leaf, as if they were device 0's.
    fn decode(&mut self, positions: &[u32], watch: &Watch) -> Result<Vec<Vec<Run>>> {
        let process = std::process::id();
        if self.threads.as_ref().is_none_or(|(started_by, _)| *started_by != process) {
            let threads = threads(self.thread_count, positions.len())?;
            self.threads = threads.map(|threads| (process, threads));
        }
        let leaves = LeafReader {
            reader: &self.reader,
            data_blocks: self.data_blocks,
            watch,
            damage: self.damage.as_ref(),
        };
        let threads = self.threads.as_ref().map(|(_, threads)| threads);
        decode(&leaves, &self.graph, positions, threads)
    }
}

/// The runs of each leaf, as if they were device 0's; leaves by ascending position.
pub(crate) fn decode(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    positions: &[u32],
    threads: Option<&ThreadPool>,
) -> Result<Vec<Vec<Run>>> {
    let shares = leaves.gather(
        graph,
        positions,
        threads,
        |share| Vec::with_capacity(share.len()),
        |share, _, leaf| {
            let mut runs: Vec<Run> = Vec::new();
            for (virtual_begin, data_begin, time) in leaf.mappings() {
                let device = DeviceId::default();
                let run = Run { device, virtual_begin, data_begin, length: 1, time };
                if !runs.last_mut().is_some_and(|last| last.extend(&run)) {
                    runs.push(run);
                }
            }
            share.push(runs);
            Ok(())
        },
    )?;
    Ok(shares.into_iter().flatten().collect())
}

/// The mapping of one virtual block, reading only the nodes on the way to it.
///
/// # Errors
///
/// A read that fails, or the first rule that is broken on the way.
pub fn lookup(
    reader: &Reader,
    root: MetadataBlock,
    block: VirtualBlock,
    data_blocks: u64,
) -> Result<Option<(DataBlock, Time)>> {
    let value = btree::find(reader, Tree::Mapping, root, block.get(), |node, at, value: &U64| {
        check_data_block(node, at, value.get(), data_blocks)
    })?;
    Ok(value.map(|value| unpack(value.get())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(virtual_begin: u64, data_begin: u64, length: u64) -> Run {
        Run {
            device: DeviceId::new(1),
            virtual_begin: VirtualBlock::new(virtual_begin),
            data_begin: DataBlock::new(data_begin),
            length,
            time: Time::new(3),
        }
    }

    #[test]
    fn runs_join_only_where_everything_continues() {
        let mut first = run(10, 100, 5);
        assert!(!first.extend(&run(16, 105, 1)), "a hole");
        assert!(!first.extend(&run(15, 106, 1)), "another data block");
        assert!(!first.extend(&Run { time: Time::new(4), ..run(15, 105, 1) }), "another time");
        assert!(!first.extend(&Run { device: DeviceId::new(2), ..run(15, 105, 1) }));
        assert!(first.extend(&run(15, 105, 2)));
        assert_eq!(first, run(10, 100, 7));
        let mut last = run(u64::MAX, 7, 1);
        assert!(!last.extend(&run(0, 8, 1)), "keys do not wrap");
    }

    #[test]
    fn clipping() {
        let clip = |first, last| run(10, 100, 5).clip(KeyRange { first, last });
        assert_eq!(clip(0, u64::MAX), Some(run(10, 100, 5)));
        assert_eq!(clip(12, 13), Some(run(12, 102, 2)));
        assert_eq!(clip(14, 99), Some(run(14, 104, 1)));
        assert_eq!(clip(0, 10), Some(run(10, 100, 1)));
        assert_eq!(clip(15, 99), None);
        assert_eq!(clip(0, 9), None);
    }
}
