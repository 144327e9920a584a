//! Wire structs under their kernel names: little-endian, unaligned, sizes asserted.
//!
//! Nothing is validated here; `superblock`, `space_map` and `btree` do that.

mod node;
mod space_map;
mod superblock;

use std::mem::offset_of;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

pub use node::{DeviceDetails, INTERNAL_NODE, LEAF_NODE, NODE_ROOM, NodeHeader};
pub use space_map::{
    BITMAP_ENTRIES, BitmapHeader, INDEX_ENTRIES, IndexBlock, IndexEntry, SpaceMapRoot,
};
pub use superblock::{NEEDS_CHECK, SuperblockDisk, THIN_SUPERBLOCK_MAGIC};

use crate::units::BLOCK_SIZE;

/// Where every structure keeps its own block number.
pub const BLOCKNR_OFFSET: usize = 8;

const _: () = assert!(offset_of!(SuperblockDisk, blocknr) == BLOCKNR_OFFSET);
const _: () = assert!(offset_of!(NodeHeader, blocknr) == BLOCKNR_OFFSET);
const _: () = assert!(offset_of!(IndexBlock, blocknr) == BLOCKNR_OFFSET);
const _: () = assert!(offset_of!(BitmapHeader, blocknr) == BLOCKNR_OFFSET);

/// One metadata block in memory, aligned so that it can be read with `O_DIRECT`.
#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C, align(4096))]
pub struct Page([u8; BLOCK_SIZE]);

const _: () = assert!(size_of::<Page>() == BLOCK_SIZE);

impl Page {
    /// A block of zeros.
    #[must_use]
    pub fn zeroed() -> Box<Self> {
        Box::new(Self([0; BLOCK_SIZE]))
    }

    /// Room for `count` blocks, zeroed, contiguous and aligned.
    #[must_use]
    pub fn many(count: usize) -> Vec<Self> {
        Self::new_vec_zeroed(count).unwrap_or_else(|_| vec![Self([0; BLOCK_SIZE]); count])
    }

    /// All bytes of the block.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; BLOCK_SIZE] {
        &self.0
    }

    /// All bytes of the block, to be filled.
    pub const fn bytes_mut(&mut self) -> &mut [u8; BLOCK_SIZE] {
        &mut self.0
    }

    /// Whether every byte is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == [0; BLOCK_SIZE]
    }

    /// The checksum in the first four bytes (`csum` of every structure).
    #[must_use]
    pub fn stored_checksum(&self) -> u32 {
        U32::read_from_prefix(&self.0).map_or(0, |(csum, _)| csum.get())
    }

    /// The block's own number (`blocknr` of every structure).
    #[must_use]
    pub fn stored_number(&self) -> u64 {
        self.0
            .get(BLOCKNR_OFFSET..)
            .map_or(0, |bytes| U64::read_from_prefix(bytes).map_or(0, |(number, _)| number.get()))
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").finish_non_exhaustive()
    }
}
