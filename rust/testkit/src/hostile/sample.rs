//! The small healthy pool that recipes spoil, and where its structures lie.
//!
//! Nodes hold four entries at most, so that every tree has internal nodes; virtual blocks have
//! holes between them; there are counts above two in both space maps, four data bitmaps, and a
//! metadata snapshot.

use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::raw::{SpaceMapRoot, SuperblockDisk};

use super::draft::Draft;
use crate::fill::Fill;
use crate::image::Image;
use crate::model::Model;
use crate::writer::{Geometry, Writer};

/// Blocks of the sample's data device: the last bitmap ends early.
pub(super) const DATA_BLOCKS: u64 = 60_000;

/// Blocks of the sample's metadata device; most are free.
pub const METADATA_BLOCKS: u32 = 1000;

/// The device whose tree recipes spoil.
pub(super) const DEVICE: u64 = 1;

/// The space maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// Of the data device.
    Data,
    /// Of the metadata device.
    Metadata,
}

impl Map {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Data, Self::Metadata];

    /// As in the names of recipes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Metadata => "metadata",
        }
    }

    /// Where the map's root lies in the superblock.
    #[must_use]
    pub const fn root(self) -> usize {
        match self {
            Self::Data => offset_of!(SuperblockDisk, data_space_map_root),
            Self::Metadata => offset_of!(SuperblockDisk, metadata_space_map_root),
        }
    }

    /// The map's overflow tree.
    #[must_use]
    pub const fn overflow(self) -> Tree {
        match self {
            Self::Data => Tree::DataOverflow,
            Self::Metadata => Tree::MetadataOverflow,
        }
    }
}

/// The name of a tree in the names of recipes.
#[must_use]
pub(super) const fn tree_name(tree: Tree) -> &'static str {
    match tree {
        Tree::TopLevel => "top-level",
        Tree::Details => "details",
        Tree::Mapping => "mapping",
        Tree::DataIndex => "data-index",
        Tree::DataOverflow => "data-overflow",
        Tree::MetadataOverflow => "metadata-overflow",
    }
}

/// All trees.
pub(super) const TREES: [Tree; 6] = [
    Tree::TopLevel,
    Tree::Details,
    Tree::Mapping,
    Tree::DataIndex,
    Tree::DataOverflow,
    Tree::MetadataOverflow,
];

/// Builds the sample on a metadata device of so many blocks.
///
/// # Panics
///
/// Where that is too few.
#[must_use]
pub fn sample(metadata_blocks: u32) -> Vec<u8> {
    let mut model = Model::new(Fill { low: 1, high: 4 });
    model.create(DEVICE);
    for at in 0..40 {
        model.write(DEVICE, at * 5..at * 5 + 2);
    }
    for id in [2, 3, 9, 4000, 70_000] {
        model.snapshot(DEVICE, id);
        // One mapping of a leaf is replaced; its neighbours are in one leaf more from now on.
        for at in 0..8 {
            model.write(id, at * 10..at * 10 + 1);
        }
        model.next_transaction();
    }
    model.hold();
    model.create(5);
    model.create((1 << 24) - 1);
    model.write((1 << 24) - 1, 0..7);
    model.discard(3, 10..30);
    let geometry = Geometry {
        data_blocks: Some(DATA_BLOCKS),
        metadata_blocks: Some(metadata_blocks),
        tree_fill: Fill { low: 2, high: 3 },
        ..Geometry::default()
    };
    let built = model.write_pool("sample", Writer::new(Image::memory(), geometry));
    built.expect("the sample fits").0.into_bytes()
}

/// Finding one's way in a pool.
impl Draft {
    /// The root of a tree; of the device's, for mappings.
    #[must_use]
    pub fn root(&self, tree: Tree) -> u32 {
        let superblock = |offset| self.long(0, offset) as u32;
        match tree {
            Tree::TopLevel => superblock(offset_of!(SuperblockDisk, data_mapping_root)),
            Tree::Details => superblock(offset_of!(SuperblockDisk, device_details_root)),
            Tree::DataIndex => superblock(Map::Data.root() + offset_of!(SpaceMapRoot, bitmap_root)),
            Tree::DataOverflow => {
                superblock(Map::Data.root() + offset_of!(SpaceMapRoot, ref_count_root))
            }
            Tree::MetadataOverflow => {
                superblock(Map::Metadata.root() + offset_of!(SpaceMapRoot, ref_count_root))
            }
            Tree::Mapping => {
                let (leaf, at) = self.device_entry(DEVICE);
                self.value(leaf, at) as u32
            }
        }
    }

    /// The top-level leaf that has a device, and which of its entries that is.
    ///
    /// # Panics
    ///
    /// Where there is no such device.
    #[must_use]
    pub fn device_entry(&self, id: u64) -> (u32, usize) {
        let leaves = self.leaves(Tree::TopLevel);
        let found = leaves.into_iter().find_map(|leaf| {
            let at = (0..self.entries(leaf)).find(|at| self.key(leaf, *at) == id)?;
            Some((leaf, at))
        });
        found.expect("a device of the sample")
    }

    /// All leaves of a tree in key order.
    #[must_use]
    pub fn leaves(&self, tree: Tree) -> Vec<u32> {
        self.leaves_below(self.root(tree))
    }

    /// All leaves below a node.
    #[must_use]
    pub fn leaves_below(&self, node: u32) -> Vec<u32> {
        if !self.is_internal(node) {
            return vec![node];
        }
        let children = (0..self.entries(node)).map(|at| self.value(node, at) as u32);
        children.flat_map(|child| self.leaves_below(child)).collect()
    }

    /// The spine of first children from the root of a tree down to a leaf.
    #[must_use]
    pub fn spine(&self, tree: Tree) -> Vec<u32> {
        let mut spine = vec![self.root(tree)];
        while let Some(node) = spine.last().copied().filter(|node| self.is_internal(*node)) {
            spine.push(self.value(node, 0) as u32);
        }
        spine
    }

    /// The lowest internal node of the first spine.
    #[must_use]
    pub fn internal(&self, tree: Tree) -> u32 {
        let spine = self.spine(tree);
        spine[spine.len() - 2]
    }

    /// The second leaf of a tree: it has neighbours on both sides.
    #[must_use]
    pub fn middle_leaf(&self, tree: Tree) -> u32 {
        self.leaves(tree)[1]
    }

    /// The block of a map's first bitmap.
    #[must_use]
    pub fn bitmap(&self, map: Map) -> u32 {
        match map {
            Map::Data => self.value(self.leaves(Tree::DataIndex)[0], 0) as u32,
            Map::Metadata => self.long(self.index_block(), super::draft::INDEX) as u32,
        }
    }

    /// The index block of the metadata space map.
    #[must_use]
    pub fn index_block(&self) -> u32 {
        self.long(0, Map::Metadata.root() + offset_of!(SpaceMapRoot, bitmap_root)) as u32
    }

    /// The metadata snapshot's copy of the superblock.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.long(0, offset_of!(SuperblockDisk, held_root)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_what_recipes_need() {
        let draft = Draft::new(sample(METADATA_BLOCKS));
        for tree in TREES {
            let spine = draft.spine(tree);
            assert!(spine.len() >= 2, "{tree} has no internal node");
            for node in [spine[spine.len() - 2], draft.middle_leaf(tree)] {
                let entries = draft.entries(node);
                assert!(entries >= 2, "{tree}: block {node} has {entries} entries");
            }
            let last = draft.leaves(tree).last().copied().unwrap();
            assert!(draft.entries(last) >= 1, "{tree}: {}", draft.entries(last));
        }
        assert!(draft.spine(Tree::Mapping).len() >= 4);
        assert!(draft.leaves(Tree::TopLevel).len() >= 3);
    }
}
