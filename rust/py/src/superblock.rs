//! The superblock and the usage of both spaces, as values.

use pyo3::prelude::*;
use thinscope_core::pool::SpaceUsage as CoreUsage;
use thinscope_core::superblock::{SpaceMap, Superblock as CoreSuperblock};
use thinscope_core::units::MetadataBlock;

/// The superblock of a pool (kernel: `struct thin_disk_superblock`), checked.
///
/// Of the live pool, or the copy that the metadata snapshot holds.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Superblock {
    /// The metadata block where it lies: 0, or the metadata snapshot's.
    block: u32,
    /// All flags (`flags`); bit 0 is `needs_check`.
    flags: u32,
    /// Whether the kernel asks for a check before the pool is used again.
    needs_check: bool,
    /// 16 bytes, zero in practice (`uuid`).
    uuid: [u8; 16],
    /// Version of the format (`version`): 1 or 2.
    version: u32,
    /// The snapshot counter (`time`).
    time: u32,
    /// User space's transaction id (`trans_id`).
    transaction_id: u64,
    /// The metadata block of the held metadata snapshot (`held_root`), or None.
    metadata_snapshot: Option<u32>,
    /// Root of the top-level tree (`data_mapping_root`).
    mapping_root: u32,
    /// Root of the details tree (`device_details_root`).
    details_root: u32,
    /// Sectors of 512 bytes in a data block (`data_block_size`).
    data_block_sectors: u32,
    /// Bytes in a data block.
    data_block_bytes: u64,
    /// Metadata blocks when the pool was made (`metadata_nr_blocks`); growth does not raise it.
    formatted_metadata_blocks: u64,
    /// Features that may be ignored (`compat_flags`).
    compat_flags: u32,
    /// Features that a reader may ignore (`compat_ro_flags`).
    compat_ro_flags: u32,
    /// Features that must be known (`incompat_flags`); always 0 in a pool that opens.
    incompat_flags: u32,
}

#[pymethods]
impl Superblock {
    fn __repr__(&self) -> String {
        format!(
            "<Superblock block {}: transaction {}, time {}, {} KiB blocks>",
            self.block,
            self.transaction_id,
            self.time,
            self.data_block_bytes / 1024
        )
    }
}

impl From<&CoreSuperblock> for Superblock {
    fn from(core: &CoreSuperblock) -> Self {
        let [compat_flags, compat_ro_flags, incompat_flags] = core.features;
        Self {
            block: core.block.get(),
            flags: core.flags,
            needs_check: core.needs_check(),
            uuid: core.uuid,
            version: core.version,
            time: core.time.get(),
            transaction_id: core.transaction_id,
            metadata_snapshot: core.metadata_snapshot.map(MetadataBlock::get),
            mapping_root: core.mapping_root.get(),
            details_root: core.details_root.get(),
            data_block_sectors: core.data_block_sectors,
            data_block_bytes: core.data_block_bytes(),
            formatted_metadata_blocks: core.formatted_metadata_blocks,
            compat_flags,
            compat_ro_flags,
            incompat_flags,
        }
    }
}

/// Usage of the data device or of the metadata device, in blocks and bytes.
///
/// What is used is not known through a metadata snapshot (None): the live pool goes on
/// allocating.
#[pyclass(frozen, eq, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpaceUsage {
    usage: CoreUsage,
    kernel_used: Option<u64>,
}

impl SpaceUsage {
    pub(crate) fn new(usage: CoreUsage, map: SpaceMap) -> Self {
        let kernel_used = match map {
            SpaceMap::Data => usage.used,
            SpaceMap::Metadata => usage.with_kernel_reserve(),
        };
        Self { usage, kernel_used }
    }

    fn bytes(&self, blocks: u64) -> u64 {
        blocks.saturating_mul(self.usage.block_bytes)
    }
}

#[pymethods]
impl SpaceUsage {
    /// Blocks in all, as the space map counts them.
    #[getter]
    fn total(&self) -> u64 {
        self.usage.total
    }

    /// Blocks allocated, or None through a metadata snapshot.
    #[getter]
    fn used(&self) -> Option<u64> {
        self.usage.used
    }

    /// Blocks not allocated, or None through a metadata snapshot.
    #[getter]
    fn free(&self) -> Option<u64> {
        self.usage.used.map(|used| self.usage.total.saturating_sub(used))
    }

    /// Used blocks as `dmsetup status` tells them: for metadata it adds a reserve of a tenth of
    /// the space, at most 4096 blocks. None through a metadata snapshot.
    #[getter]
    fn kernel_used(&self) -> Option<u64> {
        self.kernel_used
    }

    /// Bytes in a block.
    #[getter]
    fn block_bytes(&self) -> u64 {
        self.usage.block_bytes
    }

    /// `total` in bytes.
    #[getter]
    fn total_bytes(&self) -> u64 {
        self.bytes(self.usage.total)
    }

    /// `used` in bytes.
    #[getter]
    fn used_bytes(&self) -> Option<u64> {
        self.used().map(|blocks| self.bytes(blocks))
    }

    /// `free` in bytes.
    #[getter]
    fn free_bytes(&self) -> Option<u64> {
        self.free().map(|blocks| self.bytes(blocks))
    }

    fn __repr__(&self) -> String {
        let used = self.usage.used.map_or_else(|| "?".to_owned(), |used| used.to_string());
        let (total, bytes) = (self.usage.total, self.usage.block_bytes);
        format!("<SpaceUsage {used} of {total} blocks of {bytes} bytes>")
    }
}
