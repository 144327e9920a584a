//! The leaves of one device in key order, without reading any.

use super::{Graph, NodeRef};
use crate::btree::KeyRange;
use crate::units::index_u32;

/// Walks the leaves below a root in key order, those only that can hold keys of a range.
#[derive(Clone, Debug)]
pub struct LeafCursor {
    wanted: KeyRange,
    /// Nodes still to be visited, the next one last.
    stack: Vec<NodeRef>,
}

impl LeafCursor {
    /// Starts at a root.
    #[must_use]
    pub fn new(root: NodeRef, wanted: KeyRange) -> Self {
        Self { wanted, stack: vec![root] }
    }

    /// The position of the next leaf.
    pub fn next(&mut self, graph: &Graph) -> Option<u32> {
        loop {
            match self.stack.pop()? {
                NodeRef::Leaf(at) => return Some(at),
                NodeRef::Internal(at) => graph.stack_children(at, self.wanted, &mut self.stack),
            }
        }
    }
}

/// Leaves that follow each other in key order, and the keys that they are for.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// All keys there are mappings of in the leaves, if there are any at all.
    pub(crate) keys: KeyRange,
    /// Positions of the leaves, in key order.
    pub(crate) leaves: Vec<u32>,
}

impl Graph {
    /// The leaves below a root from the one that is for `key` on, `most` of them, or fewer where
    /// there are no more.
    pub(crate) fn stretch(&self, root: NodeRef, key: u64, most: usize) -> Stretch {
        let mut keys = KeyRange { first: key, ..KeyRange::ALL };
        let mut leaves = Vec::new();
        // Nodes still to be visited, the next one last, with the keys that they are for.
        let mut stack = vec![(KeyRange::ALL, root)];
        while let Some((range, node)) = stack.pop() {
            match node {
                NodeRef::Leaf(at) => {
                    if leaves.is_empty() {
                        keys.first = key.min(range.first);
                    }
                    leaves.push(at);
                    if leaves.len() >= most {
                        keys.last = range.last;
                        break;
                    }
                }
                NodeRef::Internal(at) => {
                    let Some(node) = self.nodes.get(index_u32(at)) else { continue };
                    let first_child = stack.len();
                    let children = self.children(node);
                    let children = children.map(|(own, child)| (own.intersection(range), child));
                    stack.extend(children.filter(|(range, _)| range.last >= key));
                    if let Some(children) = stack.get_mut(first_child..) {
                        children.reverse();
                    }
                }
            }
        }
        Stretch { keys, leaves }
    }
}
