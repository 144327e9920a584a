//! What is tried on the reader with any bytes at all: the bodies of the fuzz targets in `rust/fuzz`.
//!
//! An input is never the source itself, where that would only ever break a checksum: it is a
//! [`script`] of edits to a small healthy pool, or the bytes of a block, which get the checksum that
//! they need. What the reader then answers must not contradict itself, nor what [`naive`] finds, which
//! shares nothing with it but the layout of the structures. A contradiction is a panic, so that a
//! fuzzer keeps the input.
//!
//! The meaning of an input must stay what it is: regressions are kept as inputs.

mod dump;
mod edit;
mod fragmentation;
mod input;
mod naive;
pub mod node;
mod overlay;
pub mod pack;
mod packer;
pub mod pool;
pub(crate) mod reading;
pub mod salvage;
mod script;
pub mod seeds;
mod sharing;
pub mod space_map;
pub mod superblock;

/// What is done with an input. Panics where the reader is wrong.
pub type Trial = fn(&[u8]);

/// All trials by name.
pub const TRIALS: [(&str, Trial); 6] = [
    ("superblock", superblock::run),
    ("node", node::run),
    ("space_map", space_map::run),
    ("pool", pool::run),
    ("salvage", salvage::run),
    ("pack", pack::run),
];

/// The pool that an input of `pool` and `salvage`, or of `space_map`, stands for.
#[must_use]
pub fn image(input: &[u8], is_of_space_maps: bool) -> Vec<u8> {
    script::overlay(input, is_of_space_maps).bytes()
}
