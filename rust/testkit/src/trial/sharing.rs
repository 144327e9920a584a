//! Who shares what, beside a model in plain sets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use thinscope_core::mappings::Run;
use thinscope_core::sharing::{BlockRun, DeviceUsage, Reclaim, SetUsage, Sharing, Totals};
use thinscope_core::space_map::CountRun;
use thinscope_core::units::DeviceId;

use crate::random::Random;

/// The metadata snapshot as a holder: behind every device.
const SNAPSHOT: u32 = u32::MAX;

/// Random sets of devices that are asked for.
const QUESTIONS: u64 = 6;

type HoldersBy<T> = BTreeMap<T, BTreeSet<u32>>;

/// Who reaches what.
#[derive(Debug, Default)]
pub(crate) struct Model {
    devices: BTreeSet<u32>,
    /// How many mappings each holder has.
    mappings: BTreeMap<u32, u64>,
    blocks: HoldersBy<u64>,
    /// Nodes of mapping trees; none where they were not looked at.
    nodes: HoldersBy<u32>,
    has_snapshot: bool,
    /// Counted as used.
    used: Option<BTreeSet<u64>>,
}

impl Model {
    /// Of devices and their mappings, and what the space map counts where that is to be known.
    pub(crate) fn new(
        devices: impl IntoIterator<Item = u32>,
        runs: &[Run],
        counts: Option<&[CountRun]>,
    ) -> Self {
        let devices = devices.into_iter().collect();
        let used = counts.map(|counts| {
            let used = counts.iter().filter(|run| run.count > 0);
            used.flat_map(|run| run.begin..run.begin + run.length).collect()
        });
        let mut model = Self { devices, used, ..Self::default() };
        model.reach(runs, |run| run.device.get());
        model
    }

    /// With the mappings of the metadata snapshot.
    pub(crate) fn with_snapshot(mut self, runs: &[Run]) -> Self {
        self.has_snapshot = true;
        self.reach(runs, |_| SNAPSHOT);
        self
    }

    /// With the nodes of mapping trees, read without the reader.
    #[cfg(test)]
    pub(crate) fn with_nodes(mut self, bytes: &[u8]) -> Self {
        let draft = crate::hostile::Draft::new(bytes.to_vec());
        self.reach_nodes(&draft, 0, |id| id);
        if draft.held() != 0 {
            self.reach_nodes(&draft, draft.held(), |_| SNAPSHOT);
        }
        self
    }

    fn reach(&mut self, runs: &[Run], holder: impl Fn(&Run) -> u32) {
        for run in runs {
            *self.mappings.entry(holder(run)).or_default() += run.length;
            let begin = run.data_begin.get();
            for block in begin..begin + run.length {
                self.blocks.entry(block).or_default().insert(holder(run));
            }
        }
    }

    #[cfg(test)]
    fn reach_nodes(
        &mut self,
        draft: &crate::hostile::Draft,
        superblock: u32,
        holder: impl Fn(u32) -> u32,
    ) {
        use thinscope_core::btree::Tree;
        use thinscope_core::raw::SuperblockDisk;

        let root =
            draft.long(superblock, std::mem::offset_of!(SuperblockDisk, data_mapping_root)) as u32;
        let mut stack = vec![(root, Tree::TopLevel, 0)];
        while let Some((node, tree, id)) = stack.pop() {
            if tree == Tree::Mapping {
                self.nodes.entry(node).or_default().insert(holder(id));
            }
            for at in 0..draft.entries(node) {
                let value = draft.value(node, at) as u32;
                match (draft.is_internal(node), tree) {
                    (true, _) => stack.push((value, tree, id)),
                    (false, Tree::TopLevel) => {
                        stack.push((value, Tree::Mapping, draft.key(node, at) as u32));
                    }
                    (false, _) => {}
                }
            }
        }
    }

    /// What is otherwise than the model says, if anything is.
    pub(crate) fn contradiction(&self, sharing: &Sharing) -> Option<String> {
        self.compare(sharing).err()
    }

    fn compare(&self, sharing: &Sharing) -> Result<(), String> {
        equal("snapshot", &sharing.has_metadata_snapshot(), &self.has_snapshot)?;
        let found = *sharing.totals();
        let mut expected = self.totals();
        if self.nodes.is_empty() {
            expected.nodes = found.nodes;
            expected.only_metadata_snapshot_nodes = found.only_metadata_snapshot_nodes;
        }
        equal("totals", &found, &expected)?;
        let reached = |block: &u64| self.blocks.contains_key(block);
        let leaked =
            self.used.as_ref().map(|used| runs(used.iter().filter(|block| !reached(block))));
        equal("leaked", &sharing.leaked(), &leaked.as_deref())?;
        let missing = self
            .used
            .as_ref()
            .map(|used| runs(self.blocks.keys().filter(|block| !used.contains(block))));
        equal("missing", &sharing.missing(), &missing.as_deref())?;
        equal("devices", &sharing.devices(), &self.usage_of_devices())?;

        let mut random = Random::new(self.blocks.len() as u64);
        for _ in 0..QUESTIONS {
            let groups: Vec<BTreeSet<u32>> =
                (0..random.below(4)).map(|_| self.some_devices(&mut random)).collect();
            let also = self.some_devices(&mut random);
            let sets: Vec<Vec<DeviceId>> = groups.iter().map(ids).collect();
            let usage = sharing.usage(&sets).map_err(|error| error.to_string())?;
            let expected = groups.iter().map(|group| self.usage(group)).collect();
            equal("usage", &usage, &expected)?;
            let reclaim = sharing.reclaim(&sets, &ids(&also)).map_err(|error| error.to_string())?;
            let mut expected = self.reclaim(&groups, &also);
            if self.nodes.is_empty() {
                expected.freed_metadata_blocks = reclaim.freed_metadata_blocks;
                expected.kept_metadata_blocks = reclaim.kept_metadata_blocks;
            }
            let sum = reclaim.freed_blocks
                + reclaim.kept_by_metadata_snapshot_blocks
                + reclaim.still_held_blocks();
            equal("sum", &sum, &reclaim.mapped_blocks)?;
            equal("reclaim", &reclaim, &expected)?;
        }
        Ok(())
    }

    fn some_devices(&self, random: &mut Random) -> BTreeSet<u32> {
        let of = random.between(1, 4);
        self.devices.iter().copied().filter(|_| random.once_in(of)).collect()
    }

    fn totals(&self) -> Totals {
        let devices = |holders: &BTreeSet<u32>| holders.range(..SNAPSHOT).count();
        let blocks = |wanted: &dyn Fn(&BTreeSet<u32>) -> bool| {
            self.blocks.values().filter(|holders| wanted(holders)).count() as u64
        };
        let nodes = |wanted: &dyn Fn(&BTreeSet<u32>) -> bool| {
            self.nodes.values().filter(|holders| wanted(holders)).count() as u64
        };
        let outside = |block: &&u64| !self.blocks.contains_key(block);
        let used = self.used.as_ref();
        Totals {
            one_device_blocks: blocks(&|holders| devices(holders) == 1),
            several_devices_blocks: blocks(&|holders| devices(holders) > 1),
            only_metadata_snapshot_blocks: blocks(&|holders| devices(holders) == 0),
            leaked_blocks: used.map(|used| used.iter().filter(outside).count() as u64),
            missing_count_blocks: used.map(|used| {
                self.blocks.keys().filter(|block| !used.contains(block)).count() as u64
            }),
            used_blocks: used.map(|used| used.len() as u64),
            kept_by_metadata_snapshot_blocks: blocks(&|holders| holders.contains(&SNAPSHOT)),
            reached_blocks: blocks(&|holders| devices(holders) > 0),
            classes: self.blocks.values().collect::<BTreeSet<_>>().len() as u64,
            nodes: nodes(&|holders| devices(holders) > 0),
            only_metadata_snapshot_nodes: nodes(&|holders| devices(holders) == 0),
        }
    }

    fn usage_of_devices(&self) -> Vec<DeviceUsage> {
        let usages = self.devices.iter().map(|id| {
            let usage = self.usage(&BTreeSet::from([*id]));
            DeviceUsage {
                id: DeviceId::new(*id),
                mappings: self.mappings.get(id).copied().unwrap_or_default(),
                mapped_blocks: usage.mapped_blocks,
                exclusive_blocks: usage.exclusive_blocks,
                shared_by: usage.shared_by,
            }
        });
        usages.collect()
    }

    fn usage(&self, set: &BTreeSet<u32>) -> SetUsage {
        let mut usage = SetUsage::default();
        let mut shared_by = BTreeMap::<u32, u64>::new();
        for holders in self.blocks.values().filter(|holders| !holders.is_disjoint(set)) {
            let devices: BTreeSet<u32> = holders.range(..SNAPSHOT).copied().collect();
            usage.mapped_blocks += 1;
            usage.exclusive_blocks += u64::from(devices.is_subset(set));
            usage.reclaimable_blocks += u64::from(holders.is_subset(set));
            let members = devices.intersection(set).count() as u64;
            *shared_by.entry(devices.len() as u32).or_default() += members;
        }
        usage.shared_by = shared_by.into_iter().collect();
        usage
    }

    fn reclaim(&self, groups: &[BTreeSet<u32>], also: &BTreeSet<u32>) -> Reclaim {
        let set: BTreeSet<u32> = groups.iter().flatten().chain(also).copied().collect();
        let mut and_snapshot = set.clone();
        and_snapshot.insert(SNAPSHOT);
        let usage = self.usage(&set);
        let mut held = BTreeMap::<u32, u64>::new();
        for holders in self.blocks.values().filter(|holders| !holders.is_disjoint(&set)) {
            for holder in holders.difference(&and_snapshot) {
                *held.entry(*holder).or_default() += 1;
            }
        }
        let mut holders: Vec<_> =
            held.into_iter().map(|(id, blocks)| (DeviceId::new(id), blocks)).collect();
        holders.sort_by_key(|(id, blocks)| (std::cmp::Reverse(*blocks), *id));
        let freed = self.nodes.values().filter(|holders| holders.is_subset(&set)).count();
        let released = self
            .nodes
            .values()
            .filter(|holders| holders.is_subset(&and_snapshot) && !holders.is_disjoint(&set));
        Reclaim {
            mapped_blocks: usage.mapped_blocks,
            freed_blocks: usage.reclaimable_blocks,
            kept_by_metadata_snapshot_blocks: usage.exclusive_blocks - usage.reclaimable_blocks,
            holders,
            alone_blocks: groups.iter().map(|group| self.usage(group).reclaimable_blocks).collect(),
            freed_metadata_blocks: freed as u64,
            kept_metadata_blocks: (released.count() - freed) as u64,
        }
    }
}

fn ids(set: &BTreeSet<u32>) -> Vec<DeviceId> {
    set.iter().copied().map(DeviceId::new).collect()
}

/// Ascending blocks as runs.
fn runs<'a>(blocks: impl Iterator<Item = &'a u64>) -> Vec<BlockRun> {
    let mut runs: Vec<BlockRun> = Vec::new();
    for block in blocks {
        match runs.last_mut() {
            Some(last) if last.begin + last.length == *block => last.length += 1,
            _ => runs.push(BlockRun { begin: *block, length: 1 }),
        }
    }
    runs
}

fn equal<T: Debug + PartialEq>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?}, expected {expected:?}"))
}
