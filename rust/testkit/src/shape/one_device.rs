//! One device.

use std::io::Result;

use super::{Entry, Options, Shape, finish};
use crate::answers::Answers;
use crate::image::Image;
use crate::mapping::MappingWriter;
use crate::runs::Runs;
use crate::tree::write_spine;
use crate::writer::Writer;

/// A device without snapshots: its mappings have any time, and none is shared.
pub(super) fn build(options: &Options, mut writer: Writer) -> Result<(Image, Answers)> {
    let seed = options.geometry.seed;
    let mut leaves = MappingWriter::new(options.leaves(), options.mappings, seed);
    for run in Runs::new(options.runs(options.time), seed) {
        leaves.push(&mut writer, run)?;
    }
    let (edges, sums) = leaves.finish(&mut writer)?;
    let root = write_spine(&mut writer, edges, options.node_fill)?;
    let entry = Entry {
        root,
        answer: sums.answer(1),
        transaction_id: 0,
        creation_time: 0,
        snapshotted_time: 0,
    };
    finish(Shape::OneDevice, options, writer, &[entry], options.time)
}
