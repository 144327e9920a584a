//! Newtypes for the numbers of the format, and the one place that converts between widths.
//!
//! Mixing up a metadata block, a data block and a virtual block must not compile.

use std::fmt;

/// Bytes in a metadata block (the kernel's `THIN_METADATA_BLOCK_SIZE`, 8 sectors).
pub const BLOCK_SIZE: usize = 4096;

/// [`BLOCK_SIZE`] as a number of bytes in a source.
pub const BLOCK_BYTES: u64 = 4096;

/// Bytes in a sector, the unit of the kernel's sizes.
pub const SECTOR_SIZE: u64 = 512;

/// Most metadata blocks that the kernel uses (`THIN_METADATA_MAX_SECTORS`): an index block holds
/// 255 entries, each for a bitmap of 16,320 counts.
pub const MAX_METADATA_BLOCKS: u64 = 255 * 16_320;

/// Device ids are 24 bits wide (`MAX_DEV_ID`).
pub const MAX_DEVICE_ID: u64 = (1 << 24) - 1;

// Lengths in memory are cast to and from `u64` below without loss.
const _: () = assert!(usize::BITS == 64, "thinscope needs a 64-bit machine");

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// Wraps a number; nothing is checked.
            #[must_use]
            pub const fn new(number: $inner) -> Self {
                Self(number)
            }

            /// The plain number.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

newtype!(
    /// Number of a 4 KiB block of the metadata device. 32 bits hold more than
    /// [`MAX_METADATA_BLOCKS`].
    MetadataBlock(u32)
);
newtype!(
    /// Number of a block of the data device, in units of the pool's data block size.
    DataBlock(u64)
);
newtype!(
    /// Number of a block of a thin device, in units of the pool's data block size.
    VirtualBlock(u64)
);
newtype!(
    /// Id of a thin device (`dm_thin_id`), 24 bits.
    DeviceId(u32)
);
newtype!(
    /// The pool's snapshot counter when something was made (`time`), 24 bits in a mapping.
    Time(u32)
);

impl MetadataBlock {
    /// Where the block lies in the source, in bytes.
    #[must_use]
    pub const fn offset(self) -> u64 {
        widen(self.index()).saturating_mul(BLOCK_BYTES)
    }

    /// The block as an index into a per-block array.
    #[must_use]
    pub const fn index(self) -> usize {
        index_u32(self.0)
    }
}

/// A pointer found on disk, if it names a block that can be pointed at: not the superblock, not
/// beyond the end of `blocks`.
#[must_use]
pub const fn pointer(block: u64, blocks: u64) -> Option<MetadataBlock> {
    if block == 0 || block >= blocks || block >= MAX_METADATA_BLOCKS {
        return None;
    }
    Some(MetadataBlock::new(low_u32(block)))
}

/// A length or index in memory as `u64`: lossless, see the assertion above.
#[must_use]
#[expect(clippy::as_conversions, reason = "usize is 64 bits wide, asserted at compile time")]
pub const fn widen(length: usize) -> u64 {
    length as u64
}

/// A `u64` as an index: lossless, see the assertion above.
#[must_use]
#[expect(clippy::as_conversions, reason = "usize is 64 bits wide, asserted at compile time")]
#[expect(clippy::cast_possible_truncation, reason = "usize is 64 bits wide")]
pub const fn index_u64(number: u64) -> usize {
    number as usize
}

/// A `u32` as an index: lossless, see the assertion above.
#[must_use]
#[expect(clippy::as_conversions, reason = "usize is 64 bits wide, asserted at compile time")]
pub const fn index_u32(number: u32) -> usize {
    number as usize
}

/// The low 32 bits of a number that a check before has bounded.
#[must_use]
#[expect(clippy::as_conversions, reason = "masked to 32 bits")]
pub const fn low_u32(number: u64) -> u32 {
    (number & 0xffff_ffff) as u32
}
