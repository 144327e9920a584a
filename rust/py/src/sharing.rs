//! Who shares what, and what deleting devices would free.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use thinscope_core::Result;
use thinscope_core::sharing::{
    BlockRun, Cell as CoreCell, DeviceUsage as CoreDeviceUsage, Group as CoreGroup,
    PlanObject as CorePlanObject, PlanOptions, Reclaim as CoreReclaim, SetUsage as CoreSetUsage,
    Sharing as CoreSharing, Totals as CoreTotals,
};
use thinscope_core::units::DeviceId;
use thinscope_core::watch::Watch;

use crate::conduct::Conductor;
use crate::matrix::Matrix;
use crate::plan::Plan;

/// What a device holds, in data blocks.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceUsage {
    /// Id of the device.
    id: u32,
    /// How many mappings it has.
    mappings: u64,
    /// Distinct blocks that it reaches.
    mapped_blocks: u64,
    /// Of those, blocks that no other device reaches; the metadata snapshot is no device.
    exclusive_blocks: u64,
    /// Of those mapped, blocks that other devices reach too.
    shared_blocks: u64,
    /// Blocks by the number of devices that reach them, ascending: (devices, blocks). The sum
    /// of blocks/devices is the fair share.
    shared_by: Vec<(u32, u64)>,
}

impl From<CoreDeviceUsage> for DeviceUsage {
    fn from(core: CoreDeviceUsage) -> Self {
        Self {
            id: core.id.get(),
            mappings: core.mappings,
            mapped_blocks: core.mapped_blocks,
            exclusive_blocks: core.exclusive_blocks,
            shared_blocks: core.mapped_blocks.saturating_sub(core.exclusive_blocks),
            shared_by: core.shared_by,
        }
    }
}

/// What a set of devices holds, in data blocks.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetUsage {
    /// Distinct blocks that the set reaches.
    mapped_blocks: u64,
    /// Of those, blocks that no device outside the set reaches; the metadata snapshot is no
    /// device.
    exclusive_blocks: u64,
    /// Of those, blocks that the metadata snapshot does not reach either.
    reclaimable_blocks: u64,
    /// By the number of devices that reach a block, ascending: (devices, blocks times devices
    /// of the set that reach them). The sum of blocks/devices is the fair share.
    shared_by: Vec<(u32, u64)>,
}

impl From<CoreSetUsage> for SetUsage {
    fn from(core: CoreSetUsage) -> Self {
        Self {
            mapped_blocks: core.mapped_blocks,
            exclusive_blocks: core.exclusive_blocks,
            reclaimable_blocks: core.reclaimable_blocks,
            shared_by: core.shared_by,
        }
    }
}

/// Sums over the whole pool, in data blocks where nothing else is said. One device, several
/// devices, only in the metadata snapshot and leaked, less the missing count, add up to used.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Blocks that one device reaches.
    one_device_blocks: u64,
    /// Blocks that several devices reach.
    several_devices_blocks: u64,
    /// Blocks that only the metadata snapshot reaches.
    only_metadata_snapshot_blocks: u64,
    /// Blocks counted as used that nobody reaches, or None through a metadata snapshot.
    leaked_blocks: Option<u64>,
    /// Blocks that are reached, but counted as free, or None through a metadata snapshot.
    missing_count_blocks: Option<u64>,
    /// Blocks counted as used, or None through a metadata snapshot.
    used_blocks: Option<u64>,
    /// Blocks that the metadata snapshot reaches, whoever else does.
    kept_by_metadata_snapshot_blocks: u64,
    /// Blocks that devices reach.
    reached_blocks: u64,
    /// Different sets of holders that blocks have.
    classes: u64,
    /// Distinct nodes of the devices' mapping trees: metadata blocks.
    nodes: u64,
    /// Distinct nodes of mapping trees that only the metadata snapshot reaches: metadata blocks.
    only_metadata_snapshot_nodes: u64,
}

impl From<&CoreTotals> for Totals {
    fn from(core: &CoreTotals) -> Self {
        Self {
            one_device_blocks: core.one_device_blocks,
            several_devices_blocks: core.several_devices_blocks,
            only_metadata_snapshot_blocks: core.only_metadata_snapshot_blocks,
            leaked_blocks: core.leaked_blocks,
            missing_count_blocks: core.missing_count_blocks,
            used_blocks: core.used_blocks,
            kept_by_metadata_snapshot_blocks: core.kept_by_metadata_snapshot_blocks,
            reached_blocks: core.reached_blocks,
            classes: core.classes,
            nodes: core.nodes,
            only_metadata_snapshot_nodes: core.only_metadata_snapshot_nodes,
        }
    }
}

/// What deleting a set of devices would free, in data blocks where nothing else is said. Freed,
/// kept and still held add up to mapped.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reclaim {
    /// Distinct blocks that the set reaches.
    mapped_blocks: u64,
    /// Of those, blocks that nobody else reaches.
    freed_blocks: u64,
    /// Of those, blocks that no other device reaches, but the metadata snapshot: freed when it
    /// is released.
    kept_by_metadata_snapshot_blocks: u64,
    /// Of those, blocks that other devices reach.
    still_held_blocks: u64,
    /// The devices outside that reach blocks of the set, and how many: most blocks first, then
    /// by ascending id.
    holders: Vec<(u32, u64)>,
    /// What deleting only one group would free, for each.
    alone_blocks: Vec<u64>,
    /// Nodes of mapping trees that nobody else reaches: metadata blocks.
    freed_metadata_blocks: u64,
    /// Nodes of mapping trees that beside the set only the metadata snapshot reaches: metadata
    /// blocks.
    kept_metadata_blocks: u64,
}

impl From<CoreReclaim> for Reclaim {
    fn from(core: CoreReclaim) -> Self {
        Self {
            mapped_blocks: core.mapped_blocks,
            freed_blocks: core.freed_blocks,
            kept_by_metadata_snapshot_blocks: core.kept_by_metadata_snapshot_blocks,
            still_held_blocks: core.still_held_blocks(),
            holders: core.holders.into_iter().map(|(id, blocks)| (id.get(), blocks)).collect(),
            alone_blocks: core.alone_blocks,
            freed_metadata_blocks: core.freed_metadata_blocks,
            kept_metadata_blocks: core.kept_metadata_blocks,
        }
    }
}

/// Devices that share blocks with each other and with no other device.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Ids of the devices, ascending.
    devices: Vec<u32>,
    /// Whether the metadata snapshot reaches the blocks too.
    has_metadata_snapshot: bool,
    /// Data blocks that these reach and nobody else.
    blocks: u64,
}

impl From<CoreGroup> for Group {
    fn from(core: CoreGroup) -> Self {
        Self {
            devices: core.devices.into_iter().map(DeviceId::get).collect(),
            has_metadata_snapshot: core.has_metadata_snapshot,
            blocks: core.blocks,
        }
    }
}

/// Free, one device, several devices, only the metadata snapshot, leaked, missing.
type Cell = (u64, u64, u64, u64, u64, u64);

/// Device ids, positions of what it uses, whether it is collected, whether it is a candidate.
type PlanObject = (Vec<u32>, Vec<usize>, bool, bool);

/// Who shares what in a pool, as of when it was read: answers are immediate and need no source.
#[pyclass(frozen, module = "thinscope._core")]
#[derive(Debug)]
pub(crate) struct Sharing {
    core: Arc<CoreSharing>,
    conductor: Arc<Conductor>,
}

impl Sharing {
    /// An answer of a pool. It needs no source any more, and keeps none.
    pub(crate) fn new(py: Python<'_>, core: Arc<CoreSharing>, of: &Conductor) -> Self {
        let progress = of.progress.as_ref().map(|progress| progress.clone_ref(py));
        let conductor = Conductor { source: of.source.clone(), progress, files: Vec::new() };
        Self { core, conductor: Arc::new(conductor) }
    }

    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&CoreSharing, &Watch) -> Result<T> + Send,
    ) -> PyResult<T> {
        self.conductor.conduct(py, |watch| question(&self.core, watch))
    }
}

fn devices(ids: Vec<u32>) -> Vec<DeviceId> {
    ids.into_iter().map(DeviceId::new).collect()
}

fn sets(groups: Vec<Vec<u32>>) -> Vec<Vec<DeviceId>> {
    groups.into_iter().map(devices).collect()
}

fn runs(runs: &[BlockRun]) -> Vec<(u64, u64)> {
    runs.iter().map(|run| (run.begin, run.length)).collect()
}

#[pymethods]
impl Sharing {
    /// Whether a held metadata snapshot is a holder beside the devices.
    #[getter]
    fn has_metadata_snapshot(&self) -> bool {
        self.core.has_metadata_snapshot()
    }

    /// What each device holds, by ascending id.
    fn devices(&self, py: Python<'_>) -> PyResult<Vec<DeviceUsage>> {
        let usages = self.ask(py, |core, _| Ok(core.devices()))?;
        Ok(usages.into_iter().map(DeviceUsage::from).collect())
    }

    /// Whether all mappings could be read; only of a tolerant pool may some be lost.
    #[getter]
    fn is_whole(&self) -> bool {
        self.core.is_whole()
    }

    /// Sums over the whole pool.
    fn totals(&self) -> Totals {
        self.core.totals().into()
    }

    /// What each of some sets of devices holds; a device may be in several.
    fn usage(&self, py: Python<'_>, groups: Vec<Vec<u32>>) -> PyResult<Vec<SetUsage>> {
        let usages = self.ask(py, |core, _| core.usage(&sets(groups)))?;
        Ok(usages.into_iter().map(SetUsage::from).collect())
    }

    /// How many blocks each other device reaches of those that one device does: (id, blocks),
    /// by ascending id, without those that reach none.
    fn shared_with(&self, py: Python<'_>, device: u32) -> PyResult<Vec<(u32, u64)>> {
        let shared = self.ask(py, |core, _| core.shared_with(DeviceId::new(device)))?;
        Ok(shared.into_iter().map(|(id, blocks)| (id.get(), blocks)).collect())
    }

    /// What deleting the devices of all groups and `also` would free.
    fn reclaim(&self, py: Python<'_>, groups: Vec<Vec<u32>>, also: Vec<u32>) -> PyResult<Reclaim> {
        self.ask(py, |core, _| core.reclaim(&sets(groups), &devices(also))).map(Reclaim::from)
    }

    /// How many blocks each two devices share.
    fn matrix(&self) -> Matrix {
        Matrix { core: Arc::clone(&self.core), conductor: Arc::clone(&self.conductor) }
    }

    /// The groups of two devices or more that share most blocks: most blocks first, then by
    /// their devices, first those that the metadata snapshot does not have.
    fn groups(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<Group>> {
        let groups = self.ask(py, |core, _| Ok(core.groups(limit)))?;
        Ok(groups.into_iter().map(Group::from).collect())
    }

    /// The data device cut into at most so many cells of one size, and never into more than 2**20;
    /// the last may be smaller. Of each cell, in data blocks: free, reached by one device, by several
    /// devices, by the metadata snapshot alone, leaked, which add up to the cell; and of those
    /// reached the ones counted as free. None through a metadata snapshot.
    fn picture(&self, py: Python<'_>, cells: u64) -> PyResult<Option<Vec<Cell>>> {
        let cells = self.ask(py, |core, _| Ok(core.picture(cells)))?;
        let cell = |cell: CoreCell| {
            let CoreCell { free, one_device, several_devices, .. } = cell;
            let rest = (cell.only_metadata_snapshot, cell.leaked, cell.missing);
            (free, one_device, several_devices, rest.0, rest.1, rest.2)
        };
        Ok(cells.map(|cells| cells.into_iter().map(cell).collect()))
    }

    /// Blocks that are counted as used and reached by nobody, as runs (begin, length) of data
    /// blocks, ascending, or None through a metadata snapshot.
    fn leaked(&self) -> Option<Vec<(u64, u64)>> {
        self.core.leaked().map(runs)
    }

    /// Blocks that are reached, but counted as free, as runs (begin, length) of data blocks,
    /// ascending, or None through a metadata snapshot.
    fn missing(&self) -> Option<Vec<(u64, u64)>> {
        self.core.missing().map(runs)
    }

    /// Plans which objects to delete so that `target_blocks` data blocks come free.
    ///
    /// An object is (ids of its devices, positions of the objects that it stands on and that
    /// cannot go before it, whether it goes by itself as soon as nobody uses it any more,
    /// whether it may go). Who may not go keeps all that it stands on. A step that frees less
    /// than `min_each_blocks` is not taken. `in_order` takes the objects in their order, rather
    /// than those that free most.
    #[pyo3(signature = (objects, target_blocks, *, min_each_blocks=0, in_order=false))]
    fn plan(
        &self,
        py: Python<'_>,
        objects: Vec<PlanObject>,
        target_blocks: u64,
        min_each_blocks: u64,
        in_order: bool,
    ) -> PyResult<Plan> {
        let end = objects.len();
        if objects.iter().any(|(_, uses, _, _)| uses.iter().any(|used| *used >= end)) {
            return Err(PyValueError::new_err("an object uses a position that no object has"));
        }
        let object = |(ids, uses, is_collected, is_candidate)| CorePlanObject {
            devices: devices(ids),
            uses,
            is_collected,
            is_candidate,
        };
        let objects: Vec<_> = objects.into_iter().map(object).collect();
        let options = PlanOptions { target_blocks, min_each_blocks, in_order };
        self.ask(py, |core, watch| core.plan(&objects, options, watch)).map(Plan::from)
    }

    fn __repr__(&self) -> String {
        let classes = self.core.totals().classes;
        format!("<Sharing of {}: {classes} different sets of holders>", self.conductor.source)
    }
}
