//! Writes a model as a pool: every distinct node once.

use std::collections::{BTreeSet, HashMap};
use std::io::Result;
use std::rc::Rc;

use thinscope_core::btree::Tree;
use zerocopy::IntoBytes;

use super::{CowTree, Model, Node, Record, State};
use crate::answers::{Answers, DeviceAnswer, Mappings};
use crate::finish::Roots;
use crate::image::Image;
use crate::node::Role;
use crate::shape::details;
use crate::writer::{Edge, Writer};

impl Model {
    /// Writes the pool.
    ///
    /// # Errors
    ///
    /// The pool does not fit its devices, or what the system says.
    pub fn write_pool(&self, shape: &'static str, writer: Writer) -> Result<(Image, Answers)> {
        let geometry = writer.geometry.clone();
        let mut nodes = Nodes { writer, known: HashMap::new() };
        let live = nodes.state(&self.live)?;
        let held = self.held.as_ref().map(|held| nodes.state(held)).transpose()?;
        let finished = nodes.writer.finish(live, held)?;

        let mappings = self.live.mappings();
        let data = mappings.values().flatten().map(|(_, data, _)| *data);
        let distinct_data_blocks = data.collect::<BTreeSet<_>>().len() as u64;
        let roots = self.live.devices.entries().map(|(_, tree)| Rc::as_ptr(tree.root()));
        let distinct_roots = roots.collect::<BTreeSet<_>>().len() as u64;
        let of_pool = (self.live.time, self.live.transaction_id);
        let held = self.held.as_ref().map(State::mappings);
        let (image, answers) = {
            let devices = devices(&mappings);
            let answers =
                Answers::of(shape, &geometry, &finished, of_pool, (devices, distinct_roots));
            (finished.image, answers)
        };
        let answers = Answers {
            distinct_data_blocks,
            snapshot_devices: held.as_ref().map(devices).unwrap_or_default(),
            mappings_by_device: Some(mappings),
            snapshot_mappings_by_device: held,
            ..answers
        };
        Ok((image, answers))
    }
}

fn devices(mappings: &std::collections::BTreeMap<u32, Mappings>) -> Vec<DeviceAnswer> {
    let answer = |(id, mappings): (&u32, &Mappings)| DeviceAnswer {
        id: *id,
        mapped_blocks: mappings.len() as u64,
        data_block_sum: mappings.iter().map(|(_, data, _)| *data).sum(),
        highest_block: mappings.last().map(|(block, _, _)| *block),
    };
    mappings.iter().map(answer).collect()
}

struct Nodes {
    writer: Writer,
    /// The blocks of nodes that were written, by their places in memory.
    known: HashMap<usize, u32>,
}

impl Nodes {
    fn state(&mut self, state: &State) -> Result<Roots> {
        let mapping = self.tree(&state.devices, Tree::TopLevel, &mut |nodes, device| {
            let root = nodes.tree(device, Tree::Mapping, &mut |nodes, value| {
                nodes.writer.data.increment(value >> 24);
                Ok(value.to_le_bytes().to_vec())
            })?;
            nodes.writer.reference(root);
            Ok(u64::from(root).to_le_bytes().to_vec())
        })?;
        let details = self.tree(&state.records, Tree::Details, &mut |_, record| {
            let Record { mapped_blocks, transaction_id, creation_time, snapshotted_time } = *record;
            let record = details(mapped_blocks, transaction_id, creation_time, snapshotted_time);
            Ok(record.as_bytes().to_vec())
        })?;
        let (time, transaction_id) = (state.time, state.transaction_id);
        Ok(Roots { mapping, details, time, transaction_id })
    }

    /// Writes a tree; returns its root. `encode` is asked for each value of a distinct leaf.
    fn tree<V>(
        &mut self,
        tree: &CowTree<V>,
        kind: Tree,
        encode: &mut dyn FnMut(&mut Self, &V) -> Result<Vec<u8>>,
    ) -> Result<u32>
    where
        V: Clone,
    {
        self.node(tree.root(), kind, encode)
    }

    fn node<V>(
        &mut self,
        node: &Rc<Node<V>>,
        kind: Tree,
        encode: &mut dyn FnMut(&mut Self, &V) -> Result<Vec<u8>>,
    ) -> Result<u32> {
        let place = Rc::as_ptr(node).addr();
        if let Some(block) = self.known.get(&place) {
            return Ok(*block);
        }
        let block = match &**node {
            Node::Leaf(entries) => {
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                for (key, value) in entries {
                    keys.push(*key);
                    values.extend(encode(self, value)?);
                }
                let block = self.writer.allocate()?;
                self.writer.put_node(block, Role::Leaf(kind), &keys, &values)?;
                block
            }
            Node::Internal(children) => {
                let mut edges = Vec::new();
                for (key, child) in children {
                    edges.push(Edge { key: *key, block: self.node(child, kind, encode)? });
                }
                self.writer.add_internal(&edges)?.block
            }
        };
        self.known.insert(place, block);
        Ok(block)
    }
}
