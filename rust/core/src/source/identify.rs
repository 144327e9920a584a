//! What a source is, by its first block, that is not thin metadata.

use std::io;
use std::sync::Arc;

use super::BlockSource;
use super::unpack::beginning;
use crate::checksum::BlockKind;
use crate::error::{Error, Result, number};
use crate::identity::Identity;
use crate::raw::Page;
use crate::superblock::claims_to_be_thin;
use crate::units::{BLOCK_BYTES, BLOCK_SIZE, index_u64};
use crate::watch::Watch;

/// A mark at a fixed place of the first block.
struct Mark(usize, &'static [u8], Identity);

/// In the order in which they are tried: a file system may lie on a disk with a boot record.
const MARKS: [Mark; 13] = [
    Mark(0, b"<superblock", Identity::ThinDumpXml),
    Mark(0, b"<?xml", Identity::Xml),
    Mark(0, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(512, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(1024, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(1536, b"LABELONE", Identity::LvmPhysicalVolume),
    Mark(0, b"XFSB", Identity::Xfs),
    Mark(1080, &0xef53_u16.to_le_bytes(), Identity::Ext4),
    Mark(0, b"LUKS\xba\xbe", Identity::Luks),
    Mark(0, b"QFI\xfb", Identity::Qcow2),
    Mark(257, b"ustar", Identity::Tar),
    Mark(512, b"EFI PART", Identity::PartitionedDisk),
    Mark(510, &[0x55, 0xaa], Identity::PartitionedDisk),
];

/// Says what a source of `length` bytes is, by its first block, given that it is not thin
/// metadata.
#[must_use]
pub fn identify(page: &Page, length: u64) -> Identity {
    if length == 0 {
        return Identity::Empty;
    }
    let has =
        |mark: &&Mark| page.bytes().get(mark.0..).is_some_and(|bytes| bytes.starts_with(mark.1));
    if let Some(mark) = MARKS.iter().find(has) {
        return mark.2;
    }
    match BlockKind::of(page) {
        _ if length < BLOCK_BYTES => Identity::TooSmall,
        Some(BlockKind::CacheSuperblock) => Identity::CacheMetadata,
        Some(BlockKind::EraSuperblock) => Identity::EraMetadata,
        _ if page.is_zero() => Identity::Zeros,
        _ => Identity::Unknown,
    }
}

/// What a source is by its first block, or by that of what it unpacks to, of which no more is
/// unpacked; None where it claims to be thin metadata.
///
/// # Errors
///
/// [`Error::Read`]; [`Error::Unpack`] where an archive is broken within its first block;
/// [`Error::Cancelled`].
pub fn identity(source: Arc<dyn BlockSource>, watch: &Watch) -> Result<Option<Identity>> {
    let length = source.len();
    let first = beginning(source, watch)?;
    Ok((!claims_to_be_thin(&first)).then(|| identify(&first, length)))
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

/// The first block; zeros where the disk cannot read it any more.
pub(crate) fn first_page(source: &dyn BlockSource) -> Result<Box<Page>> {
    match first_block(source) {
        Err(Error::Read { cause, .. }) if is_bad_medium(&cause) => Ok(Page::zeroed()),
        first => first,
    }
}

/// Whether the disk itself cannot read a sector: then others may still be read.
pub(crate) fn is_bad_medium(cause: &io::Error) -> bool {
    matches!(number(cause), Some(libc::EIO | libc::ENODATA | libc::EILSEQ | libc::EREMOTEIO))
}
