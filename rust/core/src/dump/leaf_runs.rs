//! The leaf lists of all devices, cut into what a dump writes in one piece.
//!
//! Each device is a list of leaves in key order. The lists are cut wherever two of them part or
//! meet, so that a *leaf run* is as long as it can be and yet whole in every list that has any of
//! it. Found by nodes and edges, not by the lists: what a thousand devices share is looked at once.
//!
//! A leaf comes once in a list. The only ones that could come again are those of which edges admit
//! no key: whoever goes on around what is broken leaves them out, since they are lost.

use crate::graph::{Graph, NodeRef};
use crate::units::index_u32;

/// No leaf has been seen there yet.
const UNSEEN: u32 = u32::MAX;

/// A list begins or ends there, or different leaves have been seen there.
const CUT: u32 = u32::MAX - 1;

/// How the leaf lists are cut. Leaves go by their positions in the graph.
///
/// Memory: 10 bytes a leaf, 4 more while it is made; 12 bytes an internal node.
#[derive(Debug)]
pub(crate) struct LeafRuns {
    /// First and last leaf below each internal node, if there are any.
    ends: Vec<Option<(u32, u32)>>,
    /// Whether a leaf stands in no list.
    is_left_out: Vec<bool>,
    /// The leaf after each leaf, where every list has the two together.
    next: Vec<u32>,
    /// The first leaf of the run that each leaf is in.
    heads: Vec<u32>,
    /// Whether several devices reach each leaf.
    is_shared: Vec<bool>,
}

impl LeafRuns {
    /// Cuts the lists of all devices of the graph, which is read around what is broken, or is to
    /// end with it. Cost: by nodes and edges.
    pub(crate) fn of(graph: &Graph, is_around: bool) -> Self {
        let leaves = graph.leaves().len();
        let mut runs = Self {
            ends: Vec::new(),
            is_left_out: graph.excluded_leaves().map(|leaf| leaf && is_around).collect(),
            next: vec![UNSEEN; leaves],
            heads: Vec::new(),
            is_shared: graph.shared_leaves(),
        };
        for (is_shared, is_left_out) in runs.is_shared.iter_mut().zip(&runs.is_left_out) {
            *is_shared &= !is_left_out;
        }
        runs.find_ends(graph);
        let mut before = vec![UNSEEN; leaves];
        runs.meet_neighbours(graph, &mut before);
        // Two leaves stay together where each has the other as its only neighbour. A list is
        // finite and its last leaf has none, so no chain of them is a ring.
        for (leaf, next) in (0_u32..).zip(&mut runs.next) {
            if at(&before, *next) != Some(leaf) {
                *next = CUT;
            }
        }
        runs.heads = before;
        runs.name_runs();
        runs
    }

    /// First and last leaf below a node, if there are any.
    pub(crate) fn ends(&self, node: NodeRef) -> Option<(u32, u32)> {
        match node {
            NodeRef::Leaf(leaf) => {
                (at(&self.is_left_out, leaf) != Some(true)).then_some((leaf, leaf))
            }
            NodeRef::Internal(node) => at(&self.ends, node).flatten(),
        }
    }

    /// The leaf after this one in the same run.
    pub(crate) fn next(&self, leaf: u32) -> Option<u32> {
        at(&self.next, leaf).filter(|next| *next < CUT)
    }

    /// The first leaf of the run that a leaf is in.
    pub(crate) fn head(&self, leaf: u32) -> u32 {
        at(&self.heads, leaf).unwrap_or(leaf)
    }

    /// Whether several devices have the run of this leaf.
    pub(crate) fn is_shared(&self, leaf: u32) -> bool {
        at(&self.is_shared, leaf).unwrap_or_default()
    }

    /// The first leaves of all runs that several devices have, ascending.
    pub(crate) fn shared_heads(&self) -> impl Iterator<Item = u32> {
        let heads = (0_u32..).zip(&self.heads).filter(|(leaf, head)| leaf == *head);
        heads.map(|(leaf, _)| leaf).filter(|leaf| self.is_shared(*leaf))
    }

    fn find_ends(&mut self, graph: &Graph) {
        self.ends = vec![None; graph.nodes().len()];
        // Children stand behind their parents.
        for (place, node) in graph.nodes().iter().enumerate().rev() {
            let mut leaves = graph.children(node).filter_map(|(_, child)| self.ends(child));
            let Some((first, last)) = leaves.next() else { continue };
            let last = leaves.last().map_or(last, |(_, last)| last);
            if let Some(slot) = self.ends.get_mut(place) {
                *slot = Some((first, last));
            }
        }
    }

    /// Notes which leaf stands before and after each leaf, in all lists.
    fn meet_neighbours(&mut self, graph: &Graph, before: &mut [u32]) {
        for (_, root) in graph.roots() {
            let Some((first, last)) = self.ends(*root) else { continue };
            meet(before, first, CUT);
            meet(&mut self.next, last, CUT);
        }
        for node in graph.nodes() {
            let mut left = None;
            for (_, child) in graph.children(node) {
                let Some((first, last)) = self.ends(child) else { continue };
                if let Some(left) = left {
                    meet(&mut self.next, left, first);
                    meet(before, first, left);
                }
                left = Some(last);
            }
        }
    }

    /// Turns the leaf before each leaf, in `heads`, into the first of its run.
    fn name_runs(&mut self) {
        let has_left = |leaf: u32, left: u32| at(&self.next, left) == Some(leaf);
        let firsts: Vec<u32> = (0_u32..)
            .zip(&self.heads)
            .filter(|(leaf, left)| !has_left(*leaf, **left))
            .map(|(leaf, _)| leaf)
            .collect();
        for head in firsts {
            let mut member = Some(head);
            while let Some(leaf) = member {
                if let Some(slot) = self.heads.get_mut(index_u32(leaf)) {
                    *slot = head;
                }
                member = self.next(leaf);
            }
        }
    }
}

fn at<T: Copy>(values: &[T], place: u32) -> Option<T> {
    values.get(index_u32(place)).copied()
}

/// Notes a neighbour; a second one that is another cuts.
fn meet(neighbours: &mut [u32], leaf: u32, neighbour: u32) {
    if let Some(known) = neighbours.get_mut(index_u32(leaf)) {
        *known = if *known == UNSEEN || *known == neighbour { neighbour } else { CUT };
    }
}
