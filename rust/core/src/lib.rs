//! Reads the metadata of Linux dm-thin pools: read-only, offline, and never trusting a byte.
//!
//! Three floors:
//!
//! 1. [`raw`]: wire structs under their kernel names. Nothing is checked.
//! 2. [`superblock`], [`space_map`], [`btree`], [`graph`], [`devices`], [`mappings`]: checked
//!    structures, with types that cannot be mixed up ([`units`]).
//! 3. [`Pool`]: a source opened as a pool, and the questions it answers. [`block`] and
//!    [`capture`] read where there may be no pool.
//!
//! Errors come in families, see [`Error`]; nothing panics on what a source holds. Long passes
//! take a [`watch::Watch`] for progress and cancellation. Nothing is printed, nothing is
//! written, and names are somebody else's business: devices are known by their ids.

pub mod block;
mod block_set;
pub mod btree;
pub mod capture;
pub mod check;
pub mod checksum;
mod committed;
pub mod content;
pub mod damage;
pub mod delta;
pub mod devices;
pub mod dump;
pub mod error;
pub mod fragmentation;
pub mod graph;
pub mod identity;
pub mod mappings;
pub mod owners;
pub mod pool;
pub mod raw;
mod reached;
pub mod reader;
pub mod recount;
pub mod salvage;
pub mod sharing;
pub mod source;
pub mod space_map;
pub mod superblock;
pub mod survey;
pub mod text;
pub mod units;
pub mod watch;

pub use error::{Error, Result};
pub use pool::Pool;
