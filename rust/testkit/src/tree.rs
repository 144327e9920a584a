//! Trees written from the leaves up, out of entries in the order of their keys.

use std::io::Result;

use thinscope_core::btree::Tree;

use crate::fill::Fill;
use crate::node::{Role, capacity};
use crate::random::Random;
use crate::writer::{Edge, Writer};

/// Writes a tree of so many entries; returns its root. References in the values are the
/// caller's to count.
///
/// # Errors
///
/// No block is left, or what the system says.
pub fn write_tree<const N: usize>(
    writer: &mut Writer,
    tree: Tree,
    count: u64,
    entries: impl Iterator<Item = (u64, [u8; N])>,
) -> Result<u32> {
    let role = Role::Leaf(tree);
    let fill = writer.geometry.tree_fill.within(capacity(role.value_size()));
    let mut random = Random::new(writer.geometry.seed).fork(tree.value_size() as u64);
    let mut entries = entries.fuse();
    let (mut left, mut edges) = (count, Vec::new());
    loop {
        let taken = fill.take(left, &mut random);
        let (keys, values): (Vec<_>, Vec<_>) = entries.by_ref().take(taken as usize).unzip();
        let block = writer.allocate()?;
        writer.put_node(block, role, &keys, values.as_flattened())?;
        edges.push(Edge { key: keys.first().copied().unwrap_or(0), block });
        left -= taken;
        if left == 0 {
            break;
        }
    }
    let fill = writer.geometry.tree_fill;
    write_spine(writer, edges, fill)
}

/// Writes the internal nodes above some nodes, level by level; returns the root.
///
/// # Errors
///
/// No block is left, or what the system says.
pub fn write_spine(writer: &mut Writer, mut edges: Vec<Edge>, fill: Fill) -> Result<u32> {
    let fill = spine_fill(fill);
    let mut random = Random::new(writer.geometry.seed).fork(edges.len() as u64);
    while edges.len() > 1 {
        let mut above = Vec::with_capacity(edges.len() / fill.low as usize + 1);
        let mut rest = edges.as_slice();
        while !rest.is_empty() {
            let (children, behind) =
                rest.split_at(fill.take(rest.len() as u64, &mut random) as usize);
            above.push(writer.add_internal(children)?);
            rest = behind;
        }
        edges = above;
    }
    Ok(edges.first().map_or(0, |edge| edge.block))
}

/// A fill that comes to an end: with one child a node, levels would never get narrower.
#[must_use]
pub fn spine_fill(fill: Fill) -> Fill {
    let high = fill.high.max(2);
    Fill { low: fill.low.max(2), high: high.max(fill.low) }.within(capacity(8))
}
