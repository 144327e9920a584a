//! The handle of an open pool, and the records of its devices.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use thinscope_core::Pool as CorePool;
use thinscope_core::btree::KeyRange;
use thinscope_core::devices::Device as CoreDevice;
use thinscope_core::dump::{Format, Header};
use thinscope_core::fragmentation::Fragmentation;
use thinscope_core::owners::Wanted;
use thinscope_core::recount::Recount;
use thinscope_core::source::Sharing;
use thinscope_core::superblock::{SpaceMap, View};
use thinscope_core::units::{DeviceId, VirtualBlock};

use crate::conduct::Conductor;
use crate::content::Content;
use crate::delta::Delta;
use crate::fragmentation::{DeviceFragmentation, FreeExtents, NodeFill};
use crate::handle::Handle;
use crate::mappings::{Mappings, Run};
use crate::output::{Output, Target};
use crate::owners::Owners;
use crate::reference_counts::ReferenceCounts;
use crate::sharing::Sharing as Shares;
use crate::source::Source;
use crate::superblock::{SpaceUsage, Superblock};
use crate::survey::{self, SurveyedRun};

/// Most threads that a question takes, whatever the caller asks for.
const MAX_THREADS: usize = 256;

/// Most threads that a question takes where the caller names no number.
const DEFAULT_THREADS: usize = 8;

/// Blocks by device id.
type CountsById = BTreeMap<u32, u64>;

/// What is found of each device, by id; devices with the same root share it.
type FragmentationById = BTreeMap<u32, Py<DeviceFragmentation>>;

/// A gap of a device.
type GapRow = (u32, u64, u64, Option<u64>, String);

/// A part of a tree that lists devices.
type LossRow = (&'static str, u64, u64, Option<u64>, String);

/// Threads to use, by what the caller asks for.
pub(crate) fn thread_count(asked: Option<usize>) -> PyResult<usize> {
    match asked {
        Some(0) => Err(PyValueError::new_err("threads must be at least 1")),
        Some(count) => Ok(count.min(MAX_THREADS)),
        None => Ok(std::thread::available_parallelism()
            .map_or(1, |cores| cores.get().min(DEFAULT_THREADS))),
    }
}

/// A device as the pool records it.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRecord {
    /// Its id in the pool, 24 bits.
    id: u32,
    /// Blocks mapped, in data blocks, as recorded.
    mapped_blocks: u64,
    /// The pool's transaction id when the device was made.
    transaction_id: u64,
    /// The pool's time when the device was made.
    creation_time: u32,
    /// The pool's time when the device was last snapshotted.
    snapshot_time: u32,
    /// Whether the pool has a record of it. Where that is lost, blocks are counted, times are the
    /// latest of the mappings, and the transaction id is 0.
    is_recorded: bool,
}

impl From<&CoreDevice> for DeviceRecord {
    fn from(core: &CoreDevice) -> Self {
        Self {
            id: core.id.get(),
            mapped_blocks: core.mapped_blocks,
            transaction_id: core.transaction_id,
            creation_time: core.creation_time.get(),
            snapshot_time: core.snapshot_time.get(),
            is_recorded: core.is_recorded,
        }
    }
}

impl Pool {
    /// What is open already.
    pub(crate) fn of(handle: Handle) -> Self {
        Self { handle: Arc::new(handle) }
    }
}

/// An open pool, by device ids. `thinscope.Pool` is its public face.
#[pyclass(frozen, module = "thinscope._core")]
#[derive(Debug)]
pub(crate) struct Pool {
    handle: Arc<Handle>,
}

#[pymethods]
impl Pool {
    /// Opens a path, bytes or a binary file object; `name` is what messages call it.
    #[new]
    #[pyo3(signature = (source, name, *, metadata_snapshot=false, tolerant=false, threads=None,
                        progress=None))]
    fn new(
        py: Python<'_>,
        source: Source,
        name: String,
        metadata_snapshot: bool,
        tolerant: bool,
        threads: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let view = if metadata_snapshot { View::MetadataSnapshot } else { View::Live };
        let threads = thread_count(threads)?;
        let (source, file) = source.prepare(py)?;
        let conductor = Conductor { source: name, progress, files: Vec::from_iter(file) };
        let pool = conductor.conduct(py, |watch| {
            CorePool::from_source(source.open(view.into())?, view, threads, tolerant, watch)
        })?;
        Ok(Self::of(Handle::new(pool, Arc::new(conductor))))
    }

    /// Whether what is read may be older than what the kernel wrote: the device refused to be
    /// read around the page cache.
    #[getter]
    fn may_be_stale(&self) -> bool {
        self.handle.pool.may_be_stale()
    }

    /// Whether it is a state that was salvaged.
    #[getter]
    fn is_salvaged(&self) -> bool {
        self.handle.pool.view() == View::Salvaged
    }

    /// The superblock of the view: the live one, or the metadata snapshot's copy.
    #[getter]
    fn superblock(&self) -> Superblock {
        self.handle.pool.superblock().into()
    }

    /// The superblock in block 0, whatever the view.
    #[getter]
    fn live_superblock(&self) -> Superblock {
        self.handle.pool.live_superblock().into()
    }

    /// Usage of the data device.
    #[getter]
    fn data_space(&self) -> SpaceUsage {
        SpaceUsage::new(self.handle.pool.space(SpaceMap::Data), SpaceMap::Data)
    }

    /// Usage of the metadata device.
    #[getter]
    fn metadata_space(&self) -> SpaceUsage {
        SpaceUsage::new(self.handle.pool.space(SpaceMap::Metadata), SpaceMap::Metadata)
    }

    /// The devices' records, by ascending id.
    fn devices(&self, py: Python<'_>) -> PyResult<Vec<DeviceRecord>> {
        let devices = self.handle.ask(py, CorePool::devices)?;
        Ok(devices.iter().map(DeviceRecord::from).collect())
    }

    /// The mappings of one device, or of all, from virtual block `begin` up to but without `end`.
    #[pyo3(signature = (device=None, begin=0, end=None))]
    fn mappings(&self, device: Option<u32>, begin: u64, end: Option<u64>) -> Mappings {
        let last = end.map_or(Some(u64::MAX), |end| end.checked_sub(1));
        let range = match last {
            Some(last) if begin <= last => KeyRange { first: begin, last },
            _ => KeyRange { first: 1, last: 0 }, // as empty as Python's own such ranges
        };
        let handle = Arc::clone(&self.handle);
        Mappings { handle, only: device.map(DeviceId::new), range }
    }

    /// Who holds the data blocks of some ranges, each from its begin up to but without its end, or
    /// all blocks.
    #[pyo3(signature = (ranges=None, *, with_times=true, with_snapshot=true))]
    fn owners(
        &self,
        ranges: Option<Vec<(u64, u64)>>,
        with_times: bool,
        with_snapshot: bool,
    ) -> Owners {
        let wanted = ranges.map_or(Wanted::ALL, |ranges| {
            let filled = ranges.into_iter().filter(|(begin, end)| begin < end);
            Wanted::ranges(filled.map(|(begin, end)| (begin, end.saturating_sub(1))).collect())
        });
        Owners { handle: Arc::clone(&self.handle), wanted, with_times, with_snapshot }
    }

    /// What two mapping trees have in common and what not. A side is `(True, id)` of a device or
    /// `(False, block)` of a root. With `is_same_source` both pools were opened from one source.
    #[pyo3(signature = (side, other, other_side, *, is_same_source=false, with_same=false))]
    fn delta(
        &self,
        side: (bool, u64),
        other: &Self,
        other_side: (bool, u64),
        is_same_source: bool,
        with_same: bool,
    ) -> Delta {
        let (pool, others) = (&self.handle.pool, &other.handle.pool);
        let is_same_state = is_same_source && pool.live_superblock() == others.live_superblock();
        Delta {
            left: Arc::clone(&self.handle),
            left_side: side,
            right: Arc::clone(&other.handle),
            right_side: other_side,
            is_same_metadata: is_same_state || Arc::ptr_eq(&self.handle, &other.handle),
            with_same,
        }
    }

    /// Where a virtual block of a device lies, as a run of one block, or None.
    fn lookup(&self, py: Python<'_>, device: u32, block: u64) -> PyResult<Option<Run>> {
        let (device, block) = (DeviceId::new(device), VirtualBlock::new(block));
        let run = self.handle.ask(py, |pool, watch| pool.lookup(device, block, watch))?;
        Ok(run.as_ref().map(Run::from))
    }

    /// The highest virtual block that a device maps, or None.
    fn highest_block(&self, py: Python<'_>, device: u32) -> PyResult<Option<u64>> {
        let device = DeviceId::new(device);
        let highest = self.handle.ask(py, |pool, watch| pool.highest_block(device, watch))?;
        Ok(highest.map(VirtualBlock::get))
    }

    /// The highest virtual block that each device maps, or None, by device id.
    fn highest_blocks(&self, py: Python<'_>) -> PyResult<BTreeMap<u32, Option<u64>>> {
        let highest = self.handle.ask(py, CorePool::highest_blocks)?;
        let by_id = highest.into_iter().map(|(id, block)| (id.get(), block.map(VirtualBlock::get)));
        Ok(by_id.collect())
    }

    /// Counts all mappings by reading each distinct node once: blocks mapped by device id, of
    /// those the exclusive ones or None, distinct data blocks reached, distinct nodes.
    fn recount(
        &self,
        py: Python<'_>,
        with_exclusive: bool,
    ) -> PyResult<(CountsById, Option<CountsById>, u64, u64)> {
        let Recount { mapped_blocks, exclusive_blocks, reached_blocks, nodes } =
            self.handle.ask(py, |pool, watch| pool.recount(with_exclusive, watch))?;
        let by_id = |counts: Vec<(DeviceId, u64)>| {
            counts.into_iter().map(|(id, count)| (id.get(), count)).collect()
        };
        Ok((by_id(mapped_blocks), exclusive_blocks.map(by_id), reached_blocks, nodes))
    }

    /// Who shares what: reads each distinct node once, and is found once.
    fn sharing(&self, py: Python<'_>) -> PyResult<Shares> {
        let core = self.handle.ask(py, CorePool::sharing)?;
        Ok(Shares::new(py, core, &self.handle.conductor))
    }

    /// Tells how scattered things are, by reading each distinct node once: what each device comes
    /// to by id, how full leaves and internal nodes are, the nodes that packing would leave, and
    /// the nodes that there would be if nothing was shared.
    fn fragmentation(
        &self,
        py: Python<'_>,
    ) -> PyResult<(FragmentationById, NodeFill, NodeFill, u64, u64)> {
        let found = self.handle.ask(py, CorePool::fragmentation)?;
        let Fragmentation { devices, leaves, internal_nodes, packed_nodes, unshared_nodes } = found;
        let mut by_id = BTreeMap::new();
        let mut known: HashMap<_, Py<DeviceFragmentation>> = HashMap::new();
        for (id, device) in &devices {
            let device = match known.entry(Arc::as_ptr(device)) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(Py::new(py, DeviceFragmentation::from(&**device))?)
                }
            };
            by_id.insert(id.get(), device.clone_ref(py));
        }
        Ok((by_id, (&leaves).into(), (&internal_nodes).into(), packed_nodes, unshared_nodes))
    }

    /// The free extents of the data device, the longest ones named; None through a metadata
    /// snapshot.
    fn free_extents(&self, py: Python<'_>, largest: usize) -> PyResult<Option<FreeExtents>> {
        let free = self.handle.ask(py, |pool, watch| pool.free_extents(largest, watch))?;
        Ok(free.as_ref().map(FreeExtents::from))
    }

    /// Whether it is read around what is broken.
    #[getter]
    fn is_tolerant(&self) -> bool {
        self.handle.pool.is_tolerant()
    }

    /// Whether nothing that was read so far was broken.
    #[getter]
    fn is_whole(&self) -> bool {
        self.handle.pool.is_whole()
    }

    /// What is missing of the devices of a tolerant pool, since it is broken: so many gaps at most,
    /// each as device id, first and last virtual block (2⁶⁴ - 1: to the end), the broken metadata
    /// block or None, and what is wrong with it; how many more there are; what is lost of the trees
    /// that list the devices: tree, first and last device id, block or None, what is wrong; and
    /// whether something of the held metadata snapshot is missing.
    fn gaps(
        &self,
        py: Python<'_>,
        most: usize,
    ) -> PyResult<(Vec<GapRow>, u64, Vec<LossRow>, bool)> {
        let found = self.handle.ask(py, |pool, watch| pool.gaps(most, watch))?;
        let gaps = found.gaps.iter().map(|gap| {
            let (block, reason) = gap.error.place_and_reason();
            (gap.device.get(), gap.range.first, gap.range.last, block, reason)
        });
        let mut losses = Vec::new();
        if let Some(listing) = self.handle.pool.listing() {
            let trees =
                [("top-level tree", &listing.lost_roots), ("details tree", &listing.lost_records)];
            for (tree, lost) in trees {
                losses.extend(lost.iter().map(|loss| {
                    let (block, reason) = loss.error.place_and_reason();
                    (tree, loss.range.first, loss.range.last, block, reason)
                }));
            }
        }
        Ok((gaps.collect(), found.more, losses, found.held_is_damaged))
    }

    /// Writes the pool as text to a new file, to a binary file object, or to stdout. What the
    /// header says can be said otherwise.
    #[pyo3(signature = (target, *, format, devices, with_mappings, transaction_id=None,
                        data_blocks=None, data_block_sectors=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn dump(
        &self,
        py: Python<'_>,
        target: Option<Target>,
        format: &str,
        devices: Option<Vec<u32>>,
        with_mappings: bool,
        transaction_id: Option<u64>,
        data_blocks: Option<u64>,
        data_block_sectors: Option<u32>,
    ) -> PyResult<()> {
        let format = match format {
            "xml" => Format::Xml,
            "human_readable" => Format::HumanReadable,
            _ => return Err(PyValueError::new_err("the format is `xml` or `human_readable`")),
        };
        let own = self.handle.pool.dump_header();
        let header = Header {
            transaction_id: transaction_id.unwrap_or(own.transaction_id),
            data_blocks: data_blocks.unwrap_or(own.data_blocks),
            data_block_sectors: data_block_sectors.unwrap_or(own.data_block_sectors),
            ..own
        };
        let mut output = Output::open(target)?;
        let devices = devices.map(|ids| ids.into_iter().map(DeviceId::new).collect());
        let Handle { pool, conductor, .. } = &*self.handle;
        conductor.conduct_to(py, &mut output, |watch, write| {
            pool.dump(header, format, devices, with_mappings, watch, write)
        })
    }

    /// What a device reads as, so many bytes of it, over the pool's data device and, where it
    /// maps nothing, over an external origin. Both come with what messages call them; sources
    /// that another program holds are taken where `shared` is set.
    fn content(
        &self,
        py: Python<'_>,
        device: u32,
        size: u64,
        data: (Source, String),
        origin: Option<(Source, String)>,
        shared: bool,
    ) -> PyResult<Content> {
        let sharing = if shared { Sharing::Shared } else { Sharing::Exclusive };
        Content::open(py, &self.handle, DeviceId::new(device), size, data, origin, sharing)
    }

    /// Grades the mappings of a device of another state of the pool, `old`; of those that are free
    /// now, blocks of zeros are counted where there is data.
    fn survey(
        &self,
        py: Python<'_>,
        old: &Self,
        device: u32,
        data: Option<(Source, String)>,
    ) -> PyResult<Vec<SurveyedRun>> {
        survey::survey(py, &self.handle, &old.handle, DeviceId::new(device), data)
    }

    /// The reference counts of the data or the metadata space.
    fn reference_counts(&self, space: &str) -> PyResult<ReferenceCounts> {
        let map = match space {
            "data" => SpaceMap::Data,
            "metadata" => SpaceMap::Metadata,
            _ => return Err(PyValueError::new_err("the space is `data` or `metadata`")),
        };
        Ok(ReferenceCounts { handle: Arc::clone(&self.handle), map })
    }
}
