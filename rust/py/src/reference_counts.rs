//! The reference counts of a space map as a table of runs.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use thinscope_core::Result;
use thinscope_core::space_map::{CountRun as CoreRun, ReferenceCounts as CoreCounts};
use thinscope_core::superblock::SpaceMap;
use thinscope_core::watch::Watch;

use crate::handle::Handle;
use crate::table::{Batches, Origin, Row, Rows, schema_capsule, stream_capsule};

/// Neighbouring blocks with the same reference count.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CountRun {
    /// First block.
    begin: u64,
    /// Number of blocks.
    length: u64,
    /// References to each of them; 0: free.
    count: u32,
}

#[pymethods]
impl CountRun {
    fn __repr__(&self) -> String {
        format!("CountRun(begin={}, length={}, count={})", self.begin, self.length, self.count)
    }
}

impl Row for CoreRun {
    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("begin", DataType::UInt64, false),
            Field::new("length", DataType::UInt64, false),
            Field::new("count", DataType::UInt32, false),
        ])
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        vec![
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|run| run.begin))),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|run| run.length))),
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|run| run.count))),
        ]
    }
}

impl Batches for CoreCounts {
    type Row = CoreRun;

    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<CoreRun>>> {
        Self::next_batch(self, watch)
    }
}

/// The reference counts of a space map, as a table of runs by ascending block; the lengths add
/// up to all blocks of the space, and neighbouring runs differ in their count.
///
/// Columns: `begin` and `length` (uint64, in data blocks or in metadata blocks of 4 KiB),
/// `count` (uint32; 0: free). Iterate over it, or hand it to anything that takes an Arrow
/// stream. It can be read again. Always of the live pool: a metadata snapshot has no space maps.
#[pyclass(frozen, module = "thinscope")]
#[derive(Debug)]
pub(crate) struct ReferenceCounts {
    pub(crate) handle: Arc<Handle>,
    pub(crate) map: SpaceMap,
}

impl ReferenceCounts {
    fn origin(&self) -> Origin {
        Origin::Pool(Arc::clone(&self.handle))
    }

    fn stream(&self, py: Python<'_>) -> PyResult<CoreCounts> {
        self.handle.ask(py, |pool, watch| pool.reference_counts(self.map, watch))
    }
}

#[pymethods]
impl ReferenceCounts {
    /// The runs as objects, one at a time.
    fn __iter__(&self, py: Python<'_>) -> PyResult<CountRunIterator> {
        Ok(CountRunIterator(Rows::new(self.origin(), self.stream(py)?)))
    }

    /// The table as an Arrow C stream (the Arrow `PyCapsule` interface). The schema asked for is
    /// a wish that is not granted: the columns are as documented.
    #[pyo3(signature = (requested_schema=None) -> "object")]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        stream_capsule(py, self.origin(), self.stream(py)?)
    }

    /// The columns' names and types as an Arrow C schema.
    #[pyo3(signature = () -> "object")]
    #[expect(clippy::unused_self, reason = "a method by the Arrow interface")]
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule::<CoreRun>(py)
    }

    fn __repr__(&self) -> String {
        let map = match self.map {
            SpaceMap::Data => "data",
            SpaceMap::Metadata => "metadata",
        };
        format!("<ReferenceCounts of the {map} space of {}>", self.handle.conductor.source)
    }
}

/// Iterates over the runs of a table.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct CountRunIterator(Rows<CoreCounts>);

#[pymethods]
impl CountRunIterator {
    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<CountRun>> {
        let run = self.0.next(py)?;
        Ok(run.map(|CoreRun { begin, length, count }| CountRun { begin, length, count }))
    }
}
