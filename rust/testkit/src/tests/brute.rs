//! Reference counts by brute force: every pointer out of every distinct block.

use std::collections::{BTreeMap, HashSet};
use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::raw::{SpaceMapRoot, SuperblockDisk};

use crate::hostile::Draft;

/// Both maps, as they should be.
#[derive(Debug, Default)]
pub(super) struct Brute {
    pub(super) data: BTreeMap<u64, u32>,
    pub(super) metadata: BTreeMap<u64, u32>,
    seen: HashSet<u32>,
    /// Nodes of mapping trees with the depths at which they were reached.
    pub(super) depths: BTreeMap<u32, HashSet<usize>>,
}

impl Brute {
    pub(super) fn count(bytes: &[u8]) -> Self {
        let draft = Draft::new(bytes.to_vec());
        let mut brute = Self::default();
        brute.metadata.insert(0, 1);
        brute.superblock(&draft, 0);
        match draft.held() {
            0 => {}
            held => {
                brute.point(held);
                brute.superblock(&draft, held);
            }
        }
        for map in [
            offset_of!(SuperblockDisk, data_space_map_root),
            offset_of!(SuperblockDisk, metadata_space_map_root),
        ] {
            brute.space_map(&draft, map);
        }
        brute
    }

    fn superblock(&mut self, draft: &Draft, block: u32) {
        for (offset, tree) in [
            (offset_of!(SuperblockDisk, data_mapping_root), Tree::TopLevel),
            (offset_of!(SuperblockDisk, device_details_root), Tree::Details),
        ] {
            let root = draft.long(block, offset) as u32;
            self.point(root);
            self.node(draft, root, tree, 0);
        }
    }

    fn space_map(&mut self, draft: &Draft, map: usize) {
        let field = |offset| draft.long(0, map + offset);
        let blocks = field(offset_of!(SpaceMapRoot, nr_blocks));
        let index = field(offset_of!(SpaceMapRoot, bitmap_root)) as u32;
        let overflow = field(offset_of!(SpaceMapRoot, ref_count_root)) as u32;
        self.point(index);
        self.point(overflow);
        if map == offset_of!(SuperblockDisk, data_space_map_root) {
            self.node(draft, index, Tree::DataIndex, 0);
            self.node(draft, overflow, Tree::DataOverflow, 0);
        } else {
            for at in 0..blocks.div_ceil(16_320) {
                self.point(draft.long(index, 16 + 16 * at as usize) as u32);
            }
            self.node(draft, overflow, Tree::MetadataOverflow, 0);
        }
    }

    fn point(&mut self, block: u32) {
        *self.metadata.entry(u64::from(block)).or_default() += 1;
    }

    fn node(&mut self, draft: &Draft, block: u32, tree: Tree, depth: usize) {
        if tree == Tree::Mapping {
            self.depths.entry(block).or_default().insert(depth);
        }
        let is_new = self.seen.insert(block);
        for at in 0..draft.entries(block) {
            let value = draft.value(block, at);
            let child = value as u32;
            if draft.is_internal(block) {
                // Goes below known nodes again, for the depths.
                self.node(draft, child, tree, depth + 1);
                if is_new {
                    self.point(child);
                }
                continue;
            }
            match tree {
                Tree::TopLevel => self.node(draft, child, Tree::Mapping, 0),
                Tree::Mapping if is_new => *self.data.entry(value >> 24).or_default() += 1,
                _ => {}
            }
            if is_new && matches!(tree, Tree::TopLevel | Tree::DataIndex) {
                self.point(child);
            }
        }
    }
}
