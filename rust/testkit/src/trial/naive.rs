//! What lies in an image, read in the plainest way: whatever pointers lead to, with no regard to key
//! ranges, heights, or what was met before on another way.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::mem::offset_of;

use thinscope_core::checksum::{BlockKind, checksum};
use thinscope_core::raw::{
    BITMAP_ENTRIES, INDEX_ENTRIES, INTERNAL_NODE, LEAF_NODE, NodeHeader, Page, SpaceMapRoot,
    SuperblockDisk,
};

use super::overlay::Overlay;
use crate::hostile::Map;
use crate::node::{HEADER, KEY, capacity};

/// A mapping: virtual block, value.
pub(super) type Mapping = (u64, u64);

/// A node that breaks no rule of its own.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) is_leaf: bool,
    /// Keys with the first eight bytes of their values, fewer where these are shorter.
    pub(super) entries: Vec<(u64, u64)>,
}

/// Reads a block as a node with leaves of so many bytes a value.
pub(super) fn node(page: &Page, block: u32, value_size: usize) -> Option<Node> {
    let word = |offset: usize| u32::from_le_bytes(part(page, offset)) as usize;
    let long = |offset: usize| u64::from_le_bytes(part(page, offset));
    let is_leaf = match word(offset_of!(NodeHeader, flags)) as u32 {
        INTERNAL_NODE => false,
        LEAF_NODE => true,
        _ => return None,
    };
    let size = if is_leaf { value_size } else { 8 };
    let count = word(offset_of!(NodeHeader, nr_entries));
    let room = capacity(size);
    if word(0) as u32 != checksum(page, BlockKind::Node)
        || long(offset_of!(NodeHeader, blocknr)) != u64::from(block)
        || word(offset_of!(NodeHeader, value_size)) != size
        || word(offset_of!(NodeHeader, max_entries)) != room
        || count > room
        || !is_leaf && count == 0
    {
        return None;
    }
    let value = |at: usize| match size {
        4 => word(HEADER + KEY * room + 4 * at) as u64,
        _ => long(HEADER + KEY * room + size * at),
    };
    let entries: Vec<_> = (0..count).map(|at| (long(HEADER + KEY * at), value(at))).collect();
    entries.is_sorted_by(|(key, _), (next, _)| key < next).then_some(Node { is_leaf, entries })
}

fn part<const N: usize>(page: &Page, offset: usize) -> [u8; N] {
    page.bytes()[offset..].first_chunk().copied().expect("a field within the block")
}

/// A field of eight bytes of a superblock.
pub(super) fn superblock_field(overlay: &Overlay, block: u32, offset: usize) -> u64 {
    overlay.page(block).map_or(0, |page| u64::from_le_bytes(part(page, offset)))
}

/// All entries of the leaves that a root leads to, and the blocks on the way.
fn walk(
    overlay: &Overlay,
    root: u64,
    value_size: usize,
    seen: &mut HashSet<u64>,
    mut each: impl FnMut(u64, u64),
) {
    let mut stack = vec![root];
    while let Some(block) = stack.pop() {
        if block == 0 || block >= u64::from(overlay.blocks()) || !seen.insert(block) {
            continue;
        }
        let page = overlay.page(block as u32);
        let Some(node) = page.and_then(|page| node(page, block as u32, value_size)) else {
            continue;
        };
        for (key, value) in node.entries {
            if node.is_leaf {
                each(key, value);
            } else {
                stack.push(value);
            }
        }
    }
}

/// Every mapping that a superblock's trees have, by device.
pub(super) fn mappings(overlay: &Overlay, superblock: u32) -> BTreeMap<u64, HashSet<Mapping>> {
    let root = superblock_field(overlay, superblock, offset_of!(SuperblockDisk, data_mapping_root));
    let mut roots = BTreeSet::new();
    walk(overlay, root, 8, &mut HashSet::new(), |id, root| {
        roots.insert((id, root));
    });
    let mut devices = BTreeMap::<u64, HashSet<Mapping>>::new();
    for (id, root) in roots {
        let device = devices.entry(id).or_default();
        walk(overlay, root, 8, &mut HashSet::new(), |key, value| {
            device.insert((key, value));
        });
    }
    devices
}

/// The counts of a space map that are not zero.
pub(super) fn counts(overlay: &Overlay, map: Map) -> BTreeMap<u64, u32> {
    let field = |offset: usize| superblock_field(overlay, 0, map.root() + offset);
    let blocks = field(offset_of!(SpaceMapRoot, nr_blocks));
    let index = field(offset_of!(SpaceMapRoot, bitmap_root));
    let mut bitmaps = BTreeMap::new();
    match map {
        Map::Data => walk(overlay, index, 16, &mut HashSet::new(), |at, bitmap| {
            bitmaps.insert(at, bitmap);
        }),
        Map::Metadata => {
            let all = blocks.div_ceil(BITMAP_ENTRIES).min(INDEX_ENTRIES as u64);
            let entry = |at| superblock_field(overlay, index as u32, 16 + 16 * at as usize);
            bitmaps.extend((0..all).map(|at| (at, entry(at))));
        }
    }
    let mut large = BTreeMap::new();
    let root = field(offset_of!(SpaceMapRoot, ref_count_root));
    walk(overlay, root, 4, &mut HashSet::new(), |block, count| {
        large.insert(block, count as u32);
    });
    let mut counts = BTreeMap::new();
    for (at, bitmap) in bitmaps {
        let Some(page) = overlay.page(bitmap as u32) else { continue };
        for (place, byte) in (0..).zip(&page.bytes()[16..]).filter(|(_, byte)| **byte != 0) {
            for pair in 0..4 {
                let block = at * BITMAP_ENTRIES + place * 4 + pair;
                // The lower bit of a pair is the more significant one.
                let count = match byte >> (2 * pair) & 3 {
                    0 => 0,
                    2 => 1,
                    1 => 2,
                    _ => large.get(&block).copied().unwrap_or_default(),
                };
                if count > 0 && block < blocks {
                    counts.insert(block, count);
                }
            }
        }
    }
    counts
}

/// Every mapping of every leaf of the image.
pub(super) fn all_mappings(overlay: &Overlay) -> HashSet<Mapping> {
    let end = overlay.end();
    let pages = (0..end).filter_map(|block| Some((block, overlay.page(block)?)));
    let nodes = pages.filter_map(|(block, page)| node(page, block, 8));
    nodes.filter(|node| node.is_leaf).flat_map(|node| node.entries).collect()
}
