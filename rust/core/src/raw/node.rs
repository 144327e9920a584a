//! `struct node_header` of the persistent-data B-trees, and the values that are not plain `u64`.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::units::BLOCK_SIZE;

/// `INTERNAL_NODE` in [`NodeHeader::flags`].
pub const INTERNAL_NODE: u32 = 1;

/// `LEAF_NODE` in [`NodeHeader::flags`].
pub const LEAF_NODE: u32 = 2;

/// Bytes of a node behind its header, for keys and values.
pub const NODE_ROOM: usize = BLOCK_SIZE - size_of::<NodeHeader>();

/// `struct node_header`: 32 bytes, then `max_entries` keys, then `max_entries` values.
#[derive(Clone, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct NodeHeader {
    /// Checksum with the nodes' salt.
    pub csum: U32,
    /// [`INTERNAL_NODE`] or [`LEAF_NODE`].
    pub flags: U32,
    /// Its own block number.
    pub blocknr: U64,
    /// Entries in use.
    pub nr_entries: U32,
    /// Entries that there is room for: places where the values begin.
    pub max_entries: U32,
    /// Bytes in a value.
    pub value_size: U32,
    /// Padding.
    pub padding: U32,
}

const _: () = assert!(size_of::<NodeHeader>() == 32);

/// `struct disk_device_details`: a value of the details tree.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct DeviceDetails {
    /// Mappings in the device's tree.
    pub mapped_blocks: U64,
    /// The pool's transaction id when the device was made.
    pub transaction_id: U64,
    /// The pool's time when the device was made.
    pub creation_time: U32,
    /// The pool's time when the device was last snapshotted.
    pub snapshotted_time: U32,
}

const _: () = assert!(size_of::<DeviceDetails>() == 24);
