//! Builds dm-thin metadata for tests: healthy pools of a given shape and size, hostile ones by
//! recipe, and edits of single fields, always with right checksums.
//!
//! Only the wire structs and checksums are shared with the reader (`thinscope_core`): what is
//! built is judged by `tests/oracle/reader.py`, which shares nothing.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a program for tests: its input is its own, and a mistake is best a panic"
)]

pub mod answers;
pub mod blocks;
pub mod counts;
pub mod fill;
pub mod finish;
pub mod hostile;
pub mod image;
pub mod mapping;
pub mod miscount;
pub mod model;
pub mod node;
pub mod patch;
pub mod random;
pub mod runs;
pub mod scan;
pub mod shape;
pub mod tree;
pub mod trial;
pub mod work;
pub mod writer;

pub use answers::Answers;
pub use hostile::{Expect, Recipe, recipes};
pub use image::Image;
pub use shape::{Options, Shape, build};

#[cfg(test)]
mod tests;
