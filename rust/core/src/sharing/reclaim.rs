//! What deleting devices would free.

use std::cmp::Reverse;

use super::Sharing;
use super::sums::Sums;
use super::usage::{ByDevice, add};
use crate::error::Result;
use crate::units::{DeviceId, index_u32};

/// What deleting a set of devices would free, in data blocks where nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reclaim {
    /// Distinct blocks that the set reaches.
    pub mapped_blocks: u64,
    /// Of those, blocks that nobody else reaches.
    pub freed_blocks: u64,
    /// Of those, blocks that no other device reaches, but the metadata snapshot: freed when it
    /// is released.
    pub kept_by_metadata_snapshot_blocks: u64,
    /// The devices outside that reach blocks of the set, and how many: most blocks first, then
    /// by ascending id.
    pub holders: Vec<(DeviceId, u64)>,
    /// What deleting only one group would free, for each.
    pub alone_blocks: Vec<u64>,
    /// Nodes of mapping trees that nobody else reaches: metadata blocks.
    pub freed_metadata_blocks: u64,
    /// Nodes of mapping trees that beside the set only the metadata snapshot reaches: metadata
    /// blocks.
    pub kept_metadata_blocks: u64,
}

impl Reclaim {
    /// Blocks of the set that other devices reach.
    #[must_use]
    pub fn still_held_blocks(&self) -> u64 {
        let released = self.freed_blocks.saturating_add(self.kept_by_metadata_snapshot_blocks);
        self.mapped_blocks.saturating_sub(released)
    }
}

impl Sharing {
    /// What deleting the devices of all groups and `also` would free. Cost: one step for each
    /// span of holders of each class that the set touches.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`](crate::Error::UnknownDevice).
    pub fn reclaim(&self, groups: &[Vec<DeviceId>], also: &[DeviceId]) -> Result<Reclaim> {
        let by_device = ByDevice::new(self, groups)?;
        let mut set = by_device.all.clone();
        for id in also {
            set.insert(self.position(*id)?);
        }
        let mut held = Sums::new(self.ids.len());
        let mut reclaim = Reclaim { alone_blocks: vec![0; groups.len()], ..Reclaim::default() };
        for class in self.classes.iter() {
            let members = class.holders.count_within(&set);
            if members == 0 {
                continue;
            }
            add(&mut reclaim.mapped_blocks, class.blocks);
            if members < class.devices {
                for span in class.holders.spans_outside(&set) {
                    held.add(&span, class.blocks);
                }
            } else if class.has_snapshot {
                add(&mut reclaim.kept_by_metadata_snapshot_blocks, class.blocks);
                add(&mut reclaim.kept_metadata_blocks, class.nodes);
            } else {
                add(&mut reclaim.freed_blocks, class.blocks);
                add(&mut reclaim.freed_metadata_blocks, class.nodes);
                for group in by_device.having_all(&class) {
                    if let Some(alone) = reclaim.alone_blocks.get_mut(index_u32(group)) {
                        add(alone, class.blocks);
                    }
                }
            }
        }
        let holders = &mut reclaim.holders;
        held.drain(|device, blocks| {
            holders.extend(self.ids.get(index_u32(device)).map(|id| (*id, blocks)));
        });
        reclaim.holders.sort_by_key(|(_, blocks)| Reverse(*blocks));
        Ok(reclaim)
    }
}
