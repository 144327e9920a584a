//! Who holds blocks of the data device, as a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use thinscope_core::Result;
use thinscope_core::owners::{Owner as CoreOwner, OwnerStream, ReverseLines, Wanted};
use thinscope_core::watch::Watch;

use crate::handle::Handle;
use crate::table::{Batches, Origin, Row, Rows, Told, schema_capsule, stream_capsule};

/// Blocks of the data device that a device holds: mappings that are consecutive in data block and
/// virtual block, and have one time.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    /// First block of the data device, in data blocks.
    data_begin: u64,
    /// Number of blocks.
    length: u64,
    /// Id of the device.
    device: u32,
    /// First block of the device, in data blocks.
    virtual_begin: u64,
    /// The pool's time when the blocks were allocated.
    time: u32,
    /// Whether only the held metadata snapshot has these mappings: the device has them no more, or
    /// is gone.
    only_metadata_snapshot: bool,
}

#[pymethods]
impl Owner {
    fn __repr__(&self) -> String {
        let only = if self.only_metadata_snapshot { "True" } else { "False" };
        format!(
            "Owner(data_begin={}, length={}, device={}, virtual_begin={}, time={}, \
             only_metadata_snapshot={only})",
            self.data_begin, self.length, self.device, self.virtual_begin, self.time
        )
    }
}

impl From<&CoreOwner> for Owner {
    fn from(core: &CoreOwner) -> Self {
        Self {
            data_begin: core.data_begin.get(),
            length: core.length,
            device: core.device.get(),
            virtual_begin: core.virtual_begin.get(),
            time: core.time.get(),
            only_metadata_snapshot: core.only_metadata_snapshot,
        }
    }
}

impl Row for CoreOwner {
    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("data_begin", DataType::UInt64, false),
            Field::new("length", DataType::UInt64, false),
            Field::new("device", DataType::UInt32, false),
            Field::new("virtual_begin", DataType::UInt64, false),
            Field::new("time", DataType::UInt32, false),
            Field::new("only_metadata_snapshot", DataType::Boolean, false),
        ])
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let wide = |column: fn(&Self) -> u64| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(column)))
        };
        let narrow = |column: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(column)))
        };
        let only = rows.iter().map(|row| row.only_metadata_snapshot);
        vec![
            wide(|row| row.data_begin.get()),
            wide(|row| row.length),
            narrow(|row| row.device.get()),
            wide(|row| row.virtual_begin.get()),
            narrow(|row| row.time.get()),
            Arc::new(BooleanArray::from(only.collect::<Vec<_>>())),
        ]
    }
}

impl Batches for OwnerStream {
    type Row = CoreOwner;

    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<CoreOwner>>> {
        Self::next_batch(self, watch)
    }
}

/// Who holds blocks of the data device, as a table: by ascending first data block, then by device,
/// then by virtual block; each row as long as it can be.
///
/// Columns: `data_begin` (uint64, in data blocks), `length` (uint64, blocks), `device` (uint32,
/// id), `virtual_begin` (uint64, in data blocks), `time` (uint32, the pool's time at allocation),
/// `only_metadata_snapshot` (bool, whether only the held metadata snapshot has the mappings).
/// Nothing is read before the table is; then all distinct leaves are read once. It can be read
/// again, by iteration or through the Arrow C stream.
#[pyclass(frozen, module = "thinscope")]
#[derive(Debug)]
pub(crate) struct Owners {
    pub(crate) handle: Arc<Handle>,
    pub(crate) wanted: Wanted,
    pub(crate) with_times: bool,
    pub(crate) with_snapshot: bool,
}

impl Owners {
    fn origin(&self) -> Origin {
        Origin::Pool(Arc::clone(&self.handle))
    }

    fn stream(&self, py: Python<'_>) -> PyResult<OwnerStream> {
        let (wanted, with_times, with_snapshot) =
            (&self.wanted, self.with_times, self.with_snapshot);
        self.handle.ask(py, |pool, watch| pool.owners(wanted, with_times, with_snapshot, watch))
    }
}

#[pymethods]
impl Owners {
    /// The rows as objects, one at a time.
    fn __iter__(&self, py: Python<'_>) -> PyResult<OwnerIterator> {
        Ok(OwnerIterator(Rows::new(self.origin(), self.stream(py)?)))
    }

    /// The table in the words of `thin_rmap`: a line for each row, many in one string.
    fn lines(&self, py: Python<'_>) -> PyResult<OwnerLines> {
        Ok(OwnerLines(Told::new(self.origin(), self.stream(py)?, ReverseLines::default())))
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
        schema_capsule::<CoreOwner>(py)
    }

    fn __repr__(&self) -> String {
        format!("<Owners of blocks of {}>", self.handle.conductor.source)
    }
}

/// Iterates over the rows of a table of owners.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct OwnerIterator(Rows<OwnerStream>);

#[pymethods]
impl OwnerIterator {
    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Owner>> {
        Ok(self.0.next(py)?.as_ref().map(Owner::from))
    }
}

/// Iterates over the text of a table of owners.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct OwnerLines(Told<OwnerStream, ReverseLines>);

#[pymethods]
impl OwnerLines {
    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.0.next(py)
    }
}
