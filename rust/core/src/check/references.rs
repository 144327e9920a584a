//! How often each metadata block is pointed at, by the superblock and by every distinct block that
//! is reached from it.

use std::iter;

use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use super::tally::Tally;
use crate::block_set::BlockSet;
use crate::btree::{KeyRange, MAX_DEPTH, Node, Tree};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeRef};
use crate::raw::{IndexBlock, IndexEntry, Page};
use crate::reader::Reader;
use crate::units::{MetadataBlock, index_u32, index_u64};
use crate::watch::Watch;

/// Counts pointers to metadata blocks.
pub(super) struct References<'a> {
    reader: &'a Reader,
    watch: &'a Watch,
    tally: Tally,
    /// Nodes of small trees whose own pointers are counted.
    visited: BlockSet,
    /// What is counted in lists, where there are some.
    list: Vec<u64>,
    /// Blocks that could not be read, though they may have been before: each with the root above it.
    unread: Vec<(MetadataBlock, Error)>,
}

impl<'a> References<'a> {
    /// Counts the superblock itself.
    pub(super) fn new(reader: &'a Reader, watch: &'a Watch) -> Self {
        let blocks = reader.blocks();
        let tally = Tally::new(blocks, blocks);
        let visited = BlockSet::new(blocks);
        let mut references =
            Self { reader, watch, tally, visited, list: Vec::new(), unread: Vec::new() };
        references.point_at(MetadataBlock::new(0));
        references
    }

    /// Counts one pointer.
    pub(super) fn point_at(&mut self, block: MetadataBlock) {
        self.tally.add(iter::once(u64::from(block.get())), &mut self.list);
    }

    /// Counts a pointer to the root of a small tree, and all pointers in the tree: in its leaves
    /// those to bitmaps, or to roots of mapping trees. What is broken points at nothing.
    ///
    /// # Errors
    ///
    /// What is no damage.
    pub(super) fn tree(&mut self, tree: Tree, root: MetadataBlock) -> Result<()> {
        let mut stack = vec![(root, 0_usize)];
        let mut page = Page::zeroed();
        while let Some((block, depth)) = stack.pop() {
            self.watch.advance(0)?;
            self.point_at(block);
            if depth > MAX_DEPTH || self.visited.contains(block) {
                continue;
            }
            self.visited.insert(block);
            let read = self.reader.read(block, &mut page);
            let node = match read.and_then(|()| Node::parse(&page, block, tree)) {
                Ok(node) => node,
                Err(error) => {
                    self.lose(root, error)?;
                    continue;
                }
            };
            if !node.is_leaf() {
                let children = node.children(self.reader, KeyRange::ALL).filter_map(Result::ok);
                let below = depth.saturating_add(1);
                stack.extend(children.map(|(_, child)| (child, below)));
                continue;
            }
            let pointers: Vec<u64> = match tree {
                Tree::TopLevel => node.values::<U64>().iter().map(|root| root.get()).collect(),
                Tree::DataIndex => {
                    let entries = node.values::<IndexEntry>();
                    entries.iter().map(|entry| entry.blocknr.get()).collect()
                }
                _ => Vec::new(),
            };
            for block in pointers {
                self.point_at_any(block);
            }
        }
        Ok(())
    }

    /// Counts the pointers to the bitmaps of the metadata space map, and the one to their index.
    ///
    /// # Errors
    ///
    /// What is no damage.
    pub(super) fn index_block(&mut self, block: MetadataBlock, bitmaps: u64) -> Result<()> {
        self.point_at(block);
        let mut page = Page::zeroed();
        if let Err(error) = self.reader.read(block, &mut page) {
            return self.lose(block, error);
        }
        if let Ok(index) = IndexBlock::ref_from_bytes(page.bytes()) {
            let entries = index.index.iter().take(index_u64(bitmaps));
            entries.for_each(|entry| self.point_at_any(entry.blocknr.get()));
        }
        Ok(())
    }

    /// Goes on after damage, of which whoever read the block first has told; but the same block may
    /// have been read then, and not now.
    fn lose(&mut self, root: MetadataBlock, error: Error) -> Result<()> {
        match error {
            Error::Read { .. } => self.unread.push((root, error)),
            error if error.is_damage() => {}
            error => return Err(error),
        }
        Ok(())
    }

    /// Counts a pointer that may lead nowhere.
    fn point_at_any(&mut self, block: u64) {
        if let Some(block) = self.reader.pointer(block) {
            self.point_at(block);
        }
    }

    /// Counts the pointers in the distinct nodes of mapping trees; those to their roots are counted
    /// with the top-level trees.
    pub(super) fn mappings(&mut self, graph: &Graph) {
        for node in graph.nodes() {
            for (_, child) in graph.children(node) {
                let block = match child {
                    NodeRef::Leaf(at) => graph.leaves().get(index_u32(at)).copied(),
                    NodeRef::Internal(at) => {
                        graph.nodes().get(index_u32(at)).map(|node| node.block)
                    }
                };
                if let Some(block) = block {
                    self.point_at(block);
                }
            }
        }
    }

    /// The tally, when all is counted, and what could not be read: the root of the tree, and why.
    pub(super) fn finish(self) -> (Tally, Vec<(MetadataBlock, Error)>) {
        self.tally.put(self.list);
        (self.tally, self.unread)
    }
}
