//! What is known of each node that the scan kept: a few numbers, never its children.

use std::hash::{BuildHasher, RandomState};

use crate::btree::{KeyRange, Node};
use crate::graph::unpack;
use crate::raw::DeviceDetails;
use crate::units::{MAX_DEVICE_ID, MetadataBlock, index_u32, low_u32, pointer, widen};
use zerocopy::little_endian::U64;

/// No position: the block is no node.
const NONE: u32 = u32::MAX;

/// The trees that a node may be of. Values of eight bytes leave a choice now and then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const NONE: Self = Self(0);
    pub(super) const MAPPING: Self = Self(1);
    pub(super) const TOP_LEVEL: Self = Self(2);
    pub(super) const DETAILS: Self = Self(4);
    pub(super) const DATA_INDEX: Self = Self(8);
    pub(super) const OVERFLOW: Self = Self(16);

    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How high a node stands above the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Height {
    /// Not measured yet.
    Unknown,
    /// On the way down that is being measured.
    Passed,
    /// No leaf lies below its first children.
    None,
    /// Levels above the leaves.
    Levels(u8),
}

/// A node whose checksum and own number hold, and whose fields break no rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) block: MetadataBlock,
    /// The first child, of an internal node.
    pub(super) child: u32,
    /// Of the mappings below, the youngest.
    pub(super) newest: u32,
    pub(super) height: Height,
    pub(super) kinds: Kinds,
    /// Whether every node below is there and fits.
    pub(super) is_complete: bool,
    /// Whether a node that is complete has it for a child.
    pub(super) has_parent: bool,
    /// Whether a top-level node has it for the root of a device.
    pub(super) is_listed: bool,
    /// Its own first key; of a node without any, one that is higher than its last.
    pub(super) first: u64,
    /// The last key below it.
    pub(super) last: u64,
    /// Mappings below.
    pub(super) mappings: u64,
    /// One behind the highest data block that is mapped below; 0: none.
    pub(super) data_end: u64,
}

impl Facts {
    /// What a node is by itself. `blocks` are those of the metadata.
    pub(super) fn of(node: &Node<'_>, kinds: Kinds, blocks: u64) -> Self {
        let range = node.key_range().unwrap_or(KeyRange { first: 1, last: 0 });
        let mut facts = Self {
            block: node.place().block,
            child: NONE,
            newest: 0,
            height: Height::Levels(0),
            kinds,
            is_complete: true,
            has_parent: false,
            is_listed: false,
            first: range.first,
            last: range.last,
            mappings: 0,
            data_end: 0,
        };
        if !node.is_leaf() {
            let children = node.values::<U64>();
            let child = children.first().and_then(|child| pointer(child.get(), blocks));
            facts.child = child.map_or(NONE, MetadataBlock::get);
            (facts.height, facts.is_complete) = (Height::Unknown, false);
        } else if kinds == Kinds::MAPPING {
            facts.look_at_values(node, blocks);
        } else if kinds == Kinds::DETAILS {
            facts.is_complete = range.last <= MAX_DEVICE_ID;
        }
        facts
    }

    /// Takes in the mappings of a leaf, which may be a list of roots as well.
    fn look_at_values(&mut self, node: &Node<'_>, blocks: u64) {
        let values = node.values::<U64>();
        for value in values {
            let (block, time) = unpack(value.get());
            self.newest = self.newest.max(time.get());
            self.data_end = self.data_end.max(block.get().saturating_add(1));
        }
        self.mappings = widen(values.len());
        let are_roots = values.iter().all(|value| pointer(value.get(), blocks).is_some());
        if are_roots && self.last <= MAX_DEVICE_ID {
            // Roots read as mappings all name data block 0, which a device maps once at most.
            self.kinds = match values.len() {
                0 | 1 => Kinds::MAPPING.and(Kinds::TOP_LEVEL),
                _ => Kinds::TOP_LEVEL,
            };
        }
    }

    /// Whether it holds nothing: an empty tree.
    pub(super) const fn is_empty(&self) -> bool {
        self.first > self.last
    }

    /// Whether it is the whole tree of a device, or may be.
    pub(super) fn is_mapping_tree(&self) -> bool {
        self.kinds.meets(Kinds::MAPPING) && matches!(self.height, Height::Levels(_))
    }
}

/// All nodes by ascending block.
#[derive(Debug)]
pub(super) struct Nodes {
    facts: Vec<Facts>,
    /// Position of each block's node, or `NONE`.
    positions: Vec<u32>,
    /// Blocks of the metadata.
    pub(super) blocks: u64,
}

impl Nodes {
    pub(super) fn new(blocks: u64) -> Self {
        Self { facts: Vec::new(), positions: Vec::new(), blocks }
    }

    /// Takes in a node that lies behind all others.
    pub(super) fn push(&mut self, facts: Facts) {
        self.positions.resize(facts.block.index(), NONE);
        self.positions.push(low_u32(widen(self.facts.len())));
        self.facts.push(facts);
    }

    pub(super) fn len(&self) -> u32 {
        low_u32(widen(self.facts.len()))
    }

    pub(super) fn get(&self, at: u32) -> Option<&Facts> {
        self.facts.get(index_u32(at))
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Facts> {
        self.facts.get_mut(index_u32(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Facts)> + Clone {
        (0..).zip(&self.facts)
    }

    /// The position of a block's node.
    pub(super) fn position(&self, block: MetadataBlock) -> Option<u32> {
        self.positions.get(block.index()).copied().filter(|at| *at != NONE)
    }

    pub(super) fn at(&self, block: MetadataBlock) -> Option<&Facts> {
        self.position(block).and_then(|at| self.get(at))
    }

    /// The lowest key of the leaves below a node that is complete: keys of nodes may be lower.
    pub(super) fn lowest_key(&self, facts: &Facts) -> u64 {
        let mut lowest = facts;
        // Of a node that is complete, each child stands one level lower.
        while let Some(child) = Some(lowest.child).filter(|child| *child != NONE)
            && let Some(child) = self.at(MetadataBlock::new(child))
        {
            lowest = child;
        }
        lowest.first
    }

    /// Gives each internal node its height and kinds: those of its first child, and one level
    /// more. Loops, and what ends nowhere, have none.
    pub(super) fn measure(&mut self) {
        let mut path = Vec::new();
        for start in 0..self.len() {
            let mut next = Some(start);
            let mut base = None;
            while let Some(at) = next.take() {
                let positions = &self.positions;
                let Some(facts) = self.facts.get_mut(index_u32(at)) else { break };
                match facts.height {
                    Height::Unknown => {
                        facts.height = Height::Passed;
                        path.push(at);
                        let child = positions.get(index_u32(facts.child)).copied();
                        next = child.filter(|at| *at != NONE);
                    }
                    Height::Passed | Height::None => {}
                    Height::Levels(levels) => base = Some((levels, facts.kinds)),
                }
            }
            for at in path.drain(..).rev() {
                base = base.and_then(|(levels, kinds)| {
                    let levels = levels.saturating_add(1);
                    (usize::from(levels) < crate::btree::MAX_DEPTH).then_some((levels, kinds))
                });
                if let Some(facts) = self.facts.get_mut(index_u32(at)) {
                    (facts.height, facts.kinds) = match base {
                        Some((levels, kinds)) => (Height::Levels(levels), kinds),
                        None => (Height::None, Kinds::NONE),
                    };
                }
            }
        }
    }

    /// The internal nodes of some kinds level by level, lowest first, each by ascending block.
    pub(super) fn levels(&self, kinds: Kinds) -> Vec<Vec<MetadataBlock>> {
        let mut levels: Vec<Vec<MetadataBlock>> = Vec::new();
        for facts in &self.facts {
            if let Height::Levels(height @ 1..) = facts.height
                && facts.kinds.meets(kinds)
            {
                let at = usize::from(height).saturating_sub(1);
                if levels.len() <= at {
                    levels.resize(at.saturating_add(1), Vec::new());
                }
                if let Some(level) = levels.get_mut(at) {
                    level.push(facts.block);
                }
            }
        }
        levels
    }
}

/// Hashes that nobody can foresee: their keys are drawn anew each time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hashes {
    seed: u64,
    factor: u64,
}

impl Hashes {
    pub(super) fn new() -> Self {
        let random = RandomState::new();
        Self { seed: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }

    fn of(self, words: [u64; 4]) -> u64 {
        let mix = |hash: u64, word: u64| {
            let hash = (hash ^ word).wrapping_mul(self.factor);
            hash ^ hash >> 32
        };
        let hash = words.into_iter().fold(self.seed, mix);
        mix(mix(hash, self.seed), self.factor)
    }
}

/// What a list of devices comes to: a top-level tree, or a details tree. Sums of hashes tell
/// whether two lists are equal, however they are cut into nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) devices: u64,
    /// Of ids.
    pub(super) ids: u64,
    /// Of ids with the mappings of each.
    pub(super) counts: u64,
    /// Of all that is listed.
    pub(super) content: u64,
    /// Mappings of all devices.
    pub(super) mapped: u64,
    /// The highest time of records, or of mappings.
    pub(super) newest: u32,
    /// The highest transaction id of records.
    pub(super) transaction_id: u64,
    pub(super) data_end: u64,
    /// Devices whose trees are not whole.
    pub(super) broken: u64,
}

impl Listing {
    /// Puts two lists together.
    pub(super) fn add(&mut self, other: &Self) {
        self.devices = self.devices.saturating_add(other.devices);
        self.ids = self.ids.wrapping_add(other.ids);
        self.counts = self.counts.wrapping_add(other.counts);
        self.content = self.content.wrapping_add(other.content);
        self.mapped = self.mapped.saturating_add(other.mapped);
        self.newest = self.newest.max(other.newest);
        self.transaction_id = self.transaction_id.max(other.transaction_id);
        self.data_end = self.data_end.max(other.data_end);
        self.broken = self.broken.saturating_add(other.broken);
    }

    /// Of the records of a details leaf.
    pub(super) fn of_records(node: &Node<'_>, hashes: Hashes) -> Self {
        let mut listing = Self::default();
        for (key, record) in node.keys().iter().zip(node.values::<DeviceDetails>()) {
            let (id, mapped) = (key.get(), record.mapped_blocks.get());
            let (creation, snapshot) = (record.creation_time.get(), record.snapshotted_time.get());
            let times = u64::from(creation) << 32 | u64::from(snapshot);
            listing.add(&Self {
                devices: 1,
                ids: hashes.of([0, id, 0, 0]),
                counts: hashes.of([1, id, mapped, 0]),
                content: hashes.of([id, mapped, record.transaction_id.get(), times]),
                mapped,
                newest: creation.max(snapshot),
                transaction_id: record.transaction_id.get(),
                data_end: 0,
                broken: 0,
            });
        }
        listing
    }

    /// Of the roots of a top-level leaf.
    pub(super) fn of_roots(node: &Node<'_>, nodes: &Nodes, hashes: Hashes) -> Self {
        let mut listing = Self::default();
        for (key, root) in node.keys().iter().zip(node.values::<U64>()) {
            let (id, root) = (key.get(), root.get());
            let tree = pointer(root, nodes.blocks).and_then(|root| nodes.at(root));
            let tree = tree.filter(|tree| tree.is_mapping_tree());
            let mapped = tree.map_or(0, |tree| tree.mappings);
            listing.add(&Self {
                devices: 1,
                ids: hashes.of([0, id, 0, 0]),
                counts: hashes.of([1, id, mapped, 0]),
                content: hashes.of([2, id, root, 0]),
                mapped,
                newest: tree.map_or(0, |tree| tree.newest),
                transaction_id: 0,
                data_end: tree.map_or(0, |tree| tree.data_end),
                broken: u64::from(!tree.is_some_and(|tree| tree.is_complete)),
            });
        }
        listing
    }
}
