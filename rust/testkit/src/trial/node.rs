//! One node: its header, keys and values are any bytes; the checksum is made right.
//!
//! An input is a byte for the tree (its bit 7: the checksum is left as it is; its bit 6: so is the
//! block's own number), two bytes for the range of keys that is admitted, then the block.

use thinscope_core::btree::{KeyRange, Node, Tree};
use thinscope_core::checksum::BlockKind;
use thinscope_core::graph::MappingLeaf;
use thinscope_core::raw::{DeviceDetails, IndexEntry, Page};
use thinscope_core::reader::Reader;
use thinscope_core::source::MemorySource;
use thinscope_core::units::{BLOCK_SIZE, MetadataBlock};
use zerocopy::little_endian::{U32, U64};

use super::input::Input;
use super::naive;
use crate::node::{Role, encode};
use crate::writer::seal;

/// Where the node lies.
const BLOCK: u32 = 7;

/// Blocks that pointers may lead to.
const BLOCKS: u64 = 1000;

/// Blocks of the data device.
const DATA_BLOCKS: u64 = 1 << 20;

const TREES: [Tree; 6] = [
    Tree::TopLevel,
    Tree::Details,
    Tree::Mapping,
    Tree::DataIndex,
    Tree::DataOverflow,
    Tree::MetadataOverflow,
];

/// Reads a node in every way.
///
/// # Panics
///
/// Where the reader takes what breaks a rule, refuses what breaks none, or reads other entries.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let how = input.byte();
    let tree = TREES[usize::from(how & 7) % TREES.len()];
    let (first, last) = (u64::from(input.byte()), u64::from(input.byte()));
    let admitted = match (first, last) {
        (0, 0) => KeyRange::ALL,
        _ => KeyRange { first, last: last << 8 | 0xff },
    };
    let mut page = Page::zeroed();
    let block = input.take(BLOCK_SIZE);
    page.bytes_mut()[..block.len()].copy_from_slice(block);
    if how & 0x40 == 0 {
        page.bytes_mut()[8..16].copy_from_slice(&u64::from(BLOCK).to_le_bytes());
    }
    if how & 0x80 == 0 {
        seal(&mut page, BlockKind::Node);
    }
    read(&page, tree, admitted);
    for other in TREES.into_iter().filter(|other| *other != tree) {
        read(&page, other, KeyRange::ALL);
    }
}

fn read(page: &Page, tree: Tree, admitted: KeyRange) {
    let expected = naive::node(page, BLOCK, tree.value_size());
    let found = Node::parse(page, MetadataBlock::new(BLOCK), tree);
    let (Some(expected), Ok(node)) = (&expected, &found) else {
        assert!(expected.is_none() && found.is_err(), "{tree}: {expected:?}, {found:?}");
        return;
    };
    assert_eq!(node.is_leaf(), expected.is_leaf);
    let keys: Vec<u64> = node.keys().iter().map(|key| key.get()).collect();
    assert!(keys.iter().eq(expected.entries.iter().map(|(key, _)| key)));
    let fits = keys.iter().all(|key| admitted.contains(*key));
    let may_be_empty = !keys.is_empty() || admitted == KeyRange::ALL;
    assert_eq!(node.check_range(admitted).is_ok(), fits && may_be_empty, "{keys:?} {admitted:?}");

    let reader = Reader::new(std::sync::Arc::new(MemorySource::new([])), BLOCKS);
    if !node.is_leaf() {
        let children: Vec<_> = node.children(&reader, admitted).collect();
        assert_eq!(children.len(), keys.len());
        for (at, child) in children.into_iter().enumerate() {
            let (key, value) = expected.entries[at];
            assert_eq!(child.is_ok(), (1..BLOCKS).contains(&value));
            let Ok((range, block)) = child else { continue };
            assert_eq!(u64::from(block.get()), value);
            assert_eq!(range.first, key.max(admitted.first));
            let next = keys.get(at + 1).map_or(admitted.last, |next| next - 1);
            assert_eq!(range.last, next.min(admitted.last));
        }
        return;
    }
    let values: Vec<u64> = match tree {
        Tree::TopLevel | Tree::Mapping => {
            node.values::<U64>().iter().map(|value| value.get()).collect()
        }
        Tree::Details => {
            node.values::<DeviceDetails>().iter().map(|value| value.mapped_blocks.get()).collect()
        }
        Tree::DataIndex => {
            node.values::<IndexEntry>().iter().map(|value| value.blocknr.get()).collect()
        }
        Tree::DataOverflow | Tree::MetadataOverflow => {
            node.values::<U32>().iter().map(|value| value.get().into()).collect()
        }
    };
    assert!(values.iter().eq(expected.entries.iter().map(|(_, value)| value)));
    if matches!(tree, Tree::TopLevel | Tree::Mapping) {
        again(tree, &keys, &values);
    }
    if tree == Tree::Mapping {
        mappings(page, admitted, fits && may_be_empty, &expected.entries);
    }
}

/// What is written with the same entries reads the same.
fn again(tree: Tree, keys: &[u64], values: &[u64]) {
    let mut page = Page::zeroed();
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    encode(&mut page, BLOCK, Role::Leaf(tree), keys, &bytes, None);
    seal(&mut page, BlockKind::Node);
    let node = Node::parse(&page, MetadataBlock::new(BLOCK), tree).expect("a sound node");
    assert!(node.keys().iter().map(|key| key.get()).eq(keys.iter().copied()));
    assert!(node.values::<U64>().iter().map(|value| value.get()).eq(values.iter().copied()));
}

fn mappings(page: &Page, admitted: KeyRange, is_admitted: bool, entries: &[(u64, u64)]) {
    let leaf = MappingLeaf::parse(page, MetadataBlock::new(BLOCK), admitted, DATA_BLOCKS);
    let are_within = entries.iter().all(|(_, value)| value >> 24 < DATA_BLOCKS);
    assert_eq!(leaf.is_ok(), is_admitted && are_within);
    let Ok(leaf) = leaf else { return };
    let found = leaf
        .mappings()
        .map(|(block, data, time)| (block.get(), data.get() << 24 | u64::from(time.get())));
    assert!(found.eq(entries.iter().copied()));
    assert_eq!(leaf.len(), entries.len());
}
