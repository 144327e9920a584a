//! What was built, for tests to compare with.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::finish::Finished;
use crate::miscount::Miscount;
use crate::writer::Geometry;

/// A device as it was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceAnswer {
    /// Its id.
    pub id: u32,
    /// Mappings.
    pub mapped_blocks: u64,
    /// Sum of the data blocks of all mappings.
    pub data_block_sum: u64,
    /// Highest virtual block mapped.
    pub highest_block: Option<u64>,
}

/// All mappings of a device: virtual block, data block, time.
pub type Mappings = Vec<(u64, u64, u32)>;

/// A pool as it was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// The shape's name.
    pub shape: &'static str,
    /// What everything was drawn from.
    pub seed: u64,
    /// Sectors in a data block.
    pub data_block_sectors: u32,
    /// The pool's time.
    pub time: u32,
    /// The pool's transaction id.
    pub transaction_id: u64,
    /// Blocks of the data device.
    pub data_blocks: u64,
    /// Of those, counted as used.
    pub data_used: u64,
    /// Data blocks that are counted as used and that nothing reaches.
    pub leaked: Vec<u64>,
    /// Data blocks that are reached and counted as free.
    pub missing: Vec<u64>,
    /// Blocks of the metadata device.
    pub metadata_blocks: u32,
    /// Of those, allocated.
    pub metadata_used: u64,
    /// Mappings of all devices together.
    pub mappings: u64,
    /// Distinct data blocks that devices reach.
    pub distinct_data_blocks: u64,
    /// Distinct roots of mapping trees of devices.
    pub distinct_roots: u64,
    /// Where the metadata snapshot lies, if one is held.
    pub metadata_snapshot: Option<u32>,
    /// The devices, by ascending id.
    pub devices: Vec<DeviceAnswer>,
    /// The devices in the metadata snapshot.
    pub snapshot_devices: Vec<DeviceAnswer>,
    /// All mappings by device id, of shapes that keep them in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mappings_by_device: Option<BTreeMap<u32, Mappings>>,
    /// The same of the metadata snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_mappings_by_device: Option<BTreeMap<u32, Mappings>>,
}

impl Answers {
    /// The answers of a pool in which devices reach all data blocks in use that did not leak,
    /// and a metadata snapshot, where one is held, has the same devices.
    pub(crate) fn of(
        shape: &'static str,
        geometry: &Geometry,
        finished: &Finished,
        (time, transaction_id): (u32, u64),
        (devices, distinct_roots): (Vec<DeviceAnswer>, u64),
    ) -> Self {
        let held = finished.metadata_snapshot;
        let Miscount { leaked, missing } = finished.miscount.clone();
        Self {
            shape,
            seed: geometry.seed,
            data_block_sectors: geometry.data_block_sectors,
            time,
            transaction_id,
            data_blocks: finished.data_blocks,
            data_used: finished.data_used,
            metadata_blocks: finished.metadata_blocks,
            metadata_used: finished.metadata_used,
            mappings: devices.iter().map(|device| device.mapped_blocks).sum(),
            distinct_data_blocks: finished.data_used + missing.len() as u64 - leaked.len() as u64,
            leaked,
            missing,
            distinct_roots,
            metadata_snapshot: held,
            snapshot_devices: if held.is_some() { devices.clone() } else { Vec::new() },
            devices,
            mappings_by_device: None,
            snapshot_mappings_by_device: None,
        }
    }
}
