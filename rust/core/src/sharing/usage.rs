//! How much devices, and sets of devices, map, share and have alone.

use super::Sharing;
use super::classes::Class;
use super::sets::Mask;
use super::sums::Sums;
use crate::error::Result;
use crate::units::{DeviceId, index_u32, low_u32, widen};

/// Blocks by the number of devices that reach them, ascending: each block divided by that number
/// and summed up is the fair share.
pub type SharedBy = Vec<(u32, u64)>;

/// What a device holds, in data blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceUsage {
    /// The device.
    pub id: DeviceId,
    /// How many mappings it has: as many as it reaches blocks, unless it maps one twice, which
    /// the kernel never does.
    pub mappings: u64,
    /// Distinct blocks that it reaches.
    pub mapped_blocks: u64,
    /// Of those, blocks that no other device reaches; the metadata snapshot is no device.
    pub exclusive_blocks: u64,
    /// Its blocks by the number of devices that reach them.
    pub shared_by: SharedBy,
}

/// What a set of devices holds, in data blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SetUsage {
    /// Distinct blocks that the set reaches.
    pub mapped_blocks: u64,
    /// Of those, blocks that no device outside the set reaches; the metadata snapshot is no
    /// device.
    pub exclusive_blocks: u64,
    /// Of those, blocks that the metadata snapshot does not reach either.
    pub reclaimable_blocks: u64,
    /// By the number of devices that reach a block: blocks times devices of the set that reach
    /// them.
    pub shared_by: SharedBy,
}

/// Sums over the whole pool, in data blocks where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blocks that one device reaches.
    pub one_device_blocks: u64,
    /// Blocks that several devices reach.
    pub several_devices_blocks: u64,
    /// Blocks that only the metadata snapshot reaches.
    pub only_metadata_snapshot_blocks: u64,
    /// Blocks counted as used that nobody reaches. Not known through a metadata snapshot.
    pub leaked_blocks: Option<u64>,
    /// Blocks that are reached, but counted as free. Not known through a metadata snapshot.
    pub missing_count_blocks: Option<u64>,
    /// Blocks counted as used. Not known through a metadata snapshot.
    pub used_blocks: Option<u64>,
    /// Blocks that the metadata snapshot reaches, whoever else does.
    pub kept_by_metadata_snapshot_blocks: u64,
    /// Blocks that devices reach.
    pub reached_blocks: u64,
    /// Different sets of holders that blocks have.
    pub classes: u64,
    /// Distinct nodes of the devices' mapping trees: metadata blocks.
    pub nodes: u64,
    /// Distinct nodes of mapping trees that only the metadata snapshot reaches: metadata blocks.
    pub only_metadata_snapshot_nodes: u64,
}

impl Totals {
    pub(super) fn add(&mut self, class: &Class<'_>) {
        let (blocks, nodes) = match class.devices {
            0 => (&mut self.only_metadata_snapshot_blocks, &mut self.only_metadata_snapshot_nodes),
            1 => (&mut self.one_device_blocks, &mut self.nodes),
            _ => (&mut self.several_devices_blocks, &mut self.nodes),
        };
        add(blocks, class.blocks);
        add(nodes, class.nodes);
        if class.devices > 0 {
            add(&mut self.reached_blocks, class.blocks);
        }
        if class.has_snapshot {
            add(&mut self.kept_by_metadata_snapshot_blocks, class.blocks);
        }
        if class.blocks > 0 {
            add(&mut self.classes, 1);
        }
    }
}

/// Adds to a count of blocks, of which there are fewer than 2⁶⁴.
pub(super) fn add(sum: &mut u64, blocks: u64) {
    *sum = sum.saturating_add(blocks);
}

impl Sharing {
    /// What each device holds, by ascending id. Cost: one step for each span of holders of each
    /// class.
    #[must_use]
    pub fn devices(&self) -> Vec<DeviceUsage> {
        let empty = |(id, mappings): (&DeviceId, &u64)| DeviceUsage {
            id: *id,
            mappings: *mappings,
            mapped_blocks: 0,
            exclusive_blocks: 0,
            shared_by: Vec::new(),
        };
        let mut devices: Vec<_> = self.ids.iter().zip(&self.mappings).map(empty).collect();
        let mut sums = Sums::new(devices.len());
        for alike in self.by_devices().chunk_by(|one, other| one.devices == other.devices) {
            for class in alike {
                class.holders.spans().for_each(|span| sums.add(&span, class.blocks));
            }
            let sharers = alike.first().map_or(0, |class| class.devices);
            sums.drain(|device, blocks| {
                let Some(device) = devices.get_mut(index_u32(device)) else { return };
                add(&mut device.mapped_blocks, blocks);
                if sharers == 1 {
                    device.exclusive_blocks = blocks;
                }
                device.shared_by.push((sharers, blocks));
            });
        }
        devices
    }

    /// How many blocks each other device reaches of those that one device does, by ascending
    /// id; none that reaches none. Cost: one step for each span of holders of its classes.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`](crate::Error::UnknownDevice).
    pub fn shared_with(&self, id: DeviceId) -> Result<Vec<(DeviceId, u64)>> {
        let own = self.position(id)?;
        let mut sums = Sums::new(self.ids.len());
        for class in self.classes.iter().filter(|class| class.holders.contains(own)) {
            class.holders.spans().for_each(|span| sums.add(&span, class.blocks));
        }
        let mut shared = Vec::new();
        sums.drain(|device, blocks| {
            let others = self.ids.get(index_u32(device)).filter(|other| **other != id);
            shared.extend(others.map(|other| (*other, blocks)));
        });
        Ok(shared)
    }

    /// The classes that have blocks, by the number of their devices.
    fn by_devices(&self) -> Vec<Class<'_>> {
        let mut classes: Vec<_> = self.classes.iter().filter(|class| class.blocks > 0).collect();
        classes.sort_by_key(|class| class.devices);
        classes
    }

    /// What each of some sets of devices holds; a device may be in several.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`](crate::Error::UnknownDevice).
    pub fn usage(&self, sets: &[Vec<DeviceId>]) -> Result<Vec<SetUsage>> {
        let by_device = ByDevice::new(self, sets)?;
        let mut usages = vec![SetUsage::default(); sets.len()];
        let mut counts = Counts::new(sets.len());
        for class in self.by_devices() {
            counts.count(&by_device, &class);
            counts.drain(|set, members| {
                let Some(usage) = usages.get_mut(index_u32(set)) else { return };
                add(&mut usage.mapped_blocks, class.blocks);
                if members == class.devices {
                    add(&mut usage.exclusive_blocks, class.blocks);
                    if !class.has_snapshot {
                        add(&mut usage.reclaimable_blocks, class.blocks);
                    }
                }
                let times = class.blocks.saturating_mul(u64::from(members));
                match usage.shared_by.last_mut() {
                    Some((sharers, blocks)) if *sharers == class.devices => add(blocks, times),
                    _ => usage.shared_by.push((class.devices, times)),
                }
            });
        }
        Ok(usages)
    }
}

/// Sets of devices by device.
///
/// Memory: 4 bytes a device, 8 bytes a device of each set.
#[derive(Debug)]
pub(super) struct ByDevice {
    /// Devices of any set.
    pub(super) all: Mask,
    /// Where the sets of each device end.
    ends: Vec<u32>,
    sets: Vec<u32>,
}

impl ByDevice {
    /// Turns the sets around.
    pub(super) fn new(sharing: &Sharing, sets: &[Vec<DeviceId>]) -> Result<Self> {
        let mut all = Mask::new(sharing.classes.holders());
        let mut pairs = Vec::new();
        for (at, set) in (0_u32..).zip(sets) {
            for id in set {
                let device = sharing.position(*id)?;
                all.insert(device);
                pairs.push((device, at));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut rest = pairs.iter().peekable();
        let mut count = 0;
        let ends = (0_u32..).take(sharing.ids.len()).map(|device| {
            while rest.next_if(|(own, _)| *own == device).is_some() {
                count = u32::saturating_add(count, 1);
            }
            count
        });
        let ends = ends.collect();
        Ok(Self { all, ends, sets: pairs.into_iter().map(|(_, set)| set).collect() })
    }

    /// The sets, ascending, that have all devices of a class. Most classes are told apart by
    /// their first two devices.
    pub(super) fn having_all(&self, class: &Class<'_>) -> Vec<u32> {
        let mut devices = class.holders.iter().take(index_u32(class.devices));
        let mut all = devices.next().map_or_else(Vec::new, |first| self.of(first).to_vec());
        for device in devices {
            if all.is_empty() {
                break;
            }
            let own = self.of(device);
            all.retain(|set| own.binary_search(set).is_ok());
        }
        all
    }

    fn of(&self, device: u32) -> &[u32] {
        let end = |device: u32| self.ends.get(index_u32(device)).copied().map_or(0, index_u32);
        let range = device.checked_sub(1).map_or(0, end)..end(device);
        self.sets.get(range).unwrap_or_default()
    }
}

/// How many devices of each set reach a class.
#[derive(Debug)]
pub(super) struct Counts {
    counts: Vec<u32>,
    /// The sets that do.
    touched: Vec<u32>,
}

impl Counts {
    pub(super) fn new(sets: usize) -> Self {
        Self { counts: vec![0; sets], touched: Vec::new() }
    }

    /// Counts for a class; the counts before have been drained.
    pub(super) fn count(&mut self, by_device: &ByDevice, class: &Class<'_>) {
        for device in class.holders.within(&by_device.all) {
            for set in by_device.of(device) {
                let Some(count) = self.counts.get_mut(index_u32(*set)) else { continue };
                if *count == 0 {
                    self.touched.push(*set);
                }
                *count = count.saturating_add(1);
            }
        }
    }

    /// Hands over each set that reaches the class, with the number of its devices that do.
    pub(super) fn drain(&mut self, mut each: impl FnMut(u32, u32)) {
        for set in self.touched.drain(..) {
            if let Some(count) = self.counts.get_mut(index_u32(set)) {
                each(set, std::mem::take(count));
            }
        }
    }
}

/// The position of a device among all, as holders are numbered.
pub(super) fn position(ids: &[DeviceId], id: DeviceId) -> Result<u32> {
    let found = ids.binary_search(&id).map(|at| low_u32(widen(at)));
    found.map_err(|_| crate::Error::UnknownDevice(id))
}
