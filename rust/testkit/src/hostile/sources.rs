//! Sources as a whole: cut off, too long, or something else than thin metadata.

use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::Page;
use thinscope_core::units::BLOCK_SIZE;

use super::Expect::{Corrupt, NotThin, Opens};
use super::Recipe;
use super::sample::METADATA_BLOCKS;
use crate::random::Random;

/// What is put into an empty source, and where.
struct Mark(&'static str, &'static str, usize, &'static [u8]);

const MARKS: [Mark; 7] = [
    Mark("xml", "XML that thin_dump wrote", 0, b"<superblock uuid=\"\" time=\"0\""),
    Mark("lvm", "an LVM physical volume", 512, b"LABELONE"),
    Mark("ext4", "an ext4 file system", 1080, &[0x53, 0xef]),
    Mark("xfs", "an XFS file system", 0, b"XFSB"),
    Mark("luks", "a LUKS container", 0, b"LUKS\xba\xbe"),
    Mark("partitions", "a disk with a partition table", 510, &[0x55, 0xaa]),
    Mark("zeros", "zeros", 0, &[]),
];

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    for Mark(name, what, offset, mark) in MARKS {
        recipes.push(Recipe::new(
            format!("source-{name}"),
            format!("the source holds {what}"),
            NotThin,
            move |draft| {
                draft.bytes.fill(0);
                draft.bytes[offset..offset + mark.len()].copy_from_slice(mark);
            },
        ));
    }
    for (name, kind) in [("cache", BlockKind::CacheSuperblock), ("era", BlockKind::EraSuperblock)] {
        recipes.push(Recipe::new(
            format!("source-{name}"),
            format!("the source holds the metadata of dm-{name}"),
            NotThin,
            move |draft| {
                let mut page = Page::zeroed();
                draft.put_sealed(0, &mut page, kind);
            },
        ));
    }
    for (name, kind) in
        [("node", BlockKind::Node), ("bitmap", BlockKind::Bitmap), ("index", BlockKind::Index)]
    {
        recipes.push(Recipe::new(
            format!("source-block-0-{name}"),
            format!("block 0 has the checksum of another kind of block, and no magic: {name}"),
            NotThin,
            move |draft| {
                let mut page = Page::zeroed();
                draft.put_sealed(0, &mut page, kind);
            },
        ));
    }
    recipes.push(Recipe::new("source-random", "random bytes", NotThin, |draft| {
        let mut random = Random::new(9);
        draft.bytes.fill_with(|| random.number() as u8);
    }));
    recipes.push(Recipe::new("source-empty", "the source has no bytes", NotThin, |draft| {
        draft.bytes.clear();
    }));
    recipes.push(Recipe::new(
        "source-too-small",
        "the source ends within the superblock",
        NotThin,
        |draft| draft.bytes.truncate(400),
    ));
    let whole = METADATA_BLOCKS as usize * BLOCK_SIZE;
    for (name, length) in
        [("one-block", BLOCK_SIZE), ("half", whole / 2), ("last-block", whole - BLOCK_SIZE)]
    {
        recipes.push(Recipe::new(
            format!("source-truncated-{name}"),
            format!("the source is cut off: {name}"),
            Corrupt,
            move |draft| draft.bytes.truncate(length),
        ));
    }
    recipes.push(Recipe::new(
        "source-truncated-odd",
        "the source is cut off within its last block",
        Corrupt,
        |draft| draft.bytes.truncate(draft.bytes.len() - 1),
    ));
    recipes.push(Recipe::new(
        "source-longer",
        "the source goes on behind the metadata, with half a block at its end",
        Opens,
        |draft| draft.bytes.resize(draft.bytes.len() + 10 * BLOCK_SIZE + 100, 0xff),
    ));
}
