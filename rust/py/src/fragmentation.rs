//! How scattered devices, free blocks and nodes are.

use pyo3::prelude::*;
use thinscope_core::fragmentation::{
    DeviceFragmentation as CoreDevice, FreeExtents as CoreFree, LengthClass as CoreClass,
    NodeFill as CoreFill,
};
use thinscope_core::graph::MAX_ENTRIES;

/// How a device lies on the data device, and what reading it from begin to end costs there.
///
/// A run is a stretch of blocks that follow each other in the device and on the data device, as
/// long as it can be. When they were allocated does not matter here; the runs of `mappings` also
/// end where the time changes.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceFragmentation {
    /// Blocks mapped, in data blocks, as counted.
    mapped_blocks: u64,
    /// Pairs of neighbouring blocks of the device, v and v + 1, that are both mapped.
    neighbours: u64,
    /// Of those, the pairs that are neighbours on the data device too, d and d + 1.
    contiguous: u64,
    /// Number of runs: `mapped_blocks` - `contiguous`.
    runs: u64,
    /// The median length of a run, in data blocks: the shortest one that half of the runs, or
    /// more, do not exceed; 0 where nothing is mapped.
    median_run: u64,
    /// Length of the longest run, in data blocks; 0 where nothing is mapped.
    longest_run: u64,
    /// The runs by their lengths, in classes of powers of two, from 1 up to that of the longest.
    run_lengths: Vec<LengthClass>,
    /// Seeks of reading the mapped blocks once, by ascending virtual block: how many times a
    /// block does not begin on the data device where the one read before ended. Holes cost nothing.
    seeks: u64,
    /// Sum over the seeks of the data blocks between, forwards or backwards.
    seek_blocks: u128,
    /// The same reading in I/Os of 1, 2, 4, ... 64 data blocks.
    reads: Vec<Reads>,
}

impl From<&CoreDevice> for DeviceFragmentation {
    fn from(core: &CoreDevice) -> Self {
        let sizes = (0..).map(|power: u32| 1_u64.checked_shl(power).unwrap_or(u64::MAX));
        let reads = sizes.zip(core.ios.iter().zip(&core.pieces)).map(|(io_blocks, counts)| {
            let (ios, pieces) = counts;
            Reads { io_blocks, ios: *ios, pieces: *pieces, seeks: core.seeks }
        });
        Self {
            mapped_blocks: core.mapped_blocks,
            neighbours: core.neighbours,
            contiguous: core.mapped_blocks.saturating_sub(core.runs),
            runs: core.runs,
            median_run: core.median_run,
            longest_run: core.longest_run,
            run_lengths: core.run_lengths.iter().map(LengthClass::from).collect(),
            seeks: core.seeks,
            seek_blocks: core.seek_blocks,
            reads: reads.collect(),
        }
    }
}

#[pymethods]
impl DeviceFragmentation {
    /// Mean length of a run in data blocks, or None where nothing is mapped.
    #[getter]
    fn mean_run(&self) -> Option<f64> {
        quotient(self.mapped_blocks.into(), self.runs)
    }

    /// The share of `neighbours` that are `contiguous`, or None where there are none.
    #[getter]
    fn contiguity(&self) -> Option<f64> {
        quotient(self.contiguous.into(), self.neighbours)
    }

    /// Mean distance of a seek in data blocks, or None where there is none.
    #[getter]
    fn mean_seek(&self) -> Option<f64> {
        quotient(self.seek_blocks, self.seeks)
    }

    fn __repr__(&self) -> String {
        let Self { mapped_blocks, runs, seeks, .. } = self;
        format!("<DeviceFragmentation {mapped_blocks} blocks in {runs} runs, {seeks} seeks>")
    }
}

/// Reading a device once from begin to end in aligned I/Os of one size.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reads {
    /// Data blocks of the device in an I/O: a power of two. I/O n begins at n times as many.
    io_blocks: u64,
    /// I/Os with at least one mapped block; the others read zeros, and cost nothing.
    ios: u64,
    /// Pieces on the data device: parts of runs, which end where an I/O ends.
    pieces: u64,
    /// Pieces that do not begin where the one before ended: the same for each size.
    seeks: u64,
}

#[pymethods]
impl Reads {
    /// Mean number of pieces in an I/O, or None where there is none: at least 1.
    #[getter]
    fn pieces_per_io(&self) -> Option<f64> {
        quotient(self.pieces.into(), self.ios)
    }

    /// Mean number of seeks of an I/O, or None where there is none.
    #[getter]
    fn seeks_per_io(&self) -> Option<f64> {
        quotient(self.seeks.into(), self.ios)
    }

    fn __repr__(&self) -> String {
        let Self { io_blocks, ios, pieces, seeks } = self;
        format!("Reads(io_blocks={io_blocks}, ios={ios}, pieces={pieces}, seeks={seeks})")
    }
}

/// Runs or free extents with lengths from one power of two up to the next.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LengthClass {
    /// The shortest length of the class, in data blocks: a power of two.
    shortest: u64,
    /// The longest length of the class, in data blocks: one less than the next power of two.
    longest: u64,
    /// How many there are.
    count: u64,
    /// Data blocks in all of them.
    blocks: u64,
}

impl From<&CoreClass> for LengthClass {
    fn from(core: &CoreClass) -> Self {
        let longest = core.shortest.saturating_add(core.shortest.saturating_sub(1));
        Self { shortest: core.shortest, longest, count: core.count, blocks: core.blocks }
    }
}

#[pymethods]
impl LengthClass {
    fn __repr__(&self) -> String {
        let Self { shortest, longest, count, blocks } = self;
        format!(
            "LengthClass(shortest={shortest}, longest={longest}, count={count}, blocks={blocks})"
        )
    }
}

/// The free extents of the data device: stretches of free blocks, as long as they can be.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FreeExtents {
    /// How many there are.
    count: u64,
    /// Free blocks, in data blocks.
    blocks: u64,
    /// Length of the longest one, in data blocks; 0 where no block is free.
    longest: u64,
    /// By their lengths, in classes of powers of two, from 1 up to that of the longest.
    lengths: Vec<LengthClass>,
    /// First block and length of the longest ones, as many as were asked for: the longest first,
    /// among equal ones the lowest.
    largest: Vec<(u64, u64)>,
}

impl From<&CoreFree> for FreeExtents {
    fn from(core: &CoreFree) -> Self {
        Self {
            count: core.count,
            blocks: core.blocks,
            longest: core.longest,
            lengths: core.lengths.iter().map(LengthClass::from).collect(),
            largest: core.largest.iter().map(|(begin, length)| (begin.get(), *length)).collect(),
        }
    }
}

#[pymethods]
impl FreeExtents {
    fn __repr__(&self) -> String {
        let Self { count, blocks, longest, .. } = self;
        format!("<FreeExtents {blocks} blocks in {count} extents, the longest {longest}>")
    }
}

/// How full the distinct nodes of one kind are, over the mapping trees of all devices.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeFill {
    /// Distinct nodes, in metadata blocks.
    nodes: u64,
    /// Entries in use.
    entries: u64,
    /// Entries that the nodes have room for, 252 each.
    room: u64,
    /// Nodes by the tenth of their room that is in use, ten numbers; full ones are in the last.
    tenths: Vec<u64>,
}

impl From<&CoreFill> for NodeFill {
    fn from(core: &CoreFill) -> Self {
        let room = core.nodes.saturating_mul(MAX_ENTRIES);
        Self { nodes: core.nodes, entries: core.entries, room, tenths: core.tenths.to_vec() }
    }
}

#[pymethods]
impl NodeFill {
    /// The mean share of a node's room that is in use, or None where there is no node.
    #[getter]
    fn mean(&self) -> Option<f64> {
        quotient(self.entries.into(), self.room)
    }

    fn __repr__(&self) -> String {
        let Self { nodes, entries, room, .. } = self;
        format!("<NodeFill {nodes} nodes, {entries} of {room} entries in use>")
    }
}

#[expect(clippy::as_conversions, reason = "a mean, told to 53 bits")]
#[expect(clippy::cast_precision_loss, reason = "a mean, told to 53 bits")]
fn quotient(dividend: u128, divisor: u64) -> Option<f64> {
    (divisor > 0).then(|| dividend as f64 / divisor as f64)
}
