//! The metadata snapshot.

use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::raw::SuperblockDisk;

use super::Expect::{Corrupt, Opens, Unsupported};
use super::sample::METADATA_BLOCKS;
use super::{Draft, Expect, Recipe};
use crate::patch::Field;

/// A value for a field of the copy.
type Value = fn(&Draft) -> u64;

const HELD_ROOT: usize = offset_of!(SuperblockDisk, held_root);
const MAPPING_ROOT: usize = offset_of!(SuperblockDisk, data_mapping_root);
const DETAILS_ROOT: usize = offset_of!(SuperblockDisk, device_details_root);

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    let in_superblock: [(&str, Value); 4] = [
        ("node", |draft| u64::from(draft.root(Tree::Mapping))),
        ("bitmap", |draft| u64::from(draft.bitmap(super::sample::Map::Data))),
        ("index", |draft| u64::from(draft.index_block())),
        ("2-to-32", |draft| (1 << 32) + u64::from(draft.held())),
    ];
    for (name, value) in in_superblock {
        recipes.push(Recipe::new(
            format!("snapshot-is-{name}"),
            format!("the held root points to something else: {name}"),
            Corrupt,
            move |draft| {
                let value = value(draft);
                draft.set(0, Field::long(HELD_ROOT, value));
            },
        ));
    }
    let in_copy: [(&str, usize, Value, Expect); 14] = [
        ("blocknr-0", offset_of!(SuperblockDisk, blocknr), |_| 0, Corrupt),
        ("blocknr-all-ones", offset_of!(SuperblockDisk, blocknr), |_| u64::MAX, Corrupt),
        ("magic-0", offset_of!(SuperblockDisk, magic), |_| 0, Corrupt),
        ("held-root-self", HELD_ROOT, |draft| u64::from(draft.held()), Opens),
        ("mapping-root-self", MAPPING_ROOT, |draft| u64::from(draft.held()), Corrupt),
        ("mapping-root-0", MAPPING_ROOT, |_| 0, Corrupt),
        ("mapping-root-behind-end", MAPPING_ROOT, |_| u64::from(METADATA_BLOCKS), Corrupt),
        ("mapping-root-all-ones", MAPPING_ROOT, |_| u64::MAX, Corrupt),
        ("details-root-self", DETAILS_ROOT, |draft| u64::from(draft.held()), Corrupt),
        ("details-root-0", DETAILS_ROOT, |_| 0, Corrupt),
        ("details-root-behind-end", DETAILS_ROOT, |_| u64::from(METADATA_BLOCKS), Corrupt),
        ("details-root-live", DETAILS_ROOT, |draft| u64::from(draft.root(Tree::Details)), Corrupt),
        ("trans-id-all-ones", offset_of!(SuperblockDisk, trans_id), |_| u64::MAX, Opens),
        ("space-map", offset_of!(SuperblockDisk, data_space_map_root), |_| u64::MAX, Opens),
    ];
    for (name, offset, value, expect) in in_copy {
        recipes.push(Recipe::new(
            format!("snapshot-{name}"),
            format!("in the metadata snapshot's copy of the superblock: {name}"),
            expect,
            move |draft| {
                let value = value(draft);
                draft.set(draft.held(), Field::long(offset, value));
            },
        ));
    }
    let words: [(&str, usize, u32, Expect); 4] = [
        ("time-all-ones", offset_of!(SuperblockDisk, time), u32::MAX, Opens),
        ("version-3", offset_of!(SuperblockDisk, version), 3, Unsupported),
        ("incompat-flags", offset_of!(SuperblockDisk, incompat_flags), 1, Unsupported),
        ("data-block-size-0", offset_of!(SuperblockDisk, data_block_size), 0, Corrupt),
    ];
    for (name, offset, value, expect) in words {
        recipes.push(Recipe::new(
            format!("snapshot-{name}"),
            format!("in the metadata snapshot's copy of the superblock: {name}"),
            expect,
            move |draft| draft.set(draft.held(), Field::word(offset, value)),
        ));
    }
    recipes.push(Recipe::new(
        "snapshot-data-block-size-other",
        "the metadata snapshot's copy has another data block size than the pool",
        Corrupt,
        |draft| {
            let offset = offset_of!(SuperblockDisk, data_block_size);
            draft.set(draft.held(), Field::word(offset, 256));
        },
    ));
    recipes.push(Recipe::new(
        "snapshot-checksum",
        "the metadata snapshot's copy has a wrong checksum",
        Corrupt,
        |draft| draft.damage(draft.held(), Field::long(offset_of!(SuperblockDisk, trans_id), 77)),
    ));
    recipes.push(Recipe::new(
        "snapshot-is-copy-of-live",
        "the metadata snapshot's copy is the live superblock, byte for byte",
        Corrupt,
        |draft| {
            let (held, live) = (draft.held() as usize * 4096, draft.block(0).to_vec());
            draft.bytes[held..held + 4096].copy_from_slice(&live);
        },
    ));
}
