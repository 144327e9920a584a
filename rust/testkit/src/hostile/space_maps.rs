//! Space maps: index, bitmaps, overflow trees.

use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::raw::{BitmapHeader, IndexBlock, IndexEntry, SpaceMapRoot};

use super::Expect::{Corrupt, Opens};
use super::draft::INDEX;
use super::sample::{DATA_BLOCKS, METADATA_BLOCKS, Map, sample};
use super::{Draft, Expect, Recipe, number};
use crate::node::Role;
use crate::patch::Field;
use crate::random::Random;
use crate::writer::pack;

/// Leaves of the device whose mappings lie all over the largest data device.
const SPREAD_LEAVES: u64 = 200;

/// Where an index entry of a block points to.
type Aim = fn(&Draft, u32) -> u64;

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    add_index(recipes);
    add_index_block(recipes);
    add_index_shapes(recipes);
    for map in Map::ALL {
        add_bitmaps(recipes, map);
        add_overflow(recipes, map);
    }
    add_large(recipes);
}

/// Where the first index entry of a map lies.
fn first_entry(draft: &Draft, map: Map) -> (u32, usize) {
    match map {
        Map::Data => {
            let leaf = draft.leaves(Tree::DataIndex)[0];
            (leaf, draft.value_offset(leaf, 0))
        }
        Map::Metadata => (draft.index_block(), INDEX),
    }
}

fn add_index(recipes: &mut Vec<Recipe>) {
    for map in Map::ALL {
        let of_map = map.name();
        let pointers: [(&str, Aim); 7] = [
            ("0", |_, _| 0),
            ("behind-end", |_, _| u64::from(METADATA_BLOCKS)),
            ("2-to-63", |_, _| 1 << 63),
            ("all-ones", |_, _| u64::MAX),
            ("zeros", |_, _| u64::from(METADATA_BLOCKS) - 1),
            ("self", |_, block| u64::from(block)),
            ("node", |draft, _| u64::from(draft.root(Tree::Details))),
        ];
        for (name, aim) in pointers {
            recipes.push(Recipe::new(
                format!("{of_map}-index-entry-{name}"),
                format!("the {of_map} map's first index entry names a wrong bitmap: {name}"),
                Corrupt,
                move |draft| {
                    let (block, offset) = first_entry(draft, map);
                    let bitmap = aim(draft, block);
                    draft.set(block, Field::long(offset, bitmap));
                },
            ));
        }
        recipes.push(Recipe::new(
            format!("{of_map}-index-entry-other-map"),
            format!("the {of_map} map's first bitmap is the other map's"),
            Corrupt,
            move |draft| {
                let other = if map == Map::Data { Map::Metadata } else { Map::Data };
                let (block, offset) = first_entry(draft, map);
                let bitmap = u64::from(draft.bitmap(other));
                draft.set(block, Field::long(offset, bitmap));
            },
        ));
        for (field, at) in [
            ("nr-free", offset_of!(IndexEntry, nr_free)),
            ("none-free-before", offset_of!(IndexEntry, none_free_before)),
        ] {
            for value in [0, 1, u32::MAX] {
                recipes.push(Recipe::new(
                    format!("{of_map}-index-{field}-{}", number(u64::from(value))),
                    format!("the {of_map} map's index says {field} {value}: a hint for writers"),
                    Opens,
                    move |draft| {
                        let (block, offset) = first_entry(draft, map);
                        draft.set(block, Field::word(offset + at, value));
                    },
                ));
            }
        }
    }
}

fn add_index_block(recipes: &mut Vec<Recipe>) {
    let fields: [(&str, Field, Expect); 5] = [
        ("blocknr-0", Field::long(offset_of!(IndexBlock, blocknr), 0), Corrupt),
        ("blocknr-all-ones", Field::long(offset_of!(IndexBlock, blocknr), u64::MAX), Corrupt),
        ("padding", Field::word(offset_of!(IndexBlock, padding), u32::MAX), Opens),
        ("entry-behind-last", Field::long(INDEX + 16, 5), Opens),
        ("entry-255", Field::long(INDEX + 16 * 254, u64::MAX), Opens),
    ];
    for (name, field, expect) in fields {
        recipes.push(Recipe::new(
            format!("metadata-index-{name}"),
            format!("the index block has an odd {name}"),
            expect,
            move |draft| draft.set(draft.index_block(), field),
        ));
    }
    recipes.push(Recipe::new(
        "metadata-index-checksum",
        "the index block has a wrong checksum",
        Corrupt,
        |draft| draft.damage(draft.index_block(), Field::word(4, 1)),
    ));
}

fn add_index_shapes(recipes: &mut Vec<Recipe>) {
    recipes.push(Recipe::new(
        "data-index-bitmap-repeated",
        "two entries of the data index name the same bitmap",
        Corrupt,
        |draft| {
            let (block, offset) = first_entry(draft, Map::Data);
            let bitmap = draft.long(block, offset);
            draft.set_value(block, 1, bitmap);
        },
    ));
    recipes.push(Recipe::new(
        "metadata-index-bitmap-repeated",
        "two entries of the index block name the same bitmap",
        Corrupt,
        |draft| {
            *draft = Draft::new(sample(20_000));
            let index = draft.index_block();
            let bitmap = draft.long(index, INDEX);
            draft.set(index, Field::long(INDEX + 16, bitmap));
        },
    ));
    recipes.push(Recipe::new(
        "data-index-gap",
        "the data index counts 0, 1, 2, 5",
        Corrupt,
        |draft| {
            let leaf = *draft.leaves(Tree::DataIndex).last().expect("a leaf");
            let last = draft.entries(leaf) - 1;
            draft.set_key(leaf, last, 5);
        },
    ));
    recipes.push(Recipe::new(
        "data-index-too-long",
        "the data index has more bitmaps than the data device has room for",
        Corrupt,
        |draft| {
            let offset = Map::Data.root() + offset_of!(SpaceMapRoot, nr_blocks);
            draft.set(0, Field::long(offset, 16_320));
        },
    ));
}

fn add_bitmaps(recipes: &mut Vec<Recipe>, map: Map) {
    let of_map = map.name();
    for (shown, value) in [("0", 0), ("2-to-63", 1 << 63), ("all-ones", u64::MAX)] {
        recipes.push(Recipe::new(
            format!("{of_map}-bitmap-blocknr-{shown}"),
            format!("a bitmap of the {of_map} map calls itself {value}"),
            Corrupt,
            move |draft| {
                let field = Field::long(offset_of!(BitmapHeader, blocknr), value);
                draft.set(draft.bitmap(map), field);
            },
        ));
    }
    recipes.push(Recipe::new(
        format!("{of_map}-bitmap-not-used"),
        format!("a bitmap of the {of_map} map has bits in its unused word"),
        Opens,
        move |draft| draft.set(draft.bitmap(map), Field::word(4, u32::MAX)),
    ));
    recipes.push(Recipe::new(
        format!("{of_map}-bitmap-checksum"),
        format!("a bitmap of the {of_map} map has a wrong checksum"),
        Corrupt,
        move |draft| draft.damage(draft.bitmap(map), Field::word(4, 1)),
    ));
    recipes.push(Recipe::new(
        format!("{of_map}-bitmap-leak"),
        format!("the {of_map} map counts a free block as used: a check must tell"),
        Opens,
        move |draft| {
            // Block 900 of either device is free.
            set_pair(draft, map, 900, 2);
            add_to_allocated(draft, map, 1);
        },
    ));
    recipes.push(Recipe::new(
        format!("{of_map}-bitmap-missing"),
        format!("the {of_map} map counts a used block as free: a check must tell"),
        Opens,
        move |draft| {
            let used = (1..900).find(|block| pair(draft, map, *block) == 2).expect("a count of 1");
            set_pair(draft, map, used, 0);
            add_to_allocated(draft, map, u64::MAX);
        },
    ));
    recipes.push(Recipe::new(
        format!("{of_map}-bitmap-overflow-without-entry"),
        format!("a bitmap of the {of_map} map sends to the overflow tree, which has no such entry"),
        Corrupt,
        move |draft| {
            let used = (1..900).find(|block| pair(draft, map, *block) == 2).expect("a count of 1");
            set_pair(draft, map, used, 3);
        },
    ));
    recipes.push(Recipe::new(
        format!("{of_map}-overflow-without-bitmap"),
        format!("the overflow tree of the {of_map} map has an entry that no bitmap asks for"),
        Corrupt,
        move |draft| {
            let large = (1..900).find(|block| pair(draft, map, *block) == 3);
            set_pair(draft, map, large.expect("a large count"), 2);
        },
    ));
    recipes.push(Recipe::new(
        format!("{of_map}-bitmap-behind-end"),
        format!("counts of the {of_map} map behind the end of its device"),
        Opens,
        move |draft| {
            let bitmap = match map {
                Map::Metadata => draft.bitmap(map),
                Map::Data => {
                    let leaf = *draft.leaves(Tree::DataIndex).last().expect("a leaf");
                    draft.value(leaf, draft.entries(leaf) - 1) as u32
                }
            };
            draft.set(bitmap, Field::long(4088, u64::MAX));
        },
    ));
}

fn add_overflow(recipes: &mut Vec<Recipe>, map: Map) {
    let (of_map, tree) = (map.name(), map.overflow());
    for count in [0, 1, 2, u32::MAX] {
        recipes.push(Recipe::new(
            format!("{of_map}-overflow-count-{}", number(u64::from(count))),
            format!("the overflow tree of the {of_map} map says that a block's count is {count}"),
            if count < 3 { Corrupt } else { Opens },
            move |draft| {
                let leaf = draft.leaves(tree)[0];
                draft.set(leaf, Field::word(draft.value_offset(leaf, 0), count));
            },
        ));
    }
    let end = if map == Map::Data { DATA_BLOCKS } else { u64::from(METADATA_BLOCKS) };
    for (shown, block) in [("behind-end", end), ("all-ones", u64::MAX)] {
        recipes.push(Recipe::new(
            format!("{of_map}-overflow-block-{shown}"),
            format!("the overflow tree of the {of_map} map has a count for block {block}"),
            Corrupt,
            move |draft| {
                let leaf = *draft.leaves(tree).last().expect("a leaf");
                let last = draft.entries(leaf) - 1;
                draft.set_key(leaf, last, block);
            },
        ));
    }
    recipes.push(Recipe::new(
        format!("{of_map}-overflow-empty"),
        format!("the overflow tree of the {of_map} map is empty, against its bitmaps"),
        Corrupt,
        move |draft| {
            let leaf = draft.allocate();
            draft.put_node(leaf, Role::Leaf(tree), &[]);
            let offset = map.root() + offset_of!(SpaceMapRoot, ref_count_root);
            draft.set(0, Field::long(offset, u64::from(leaf)));
        },
    ));
}

/// A data device of the largest size. No metadata has room for its bitmaps.
fn add_large(recipes: &mut Vec<Recipe>) {
    recipes.push(Recipe::new(
        "mapping-spread-over-2-to-40",
        "a device's mappings lie all over a data device of 2^40 blocks, whose bitmaps are missing",
        Corrupt,
        |draft| {
            let offset = Map::Data.root() + offset_of!(SpaceMapRoot, nr_blocks);
            draft.set(0, Field::long(offset, 1 << 40));
            let mut random = Random::new(40);
            let mut edges = Vec::new();
            for leaf in 0..SPREAD_LEAVES {
                let keys = leaf * 252..(leaf + 1) * 252;
                let entries: Vec<_> =
                    keys.map(|key| (key, pack(random.below(1 << 40), 0))).collect();
                edges.push((leaf * 252, u64::from(draft.add_leaf(&entries))));
            }
            let root = draft.add_internal(&edges);
            super::pointers::set_root(draft, Tree::Mapping, root);
        },
    ));
}

/// The two bits of a block, as a plain number.
fn pair(draft: &Draft, map: Map, block: usize) -> u32 {
    let (offset, shift) = place(block);
    draft.word(draft.bitmap(map), offset) >> shift & 3
}

fn set_pair(draft: &mut Draft, map: Map, block: usize, pair: u64) {
    let (offset, shift) = place(block);
    let bitmap = draft.bitmap(map);
    let others = u64::from(draft.word(bitmap, offset) & 0xff & !(3 << shift));
    draft.set(bitmap, Field { offset, width: 1, value: others | pair << shift });
}

/// The byte in the first bitmap that has a block's two bits, and by how much they are shifted.
const fn place(block: usize) -> (usize, u32) {
    (size_of::<BitmapHeader>() + block / 4, (block % 4) as u32 * 2)
}

fn add_to_allocated(draft: &mut Draft, map: Map, difference: u64) {
    let offset = map.root() + offset_of!(SpaceMapRoot, nr_allocated);
    let allocated = draft.long(0, offset).wrapping_add(difference);
    draft.set(0, Field::long(offset, allocated));
}
