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
            let at = match self.stack.pop()? {
                NodeRef::Leaf(at) => return Some(at),
                NodeRef::Internal(at) => at,
            };
            let Some(node) = graph.node(at) else {
                continue;
            };
            let first_child = self.stack.len();
            let wanted = graph.children(node).filter(|(range, _)| {
                range.last >= self.wanted.first && range.first <= self.wanted.last
            });
            self.stack.extend(wanted.map(|(_, child)| child));
            if let Some(children) = self.stack.get_mut(first_child..) {
                children.reverse();
            }
        }
    }
}
