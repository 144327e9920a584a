//! The classes as they stay: who holds them, how many blocks they have.

use super::refine::Refined;
use super::sets::{HolderSets, Members};
use crate::units::index_u32;

/// Blocks, and nodes of mapping trees, that have the same holders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Class<'a> {
    /// The holders: devices by position, and the metadata snapshot behind all of them.
    pub(super) holders: Members<'a>,
    /// How many of the holders are devices.
    pub(super) devices: u32,
    /// Whether the metadata snapshot is one of the holders.
    pub(super) has_snapshot: bool,
    /// Data blocks.
    pub(super) blocks: u64,
    /// Distinct leaves and internal nodes of mapping trees: metadata blocks.
    pub(super) nodes: u64,
}

/// What of a class has a fixed size.
#[derive(Debug)]
struct Row {
    /// Where its set ends among all words.
    end: usize,
    devices: u32,
    has_snapshot: bool,
    blocks: u64,
    nodes: u64,
}

/// All classes that have blocks or nodes.
///
/// Memory: 32 bytes a class, and for its holders 4 bytes each or, where that is less, one bit for
/// every holder there is; 4 bytes a set that ever was.
#[derive(Debug)]
pub(super) struct Classes {
    holders: u32,
    rows: Vec<Row>,
    words: Vec<u32>,
    /// One more than the place of each set's class; 0: it has no class.
    places: Vec<u32>,
}

impl Classes {
    /// Takes the classes over; nodes are counted by the number of their set. Positions of
    /// devices are below `devices`.
    pub(super) fn new(sets: &HolderSets, devices: u32, refined: &Refined, nodes: &[u64]) -> Self {
        let holders = sets.holders();
        let mut classes = Self { holders, rows: Vec::new(), words: Vec::new(), places: Vec::new() };
        let count = |counts: &[u64], set| counts.get(index_u32(set)).copied().unwrap_or_default();
        for set in 0..sets.end() {
            let (blocks, nodes) = (count(&refined.sizes, set), count(nodes, set));
            if blocks == 0 && nodes == 0 {
                classes.places.push(0);
                continue;
            }
            let members = sets.members(set);
            let has_snapshot = members.contains(devices);
            let snapshots = u32::from(has_snapshot);
            classes.words.extend_from_slice(sets.words(set));
            classes.rows.push(Row {
                end: classes.words.len(),
                devices: members.count().saturating_sub(snapshots),
                has_snapshot,
                blocks,
                nodes,
            });
            classes.places.push(u32::try_from(classes.rows.len()).unwrap_or_default());
        }
        classes.rows.shrink_to_fit();
        classes.words.shrink_to_fit();
        classes
    }

    /// Holders are below this.
    pub(super) const fn holders(&self) -> u32 {
        self.holders
    }

    /// Number of classes.
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// A class by its place.
    pub(super) fn get(&self, place: usize) -> Option<Class<'_>> {
        let row = self.rows.get(place)?;
        let before = place.checked_sub(1).and_then(|before| self.rows.get(before));
        let words = self.words.get(before.map_or(0, |row| row.end)..row.end);
        Some(Class {
            holders: Members::of(words.unwrap_or_default(), self.holders),
            devices: row.devices,
            has_snapshot: row.has_snapshot,
            blocks: row.blocks,
            nodes: row.nodes,
        })
    }

    /// All classes, in a fixed order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Class<'_>> {
        (0..self.len()).filter_map(|place| self.get(place))
    }

    /// The kind of each set, by its number.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let kind = |place: &u32| {
            let class = index_u32(*place).checked_sub(1).and_then(|place| self.rows.get(place));
            match class.map(|class| class.devices) {
                None => Kind::Unreached,
                Some(0) => Kind::OnlySnapshot,
                Some(1) => Kind::OneDevice,
                Some(_) => Kind::SeveralDevices,
            }
        };
        self.places.iter().map(kind).collect()
    }
}

/// Who reaches a block, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody.
    Unreached,
    /// One device, and maybe the metadata snapshot.
    OneDevice,
    /// Several devices, and maybe the metadata snapshot.
    SeveralDevices,
    /// Only the metadata snapshot.
    OnlySnapshot,
}
