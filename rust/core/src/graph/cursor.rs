//! The leaves of one device in key order, without reading any.

use super::{Graph, NodeRef};
use crate::btree::KeyRange;

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
