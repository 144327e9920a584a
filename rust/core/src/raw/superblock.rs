//! `struct thin_disk_superblock`, block 0 and the copy that a metadata snapshot holds.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::SpaceMapRoot;

/// `THIN_SUPERBLOCK_MAGIC`.
pub const THIN_SUPERBLOCK_MAGIC: u64 = 27_022_010;

/// `THIN_METADATA_NEEDS_CHECK_FLAG`, bit 0 of `flags`.
pub const NEEDS_CHECK: u32 = 1;

/// `struct thin_disk_superblock`: the first 364 bytes of block 0.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SuperblockDisk {
    /// Checksum with the superblock's salt.
    pub csum: U32,
    /// Bit 0: [`NEEDS_CHECK`].
    pub flags: U32,
    /// Its own block number: 0, or where the snapshot's copy lies.
    pub blocknr: U64,
    /// Zero in practice.
    pub uuid: [u8; 16],
    /// [`THIN_SUPERBLOCK_MAGIC`].
    pub magic: U64,
    /// 2; 1 had the same layout.
    pub version: U32,
    /// Snapshot counter.
    pub time: U32,
    /// Transaction id, user space's.
    pub trans_id: U64,
    /// Block of the metadata snapshot, 0 for none.
    pub held_root: U64,
    /// Root of the data space map.
    pub data_space_map_root: SpaceMapRoot,
    /// Root of the metadata space map.
    pub metadata_space_map_root: SpaceMapRoot,
    /// Root of the top-level tree: device id to root of its mapping tree.
    pub data_mapping_root: U64,
    /// Root of the details tree: device id to [`super::DeviceDetails`].
    pub device_details_root: U64,
    /// Sectors in a data block.
    pub data_block_size: U32,
    /// Sectors in a metadata block, 8.
    pub metadata_block_size: U32,
    /// Metadata blocks when the pool was made; not raised when the device grows.
    pub metadata_nr_blocks: U64,
    /// Features an old kernel may ignore.
    pub compat_flags: U32,
    /// Features an old kernel may ignore when it only reads.
    pub compat_ro_flags: U32,
    /// Features that must be known.
    pub incompat_flags: U32,
}

const _: () = assert!(size_of::<SuperblockDisk>() == 364);
