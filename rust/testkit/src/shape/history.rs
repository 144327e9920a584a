//! A pool that a text tells step by step, a line for each.
//!
//! | line | what happens |
//! |---|---|
//! | `create 1` | device 1 is made, empty |
//! | `snapshot 1 2` | device 2 is made, a snapshot of 1 |
//! | `write 1 0..4` | virtual blocks 0 to 3 of device 1 are written to; what is mapped newly gets the lowest data blocks that were never mapped |
//! | `discard 1 0..4` | their mappings are taken away |
//! | `map 1 0..4 9` | they are mapped to data blocks 9 to 12, whoever has these too: as no kernel does |
//! | `delete 1` | device 1 is deleted |
//! | `hold` | the metadata snapshot is made |
//! | `leak 9..11` | the data space map counts blocks 9 and 10, which nothing must reach, as used |
//! | `forget 3..4` | it counts block 3, which something must reach, as free |
//!
//! What follows a `#` is a comment.

use std::io::{Error, Result};
use std::ops::Range;

use thinscope_core::units::MAX_DEVICE_ID;

use super::{Options, Shape, node_fill};
use crate::answers::Answers;
use crate::image::Image;
use crate::model::Model;
use crate::writer::Writer;

pub(super) fn build(options: &Options, mut writer: Writer) -> Result<(Image, Answers)> {
    let mut model = Model::new(node_fill(options));
    for (number, line) in (1..).zip(options.history.lines()) {
        let told = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = told.split_whitespace().collect();
        step(&mut model, &mut writer, &words)
            .map_err(|what| Error::other(format!("line {number} of the history: {what}")))?;
    }
    model.write_pool(Shape::History.name(), writer)
}

fn step(model: &mut Model, writer: &mut Writer, words: &[&str]) -> std::result::Result<(), String> {
    let known = |id: &str| {
        let id = number(id)?;
        model.ids().contains(&id).then_some(id).ok_or_else(|| format!("no device {id}"))
    };
    let new = |id: &str| match number(id)? {
        id if id > MAX_DEVICE_ID || model.ids().contains(&id) => {
            Err(format!("{id} cannot be the id of a new device"))
        }
        id => Ok(id),
    };
    match *words {
        [] => {}
        ["create", id] => model.create(new(id)?),
        ["snapshot", origin, id] => model.snapshot(known(origin)?, new(id)?),
        ["write", id, blocks] => model.write(known(id)?, range(blocks)?),
        ["discard", id, blocks] => model.discard(known(id)?, range(blocks)?),
        ["map", id, blocks, data] => {
            let (id, data) = (known(id)?, number(data)?);
            for (block, data) in range(blocks)?.zip(data..) {
                model.map(id, block, data);
            }
        }
        ["delete", id] => model.delete(known(id)?),
        ["hold"] => model.hold(),
        ["leak", blocks] => writer.miscount.leaked.extend(range(blocks)?),
        ["forget", blocks] => writer.miscount.missing.extend(range(blocks)?),
        _ => return Err(format!("what is {}?", words.join(" "))),
    }
    Ok(())
}

fn number(text: &str) -> std::result::Result<u64, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// Reads `3..5`, the end not included.
fn range(text: &str) -> std::result::Result<Range<u64>, String> {
    let (begin, end) = text.split_once("..").ok_or_else(|| format!("{text} is no range"))?;
    Ok(number(begin)?..number(end)?)
}
