//! What is left in the blocks of a source: states, trees, devices that were deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use thinscope_core::salvage::{
    Deleted as CoreDeleted, Misfit as CoreMisfit, Salvage as CoreSalvage, State as CoreState,
    Tree as CoreTree, Verdict,
};
use thinscope_core::source::Sharing;
use thinscope_core::units::{DeviceId, MetadataBlock};

use crate::conduct::Conductor;
use crate::handle::Handle;
use crate::pool::{DeviceRecord, Pool, thread_count};
use crate::source::Source;
use crate::superblock::Superblock;

/// Something that does not fit in a state.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// What it is: `no-listing`, `no-details`, `other-details`, `ids`, `count`, `incomplete`,
    /// `time` or `data-end`.
    kind: &'static str,
    /// The same in words, with the first device that it is about.
    message: String,
    /// Devices that it is about; 0 where they were not told one by one.
    devices: u64,
    /// The id of the first of them, or None.
    device: Option<u32>,
    /// Of that device, what was expected (mappings, a time, or data blocks), or None.
    expected: Option<u64>,
    /// What was found, or None.
    found: Option<u64>,
}

#[pymethods]
impl Misfit {
    fn __repr__(&self) -> String {
        format!("<Misfit {}: {}>", self.kind, self.message)
    }
}

impl From<&CoreMisfit> for Misfit {
    fn from(core: &CoreMisfit) -> Self {
        Self {
            kind: core.kind.name(),
            message: core.to_string(),
            devices: core.devices,
            device: core.device.map(DeviceId::get),
            expected: core.expected,
            found: core.found,
        }
    }
}

/// A state that the pool is in, or was in.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "attributes of a Python class")]
pub(crate) struct SalvagedState {
    /// From 1, best first.
    number: u64,
    /// The metadata block that stands for it: the top-level root, else the details root.
    root: u32,
    /// Root of the top-level tree, or None where that is lost.
    mapping_root: Option<u32>,
    /// Root of the details tree, or None where that is lost.
    details_root: Option<u32>,
    /// The block of the superblock that names the roots, or None where none does.
    superblock: Option<u32>,
    /// Whether it is the state of the live superblock.
    is_live: bool,
    /// Whether it is the state of the metadata snapshot that is held.
    is_metadata_snapshot: bool,
    /// Whether nothing contradicts it: ids, counts, keys, heights and times fit. No proof.
    is_consistent: bool,
    /// Whether every device's tree is there.
    is_whole: bool,
    /// What does not fit.
    misfits: Vec<Misfit>,
    /// Devices.
    devices: u64,
    /// Of those, devices whose trees have lost nodes, or are not found.
    broken_devices: u64,
    /// Mappings of all devices, in data blocks, as counted; as recorded where roots are lost.
    mapped_blocks: u64,
    /// The superblock's time, else the highest of the records, else of the mappings.
    time: u32,
    /// The superblock's transaction id, else one more than the highest of the records; no more
    /// than the live superblock's.
    transaction_id: u64,
    /// Details roots with other records that would do as well.
    other_details: u64,
}

#[pymethods]
impl SalvagedState {
    fn __repr__(&self) -> String {
        let verdict = if self.is_consistent { "consistent" } else { "plausible" };
        format!("<SalvagedState {}: root {}, {verdict}>", self.number, self.root)
    }
}

impl From<&CoreState> for SalvagedState {
    fn from(core: &CoreState) -> Self {
        Self {
            number: core.number,
            root: core.root().get(),
            mapping_root: core.mapping_root.map(MetadataBlock::get),
            details_root: core.details_root.map(MetadataBlock::get),
            superblock: core.superblock.map(MetadataBlock::get),
            is_live: core.is_live,
            is_metadata_snapshot: core.is_metadata_snapshot,
            is_consistent: core.verdict == Verdict::Consistent,
            is_whole: core.is_whole(),
            misfits: core.misfits.iter().map(Misfit::from).collect(),
            devices: core.devices,
            broken_devices: core.broken_devices,
            mapped_blocks: core.mapped,
            time: core.time.get(),
            transaction_id: core.transaction_id,
            other_details: core.other_details,
        }
    }
}

/// A whole mapping tree that no list of devices names: of a device, or a part of one.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SalvagedTree {
    /// The metadata block of its root.
    root: u32,
    /// Its mappings, in data blocks.
    mapped_blocks: u64,
    /// The lowest virtual block that it maps, in data blocks.
    first_block: u64,
    /// The highest.
    last_block: u64,
    /// The time of the youngest mapping.
    time: u32,
    /// Levels of nodes.
    levels: u8,
}

#[pymethods]
impl SalvagedTree {
    fn __repr__(&self) -> String {
        format!("<SalvagedTree {}: {} mappings>", self.root, self.mapped_blocks)
    }
}

impl From<&CoreTree> for SalvagedTree {
    fn from(core: &CoreTree) -> Self {
        Self {
            root: core.root.get(),
            mapped_blocks: core.mapped,
            first_block: core.first.get(),
            last_block: core.last.get(),
            time: core.time.get(),
            levels: core.levels,
        }
    }
}

/// A device that other states have and the live one has not.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeletedDevice {
    /// Its id.
    id: u32,
    /// The pool's time when it was made.
    creation_time: u32,
    /// The pool's transaction id when it was made.
    transaction_id: u64,
    /// The number of the best state that has it.
    state: u64,
    /// The metadata block that stands for that state.
    state_root: u32,
    /// Root of its tree there.
    root: u32,
    /// Its mappings there on record, in data blocks.
    recorded_blocks: u64,
    /// Its mappings that are left, in data blocks.
    mapped_blocks: u64,
    /// Whether they are all, and none is later than the state.
    is_whole: bool,
    /// Whether the state is consistent.
    is_consistent: bool,
}

#[pymethods]
impl DeletedDevice {
    fn __repr__(&self) -> String {
        format!("<DeletedDevice {}: {} mappings>", self.id, self.mapped_blocks)
    }
}

/// What is left in a source, by ids. `thinscope.Salvage` is its public face.
#[pyclass(frozen, module = "thinscope._core")]
#[derive(Debug)]
pub(crate) struct Salvage {
    core: CoreSalvage,
    conductor: Arc<Conductor>,
    threads: usize,
}

#[pymethods]
impl Salvage {
    /// Reads all blocks of a path, bytes or a binary file object; `name` is what messages call it.
    #[new]
    #[pyo3(signature = (source, name, *, threads=None, progress=None))]
    fn new(
        py: Python<'_>,
        source: Source,
        name: String,
        threads: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let threads = thread_count(threads)?;
        let (source, file) = source.prepare(py)?;
        let conductor = Arc::new(Conductor { source: name, progress, files: Vec::from_iter(file) });
        let core = conductor
            .conduct(py, |watch| CoreSalvage::scan(source.open(Sharing::Exclusive)?, watch))?;
        Ok(Self { core, conductor, threads })
    }

    /// All states, best first.
    #[getter]
    fn states(&self) -> Vec<SalvagedState> {
        self.core.states.iter().map(SalvagedState::from).collect()
    }

    /// Trees that no list of devices names, larger ones first.
    #[getter]
    fn trees(&self) -> Vec<SalvagedTree> {
        self.core.trees.iter().map(SalvagedTree::from).collect()
    }

    /// Metadata blocks by what they are.
    #[getter]
    fn blocks(&self) -> BTreeMap<&'static str, u64> {
        let blocks = &self.core.blocks;
        BTreeMap::from([
            ("total", blocks.total),
            ("zero", blocks.zero),
            ("superblock", blocks.superblocks),
            ("top_level", blocks.top_level_nodes),
            ("details", blocks.details_nodes),
            ("mapping", blocks.mapping_nodes),
            ("data_index", blocks.data_index_nodes),
            ("overflow", blocks.overflow_nodes),
            ("lost", blocks.lost_nodes),
            ("bitmap", blocks.bitmaps),
            ("index", blocks.index_blocks),
            ("misplaced", blocks.misplaced),
            ("broken", blocks.broken),
            ("unknown", blocks.unknown),
            ("unreadable", blocks.unreadable),
        ])
    }

    /// Runs of blocks that could not be read: the first, and how many.
    #[getter]
    fn unreadable(&self) -> Vec<(u64, u64)> {
        self.core.unreadable.clone()
    }

    /// The superblock in block 0, or None where it is damaged.
    #[getter]
    fn live_superblock(&self) -> Option<Superblock> {
        self.core.live().map(Superblock::from)
    }

    /// Sectors in a data block, or None where no superblock tells.
    #[getter]
    fn data_block_sectors(&self) -> Option<u32> {
        self.core.data_block_sectors
    }

    /// Blocks of the data device, or None where no superblock tells.
    #[getter]
    fn data_blocks(&self) -> Option<u64> {
        self.core.data_blocks
    }

    /// Whether what was read may be older than what the kernel wrote.
    #[getter]
    fn may_be_stale(&self) -> bool {
        self.core.may_be_stale()
    }

    /// The place among the states of the one to go on with, or None.
    #[getter]
    fn best(&self) -> Option<usize> {
        self.core.best()
    }

    /// The place among the states of the one that a block stands for, or None.
    fn state_of(&self, root: u32) -> Option<usize> {
        self.core.state_of(MetadataBlock::new(root))
    }

    /// The devices of a state that have trees, each with its root, by ascending id.
    fn devices(&self, py: Python<'_>, state: usize) -> PyResult<Vec<(DeviceRecord, u32)>> {
        let state = self.core.states.get(state);
        let state = state.ok_or_else(|| PyIndexError::new_err("there is no such state"))?;
        let devices = self.conductor.conduct(py, |watch| self.core.devices(state, watch))?;
        Ok(devices.iter().map(|device| (device.into(), device.root.get())).collect())
    }

    /// The devices that states have and the live one, or the best one, has not, by ascending id;
    /// and whether all states were looked at.
    fn deleted(&self, py: Python<'_>) -> PyResult<(Vec<DeletedDevice>, bool)> {
        let (found, is_all) = self.conductor.conduct(py, |watch| self.core.deleted(watch))?;
        Ok((found.iter().filter_map(|each| self.deleted_device(each)).collect(), is_all))
    }

    /// Opens what a block stands for: a state, or a single device by the root of its tree.
    #[pyo3(signature = (root, *, data_block_sectors=None, tolerant=false))]
    fn open(
        &self,
        py: Python<'_>,
        root: u64,
        data_block_sectors: Option<u32>,
        tolerant: bool,
    ) -> PyResult<Pool> {
        let pool = self.conductor.conduct(py, |watch| {
            self.core.open(root, data_block_sectors, self.threads, tolerant, watch)
        })?;
        Ok(Pool::of(Handle::new(pool, Arc::clone(&self.conductor))))
    }
}

impl Salvage {
    fn deleted_device(&self, core: &CoreDeleted) -> Option<DeletedDevice> {
        let state = self.core.states.get(core.state)?;
        Some(DeletedDevice {
            id: core.id.get(),
            creation_time: core.creation_time,
            transaction_id: core.transaction_id,
            state: state.number,
            state_root: state.root().get(),
            root: core.root.get(),
            recorded_blocks: core.recorded,
            mapped_blocks: core.mapped,
            is_whole: core.is_whole,
            is_consistent: core.is_consistent,
        })
    }
}
