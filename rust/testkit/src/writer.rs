//! Writes the blocks of a pool and keeps both reference counts along the way.

use std::io::{Error, Result};

use thinscope_core::btree::Tree;
use thinscope_core::checksum::{BlockKind, checksum};
use thinscope_core::raw::Page;
use thinscope_core::units::MAX_METADATA_BLOCKS;

use crate::counts::Counts;
use crate::fill::Fill;
use crate::image::Image;
use crate::miscount::Miscount;
use crate::node::{Role, encode};
use crate::random::Random;

/// What holds for a pool whatever its devices are.
#[derive(Clone, Debug)]
pub struct Geometry {
    /// Sectors in a data block.
    pub data_block_sectors: u32,
    /// Blocks of the data device; none: a quarter more than are used.
    pub data_blocks: Option<u64>,
    /// Blocks of the metadata device; none: an eighth more than are used.
    pub metadata_blocks: Option<u32>,
    /// Entries in the nodes of all trees but the mapping trees.
    pub tree_fill: Fill,
    /// Fill what is not in use in nodes and space map roots with bytes that mean nothing.
    pub slack: bool,
    /// Set the flag that the pool needs a check.
    pub needs_check: bool,
    /// Each metadata block is drawn out of the next so many; 1: in order.
    pub scatter: usize,
    /// Data blocks that the space map counts though nothing reaches them.
    pub leaked: u64,
    /// Data blocks that something reaches and the space map does not count.
    pub missing: u64,
    /// Determines everything that is drawn.
    pub seed: u64,
}

impl Default for Geometry {
    fn default() -> Self {
        Self {
            data_block_sectors: 128,
            data_blocks: None,
            metadata_blocks: None,
            tree_fill: Fill::USUAL,
            slack: false,
            needs_check: false,
            scatter: 1,
            leaked: 0,
            missing: 0,
            seed: 0,
        }
    }
}

/// A pointer to a node, with the lowest key that it admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Lowest key.
    pub key: u64,
    /// The node.
    pub block: u32,
}

/// A pool that is being written.
#[derive(Debug)]
pub struct Writer {
    pub(crate) image: Image,
    pub(crate) geometry: Geometry,
    pub(crate) metadata: Counts,
    pub(crate) data: Counts,
    /// What the data space map is to count wrongly; more of it is drawn in the end.
    pub(crate) miscount: Miscount,
    /// Blocks to draw the next one from.
    drawn: Vec<u32>,
    /// First block that is neither in use nor among those to draw from.
    next: u32,
    random: Random,
    page: Box<Page>,
}

impl Writer {
    /// Begins a pool; block 0 is written last.
    #[must_use]
    pub fn new(image: Image, geometry: Geometry) -> Self {
        let random = Random::new(geometry.seed).fork(1);
        Self {
            image,
            geometry,
            metadata: Counts::default(),
            data: Counts::default(),
            miscount: Miscount::default(),
            drawn: Vec::new(),
            next: 1,
            random,
            page: Page::zeroed(),
        }
    }

    /// Takes a free metadata block. It has no references yet.
    ///
    /// # Errors
    ///
    /// No block is left that the format can number.
    pub fn allocate(&mut self) -> Result<u32> {
        while self.drawn.len() < self.geometry.scatter.max(1) {
            self.drawn.push(self.next);
            self.next += 1;
        }
        let at = self.random.below(self.drawn.len() as u64) as usize;
        let block = self.drawn.swap_remove(at);
        if u64::from(block) >= MAX_METADATA_BLOCKS {
            return Err(Error::other(format!("more than {MAX_METADATA_BLOCKS} metadata blocks")));
        }
        Ok(block)
    }

    /// One more than the highest block that may be in use.
    pub(crate) const fn end(&self) -> u32 {
        self.next
    }

    /// Counts one more pointer to a metadata block.
    pub fn reference(&mut self, block: u32) {
        self.metadata.increment(u64::from(block));
    }

    /// Counts one pointer less.
    pub fn release(&mut self, block: u32) {
        self.metadata.decrement(u64::from(block));
    }

    /// Reads a block back.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn read(&mut self, block: u32, page: &mut Page) -> Result<()> {
        self.image.read(block, page)
    }

    /// Writes a block with the checksum of its kind.
    pub(crate) fn write(&mut self, block: u32, page: &mut Page, kind: BlockKind) -> Result<()> {
        seal(page, kind);
        self.image.write(block, page)
    }

    /// Writes a node over what is in its block; counts nothing.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn put_node(&mut self, block: u32, role: Role, keys: &[u64], values: &[u8]) -> Result<()> {
        let mut slack = self.geometry.slack.then(|| self.random.fork(u64::from(block)));
        encode(&mut self.page, block, role, keys, values, slack.as_mut());
        seal(&mut self.page, BlockKind::Node);
        self.image.write(block, &self.page)
    }

    /// Writes a new internal node, and counts its pointers.
    ///
    /// # Errors
    ///
    /// No block is left, or what the system says.
    pub fn add_internal(&mut self, edges: &[Edge]) -> Result<Edge> {
        let block = self.allocate()?;
        for edge in edges {
            self.reference(edge.block);
        }
        self.put_internal(block, edges)?;
        Ok(Edge { key: edges.first().map_or(0, |edge| edge.key), block })
    }

    /// Writes an internal node over what is in its block; counts nothing.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn put_internal(&mut self, block: u32, edges: &[Edge]) -> Result<()> {
        let keys: Vec<u64> = edges.iter().map(|edge| edge.key).collect();
        let children = edges.iter().flat_map(|edge| u64::from(edge.block).to_le_bytes());
        self.put_node(block, Role::Internal, &keys, &children.collect::<Vec<_>>())
    }

    /// Writes a new leaf of a mapping tree, and counts its data blocks.
    ///
    /// # Errors
    ///
    /// No block is left, or what the system says.
    pub fn add_mapping_leaf(&mut self, keys: &[u64], values: &[u64]) -> Result<u32> {
        let block = self.allocate()?;
        for value in values {
            self.data.increment(value >> 24);
        }
        self.put_mapping_leaf(block, keys, values)?;
        Ok(block)
    }

    /// Writes a leaf of a mapping tree over what is in its block; counts nothing.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn put_mapping_leaf(&mut self, block: u32, keys: &[u64], values: &[u64]) -> Result<()> {
        let mut bytes = [0; 4096];
        for (room, value) in bytes.chunks_exact_mut(8).zip(values) {
            room.copy_from_slice(&value.to_le_bytes());
        }
        self.put_node(block, Role::Leaf(Tree::Mapping), keys, &bytes[..values.len() * 8])
    }
}

/// Gives a block the checksum of a kind.
pub fn seal(page: &mut Page, kind: BlockKind) {
    let checksum = checksum(page, kind).to_le_bytes();
    page.bytes_mut()[..4].copy_from_slice(&checksum);
}

/// A mapping's value: data block in the upper 40 bits, time in the lower 24.
#[must_use]
pub const fn pack(data: u64, time: u32) -> u64 {
    data << 24 | time as u64
}
