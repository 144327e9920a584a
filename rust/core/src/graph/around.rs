//! Builds the graph around damage: what is broken is cut off, and what is cut off is known.
//!
//! Only for trees that the strict way refused, so cost matters less: leaves are read as well.
//!
//! 1. *Explore*: everything below the roots, each block once.
//! 2. *Measure*: a node's height is one more than that of most of its children.
//! 3. *Cut* edges: to broken nodes, to other heights, beyond what the edges above admit, to nodes
//!    of which nothing is left. Nothing is put in their place.
//! 4. *Keep* what the roots still reach.
//!
//! A root of which nothing is left stands for a leaf, which is noted as broken.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::{Builder, Known, mapping_node, too_deep, two_heights};
use super::{CUT, Graph, InternalNode};
use crate::block_set::BlockSet;
use crate::btree::{KeyRange, MAX_DEPTH, Node, Tree, out_of_range};
use crate::damage::Damage;
use crate::error::{Error, Result};
use crate::raw::Page;
use crate::reader::Reader;
use crate::units::{DeviceId, MetadataBlock, index_u32, low_u32, widen};
use crate::watch::Watch;

/// Most passes over all nodes until heights agree; two are enough but for crafted trees.
const MAX_PASSES: usize = 8;

impl Graph {
    /// Reads the internal nodes below the roots as [`build`](Self::build) does; what that refuses is
    /// read around where there is a place to note damage.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); with such a place, what is no damage.
    pub fn build_with(
        reader: &Reader,
        roots: &[(DeviceId, MetadataBlock)],
        threads: usize,
        watch: &Watch,
        damage: Option<&Damage>,
    ) -> Result<Self> {
        match (Self::build(reader, roots, threads, watch), damage) {
            (Err(error), Some(damage)) if error.is_damage() => {
                Self::build_around(reader, roots, watch, damage)
            }
            (graph, _) => graph,
        }
    }

    /// Reads the internal nodes below the roots, around those that are broken. What is broken is
    /// noted, and the edges that are cut for it are kept with their reasons.
    ///
    /// Memory: as for the strict way, and about 200 bytes a cut.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], and what is no damage.
    fn build_around(
        reader: &Reader,
        roots: &[(DeviceId, MetadataBlock)],
        watch: &Watch,
        damage: &Damage,
    ) -> Result<Self> {
        let mut around = Around {
            builder: Builder::new(reader, 1, watch),
            damage,
            cuts: BTreeMap::new(),
            seen: BlockSet::new(reader.blocks()),
        };
        around.explore(roots)?;
        around.measure();
        around.note_leafless();
        around.cut_other_heights();
        around.cut_beyond_edges();
        around.cut_empty();
        around.keep_reached(roots)
    }
}

struct Around<'a> {
    builder: Builder<'a>,
    damage: &'a Damage,
    /// Why edges were cut, by where they stand among the children of all nodes.
    cuts: BTreeMap<u32, Arc<Error>>,
    seen: BlockSet,
}

/// What a child is.
#[derive(Clone, Copy)]
enum Child {
    Leaf,
    Internal(u32),
    Broken,
}

impl Around<'_> {
    fn explore(&mut self, roots: &[(DeviceId, MetadataBlock)]) -> Result<()> {
        let mut frontier: Vec<_> = roots.iter().map(|(_, root)| *root).collect();
        for _ in 0..MAX_DEPTH {
            frontier.sort_unstable();
            frontier.dedup();
            if frontier.is_empty() {
                break;
            }
            for block in &frontier {
                self.seen.insert(*block);
            }
            let first_new = self.builder.children.len();
            let (reader, watch) = (self.builder.reader, self.builder.watch);
            reader.read_each(&frontier, watch, |_, block, page| {
                match page.and_then(|page| self.add(page, block)) {
                    Ok(()) => Ok(()),
                    Err(error) => self.damage.forgive(block, error).map(drop),
                }
            })?;
            let new = self.builder.children.get(first_new..).unwrap_or_default();
            let new = new.iter().filter(|child| **child != CUT).copied().map(MetadataBlock::new);
            frontier = new.filter(|block| !self.seen.contains(*block)).collect();
        }
        for block in frontier {
            self.damage.note(block, too_deep(block));
        }
        Ok(())
    }

    fn add(&mut self, page: &Page, block: MetadataBlock) -> Result<()> {
        let node = Node::parse(page, block, Tree::Mapping)?;
        let builder = &mut self.builder;
        if node.is_leaf() {
            builder.leaves.insert(block);
            return Ok(());
        }
        let first_child = low_u32(widen(builder.children.len()));
        // The first bad pointer of a node stands for all: a hostile one can have 252.
        let mut reason = None;
        for (key, child) in node.keys().iter().zip(node.children(builder.reader, KeyRange::ALL)) {
            builder.keys.push(key.get());
            let child = match child {
                Ok((_, child)) => child.get(),
                Err(error) => {
                    let entry = low_u32(widen(builder.children.len()));
                    let reason = reason.get_or_insert_with(|| Arc::new(error));
                    self.cuts.insert(entry, Arc::clone(reason));
                    CUT
                }
            };
            builder.children.push(child);
        }
        builder.known.insert(block, low_u32(widen(builder.nodes.len())));
        let children = low_u32(widen(node.keys().len()));
        builder.nodes.push(InternalNode { block, height: 0, first_child, children });
        Ok(())
    }

    fn child(&self, block: u32) -> Child {
        let block = MetadataBlock::new(block);
        match self.builder.known.get(block) {
            Some(at) => Child::Internal(at),
            None if self.builder.leaves.contains(block) => Child::Leaf,
            None => Child::Broken,
        }
    }

    /// The heights of a node's children, leaves having 0; those that are not known are left out.
    fn heights(&self, node: &InternalNode) -> impl Iterator<Item = u8> {
        let children = self.builder.children.get(node.entries()).unwrap_or_default();
        children.iter().filter_map(|child| match self.child(*child) {
            Child::Leaf => Some(0),
            Child::Internal(at) => {
                let node = self.builder.nodes.get(index_u32(at));
                node.map(|node| node.height).filter(|height| *height > 0)
            }
            Child::Broken => None,
        })
    }

    /// First from the leaves up, so that loops find an end; then by what most children say.
    fn measure(&mut self) {
        for height in 1..=low_height(MAX_DEPTH) {
            let below = height.saturating_sub(1);
            let is_above = |node: &InternalNode| {
                node.height == 0 && self.heights(node).any(|found| found == below)
            };
            let nodes = (0_usize..).zip(&self.builder.nodes);
            let found: Vec<_> =
                nodes.filter(|(_, node)| is_above(node)).map(|(at, _)| at).collect();
            if found.is_empty() {
                break;
            }
            for at in found {
                self.set_height(at, height);
            }
        }
        for _ in 0..MAX_PASSES {
            let mut changed = false;
            for at in self.lowest_first() {
                let Some(node) = self.builder.nodes.get(at) else { continue };
                if let Some(height) =
                    most(self.heights(node)).map(|height| height.saturating_add(1))
                    && height != node.height
                    && usize::from(height) <= MAX_DEPTH
                {
                    self.set_height(at, height);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
    }

    /// Notes the nodes that have no height, since no leaf is found below them: with what is
    /// broken there or, where they lead back to themselves or too far down, for that.
    fn note_leafless(&self) {
        for _ in 0..MAX_PASSES {
            let mut changed = false;
            // Those found later lie deeper, but for crafted trees.
            for node in self.builder.nodes.iter().rev().filter(|node| node.height == 0) {
                if self.damage.of(node.block).is_some() {
                    continue;
                }
                let entries = node.entries();
                let children = self.builder.children.get(entries.clone()).unwrap_or_default();
                let errors = entries.zip(children).map(|(entry, child)| match *child {
                    CUT => self.cuts.get(&low_u32(widen(entry))).cloned(),
                    block => self.damage.of(MetadataBlock::new(block)),
                });
                let errors: Option<Vec<_>> = errors.collect();
                if let Some(error) = errors.and_then(|errors| errors.into_iter().next()) {
                    self.damage.note(node.block, error);
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for node in self.builder.nodes.iter().filter(|node| node.height == 0) {
            self.damage.note(node.block, too_deep(node.block));
        }
    }

    fn set_height(&mut self, at: usize, height: u8) {
        if let Some(node) = self.builder.nodes.get_mut(at) {
            node.height = height;
        }
    }

    /// Positions of the nodes, the lowest first.
    fn lowest_first(&self) -> Vec<usize> {
        let height = |at: &usize| self.builder.nodes.get(*at).map(|node| node.height);
        let mut order: Vec<usize> = (0..self.builder.nodes.len()).collect();
        order.sort_by_key(height);
        order
    }

    fn cut(&mut self, entry: usize, error: Arc<Error>) {
        if let Some(child) = self.builder.children.get_mut(entry) {
            *child = CUT;
            self.cuts.insert(low_u32(widen(entry)), error);
        }
    }

    fn cut_other_heights(&mut self) {
        for at in 0..self.builder.nodes.len() {
            let Some(node) = self.builder.nodes.get(at).copied() else { continue };
            let below = node.height.saturating_sub(1);
            let mut reason = None;
            for entry in node.entries() {
                let Some(block) = self.builder.children.get(entry).copied() else { continue };
                if block == CUT {
                    continue;
                }
                let place = MetadataBlock::new(block);
                let height = |at| self.builder.nodes.get(index_u32(at)).map(|node| node.height);
                let found = match self.child(block) {
                    Child::Leaf => Some(0),
                    // Without a height it is as good as broken.
                    Child::Internal(at) => height(at).filter(|height| *height > 0),
                    Child::Broken => None,
                };
                match found {
                    Some(found) if found == below => {}
                    Some(found) => {
                        let error = || Arc::new(two_heights(place, below, found));
                        let reason = Arc::clone(reason.get_or_insert_with(error));
                        self.cut(entry, reason);
                    }
                    None => {
                        let error = self.damage.of(place);
                        self.cut(entry, error.unwrap_or_else(|| Arc::new(too_deep(place))));
                    }
                }
            }
        }
    }

    /// Hands the key ranges down and cuts the edges that those above do not admit.
    fn cut_beyond_edges(&mut self) {
        let mut admitted = vec![KeyRange::ALL; self.builder.nodes.len()];
        for at in self.lowest_first().into_iter().rev() {
            let Some(node) = self.builder.nodes.get(at).copied() else { continue };
            let own = admitted.get(at).copied().unwrap_or(KeyRange::ALL);
            let mut reason = None;
            for entry in node.entries() {
                let Some(range) = self.range(&node, entry) else { continue };
                let child = self.builder.children.get(entry).copied().unwrap_or(CUT);
                if child == CUT {
                    continue;
                }
                if range.first < own.first || range.first > own.last {
                    let key = entry.saturating_sub(node.entries().start);
                    let place = mapping_node(node.block);
                    let error = || Arc::new(out_of_range(place, key, range.first, own));
                    let reason = Arc::clone(reason.get_or_insert_with(error));
                    self.cut(entry, reason);
                } else if let Child::Internal(below) = self.child(child)
                    && let Some(slot) = admitted.get_mut(index_u32(below))
                {
                    *slot = slot.intersection(range.intersection(own));
                }
            }
        }
    }

    /// What an edge admits by the keys of its node.
    fn range(&self, node: &InternalNode, entry: usize) -> Option<KeyRange> {
        let first = *self.builder.keys.get(entry)?;
        let next = entry.saturating_add(1);
        let last = if next < node.entries().end { self.builder.keys.get(next) } else { None };
        Some(KeyRange { first, last: last.map_or(u64::MAX, |key| key.saturating_sub(1)) })
    }

    /// Cuts the edges to nodes of which nothing is left, and notes these.
    fn cut_empty(&mut self) {
        for at in self.lowest_first() {
            let Some(node) = self.builder.nodes.get(at).copied() else { continue };
            for entry in node.entries() {
                let child = self.builder.children.get(entry).copied().unwrap_or(CUT);
                if child == CUT || !matches!(self.child(child), Child::Internal(_)) {
                    continue;
                }
                if let Some(error) = self.damage.of(MetadataBlock::new(child)) {
                    self.cut(entry, error);
                }
            }
            let children = self.builder.children.get(node.entries()).unwrap_or_default();
            if children.iter().all(|child| *child == CUT) {
                let first = self.cuts.get(&node.first_child).cloned();
                let error = first.unwrap_or_else(|| Arc::new(too_deep(node.block)));
                self.damage.note(node.block, error);
            }
        }
    }

    /// Drops what no root reaches any more, and puts the rest in order.
    fn keep_reached(mut self, roots: &[(DeviceId, MetadataBlock)]) -> Result<Graph> {
        let mut leaves = BlockSet::new(self.builder.reader.blocks());
        let mut is_kept = vec![false; self.builder.nodes.len()];
        for (_, root) in roots {
            match self.child(root.get()) {
                Child::Internal(at) if self.damage.of(*root).is_none() => {
                    if let Some(slot) = is_kept.get_mut(index_u32(at)) {
                        *slot = true;
                    }
                }
                _ => leaves.insert(*root),
            }
        }
        for at in self.lowest_first().into_iter().rev() {
            if is_kept.get(at) != Some(&true) {
                continue;
            }
            let node = self.builder.nodes.get(at).copied();
            let children = node.and_then(|node| self.builder.children.get(node.entries()));
            for child in children.unwrap_or_default().iter().filter(|child| **child != CUT) {
                match self.child(*child) {
                    Child::Internal(below) => {
                        if let Some(slot) = is_kept.get_mut(index_u32(below)) {
                            *slot = true;
                        }
                    }
                    _ => leaves.insert(MetadataBlock::new(*child)),
                }
            }
        }
        let nodes = std::mem::take(&mut self.builder.nodes);
        self.builder.nodes = nodes
            .into_iter()
            .zip(is_kept)
            .filter(|(_, kept)| *kept)
            .map(|(node, _)| node)
            .collect();
        self.builder.leaves = leaves;
        self.builder.known = Known::new(self.builder.reader.blocks());
        let mut graph = self.builder.arrange(roots).bound()?;
        graph.cuts = self.cuts;
        Ok(graph)
    }
}

/// The value that comes most often; the lowest of several.
fn most(heights: impl Iterator<Item = u8>) -> Option<u8> {
    let mut counts = BTreeMap::new();
    for height in heights {
        let count: &mut u32 = counts.entry(height).or_default();
        *count = count.saturating_add(1);
    }
    counts
        .into_iter()
        .max_by_key(|(height, count)| (*count, std::cmp::Reverse(*height)))
        .map(|(h, _)| h)
}

fn low_height(height: usize) -> u8 {
    u8::try_from(height).unwrap_or(u8::MAX)
}
