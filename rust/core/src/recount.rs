//! What all mappings add up to, counted leaf by leaf in disk order.

use rayon::ThreadPool;

use crate::error::Result;
use crate::graph::{Fold, Graph, LeafReader, threads};
use crate::reached::Reached;
use crate::units::{DataBlock, DeviceId, Time, index_u32, widen};

/// What all mappings add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recount {
    /// Mappings of each device, by ascending id.
    pub mapped_blocks: Vec<(DeviceId, u64)>,
    /// Of those, where asked for, the mappings of blocks that are mapped nowhere else.
    pub exclusive_blocks: Option<Vec<(DeviceId, u64)>>,
    /// Distinct data blocks that the devices reach.
    pub reached_blocks: u64,
    /// Distinct leaves and internal nodes of all mapping trees.
    pub nodes: u64,
}

/// Reads every distinct leaf once, in disk order, and counts. For what is exclusive, the leaves
/// that only one device has are read again, unless all data blocks are mapped once.
///
/// Memory: 8 bytes a leaf, and for the distinct data blocks one bit a block of the data device
/// or, where that is more, up to 16 bytes a mapping; twice that for what is exclusive.
///
/// # Errors
///
/// A read that fails, the first rule that is broken, or
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub(crate) fn recount(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    thread_count: usize,
    with_exclusive: bool,
) -> Result<Recount> {
    let leaf_count = graph.leaves().len();
    let threads = threads(thread_count, leaf_count)?;
    leaves.watch.begin("reading mappings", widen(leaf_count));
    let reached = Reached::new(leaves.data_blocks, leaf_count);
    // Blocks that are mapped by more than one leaf, or twice by one.
    let again = with_exclusive.then(|| Reached::new(leaves.data_blocks, leaf_count));
    let positions: Vec<u32> = (0..).take(leaf_count).collect();
    let shares = leaves.gather(
        graph,
        &positions,
        threads.as_ref(),
        |share| (Vec::with_capacity(share.len()), Vec::new()),
        |(counts, list), _, leaf| {
            counts.push(widen(leaf.len()));
            reached.insert_all(leaf.mappings().map(|(_, block, _)| block), again.as_ref(), list);
            Ok(())
        },
    )?;
    let (counts, lists): (Vec<_>, Vec<_>) = shares.into_iter().unzip();
    let counts: Vec<u64> = counts.into_iter().flatten().collect();
    let mut sorted: Vec<u64> = lists.into_iter().flatten().collect();
    sorted.sort_unstable();
    let exclusive_blocks = match again {
        Some(again) => {
            let repeated = Repeated { set: again, sorted: repeated(&sorted) };
            let counts = exclusive(leaves, graph, threads.as_ref(), counts.clone(), &repeated)?;
            Some(graph.sum_up(&counts))
        }
        None => None,
    };
    Ok(Recount {
        mapped_blocks: graph.sum_up(&counts),
        exclusive_blocks,
        reached_blocks: reached.count(&sorted),
        nodes: widen(graph.nodes().len().saturating_add(leaf_count)),
    })
}

/// The mappings of each device, and the latest of their times.
///
/// # Errors
///
/// As [`recount`].
pub(crate) fn counts_and_times(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    thread_count: usize,
) -> Result<Vec<(DeviceId, u64, Time)>> {
    let leaf_count = graph.leaves().len();
    let threads = threads(thread_count, leaf_count)?;
    leaves.watch.begin("reading mappings", widen(leaf_count));
    let positions: Vec<u32> = (0..).take(leaf_count).collect();
    let found = leaves.gather(
        graph,
        &positions,
        threads.as_ref(),
        |share| Vec::with_capacity(share.len()),
        |share, _, leaf| {
            let latest = leaf.mappings().map(|(_, _, time)| time).max().unwrap_or_default();
            share.push((widen(leaf.len()), latest));
            Ok(())
        },
    )?;
    let found: Vec<_> = found.into_iter().flatten().collect();
    let sums = graph.fold_up(&CountsAndTimes(&found), threads.as_ref(), leaves.watch)?;
    Ok(sums.into_iter().map(|(id, sum)| (id, sum.0, sum.1)).collect())
}

/// By leaf: number of mappings, latest time.
struct CountsAndTimes<'a>(&'a [(u64, Time)]);

impl Fold for CountsAndTimes<'_> {
    type Sum = (u64, Time);
    type Basket = (u64, Time);

    fn basket(&self) -> Self::Basket {
        Self::Basket::default()
    }

    fn add_leaf(&self, basket: &mut Self::Basket, leaf: u32) {
        let below = self.0.get(index_u32(leaf)).copied().unwrap_or_default();
        self.add(basket, &below);
    }

    fn add(&self, basket: &mut Self::Basket, below: &Self::Sum) {
        *basket = (basket.0.saturating_add(below.0), basket.1.max(below.1));
    }

    fn take(&self, basket: &mut Self::Basket) -> Self::Sum {
        std::mem::take(basket)
    }
}

/// Data blocks that are mapped more than once.
struct Repeated {
    set: Reached,
    sorted: Vec<u64>,
}

impl Repeated {
    fn is_empty(&self) -> bool {
        self.set.count(&self.sorted) == 0
    }

    fn contains(&self, block: DataBlock) -> bool {
        self.set.contains(block) || self.sorted.binary_search(&block.get()).is_ok()
    }
}

/// What stands more than once in a sorted list.
fn repeated(sorted: &[u64]) -> Vec<u64> {
    let groups = sorted.chunk_by(u64::eq).filter(|group| group.len() > 1);
    groups.filter_map(|group| group.first().copied()).collect()
}

/// From the mappings of each leaf, those of blocks that are mapped nowhere else.
fn exclusive(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    threads: Option<&ThreadPool>,
    mut counts: Vec<u64>,
    repeated: &Repeated,
) -> Result<Vec<u64>> {
    let is_shared = graph.shared_leaves();
    for (count, _) in counts.iter_mut().zip(&is_shared).filter(|(_, is_shared)| **is_shared) {
        *count = 0;
    }
    if repeated.is_empty() {
        return Ok(counts);
    }
    let own = (0_u32..).zip(is_shared).filter(|(_, is_shared)| !is_shared);
    let positions: Vec<u32> = own.map(|(leaf, _)| leaf).collect();
    leaves.watch.begin("telling what is exclusive", widen(positions.len()));
    let shares = leaves.gather(
        graph,
        &positions,
        threads,
        |share| Vec::with_capacity(share.len()),
        |share, _, leaf| {
            let own = leaf.mappings().filter(|(_, block, _)| !repeated.contains(*block));
            share.push(widen(own.count()));
            Ok(())
        },
    )?;
    for (leaf, count) in positions.iter().zip(shares.into_iter().flatten()) {
        if let Some(slot) = counts.get_mut(index_u32(*leaf)) {
            *slot = count;
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_lists_count_alike() {
        let blocks = [5, 9, 5, 0, 64, 63, 9].map(DataBlock::new);
        // One leaf justifies bits for a small device, and only a list for a huge one.
        for (data_blocks, has_bits) in [(100, true), (1 << 40, false)] {
            let (reached, again) = (Reached::new(data_blocks, 1), Reached::new(data_blocks, 1));
            assert_eq!(matches!(reached, Reached::Bits(_)), has_bits);
            let mut list = Vec::new();
            reached.insert_all(blocks.into_iter(), Some(&again), &mut list);
            list.sort_unstable();
            assert_eq!(reached.count(&list), 5);
            let repeated = Repeated { set: again, sorted: repeated(&list) };
            assert_eq!(
                blocks.map(|block| repeated.contains(block)).iter().filter(|b| **b).count(),
                4
            );
            assert!(!repeated.is_empty());
        }
    }
}
