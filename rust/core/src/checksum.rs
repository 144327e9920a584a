//! Block checksums: CRC-32C of bytes 4..4096 without the final inversion, XOR a salt per kind
//! of block (`dm_bm_checksum`). The salt therefore tells what a block is.

use crate::error::{Place, Result};
use crate::raw::{BLOCKNR_OFFSET, Page};
use crate::units::BLOCK_SIZE;

/// The kinds of block that carry a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockKind {
    /// The superblock, and its copies that metadata snapshots hold.
    Superblock,
    /// A node of any B-tree.
    Node,
    /// A block of two-bit reference counts.
    Bitmap,
    /// The index of the metadata space map.
    Index,
    /// A block of a persistent-data array, which dm-cache and dm-era keep.
    Array,
    /// The superblock of a dm-cache metadata device.
    CacheSuperblock,
    /// The superblock of a dm-era metadata device.
    EraSuperblock,
}

impl BlockKind {
    const ALL: [Self; 7] = [
        Self::Superblock,
        Self::Node,
        Self::Bitmap,
        Self::Index,
        Self::Array,
        Self::CacheSuperblock,
        Self::EraSuperblock,
    ];

    /// A short name for programs, such as `cache-superblock`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Superblock => "superblock",
            Self::Node => "node",
            Self::Bitmap => "bitmap",
            Self::Index => "index",
            Self::Array => "array",
            Self::CacheSuperblock => "cache-superblock",
            Self::EraSuperblock => "era-superblock",
        }
    }

    /// What is mixed in by exclusive or (`SUPERBLOCK_CSUM_XOR`, `BTREE_CSUM_XOR`, ...).
    #[must_use]
    pub const fn salt(self) -> u32 {
        match self {
            Self::Superblock => 160_774,
            Self::Node => 121_107,
            Self::Bitmap => 240_779,
            Self::Index => 160_478,
            Self::Array => 595_846_735,
            Self::CacheSuperblock => 9_031_977,
            Self::EraSuperblock => 146_538_381,
        }
    }

    /// The kind whose checksum the block carries, if any.
    #[must_use]
    pub fn of(page: &Page) -> Option<Self> {
        let unsalted = unsalted(page.bytes());
        Self::ALL.into_iter().find(|kind| unsalted ^ kind.salt() == page.stored_checksum())
    }
}

/// The checksum that a block of this kind must carry.
#[must_use]
pub fn checksum(page: &Page, kind: BlockKind) -> u32 {
    unsalted(page.bytes()) ^ kind.salt()
}

/// The checksums that the bytes must carry, by the kind of block that they are to be.
#[must_use]
pub fn checksums(block: &[u8; BLOCK_SIZE]) -> [(BlockKind, u32); BlockKind::ALL.len()] {
    let unsalted = unsalted(block);
    BlockKind::ALL.map(|kind| (kind, unsalted ^ kind.salt()))
}

/// Checks the checksum of a block that is to be of this kind.
///
/// # Errors
///
/// [`Error::Corrupt`](crate::Error::Corrupt), naming `csum`.
pub(crate) fn check_checksum(page: &Page, kind: BlockKind, place: Place) -> Result<()> {
    let (expected, found) = (checksum(page, kind), page.stored_checksum());
    if found == expected {
        return Ok(());
    }
    Err(place.corrupt("csum", 0, format!("{expected:#010x}"), format!("{found:#010x}")))
}

/// Checks that a block carries the number of its place.
///
/// # Errors
///
/// [`Error::Corrupt`](crate::Error::Corrupt), naming `blocknr`.
pub(crate) fn check_number(page: &Page, place: Place) -> Result<()> {
    let found = page.stored_number();
    if found == u64::from(place.block.get()) {
        return Ok(());
    }
    Err(place.corrupt("blocknr", BLOCKNR_OFFSET, place.block, found))
}

fn unsalted(block: &[u8; BLOCK_SIZE]) -> u32 {
    !crc32c::crc32c(block.split_at(size_of::<u32>()).1)
}
