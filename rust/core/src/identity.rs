//! What a source is that is not thin metadata, in words, with what to do about it.

use std::fmt;

/// What a source is that is not thin metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// No bytes at all.
    Empty,
    /// Less than one block.
    TooSmall,
    /// Only zeros in the first block.
    Zeros,
    /// A folder, a pipe, a terminal.
    NotAFile,
    /// The XML that `thin_dump` writes.
    ThinDumpXml,
    /// Other XML.
    Xml,
    /// An LVM physical volume.
    LvmPhysicalVolume,
    /// Metadata of dm-cache.
    CacheMetadata,
    /// Metadata of dm-era.
    EraMetadata,
    /// An ext2, ext3 or ext4 file system.
    Ext4,
    /// An XFS file system.
    Xfs,
    /// A LUKS container.
    Luks,
    /// A qcow2 image.
    Qcow2,
    /// A disk with a partition table.
    PartitionedDisk,
    /// A tar archive. What `thinscope capture` wrote is one; it is taken apart in Python.
    Tar,
    /// Nothing that is known.
    Unknown,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the source is empty",
            Self::TooSmall => "the source is smaller than one block of 4096 bytes",
            Self::Zeros => "the first block holds only zeros",
            Self::NotAFile => "this is neither a file nor a block device",
            Self::ThinDumpXml => "this is XML that thin_dump wrote",
            Self::Xml => "this is XML",
            Self::LvmPhysicalVolume => "this is an LVM physical volume",
            Self::CacheMetadata => "this is dm-cache metadata",
            Self::EraMetadata => "this is dm-era metadata",
            Self::Ext4 => "this is an ext4 file system",
            Self::Xfs => "this is an XFS file system",
            Self::Luks => "this is a LUKS container",
            Self::Qcow2 => "this is a qcow2 image",
            Self::PartitionedDisk => "this is a disk with a partition table",
            Self::Tar => "this is a tar archive",
            Self::Unknown => "the first block is no superblock of a thin pool",
        })
    }
}

impl Identity {
    /// A short name for programs, such as `lvm-physical-volume`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooSmall => "too-small",
            Self::Zeros => "zeros",
            Self::NotAFile => "not-a-file",
            Self::ThinDumpXml => "thin-dump-xml",
            Self::Xml => "xml",
            Self::LvmPhysicalVolume => "lvm-physical-volume",
            Self::CacheMetadata => "cache-metadata",
            Self::EraMetadata => "era-metadata",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Luks => "luks",
            Self::Qcow2 => "qcow2",
            Self::PartitionedDisk => "partitioned-disk",
            Self::Tar => "tar",
            Self::Unknown => "unknown",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Self::ThinDumpXml => {
                Some("give the metadata device itself, or make one with thin_restore")
            }
            Self::LvmPhysicalVolume => Some(
                "give the physical volume itself, or the pool's metadata volume: VG-POOL_tmeta",
            ),
            Self::CacheMetadata | Self::EraMetadata => Some("give the metadata of a thin pool"),
            Self::Ext4 | Self::Xfs | Self::Luks => Some(
                "this may be a volume, or the pool's data device: give the pool's metadata device",
            ),
            Self::Qcow2 => Some("convert it with `qemu-img convert -O raw`"),
            Self::PartitionedDisk => {
                Some("give the pool's metadata device (LVM: VG-POOL_tmeta), not its data device")
            }
            Self::Unknown | Self::Zeros => Some(
                "give the pool's metadata device (LVM: VG-POOL_tmeta), not its data device; where \
                 the superblock is lost, `thinscope salvage` looks for the rest",
            ),
            Self::Tar => Some(
                "of tar archives only those can be read that `thinscope capture` wrote: \
                 take the metadata out of this one",
            ),
            Self::NotAFile => Some("give the pool's metadata device, or a copy of it"),
            Self::Empty | Self::TooSmall | Self::Xml => None,
        }
    }
}
