//! How scattered the pool is: the runs of each device on the data device and what reading them
//! costs, how full the nodes are, what is free in one piece, and what packing would save.
//!
//! Each distinct leaf is read once, in disk order, and kept as a [`stretch`]. Stretches combine
//! in the order of their keys, below each node once. Here a *run* is consecutive in virtual
//! block and data block, whatever the time; [`mappings`](crate::mappings) also parts at times.

mod free;
mod leaf;
mod packing;
mod run_lengths;
mod stretch;

use std::collections::HashMap;
use std::sync::Arc;

use rayon::ThreadPool;

pub use self::free::FreeExtents;
pub(crate) use self::free::free_extents;
use self::leaf::{LeafStretch, LeafStretches};
use self::run_lengths::{RunLengths, Tally};
pub use self::stretch::{ByIoSize, IO_SIZES};
use self::stretch::{Mapping, Stretch};
use crate::error::Result;
use crate::graph::{Fold, Graph, LeafReader, MAX_ENTRIES, join, threads};
use crate::units::{DeviceId, index_u64, widen};

/// Runs or extents with lengths from one power of two up to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthClass {
    /// The shortest length of the class, in data blocks: a power of two.
    pub shortest: u64,
    /// How many there are.
    pub count: u64,
    /// Data blocks in all of them.
    pub blocks: u64,
}

/// How a device lies on the data device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceFragmentation {
    /// Mapped blocks.
    pub mapped_blocks: u64,
    /// Pairs of neighbouring virtual blocks, both mapped.
    pub neighbours: u64,
    /// Runs: stretches of blocks consecutive in virtual block and data block, as long as they can
    /// be. As many as mapped blocks, less the neighbours that are neighbours on the data device.
    pub runs: u64,
    /// The shortest length, in data blocks, that half of the runs, or more, do not exceed; 0
    /// where nothing is mapped.
    pub median_run: u64,
    /// Length of the longest run in data blocks; 0 where nothing is mapped.
    pub longest_run: u64,
    /// Runs by their lengths: class `n` holds those from 2ⁿ up to, but without, 2ⁿ⁺¹ blocks.
    /// The last class is not empty.
    pub run_lengths: Vec<LengthClass>,
    /// Reading the mapped blocks by ascending virtual block: how many times a block does not
    /// begin on the data device where the one read before ended.
    pub seeks: u64,
    /// Sum over the seeks of the data blocks between, forwards or backwards.
    pub seek_blocks: u128,
    /// By I/O size, 1, 2, 4, ... 64 data blocks: aligned windows with a mapped block.
    pub ios: ByIoSize,
    /// By I/O size: pieces that the runs fall into where windows part them.
    pub pieces: ByIoSize,
}

/// How full the nodes of one kind are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeFill {
    /// Distinct nodes.
    pub nodes: u64,
    /// Entries in use. Each node has room for [`MAX_ENTRIES`].
    pub entries: u64,
    /// Nodes by the tenth of their room that is in use; full ones are in the last.
    pub tenths: [u64; 10],
}

impl NodeFill {
    fn of(entries: impl Iterator<Item = u64>) -> Self {
        let mut fill = Self::default();
        for entries in entries {
            fill.nodes = fill.nodes.saturating_add(1);
            fill.entries = fill.entries.saturating_add(entries);
            let tenth = index_u64(entries.saturating_mul(10) / MAX_ENTRIES).min(9);
            if let Some(slot) = fill.tenths.get_mut(tenth) {
                *slot = slot.saturating_add(1);
            }
        }
        fill
    }
}

/// How scattered devices and metadata are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragmentation {
    /// Each device, by ascending id. Devices with the same root share what is found.
    pub devices: Vec<(DeviceId, Arc<DeviceFragmentation>)>,
    /// Distinct leaves of all mapping trees.
    pub leaves: NodeFill,
    /// Distinct internal nodes of all mapping trees.
    pub internal_nodes: NodeFill,
    /// Nodes that `thin_dump` and `thin_restore` of thin-provisioning-tools 1.x would make of
    /// all mapping trees: leaves packed full, shared leaf runs still shared, internal nodes not.
    pub packed_nodes: u64,
    /// Nodes that there would be if nothing was shared, and each tree was packed full.
    pub unshared_nodes: u64,
}

/// Reads every distinct leaf once, in disk order, and adds up below each node.
///
/// Memory: 64 bytes a leaf and up to 42 for different lengths of its runs; for the nodes of two
/// levels 180 bytes each, and 8 for each different length of the runs below it, of which there
/// are no more than the square root of twice the mappings; then 21 bytes a leaf and 80 for each
/// look at an internal node to tell what packing leaves.
///
/// # Errors
///
/// A read that fails, the first rule that is broken, or
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub(crate) fn fragmentation(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    thread_count: usize,
) -> Result<Fragmentation> {
    let threads = threads(thread_count, graph.leaves().len())?;
    let stretches = read(leaves, graph, threads.as_ref())?;
    let entries = || stretches.iter().map(LeafStretch::mapped);
    let (sums, packed_nodes) = join(
        threads.as_ref(),
        || graph.fold_up(&stretches, threads.as_ref(), leaves.watch),
        || packing::packed_nodes(graph, entries(), leaves.watch),
    );
    let (sums, packed_nodes) = (sums?, packed_nodes?);
    let mut known = HashMap::new();
    let devices = sums.iter().map(|(id, sum)| {
        let found = known.entry(Arc::as_ptr(sum)).or_insert_with(|| Arc::new(sum.result()));
        (*id, Arc::clone(found))
    });
    let devices: Vec<_> = devices.collect();
    let children = graph.nodes().iter().map(|node| widen(graph.children(node).count()));
    Ok(Fragmentation {
        leaves: NodeFill::of(entries().map(u64::from)),
        internal_nodes: NodeFill::of(children),
        packed_nodes,
        unshared_nodes: packing::unshared_nodes(
            devices.iter().map(|(_, device)| device.mapped_blocks),
        ),
        devices,
    })
}

fn read(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    threads: Option<&ThreadPool>,
) -> Result<LeafStretches> {
    let leaf_count = graph.leaves().len();
    leaves.watch.begin("reading mappings", widen(leaf_count));
    let positions: Vec<u32> = (0..).take(leaf_count).collect();
    let shares = leaves.gather(
        graph,
        &positions,
        threads,
        |share| (Vec::with_capacity(share.len()), Vec::new()),
        |(stretches, lengths), _, leaf| {
            let mappings = leaf
                .mappings()
                .map(|(virtual_block, data_block, _)| Mapping { virtual_block, data_block });
            stretches.push(LeafStretch::of(mappings, lengths));
            Ok(())
        },
    )?;
    let mut stretches = LeafStretches::default();
    for (share, lengths) in shares {
        stretches.extend(share, &lengths);
    }
    Ok(stretches)
}

/// What the mappings below a node come to.
#[derive(Clone, Debug)]
struct Sum {
    /// None below an empty leaf.
    whole: Option<Stretch>,
    /// Of the runs between the first and the last one.
    inner: RunLengths,
}

impl Sum {
    /// What is told of a device.
    fn result(&self) -> DeviceFragmentation {
        let Some(whole) = self.whole else { return DeviceFragmentation::default() };
        let mut tally = Tally::new();
        for (length, count) in self.inner.iter() {
            tally.add(length, count);
        }
        tally.add(whole.head, 1);
        if !whole.is_one_run {
            tally.add(whole.tail, 1);
        }
        let lengths = tally.take();
        let steps = whole.steps;
        let (runs, within) = (steps.between().saturating_add(1), steps.within());
        DeviceFragmentation {
            mapped_blocks: runs.saturating_add(within),
            neighbours: within.saturating_add(u64::from(steps.breaks)),
            runs,
            median_run: lengths.median(),
            longest_run: lengths.longest(),
            run_lengths: lengths.classes(),
            seeks: u64::from(steps.seeks),
            seek_blocks: whole.distance,
            ios: steps.ios(),
            pieces: steps.pieces(),
        }
    }
}

/// Stretches that are being put together.
#[derive(Debug)]
struct Basket {
    whole: Option<Stretch>,
    inner: Tally,
}

impl Basket {
    fn join(&mut self, next: Option<Stretch>) {
        match (&mut self.whole, next) {
            (Some(whole), Some(next)) => whole.join(&next, |length| self.inner.add(length, 1)),
            (whole, next) => *whole = whole.or(next),
        }
    }
}

impl Fold for LeafStretches {
    type Sum = Sum;
    type Basket = Basket;

    fn basket(&self) -> Basket {
        Basket { whole: None, inner: Tally::new() }
    }

    fn add_leaf(&self, basket: &mut Basket, leaf: u32) {
        let next = self.get(leaf, &mut basket.inner);
        basket.join(next);
    }

    fn add(&self, basket: &mut Basket, below: &Sum) {
        for (length, count) in below.inner.iter() {
            basket.inner.add(length, count);
        }
        basket.join(below.whole);
    }

    fn take(&self, basket: &mut Basket) -> Sum {
        Sum { whole: basket.whole.take(), inner: basket.inner.take() }
    }
}

#[cfg(test)]
mod tests;
