//! A pool in memory that works as the kernel's does: small, and the measure for readers.
//!
//! Trees are copy-on-write ([`CowTree`]), so sharing between devices, and between the live pool
//! and the metadata snapshot, comes about by itself.

mod cow;
mod write;

use std::collections::{BTreeMap, HashSet};

pub use cow::{CowTree, Node};
use thinscope_core::btree::Tree;

use crate::answers::Mappings;
use crate::fill::Fill;
use crate::node::capacity;
use crate::writer::pack;

/// What the details tree says of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Mappings.
    pub mapped_blocks: u64,
    /// The pool's transaction id when the device was made.
    pub transaction_id: u64,
    /// The pool's time when the device was made.
    pub creation_time: u32,
    /// The pool's time when the device was last snapshotted.
    pub snapshotted_time: u32,
}

/// What a superblock reaches.
#[derive(Clone, Debug)]
pub struct State {
    /// Device id to mapping tree: virtual block to packed value.
    pub devices: CowTree<CowTree<u64>>,
    /// Device id to record.
    pub records: CowTree<Record>,
    /// The pool's time.
    pub time: u32,
    /// The pool's transaction id.
    pub transaction_id: u64,
}

/// A pool.
#[derive(Debug)]
pub struct Model {
    /// The present.
    pub live: State,
    /// What the metadata snapshot holds.
    pub held: Option<State>,
    fill: Fill,
    data_next: u64,
    data_free: Vec<u64>,
}

impl Model {
    /// An empty pool with so many entries in its nodes; there is less room for records.
    #[must_use]
    pub fn new(fill: Fill) -> Self {
        let of_records = fill.within(capacity(Tree::Details.value_size()));
        let of_records = Fill { low: fill.low.min(of_records.high.div_ceil(3)), ..of_records };
        let live = State {
            devices: CowTree::new(fill),
            records: CowTree::new(of_records),
            time: 0,
            transaction_id: 0,
        };
        Self { live, held: None, fill, data_next: 0, data_free: Vec::new() }
    }

    /// The ids of all devices.
    #[must_use]
    pub fn ids(&self) -> Vec<u64> {
        self.live.records.entries().map(|(id, _)| id).collect()
    }

    /// Makes an empty device.
    pub fn create(&mut self, id: u64) {
        let live = &mut self.live;
        let (transaction_id, time) = (live.transaction_id, live.time);
        live.devices.insert(id, CowTree::new(self.fill));
        let record = Record {
            mapped_blocks: 0,
            transaction_id,
            creation_time: time,
            snapshotted_time: time,
        };
        live.records.insert(id, record);
    }

    /// Makes a snapshot of a device; none where there is no such device.
    pub fn snapshot(&mut self, origin: u64, id: u64) {
        let live = &mut self.live;
        let tree = live.devices.get(origin).cloned();
        let (Some(tree), Some(record)) = (tree, live.records.get(origin).copied()) else { return };
        live.time += 1;
        let time = live.time;
        live.devices.insert(id, tree);
        live.records.insert(origin, Record { snapshotted_time: time, ..record });
        let transaction_id = live.transaction_id;
        let snapshot =
            Record { transaction_id, creation_time: time, snapshotted_time: time, ..record };
        live.records.insert(id, snapshot);
    }

    /// Deletes a device.
    pub fn delete(&mut self, id: u64) {
        self.live.devices.remove(id);
        self.live.records.remove(id);
    }

    /// Writes to blocks of a device: maps them, and copies those that a snapshot may share.
    pub fn write(&mut self, id: u64, blocks: std::ops::Range<u64>) {
        let Some(record) = self.live.records.get(id).copied() else { return };
        for block in blocks {
            let mapped = self.live.devices.get(id).and_then(|tree| tree.get(block)).copied();
            let is_own =
                mapped.is_some_and(|value| (value as u32 & 0xff_ffff) >= record.snapshotted_time);
            if !is_own {
                let value = pack(self.allocate(), self.live.time);
                let more = i64::from(mapped.is_none());
                self.change(id, more, |tree| tree.insert(block, value));
            }
        }
    }

    /// Maps a block to a data block, whoever has that one too. What is mapped so has time 0, and
    /// the device counts as snapshotted later: the data block may be shared.
    pub fn map(&mut self, id: u64, block: u64, data: u64) {
        let Some(record) = self.live.records.get(id).copied() else { return };
        self.live.time = self.live.time.max(1);
        let snapshotted_time = record.snapshotted_time.max(1);
        self.live.records.insert(id, Record { snapshotted_time, ..record });
        self.data_next = self.data_next.max(data + 1);
        self.data_free.retain(|free| *free != data);
        let is_mapped = self.live.devices.get(id).is_some_and(|tree| tree.get(block).is_some());
        self.change(id, i64::from(!is_mapped), |tree| tree.insert(block, pack(data, 0)));
    }

    /// Takes the mappings of blocks away.
    pub fn discard(&mut self, id: u64, blocks: std::ops::Range<u64>) {
        for block in blocks {
            if self.live.devices.get(id).is_some_and(|tree| tree.get(block).is_some()) {
                self.change(id, -1, |tree| tree.remove(block));
            }
        }
    }

    /// Makes the metadata snapshot.
    pub fn hold(&mut self) {
        self.held = Some(self.live.clone());
    }

    /// Counts up the transaction id, as managers do.
    pub const fn next_transaction(&mut self) {
        self.live.transaction_id += 1;
    }

    /// Makes data blocks that nothing reaches any more available again.
    pub fn collect(&mut self) {
        let mut reached = HashSet::new();
        for state in [Some(&self.live), self.held.as_ref()].into_iter().flatten() {
            for (_, tree) in state.devices.entries() {
                reached.extend(tree.entries().map(|(_, value)| value >> 24));
            }
        }
        self.data_free = (0..self.data_next).filter(|block| !reached.contains(block)).collect();
    }

    fn allocate(&mut self) -> u64 {
        self.data_free.pop().unwrap_or_else(|| {
            self.data_next += 1;
            self.data_next - 1
        })
    }

    /// Changes a device's tree, which makes so many mappings more.
    fn change(&mut self, id: u64, more: i64, change: impl FnOnce(&mut CowTree<u64>)) {
        let Some(mut tree) = self.live.devices.get(id).cloned() else { return };
        // Without this, the change would copy every node on the way for the tree that it is
        // about to replace.
        self.live.devices.insert(id, CowTree::new(self.fill));
        change(&mut tree);
        self.live.devices.insert(id, tree);
        if let Some(record) = self.live.records.get(id).copied() {
            let mapped_blocks = record.mapped_blocks.wrapping_add_signed(more);
            self.live.records.insert(id, Record { mapped_blocks, ..record });
        }
    }
}

impl State {
    /// Every mapping of every device.
    #[must_use]
    pub fn mappings(&self) -> BTreeMap<u32, Mappings> {
        let unpack = |(block, value): (u64, &u64)| (block, value >> 24, *value as u32 & 0xff_ffff);
        let devices = self.devices.entries();
        devices.map(|(id, tree)| (id as u32, tree.entries().map(unpack).collect())).collect()
    }
}
