//! Pointers to children: loops, sharing that no writer makes, and what lies elsewhere.

use thinscope_core::btree::Tree;
use thinscope_core::raw::THIN_SUPERBLOCK_MAGIC;

use super::Expect::{Corrupt, Opens};
use super::sample::{METADATA_BLOCKS, Map, TREES, tree_name};
use super::{Draft, Expect, Recipe};
use crate::writer::pack;

/// Levels of the ladder: 3^40 paths.
const LADDER: usize = 40;

/// Levels of a chain that is too deep for any reader, and of one that is not.
const DEEP: usize = 500;
const ODD: usize = 12;

/// Where a child is to be found, given the tree and the node that points to it.
type Aim = fn(&Draft, Tree, u32) -> u64;

const CASES: [(&str, &str, Aim); 13] = [
    ("self", "itself", |_, _, node| u64::from(node)),
    ("parent", "its own parent", |draft, tree, _| {
        let spine = draft.spine(tree);
        u64::from(spine[spine.len().saturating_sub(3)])
    }),
    ("root", "the root", |draft, tree, _| u64::from(draft.root(tree))),
    ("0", "block 0", |_, _, _| 0),
    ("behind-end", "the block behind the last", |_, _, _| u64::from(METADATA_BLOCKS)),
    ("2-to-32", "block 2^32 + 1: cut to 32 bits it would be within", |_, _, _| (1 << 32) + 1),
    ("2-to-63", "block 2^63", |_, _, _| 1 << 63),
    ("all-ones", "block 2^64 - 1", |_, _, _| u64::MAX),
    ("zeros", "a block of zeros", |_, _, _| u64::from(METADATA_BLOCKS) - 1),
    ("bitmap", "a bitmap", |draft, _, _| u64::from(draft.bitmap(Map::Data))),
    ("index", "the index block", |draft, _, _| u64::from(draft.index_block())),
    ("snapshot", "the metadata snapshot", |draft, _, _| u64::from(draft.held())),
    ("sibling", "the child of the entry before", |draft, _, node| draft.value(node, 0)),
];

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    for tree in TREES {
        let name = tree_name(tree);
        for (case, what, aim) in CASES {
            recipes.push(Recipe::new(
                format!("{name}-child-{case}"),
                format!("a node of the {tree} points to {what}"),
                Corrupt,
                move |draft| {
                    let node = draft.internal(tree);
                    let child = aim(draft, tree, node);
                    draft.set_value(node, 1, child);
                },
            ));
        }
        recipes.push(Recipe::new(
            format!("{name}-first-child-root"),
            format!("the lowest node of the {tree} points back to the root, first child first"),
            Corrupt,
            move |draft| {
                let node = draft.internal(tree);
                let root = u64::from(draft.root(tree));
                draft.set_value(node, 0, root);
            },
        ));
        let other = if matches!(tree, Tree::Details) { Tree::DataOverflow } else { Tree::Details };
        recipes.push(Recipe::new(
            format!("{name}-child-of-other-tree"),
            format!("a node of the {tree} points to a leaf of the {other}"),
            Corrupt,
            move |draft| {
                let node = draft.internal(tree);
                let leaf = u64::from(draft.middle_leaf(other));
                draft.set_value(node, 1, leaf);
            },
        ));
    }
    add_shapes(recipes);
    add_leaves(recipes);
}

fn add_shapes(recipes: &mut Vec<Recipe>) {
    for (tree, name) in [(Tree::Mapping, "mapping"), (Tree::Details, "details")] {
        recipes.push(Recipe::new(
            format!("{name}-ladder"),
            format!("{LADDER} levels of the {tree}, each node pointing three times to the next"),
            Corrupt,
            move |draft| {
                let mut below = if tree == Tree::Mapping {
                    draft.add_leaf(&[(0, pack(0, 0))])
                } else {
                    draft.leaves(tree)[0]
                };
                for _ in 0..LADDER {
                    let child = u64::from(below);
                    below = draft.add_internal(&[(0, child), (1, child), (2, child)]);
                }
                set_root(draft, tree, below);
            },
        ));
        for (case, levels, expect) in [("too-deep", DEEP, Corrupt), ("odd", ODD, Opens)] {
            recipes.push(Recipe::new(
                format!("{name}-chain-{case}"),
                format!("{levels} levels of the {tree} with one child each above its root"),
                expect,
                move |draft| {
                    let mut below = draft.root(tree);
                    let key = draft.key(below, 0);
                    for _ in 0..levels {
                        below = draft.add_internal(&[(key, u64::from(below))]);
                    }
                    set_root(draft, tree, below);
                },
            ));
        }
    }
    recipes.push(Recipe::new(
        "mapping-braid",
        "40 levels of two nodes, each pointing to both of the next level",
        Corrupt,
        |draft| {
            let mut pair = [0, 1].map(|key| draft.add_leaf(&[(key, pack(key, 0))]));
            for _ in 0..LADDER {
                let children = pair.map(u64::from);
                pair = [0, 1].map(|_| draft.add_internal(&[(0, children[0]), (1, children[1])]));
            }
            set_root(draft, Tree::Mapping, pair[0]);
        },
    ));
    recipes.push(Recipe::new(
        "mapping-two-heights",
        "a leaf hangs beside nodes that have leaves below them",
        Corrupt,
        |draft| {
            let spine = draft.spine(Tree::Mapping);
            let upper = spine[spine.len() - 3];
            let key = draft.key(upper, 1);
            let leaf = draft.add_leaf(&[(key, pack(0, 0))]);
            draft.set_value(upper, 1, u64::from(leaf));
        },
    ));
    recipes.push(Recipe::new(
        "mapping-leaf-beside-high-node",
        "a leaf hangs high in a tree, beside nodes with many levels below; keys contradict nowhere",
        Corrupt,
        |draft| {
            let leaf = u64::from(draft.middle_leaf(Tree::Mapping));
            let root = u64::from(draft.root(Tree::Mapping));
            let mut below = draft.add_internal(&[(0, root), (1 << 50, leaf)]);
            for _ in 0..ODD {
                below = draft.add_internal(&[(0, u64::from(below))]);
            }
            set_root(draft, Tree::Mapping, below);
        },
    ));
    recipes.push(Recipe::new(
        "mapping-empty-leaf-beside-high-node",
        "the same with a leaf of its own, without mappings",
        Corrupt,
        |draft| {
            let root = u64::from(draft.root(Tree::Mapping));
            let leaf = u64::from(draft.add_leaf(&[]));
            let root = draft.add_internal(&[(0, root), (1 << 50, leaf)]);
            set_root(draft, Tree::Mapping, root);
        },
    ));
    recipes.push(Recipe::new(
        "mapping-empty-leaf-252-times",
        "a node points 252 times to one leaf without mappings",
        Corrupt,
        |draft| {
            let leaf = u64::from(draft.add_leaf(&[]));
            let entries: Vec<_> = (0..252).map(|key| (key * 10, leaf)).collect();
            let root = draft.add_internal(&entries);
            set_root(draft, Tree::Mapping, root);
        },
    ));
}

fn add_leaves(recipes: &mut Vec<Recipe>) {
    recipes.push(Recipe::new(
        "mapping-root-superblock-copy",
        "a device's root is a node with the magic of a superblock as its first key: harmless",
        Opens,
        |draft| {
            let leaf = draft.add_leaf(&[(THIN_SUPERBLOCK_MAGIC, pack(1, 0))]);
            set_root(draft, Tree::Mapping, leaf);
        },
    ));
    let cases: [(&str, Aim, Expect, &str); 5] = [
        (
            "top-level-leaf",
            |draft, _, _| u64::from(draft.middle_leaf(Tree::TopLevel)),
            Opens,
            "a leaf of the top-level tree: its roots read as mappings to block 0",
        ),
        (
            "details-leaf",
            |draft, _, _| u64::from(draft.middle_leaf(Tree::Details)),
            Corrupt,
            "a leaf of the details tree",
        ),
        (
            "overflow-leaf",
            |draft, _, _| u64::from(draft.middle_leaf(Tree::DataOverflow)),
            Corrupt,
            "a leaf of the data overflow tree",
        ),
        (
            "inner-node",
            |draft, _, _| u64::from(draft.internal(Tree::Mapping)),
            Opens,
            "a node below its own root: only the number of mappings tells",
        ),
        (
            "top-level-root",
            |draft, _, _| u64::from(draft.root(Tree::TopLevel)),
            // Below it lie top-level leaves, which read as mappings to block 0.
            Opens,
            "the root of the top-level tree",
        ),
    ];
    for (name, aim, expect, what) in cases {
        recipes.push(Recipe::new(
            format!("mapping-root-is-{name}"),
            format!("a device's root is {what}"),
            expect,
            move |draft| {
                let root = aim(draft, Tree::Mapping, 0) as u32;
                set_root(draft, Tree::Mapping, root);
            },
        ));
    }
    recipes.push(Recipe::new(
        "details-root-is-top-level-root",
        "the details tree is the top-level tree",
        Corrupt,
        |draft| {
            let root = draft.root(Tree::TopLevel);
            set_root(draft, Tree::Details, root);
        },
    ));
    recipes.push(Recipe::new(
        "top-level-root-is-mapping-root",
        "the top-level tree is a device's mapping tree",
        Corrupt,
        |draft| {
            let root = draft.root(Tree::Mapping);
            set_root(draft, Tree::TopLevel, root);
        },
    ));
}

/// Makes a node the root of a tree; of the sample's device, for mappings.
pub(super) fn set_root(draft: &mut Draft, tree: Tree, root: u32) {
    use std::mem::offset_of;

    use thinscope_core::raw::SuperblockDisk;

    use crate::patch::Field;

    let root = u64::from(root);
    match tree {
        Tree::Mapping => {
            let (leaf, at) = draft.device_entry(super::sample::DEVICE);
            draft.set_value(leaf, at, root);
        }
        Tree::Details => {
            draft.set(0, Field::long(offset_of!(SuperblockDisk, device_details_root), root));
        }
        _ => draft.set(0, Field::long(offset_of!(SuperblockDisk, data_mapping_root), root)),
    }
}
