//! How many nodes the mapping trees would have if they were packed.
//!
//! `thin_dump` of thin-provisioning-tools 1.x writes a run of leaves that several devices share
//! once, and `thin_restore` packs each such run into leaves that all these devices get. Watching
//! the two gives the rules that are followed here: a leaf has 252 mappings, but the last two of
//! a run are halved; a device's own mappings between shared runs are packed by themselves; where
//! that, or a shared run, would leave less than half a leaf, the neighbouring leaf is taken
//! apart and packed with it, for this device alone. No internal node is shared.

use std::collections::HashMap;

use crate::dump::leaf_runs::LeafRuns;
use crate::error::Result;
use crate::graph::{Graph, MAX_ENTRIES, NodeRef};
use crate::units::index_u32;
use crate::watch::Watch;

/// Leaves with less are packed with their neighbours.
const LEAST: u64 = MAX_ENTRIES / 2;

/// How many times, on average, an internal node is looked at in different states before states
/// are made equal. Real pools need two or three.
const MAX_LOOKS: usize = 16;

/// The nodes of the packed trees of all devices. `entries` has the mappings of each leaf.
///
/// Cost: by nodes and edges. Memory: 21 bytes a leaf, 80 for each look at an internal node.
///
/// # Errors
///
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub(super) fn packed_nodes(
    graph: &Graph,
    entries: impl Iterator<Item = u32>,
    watch: &Watch,
) -> Result<u64> {
    let mut packer = Packer::of(graph, entries);
    let mut nodes = 0_u64;
    for (_, root) in graph.roots() {
        nodes = nodes.saturating_add(packer.device(*root));
        watch.advance(0)?;
    }
    Ok(nodes.saturating_add(packer.shared_leaves()))
}

/// The nodes of packed trees with so many mappings each, of which none is shared.
pub(super) fn unshared_nodes(mapped: impl Iterator<Item = u64>) -> u64 {
    mapped.fold(0, |nodes, mapped| {
        let leaves = Leaves::of(mapped).count;
        nodes.saturating_add(leaves).saturating_add(internal_nodes(leaves))
    })
}

/// The nodes above so many leaves.
fn internal_nodes(leaves: u64) -> u64 {
    let (mut nodes, mut level) = (0_u64, leaves);
    while level > 1 {
        level = level.div_ceil(MAX_ENTRIES);
        nodes = nodes.saturating_add(level);
    }
    nodes
}

/// Mappings packed into leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaves {
    /// An empty tree has a leaf, too.
    count: u64,
    /// Mappings in the first.
    first: u64,
    /// Mappings in the last.
    last: u64,
}

impl Leaves {
    fn of(mapped: u64) -> Self {
        let count = mapped.div_ceil(MAX_ENTRIES).max(1);
        // The last two share what is left.
        let full = count.saturating_sub(2).saturating_mul(MAX_ENTRIES);
        let left = mapped.saturating_sub(full);
        match count {
            1 => Self { count, first: mapped, last: mapped },
            2 => Self { count, first: left / 2, last: left.div_ceil(2) },
            _ => Self { count, first: MAX_ENTRIES, last: left.div_ceil(2) },
        }
    }
}

/// A leaf run.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    /// Its mappings: less than 2³², as each leaf is in one run.
    mapped: u32,
    /// Of a run that several devices have.
    shared: Option<Shared>,
}

/// Which of the leaves that a shared run is packed into at least one device has.
#[derive(Clone, Copy, Debug, Default)]
struct Shared {
    /// The first of several.
    has_first: bool,
    /// Those between.
    has_inner: bool,
    /// The last or only one.
    has_last: bool,
}

impl Run {
    fn leaves(self) -> Leaves {
        Leaves::of(u64::from(self.mapped))
    }

    /// The leaves that at least one device has.
    fn shared_leaves(self) -> u64 {
        let Some(shared) = self.shared else { return 0 };
        let inner = if shared.has_inner { self.leaves().count.saturating_sub(2) } else { 0 };
        let ends = u64::from(shared.has_first).saturating_add(u64::from(shared.has_last));
        inner.saturating_add(ends)
    }
}

/// A device, or a part of it, that is being packed.
#[derive(Clone, Copy, Debug, Default)]
struct Packed {
    /// Leaves that no other device has.
    own: u64,
    /// Leaves of shared runs.
    shared: u64,
    /// Mappings that are not in a leaf yet.
    pending: u64,
    /// Mappings of the last leaf.
    last: u64,
    /// The shared run that the last leaf is of.
    last_shared: Option<u32>,
    /// The leaf run that was packed last.
    run: Option<u32>,
}

struct Packer<'a> {
    graph: &'a Graph,
    leaf_runs: LeafRuns,
    /// By the first leaf.
    runs: Vec<Run>,
    /// What nodes come to: by whether their first run is packed already, and what is pending.
    known: HashMap<(u32, bool, u64), Packed>,
    /// How many more of those may be found before states are made equal.
    looks: usize,
}

impl<'a> Packer<'a> {
    fn of(graph: &'a Graph, entries: impl Iterator<Item = u32>) -> Self {
        // All leaves were read: what is lost came with no entries.
        let leaf_runs = LeafRuns::of(graph, true);
        let mut runs = vec![Run::default(); graph.leaves().len()];
        for (leaf, entries) in (0_u32..).zip(entries) {
            if let Some(run) = runs.get_mut(index_u32(leaf_runs.head(leaf))) {
                run.mapped = run.mapped.saturating_add(entries);
                run.shared = leaf_runs.is_shared(leaf).then(Shared::default);
            }
        }
        let looks = graph.nodes().len().saturating_mul(MAX_LOOKS);
        Self { graph, leaf_runs, runs, known: HashMap::new(), looks }
    }

    /// Packs a device, and returns how many nodes it has for itself.
    fn device(&mut self, root: NodeRef) -> u64 {
        let mut packed = Packed::default();
        let ends = self.leaf_runs.ends(root);
        let heads = ends.map(|(first, last)| [first, last].map(|leaf| self.leaf_runs.head(leaf)));
        match heads {
            // Nothing stands beside it that it could be packed with.
            Some([head, last]) if head == last && self.shared(head).is_some() => {
                self.refer(head, false, &mut packed);
            }
            _ => self.node(root, &mut packed),
        }
        let leaves = packed.own.saturating_add(packed.shared);
        if packed.pending > 0 && packed.pending < LEAST && leaves > 0 {
            packed.pending = packed.pending.saturating_add(packed.last);
            match packed.last_shared.take() {
                Some(_) => packed.shared = packed.shared.saturating_sub(1),
                None => packed.own = packed.own.saturating_sub(1),
            }
        }
        self.flush(&mut packed);
        self.keep_last(&mut packed);
        if packed.own == 0 && packed.shared == 0 {
            packed.own = 1;
        }
        let internal = internal_nodes(packed.own.saturating_add(packed.shared));
        packed.own.saturating_add(internal)
    }

    /// Packs what is below a node behind what was packed before.
    fn node(&mut self, node: NodeRef, packed: &mut Packed) {
        let Some((first, last)) = self.leaf_runs.ends(node) else { return };
        let (first, last) = (self.leaf_runs.head(first), self.leaf_runs.head(last));
        let NodeRef::Internal(at) = node else { return self.run(first, packed) };
        if first == last {
            return self.run(first, packed);
        }
        let goes_on = packed.run == Some(first);
        let is_shared = self.runs.get(index_u32(first)).is_some_and(|run| run.shared.is_some());
        if self.looks == 0 || (packed.pending >= LEAST && is_shared && !goes_on) {
            self.flush(packed);
        }
        let key = (at, goes_on, packed.pending);
        let below = if let Some(below) = self.known.get(&key) {
            *below
        } else {
            self.looks = self.looks.saturating_sub(1);
            let (pending, run) = (packed.pending, packed.run);
            let mut below = Packed { pending, run, ..Packed::default() };
            let graph = self.graph;
            if let Some(node) = graph.nodes().get(index_u32(at)) {
                for (_, child) in graph.children(node) {
                    self.node(child, &mut below);
                }
            }
            self.known.insert(key, below);
            below
        };
        if below.own > 0 || below.shared > 0 {
            self.keep_last(packed);
            (packed.last, packed.last_shared) = (below.last, below.last_shared);
        }
        packed.own = packed.own.saturating_add(below.own);
        packed.shared = packed.shared.saturating_add(below.shared);
        (packed.pending, packed.run) = (below.pending, below.run);
    }

    /// Packs a leaf run, unless it is the one that was packed last.
    fn run(&mut self, head: u32, packed: &mut Packed) {
        if packed.run.replace(head) == Some(head) {
            return;
        }
        let Some(run) = self.runs.get(index_u32(head)).copied() else { return };
        if run.shared.is_none() {
            packed.pending = packed.pending.saturating_add(u64::from(run.mapped));
            return;
        }
        let leaves = run.leaves();
        let is_short = packed.pending > 0 && packed.pending < LEAST;
        if !is_short {
            self.flush(packed);
        }
        // The first leaf is taken apart: for what is pending, or because it is short itself.
        let is_taken = is_short || leaves.first < LEAST;
        if is_taken {
            packed.pending = packed.pending.saturating_add(leaves.first);
        }
        self.refer(head, is_taken, packed);
    }

    /// Gives the device the leaves of a shared run, but for the first one if it is taken apart.
    fn refer(&mut self, head: u32, is_taken: bool, packed: &mut Packed) {
        let Some(run) = self.runs.get(index_u32(head)) else { return };
        let leaves = run.leaves();
        let shared = leaves.count.saturating_sub(u64::from(is_taken));
        if shared == 0 {
            return;
        }
        self.flush(packed);
        self.keep_last(packed);
        packed.shared = packed.shared.saturating_add(shared);
        (packed.last, packed.last_shared) = (leaves.last, Some(head));
        if let Some(shared) = self.shared(head) {
            shared.has_first |= !is_taken && leaves.count > 1;
            shared.has_inner |= leaves.count > 2;
        }
    }

    /// Puts what is pending into leaves.
    fn flush(&mut self, packed: &mut Packed) {
        if packed.pending == 0 {
            return;
        }
        self.keep_last(packed);
        let leaves = Leaves::of(packed.pending);
        packed.own = packed.own.saturating_add(leaves.count);
        packed.last = leaves.last;
        packed.pending = 0;
    }

    /// Notes that the last leaf stays as it is: another one follows, or nothing.
    fn keep_last(&mut self, packed: &mut Packed) {
        let head = packed.last_shared.take();
        if let Some(shared) = head.and_then(|head| self.shared(head)) {
            shared.has_last = true;
        }
    }

    fn shared(&mut self, head: u32) -> Option<&mut Shared> {
        self.runs.get_mut(index_u32(head))?.shared.as_mut()
    }

    /// The leaves of shared runs that at least one device still has.
    fn shared_leaves(&self) -> u64 {
        self.runs.iter().fold(0, |leaves, run| leaves.saturating_add(run.shared_leaves()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_leaves_are_halved() {
        let packed = [0, 1, 252, 253, 504, 505, 700, 756, 757].map(|mapped| {
            let Leaves { count, first, last } = Leaves::of(mapped);
            (count, first, last)
        });
        let expected = [
            (1, 0, 0),
            (1, 1, 1),
            (1, 252, 252),
            (2, 126, 127),
            (2, 252, 252),
            (3, 252, 127),
            (3, 252, 224),
            (3, 252, 252),
            (4, 252, 127),
        ];
        assert_eq!(packed, expected);
    }

    #[test]
    fn levels_above_leaves() {
        let nodes = [0, 1, 2, 252, 253, 63_504, 63_505].map(internal_nodes);
        assert_eq!(nodes, [0, 0, 1, 1, 3, 253, 256]);
    }
}
