//! Reading distinct leaves: in disk order, in large joined reads, on a few threads.

use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;
use zerocopy::little_endian::U64;

use super::Graph;
use crate::btree::{FLAGS_OFFSET, KeyRange, Node, Tree};
use crate::damage::Damage;
use crate::error::{Error, Result};
use crate::raw::Page;
use crate::reader::Reader;
use crate::units::{DataBlock, MetadataBlock, Time, VirtualBlock, index_u32, low_u32};
use crate::watch::Watch;

/// Leaves that one thread takes at a time: 2 MiB where they lie side by side.
const SHARE: usize = 512;

/// Bits of a mapping's value that hold the time (`pack_block_time`).
const TIME_BITS: u32 = 24;

/// A checked leaf of a mapping tree.
#[derive(Clone, Copy, Debug)]
pub struct MappingLeaf<'a>(Node<'a>);

impl<'a> MappingLeaf<'a> {
    /// Checks a block as a leaf that its edges admit, with values below `data_blocks`.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] for the first rule that is broken.
    pub fn parse(
        page: &'a Page,
        block: MetadataBlock,
        admitted: KeyRange,
        data_blocks: u64,
    ) -> Result<Self> {
        let node = Node::parse(page, block, Tree::Mapping)?;
        if !node.is_leaf() {
            return Err(node.place().corrupt("flags", FLAGS_OFFSET, "2 (leaf)", "1 (internal)"));
        }
        node.check_range(admitted)?;
        let values = node.values::<U64>();
        // The largest value names the highest block: where that is well, all are.
        let largest = values.iter().map(|value| value.get()).fold(0, u64::max);
        if unpack(largest).0.get() >= data_blocks {
            for (at, value) in values.iter().enumerate() {
                check_data_block(&node, at, value.get(), data_blocks)?;
            }
        }
        Ok(Self(node))
    }

    /// A leaf without mappings, in place of one that is broken.
    pub(crate) fn lost(block: MetadataBlock) -> Self {
        Self(Node::empty_leaf(block, Tree::Mapping))
    }

    /// Number of mappings.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.keys().len()
    }

    /// Whether there are no mappings: the leaf of an empty device.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The mappings, by ascending virtual block.
    pub fn mappings(&self) -> impl Iterator<Item = (VirtualBlock, DataBlock, Time)> + use<'a> {
        self.0.keys().iter().zip(self.0.values::<U64>()).map(|(key, value)| {
            let (block, time) = unpack(value.get());
            (VirtualBlock::new(key.get()), block, time)
        })
    }
}

/// Takes a mapping's value apart: data block in the upper 40 bits, time in the lower 24.
#[must_use]
pub fn unpack(value: u64) -> (DataBlock, Time) {
    (DataBlock::new(value >> TIME_BITS), Time::new(low_u32(value & ((1 << TIME_BITS) - 1))))
}

/// Checks that value number `at` of a mapping leaf names a block of the data device.
pub(crate) fn check_data_block(
    node: &Node<'_>,
    at: usize,
    value: u64,
    data_blocks: u64,
) -> Result<()> {
    let (block, _) = unpack(value);
    if block.get() < data_blocks {
        return Ok(());
    }
    let expected = format!("below {data_blocks}, the blocks of the data device");
    Err(node.place().corrupt("data block", node.value_offset(at), expected, block))
}

/// What reading leaves needs, beside the graph.
#[derive(Clone, Copy, Debug)]
pub struct LeafReader<'a> {
    /// Where the blocks come from.
    pub reader: &'a Reader,
    /// Blocks of the data device.
    pub data_blocks: u64,
    /// Told of each leaf read.
    pub watch: &'a Watch,
    /// Where broken leaves are noted, which then are as if they had no mappings; or none: the
    /// first one is the error.
    pub damage: Option<&'a Arc<Damage>>,
}

impl LeafReader<'_> {
    /// Reads leaves, given by ascending position, and calls `each` with position and leaf.
    /// `new` makes what one share of them is gathered in; the shares come back in order.
    ///
    /// Without threads everything happens on the calling one.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, [`Error::Cancelled`], or what `each`
    /// returns.
    pub fn gather<T: Send>(
        &self,
        graph: &Graph,
        positions: &[u32],
        threads: Option<&ThreadPool>,
        new: impl Fn(&[u32]) -> T + Sync,
        each: impl Fn(&mut T, u32, MappingLeaf<'_>) -> Result<()> + Sync,
    ) -> Result<Vec<T>> {
        let share = |positions: &[u32]| {
            let mut gathered = new(positions);
            self.read(graph, positions, |at, leaf| each(&mut gathered, at, leaf))?;
            Ok::<_, Error>(gathered)
        };
        match threads {
            // All shares are finished, so that of several errors always the first is told.
            Some(threads) => {
                let shares = || positions.par_chunks(SHARE).map(share).collect::<Vec<_>>();
                threads.install(shares).into_iter().collect()
            }
            None => positions.chunks(SHARE).map(share).collect(),
        }
    }

    fn read(
        &self,
        graph: &Graph,
        positions: &[u32],
        mut each: impl FnMut(u32, MappingLeaf<'_>) -> Result<()>,
    ) -> Result<()> {
        let block = |at: &u32| graph.leaves.get(index_u32(*at)).copied();
        let blocks: Vec<_> = positions.iter().filter_map(block).collect();
        self.reader.read_each(&blocks, self.watch, |at, block, page| {
            let Some(position) = positions.get(at) else {
                return Ok(());
            };
            let admitted = graph.admitted.get(index_u32(*position)).copied();
            let admitted = admitted.unwrap_or(KeyRange::ALL);
            let parse = |page| MappingLeaf::parse(page, block, admitted, self.data_blocks);
            match (page.and_then(parse), self.damage) {
                (Ok(leaf), _) => each(*position, leaf),
                (Err(error), Some(damage)) => {
                    damage.forgive(block, error)?;
                    each(*position, MappingLeaf::lost(block))
                }
                (Err(error), None) => Err(error),
            }
        })
    }
}

/// Threads of our own, where there are enough leaves for them. They do not survive a fork: let
/// them go with the question, or remember which process they belong to.
///
/// # Errors
///
/// [`Error::Threads`] where the system grants none.
pub fn threads(count: usize, leaves: usize) -> Result<Option<ThreadPool>> {
    if count < 2 || leaves <= SHARE {
        return Ok(None);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build();
    pool.map(Some).map_err(|error| Error::Threads(error.to_string()))
}

/// Does two things, at the same time where there are threads.
pub(crate) fn join<A: Send, B: Send>(
    threads: Option<&ThreadPool>,
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    match threads {
        Some(threads) => threads.join(one, other),
        None => (one(), other()),
    }
}
