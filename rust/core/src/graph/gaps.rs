//! What is missing of devices, as key ranges: what lies below edges that were cut, and in leaves
//! that are broken.

use std::sync::Arc;

use super::{CUT, Graph, InternalNode, NodeRef};
use crate::btree::KeyRange;
use crate::damage::Damage;
use crate::error::Error;
use crate::units::{DeviceId, MetadataBlock, index_u32, low_u32, widen};

/// Virtual blocks of a device of which is not known whether, and to what, they are mapped.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The device.
    pub device: DeviceId,
    /// Which of the graph's roots is the device's, or none where no tree is found.
    pub root: Option<usize>,
    /// The virtual blocks, as the edges above tell; the last device block is not known.
    pub range: KeyRange,
    /// What is broken.
    pub error: Arc<Error>,
}

/// The gaps of all devices of a graph.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    /// Devices in the order of their ids, ranges ascending.
    pub gaps: Vec<Gap>,
    /// Gaps beyond those that were asked for at most.
    pub more: u64,
    /// Whether something of the held metadata snapshot is missing: what only it keeps is not known.
    pub held_is_damaged: bool,
}

/// How many gaps lie below each node.
struct Marks {
    nodes: Vec<u64>,
    leaves: Vec<bool>,
}

impl Graph {
    /// The gaps of all devices, `most` of them, where `damage` has all broken leaves. Cost: by
    /// the nodes, and by `most`; gaps beyond are not gone to, but counted node by node.
    #[must_use]
    pub fn gaps(&self, damage: &Damage, most: usize) -> Gaps {
        let marks = self.marks(damage);
        let mut found = Gaps::default();
        for (at, (device, root)) in self.roots.iter().enumerate() {
            let mut stack = vec![(Step::Node(*root), KeyRange::ALL)];
            while let Some((step, range)) = stack.pop() {
                if found.gaps.len() >= most {
                    found.more = found.more.saturating_add(marks.count(step));
                    continue;
                }
                let error = match step {
                    Step::Cut(entry) => self.cuts.get(&entry).cloned(),
                    Step::Node(NodeRef::Leaf(at)) => self.leaf_error(at, &marks, damage),
                    Step::Node(NodeRef::Internal(at)) => {
                        self.stack_broken(at, range, &marks, &mut stack);
                        None
                    }
                };
                let Some(error) = error else { continue };
                found.gaps.push(Gap { device: *device, root: Some(at), range, error });
            }
        }
        found
    }

    /// The internal nodes on the way from a root down to a key, as far as the way is known.
    #[must_use]
    pub fn spine(&self, root: usize, key: u64) -> Vec<MetadataBlock> {
        let mut spine = Vec::new();
        let mut next = self.roots.get(root).map(|(_, root)| *root);
        while let Some(NodeRef::Internal(at)) = next
            && let Some(node) = self.nodes.get(index_u32(at))
        {
            spine.push(node.block);
            let mut children = self.children(node);
            next = children.find(|(range, _)| range.contains(key)).map(|(_, child)| child);
        }
        spine
    }

    fn leaf_error(&self, at: u32, marks: &Marks, damage: &Damage) -> Option<Arc<Error>> {
        let is_broken = marks.leaves.get(index_u32(at)) == Some(&true);
        let block = self.leaves.get(index_u32(at)).filter(|_| is_broken)?;
        damage.of(*block)
    }

    fn marks(&self, damage: &Damage) -> Marks {
        let mut leaves = vec![false; self.leaves.len()];
        for (block, _) in damage.all() {
            if let Ok(at) = self.leaves.binary_search(&block)
                && let Some(mark) = leaves.get_mut(at)
            {
                *mark = true;
            }
        }
        let mut marks = Marks { nodes: vec![0; self.nodes.len()], leaves };
        // Children stand behind their parents.
        for (at, node) in self.nodes.iter().enumerate().rev() {
            let entries = node.entries();
            let (start, end) = (low_u32(widen(entries.start)), low_u32(widen(entries.end)));
            let cuts = widen(self.cuts.range(start..end).count());
            let below = self.children(node).map(|(_, child)| marks.count(Step::Node(child)));
            let count = below.fold(cuts, u64::saturating_add);
            if let Some(mark) = marks.nodes.get_mut(at) {
                *mark = count;
            }
        }
        marks
    }

    /// Puts what is broken below a node on the stack, the first of it last.
    fn stack_broken(
        &self,
        at: u32,
        own: KeyRange,
        marks: &Marks,
        stack: &mut Vec<(Step, KeyRange)>,
    ) {
        let Some(node) = self.nodes.get(index_u32(at)) else { return };
        let first_new = stack.len();
        for (entry, range, child) in self.edges(node) {
            let step = if child == CUT {
                Step::Cut(entry)
            } else if node.height == 1 {
                Step::Node(NodeRef::Leaf(child))
            } else {
                Step::Node(NodeRef::Internal(child))
            };
            if marks.count(step) > 0 {
                stack.push((step, range.intersection(own)));
            }
        }
        if let Some(new) = stack.get_mut(first_new..) {
            new.reverse();
        }
    }

    /// All edges of a node, those that were cut as well.
    fn edges(&self, node: &InternalNode) -> impl Iterator<Item = (u32, KeyRange, u32)> {
        let keys = self.keys.get(node.entries()).unwrap_or_default();
        let children = self.children.get(node.entries()).unwrap_or_default();
        let lasts =
            keys.iter().skip(1).map(|key| key.saturating_sub(1)).chain([KeyRange::ALL.last]);
        let ranges = keys.iter().zip(lasts).map(|(first, last)| KeyRange { first: *first, last });
        let entries = low_u32(widen(node.entries().start))..;
        entries.zip(ranges).zip(children).map(|((entry, range), child)| (entry, range, *child))
    }
}

/// Where a walk to what is broken goes on.
#[derive(Clone, Copy)]
enum Step {
    Node(NodeRef),
    Cut(u32),
}

impl Marks {
    fn count(&self, step: Step) -> u64 {
        match step {
            Step::Cut(_) => 1,
            Step::Node(NodeRef::Internal(at)) => {
                self.nodes.get(index_u32(at)).copied().unwrap_or_default()
            }
            Step::Node(NodeRef::Leaf(at)) => {
                u64::from(self.leaves.get(index_u32(at)) == Some(&true))
            }
        }
    }
}
