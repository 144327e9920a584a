//! Tables: columns for anything that takes the Arrow C stream, rows for everything else.
//!
//! A stream is made anew each time it is asked for, so a table can be read again. It carries its
//! pool along, and conducts each batch on the thread that asks for it.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyCapsule;

use crate::conduct::Conductor;
use crate::handle::Handle;
use thinscope_core::Result;
use thinscope_core::watch::Watch;

/// Rows of one kind, and how they become columns.
pub(crate) trait Row: Send + 'static {
    /// Names and types of the columns.
    fn schema() -> Schema;
    /// The columns of some rows.
    fn columns(rows: &[Self]) -> Vec<ArrayRef>
    where
        Self: Sized;
}

/// The batches of a table, one after the other.
pub(crate) trait Batches: Send + 'static {
    type Row: Row;
    /// The next rows, or none at the end.
    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<Self::Row>>>;
}

/// The next batch that is not empty; after the last, that the pool has not changed.
fn next_rows<B: Batches>(
    py: Python<'_>,
    handle: &Handle,
    batches: &mut B,
) -> PyResult<Option<Vec<B::Row>>> {
    let conductor: &Conductor = &handle.conductor;
    conductor.conduct(py, |watch| {
        loop {
            match batches.next_batch(watch)? {
                Some(rows) if rows.is_empty() => {}
                Some(rows) => return Ok(Some(rows)),
                None => return handle.pool.check_unchanged().map(|()| None),
            }
        }
    })
}

/// The rows of a table, one at a time.
pub(crate) struct Rows<B: Batches> {
    handle: Arc<Handle>,
    state: Mutex<(B, std::vec::IntoIter<B::Row>)>,
}

impl<B: Batches> Rows<B> {
    pub(crate) fn new(handle: Arc<Handle>, batches: B) -> Self {
        Self { handle, state: Mutex::new((batches, Vec::new().into_iter())) }
    }

    /// The next row. Threads that share the iterator share the rows.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Option<B::Row>> {
        // Python is let go while waiting: the thread that has the lock needs it to conduct.
        let mut state = self.state.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let (batches, rows) = &mut *state;
        loop {
            if let Some(row) = rows.next() {
                return Ok(Some(row));
            }
            match next_rows(py, &self.handle, batches)? {
                Some(next) => *rows = next.into_iter(),
                None => return Ok(None),
            }
        }
    }
}

struct Stream<B> {
    handle: Arc<Handle>,
    batches: B,
    schema: SchemaRef,
    ended: bool,
}

impl<B: Batches> Iterator for Stream<B> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let rows = Python::attach(|py| next_rows(py, &self.handle, &mut self.batches));
        self.ended = !matches!(rows, Ok(Some(_)));
        match rows {
            Ok(rows) => {
                let columns = B::Row::columns(&rows?);
                Some(RecordBatch::try_new(Arc::clone(&self.schema), columns))
            }
            Err(raised) => Some(Err(ArrowError::ExternalError(Box::new(raised)))),
        }
    }
}

impl<B: Batches> RecordBatchReader for Stream<B> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// An `arrow_array_stream` capsule over batches.
pub(crate) fn stream_capsule<B: Batches>(
    py: Python<'_>,
    handle: Arc<Handle>,
    batches: B,
) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = Arc::new(B::Row::schema());
    let stream = Stream { handle, batches, schema, ended: false };
    let stream = FFI_ArrowArrayStream::new(Box::new(stream));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// An `arrow_schema` capsule.
pub(crate) fn schema_capsule<R: Row>(py: Python<'_>) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(&R::schema())
        .map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}
