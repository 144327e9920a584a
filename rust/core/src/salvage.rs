//! What can still be read of a pool when its superblock, its lists of devices or its trees are
//! damaged, and what older commits left behind.
//!
//! Every block is read once in order; each node whose checksum and own number hold is kept by a
//! few numbers. Nodes carry no generation: a pointer of an old node can lead to a newer one, which
//! is as right. A *state*, a top-level root with a details root, is therefore called consistent
//! only if nothing contradicts that it was committed so; else it is plausible, with what does not
//! fit. A consistent state is no proof: a leaf that was written over by a newer leaf of the same
//! device, with as many mappings and the same time, cannot be told from the old one.
//!
//! Memory: 64 bytes a node, 4 a block, about 100 a list of devices. Time: linear in the blocks.

mod deleted;
mod devices;
mod nodes;
mod scan;
mod states;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use self::devices::device_of_tree;
use self::nodes::{Facts, Height};
use self::scan::Scan;
use self::states::{Ages, Finding};
use crate::committed::Committed;
use crate::devices::Device;
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::pool::Pool;
use crate::raw::Page;
use crate::source::identify::{first_page, identify};
use crate::source::{BlockSource, unpacked};
use crate::superblock::{MAX_DATA_BLOCK_SECTORS, MIN_DATA_BLOCK_SECTORS, Superblock};
use crate::units::{BLOCK_BYTES, DeviceId, MetadataBlock, Time, VirtualBlock, pointer};
use crate::watch::Watch;

/// Metadata blocks by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCounts {
    /// All blocks.
    pub total: u64,
    /// Blocks of zeros.
    pub zero: u64,
    /// Superblocks in their places: block 0, and copies that metadata snapshots held.
    pub superblocks: u64,
    /// Nodes of top-level trees.
    pub top_level_nodes: u64,
    /// Nodes of details trees.
    pub details_nodes: u64,
    /// Nodes of mapping trees.
    pub mapping_nodes: u64,
    /// Nodes of the data space map's index.
    pub data_index_nodes: u64,
    /// Nodes of trees of large reference counts.
    pub overflow_nodes: u64,
    /// Internal nodes whose first children lead to no leaf.
    pub lost_nodes: u64,
    /// Bitmaps of both space maps.
    pub bitmaps: u64,
    /// Index blocks of the metadata space map.
    pub index_blocks: u64,
    /// Blocks with a right checksum that belong elsewhere.
    pub misplaced: u64,
    /// Blocks with a right checksum that break a rule of their kind.
    pub broken: u64,
    /// Blocks that carry no checksum of pool metadata.
    pub unknown: u64,
    /// Blocks that could not be read.
    pub unreadable: u64,
}

/// Whether anything contradicts a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing does: ids, counts, keys, heights and times all fit.
    Consistent,
    /// Something does not fit, or is not there.
    Plausible,
}

/// What does not fit in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MisfitKind {
    /// The list of roots is lost: devices have the trees that alone fit their records.
    NoListing,
    /// The records of the devices are lost.
    NoDetails,
    /// The records are lost, and others are taken that list the same devices.
    OtherDetails,
    /// One of the lists has a device that the other has not.
    Ids,
    /// A tree has more or fewer mappings than are on record.
    Count,
    /// Nodes of a tree are gone, or others are in their place.
    Incomplete,
    /// A time is later than the state's.
    Time,
    /// A mapping lies beyond the end of the data device.
    DataEnd,
}

impl MisfitKind {
    /// A short name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoListing => "no-listing",
            Self::NoDetails => "no-details",
            Self::OtherDetails => "other-details",
            Self::Ids => "ids",
            Self::Count => "count",
            Self::Incomplete => "incomplete",
            Self::Time => "time",
            Self::DataEnd => "data-end",
        }
    }
}

/// Something that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What it is.
    pub kind: MisfitKind,
    /// Devices that it is about; 0: not told one by one.
    pub devices: u64,
    /// The first of them.
    pub device: Option<DeviceId>,
    /// Of that device, what was expected: mappings, a time, or data blocks.
    pub expected: Option<u64>,
    /// What was found.
    pub found: Option<u64>,
}

impl Misfit {
    const fn of(kind: MisfitKind) -> Self {
        Self { kind, devices: 0, device: None, expected: None, found: None }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            MisfitKind::NoListing => "the list of roots is lost: trees that fit records are taken",
            MisfitKind::NoDetails => "the records of the devices are lost",
            MisfitKind::OtherDetails => {
                "the records are lost: others of the same devices are taken"
            }
            MisfitKind::Ids => "roots and records are not of the same devices",
            MisfitKind::Count => "mappings are not as many as on record",
            MisfitKind::Incomplete => "trees have lost nodes",
            MisfitKind::Time => "times are later than the state",
            MisfitKind::DataEnd => "mappings lie beyond the data device",
        })?;
        let Some(device) = self.device else { return Ok(()) };
        write!(f, ": device {device}")?;
        match (self.expected, self.found) {
            (Some(expected), Some(found)) if self.kind == MisfitKind::Incomplete => {
                write!(f, " ({found} of {expected} mappings left)")?;
            }
            (Some(expected), Some(found)) => write!(f, " ({found}, expected {expected})")?,
            (None, Some(found)) => write!(f, " ({found})")?,
            (_, None) => {}
        }
        match self.devices {
            0 | 1 => Ok(()),
            several => write!(f, " and {} more", several.saturating_sub(1)),
        }
    }
}

/// A state that the pool is in, or was in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// From 1, best first.
    pub number: u64,
    /// Root of the top-level tree, unless that is lost.
    pub mapping_root: Option<MetadataBlock>,
    /// Root of the details tree, unless that is lost.
    pub details_root: Option<MetadataBlock>,
    /// The superblock that names the roots, where one does: 0, or a copy.
    pub superblock: Option<MetadataBlock>,
    /// Whether it is that of the live superblock.
    pub is_live: bool,
    /// Whether it is that of the metadata snapshot that is held.
    pub is_metadata_snapshot: bool,
    /// Whether anything contradicts it.
    pub verdict: Verdict,
    /// What does.
    pub misfits: Vec<Misfit>,
    /// Devices.
    pub devices: u64,
    /// Of those, the devices whose trees have lost nodes, or are not found.
    pub broken_devices: u64,
    /// Mappings of all devices, as counted; as recorded where the roots are lost.
    pub mapped: u64,
    /// The superblock's time, else the highest of the records, else of the mappings.
    pub time: Time,
    /// The superblock's transaction id, else one more than the highest of the records; no more
    /// than the live superblock's.
    pub transaction_id: u64,
    /// Details roots with other records that would do as well.
    pub other_details: u64,
    /// The highest transaction id and time of the records, which all states have in common.
    clock: (u64, u32),
}

impl State {
    /// The block that stands for it: its top-level root, else its details root.
    #[must_use]
    pub fn root(&self) -> MetadataBlock {
        self.mapping_root.or(self.details_root).unwrap_or_default()
    }

    /// Whether the tree of every device is there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.broken_devices == 0
    }
}

/// A whole mapping tree that no list of devices names: of a device, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Its root.
    pub root: MetadataBlock,
    /// Its mappings.
    pub mapped: u64,
    /// The lowest virtual block that it maps.
    pub first: VirtualBlock,
    /// The highest.
    pub last: VirtualBlock,
    /// The time of the youngest mapping.
    pub time: Time,
    /// Levels of nodes.
    pub levels: u8,
}

/// A device that older states have and the live pool has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Its id.
    pub id: DeviceId,
    /// The pool's time when it was made.
    pub creation_time: u32,
    /// The pool's transaction id when it was made.
    pub transaction_id: u64,
    /// The best state that has it, by its place in [`Salvage::states`].
    pub state: usize,
    /// Root of its tree there.
    pub root: MetadataBlock,
    /// Its mappings on record there.
    pub recorded: u64,
    /// Those that are left.
    pub mapped: u64,
    /// Whether they are all, and none is later than the state.
    pub is_whole: bool,
    /// Whether the state is consistent.
    pub is_consistent: bool,
}

/// What was found in the blocks of a source.
#[derive(Debug)]
pub struct Salvage {
    /// All states, best first: the live one, the metadata snapshot that is held, consistent ones
    /// and plausible ones, newer before older.
    pub states: Vec<State>,
    /// Trees that no list of devices names, larger ones first.
    pub trees: Vec<Tree>,
    /// Blocks by what they are.
    pub blocks: BlockCounts,
    /// Runs of blocks that could not be read: the first, and how many.
    pub unreadable: Vec<(u64, u64)>,
    /// Sectors in a data block, if a superblock tells.
    pub data_block_sectors: Option<u32>,
    /// Blocks of the data device, if the superblock tells.
    pub data_blocks: Option<u64>,
    live: Option<Superblock>,
    scan: Scan,
    first: Box<Page>,
    committed: Committed,
    /// Roots that have the content of a state, with its place.
    aliases: HashMap<MetadataBlock, usize>,
}

impl Salvage {
    /// Reads every block of a source once, and internal nodes and lists of devices once more;
    /// unpacks what is packed.
    ///
    /// # Errors
    ///
    /// [`Error::NotThin`] if no block is of a pool; [`Error::Read`] where a read fails for another
    /// reason than the medium, [`Error::Changed`], [`Error::Unpack`], [`Error::Cancelled`].
    pub fn scan(source: Arc<dyn BlockSource>, watch: &Watch) -> Result<Self> {
        let mut source = source;
        let mut first = first_page(&*source)?;
        if let Some(unpacked) = unpacked(&source, &first, watch)? {
            source = unpacked;
            first = first_page(&*source)?;
        }
        let blocks = source.len() / BLOCK_BYTES;
        if blocks == 0 {
            return Err(Error::NotThin(identify(&first, source.len())));
        }
        let scan = Scan::run(Arc::clone(&source), blocks, &first, watch)?;
        let committed = Committed::salvaged(first.clone());
        committed.check(&scan.reader)?;
        let found = scan.blocks;
        let trees = [found.top_level_nodes, found.details_nodes, found.mapping_nodes];
        let identity = identify(&first, source.len());
        let is_other = matches!(identity, Identity::CacheMetadata | Identity::EraMetadata);
        if is_other || found.superblocks == 0 && trees.iter().all(|count| *count == 0) {
            return Err(Error::NotThin(identity));
        }
        let live = scan.superblocks.first().filter(|(found, _)| found.block.get() == 0).cloned();
        let (live, data_blocks) = live.map_or((None, None), |(live, data)| (Some(live), data));
        let any = scan.superblocks.first().map(|(found, _)| found.data_block_sectors);
        let states = Finding::new(&scan, data_blocks, watch).run()?;
        Ok(Self {
            trees: trees_of(&scan),
            states: states.states,
            aliases: states.aliases.into_iter().collect(),
            blocks: found,
            unreadable: scan.all_unreadable(),
            data_block_sectors: any,
            data_blocks,
            live,
            scan,
            first,
            committed,
        })
    }

    /// The live superblock, if it is whole; what it points at may be lost.
    #[must_use]
    pub const fn live(&self) -> Option<&Superblock> {
        self.live.as_ref()
    }

    /// See [`BlockSource::may_be_stale`].
    #[must_use]
    pub fn may_be_stale(&self) -> bool {
        self.scan.reader.source().may_be_stale()
    }

    /// The state to go on with, by its place in `states`: the live one if all its trees are there,
    /// else the newest that is consistent, else the newest of which all trees are there.
    #[must_use]
    pub fn best(&self) -> Option<usize> {
        let states = || self.states.iter().enumerate();
        let ages = Ages::of(&self.states);
        let newest = |wanted: &dyn Fn(&State) -> bool| {
            let found = states().filter(|(_, state)| wanted(state));
            let best = found.max_by_key(|(at, state)| (ages.key(state), Reverse(*at)));
            best.map(|(at, _)| at)
        };
        states()
            .find(|(_, state)| state.is_live && state.is_whole())
            .map(|(at, _)| at)
            .or_else(|| newest(&|state| state.verdict == Verdict::Consistent && state.devices > 0))
            .or_else(|| newest(&|state| state.is_whole() && state.devices > 0))
            .or_else(|| newest(&State::is_whole))
    }

    /// The state that a block stands for, by its place in `states`.
    #[must_use]
    pub fn state_of(&self, root: MetadataBlock) -> Option<usize> {
        let own = self.states.iter().position(|state| state.root() == root);
        own.or_else(|| self.aliases.get(&root).copied())
    }

    /// The devices of a state that have trees, by ascending id. What is recorded of their mappings
    /// is as counted, where all of a tree is there.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`], [`Error::Read`], [`Error::Cancelled`].
    pub fn devices(&self, state: &State, watch: &Watch) -> Result<Vec<Device>> {
        let devices = self.scan.devices_of(state, watch);
        self.committed.check(&self.scan.reader)?;
        devices
    }

    /// Devices that states have and the live one has not; if that is lost, the best one. By
    /// ascending id; and whether all states were looked at, which may take too long.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn deleted(&self, watch: &Watch) -> Result<(Vec<Deleted>, bool)> {
        let live =
            self.states.iter().position(|state| state.is_live && state.details_root.is_some());
        let found = deleted::deleted(&self.scan, &self.states, live.or(self.best()), watch);
        self.committed.check(&self.scan.reader)?;
        found
    }

    /// Opens what a block stands for as a pool: a state by its top-level root, or a single device,
    /// with the id 0, by the root of its tree.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownRoot`]; [`Error::NoBlockSize`] where neither a superblock nor the caller
    /// tells; else as [`devices`](Self::devices).
    pub fn open(
        &self,
        root: u64,
        data_block_sectors: Option<u32>,
        threads: usize,
        tolerant: bool,
        watch: &Watch,
    ) -> Result<Pool> {
        let sectors = data_block_sectors.or(self.data_block_sectors).ok_or(Error::NoBlockSize)?;
        if !(MIN_DATA_BLOCK_SECTORS..=MAX_DATA_BLOCK_SECTORS).contains(&sectors)
            || !sectors.is_multiple_of(MIN_DATA_BLOCK_SECTORS)
        {
            return Err(Error::NoBlockSize);
        }
        let unknown = Error::UnknownRoot(root);
        let Some(block) = pointer(root, self.scan.reader.blocks()) else { return Err(unknown) };
        let state = self.state_of(block).and_then(|at| self.states.get(at));
        let tree = self.scan.nodes.at(block).filter(|tree| tree.is_mapping_tree());
        let (state, devices) = match (state, tree) {
            (Some(state), _) => (state.clone(), self.devices(state, watch)?),
            (None, Some(tree)) => (state_of_tree(tree), vec![device_of_tree(tree)]),
            (None, None) => return Err(unknown),
        };
        let trees = devices.iter().filter_map(|device| self.scan.nodes.at(device.root));
        let data_end = trees.map(|tree| tree.data_end).max().unwrap_or(0);
        Ok(Pool::of_state(
            self.scan.reader.clone(),
            self.superblock(&state, sectors),
            devices,
            self.data_blocks.unwrap_or(0).max(data_end),
            Committed::salvaged(self.first.clone()),
            threads,
            tolerant,
        ))
    }

    /// A superblock as that of the state may have been.
    fn superblock(&self, state: &State, data_block_sectors: u32) -> Superblock {
        let live = self.live.as_ref();
        Superblock {
            block: MetadataBlock::new(0),
            flags: live.filter(|_| state.is_live).map_or(0, |live| live.flags),
            uuid: live.map_or([0; 16], |live| live.uuid),
            version: live.map_or(2, |live| live.version),
            time: state.time,
            transaction_id: state.transaction_id,
            metadata_snapshot: None,
            mapping_root: state.mapping_root.unwrap_or_default(),
            details_root: state.details_root.unwrap_or_default(),
            data_block_sectors,
            formatted_metadata_blocks: live
                .map_or(self.scan.reader.blocks(), |live| live.formatted_metadata_blocks),
            features: [0; 3],
        }
    }
}

fn state_of_tree(tree: &Facts) -> State {
    State {
        number: 0,
        mapping_root: None,
        details_root: None,
        superblock: None,
        is_live: false,
        is_metadata_snapshot: false,
        verdict: Verdict::Plausible,
        misfits: Vec::new(),
        devices: 1,
        broken_devices: u64::from(!tree.is_complete),
        mapped: tree.mappings,
        time: Time::new(tree.newest),
        transaction_id: 0,
        other_details: 0,
        clock: (0, 0),
    }
}

fn trees_of(scan: &Scan) -> Vec<Tree> {
    let is_alone = |facts: &Facts| {
        facts.is_mapping_tree()
            && facts.is_complete
            && facts.mappings > 0
            && !facts.has_parent
            && !facts.is_listed
    };
    // A list of one root reads as one mapping, to data block 0.
    let is_list = |at: u32| scan.tops.get(&at).is_some_and(|list| list.devices > 0);
    let found = scan.nodes.iter().filter(|(at, facts)| is_alone(facts) && !is_list(*at));
    let mut trees: Vec<_> = found
        .map(|(_, facts)| Tree {
            root: facts.block,
            mapped: facts.mappings,
            first: VirtualBlock::new(scan.nodes.lowest_key(facts)),
            last: VirtualBlock::new(facts.last),
            time: Time::new(facts.newest),
            levels: match facts.height {
                Height::Levels(height) => height.saturating_add(1),
                _ => 0,
            },
        })
        .collect();
    trees.sort_unstable_by_key(|tree| (Reverse(tree.mapped), tree.root));
    trees
}

#[cfg(test)]
mod tests;
