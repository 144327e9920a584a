//! What all mappings add up to, counted leaf by leaf in disk order.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Result;
use crate::graph::{Graph, LeafReader, threads};
use crate::reader::Reader;
use crate::units::{DataBlock, DeviceId, index_u64, widen};
use crate::watch::Watch;

/// What all mappings add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// Mappings of each device, by ascending id.
    pub mapped_blocks: Vec<(DeviceId, u64)>,
    /// Distinct data blocks that the devices reach.
    pub reached_blocks: u64,
    /// Distinct leaves and internal nodes of all mapping trees.
    pub nodes: u64,
}

/// Reads every distinct leaf once, in disk order, and counts.
///
/// Memory: 8 bytes a leaf, and for the distinct data blocks one bit a block of the data device
/// or, where that is more, up to 16 bytes a mapping.
///
/// # Errors
///
/// A read that fails, the first rule that is broken, or
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub(crate) fn recount(
    reader: &Reader,
    data_blocks: u64,
    graph: &Graph,
    thread_count: usize,
    watch: &Watch,
) -> Result<Recount> {
    let leaf_count = graph.leaves().len();
    watch.begin("reading mappings", widen(leaf_count));
    let reached = Reached::new(data_blocks, leaf_count);
    let positions: Vec<u32> = (0..).take(leaf_count).collect();
    let leaves = LeafReader { reader, data_blocks, watch };
    let shares = leaves.gather(
        graph,
        &positions,
        threads(thread_count, leaf_count)?.as_ref(),
        |share| (Vec::with_capacity(share.len()), Vec::new()),
        |(counts, blocks), _, leaf| {
            counts.push(widen(leaf.len()));
            reached.insert(leaf.mappings().map(|(_, data, _)| data), blocks);
            Ok(())
        },
    )?;
    let (counts, blocks): (Vec<_>, Vec<_>) = shares.into_iter().unzip();
    let counts: Vec<u64> = counts.into_iter().flatten().collect();
    Ok(Recount {
        mapped_blocks: graph.sum_up(&counts),
        reached_blocks: reached.count(blocks),
        nodes: widen(graph.nodes().len().saturating_add(leaf_count)),
    })
}

/// Which data blocks were reached, filled by several threads.
///
/// A mapping in a hostile leaf can name any block of a data device of 2⁴⁰ blocks; a bit for
/// each is taken only where that is no more than remembering the blocks themselves.
enum Reached {
    Bits(Vec<AtomicU64>),
    List,
}

/// Mappings in a leaf, at most.
const LEAF_ROOM: u64 = 252;

impl Reached {
    fn new(data_blocks: u64, leaves: usize) -> Self {
        let most = widen(leaves).saturating_mul(LEAF_ROOM);
        if data_blocks / 64 > most {
            return Self::List;
        }
        let words = index_u64(data_blocks.div_ceil(64));
        Self::Bits(std::iter::repeat_with(AtomicU64::default).take(words).collect())
    }

    fn insert(&self, blocks: impl Iterator<Item = DataBlock>, list: &mut Vec<u64>) {
        let Self::Bits(words) = self else {
            list.extend(blocks.map(DataBlock::get));
            return;
        };
        for block in blocks {
            if let Some(word) = words.get(index_u64(block.get() / 64)) {
                word.fetch_or(1 << (block.get() % 64), Ordering::Relaxed);
            }
        }
    }

    fn count(self, lists: Vec<Vec<u64>>) -> u64 {
        match self {
            Self::Bits(words) => {
                let ones = words.into_iter().map(|word| u64::from(word.into_inner().count_ones()));
                ones.sum()
            }
            Self::List => {
                let mut blocks: Vec<u64> = lists.into_iter().flatten().collect();
                blocks.sort_unstable();
                blocks.dedup();
                widen(blocks.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_lists_count_alike() {
        let blocks = [5, 9, 5, 0, 64, 63, 9].map(DataBlock::new);
        // One leaf justifies bits for a small device, and only a list for a huge one.
        for (data_blocks, has_bits) in [(100, true), (1 << 40, false)] {
            let reached = Reached::new(data_blocks, 1);
            assert_eq!(matches!(reached, Reached::Bits(_)), has_bits);
            let mut list = Vec::new();
            reached.insert(blocks.into_iter(), &mut list);
            assert_eq!(reached.count(vec![list, Vec::new()]), 5);
        }
    }
}
