//! Tables: columns for anything that takes the Arrow C stream, rows for everything else.
//!
//! A stream is made anew each time it is asked for, so a table can be read again. It carries along
//! what it is read of, and conducts each batch on the thread that asks for it.

use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::conduct::Conductor;
use crate::error::exception;
use crate::handle::Handle;
use crate::turn::Turn;
use thinscope_core::text::{Lines, Text};
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Result};

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
    type Row: Row + Sync;
    /// The next rows, or none at the end.
    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<Self::Row>>>;
    /// Of two pools, whether the last error is of the other one.
    fn failed_in_other(&self) -> bool {
        false
    }
}

/// What a table is read of.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// A pool, which may change meanwhile.
    Pool(Arc<Handle>),
    /// Two pools, which may be one.
    Pools(Arc<Handle>, Arc<Handle>),
    /// An answer in memory.
    Answer(Arc<Conductor>),
}

impl Origin {
    /// The next batch; of a pool, each ends with a look at whether the pool has changed.
    fn next_batch<B: Batches>(
        &self,
        py: Python<'_>,
        batches: &mut B,
    ) -> PyResult<Option<Vec<B::Row>>> {
        match self {
            Self::Pool(handle) => {
                handle.ask(py, |pool, watch| pool.unchanged(batches.next_batch(watch)))
            }
            Self::Pools(handle, other) => ask_both(py, handle, other, |watch| {
                let batch = batches.next_batch(watch);
                batch.map_err(|error| (batches.failed_in_other(), error))
            }),
            Self::Answer(conductor) => conductor.conduct(py, |watch| batches.next_batch(watch)),
        }
    }
}

/// Asks two pools one question, which tells whether an error is of the other one; ends with a look
/// at whether either has changed.
pub(crate) fn ask_both<T: Send>(
    py: Python<'_>,
    handle: &Handle,
    other: &Handle,
    question: impl FnOnce(&Watch) -> Result<T, (bool, Error)> + Send,
) -> PyResult<T> {
    let answer = handle.conductor.conduct_with(py, &other.conductor, |watch| {
        Ok(match question(watch) {
            Ok(answer) => {
                let answer = handle.pool.unchanged(Ok(answer)).map_err(|error| (false, error));
                answer.and_then(|answer| {
                    other.pool.unchanged(Ok(answer)).map_err(|error| (true, error))
                })
            }
            Err((is_others, error)) => {
                let pool = if is_others { &other.pool } else { &handle.pool };
                pool.unchanged(Err(error)).map_err(|error| (is_others, error))
            }
        })
    })?;
    answer.map_err(|(is_others, error)| {
        let conductor = if is_others { &other.conductor } else { &handle.conductor };
        exception(py, &conductor.source, &error)
    })
}

/// A table that is being read. After an error it stays ended: what the failed batch had taken
/// is lost, and going on would leave a hole.
struct Reading<B> {
    origin: Origin,
    batches: B,
    ended: bool,
    failed: bool,
}

impl<B: Batches> Reading<B> {
    const fn new(origin: Origin, batches: B) -> Self {
        Self { origin, batches, ended: false, failed: false }
    }

    /// The next rows, or none at the end.
    fn next_rows(&mut self, py: Python<'_>) -> PyResult<Option<Vec<B::Row>>> {
        if self.failed {
            let message = "reading ended with an error before: read the table again";
            return Err(PyValueError::new_err(message));
        }
        if self.ended {
            return Ok(None);
        }
        let rows = loop {
            match self.origin.next_batch(py, &mut self.batches) {
                Ok(Some(rows)) if rows.is_empty() => {}
                rows => break rows,
            }
        };
        self.failed = rows.is_err();
        self.ended = matches!(rows, Ok(None));
        rows
    }
}

/// The rows of a table, one at a time.
pub(crate) struct Rows<B: Batches>(Turn<(Reading<B>, std::vec::IntoIter<B::Row>)>);

impl<B: Batches> Rows<B> {
    pub(crate) fn new(origin: Origin, batches: B) -> Self {
        Self(Turn::new((Reading::new(origin, batches), Vec::new().into_iter())))
    }

    /// What the batches say of themselves between rows; None while this thread reads.
    pub(crate) fn ask<R>(&self, py: Python<'_>, of: impl FnOnce(&B) -> R) -> Option<R> {
        self.0.take_attached(py, |(reading, _)| of(&reading.batches))
    }

    /// The next row. Threads that share the iterator share the rows.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Option<B::Row>> {
        let next = self.0.take_attached(py, |(reading, rows)| {
            loop {
                if let Some(row) = rows.next() {
                    return Ok(Some(row));
                }
                match reading.next_rows(py)? {
                    Some(next) => *rows = next.into_iter(),
                    None => return Ok(None),
                }
            }
        });
        next.unwrap_or_else(|| Err(PyValueError::new_err("iterator already executing")))
    }
}

/// The rows of a table as text, batch by batch.
pub(crate) struct Told<B, L>(Turn<(Reading<B>, Option<L>)>);

impl<B: Batches, L: Lines<Row = B::Row>> Told<B, L> {
    pub(crate) fn new(origin: Origin, batches: B, lines: L) -> Self {
        Self(Turn::new((Reading::new(origin, batches), Some(lines))))
    }

    /// The next text, which may be empty, or none at the end.
    pub(crate) fn next(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let next = self.0.take_attached(py, |(reading, lines)| {
            let rows = reading.next_rows(py)?;
            let mut text = Text::default();
            match (rows, lines.as_mut()) {
                (Some(rows), Some(writer)) => py.detach(|| writer.write(&rows, &mut text)),
                (None, Some(writer)) => {
                    py.detach(|| writer.end(&mut text));
                    *lines = None;
                }
                (_, None) => return Ok(None),
            }
            Ok(Some(text.into()))
        });
        next.unwrap_or_else(|| Err(PyValueError::new_err("iterator already executing")))
    }
}

struct Stream<B> {
    reading: Reading<B>,
    schema: SchemaRef,
}

impl<B: Batches> Iterator for Stream<B> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        match Python::attach(|py| self.reading.next_rows(py)) {
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
    origin: Origin,
    batches: B,
) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = Arc::new(B::Row::schema());
    let stream = Stream { reading: Reading::new(origin, batches), schema };
    let stream = FFI_ArrowArrayStream::new(Box::new(stream));
    PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
}

/// An `arrow_schema` capsule.
pub(crate) fn schema_capsule<R: Row>(py: Python<'_>) -> PyResult<Bound<'_, PyCapsule>> {
    let schema = FFI_ArrowSchema::try_from(&R::schema())
        .map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))?;
    PyCapsule::new_with_value(py, schema, c"arrow_schema")
}
