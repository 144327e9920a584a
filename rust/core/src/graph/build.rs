//! Builds the graph: every internal node is read once, level by level, in disk order.
//!
//! 1. *Probe*: from each root down the first children until a leaf. That gives heights.
//! 2. *Descend*: from the highest level down; children take their height from their parents,
//!    and those that were not probed are read. Two heights for one node are damage.
//! 3. *Arrange*: sort by height and block, turn block numbers into positions.
//! 4. *Bound*: hand the key ranges down all edges and check every internal node against them.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use super::{CUT, Graph, InternalNode, NodeRef, threads};
use crate::block_set::{BlockSet, Ranks};
use crate::btree::{FLAGS_OFFSET, KeyRange, MAX_DEPTH, Node, Tree, out_of_range};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::Page;
use crate::reader::Reader;
use crate::units::{DeviceId, MetadataBlock, index_u32, low_u32, widen};
use crate::watch::Watch;

/// Nodes that one thread takes at a time: 1 MiB where they lie side by side.
const SHARE: usize = 256;

/// Nodes that are read before they are taken in: 12 MiB of keys and children.
const WINDOW: usize = 4096;

impl Graph {
    /// Reads the internal nodes below the roots.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, [`Error::Cancelled`], or
    /// [`Error::Threads`].
    pub fn build(
        reader: &Reader,
        roots: &[(DeviceId, MetadataBlock)],
        threads: usize,
        watch: &Watch,
    ) -> Result<Self> {
        watch.begin("reading internal nodes", 0);
        let mut builder = Builder::new(reader, threads, watch);
        let blocks: Vec<_> = roots.iter().map(|(_, root)| *root).collect();
        builder.probe(blocks)?;
        builder.descend()?;
        let graph = builder.arrange(roots);
        graph.bound()
    }
}

pub(super) struct Builder<'a> {
    pub(super) reader: &'a Reader,
    threads: usize,
    pub(super) watch: &'a Watch,
    /// Positions in `nodes` of the internal nodes that were read.
    pub(super) known: Known,
    pub(super) leaves: BlockSet,
    /// In the order of reading; height 0 until it is known.
    pub(super) nodes: Vec<InternalNode>,
    pub(super) keys: Vec<u64>,
    /// Block numbers, or [`CUT`].
    pub(super) children: Vec<u32>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(reader: &'a Reader, threads: usize, watch: &'a Watch) -> Self {
        Self {
            reader,
            threads,
            watch,
            known: Known::new(reader.blocks()),
            leaves: BlockSet::new(reader.blocks()),
            nodes: Vec::new(),
            keys: Vec::new(),
            children: Vec::new(),
        }
    }

    fn probe(&mut self, mut frontier: Vec<MetadataBlock>) -> Result<()> {
        let mut rounds = 0;
        while !frontier.is_empty() {
            let first_new = self.nodes.len();
            self.read_nodes(frontier, None)?;
            let new = self.nodes.get(first_new..).unwrap_or_default();
            frontier = new.iter().filter_map(|node| self.first_child(node)).collect();
            frontier.retain(|block| self.known.get(*block).is_none());
            if let (Some(block), MAX_DEPTH) = (frontier.first(), rounds) {
                return Err(too_deep(*block));
            }
            rounds = rounds.saturating_add(1);
        }
        self.measure()
    }

    fn first_child(&self, node: &InternalNode) -> Option<MetadataBlock> {
        self.children.get(index_u32(node.first_child)).copied().map(MetadataBlock::new)
    }

    /// Gives each probed node its height: one more than that of its first child.
    fn measure(&mut self) -> Result<()> {
        for start in 0..self.nodes.len() {
            let mut chain = Vec::new();
            let mut at = start;
            let mut height = loop {
                let Some(node) = self.nodes.get(at) else {
                    break 0;
                };
                if node.height > 0 {
                    break node.height;
                }
                if chain.len() > MAX_DEPTH {
                    return Err(too_deep(node.block));
                }
                chain.push(at);
                let below = self.first_child(node).and_then(|child| self.known.get(child));
                match below {
                    Some(below) => at = index_u32(below),
                    None => break 0,
                }
            };
            for at in chain.into_iter().rev() {
                height = u8::saturating_add(height, 1);
                if let Some(node) = self.nodes.get_mut(at) {
                    node.height = height;
                    if usize::from(height) > MAX_DEPTH {
                        return Err(too_deep(node.block));
                    }
                }
            }
        }
        Ok(())
    }

    fn descend(&mut self) -> Result<()> {
        let highest = self.nodes.iter().map(|node| node.height).max().unwrap_or(0);
        let mut by_height = vec![Vec::new(); usize::from(highest).saturating_add(1)];
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(level) = by_height.get_mut(usize::from(node.height)) {
                level.push(at);
            }
        }
        for height in (1..=highest).rev() {
            let level = by_height.get_mut(usize::from(height)).map(std::mem::take);
            let unknown = self.check_children(&level.unwrap_or_default(), height)?;
            let first_new = self.nodes.len();
            let below = height.saturating_sub(1);
            self.read_nodes(unknown, Some(below))?;
            if let Some(level) = by_height.get_mut(usize::from(below)) {
                level.extend(first_new..self.nodes.len());
            }
        }
        Ok(())
    }

    /// Checks the children of a level that are known, marks those that are leaves, and returns
    /// the internal ones that are not known yet.
    fn check_children(&mut self, level: &[usize], height: u8) -> Result<Vec<MetadataBlock>> {
        let mut unknown = Vec::new();
        let below = height.saturating_sub(1);
        for at in level {
            let Some(node) = self.nodes.get(*at) else {
                continue;
            };
            for child in self.children.get(node.entries()).unwrap_or_default() {
                let child = MetadataBlock::new(*child);
                let known = self.known.get(child).and_then(|at| self.nodes.get(index_u32(at)));
                match known.map(|known| known.height) {
                    Some(known) if known != below => return Err(two_heights(child, below, known)),
                    Some(_) => {}
                    None if below == 0 => self.leaves.insert(child),
                    None if self.leaves.contains(child) => {
                        return Err(two_heights(child, below, 0));
                    }
                    None => unknown.push(child),
                }
            }
        }
        Ok(unknown)
    }

    /// Reads nodes, distinct ones and in disk order. Internal nodes are kept; leaves are noted, or
    /// are damage where the height is known.
    fn read_nodes(&mut self, mut blocks: Vec<MetadataBlock>, height: Option<u8>) -> Result<()> {
        blocks.sort_unstable();
        blocks.dedup();
        let (reader, watch) = (self.reader, self.watch);
        let share = |blocks: &[MetadataBlock]| {
            let mut share = Share::default();
            reader.read_sorted(blocks, watch, |_, block, page| {
                share.add(reader, block, page, height)
            })?;
            Ok(share)
        };
        let threads = threads(self.threads, blocks.len())?;
        let above_leaves = height.unwrap_or_default(); // 0 until it is known
        let Some(threads) = threads else {
            return blocks.chunks(SHARE).try_for_each(|blocks| {
                self.take(share(blocks)?, above_leaves);
                Ok(())
            });
        };
        for window in blocks.chunks(WINDOW) {
            // All shares are finished, so that of several errors always the first is told.
            let shares = || window.par_chunks(SHARE).map(share).collect::<Vec<_>>();
            for share in threads.install(shares) {
                self.take(share?, above_leaves);
            }
        }
        Ok(())
    }

    fn take(&mut self, share: Share, height: u8) {
        for leaf in share.leaves {
            self.leaves.insert(leaf);
        }
        let mut first_child = low_u32(widen(self.children.len()));
        for (block, children) in share.nodes {
            self.known.insert(block, low_u32(widen(self.nodes.len())));
            self.nodes.push(InternalNode { block, height, first_child, children });
            first_child = first_child.saturating_add(children);
        }
        self.keys.extend(share.keys);
        self.children.extend(share.children);
    }

    pub(super) fn arrange(self, roots: &[(DeviceId, MetadataBlock)]) -> Graph {
        let Self { known, leaves, mut nodes, keys, mut children, .. } = self;
        nodes.sort_unstable_by_key(|node| (u8::MAX.saturating_sub(node.height), node.block));
        let positions = Positions { internal: known, ranks: leaves.ranks() }.renumbered(&nodes);
        for node in &nodes {
            let children = children.get_mut(node.entries()).unwrap_or_default();
            for child in children.iter_mut().filter(|child| **child != CUT) {
                *child = positions.of(MetadataBlock::new(*child)).position();
            }
        }
        let roots = roots.iter().map(|(id, root)| (*id, positions.of(*root))).collect();
        let blocks: Vec<_> = leaves.iter().collect();
        let admitted = vec![KeyRange::ALL; blocks.len()];
        let cuts = BTreeMap::new();
        Graph { nodes, keys, children, leaves: blocks, admitted, roots, cuts }
    }
}

/// Nodes that one thread has read.
#[derive(Default)]
struct Share {
    leaves: Vec<MetadataBlock>,
    /// Internal nodes, each with how many children it has.
    nodes: Vec<(MetadataBlock, u32)>,
    keys: Vec<u64>,
    children: Vec<u32>,
}

impl Share {
    fn add(
        &mut self,
        reader: &Reader,
        block: MetadataBlock,
        page: &Page,
        height: Option<u8>,
    ) -> Result<()> {
        let node = Node::parse(page, block, Tree::Mapping)?;
        if node.is_leaf() {
            if let Some(height) = height {
                return Err(two_heights(block, height, 0));
            }
            self.leaves.push(block);
            return Ok(());
        }
        for (key, child) in node.keys().iter().zip(node.children(reader, KeyRange::ALL)) {
            self.keys.push(key.get());
            self.children.push(child?.1.get());
        }
        self.nodes.push((block, low_u32(widen(node.keys().len()))));
        Ok(())
    }
}

/// Positions of internal nodes by their blocks. Nearly all blocks that are looked up are leaves: a
/// bit tells so, and the map is not asked.
pub(super) struct Known {
    blocks: BlockSet,
    positions: HashMap<MetadataBlock, u32>,
}

impl Known {
    pub(super) fn new(blocks: u64) -> Self {
        Self { blocks: BlockSet::new(blocks), positions: HashMap::new() }
    }

    pub(super) fn insert(&mut self, block: MetadataBlock, at: u32) {
        self.blocks.insert(block);
        self.positions.insert(block, at);
    }

    pub(super) fn get(&self, block: MetadataBlock) -> Option<u32> {
        if !self.blocks.contains(block) {
            return None;
        }
        self.positions.get(&block).copied()
    }
}

/// Where blocks stand in the arranged graph.
struct Positions<'a> {
    internal: Known,
    ranks: Ranks<'a>,
}

impl Positions<'_> {
    fn renumbered(mut self, nodes: &[InternalNode]) -> Self {
        for (at, node) in (0_u32..).zip(nodes) {
            self.internal.insert(node.block, at);
        }
        self
    }

    fn of(&self, block: MetadataBlock) -> NodeRef {
        match self.internal.get(block) {
            Some(at) => NodeRef::Internal(at),
            None => NodeRef::Leaf(self.ranks.of(block)),
        }
    }
}

impl NodeRef {
    const fn position(self) -> u32 {
        match self {
            Self::Internal(at) | Self::Leaf(at) => at,
        }
    }
}

impl Graph {
    /// Hands the key ranges down all edges, and checks the internal nodes' keys against them.
    pub(super) fn bound(mut self) -> Result<Self> {
        let mut internal = vec![KeyRange::ALL; self.nodes.len()];
        let mut leaves = std::mem::take(&mut self.admitted);
        for (at, node) in self.nodes.iter().enumerate() {
            let own = internal.get(at).copied().unwrap_or(KeyRange::ALL);
            for (entry, (range, child)) in self.children(node).enumerate() {
                if range.first < own.first || range.first > own.last {
                    return Err(out_of_range(mapping_node(node.block), entry, range.first, own));
                }
                let (ranges, at) = match child {
                    NodeRef::Leaf(at) => (&mut leaves, at),
                    NodeRef::Internal(at) => (&mut internal, at),
                };
                if let Some(admitted) = ranges.get_mut(index_u32(at)) {
                    *admitted = admitted.intersection(range.intersection(own));
                }
            }
        }
        self.admitted = leaves;
        Ok(self)
    }
}

pub(super) fn mapping_node(block: MetadataBlock) -> Place {
    Place { block, structure: Structure::Node(Tree::Mapping) }
}

pub(super) fn two_heights(block: MetadataBlock, expected: u8, found: u8) -> Error {
    mapping_node(block).corrupt("height above the leaves", FLAGS_OFFSET, expected, found)
}

pub(super) fn too_deep(block: MetadataBlock) -> Error {
    let expected = format!("at most {MAX_DEPTH} levels");
    mapping_node(block).corrupt("height above the leaves", FLAGS_OFFSET, expected, "more")
}
