//! One node: header, ascending keys, values. Nothing of it is used before all of it is checked.

use std::mem::offset_of;

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, Immutable};

use super::Tree;
use crate::checksum::{BlockKind, check_checksum, check_number};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::{INTERNAL_NODE, LEAF_NODE, NODE_ROOM, NodeHeader, Page};
use crate::reader::Reader;
use crate::units::{MetadataBlock, index_u32};

/// Where `flags`, which makes a node internal or leaf, lies in a node. What is wrong with a
/// node's place among others is told there.
pub(crate) const FLAGS_OFFSET: usize = offset_of!(NodeHeader, flags);

/// Bytes in a key.
const KEY_SIZE: usize = 8;

/// Bytes in a child pointer, the value of an internal node.
const CHILD_SIZE: usize = 8;

/// The keys that an edge admits below it, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Lowest key admitted: the key of the edge.
    pub first: u64,
    /// Highest key admitted: one below the next edge's key.
    pub last: u64,
}

impl KeyRange {
    /// What a root admits.
    pub const ALL: Self = Self { first: 0, last: u64::MAX };

    /// Whether a key is admitted.
    #[must_use]
    pub const fn contains(self, key: u64) -> bool {
        self.first <= key && key <= self.last
    }

    /// Whether all of another range lies in it.
    #[must_use]
    pub const fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether no key is admitted.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// The keys that both ranges admit; may be none.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }
}

/// A checked node, borrowing the block it lies in.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    place: Place,
    is_leaf: bool,
    keys: &'a [U64],
    values: &'a [u8],
    /// Where the values begin in the block.
    values_offset: usize,
}

impl<'a> Node<'a> {
    /// Checks the block as a node of `tree`: checksum, own block number, flags, sizes, counts,
    /// keys strictly ascending. An empty leaf is a tree without entries, and fine.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] for the first field that breaks a rule.
    pub fn parse(page: &'a Page, block: MetadataBlock, tree: Tree) -> Result<Self> {
        let place = Place { block, structure: Structure::Node(tree) };
        let (header, room) = NodeHeader::ref_from_prefix(page.bytes())
            .map_err(|_| place.corrupt("size", 0, "4096 bytes", "less"))?;
        check_checksum(page, BlockKind::Node, place)?;
        check_number(page, place)?;
        let is_leaf = match header.flags.get() {
            INTERNAL_NODE => false,
            LEAF_NODE => true,
            found => {
                return Err(place.corrupt(
                    "flags",
                    FLAGS_OFFSET,
                    "1 (internal) or 2 (leaf)",
                    found,
                ));
            }
        };
        let value_size = if is_leaf { tree.value_size() } else { CHILD_SIZE };
        if index_u32(header.value_size.get()) != value_size {
            let offset = offset_of!(NodeHeader, value_size);
            return Err(place.corrupt("value_size", offset, value_size, header.value_size.get()));
        }
        let max = index_u32(header.max_entries.get());
        let capacity = capacity(value_size);
        if max != capacity {
            let offset = offset_of!(NodeHeader, max_entries);
            return Err(place.corrupt("max_entries", offset, capacity, max));
        }
        let count = index_u32(header.nr_entries.get());
        let least = usize::from(!is_leaf);
        if count < least || count > max {
            let offset = offset_of!(NodeHeader, nr_entries);
            let expected = format!("from {least} to max_entries, {max}");
            return Err(place.corrupt("nr_entries", offset, expected, count));
        }
        let keys_room = max.saturating_mul(KEY_SIZE);
        let values_offset = size_of::<NodeHeader>().saturating_add(keys_room);
        let parts = room.split_at_checked(keys_room).and_then(|(keys, values)| {
            let (keys, _) = <[U64]>::ref_from_prefix_with_elems(keys, count).ok()?;
            Some((keys, values.get(..count.saturating_mul(value_size))?))
        });
        let Some((keys, values)) = parts else {
            // Not reached: the capacity fits, and `count` is no more than that.
            return Err(place.corrupt("size", 0, "4096 bytes", "less"));
        };
        let node = Self { place, is_leaf, keys, values, values_offset };
        node.check_order()?;
        Ok(node)
    }

    /// A leaf without entries.
    pub(crate) const fn empty_leaf(block: MetadataBlock, tree: Tree) -> Self {
        let place = Place { block, structure: Structure::Node(tree) };
        Self { place, is_leaf: true, keys: &[], values: &[], values_offset: 0 }
    }

    fn check_order(&self) -> Result<()> {
        // Every key of every node comes by here: nearly always only to be found in order.
        if self.keys.is_sorted_by(|before, key| before.get() < key.get()) {
            return Ok(());
        }
        let pairs = self.keys.iter().zip(self.keys.iter().skip(1));
        match (1..).zip(pairs).find(|(_, (before, key))| before.get() >= key.get()) {
            Some((at, (before, key))) => {
                let expected = format!("more than the key before it, {before}");
                Err(self.place.corrupt("key", key_offset(at), expected, key))
            }
            None => Ok(()),
        }
    }

    /// The block and the tree that it was read for.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// Whether the node holds the tree's values, not pointers to children.
    #[must_use]
    pub const fn is_leaf(&self) -> bool {
        self.is_leaf
    }

    /// The keys, ascending.
    #[must_use]
    pub const fn keys(&self) -> &'a [U64] {
        self.keys
    }

    /// Lowest and highest key, if there are any.
    #[must_use]
    pub fn key_range(&self) -> Option<KeyRange> {
        Some(KeyRange { first: self.keys.first()?.get(), last: self.keys.last()?.get() })
    }

    /// Checks that the node's keys are within what the edge to it admits. A node without keys is
    /// an empty tree, and stands alone: a tree with other nodes has no empty ones.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`], naming the first or last key.
    pub fn check_range(&self, admitted: KeyRange) -> Result<()> {
        let Some(keys) = self.key_range() else {
            if admitted == KeyRange::ALL {
                return Ok(());
            }
            let offset = offset_of!(NodeHeader, nr_entries);
            return Err(self.place.corrupt("nr_entries", offset, "at least 1 beside others", 0));
        };
        let (at, key) = if keys.first < admitted.first {
            (0, keys.first)
        } else if keys.last > admitted.last {
            (self.keys.len().saturating_sub(1), keys.last)
        } else {
            return Ok(());
        };
        Err(out_of_range(self.place, at, key, admitted))
    }

    /// The values of a leaf, one for each key. `V` is as wide as the tree says.
    #[must_use]
    pub fn values<V: FromBytes + Immutable>(&self) -> &'a [V] {
        <[V]>::ref_from_bytes(self.values).unwrap_or_default()
    }

    /// Where value number `at` lies in the block, in bytes.
    #[must_use]
    pub fn value_offset(&self, at: usize) -> usize {
        let size = self.values.len().checked_div(self.keys.len()).unwrap_or_default();
        self.values_offset.saturating_add(at.saturating_mul(size))
    }

    /// The children of an internal node with the keys that each edge admits, given what the
    /// edge to the node itself admits. Pointers are checked against the metadata's size.
    pub fn children(
        &self,
        reader: &Reader,
        admitted: KeyRange,
    ) -> impl Iterator<Item = Result<(KeyRange, MetadataBlock)>> {
        let next_keys = self.keys.iter().skip(1).map(|key| key.get().saturating_sub(1));
        let lasts = next_keys.chain([admitted.last]);
        self.keys.iter().zip(lasts).zip(self.values::<U64>()).enumerate().map(
            move |(at, ((key, last), child))| {
                let block = reader.pointer(child.get()).ok_or_else(|| {
                    let expected = reader.pointer_rule();
                    self.place.corrupt("child", self.value_offset(at), expected, child)
                })?;
                Ok((KeyRange { first: key.get(), last }.intersection(admitted), block))
            },
        )
    }
}

/// Entries that a node has room for (`calc_max_entries`): what fits, rounded down to a multiple
/// of 3. Whoever writes nodes follows it, and values lie where it says.
fn capacity(value_size: usize) -> usize {
    let fits = NODE_ROOM.checked_div(KEY_SIZE.saturating_add(value_size)).unwrap_or_default();
    fits.saturating_sub(fits % 3)
}

/// A key that the edges to its node do not admit.
pub(crate) fn out_of_range(place: Place, at: usize, key: u64, admitted: KeyRange) -> Error {
    let expected = if admitted.first <= admitted.last {
        format!("from {} to {}, as its parents say", admitted.first, admitted.last)
    } else {
        "none, as its parents exclude each other".to_owned()
    };
    place.corrupt("key", key_offset(at), expected, key)
}

/// Where key number `at` lies in a node, in bytes.
pub(crate) fn key_offset(at: usize) -> usize {
    size_of::<NodeHeader>().saturating_add(at.saturating_mul(KEY_SIZE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities() {
        let trees = [
            (Tree::Mapping, 252),
            (Tree::TopLevel, 252),
            (Tree::Details, 126),
            (Tree::DataIndex, 168),
            (Tree::DataOverflow, 336),
            (Tree::MetadataOverflow, 336),
        ];
        for (tree, expected) in trees {
            assert_eq!(capacity(tree.value_size()), expected);
        }
    }
}
