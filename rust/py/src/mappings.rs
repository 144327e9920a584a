//! Mappings as a table of runs.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use thinscope_core::Result;
use thinscope_core::btree::KeyRange;
use thinscope_core::mappings::{MappingStream, Run as CoreRun};
use thinscope_core::units::DeviceId;
use thinscope_core::watch::Watch;

use crate::handle::Handle;
use crate::table::{Batches, Origin, Row, Rows, schema_capsule, stream_capsule};

/// Mappings that are consecutive in virtual block and data block, and have one time.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    /// Id of the device.
    device: u32,
    /// First block of the device, in data blocks.
    virtual_begin: u64,
    /// First block of the data device, in data blocks.
    data_begin: u64,
    /// Number of blocks.
    length: u64,
    /// The pool's time when the blocks were allocated.
    time: u32,
}

#[pymethods]
impl Run {
    fn __repr__(&self) -> String {
        format!(
            "Run(device={}, virtual_begin={}, data_begin={}, length={}, time={})",
            self.device, self.virtual_begin, self.data_begin, self.length, self.time
        )
    }
}

impl From<&CoreRun> for Run {
    fn from(core: &CoreRun) -> Self {
        Self {
            device: core.device.get(),
            virtual_begin: core.virtual_begin.get(),
            data_begin: core.data_begin.get(),
            length: core.length,
            time: core.time.get(),
        }
    }
}

impl Row for CoreRun {
    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("device", DataType::UInt32, false),
            Field::new("virtual_begin", DataType::UInt64, false),
            Field::new("data_begin", DataType::UInt64, false),
            Field::new("length", DataType::UInt64, false),
            Field::new("time", DataType::UInt32, false),
        ])
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let wide = |column: fn(&Self) -> u64| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(column)))
        };
        let narrow = |column: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(column)))
        };
        vec![
            narrow(|run| run.device.get()),
            wide(|run| run.virtual_begin.get()),
            wide(|run| run.data_begin.get()),
            wide(|run| run.length),
            narrow(|run| run.time.get()),
        ]
    }
}

impl Batches for MappingStream {
    type Row = CoreRun;

    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<CoreRun>>> {
        Self::next_batch(self, watch)
    }
}

/// The mappings of one device or of all, as a table of runs: devices by ascending id, runs by
/// ascending virtual block, each as long as it can be.
///
/// Columns: `device` (uint32, id), `virtual_begin` and `data_begin` (uint64, in data blocks),
/// `length` (uint64, blocks), `time` (uint32, the pool's time at allocation). Nothing is read
/// before the table is: iterate over it, or hand it to anything that takes an Arrow stream
/// (`polars.DataFrame(table)`, DuckDB, `pyarrow.table(table)`). It can be read again.
#[pyclass(frozen, module = "thinscope")]
#[derive(Debug)]
pub(crate) struct Mappings {
    pub(crate) handle: Arc<Handle>,
    pub(crate) only: Option<DeviceId>,
    pub(crate) range: KeyRange,
}

impl Mappings {
    fn origin(&self) -> Origin {
        Origin::Pool(Arc::clone(&self.handle))
    }

    fn stream(&self, py: Python<'_>) -> PyResult<MappingStream> {
        self.handle.ask(py, |pool, watch| pool.mappings(self.only, self.range, watch))
    }
}

#[pymethods]
impl Mappings {
    /// The runs as objects, one at a time.
    fn __iter__(&self, py: Python<'_>) -> PyResult<RunIterator> {
        Ok(RunIterator(Rows::new(self.origin(), self.stream(py)?)))
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
        let source = &self.handle.conductor.source;
        match self.only {
            Some(id) => format!("<Mappings of device {id} of {source}>"),
            None => format!("<Mappings of {source}>"),
        }
    }
}

/// Iterates over the runs of a table.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct RunIterator(Rows<MappingStream>);

#[pymethods]
impl RunIterator {
    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Run>> {
        Ok(self.0.next(py)?.as_ref().map(Run::from))
    }
}
