//! Devices: ids, roots, records.

use std::mem::offset_of;

use thinscope_core::btree::Tree;
use thinscope_core::raw::DeviceDetails;
use thinscope_core::units::MAX_DEVICE_ID;

use super::Expect::{Corrupt, Opens};
use super::sample::METADATA_BLOCKS;
use super::{Draft, Recipe};
use crate::patch::Field;

/// The trees that know devices.
const TREES: [(Tree, &str); 2] = [(Tree::TopLevel, "top-level"), (Tree::Details, "details")];

/// The last leaf of a tree of devices, and its last entry.
fn last(draft: &Draft, tree: Tree) -> (u32, usize) {
    let leaf = *draft.leaves(tree).last().expect("a leaf");
    (leaf, draft.entries(leaf) - 1)
}

pub(super) fn add(recipes: &mut Vec<Recipe>) {
    for id in [MAX_DEVICE_ID + 1, (1 << 32) | 5, u64::MAX] {
        for (tree, name) in TREES {
            recipes.push(Recipe::new(
                format!("device-id-{id:#x}-in-{name}"),
                format!("the last device has the id {id:#x} in the {tree}"),
                Corrupt,
                move |draft| {
                    let (leaf, at) = last(draft, tree);
                    draft.set_key(leaf, at, id);
                },
            ));
        }
        recipes.push(Recipe::new(
            format!("device-id-{id:#x}"),
            format!("the last device has the id {id:#x} in both trees"),
            Corrupt,
            move |draft| {
                for (tree, _) in TREES {
                    let (leaf, at) = last(draft, tree);
                    draft.set_key(leaf, at, id);
                }
            },
        ));
    }
    for (tree, name) in TREES {
        recipes.push(Recipe::new(
            format!("device-missing-in-{name}"),
            format!("the {tree} lacks the last device"),
            Corrupt,
            move |draft| {
                let (leaf, at) = last(draft, tree);
                draft.set_entries(leaf, at);
            },
        ));
        recipes.push(Recipe::new(
            format!("device-other-in-{name}"),
            format!("the {tree} knows the last device by another id"),
            Corrupt,
            move |draft| {
                let (leaf, at) = last(draft, tree);
                let id = draft.key(leaf, at);
                draft.set_key(leaf, at, id - 1);
            },
        ));
        recipes.push(Recipe::new(
            format!("{name}-empty"),
            format!("the {tree} is empty"),
            Corrupt,
            move |draft| {
                let leaf = draft.allocate();
                draft.put_node(leaf, crate::node::Role::Leaf(tree), &[]);
                super::pointers::set_root(draft, tree, leaf);
            },
        ));
    }
    add_roots(recipes);
    add_records(recipes);
}

fn add_roots(recipes: &mut Vec<Recipe>) {
    for (name, root) in [
        ("0", 0),
        ("behind-end", u64::from(METADATA_BLOCKS)),
        ("zeros", u64::from(METADATA_BLOCKS) - 1),
        ("2-to-63", 1 << 63),
        ("all-ones", u64::MAX),
    ] {
        recipes.push(Recipe::new(
            format!("device-root-{name}"),
            format!("a device's root is block {root}"),
            Corrupt,
            move |draft| {
                let (leaf, at) = draft.device_entry(super::sample::DEVICE);
                draft.set_value(leaf, at, root);
            },
        ));
    }
    recipes.push(Recipe::new(
        "device-root-of-other",
        "two devices have the same root, as after a snapshot; only counts tell",
        Opens,
        |draft| {
            let (other, at) = draft.device_entry(2);
            let root = draft.value(other, at);
            let (leaf, at) = draft.device_entry(super::sample::DEVICE);
            draft.set_value(leaf, at, root);
        },
    ));
}

fn add_records(recipes: &mut Vec<Recipe>) {
    let fields = [
        ("mapped-blocks", offset_of!(DeviceDetails, mapped_blocks), 8),
        ("transaction-id", offset_of!(DeviceDetails, transaction_id), 8),
        ("creation-time", offset_of!(DeviceDetails, creation_time), 4),
        ("snapshotted-time", offset_of!(DeviceDetails, snapshotted_time), 4),
    ];
    for (field, offset, width) in fields {
        for (shown, value) in [("0", 0), ("1", 1), ("all-ones", u64::MAX)] {
            recipes.push(Recipe::new(
                format!("details-{field}-{shown}"),
                format!("all records say {field} {value:#x}: a check must tell"),
                Opens,
                move |draft| {
                    for leaf in draft.leaves(Tree::Details) {
                        for at in 0..draft.entries(leaf) {
                            let offset = draft.value_offset(leaf, at) + offset;
                            draft.set(leaf, Field { offset, width, value });
                        }
                    }
                },
            ));
        }
    }
}
