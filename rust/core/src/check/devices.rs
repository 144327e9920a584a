//! The devices as the pool lists them: trees and records, counts, times.

use super::Check;
use super::finding::{Affected, Finding, Severity, Step};
use super::mappings::{MAX_AFFECTED, Side};
use crate::btree::{KeyRange, Loss, Tree};
use crate::devices::{Device, missing};
use crate::units::{DeviceId, MetadataBlock, widen};

/// What was counted below each root of the graph.
pub(super) struct Counted {
    /// Mappings that were read.
    pub(super) sums: Vec<u64>,
    /// Key ranges that could not be.
    pub(super) gaps: Vec<usize>,
}

impl Counted {
    /// The mappings that a root's only gap has, by the device's record.
    pub(super) fn lost(&self, root: usize, side: &Side<'_>) -> Option<u64> {
        let device = side.listing.devices.get(root.saturating_sub(side.first_root))?;
        if !device.is_recorded || self.gaps.get(root) != Some(&1) {
            return None;
        }
        device.mapped_blocks.checked_sub(*self.sums.get(root)?)
    }
}

impl Check {
    /// What is lost of the two trees that list the devices, and where they disagree.
    pub(super) fn listing(&mut self, side: &Side<'_>) {
        let listing = &side.listing;
        for loss in &listing.lost_roots {
            let mut finding = loss_finding("top-level tree", side.draft.mapping_root, loss, side);
            let (first, last) = (loss.range.first, loss.range.last);
            let begin = listing.treeless.partition_point(|(id, _)| u64::from(id.get()) < first);
            let end = listing.treeless.partition_point(|(id, _)| u64::from(id.get()) <= last);
            let treeless = listing.treeless.get(begin..end).unwrap_or_default();
            affect_treeless(&mut finding, treeless, side);
            self.collected.push(finding);
        }
        for loss in &listing.lost_records {
            let finding = loss_finding("details tree", side.draft.details_root, loss, side);
            self.collected.push(finding);
        }
        let is_lost =
            |losses: &[Loss], id: DeviceId| Loss::find(losses, u64::from(id.get())).is_some();
        if side.draft.mapping_root.is_none() {
            let code = if side.held.is_some() { "metadata-snapshot" } else { "superblock" };
            if let Some(finding) = self.collected.about(code, "data_mapping_root") {
                affect_treeless(finding, &listing.treeless, side);
            }
        }
        if let Some(root) = side.draft.mapping_root {
            for (id, mapped) in &listing.treeless {
                if !is_lost(&listing.lost_roots, *id) {
                    let error = missing(Tree::TopLevel, root, *id);
                    let mut finding = Finding::of_error("device-tree", &error);
                    finding.message = format!("device {id} has a record, but no mapping tree");
                    finding.path = side.path("top-level tree", Some(root));
                    finding.affected = vec![whole(*id, Some(*mapped), side)];
                    self.collected.push(finding);
                }
            }
        }
        if let Some(root) = side.draft.details_root {
            for device in listing.devices.iter().filter(|device| !device.is_recorded) {
                if !is_lost(&listing.lost_records, device.id) {
                    let error = missing(Tree::Details, root, device.id);
                    let mut finding = Finding::of_error("device-record", &error);
                    finding.message =
                        format!("device {} has a mapping tree, but no record", device.id);
                    finding.path = side.path("details tree", Some(root));
                    self.collected.push(finding);
                }
            }
        }
    }

    /// What the records say beside what was counted, and beside the superblock.
    pub(super) fn devices(&mut self, side: &Side<'_>, counted: &Counted, gaps_are_cut: bool) {
        for (root, device) in (side.first_root..).zip(&side.listing.devices) {
            if !device.is_recorded {
                continue;
            }
            let found = counted.sums.get(root).copied().unwrap_or_default();
            let is_whole = counted.gaps.get(root) == Some(&0) && !gaps_are_cut;
            if found != device.mapped_blocks && is_whole {
                let message = format!(
                    "device {} maps {found} blocks, but its record says {}",
                    device.id, device.mapped_blocks
                );
                let finding = about("mapped-count", message, device, side);
                let finding = finding.with("mapped_blocks", found, device.mapped_blocks);
                self.collected.push(finding);
            }
            self.times(device, side);
        }
    }

    fn times(&mut self, device: &Device, side: &Side<'_>) {
        let now = side.draft.time;
        let times = [
            ("creation_time", "made", device.creation_time),
            ("snapshotted_time", "last snapshotted", device.snapshot_time),
        ];
        for (field, what, time) in times {
            if time > now {
                let message = format!(
                    "device {} was {what} at time {time}, but the pool's time is {now}",
                    device.id
                );
                let finding = about("device-time", message, device, side);
                self.collected.push(finding.with(field, format!("at most {now}"), time));
            }
        }
        let (now, found) = (side.draft.transaction_id, device.transaction_id);
        if found > now {
            let message = format!(
                "device {} was made in transaction {found}, but the pool is at {now}",
                device.id
            );
            let finding = about("device-transaction", message, device, side);
            self.collected.push(finding.with("transaction_id", format!("at most {now}"), found));
        }
    }
}

fn loss_finding(tree: &str, root: Option<MetadataBlock>, loss: &Loss, side: &Side<'_>) -> Finding {
    let mut finding = Finding::of_error("node", &loss.error);
    finding.path = side.path(tree, root);
    if root != Some(loss.block) {
        finding.path.push(Step { name: "node".to_owned(), block: u64::from(loss.block.get()) });
    }
    finding
}

/// Names devices of which nothing but the record is left.
fn affect_treeless(finding: &mut Finding, treeless: &[(DeviceId, u64)], side: &Side<'_>) {
    let named = treeless.iter().take(MAX_AFFECTED);
    finding.affected = named.map(|(id, mapped)| whole(*id, Some(*mapped), side)).collect();
    finding.more_affected = widen(treeless.len().saturating_sub(MAX_AFFECTED));
}

fn about(code: &'static str, message: String, device: &Device, side: &Side<'_>) -> Finding {
    let path = side.path("details tree", side.draft.details_root);
    let mut finding = Finding::new(code, Severity::Damage, message);
    if let Some(root) = side.draft.details_root {
        finding = finding.at(root, path);
    }
    finding.affected = vec![whole(device.id, None, side)];
    finding
}

fn whole(device: DeviceId, mappings: Option<u64>, side: &Side<'_>) -> Affected {
    let in_metadata_snapshot = side.held.is_some();
    Affected { device, in_metadata_snapshot, range: KeyRange::ALL, mappings }
}
