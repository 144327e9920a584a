//! One B-tree node as bytes.

use thinscope_core::btree::Tree;
use thinscope_core::raw::{INTERNAL_NODE, LEAF_NODE, NODE_ROOM, NodeHeader, Page};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U32, U64};

use crate::random::Random;

/// Bytes of a node's header.
pub const HEADER: usize = size_of::<NodeHeader>();

/// Bytes in a key.
pub const KEY: usize = 8;

/// Entries that there is room for: a multiple of three.
#[must_use]
pub const fn capacity(value_size: usize) -> usize {
    NODE_ROOM / (KEY + value_size) / 3 * 3
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Holds pointers to children; the same in every tree.
    Internal,
    /// Holds the values of its tree.
    Leaf(Tree),
}

impl Role {
    /// Bytes in a value.
    #[must_use]
    pub const fn value_size(self) -> usize {
        match self {
            Self::Internal => 8,
            Self::Leaf(tree) => tree.value_size(),
        }
    }

    const fn flags(self) -> u32 {
        match self {
            Self::Internal => INTERNAL_NODE,
            Self::Leaf(_) => LEAF_NODE,
        }
    }
}

/// Writes a node into the page, all but the checksum. `slack` fills what is not in use.
pub fn encode(
    page: &mut Page,
    block: u32,
    role: Role,
    keys: &[u64],
    values: &[u8],
    slack: Option<&mut Random>,
) {
    let bytes = page.bytes_mut();
    match slack {
        Some(random) => {
            for word in bytes.chunks_exact_mut(8) {
                word.copy_from_slice(&random.number().to_le_bytes());
            }
        }
        None => bytes.fill(0),
    }
    let capacity = capacity(role.value_size());
    let header = NodeHeader {
        csum: U32::ZERO,
        flags: U32::new(role.flags()),
        blocknr: U64::new(u64::from(block)),
        nr_entries: U32::new(keys.len() as u32),
        max_entries: U32::new(capacity as u32),
        value_size: U32::new(role.value_size() as u32),
        padding: U32::ZERO,
    };
    bytes[..HEADER].copy_from_slice(header.as_bytes());
    for (room, key) in bytes[HEADER..].chunks_exact_mut(KEY).zip(keys) {
        room.copy_from_slice(&key.to_le_bytes());
    }
    let values_begin = HEADER + capacity * KEY;
    bytes[values_begin..values_begin + values.len()].copy_from_slice(values);
}
