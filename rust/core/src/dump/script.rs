//! What a dump writes, in order: shared leaf runs first, then the devices.

use super::leaf_runs::LeafRuns;
use crate::btree::KeyRange;
use crate::devices::Device;
use crate::graph::{Graph, NodeRef};
use crate::units::DeviceId;

/// One step of a dump. Leaves go by their positions in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A shared run begins; its first leaf names it.
    DefinitionBegin(u32),
    DefinitionEnd,
    DeviceBegin(&'a Device),
    DeviceEnd,
    /// The shared run that this leaf names comes here.
    Reference(u32),
    /// The mappings of a leaf. Each leaf comes once.
    Leaf(u32),
}

/// Tells the steps one by one. Cost: by steps, times the height of the trees.
#[derive(Debug)]
pub(super) struct Script<'a> {
    graph: &'a Graph,
    runs: &'a LeafRuns,
    definitions: std::vec::IntoIter<u32>,
    /// Those still to come.
    devices: std::slice::Iter<'a, Device>,
    /// Their roots.
    roots: std::slice::Iter<'a, (DeviceId, NodeRef)>,
    place: Place,
    /// The next leaf of the run that is being written.
    leaf: Option<u32>,
    /// The run of the device that was written or referred to last.
    last_head: Option<u32>,
    /// Nodes of the device still to be visited, the next one last.
    stack: Vec<NodeRef>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Definition,
    Device,
    Between,
}

impl<'a> Script<'a> {
    /// The devices are those of the graph.
    pub(super) fn new(devices: &'a [Device], graph: &'a Graph, runs: &'a LeafRuns) -> Self {
        let definitions: Vec<u32> = runs.shared_heads().collect();
        Self {
            graph,
            runs,
            definitions: definitions.into_iter(),
            devices: devices.iter(),
            roots: graph.roots().iter(),
            place: Place::Between,
            leaf: None,
            last_head: None,
            stack: Vec::new(),
        }
    }

    fn begin_next(&mut self) -> Option<Step<'a>> {
        if let Some(head) = self.definitions.next() {
            self.place = Place::Definition;
            self.leaf = Some(head);
            return Some(Step::DefinitionBegin(head));
        }
        let (device, (_, root)) = (self.devices.next()?, self.roots.next()?);
        self.place = Place::Device;
        self.last_head = None;
        self.stack.push(*root);
        Some(Step::DeviceBegin(device))
    }

    /// The next run of the device.
    fn next_run(&mut self) -> Option<u32> {
        loop {
            let node = self.stack.pop()?;
            let Some((first, last)) = self.runs.ends(node) else { continue };
            let head = self.runs.head(first);
            if let NodeRef::Internal(node) = node
                && head != self.runs.head(last)
            {
                self.graph.stack_children(node, KeyRange::ALL, &mut self.stack);
            } else if self.last_head.replace(head) != Some(head) {
                // A run is whole in each list: all below the node, and maybe more, is of it.
                return Some(head);
            }
        }
    }
}

impl<'a> Iterator for Script<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        loop {
            if let Some(leaf) = self.leaf {
                self.leaf = self.runs.next(leaf);
                return Some(Step::Leaf(leaf));
            }
            match self.place {
                Place::Between => return self.begin_next(),
                Place::Definition => {
                    self.place = Place::Between;
                    return Some(Step::DefinitionEnd);
                }
                Place::Device => match self.next_run() {
                    Some(head) if self.runs.is_shared(head) => return Some(Step::Reference(head)),
                    Some(head) => self.leaf = Some(head),
                    None => {
                        self.place = Place::Between;
                        return Some(Step::DeviceEnd);
                    }
                },
            }
        }
    }
}
