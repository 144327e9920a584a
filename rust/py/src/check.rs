//! What is wrong with a pool's metadata, by device id.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use thinscope_core::check::{self as core, Affected, Depth, Scope, Severity};
use thinscope_core::superblock::View;
use thinscope_core::units::{DeviceId, MetadataBlock};

use crate::conduct::Conductor;
use crate::pool::thread_count;
use crate::source::Source;

/// Virtual blocks of a device that a finding is about: its id, whether it is the device as the
/// metadata snapshot keeps it, first block, last block (2⁶⁴ - 1: to the end), mappings lost or
/// None.
type AffectedRange = (u32, bool, u64, u64, Option<u64>);

/// Something wrong with the metadata.
#[pyclass(frozen, get_all, module = "thinscope._core")]
#[derive(Clone, Debug)]
pub(crate) struct CheckFinding {
    /// What it is, in a word that does not change from release to release.
    code: &'static str,
    /// Whether the metadata is broken; else it is good to know.
    is_damage: bool,
    /// The same as a sentence.
    message: String,
    /// The metadata block, or None.
    block: Option<u64>,
    /// Where in the source the field lies, in bytes, or None.
    offset: Option<u64>,
    /// What the block is, or None.
    structure: Option<String>,
    /// The field, under its kernel name where it has one, or None.
    field: Option<&'static str>,
    /// What the rule asks for, or None.
    expected: Option<String>,
    /// What is there, or None.
    found: Option<String>,
    /// From the superblock to the block: what lies there, and its number.
    path: Vec<(String, u64)>,
    /// What is lost of devices.
    affected: Vec<AffectedRange>,
    /// Ranges of devices beyond those named.
    more_affected: u64,
    /// How many of what the code says.
    count: u64,
    /// The first of the blocks, as runs: first block, number of blocks.
    blocks: Vec<(u64, u64)>,
    /// What to do next, or None.
    hint: Option<&'static str>,
}

impl From<core::Finding> for CheckFinding {
    fn from(finding: core::Finding) -> Self {
        let affected = |range: &Affected| {
            let Affected { device, in_metadata_snapshot, range, mappings } = range;
            (device.get(), *in_metadata_snapshot, range.first, range.last, *mappings)
        };
        Self {
            code: finding.code,
            is_damage: finding.severity == Severity::Damage,
            message: finding.message,
            block: finding.block,
            offset: finding.offset,
            structure: finding.structure,
            field: finding.field,
            expected: finding.expected,
            found: finding.found,
            path: finding.path.into_iter().map(|step| (step.name, step.block)).collect(),
            affected: finding.affected.iter().map(affected).collect(),
            more_affected: finding.more_affected,
            count: finding.count,
            blocks: finding.blocks.iter().map(|run| (run.begin, run.length)).collect(),
            hint: finding.hint,
        }
    }
}

/// What a check found, and what it looked at.
#[pyclass(frozen, get_all, module = "thinscope._core")]
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    /// What is wrong.
    findings: Vec<CheckFinding>,
    /// Devices looked at, by ascending id.
    devices: Vec<u32>,
    /// Whether a metadata snapshot is held.
    has_metadata_snapshot: bool,
    /// Distinct nodes of mapping trees.
    nodes: u64,
    /// Mappings, those of a shared leaf counted once.
    mappings: u64,
    /// The pool's transaction id, or None.
    transaction_id: Option<u64>,
    /// Free blocks of the metadata as the superblock counts them, or None.
    metadata_free_blocks: Option<u64>,
    /// Whether reads may have returned old blocks.
    may_be_stale: bool,
}

/// Checks the metadata in a path, bytes or a binary file object, whatever state it is in; `name` is
/// what messages call it. How far down: `superblock`, `devices` or `all`.
#[pyfunction]
#[pyo3(signature = (source, name, *, metadata_snapshot=false, depth="all", mapping_root=None,
                    details_root=None, threads=None, progress=None))]
#[expect(clippy::too_many_arguments, reason = "keywords of Python")]
pub(crate) fn check(
    py: Python<'_>,
    source: Source,
    name: String,
    metadata_snapshot: bool,
    depth: &str,
    mapping_root: Option<u64>,
    details_root: Option<u64>,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Checked> {
    let depth = match depth {
        "superblock" => Depth::Superblock,
        "devices" => Depth::Devices,
        "all" => Depth::All,
        _ => return Err(PyValueError::new_err("the depth is `superblock`, `devices` or `all`")),
    };
    // What lies beyond any metadata cannot be read either way.
    let block = |root: u64| MetadataBlock::new(u32::try_from(root).unwrap_or(u32::MAX));
    let view = if metadata_snapshot { View::MetadataSnapshot } else { View::Live };
    let (mapping_root, details_root) = (mapping_root.map(block), details_root.map(block));
    let scope = Scope { view, depth, mapping_root, details_root };
    let threads = thread_count(threads)?;
    let (source, file) = source.prepare(py)?;
    let conductor = Conductor { source: name, progress, files: Vec::from_iter(file) };
    let checked = conductor
        .conduct(py, |watch| core::check(source.open(view.into())?, scope, threads, watch))?;
    Ok(Checked {
        findings: checked.findings.into_iter().map(CheckFinding::from).collect(),
        devices: checked.devices.into_iter().map(DeviceId::get).collect(),
        has_metadata_snapshot: checked.has_metadata_snapshot,
        nodes: checked.nodes,
        mappings: checked.mappings,
        transaction_id: checked.transaction_id,
        metadata_free_blocks: checked.metadata_free_blocks,
        may_be_stale: checked.may_be_stale,
    })
}
