//! Fields of the headers of nodes, of every tree.

use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::raw::{INTERNAL_NODE, LEAF_NODE, NodeHeader};

use super::Expect::{Corrupt, Opens};
use super::sample::{TREES, tree_name};
use super::{Draft, Expect, Recipe, number};
use crate::node::{Role, capacity};
use crate::patch::Field;

const ONES_32: u64 = 0xffff_ffff;
const MAX_32: u64 = 0x7fff_ffff;

/// A node of the sample.
#[derive(Clone, Copy)]
struct Target {
    tree: Tree,
    is_leaf: bool,
}

impl Target {
    fn name(self) -> String {
        let level = if self.is_leaf { "leaf" } else { "internal" };
        format!("{}-{level}", tree_name(self.tree))
    }

    fn block(self, draft: &Draft) -> u32 {
        if self.is_leaf { draft.middle_leaf(self.tree) } else { draft.internal(self.tree) }
    }

    const fn capacity(self) -> u64 {
        let role = if self.is_leaf { Role::Leaf(self.tree) } else { Role::Internal };
        capacity(role.value_size()) as u64
    }

    /// Entries taken away: of mappings only a check can know; what else is missing shows.
    const fn shortened(self) -> Expect {
        if matches!(self.tree, Tree::Mapping) { Opens } else { Corrupt }
    }

    fn cases(self) -> Vec<(&'static str, usize, usize, u64, Expect)> {
        let flags = offset_of!(NodeHeader, flags);
        let entries = offset_of!(NodeHeader, nr_entries);
        let room = offset_of!(NodeHeader, max_entries);
        let size = offset_of!(NodeHeader, value_size);
        let blocknr = offset_of!(NodeHeader, blocknr);
        let capacity = self.capacity();
        let other = if self.is_leaf { INTERNAL_NODE } else { LEAF_NODE };
        let mut cases = vec![
            ("flags", flags, 4, u64::from(other), Corrupt),
            ("nr-entries", entries, 4, 0, Corrupt),
            ("nr-entries", entries, 4, 1, self.shortened()),
            ("nr-entries", entries, 4, capacity + 1, Corrupt),
            ("max-entries", room, 4, 0, Corrupt),
            ("max-entries", room, 4, 1, Corrupt),
            // Room that no writer makes: the values would begin elsewhere.
            ("max-entries", room, 4, capacity - 3, Corrupt),
            ("max-entries", room, 4, capacity - 1, Corrupt),
            ("max-entries", room, 4, capacity + 3, Corrupt),
            ("padding", offset_of!(NodeHeader, padding), 4, ONES_32, Opens),
        ];
        for value in [0, 3, MAX_32, ONES_32] {
            cases.push(("flags", flags, 4, value, Corrupt));
        }
        for value in [MAX_32, ONES_32] {
            cases.push(("nr-entries", entries, 4, value, Corrupt));
            cases.push(("max-entries", room, 4, value, Corrupt));
        }
        for value in [0, 1, MAX_32, ONES_32] {
            cases.push(("value-size", size, 4, value, Corrupt));
        }
        for value in [0, 1 << 63, u64::MAX] {
            cases.push(("blocknr", blocknr, 8, value, Corrupt));
        }
        cases
    }
}

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    for tree in TREES {
        for is_leaf in [false, true] {
            let target = Target { tree, is_leaf };
            for (field, offset, width, value, expect) in target.cases() {
                let name = target.name();
                recipes.push(Recipe::new(
                    format!("{name}-{field}-{}", number(value)),
                    format!("a node of the {tree} ({name}) has {field} {value:#x}"),
                    expect,
                    move |draft| {
                        draft.set(target.block(draft), Field { offset, width, value });
                    },
                ));
            }
            let name = target.name();
            recipes.push(Recipe::new(
                format!("{name}-blocknr-other"),
                format!("a node of the {tree} ({name}) calls itself by its parent's number"),
                Corrupt,
                move |draft| {
                    let root = u64::from(draft.root(tree));
                    let block = target.block(draft);
                    let own = if root == u64::from(block) { root + 1 } else { root };
                    draft.set(block, Field::long(offset_of!(NodeHeader, blocknr), own));
                },
            ));
            recipes.push(Recipe::new(
                format!("{name}-checksum"),
                format!("a node of the {tree} ({name}) has a wrong checksum"),
                Corrupt,
                move |draft| {
                    let padding = offset_of!(NodeHeader, padding);
                    draft.damage(target.block(draft), Field::word(padding, 1));
                },
            ));
        }
    }
    recipes.push(Recipe::new(
        "mapping-second-internal-flags-leaf",
        "an internal node of a mapping tree, not the first child, is flagged as a leaf",
        Corrupt,
        |draft| {
            let spine = draft.spine(Tree::Mapping);
            let node = draft.value(spine[spine.len() - 3], 1) as u32;
            draft.set(node, Field::word(offset_of!(NodeHeader, flags), LEAF_NODE));
        },
    ));
    recipes.push(Recipe::new(
        "mapping-root-flags-leaf",
        "a device's root, internal, is flagged as a leaf: block numbers become mappings of block 0",
        Opens,
        |draft| {
            let root = draft.root(Tree::Mapping);
            draft.set(root, Field::word(offset_of!(NodeHeader, flags), LEAF_NODE));
        },
    ));
}
