//! The devices of a state: its two lists joined, or, where one is lost, what is left of them.

use std::collections::{HashMap, HashSet};

use zerocopy::little_endian::U64;

use super::State;
use super::nodes::{Facts, Height, Kinds};
use super::scan::Scan;
use crate::block_set::BlockSet;
use crate::btree::{Tree, read_tree};
use crate::devices::Device;
use crate::error::{Error, Result};
use crate::raw::DeviceDetails;
use crate::space_map::ReferenceCounts;
use crate::superblock::{SpaceMap, SpaceMapRoot, Superblock};
use crate::units::{DeviceId, MetadataBlock, Time, low_u32, pointer};
use crate::watch::Watch;

/// Devices with roots that older lists name, which are looked up: what memory they may take.
const MAX_HINTS: usize = 1 << 22;

/// Devices with as many mappings that are told apart: each time all of them are looked at.
const MAX_FITS: usize = 64;

/// A device by its id, with the root and the record that the lists have of it.
pub(super) type Pair = (DeviceId, Option<MetadataBlock>, Option<DeviceDetails>);

impl Scan {
    /// The roots of a top-level tree by id, or nothing where it is damaged by now.
    fn roots(
        &self,
        root: MetadataBlock,
        watch: &Watch,
    ) -> Result<Option<Vec<(DeviceId, MetadataBlock)>>> {
        let mut roots = Vec::new();
        let read = read_tree(&self.reader, Tree::TopLevel, root, watch, |node| {
            for (key, root) in node.keys().iter().zip(node.values::<U64>()) {
                if let Some(root) = pointer(root.get(), self.nodes.blocks) {
                    roots.push((DeviceId::new(low_u32(key.get())), root));
                }
            }
            Ok(())
        });
        whole(read).map(|is_whole| is_whole.then_some(roots))
    }

    /// The records of a details tree by id, likewise.
    pub(super) fn records(
        &self,
        root: MetadataBlock,
        watch: &Watch,
    ) -> Result<Option<Vec<(DeviceId, DeviceDetails)>>> {
        let mut records = Vec::new();
        let read = read_tree(&self.reader, Tree::Details, root, watch, |node| {
            for (key, record) in node.keys().iter().zip(node.values::<DeviceDetails>()) {
                records.push((DeviceId::new(low_u32(key.get())), *record));
            }
            Ok(())
        });
        whole(read).map(|is_whole| is_whole.then_some(records))
    }

    /// Roots and records of a state, joined by id.
    pub(super) fn pairs(&self, state: &State, watch: &Watch) -> Result<Option<Vec<Pair>>> {
        let roots = match state.mapping_root {
            Some(root) => self.roots(root, watch)?,
            None => Some(Vec::new()),
        };
        let records = match state.details_root {
            Some(root) => self.records(root, watch)?,
            None => Some(Vec::new()),
        };
        let (Some(roots), Some(records)) = (roots, records) else { return Ok(None) };
        let mut pairs: Vec<Pair> = Vec::with_capacity(roots.len().max(records.len()));
        let mut records = records.into_iter().peekable();
        for (id, root) in roots {
            while let Some((before, record)) = records.next_if(|(before, _)| *before < id) {
                pairs.push((before, None, Some(record)));
            }
            let record = records.next_if(|(same, _)| *same == id).map(|(_, record)| record);
            pairs.push((id, Some(root), record));
        }
        pairs.extend(records.map(|(id, record)| (id, None, Some(record))));
        Ok(Some(pairs))
    }

    /// The devices of a state that have trees, by ascending id.
    pub(super) fn devices_of(&self, state: &State, watch: &Watch) -> Result<Vec<Device>> {
        watch.begin("reading devices", 0);
        let mut pairs = self.pairs(state, watch)?.ok_or(Error::Changed)?;
        if state.mapping_root.is_none() {
            self.look_for_trees(state, &mut pairs, watch)?;
        }
        let devices = pairs.into_iter().filter_map(|(id, root, record)| {
            let root = root?;
            let tree = self.nodes.at(root).filter(|tree| tree.is_mapping_tree());
            Some(device(id, root, tree, record))
        });
        Ok(devices.collect())
    }

    /// Gives records that lost their list of roots the trees that alone fit them.
    fn look_for_trees(&self, state: &State, pairs: &mut [Pair], watch: &Watch) -> Result<()> {
        let allocated = if state.is_live { self.allocated(watch)? } else { None };
        let inner = match &allocated {
            Some(allocated) => Some(self.children_within(allocated, watch)?),
            None => None,
        };
        let may_be_root = |facts: &Facts| match (&allocated, &inner) {
            (Some(allocated), Some(inner)) => {
                allocated.contains(facts.block) && !inner.contains(facts.block)
            }
            _ => !facts.has_parent,
        };
        let counts = pairs.iter().filter_map(|(.., record)| record.map(|r| r.mapped_blocks.get()));
        let mut fits: HashMap<u64, Vec<MetadataBlock>> =
            counts.map(|count| (count, Vec::new())).collect();
        for (_, facts) in self.nodes.iter() {
            if facts.is_mapping_tree()
                && facts.is_complete
                && facts.newest <= state.time.get()
                && may_be_root(facts)
                && let Some(fits) = fits.get_mut(&facts.mappings)
            {
                fits.push(facts.block);
            }
        }
        let hints = self.hints(pairs, watch)?;
        let mut groups: HashMap<u64, Vec<DeviceId>> = HashMap::new();
        for (id, _, record) in pairs.iter() {
            let Some(record) = record else { continue };
            groups.entry(record.mapped_blocks.get()).or_default().push(*id);
        }
        for (id, root, record) in pairs {
            let Some(count) = record.as_ref().map(|record| record.mapped_blocks.get()) else {
                continue;
            };
            let fits = fits.get(&count).map(Vec::as_slice).unwrap_or_default();
            let group = groups.entry(count).or_default();
            *root = match (fits, group.as_slice()) {
                // Trees without mappings are all the same.
                ([first, ..], _) if count == 0 => Some(*first),
                ([only], [_]) => Some(*only),
                (_, []) => None,
                _ if are_told_apart(fits, group, &hints) => {
                    fits.iter().find(|root| hints.contains(&(*id, **root))).copied()
                }
                _ => {
                    // None of them is told from the others.
                    group.clear();
                    None
                }
            };
        }
        Ok(())
    }

    /// Which trees other lists name as those of the devices.
    fn hints(&self, pairs: &[Pair], watch: &Watch) -> Result<HashSet<(DeviceId, MetadataBlock)>> {
        let wanted: HashMap<_, _> = pairs
            .iter()
            .filter_map(|(id, _, record)| Some((*id, record.as_ref()?.mapped_blocks.get())))
            .collect();
        let is_list = |facts: &Facts| {
            facts.height == Height::Levels(0) && facts.kinds.meets(Kinds::TOP_LEVEL)
        };
        let lists = self.nodes.iter().filter(|(_, facts)| is_list(facts));
        let lists: Vec<_> = lists.map(|(_, facts)| facts.block).collect();
        let mut hints = HashSet::new();
        Self::reread(&self.reader, &self.lost, &lists, watch, |node| {
            for (key, root) in node.keys().iter().zip(node.values::<U64>()) {
                let id = DeviceId::new(low_u32(key.get()));
                let root = pointer(root.get(), self.nodes.blocks);
                let Some((root, count)) = root.zip(wanted.get(&id)) else { continue };
                let is_so = self.nodes.at(root).is_some_and(|tree| tree.mappings == *count);
                if is_so && hints.len() < MAX_HINTS {
                    hints.insert((id, root));
                }
            }
        })?;
        Ok(hints)
    }

    /// The children of the internal nodes of mapping trees that are allocated.
    fn children_within(&self, allocated: &BlockSet, watch: &Watch) -> Result<BlockSet> {
        let is_parent = |facts: &Facts| {
            facts.is_mapping_tree()
                && facts.height != Height::Levels(0)
                && allocated.contains(facts.block)
        };
        let parents = self.nodes.iter().filter(|(_, facts)| is_parent(facts));
        let parents: Vec<_> = parents.map(|(_, facts)| facts.block).collect();
        let mut children = BlockSet::new(self.nodes.blocks);
        Self::reread(&self.reader, &self.lost, &parents, watch, |node| {
            for child in node.values::<U64>() {
                if let Some(child) = pointer(child.get(), self.nodes.blocks) {
                    children.insert(child);
                }
            }
        })?;
        Ok(children)
    }

    /// The metadata blocks that the live superblock's space map counts, if it can be read.
    fn allocated(&self, watch: &Watch) -> Result<Option<BlockSet>> {
        let Some((live, map)) = &self.live else { return Ok(None) };
        match self.count_allocated(live, *map, watch) {
            Ok(allocated) => Ok(Some(allocated)),
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(_) => Ok(None),
        }
    }

    fn count_allocated(
        &self,
        live: &Superblock,
        root: SpaceMapRoot,
        watch: &Watch,
    ) -> Result<BlockSet> {
        let reader = self.reader.limited(root.blocks);
        let mut counts = ReferenceCounts::open(&reader, SpaceMap::Metadata, live, root, watch)?;
        let mut allocated = BlockSet::new(self.nodes.blocks);
        while let Some(runs) = counts.next_batch(watch)? {
            for run in runs.into_iter().filter(|run| run.count > 0) {
                let end = run.begin.saturating_add(run.length).min(self.nodes.blocks);
                for block in run.begin..end {
                    allocated.insert(MetadataBlock::new(low_u32(block)));
                }
            }
        }
        Ok(allocated)
    }
}

/// Whether older lists tell which of several trees with as many mappings is whose. A device may
/// have got a new root since it was listed, and another one its old root; but then not every one
/// of them was listed with a root of its own, or all of them with the only one.
fn are_told_apart(
    fits: &[MetadataBlock],
    devices: &[DeviceId],
    hints: &HashSet<(DeviceId, MetadataBlock)>,
) -> bool {
    if fits.len() > MAX_FITS || devices.len() > MAX_FITS {
        return false;
    }
    let hinted = |id: &DeviceId| {
        let mut roots = fits.iter().filter(|root| hints.contains(&(*id, **root)));
        roots.next().filter(|_| roots.next().is_none())
    };
    let roots: Option<HashSet<_>> = devices.iter().map(hinted).collect();
    roots.is_some_and(|roots| {
        roots.len() == fits.len() && (fits.len() == 1 || fits.len() == devices.len())
    })
}

/// A device as its record has it, or, without one, as its tree tells.
fn device(
    id: DeviceId,
    root: MetadataBlock,
    tree: Option<&Facts>,
    record: Option<DeviceDetails>,
) -> Device {
    let counted = tree.filter(|tree| tree.is_complete).map(|tree| tree.mappings);
    let newest = Time::new(tree.map_or(0, |tree| tree.newest));
    let recorded = record.as_ref().map(|record| record.mapped_blocks.get());
    Device {
        id,
        root,
        mapped_blocks: counted.or(recorded).unwrap_or(0),
        transaction_id: record.as_ref().map_or(0, |record| record.transaction_id.get()),
        creation_time: record.as_ref().map_or(newest, |r| Time::new(r.creation_time.get())),
        snapshot_time: record.as_ref().map_or(newest, |r| Time::new(r.snapshotted_time.get())),
        is_recorded: record.is_some(),
    }
}

/// The one device that a tree alone makes.
pub(super) fn device_of_tree(tree: &Facts) -> Device {
    device(DeviceId::new(0), tree.block, Some(tree), None)
}

/// Whether a list was read to its end. Damage ends it early, which the scan had not seen.
fn whole(read: Result<()>) -> Result<bool> {
    match read {
        Ok(()) => Ok(true),
        Err(Error::Corrupt(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
