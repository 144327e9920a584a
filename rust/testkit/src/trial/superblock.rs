//! The superblock: any bytes in block 0, with a right checksum.
//!
//! An input is a byte for the length of the source (its bit 7: the checksum is left as it is; bit 6:
//! so are magic and own number), then the block.

use std::sync::Arc;

use thinscope_core::Error;
use thinscope_core::block::read_block;
use thinscope_core::check::{Depth, Scope, Severity, check};
use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::{
    NEEDS_CHECK, Page, SpaceMapRoot as SpaceMapRootDisk, SuperblockDisk, THIN_SUPERBLOCK_MAGIC,
};
use thinscope_core::source::BlockSource;
use thinscope_core::superblock::{
    SpaceMapRoot, SpaceMapRoots, Superblock, View, claims_to_be_thin, held_root,
};
use thinscope_core::units::{BLOCK_BYTES, BLOCK_SIZE, MetadataBlock};
use thinscope_core::watch::Watch;
use thinscope_core::{Pool, Result};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use super::input::Input;
use crate::writer::seal;

/// Where a copy is tried.
const COPY: u32 = 3;

/// Reads a superblock in every way.
///
/// # Panics
///
/// Where readings contradict each other, or a superblock written anew reads otherwise.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let how = input.byte();
    let blocks = [1, 2, 16, 300, 4096, 16_320, 100_000, 4_161_600][usize::from(how & 7)];
    let mut page = Page::zeroed();
    let block = input.take(BLOCK_SIZE);
    page.bytes_mut()[..block.len()].copy_from_slice(block);
    if how & 0x40 == 0 {
        let magic = std::mem::offset_of!(SuperblockDisk, magic);
        page.bytes_mut()[magic..magic + 8].copy_from_slice(&THIN_SUPERBLOCK_MAGIC.to_le_bytes());
        page.bytes_mut()[8..16].fill(0);
    }
    if how & 0x80 == 0 {
        seal(&mut page, BlockKind::Superblock);
    }
    let length = blocks * BLOCK_BYTES + u64::from(how & 8) * 100;
    let parsed = Superblock::parse_live(&page, length);
    if let Ok((superblock, space_maps)) = &parsed {
        within(superblock, space_maps, blocks);
        again(superblock, space_maps, length);
        copy(&page, superblock, space_maps.metadata.blocks);
    }
    sources(page, length, &parsed);
}

/// What a parsed superblock says keeps within its limits.
fn within(superblock: &Superblock, space_maps: &SpaceMapRoots, blocks: u64) {
    let metadata = space_maps.metadata.blocks;
    assert!(metadata <= blocks && space_maps.data.blocks <= 1 << 40);
    let SpaceMapRoots { data, metadata: own } = space_maps;
    let roots = [data.index, data.overflow, own.index, own.overflow];
    let others = [superblock.mapping_root, superblock.details_root];
    let held = superblock.metadata_snapshot;
    for block in roots.into_iter().chain(others).chain(held) {
        assert!((1..metadata).contains(&u64::from(block.get())));
    }
    assert!((64 << 10..=1 << 30).contains(&superblock.data_block_bytes()));
    assert!(data.allocated <= data.blocks && own.allocated <= own.blocks);
}

/// What is written anew with the same fields reads the same.
fn again(superblock: &Superblock, space_maps: &SpaceMapRoots, length: u64) {
    let mut disk = SuperblockDisk::new_zeroed();
    disk.flags = U32::new(superblock.flags);
    disk.blocknr = U64::new(superblock.block.get().into());
    disk.uuid = superblock.uuid;
    disk.magic = U64::new(THIN_SUPERBLOCK_MAGIC);
    disk.version = U32::new(superblock.version);
    disk.time = U32::new(superblock.time.get());
    disk.trans_id = U64::new(superblock.transaction_id);
    disk.held_root = U64::new(superblock.metadata_snapshot.map_or(0, |block| block.get().into()));
    disk.data_space_map_root = root(&space_maps.data);
    disk.metadata_space_map_root = root(&space_maps.metadata);
    disk.data_mapping_root = U64::new(superblock.mapping_root.get().into());
    disk.device_details_root = U64::new(superblock.details_root.get().into());
    disk.data_block_size = U32::new(superblock.data_block_sectors);
    disk.metadata_block_size = U32::new(8);
    disk.metadata_nr_blocks = U64::new(superblock.formatted_metadata_blocks);
    let [compatible, compatible_reading, incompatible] = superblock.features;
    disk.compat_flags = U32::new(compatible);
    disk.compat_ro_flags = U32::new(compatible_reading);
    disk.incompat_flags = U32::new(incompatible);
    let mut page = Page::zeroed();
    page.bytes_mut()[..size_of::<SuperblockDisk>()].copy_from_slice(disk.as_bytes());
    seal(&mut page, BlockKind::Superblock);
    let read = Superblock::parse_live(&page, length).expect("a superblock that was sound");
    assert_eq!(read, (superblock.clone(), *space_maps));
    assert_eq!(superblock.needs_check(), superblock.flags & NEEDS_CHECK != 0);
    assert_eq!(held_root(&page), Some(disk.held_root.get()));
}

fn root(root: &SpaceMapRoot) -> SpaceMapRootDisk {
    SpaceMapRootDisk {
        nr_blocks: U64::new(root.blocks),
        nr_allocated: U64::new(root.allocated),
        bitmap_root: U64::new(root.index.get().into()),
        ref_count_root: U64::new(root.overflow.get().into()),
        unused: [0; 96],
    }
}

/// The same bytes as the copy that a metadata snapshot holds: no other rules, but its own number.
fn copy(page: &Page, live: &Superblock, blocks: u64) {
    let mut copy = page.clone();
    copy.bytes_mut()[8..16].copy_from_slice(&u64::from(COPY).to_le_bytes());
    seal(&mut copy, BlockKind::Superblock);
    let read = Superblock::parse_snapshot(&copy, MetadataBlock::new(COPY), live, blocks);
    let read = read.expect("a copy of what is sound");
    assert_eq!(read.mapping_root, live.mapping_root);
    assert_eq!(read.details_root, live.details_root);
    let misplaced = Superblock::parse_snapshot(&copy, MetadataBlock::new(COPY + 1), live, blocks);
    assert!(misplaced.is_err());
}

/// Behind the superblock nothing but zeros.
#[derive(Debug)]
struct Alone(Box<Page>, u64);

impl BlockSource for Alone {
    fn len(&self) -> u64 {
        self.1
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0);
        let begin = (offset as usize).min(BLOCK_SIZE);
        let length = buffer.len().min(BLOCK_SIZE - begin);
        buffer[..length].copy_from_slice(&self.0.bytes()[begin..begin + length]);
        Ok(())
    }

    fn can_change(&self) -> bool {
        false
    }
}

/// Opening, tolerant or not, and a check say of the superblock what parsing says.
fn sources(page: Box<Page>, length: u64, parsed: &Result<(Superblock, SpaceMapRoots)>) {
    let watch = Watch::new();
    let is_thin = claims_to_be_thin(&page);
    let first = page.clone();
    let source: Arc<dyn BlockSource> = Arc::new(Alone(page, length));
    let open = |tolerant| Pool::from_source(Arc::clone(&source), View::Live, 1, tolerant, &watch);
    let (strict, tolerant) = (open(false), open(true));
    if is_thin {
        assert_eq!(strict.is_ok(), parsed.is_ok(), "{strict:?} {parsed:?}");
        assert!(tolerant.is_ok() || strict.is_err());
    } else {
        assert!(parsed.is_err() && strict.is_err());
    }
    let scope = Scope { depth: Depth::Superblock, ..Scope::ALL };
    match check(Arc::clone(&source), scope, 1, &watch) {
        Ok(check) => {
            // A time that mappings cannot have hinders no reader.
            let is_damaged = check.findings.iter().any(|finding| {
                finding.severity == Severity::Damage && finding.code != "time-limit"
            });
            // A check goes on to read the metadata snapshot's copy, which is zeros here.
            let holds = parsed.as_ref().is_ok_and(|(parsed, _)| parsed.metadata_snapshot.is_some());
            assert!(is_damaged || parsed.is_ok(), "{parsed:?}");
            assert!(!is_damaged || parsed.is_err() || holds, "{:?}", check.findings);
        }
        Err(Error::Unsupported { .. } | Error::NotThin(_) | Error::Unpack(_)) => {
            assert!(parsed.is_err());
        }
        Err(error) => assert!(parsed.is_err(), "{error}"),
    }
    let block = read_block(source, 0, &watch);
    if is_thin {
        assert_eq!(block.expect("block 0 is there").bytes(), first.bytes());
    }
}
