//! Every live block of a captured pool, with each of its bits flipped in turn.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::btree::Node;
use crate::checksum::{check_checksum, check_number};
use crate::error::{Place, Structure};
use crate::raw::BLOCKNR_OFFSET;
use crate::source::MemorySource;
use crate::space_map::ReferenceCounts;
use crate::superblock::Superblock;
use crate::units::{BLOCK_SIZE, widen};

/// Bits in a block.
const BLOCK_BITS: usize = BLOCK_SIZE * 8;

/// The captured pool `walkthrough-b`, unpacked.
fn image() -> Arc<[u8]> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let packed = std::fs::read(root.join("walkthrough-b/metadata.bin.zst")).unwrap();
    zstd::decode_all(&*packed).unwrap().into()
}

fn page(image: &[u8], block: MetadataBlock) -> Box<Page> {
    let mut page = Page::zeroed();
    let begin = block.index().saturating_mul(BLOCK_SIZE);
    page.bytes_mut().copy_from_slice(&image[begin..begin.saturating_add(BLOCK_SIZE)]);
    page
}

/// The blocks that the metadata space map counts.
fn allocated(image: &Arc<[u8]>) -> Vec<MetadataBlock> {
    let superblock = page(image, MetadataBlock::new(0));
    let (live, maps) = Superblock::parse_live(&superblock, widen(image.len())).unwrap();
    let source = Arc::new(MemorySource::new(Arc::clone(image)));
    let reader = Reader::new(source, maps.metadata.blocks);
    let (watch, map) = (Watch::new(), SpaceMap::Metadata);
    let mut counts = ReferenceCounts::open(&reader, map, &live, maps.metadata, &watch).unwrap();
    let mut blocks = Vec::new();
    while let Some(runs) = counts.next_batch(&watch).unwrap() {
        for run in runs.iter().filter(|run| run.count > 0) {
            let used = run.begin..run.begin.saturating_add(run.length);
            blocks.extend(used.map(|block| MetadataBlock::new(u32::try_from(block).unwrap())));
        }
    }
    blocks
}

/// Validates a block as its readers do: as a node of whichever tree it fits.
fn is_valid(page: &Page, block: MetadataBlock, kind: BlockKind, source_bytes: u64) -> bool {
    let place = Place { block, structure: Structure::MetadataBitmap };
    match kind {
        BlockKind::Superblock => Superblock::parse_live(page, source_bytes).is_ok(),
        BlockKind::Node => {
            let trees = [Tree::Mapping, Tree::Details, Tree::DataIndex, Tree::MetadataOverflow];
            trees.into_iter().any(|tree| Node::parse(page, block, tree).is_ok())
        }
        BlockKind::Bitmap | BlockKind::Index => {
            check_checksum(page, kind, place).and_then(|()| check_number(page, place)).is_ok()
        }
        _ => false,
    }
}

#[test]
fn every_flipped_bit_of_every_live_block_is_refused() {
    let image = image();
    let blocks = allocated(&image);
    assert_eq!(blocks.len(), 22);
    let source_bytes = widen(image.len());
    let mut kinds: Vec<_> = Vec::new();
    for block in blocks {
        let mut page = page(&image, block);
        let kind = BlockKind::of(&page).unwrap();
        kinds.push(kind.name());
        assert!(is_valid(&page, block, kind, source_bytes), "{block}");
        for bit in 0..BLOCK_BITS {
            let mask = 1_u8 << (bit % 8);
            page.bytes_mut()[bit / 8] ^= mask;
            assert!(!is_valid(&page, block, kind, source_bytes), "block {block}, bit {bit}");
            page.bytes_mut()[bit / 8] ^= mask;
        }
        // A block in another's place is refused as well, though its checksum is right.
        if kind != BlockKind::Superblock {
            let elsewhere = MetadataBlock::new(block.get().saturating_add(1));
            assert!(!is_valid(&page, elsewhere, kind, source_bytes), "{block}");
            assert_eq!(page.bytes()[BLOCKNR_OFFSET..][..4], block.get().to_le_bytes());
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["bitmap", "index", "node", "superblock"]);
}
