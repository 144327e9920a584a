//! A packed copy of a pool's metadata, in whatever state that is.

use std::fmt::Write;

use pyo3::prelude::*;
use thinscope_core::capture;
use thinscope_core::source::Sharing;
use thinscope_core::superblock::View;

use crate::conduct::Conductor;
use crate::output::{Output, Target};
use crate::source::Source;

/// What was copied of a source.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Length of the source in bytes, unpacked.
    source_bytes: u64,
    /// Bytes copied: all of them, but for what lies beyond the last block that the kernel uses.
    bytes: u64,
    /// Blocks of zeros.
    zero_blocks: u64,
    /// Blocks that are neither zero nor carry the checksum of any kind of metadata.
    unknown_blocks: u64,
    /// Runs of blocks that could not be read, and are zero in the copy: the first, and how many.
    unreadable: Vec<(u64, u64)>,
    /// SHA-256 of the bytes copied, in hexadecimal digits.
    sha256: String,
    /// Bytes written.
    packed_bytes: u64,
    /// SHA-256 of the bytes written, in hexadecimal digits.
    packed_sha256: String,
    /// Whether it may be older than what the kernel wrote: the device refused to be read around
    /// the page cache.
    may_be_stale: bool,
}

impl From<capture::Capture> for Copied {
    fn from(core: capture::Capture) -> Self {
        Self {
            source_bytes: core.source_bytes,
            bytes: core.bytes,
            zero_blocks: core.zero_blocks,
            unknown_blocks: core.unknown_blocks,
            unreadable: core.unreadable,
            sha256: digits(&core.sha256),
            packed_bytes: core.packed_bytes,
            packed_sha256: digits(&core.packed_sha256),
            may_be_stale: core.may_be_stale,
        }
    }
}

/// Writes the metadata of a path, bytes or a binary file object as one zstd frame, damaged or
/// not; `name` is what messages call it.
#[pyfunction]
#[pyo3(signature = (source, name, target, *, metadata_snapshot=false, progress=None))]
pub(crate) fn copy_packed(
    py: Python<'_>,
    source: Source,
    name: String,
    target: Target,
    metadata_snapshot: bool,
    progress: Option<Py<PyAny>>,
) -> PyResult<Copied> {
    let view = if metadata_snapshot { View::MetadataSnapshot } else { View::Live };
    let (source, file) = source.prepare(py)?;
    let conductor = Conductor { source: name, progress, files: Vec::from_iter(file) };
    let mut output = Output::open(Some(target))?;
    let copied = conductor.conduct_to(py, &mut output, |watch, write| {
        capture::capture(source.open(Sharing::from(view))?, view, watch, write)
    })?;
    Ok(copied.into())
}

fn digits(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string does not fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
