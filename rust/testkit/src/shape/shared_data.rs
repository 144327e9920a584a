//! Devices that map the same data blocks through leaves of their own.

use std::io::Result;

use super::{Entry, Options, Shape, finish};
use crate::answers::Answers;
use crate::image::Image;
use crate::mapping::MappingWriter;
use crate::random::Random;
use crate::runs::{Run, Runs};
use crate::tree::write_spine;
use crate::writer::Writer;

/// Every device maps the same virtual blocks; some runs of each lie in data blocks of its own.
pub(super) fn build(options: &Options, mut writer: Writer) -> Result<(Image, Answers)> {
    let seed = options.geometry.seed;
    let time = options.devices.saturating_sub(1).max(1);
    let mut data_next = options.mappings;
    let mut entries = Vec::new();
    for id in 0..options.devices {
        let mut random = Random::new(seed).fork(100 + u64::from(id));
        let mut leaves = MappingWriter::new(options.leaves(), options.mappings, random.number());
        for run in Runs::new(options.runs(0), seed) {
            let is_own = random.below(1_000_000) < options.changed;
            if is_own {
                leaves.push(&mut writer, Run { data_begin: data_next, time, ..run })?;
                data_next += run.length;
            } else {
                leaves.push(&mut writer, run)?;
            }
        }
        let (edges, sums) = leaves.finish(&mut writer)?;
        entries.push(Entry {
            root: write_spine(&mut writer, edges, options.node_fill)?,
            answer: sums.answer(id),
            transaction_id: u64::from(id),
            creation_time: id,
            // Shared blocks have time 0, which must be less than this.
            snapshotted_time: if id == 0 { time } else { id },
        });
    }
    finish(Shape::SharedData, options, writer, &entries, time)
}
