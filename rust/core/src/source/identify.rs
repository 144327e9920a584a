//! What a source is, by its first block: packed, or something else than thin metadata.

use std::fmt;

use super::BlockSource;
use crate::checksum::BlockKind;
use crate::error::{Error, Result};
use crate::raw::Page;
use crate::units::{BLOCK_BYTES, BLOCK_SIZE, index_u64};

/// How a source is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

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
    /// What `thin_metadata_pack` writes.
    PackFile,
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
    /// Nothing that is known.
    Unknown,
}

/// A mark at a fixed place of the first block.
struct Mark(usize, &'static [u8], Identity);

/// In the order in which they are tried: a file system may lie on a disk with a boot record.
const MARKS: [Mark; 13] = [
    Mark(0, b"<superblock", Identity::ThinDumpXml),
    Mark(0, b"<?xml", Identity::Xml),
    Mark(0, &0xa537_a0aa_6309_ef77_u64.to_le_bytes(), Identity::PackFile),
    Mark(0, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(512, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(1024, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(1536, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(0, b"XFSB", Identity::Xfs),
    Mark(1080, &0xef53_u16.to_le_bytes(), Identity::Ext4),
    Mark(0, b"LUKS\xba\xbe", Identity::Luks),
    Mark(0, b"QFI\xfb", Identity::Qcow2),
    Mark(512, b"EFI PART", Identity::PartitionedDisk),
    Mark(510, &[0x55, 0xaa], Identity::PartitionedDisk),
];

/// Says what a source is, given that it is not thin metadata.
///
/// # Errors
///
/// [`Error::Read`] when the first block cannot be read.
pub fn identify(source: &dyn BlockSource) -> Result<Identity> {
    if source.is_empty() {
        return Ok(Identity::Empty);
    }
    let page = first_block(source)?;
    let has =
        |mark: &&Mark| page.bytes().get(mark.0..).is_some_and(|bytes| bytes.starts_with(mark.1));
    if let Some(mark) = MARKS.iter().find(has) {
        return Ok(mark.2);
    }
    Ok(match BlockKind::of(&page) {
        _ if source.len() < BLOCK_BYTES => Identity::TooSmall,
        Some(BlockKind::CacheSuperblock) => Identity::CacheMetadata,
        Some(BlockKind::EraSuperblock) => Identity::EraMetadata,
        _ if page.is_zero() => Identity::Zeros,
        _ => Identity::Unknown,
    })
}

/// How a source is compressed, if it is.
///
/// # Errors
///
/// [`Error::Read`] when the first block cannot be read.
pub fn compression(source: &dyn BlockSource) -> Result<Option<Compression>> {
    Ok(match first_block(source)?.bytes() {
        [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    })
}

/// The first block, filled up with zeros where the source is shorter.
pub(crate) fn first_block(source: &dyn BlockSource) -> Result<Box<Page>> {
    let mut page = Page::zeroed();
    let length = index_u64(source.len()).min(BLOCK_SIZE);
    if let Some(room) = page.bytes_mut().get_mut(..length) {
        source.read_at(0, room).map_err(|cause| Error::Read { block: 0, offset: 0, cause })?;
    }
    Ok(page)
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
            Self::PackFile => "this is a file that thin_metadata_pack wrote",
            Self::LvmPhysicalVolume => "this is an LVM physical volume",
            Self::CacheMetadata => "this is dm-cache metadata",
            Self::EraMetadata => "this is dm-era metadata",
            Self::Ext4 => "this is an ext4 file system",
            Self::Xfs => "this is an XFS file system",
            Self::Luks => "this is a LUKS container",
            Self::Qcow2 => "this is a qcow2 image",
            Self::PartitionedDisk => "this is a disk with a partition table",
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
            Self::PackFile => "pack-file",
            Self::LvmPhysicalVolume => "lvm-physical-volume",
            Self::CacheMetadata => "cache-metadata",
            Self::EraMetadata => "era-metadata",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Luks => "luks",
            Self::Qcow2 => "qcow2",
            Self::PartitionedDisk => "partitioned-disk",
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
            Self::PackFile => Some("unpack it with thin_metadata_unpack"),
            Self::LvmPhysicalVolume => {
                Some("give the pool's metadata volume, such as /dev/mapper/VG-POOL_tmeta")
            }
            Self::CacheMetadata | Self::EraMetadata => Some("give the metadata of a thin pool"),
            Self::Ext4 | Self::Xfs | Self::Luks => Some(
                "this may be a volume, or the pool's data device: give the pool's metadata device",
            ),
            Self::Qcow2 => Some("convert it with `qemu-img convert -O raw`"),
            Self::Unknown | Self::Zeros | Self::PartitionedDisk => {
                Some("give the pool's metadata device (LVM: VG-POOL_tmeta), not its data device")
            }
            Self::NotAFile => Some("give the pool's metadata device, or a copy of it"),
            Self::Empty | Self::TooSmall | Self::Xml => None,
        }
    }
}
