//! The persistent-data B-trees: validated nodes, small trees read whole, and point look-up.
//!
//! The big trees, those of mappings, are read through [`graph`](crate::graph).

mod node;
mod read;

use std::fmt;

pub(crate) use node::{FLAGS_OFFSET, key_offset, out_of_range};
pub use node::{KeyRange, Node};
pub use read::{Loss, TreeWalk, find, last_key, read_tree, read_tree_around};

/// Most levels that a walk follows. The kernel's own deletion stack has this many
/// (`MAX_SPINE_DEPTH`); trees of 4,161,600 nodes have three or four.
pub const MAX_DEPTH: usize = 64;

/// The trees of a pool. The keys and values of a node mean what its tree says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tree {
    /// Device id to root of the device's mapping tree.
    TopLevel,
    /// Device id to details.
    Details,
    /// Virtual block to data block and time.
    Mapping,
    /// Number of a data bitmap to its index entry.
    DataIndex,
    /// Data block to its count, for counts above two.
    DataOverflow,
    /// Metadata block to its count, for counts above two.
    MetadataOverflow,
}

impl Tree {
    /// Bytes in a value of a leaf.
    #[must_use]
    pub const fn value_size(self) -> usize {
        match self {
            Self::TopLevel | Self::Mapping => 8,
            Self::Details => 24,
            Self::DataIndex => 16,
            Self::DataOverflow | Self::MetadataOverflow => 4,
        }
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TopLevel => "top-level tree",
            Self::Details => "details tree",
            Self::Mapping => "mapping tree",
            Self::DataIndex => "data index tree",
            Self::DataOverflow => "data overflow tree",
            Self::MetadataOverflow => "metadata overflow tree",
        })
    }
}
