//! Keys: their order, and what edges admit.

use thinscope_core::btree::Tree;

use super::Expect::{Corrupt, Opens};
use super::Recipe;
use super::sample::{DATA_BLOCKS, TREES, tree_name};
use crate::writer::pack;

/// How the keys of a leaf are spoiled.
type Spoil = fn(&mut super::Draft, Tree);

const LEAF_CASES: [(&str, &str, Spoil); 4] = [
    ("keys-out-of-order", "has its first two keys exchanged", |draft, tree| {
        let leaf = two_entries(draft, tree);
        let (first, second) = (draft.key(leaf, 0), draft.key(leaf, 1));
        draft.set_key(leaf, 0, second);
        draft.set_key(leaf, 1, first);
    }),
    ("keys-equal", "has the same key twice", |draft, tree| {
        let leaf = two_entries(draft, tree);
        let first = draft.key(leaf, 0);
        draft.set_key(leaf, 1, first);
    }),
    ("key-below-edge", "begins one below what its edge admits", |draft, tree| {
        let leaf = draft.middle_leaf(tree);
        let first = draft.key(leaf, 0);
        draft.set_key(leaf, 0, first - 1);
    }),
    ("key-at-next-edge", "ends with the key at which its neighbour begins", |draft, tree| {
        let leaves = draft.leaves(tree);
        let next = draft.key(leaves[1], 0);
        let last = draft.entries(leaves[0]) - 1;
        draft.set_key(leaves[0], last, next);
    }),
];

/// A leaf with two entries or more.
fn two_entries(draft: &super::Draft, tree: Tree) -> u32 {
    let leaves = draft.leaves(tree);
    leaves.into_iter().find(|leaf| draft.entries(*leaf) > 1).expect("a leaf with two entries")
}

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    for tree in TREES {
        let name = tree_name(tree);
        for (case, what, spoil) in LEAF_CASES {
            recipes.push(Recipe::new(
                format!("{name}-leaf-{case}"),
                format!("a leaf of the {tree} {what}"),
                Corrupt,
                move |draft| spoil(draft, tree),
            ));
        }
        recipes.push(Recipe::new(
            format!("{name}-internal-keys-out-of-order"),
            format!("an internal node of the {tree} has its first two keys exchanged"),
            Corrupt,
            move |draft| {
                let node = draft.internal(tree);
                let (first, second) = (draft.key(node, 0), draft.key(node, 1));
                draft.set_key(node, 0, second);
                draft.set_key(node, 1, first);
            },
        ));
        recipes.push(Recipe::new(
            format!("{name}-internal-keys-equal"),
            format!("an internal node of the {tree} has the same key twice"),
            Corrupt,
            move |draft| {
                let node = draft.internal(tree);
                let first = draft.key(node, 0);
                draft.set_key(node, 1, first);
            },
        ));
        recipes.push(Recipe::new(
            format!("{name}-edge-above-child"),
            format!("an edge of the {tree} begins behind its child's first key"),
            Corrupt,
            move |draft| {
                let node = draft.internal(tree);
                let key = draft.key(node, 0);
                draft.set_key(node, 0, key + 1);
            },
        ));
    }
    add_mappings(recipes);
}

fn add_mappings(recipes: &mut Vec<Recipe>) {
    recipes.push(Recipe::new(
        "mapping-edge-below-child",
        "an edge admits keys that its child does not have, as after discards",
        Opens,
        |draft| {
            let node = draft.internal(Tree::Mapping);
            let before = draft.value(node, 0) as u32;
            let last = draft.key(before, draft.entries(before) - 1);
            draft.set_key(node, 1, last + 1);
        },
    ));
    recipes.push(Recipe::new(
        "mapping-internal-key-outside-parent",
        "an internal node has a key that its parent's next edge claims",
        Corrupt,
        |draft| {
            let spine = draft.spine(Tree::Mapping);
            let (parent, node) = (spine[spine.len() - 3], spine[spine.len() - 2]);
            let next = draft.key(parent, 1);
            let last = draft.entries(node) - 1;
            draft.set_key(node, last, next);
        },
    ));
    for (name, entries) in [("first", 0), ("last", usize::MAX)] {
        recipes.push(Recipe::new(
            format!("mapping-{name}-leaf-empty"),
            format!("the {name} leaf of a device has no entries, beside others"),
            Corrupt,
            move |draft| {
                let leaves = draft.leaves(Tree::Mapping);
                let at = entries.min(leaves.len() - 1);
                draft.set_entries(leaves[at], 0);
            },
        ));
    }
    recipes.push(Recipe::new(
        "mapping-key-all-ones",
        "a device's last virtual block is 2^64 - 1",
        Opens,
        |draft| {
            let leaf = *draft.leaves(Tree::Mapping).last().expect("a leaf");
            let last = draft.entries(leaf) - 1;
            draft.set_key(leaf, last, u64::MAX);
        },
    ));
    for (name, data, expect) in [
        ("behind-end", DATA_BLOCKS, Corrupt),
        ("2-to-40-less-1", (1 << 40) - 1, Corrupt),
        ("last", DATA_BLOCKS - 1, Opens),
        ("0", 0, Opens),
    ] {
        recipes.push(Recipe::new(
            format!("mapping-data-block-{name}"),
            format!("a mapping to data block {data} of {DATA_BLOCKS}, counted by nobody"),
            expect,
            move |draft| {
                let leaf = draft.middle_leaf(Tree::Mapping);
                draft.set_value(leaf, 0, pack(data, 0));
            },
        ));
    }
    recipes.push(Recipe::new(
        "mapping-time-max",
        "a mapping's time has all 24 bits set",
        Opens,
        |draft| {
            let leaf = draft.middle_leaf(Tree::Mapping);
            let value = draft.value(leaf, 0);
            draft.set_value(leaf, 0, value | 0xff_ffff);
        },
    ));
}
