//! Pools with a history: devices come, are snapshotted, written to, discarded from, deleted.

use std::io::Result;

use thinscope_core::units::MAX_DEVICE_ID;

use super::{Options, Shape, node_fill};
use crate::answers::Answers;
use crate::image::Image;
use crate::model::{CowTree, Model, Node};
use crate::random::Random;
use crate::writer::Writer;

/// Steps between collections of data blocks that nothing reaches.
const COLLECT: u64 = 50;

/// Steps of the small pool.
const SMALL: u64 = 150;

/// Most devices.
const DEVICES: usize = 40;

/// Ids that random devices get.
const IDS: u64 = 200;

pub(super) fn build(options: &Options, writer: Writer) -> Result<(Image, Answers)> {
    model(options, options.steps).write_pool(Shape::Churn.name(), writer)
}

pub(super) fn build_small(options: &Options, writer: Writer) -> Result<(Image, Answers)> {
    model(options, SMALL).write_pool(Shape::Small.name(), writer)
}

/// Grows an origin until its root is full, takes a snapshot, and goes on until the origin's
/// root splits: the snapshot's root still has the old children.
pub(super) fn build_two_depths(options: &Options, writer: Writer) -> Result<(Image, Answers)> {
    let mut model = Model::new(node_fill(options));
    model.create(1);
    let mut next = 0;
    while root_entries(&model) < options.capacity || height(&model) < options.height {
        model.write(1, next..next + 1);
        next += 1;
    }
    model.snapshot(1, 2);
    let before = height(&model);
    while height(&model) == before {
        model.write(1, next..next + 1);
        next += 1;
    }
    // Both sides part further.
    model.write(2, 1..2);
    model.snapshot(2, 3);
    model.write(1, 0..1);
    model.write_pool(Shape::TwoDepths.name(), writer)
}

fn root_entries(model: &Model) -> usize {
    match model.live.devices.get(1).map(|tree| &**tree.root()) {
        Some(Node::Internal(children)) => children.len(),
        _ => 0,
    }
}

fn height(model: &Model) -> usize {
    let mut node = model.live.devices.get(1).map(CowTree::root);
    let mut height = 0;
    while let Some(Node::Internal(children)) = node.map(|node| &**node) {
        node = children.first().map(|(_, child)| child);
        height += 1;
    }
    height
}

fn model(options: &Options, steps: u64) -> Model {
    let mut random = Random::new(options.geometry.seed).fork(5);
    let mut model = Model::new(node_fill(options));
    // What every such pool has: the lowest and highest id, an empty device, a high virtual
    // block, snapshots of snapshots.
    model.create(0);
    model.write(0, 0..30);
    model.create(MAX_DEVICE_ID);
    model.create(7);
    model.write(7, (1 << 40)..(1 << 40) + 3);
    model.snapshot(0, MAX_DEVICE_ID - 1);
    model.write(0, 10..14);
    model.snapshot(MAX_DEVICE_ID - 1, 3);
    let hold_at = steps / 2;
    for at in 0..steps {
        if at == hold_at && options.metadata_snapshot {
            hold(&mut model);
        }
        if at % COLLECT == 0 {
            model.collect();
        }
        step(&mut model, &mut random, options);
    }
    model
}

/// Makes the metadata snapshot, and sees that it alone keeps something: a device that is gone
/// afterwards, and mappings that are discarded.
fn hold(model: &mut Model) {
    model.create(IDS + 1);
    model.write(IDS + 1, 0..10);
    model.write(0, 100..110);
    model.hold();
    model.delete(IDS + 1);
    model.discard(0, 100..110);
}

fn step(model: &mut Model, random: &mut Random, options: &Options) {
    let ids = model.ids();
    let Some(id) = random.pick(&ids).copied() else { return model.create(random.below(IDS)) };
    let new = random.below(IDS);
    let is_new = !ids.contains(&new);
    let begin = random.below(options.span);
    let blocks = begin..begin + random.between(1, options.longest);
    match random.below(20) {
        0 if is_new && ids.len() < DEVICES => model.create(new),
        1..=3 if is_new && ids.len() < DEVICES => model.snapshot(id, new),
        4 if ids.len() > DEVICES / 2 => model.delete(id),
        5..=7 => model.discard(id, blocks),
        8 => model.next_transaction(),
        // The highest id stays an empty device.
        _ if id != MAX_DEVICE_ID => model.write(id, blocks),
        _ => {}
    }
}
