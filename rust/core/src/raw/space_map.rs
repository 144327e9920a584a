//! Space maps: `struct disk_sm_root`, the index, `struct disk_bitmap_header`.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::units::BLOCK_SIZE;

/// `struct disk_sm_root` in the 128 bytes that the superblock keeps for it.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SpaceMapRoot {
    /// Blocks that the map counts.
    pub nr_blocks: U64,
    /// Blocks whose count is not zero.
    pub nr_allocated: U64,
    /// Data map: root of the index tree. Metadata map: the index block.
    pub bitmap_root: U64,
    /// Root of the tree of counts above two.
    pub ref_count_root: U64,
    /// Not used; garbage on real pools.
    pub unused: [u8; 96],
}

const _: () = assert!(size_of::<SpaceMapRoot>() == 128);

/// `struct disk_index_entry`: where a bitmap lies.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct IndexEntry {
    /// The bitmap's block; 0 in an index block: no such bitmap.
    pub blocknr: U64,
    /// Free blocks in the bitmap; the last one counts those behind the end too.
    pub nr_free: U32,
    /// No free block below this one: a hint.
    pub none_free_before: U32,
}

const _: () = assert!(size_of::<IndexEntry>() == 16);

/// Entries in an index block (`MAX_METADATA_BITMAPS`).
pub const INDEX_ENTRIES: usize = 255;

/// `struct disk_metadata_index`: the metadata space map's index.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct IndexBlock {
    /// Checksum with the index's salt.
    pub csum: U32,
    /// Padding.
    pub padding: U32,
    /// Its own block number.
    pub blocknr: U64,
    /// One entry a bitmap.
    pub index: [IndexEntry; INDEX_ENTRIES],
}

const _: () = assert!(size_of::<IndexBlock>() == BLOCK_SIZE);

/// `struct disk_bitmap_header`; two-bit counts fill the rest of the block.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BitmapHeader {
    /// Checksum with the bitmaps' salt.
    pub csum: U32,
    /// Not used.
    pub not_used: U32,
    /// Its own block number.
    pub blocknr: U64,
}

const _: () = assert!(size_of::<BitmapHeader>() == 16);

/// Counts in a bitmap: four a byte behind the header.
pub const BITMAP_ENTRIES: u64 = 16_320;
