//! Folds holders down: who reaches each node of the graph.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;

use super::sets::HolderSets;
use crate::error::Result;
use crate::graph::{Graph, NodeRef};
use crate::units::{index_u32, low_u32, widen};
use crate::watch::Watch;

/// Nodes and edges between two looks at whether anybody waits, each with a set to be united.
const SLICE: usize = 256;

/// The set of holders of each distinct node.
#[derive(Debug)]
pub(crate) struct Holders {
    /// Of the internal nodes.
    pub(crate) nodes: Vec<u32>,
    /// Of the leaves.
    pub(crate) leaves: Vec<u32>,
}

impl Holders {
    /// Folds down; `holder` tells whom each root belongs to. Nodes below the same parents have
    /// the same holders, and most nodes have neighbours: the union is remembered by the parents'
    /// sets. Cost: by distinct edges.
    ///
    /// Memory: 4 bytes an edge, 8 bytes a node, 20 bytes a union that is remembered, while it
    /// is made; what stays is 4 bytes a node.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub(crate) fn fold(
        graph: &Graph,
        holder: impl Fn(usize) -> u32,
        sets: &mut HolderSets,
        watch: &Watch,
    ) -> Result<Self> {
        let internals = graph.nodes().len();
        let mut edges = Edges::of(graph, holder);
        let singles: Vec<u32> = (0..sets.holders()).map(|holder| sets.single(holder)).collect();
        let mut unions = Unions::default();
        let mut found: Vec<u32> = Vec::with_capacity(edges.targets());
        // Parents stand before their children, and all before the leaves.
        let mut unlooked = 0_usize;
        for target in 0..edges.targets() {
            let range = edges.range(target);
            unlooked = unlooked.saturating_add(range.len()).saturating_add(1);
            if unlooked >= SLICE {
                watch.advance(0)?;
                unlooked = 0;
            }
            let sources = edges.sources.get_mut(range.clone()).unwrap_or_default();
            for source in &mut *sources {
                let at = index_u32(*source);
                let root = || singles.get(at.saturating_sub(internals));
                let set = if at < internals { found.get(at) } else { root() };
                *source = set.copied().unwrap_or_default();
            }
            sources.sort_unstable();
            let distinct = distinct(sources);
            let parts = range.start..range.start.saturating_add(distinct);
            let set = unions.union(&edges.sources, parts, sets);
            found.push(set);
        }
        let leaves = found.split_off(internals.min(found.len()));
        Ok(Self { nodes: found, leaves })
    }

    /// Distinct nodes, leaves as well, by the number of their set.
    pub(crate) fn node_counts(&self, sets: &HolderSets) -> Vec<u64> {
        let mut counts = vec![0_u64; index_u32(sets.end())];
        for set in self.nodes.iter().chain(&self.leaves) {
            if let Some(count) = counts.get_mut(index_u32(*set)) {
                *count = count.saturating_add(1);
            }
        }
        counts
    }
}

/// Moves the distinct values of a sorted list to its front. Returns how many there are.
fn distinct(sorted: &mut [u32]) -> usize {
    let mut last = None;
    let mut distinct = 0;
    for at in 0..sorted.len() {
        let value = sorted.get(at).copied();
        if value != last
            && let (Some(value), Some(slot)) = (value, sorted.get_mut(distinct))
        {
            *slot = value;
            distinct = distinct.saturating_add(1);
            last = Some(value);
        }
    }
    distinct
}

/// All edges by where they lead: first to internal nodes, then to leaves. A source is the
/// position of an internal node or, counted on from these, a holder whose root it is.
struct Edges {
    /// Where the sources of each target end.
    ends: Vec<u32>,
    sources: Vec<u32>,
}

impl Edges {
    fn of(graph: &Graph, holder: impl Fn(usize) -> u32) -> Self {
        let internals = low_u32(widen(graph.nodes().len()));
        let target = |node| match node {
            NodeRef::Internal(at) => index_u32(at),
            NodeRef::Leaf(at) => index_u32(internals.saturating_add(at)),
        };
        let targets = graph.nodes().len().saturating_add(graph.leaves().len());
        let mut ends = vec![0_u32; targets];
        let mut count = |node| {
            if let Some(end) = ends.get_mut(target(node)) {
                *end = end.saturating_add(1);
            }
        };
        for node in graph.nodes() {
            graph.children(node).for_each(|(_, child)| count(child));
        }
        graph.roots().iter().for_each(|(_, root)| count(*root));
        // From numbers to beginnings; putting a source down moves a beginning on to its end.
        let mut total = 0_u32;
        for end in &mut ends {
            total = total.saturating_add(std::mem::replace(end, total));
        }
        let mut sources = vec![0_u32; index_u32(total)];
        let mut put = |node, source: u32| {
            let Some(end) = ends.get_mut(target(node)) else { return };
            if let Some(slot) = sources.get_mut(index_u32(*end)) {
                *slot = source;
            }
            *end = end.saturating_add(1);
        };
        for (at, node) in (0_u32..).zip(graph.nodes()) {
            graph.children(node).for_each(|(_, child)| put(child, at));
        }
        for (at, (_, root)) in graph.roots().iter().enumerate() {
            put(*root, internals.saturating_add(holder(at)));
        }
        Self { ends, sources }
    }

    const fn targets(&self) -> usize {
        self.ends.len()
    }

    fn range(&self, target: usize) -> Range<usize> {
        let end = |target: usize| self.ends.get(target).copied().map_or(0, index_u32);
        target.checked_sub(1).map_or(0, end)..end(target)
    }
}

/// Unions by their parts, which are found where they stood first.
#[derive(Default)]
struct Unions {
    hasher: RandomState,
    known: HashMap<u64, (Range<usize>, u32)>,
}

impl Unions {
    fn union(&mut self, sources: &[u32], range: Range<usize>, sets: &mut HolderSets) -> u32 {
        let parts = sources.get(range.clone()).unwrap_or_default();
        if let [only] = parts {
            return *only;
        }
        let hash = self.hasher.hash_one(parts);
        if let Some((known, union)) = self.known.get(&hash)
            && sources.get(known.clone()) == Some(parts)
        {
            return *union;
        }
        let union = sets.union(parts);
        self.known.insert(hash, (range, union));
        union
    }
}
