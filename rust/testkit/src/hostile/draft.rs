//! A pool in memory that is being spoiled: fields of blocks by number, checksums kept right.

use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::{INTERNAL_NODE, IndexBlock, NodeHeader, Page};
use thinscope_core::units::BLOCK_SIZE;

use crate::node::{HEADER, KEY, Role, encode};
use crate::patch::{Field, Repair, edit};
use crate::writer::seal;

/// Where an index block's entries begin.
pub(super) const INDEX: usize = offset_of!(IndexBlock, index);

/// An image being spoiled.
#[derive(Debug)]
pub struct Draft {
    /// The image.
    pub bytes: Vec<u8>,
    /// Blocks from here on are free.
    next: u32,
}

impl Draft {
    /// Begins with a healthy image.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let (blocks, _) = bytes.as_chunks::<BLOCK_SIZE>();
        let used = blocks.iter().rposition(|block| block != &[0; BLOCK_SIZE]);
        Self { next: used.map_or(0, |last| last as u32 + 1), bytes }
    }

    /// Blocks of the image.
    #[must_use]
    pub const fn blocks(&self) -> u32 {
        (self.bytes.len() / BLOCK_SIZE) as u32
    }

    /// A free block. Nobody counts it.
    pub const fn allocate(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// Four bytes of a block.
    #[must_use]
    pub fn word(&self, block: u32, offset: usize) -> u32 {
        self.long(block, offset) as u32
    }

    /// Eight bytes of a block.
    ///
    /// # Panics
    ///
    /// Where the image has no such block.
    #[must_use]
    pub fn long(&self, block: u32, offset: usize) -> u64 {
        let begin = block as usize * BLOCK_SIZE + offset;
        let bytes = self.bytes[begin..].first_chunk().expect("a field within the image");
        u64::from_le_bytes(*bytes)
    }

    /// Edits a field, and makes the block's checksum right again.
    pub fn set(&mut self, block: u32, field: Field) {
        self.edit(block, field, Repair::Checksum);
    }

    /// Edits a field, and leaves the checksum wrong.
    pub fn damage(&mut self, block: u32, field: Field) {
        self.edit(block, field, Repair::Nothing);
    }

    fn edit(&mut self, block: u32, field: Field, repair: Repair) {
        let mut page = Page::zeroed();
        page.bytes_mut().copy_from_slice(self.block(block));
        edit(&mut page, field, repair).expect("a block of a known kind");
        self.put(block, &page);
    }

    /// Writes a block as it is, with the checksum of a kind.
    pub fn put_sealed(&mut self, block: u32, page: &mut Page, kind: BlockKind) {
        seal(page, kind);
        self.put(block, page);
    }

    /// Writes a node; values are eight bytes each.
    pub fn put_node(&mut self, block: u32, role: Role, entries: &[(u64, u64)]) {
        let keys: Vec<u64> = entries.iter().map(|(key, _)| *key).collect();
        let values: Vec<u8> = entries.iter().flat_map(|(_, value)| value.to_le_bytes()).collect();
        let mut page = Page::zeroed();
        encode(&mut page, block, role, &keys, &values, None);
        self.put_sealed(block, &mut page, BlockKind::Node);
    }

    /// Writes a mapping leaf into a free block.
    pub fn add_leaf(&mut self, entries: &[(u64, u64)]) -> u32 {
        let block = self.allocate();
        self.put_node(block, Role::Leaf(Tree::Mapping), entries);
        block
    }

    /// Writes an internal node into a free block.
    pub fn add_internal(&mut self, entries: &[(u64, u64)]) -> u32 {
        let block = self.allocate();
        self.put_node(block, Role::Internal, entries);
        block
    }

    /// The bytes of a block.
    #[must_use]
    pub fn block(&self, block: u32) -> &[u8] {
        let begin = block as usize * BLOCK_SIZE;
        &self.bytes[begin..begin + BLOCK_SIZE]
    }

    fn put(&mut self, block: u32, page: &Page) {
        let begin = block as usize * BLOCK_SIZE;
        self.bytes[begin..begin + BLOCK_SIZE].copy_from_slice(page.bytes());
    }
}

/// Nodes.
impl Draft {
    /// Whether a node is internal.
    #[must_use]
    pub fn is_internal(&self, node: u32) -> bool {
        self.word(node, offset_of!(NodeHeader, flags)) == INTERNAL_NODE
    }

    /// Entries in use.
    #[must_use]
    pub fn entries(&self, node: u32) -> usize {
        self.word(node, offset_of!(NodeHeader, nr_entries)) as usize
    }

    /// A key.
    #[must_use]
    pub fn key(&self, node: u32, at: usize) -> u64 {
        self.long(node, HEADER + KEY * at)
    }

    /// The first eight bytes of a value.
    #[must_use]
    pub fn value(&self, node: u32, at: usize) -> u64 {
        self.long(node, self.value_offset(node, at))
    }

    /// Where a value lies in its node.
    #[must_use]
    pub fn value_offset(&self, node: u32, at: usize) -> usize {
        let capacity = self.word(node, offset_of!(NodeHeader, max_entries)) as usize;
        let size = self.word(node, offset_of!(NodeHeader, value_size)) as usize;
        HEADER + KEY * capacity + size * at
    }

    /// Sets a key.
    pub fn set_key(&mut self, node: u32, at: usize, key: u64) {
        self.set(node, Field::long(HEADER + KEY * at, key));
    }

    /// Sets the first eight bytes of a value.
    pub fn set_value(&mut self, node: u32, at: usize, value: u64) {
        self.set(node, Field::long(self.value_offset(node, at), value));
    }

    /// Sets the number of entries.
    pub fn set_entries(&mut self, node: u32, entries: usize) {
        self.set(node, Field::word(offset_of!(NodeHeader, nr_entries), entries as u32));
    }
}
