//! Descends two trees together, level by level, and leaves out the nodes that both have.
//!
//! A node that both trees have holds the same mappings in both: keys are absolute, and every edge
//! has to admit them. It is found where the trees are at the same height, which is not the same
//! depth where a root was split after a snapshot. How the heights compare is told by the *first
//! spines*: from each root down the first children, until they meet or end in leaves. Heights
//! alike, that reads no node that both trees have; else it may read a few.

use std::collections::HashMap;

use super::{Failed, Side, Which};
use crate::block_set::BlockSet;
use crate::btree::{FLAGS_OFFSET, KeyRange, MAX_DEPTH, Node, Tree};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::Page;
use crate::reader::Reader;
use crate::units::MetadataBlock;
use crate::watch::Watch;

/// A node with what the edges to it admit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) block: MetadataBlock,
    pub(super) admitted: KeyRange,
}

/// Pages that were read before it was their turn.
pub(super) type Known = HashMap<MetadataBlock, Box<Page>>;

/// What two trees come down to.
#[derive(Debug)]
pub(super) struct Descent {
    /// Leaves that only the left tree has, only the right one, and, where asked for, both.
    pub(super) left: Vec<Edge>,
    pub(super) right: Vec<Edge>,
    pub(super) both: Vec<Edge>,
    /// Leaves that were read on the way.
    pub(super) known: [Known; 2],
    /// Nodes read.
    pub(super) nodes_read: u64,
}

/// Descends. Nodes are compared only where both trees are in the same metadata.
pub(super) fn descend(
    left: &Side,
    right: &Side,
    is_same_metadata: bool,
    with_same: bool,
    watch: &Watch,
) -> Result<Descent, Failed> {
    watch.begin("reading internal nodes", 0);
    let mut one = Walk::new(&left.reader, Some(left.root), watch);
    let mut other = Walk::new(&right.reader, Some(right.root), watch);
    let mut both = Walk::new(&left.reader, None, watch);
    if is_same_metadata {
        let (one_first, other_first) = compare_heights(&mut one, &mut other)?;
        for _ in 0..one_first {
            one.descend().map_err(Which::Left.failed())?;
        }
        for _ in 0..other_first {
            other.descend().map_err(Which::Right.failed())?;
        }
    }
    loop {
        if is_same_metadata {
            let shared = take_shared(&mut one.level, &mut other.level);
            if with_same {
                for edge in &shared {
                    let page = one.known.remove(&edge.block);
                    let page = page.or_else(|| other.known.remove(&edge.block));
                    both.known.extend(page.map(|page| (edge.block, page)));
                }
                both.level.extend(shared);
            }
        }
        let goes_on = [
            one.go_on().map_err(Which::Left.failed())?,
            other.go_on().map_err(Which::Right.failed())?,
            both.go_on().map_err(Which::Left.failed())?,
        ];
        if goes_on == [false; 3] {
            break;
        }
    }
    let walks = [&one, &other, &both];
    let nodes_read = walks.map(|walk| walk.nodes_read).iter().sum();
    one.known.extend(both.known);
    Ok(Descent {
        left: one.level,
        right: other.level,
        both: both.level,
        known: [one.known, other.known],
        nodes_read,
    })
}

/// How many levels each tree has to go down before both are at the same height.
fn compare_heights<'a>(one: &mut Walk<'a>, other: &mut Walk<'a>) -> Result<(usize, usize), Failed> {
    let mut spines = [one.roots(), other.roots()];
    let mut at_end = [false; 2];
    loop {
        let [left, right] = &spines;
        for (at, block) in left.iter().enumerate() {
            if let Some(meets) = right.iter().position(|other| other == block) {
                return Ok((at.saturating_sub(meets), meets.saturating_sub(at)));
            }
        }
        if at_end == [true; 2] {
            let (left, right) = (left.len(), right.len());
            return Ok((left.saturating_sub(right), right.saturating_sub(left)));
        }
        let walks = [(Which::Left, &mut *one), (Which::Right, &mut *other)];
        for ((which, walk), (spine, at_end)) in
            walks.into_iter().zip(spines.iter_mut().zip(&mut at_end))
        {
            let Some(last) = spine.last().copied().filter(|_| !*at_end) else { continue };
            match walk.first_child(last).map_err(which.failed())? {
                Some(_) if spine.len() > MAX_DEPTH => return Err(which.failed()(too_deep(last))),
                Some(child) => spine.push(child),
                None => *at_end = true,
            }
        }
    }
}

/// Takes out of two levels the nodes that both have.
fn take_shared(one: &mut Vec<Edge>, other: &mut Vec<Edge>) -> Vec<Edge> {
    one.sort_unstable_by_key(|edge| edge.block);
    other.sort_unstable_by_key(|edge| edge.block);
    let mut shared = Vec::new();
    one.retain(|edge| {
        let found = other.binary_search_by_key(&edge.block, |edge| edge.block);
        let Some(other) = found.ok().and_then(|at| other.get(at)) else { return true };
        let admitted = edge.admitted.intersection(other.admitted);
        shared.push(Edge { block: edge.block, admitted });
        false
    });
    other.retain(|edge| shared.binary_search_by_key(&edge.block, |edge| edge.block).is_err());
    shared
}

/// One tree, or what both have, on the way down.
struct Walk<'a> {
    reader: &'a Reader,
    watch: &'a Watch,
    level: Vec<Edge>,
    is_at_leaves: bool,
    /// Nodes that edges lead to: there is one to each.
    seen: BlockSet,
    depth: usize,
    known: Known,
    nodes_read: u64,
}

impl<'a> Walk<'a> {
    fn new(reader: &'a Reader, root: Option<MetadataBlock>, watch: &'a Watch) -> Self {
        let mut seen = BlockSet::new(reader.blocks());
        if let Some(root) = root {
            seen.insert(root);
        }
        let level = root.map(|block| Edge { block, admitted: KeyRange::ALL });
        Self {
            reader,
            watch,
            level: level.into_iter().collect(),
            is_at_leaves: false,
            seen,
            depth: 0,
            known: HashMap::new(),
            nodes_read: 0,
        }
    }

    fn roots(&self) -> Vec<MetadataBlock> {
        self.level.iter().map(|edge| edge.block).collect()
    }

    /// Reads a node and keeps it for its turn; its first child, unless it is a leaf.
    fn first_child(&mut self, block: MetadataBlock) -> Result<Option<MetadataBlock>> {
        if !self.known.contains_key(&block) {
            self.watch.advance(1)?;
            let mut page = Page::zeroed();
            self.reader.read(block, &mut page)?;
            self.nodes_read = self.nodes_read.saturating_add(1);
            self.known.insert(block, page);
        }
        let Some(page) = self.known.get(&block) else { return Ok(None) };
        let node = Node::parse(page, block, Tree::Mapping)?;
        if node.is_leaf() {
            return Ok(None);
        }
        let first = node.children(self.reader, KeyRange::ALL).next().transpose()?;
        Ok(first.map(|(_, child)| child))
    }

    /// Goes down a level, unless there are leaves. Returns whether there is more to go down.
    fn go_on(&mut self) -> Result<bool> {
        let Some(first) = self.level.first().copied().filter(|_| !self.is_at_leaves) else {
            return Ok(false);
        };
        // One node tells what its level is; the others are held to it.
        if self.first_child(first.block)?.is_none() {
            self.is_at_leaves = true;
            return Ok(false);
        }
        self.descend()?;
        Ok(true)
    }

    /// Reads the internal nodes of the level; their children are the next one.
    fn descend(&mut self) -> Result<()> {
        self.level.sort_unstable_by_key(|edge| edge.block);
        let level = std::mem::take(&mut self.level);
        self.depth = self.depth.saturating_add(1);
        if let Some(edge) = level.first().filter(|_| self.depth > MAX_DEPTH) {
            return Err(too_deep(edge.block));
        }
        let mut unknown = Vec::with_capacity(level.len());
        for edge in &level {
            match self.known.remove(&edge.block) {
                Some(page) => self.add(*edge, &page)?,
                None => unknown.push(*edge),
            }
        }
        let blocks: Vec<_> = unknown.iter().map(|edge| edge.block).collect();
        let (reader, watch) = (self.reader, self.watch);
        reader.read_sorted(&blocks, watch, |at, _, page| {
            self.nodes_read = self.nodes_read.saturating_add(1);
            unknown.get(at).map_or(Ok(()), |edge| self.add(*edge, page))
        })
    }

    fn add(&mut self, edge: Edge, page: &Page) -> Result<()> {
        let node = Node::parse(page, edge.block, Tree::Mapping)?;
        if node.is_leaf() {
            let expected = "1 (internal), as its neighbours";
            return Err(node.place().corrupt("flags", FLAGS_OFFSET, expected, "2 (leaf)"));
        }
        node.check_range(edge.admitted)?;
        for child in node.children(self.reader, edge.admitted) {
            let (admitted, block) = child?;
            if self.seen.contains(block) {
                let place = mapping_node(block);
                return Err(place.corrupt("references", 0, "one in this tree", "several"));
            }
            self.seen.insert(block);
            self.level.push(Edge { block, admitted });
        }
        Ok(())
    }
}

const fn mapping_node(block: MetadataBlock) -> Place {
    Place { block, structure: Structure::Node(Tree::Mapping) }
}

fn too_deep(block: MetadataBlock) -> Error {
    let expected = format!("at most {MAX_DEPTH} levels");
    mapping_node(block).corrupt("height above the leaves", FLAGS_OFFSET, expected, "more")
}
