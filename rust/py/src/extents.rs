//! Ranges of other sources as a source, and what a source begins like.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use thinscope_core::source::identify;
use thinscope_core::source::{self, BlockSource, Extents as CoreExtents, Piece, Sharing, Stripe};

use crate::conduct::Conductor;
use crate::source::{FileObject, Prepared, Source};

/// A piece as Python gives it: length, stripes with source and begin, bytes of a stripe.
type PlainPiece = (u64, Vec<(usize, u64)>, u64);

/// Extents inside one another, at most: a volume of volumes on a partition needs a few.
const MAX_DEPTH: u32 = 32;

/// Most bytes that are read at once.
const MAX_READ: u64 = 256 << 20;

/// Ranges of other sources, one behind the other; taken for a source by all that takes one.
///
/// A piece is `(length, [(source, begin), ...], stripe_bytes)`, in bytes. Without pieces it is all
/// of one source, unpacked if it is packed.
#[pyclass(frozen, module = "thinscope._core")]
#[derive(Debug)]
pub(crate) struct Extents {
    pub(crate) source: Arc<dyn BlockSource>,
    /// What serves the reads that end at a Python file object.
    pub(crate) file: Option<Arc<FileObject>>,
    depth: u32,
    name: String,
    /// What tells whether a target is one of the files below, as the caller made it.
    identity: Option<Py<PyAny>>,
}

#[pymethods]
impl Extents {
    /// Opens paths, for reading only, and takes bytes, binary file objects and other extents as
    /// they are. At most one file object can be below. `name` is what messages call it, `identity`
    /// is kept as it is; `shared` opens what another program holds.
    #[new]
    #[pyo3(signature = (sources, name, pieces=None, *, identity=None, shared=false,
                        progress=None))]
    fn new(
        py: Python<'_>,
        sources: Vec<Source>,
        name: String,
        pieces: Option<Vec<PlainPiece>>,
        identity: Option<Py<PyAny>>,
        shared: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let sharing = if shared { Sharing::Shared } else { Sharing::Exclusive };
        let mut depth = 0;
        let mut prepared = Vec::with_capacity(sources.len());
        let mut file: Option<Arc<FileObject>> = None;
        for source in sources {
            if let Source::Extents(extents) = &source {
                depth = depth.max(extents.get().depth);
            }
            let (source, below) = source.prepare(py)?;
            prepared.push(source);
            if let (Some(one), Some(other)) = (&file, &below)
                && !Arc::ptr_eq(one, other)
            {
                return Err(PyTypeError::new_err("of several sources one can be a file object"));
            }
            file = file.or(below);
        }
        let depth = depth.saturating_add(1);
        if depth > MAX_DEPTH {
            return Err(PyValueError::new_err("too many volumes inside one another"));
        }
        let files = Vec::from_iter(file.clone());
        let conductor = Conductor { source: name, progress, files };
        let source = if let Some(pieces) = pieces {
            let opened = conductor.conduct(py, |_| {
                prepared.into_iter().map(|source| source.open(sharing)).collect()
            })?;
            let extents = CoreExtents::new(opened, pieces.into_iter().map(piece).collect());
            Arc::new(extents.map_err(|error| PyValueError::new_err(error.to_string()))?)
        } else {
            let [whole] = <[Prepared; 1]>::try_from(prepared)
                .map_err(|_| PyTypeError::new_err("several sources, and no pieces of them"))?;
            conductor.conduct(py, |watch| source::opened(whole.open(sharing)?, watch))?
        };
        let name = conductor.source;
        Ok(Self { source, file, depth, name, identity })
    }

    /// Length in bytes.
    #[getter]
    fn length(&self) -> u64 {
        self.source.len()
    }

    /// Whether reads may return old bytes: a device refused to be read around the page cache.
    #[getter]
    fn may_be_stale(&self) -> bool {
        self.source.may_be_stale()
    }

    /// What messages call it.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// What it was given as its identity.
    #[getter]
    fn identity(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.identity.as_ref().map(|identity| identity.clone_ref(py))
    }

    /// The bytes from `offset` on, fewer where it ends.
    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        length: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let end = offset.saturating_add(length).min(self.source.len());
        if end.saturating_sub(offset) > MAX_READ {
            return Err(PyValueError::new_err("too many bytes at once"));
        }
        let files = Vec::from_iter(self.file.clone());
        let conductor = Conductor { source: self.name.clone(), progress: None, files };
        let bytes = conductor.conduct(py, |_| source::read_range(&*self.source, offset, length))?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __repr__(&self) -> String {
        format!("<Extents {:?}: {} bytes>", self.name, self.source.len())
    }
}

fn piece((length, stripes, stripe_bytes): PlainPiece) -> Piece {
    let stripes = stripes.into_iter().map(|(source, begin)| Stripe { source, begin }).collect();
    Piece { length, stripes, stripe_bytes }
}

/// What a source is by its first block, unpacked if it is packed, that is not thin metadata: a
/// short name, and words. None where it claims to be. What is in use is looked at as well.
#[pyfunction]
pub(crate) fn identity(
    py: Python<'_>,
    source: Source,
    name: String,
) -> PyResult<Option<(&'static str, String)>> {
    let (prepared, file) = source.prepare(py)?;
    let files = Vec::from_iter(file);
    let conductor = Conductor { source: name, progress: None, files };
    let identity = conductor
        .conduct(py, |watch| identify::identity(prepared.open(Sharing::Shared)?, watch))?;
    Ok(identity.map(|identity| (identity.name(), identity.to_string())))
}
