//! The largest groups of devices that share.

use std::cmp::Reverse;

use super::Sharing;
use super::classes::Class;
use crate::units::{DeviceId, index_u32};

/// Devices that share blocks with each other and with no other device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The devices, ascending.
    pub devices: Vec<DeviceId>,
    /// Whether the metadata snapshot reaches the blocks too.
    pub has_metadata_snapshot: bool,
    /// Data blocks that these reach and nobody else.
    pub blocks: u64,
}

impl Sharing {
    /// The classes of two devices or more that have most blocks: most blocks first, then by
    /// their devices, first those that the metadata snapshot does not have.
    #[must_use]
    pub fn groups(&self, limit: usize) -> Vec<Group> {
        let shared = |class: &Class<'_>| class.blocks > 0 && class.devices > 1;
        let mut classes: Vec<_> = self.classes.iter().filter(shared).collect();
        // Comparing devices costs more than comparing numbers: only for those that may be first.
        if let Some(last) = limit.min(classes.len()).checked_sub(1) {
            let by_blocks = |class: &Class<'_>| Reverse(class.blocks);
            let least = classes.select_nth_unstable_by_key(last, by_blocks).1.blocks;
            classes.retain(|class| class.blocks >= least);
        }
        classes.sort_by(|one, other| {
            let by_blocks = Reverse(one.blocks).cmp(&Reverse(other.blocks));
            let by_devices = || devices(one).cmp(devices(other));
            let by_snapshot = || one.has_snapshot.cmp(&other.has_snapshot);
            by_blocks.then_with(by_devices).then_with(by_snapshot)
        });
        let group = |class: Class<'_>| Group {
            devices: devices(&class)
                .filter_map(|at| self.ids.get(index_u32(at)).copied())
                .collect(),
            has_metadata_snapshot: class.has_snapshot,
            blocks: class.blocks,
        };
        classes.into_iter().take(limit).map(group).collect()
    }
}

/// The holders that are devices; the metadata snapshot stands behind them.
fn devices<'a>(class: &Class<'a>) -> impl Iterator<Item = u32> + use<'a> {
    class.holders.iter().take(index_u32(class.devices))
}
