//! Data blocks that random sets of devices share, below leaves of their own and shared ones.

use std::io::Result;

use super::{Options, Shape, node_fill};
use crate::answers::Answers;
use crate::image::Image;
use crate::model::Model;
use crate::random::Random;
use crate::writer::Writer;

/// One in so many devices is new, and not a snapshot of another.
const NEW: u64 = 3;

/// One in so many devices is gone soon after the metadata snapshot was made.
const GONE: u64 = 6;

/// Maps random runs of random devices to random runs of data blocks, which are as many as the
/// virtual blocks. A device may map a data block twice, as no kernel does. With a metadata
/// snapshot, made halfway, some devices are deleted behind it. The last device stays empty.
pub(super) fn build(options: &Options, writer: Writer) -> Result<(Image, Answers)> {
    let mut random = Random::new(options.geometry.seed).fork(7);
    let mut model = Model::new(node_fill(options));
    // What is mapped has time 0: it may be shared, by all devices' snapshotted times.
    model.live.time = 1;
    let last = u64::from(options.devices.saturating_sub(1));
    let hold_at = options.steps / 2;
    let mut made = 0;
    for step in 0..options.steps {
        if made < last && step * last >= made * options.steps {
            make(&mut model, &mut random, made);
            made += 1;
        }
        if step == hold_at && options.metadata_snapshot {
            model.hold();
            for id in model.ids() {
                if random.once_in(GONE) {
                    model.delete(id);
                }
            }
        }
        let ids = model.ids();
        let Some(id) = random.pick(&ids).copied() else { continue };
        let (begin, data) = (random.below(options.span), random.below(options.span));
        for at in 0..random.between(1, options.longest) {
            model.map(id, begin + at, data + at);
        }
    }
    for id in made..u64::from(options.devices) {
        model.create(id);
    }
    model.write_pool(Shape::Tangle.name(), writer)
}

fn make(model: &mut Model, random: &mut Random, id: u64) {
    let ids = model.ids();
    match random.pick(&ids) {
        Some(origin) if !random.once_in(NEW) => model.snapshot(*origin, id),
        _ => model.create(id),
    }
}
