//! The mapping trees of all devices as one graph of distinct nodes.
//!
//! Snapshots share subtrees, so a node may hang below many. Every internal node is read once
//! and kept; leaves are known by number and read by the passes that need them.
//!
//! Levels are *heights above the leaves*: after a snapshot its origin's root may split, and a
//! shared node then lies at two depths, but never at two heights. A node that would need two
//! heights (a loop, a lopsided tree) is damage. Which keys a node may hold belongs to the edge:
//! a node with several parents must fit all of them, so the ranges are intersected.
//!
//! Memory: 24 bytes an internal node, 12 bytes a child, 20 bytes a leaf.

mod around;
mod build;
mod cursor;
mod fold;
mod gaps;
mod leaves;

pub use cursor::LeafCursor;
pub(crate) use fold::Fold;
pub use gaps::{Gap, Gaps};
pub use leaves::{LeafReader, MappingLeaf, threads, unpack};
pub(crate) use leaves::{check_data_block, join};

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::btree::KeyRange;
use crate::error::Error;
use crate::units::{DeviceId, MetadataBlock, index_u32};

/// Most mappings in a leaf, and most children of an internal node.
pub const MAX_ENTRIES: u64 = 252;

/// Stands for a child that was cut off, as no position does.
const CUT: u32 = u32::MAX;

/// A node of the graph: heights and positions fit the 4,161,600 blocks that there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeRef {
    /// The internal node at this position of [`Graph::nodes`].
    Internal(u32),
    /// The leaf at this position of [`Graph::leaves`].
    Leaf(u32),
}

/// An internal node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InternalNode {
    /// Where it lies.
    pub block: MetadataBlock,
    /// Levels between it and the leaves below it: 1 where its children are leaves.
    pub height: u8,
    first_child: u32,
    children: u32,
}

impl InternalNode {
    /// Where its entries stand among those of all nodes.
    const fn entries(&self) -> Range<usize> {
        let start = index_u32(self.first_child);
        start..start.saturating_add(index_u32(self.children))
    }
}

/// The distinct nodes of some devices' mapping trees.
#[derive(Debug)]
pub struct Graph {
    /// By height, highest first, and by block within a height: parents before children.
    nodes: Vec<InternalNode>,
    /// Lowest key of each child, for all nodes in a row.
    keys: Vec<u64>,
    /// Position of each child among the leaves (height 1) or internal nodes (above), or [`CUT`].
    children: Vec<u32>,
    /// In the order of their blocks.
    leaves: Vec<MetadataBlock>,
    /// What the edges to each leaf admit.
    admitted: Vec<KeyRange>,
    roots: Vec<(DeviceId, NodeRef)>,
    /// Why children were cut off, by where they stand in `children`.
    cuts: BTreeMap<u32, Arc<Error>>,
}

impl Graph {
    /// Internal nodes, highest first: parents before their children.
    #[must_use]
    pub fn nodes(&self) -> &[InternalNode] {
        &self.nodes
    }

    /// The blocks of all distinct leaves, ascending.
    #[must_use]
    pub fn leaves(&self) -> &[MetadataBlock] {
        &self.leaves
    }

    /// The devices with the roots of their trees, in the order of their ids.
    #[must_use]
    pub fn roots(&self) -> &[(DeviceId, NodeRef)] {
        &self.roots
    }

    /// The children of an internal node, in key order, with the keys that the node itself admits
    /// below each edge; what admits the node is for the last child to heed as well. What was cut
    /// off is left out.
    pub fn children(&self, node: &InternalNode) -> impl Iterator<Item = (KeyRange, NodeRef)> {
        let keys = self.keys.get(node.entries()).unwrap_or_default();
        let children = self.children.get(node.entries()).unwrap_or_default();
        let next_keys = keys.iter().skip(1).map(|key| key.saturating_sub(1));
        let lasts = next_keys.chain([KeyRange::ALL.last]);
        let is_lowest = node.height == 1;
        let edges = keys.iter().zip(lasts).zip(children).filter(|(_, child)| **child != CUT);
        edges.map(move |((first, last), child)| {
            let child = if is_lowest { NodeRef::Leaf(*child) } else { NodeRef::Internal(*child) };
            (KeyRange { first: *first, last }, child)
        })
    }

    /// Whether the edges to each leaf exclude each other: such a leaf is broken, whatever it holds.
    /// No other one can hang twice below one root.
    pub(crate) fn excluded_leaves(&self) -> impl Iterator<Item = bool> {
        self.admitted.iter().map(|range| range.is_empty())
    }

    /// Puts the children of the internal node at a position on a stack, those that can hold keys
    /// of a range, the first one last.
    pub(crate) fn stack_children(&self, at: u32, wanted: KeyRange, stack: &mut Vec<NodeRef>) {
        let Some(node) = self.nodes.get(index_u32(at)) else {
            return;
        };
        let first_child = stack.len();
        let meets = |range: &KeyRange| range.last >= wanted.first && range.first <= wanted.last;
        let children = self.children(node).filter(|(range, _)| meets(range));
        stack.extend(children.map(|(_, child)| child));
        if let Some(children) = stack.get_mut(first_child..) {
            children.reverse();
        }
    }

    /// Folds down: whether several devices reach each leaf. Cost: one step an edge.
    #[must_use]
    pub fn shared_leaves(&self) -> Vec<bool> {
        // Whether a node was reached, and whether in a second way.
        let mut nodes = vec![(false, false); self.nodes.len()];
        let mut leaves = vec![(false, false); self.leaves.len()];
        let reach = |ways: Option<&mut (bool, bool)>, is_shared: bool| {
            if let Some((once, again)) = ways {
                *again |= *once || is_shared;
                *once = true;
            }
        };
        for (_, root) in &self.roots {
            match root {
                NodeRef::Leaf(at) => reach(leaves.get_mut(index_u32(*at)), false),
                NodeRef::Internal(at) => reach(nodes.get_mut(index_u32(*at)), false),
            }
        }
        // Parents stand before their children.
        for (at, node) in self.nodes.iter().enumerate() {
            let is_shared = nodes.get(at).is_some_and(|(_, again)| *again);
            for (_, child) in self.children(node) {
                match child {
                    NodeRef::Leaf(at) => reach(leaves.get_mut(index_u32(at)), is_shared),
                    NodeRef::Internal(at) => reach(nodes.get_mut(index_u32(at)), is_shared),
                }
            }
        }
        leaves.into_iter().map(|(_, again)| again).collect()
    }

    /// Folds up: the sum, below each device's root, of a number that each leaf has. A leaf
    /// that hangs below several nodes counts below each. Cost: one addition an edge.
    #[must_use]
    pub fn sum_up(&self, leaves: &[u64]) -> Vec<(DeviceId, u64)> {
        let mut sums = vec![0_u64; self.nodes.len()];
        let value = |sums: &[u64], node| match node {
            NodeRef::Leaf(at) => leaves.get(index_u32(at)).copied().unwrap_or_default(),
            NodeRef::Internal(at) => sums.get(index_u32(at)).copied().unwrap_or_default(),
        };
        // Children stand behind their parents.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let sum = self.children(node).map(|(_, child)| value(&sums, child));
            let sum = sum.fold(0_u64, u64::saturating_add);
            if let Some(slot) = sums.get_mut(at) {
                *slot = sum;
            }
        }
        self.roots.iter().map(|(id, root)| (*id, value(&sums, *root))).collect()
    }
}
