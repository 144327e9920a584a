//! One block of any source, and the checksums that tell its kind.

use std::collections::BTreeMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use thinscope_core::block;
use thinscope_core::checksum;
use thinscope_core::source::Sharing;

use crate::conduct::Conductor;
use crate::source::Source;

/// Reads a block of a path, bytes or a binary file object, in use or not; `name` is what
/// messages call it. Returns its bytes, fewer than 4096 where the source ends in it; the length
/// of the source in bytes; and whether the bytes may be older than what the kernel wrote.
#[pyfunction]
#[pyo3(signature = (source, name, block, *, progress=None))]
pub(crate) fn read_block(
    py: Python<'_>,
    source: Source,
    name: String,
    block: u64,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Bound<'_, PyBytes>, u64, bool)> {
    let (source, file) = source.prepare(py)?;
    let conductor = Conductor { source: name, progress, files: Vec::from_iter(file) };
    let read = conductor
        .conduct(py, |watch| block::read_block(source.open(Sharing::Shared)?, block, watch))?;
    Ok((PyBytes::new(py, read.bytes()), read.source_bytes, read.may_be_stale))
}

/// The checksum that a block of 4096 bytes must carry in its first field, by kind of block.
#[pyfunction]
pub(crate) fn checksums(block: &[u8]) -> PyResult<BTreeMap<&'static str, u32>> {
    let block =
        block.try_into().map_err(|_| PyValueError::new_err("a metadata block has 4096 bytes"))?;
    let by_kind = checksum::checksums(block).map(|(kind, checksum)| (kind.name(), checksum));
    Ok(by_kind.into_iter().collect())
}
