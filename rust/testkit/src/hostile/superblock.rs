//! Fields of the superblock.

use std::mem::offset_of;

use thinscope_core::raw::{SpaceMapRoot, SuperblockDisk};

use super::sample::{DATA_BLOCKS, METADATA_BLOCKS, Map};
use super::{Expect, Recipe, number};
use crate::patch::Field;

/// A field with the values to try and what each must come to.
struct Case(&'static str, usize, usize, &'static [(u64, Expect)]);

use Expect::{Corrupt, Opens, Unsupported};

const ONES: u64 = u64::MAX;
const ONES_32: u64 = 0xffff_ffff;
const MAX_32: u64 = 0x7fff_ffff;
const HIGH: u64 = 1 << 63;

const POINTER: &[(u64, Expect)] = &[
    (0, Corrupt),
    (1, Corrupt),
    (METADATA_BLOCKS as u64 - 1, Corrupt),
    (METADATA_BLOCKS as u64, Corrupt),
    (HIGH, Corrupt),
    (ONES, Corrupt),
];

const ANY: &[(u64, Expect)] = &[(0, Opens), (1, Opens), (HIGH, Opens), (ONES, Opens)];
const ANY_32: &[(u64, Expect)] = &[(0, Opens), (1, Opens), (MAX_32, Opens), (ONES_32, Opens)];

const CASES: [Case; 16] = [
    Case(
        "flags",
        offset_of!(SuperblockDisk, flags),
        4,
        &[(1, Opens), (2, Opens), (MAX_32, Opens), (ONES_32, Opens)],
    ),
    Case(
        "blocknr",
        offset_of!(SuperblockDisk, blocknr),
        8,
        &[(1, Corrupt), (HIGH, Corrupt), (ONES, Corrupt)],
    ),
    Case("uuid", offset_of!(SuperblockDisk, uuid), 8, &[(1, Opens), (ONES, Opens)]),
    Case(
        "magic",
        offset_of!(SuperblockDisk, magic),
        8,
        &[(0, Corrupt), (1, Corrupt), (HIGH, Corrupt), (ONES, Corrupt)],
    ),
    Case(
        "version",
        offset_of!(SuperblockDisk, version),
        4,
        &[
            (0, Unsupported),
            (1, Opens),
            (3, Unsupported),
            (MAX_32, Unsupported),
            (ONES_32, Unsupported),
        ],
    ),
    Case("time", offset_of!(SuperblockDisk, time), 4, ANY_32),
    Case("trans-id", offset_of!(SuperblockDisk, trans_id), 8, ANY),
    Case(
        "held-root",
        offset_of!(SuperblockDisk, held_root),
        8,
        &[
            (0, Opens),
            (1, Corrupt),
            (METADATA_BLOCKS as u64 - 1, Corrupt),
            (METADATA_BLOCKS as u64, Corrupt),
            (HIGH, Corrupt),
            (ONES, Corrupt),
        ],
    ),
    Case("mapping-root", offset_of!(SuperblockDisk, data_mapping_root), 8, POINTER),
    Case("details-root", offset_of!(SuperblockDisk, device_details_root), 8, POINTER),
    Case(
        "data-block-size",
        offset_of!(SuperblockDisk, data_block_size),
        4,
        &[
            (0, Corrupt),
            (1, Corrupt),
            (127, Corrupt),
            (192, Corrupt),
            ((1 << 21) + 128, Corrupt),
            (MAX_32, Corrupt),
            (ONES_32, Corrupt),
        ],
    ),
    Case(
        "metadata-block-size",
        offset_of!(SuperblockDisk, metadata_block_size),
        4,
        &[(0, Corrupt), (1, Corrupt), (16, Corrupt), (MAX_32, Corrupt), (ONES_32, Corrupt)],
    ),
    Case("metadata-nr-blocks", offset_of!(SuperblockDisk, metadata_nr_blocks), 8, ANY),
    Case(
        "compat-flags",
        offset_of!(SuperblockDisk, compat_flags),
        4,
        &[(1, Opens), (MAX_32, Opens), (ONES_32, Opens)],
    ),
    Case(
        "compat-ro-flags",
        offset_of!(SuperblockDisk, compat_ro_flags),
        4,
        &[(1, Opens), (MAX_32, Opens), (ONES_32, Opens)],
    ),
    Case(
        "incompat-flags",
        offset_of!(SuperblockDisk, incompat_flags),
        4,
        &[(1, Unsupported), (MAX_32, Unsupported), (ONES_32, Unsupported)],
    ),
];

const DATA_SIZES: &[(u64, Expect)] = &[
    (0, Corrupt),
    (1, Corrupt),
    // As many bitmaps: nothing contradicts.
    (DATA_BLOCKS + 1, Opens),
    (1 << 32, Corrupt),
    (1 << 40, Corrupt),
    ((1 << 40) + 1, Corrupt),
    (HIGH, Corrupt),
    (ONES, Corrupt),
];

const METADATA_SIZES: &[(u64, Expect)] = &[
    (0, Corrupt),
    (1, Corrupt),
    (METADATA_BLOCKS as u64 - 1, Opens),
    (METADATA_BLOCKS as u64 + 1, Corrupt),
    (1 << 32, Corrupt),
    (1 << 40, Corrupt),
    (HIGH, Corrupt),
    (ONES, Corrupt),
];

const ALLOCATED: &[(u64, Expect)] = &[(0, Corrupt), (1, Corrupt), (HIGH, Corrupt), (ONES, Corrupt)];

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    for Case(field, offset, width, values) in CASES {
        fields(recipes, field, offset, width, values);
    }
    for map in Map::ALL {
        let sizes = if map == Map::Data { DATA_SIZES } else { METADATA_SIZES };
        let of_map = [
            ("nr-blocks", offset_of!(SpaceMapRoot, nr_blocks), sizes),
            ("nr-allocated", offset_of!(SpaceMapRoot, nr_allocated), ALLOCATED),
            ("bitmap-root", offset_of!(SpaceMapRoot, bitmap_root), POINTER),
            ("ref-count-root", offset_of!(SpaceMapRoot, ref_count_root), POINTER),
            ("unused", offset_of!(SpaceMapRoot, unused), &[(ONES, Opens)]),
        ];
        for (field, offset, values) in of_map {
            fields(recipes, &format!("{}-map-{field}", map.name()), map.root() + offset, 8, values);
        }
        let name = format!("superblock-{}-map-nr-allocated-one-less", map.name());
        recipes.push(Recipe::new(name, "a map's total is wrong by one", Corrupt, move |draft| {
            let offset = map.root() + offset_of!(SpaceMapRoot, nr_allocated);
            let allocated = draft.long(0, offset);
            draft.set(0, Field::long(offset, allocated - 1));
        }));
    }
    recipes.push(Recipe::new(
        "superblock-space-maps-swapped",
        "each space map's root stands in the place of the other",
        Corrupt,
        |draft| {
            for at in 0..4 {
                let (data, metadata) = (Map::Data.root() + 8 * at, Map::Metadata.root() + 8 * at);
                let (old_data, old_metadata) = (draft.long(0, data), draft.long(0, metadata));
                draft.set(0, Field::long(data, old_metadata));
                draft.set(0, Field::long(metadata, old_data));
            }
        },
    ));
    for sectors in [256, 384, 1 << 21] {
        recipes.push(Recipe::new(
            format!("superblock-data-block-size-{}", number(u64::from(sectors))),
            format!("data blocks are of {sectors} sectors, also in the metadata snapshot's copy"),
            Opens,
            move |draft| {
                let size = Field::word(offset_of!(SuperblockDisk, data_block_size), sectors);
                draft.set(0, size);
                draft.set(draft.held(), size);
            },
        ));
    }
    recipes.push(Recipe::new(
        "superblock-checksum",
        "the superblock's checksum is wrong",
        Corrupt,
        |draft| draft.damage(0, Field::long(offset_of!(SuperblockDisk, trans_id), 77)),
    ));
}

fn fields(
    recipes: &mut Vec<Recipe>,
    name: &str,
    offset: usize,
    width: usize,
    values: &'static [(u64, Expect)],
) {
    for (value, expect) in values {
        let shown = number(*value);
        let field = Field { offset, width, value: *value };
        recipes.push(Recipe::new(
            format!("superblock-{name}-{shown}"),
            format!("the superblock's {name} is {value:#x}"),
            *expect,
            move |draft| draft.set(0, field),
        ));
    }
}
