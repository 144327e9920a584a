//! What two mapping trees have in common and what not, as a table of pieces.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use thinscope_core::delta::{
    Comparison, DeltaLines, DeltaStream, Failed, Mapped, Piece as CorePiece, Side, Which,
};
use thinscope_core::units::{DeviceId, low_u32};
use thinscope_core::watch::Watch;
use thinscope_core::{Pool as CorePool, Result};

use crate::handle::Handle;
use crate::table::{Batches, Origin, Row, Rows, Told, ask_both, schema_capsule, stream_capsule};

/// Virtual blocks of one kind that follow each other, on the data device as well.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Piece {
    /// What they are: `left_only`, `right_only`, `different` or `same`.
    kind: &'static str,
    /// First block of the device, in data blocks.
    virtual_begin: u64,
    /// Number of blocks.
    length: u64,
    /// First block of the data device on the left side, in data blocks, or None.
    left_data_begin: Option<u64>,
    /// First block of the data device on the right side, in data blocks, or None.
    right_data_begin: Option<u64>,
    /// The pool's time when the blocks on the left side were allocated, or None.
    left_time: Option<u32>,
    /// The pool's time when the blocks on the right side were allocated, or None.
    right_time: Option<u32>,
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "None".to_owned(), |value| value.to_string())
}

#[pymethods]
impl Piece {
    fn __repr__(&self) -> String {
        format!(
            "Piece(kind='{}', virtual_begin={}, length={}, left_data_begin={}, \
             right_data_begin={}, left_time={}, right_time={})",
            self.kind,
            self.virtual_begin,
            self.length,
            shown(self.left_data_begin),
            shown(self.right_data_begin),
            shown(self.left_time),
            shown(self.right_time),
        )
    }
}

fn data_begin(side: Option<Mapped>) -> Option<u64> {
    side.map(|mapped| mapped.data_begin.get())
}

fn time(side: Option<Mapped>) -> Option<u32> {
    side.map(|mapped| mapped.time.get())
}

impl From<&CorePiece> for Piece {
    fn from(core: &CorePiece) -> Self {
        Self {
            kind: core.kind.word(),
            virtual_begin: core.virtual_begin.get(),
            length: core.length,
            left_data_begin: data_begin(core.left),
            right_data_begin: data_begin(core.right),
            left_time: time(core.left),
            right_time: time(core.right),
        }
    }
}

impl Row for CorePiece {
    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("kind", DataType::Utf8, false),
            Field::new("virtual_begin", DataType::UInt64, false),
            Field::new("length", DataType::UInt64, false),
            Field::new("left_data_begin", DataType::UInt64, true),
            Field::new("right_data_begin", DataType::UInt64, true),
            Field::new("left_time", DataType::UInt32, true),
            Field::new("right_time", DataType::UInt32, true),
        ])
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let wide = |column: fn(&Self) -> Option<u64>| -> ArrayRef {
            Arc::new(rows.iter().map(column).collect::<UInt64Array>())
        };
        let narrow = |column: fn(&Self) -> Option<u32>| -> ArrayRef {
            Arc::new(rows.iter().map(column).collect::<UInt32Array>())
        };
        let number = |column: fn(&Self) -> u64| -> ArrayRef {
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(column)))
        };
        vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.kind.word()))),
            number(|row| row.virtual_begin.get()),
            number(|row| row.length),
            wide(|row| data_begin(row.left)),
            wide(|row| data_begin(row.right)),
            narrow(|row| time(row.left)),
            narrow(|row| time(row.right)),
        ]
    }
}

/// The pieces of two trees, and of which the last error was.
pub(crate) struct Pieces {
    stream: DeltaStream,
    failed_in_other: bool,
}

impl Batches for Pieces {
    type Row = CorePiece;

    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<CorePiece>>> {
        self.stream.next_batch(watch).map_err(|failed| {
            self.failed_in_other = failed.which == Which::Right;
            failed.error
        })
    }

    fn failed_in_other(&self) -> bool {
        self.failed_in_other
    }
}

/// What two mapping trees have in common and what not, as a table of pieces by ascending virtual
/// block; none goes on across a break on the data device.
///
/// Columns: `kind` (string: `left_only`, `right_only`, `different` or `same`), `virtual_begin` and
/// `length` (uint64, in data blocks), `left_data_begin` and `right_data_begin` (uint64, null where
/// the side maps nothing), `left_time` and `right_time` (uint32, likewise: the pool's time at
/// allocation). Nothing is read before the table is; then only what differs. It can be read again,
/// by iteration or through the Arrow C stream.
#[pyclass(frozen, module = "thinscope")]
#[derive(Debug)]
pub(crate) struct Delta {
    pub(crate) left: Arc<Handle>,
    pub(crate) left_side: (bool, u64),
    pub(crate) right: Arc<Handle>,
    pub(crate) right_side: (bool, u64),
    /// Whether both sides are in the same state of the same metadata: then what they share is
    /// passed over, and a mapping's time says nothing more than its block. Else blocks that were
    /// given out again, which the time tells, are different.
    #[pyo3(get)]
    pub(crate) is_same_metadata: bool,
    pub(crate) with_same: bool,
}

/// A device by its id, or a root by its block.
fn side(pool: &CorePool, (is_device, number): (bool, u64), watch: &Watch) -> Result<Side> {
    if is_device {
        // Ids are 24 bits wide, which Python has looked at.
        return pool.side(DeviceId::new(low_u32(number)), watch);
    }
    pool.side_at(number)
}

impl Delta {
    fn origin(&self) -> Origin {
        Origin::Pools(Arc::clone(&self.left), Arc::clone(&self.right))
    }

    fn stream(&self, py: Python<'_>) -> PyResult<Pieces> {
        let comparison = Comparison {
            is_same_metadata: self.is_same_metadata,
            with_same: self.with_same,
            threads: self.left.pool.threads(),
        };
        let stream = ask_both(py, &self.left, &self.right, |watch| {
            let left = side(&self.left.pool, self.left_side, watch).map_err(|e| (false, e))?;
            let right = side(&self.right.pool, self.right_side, watch).map_err(|e| (true, e))?;
            let opened = DeltaStream::open(left, right, comparison, watch);
            opened.map_err(|Failed { which, error }| (which == Which::Right, error))
        })?;
        Ok(Pieces { stream, failed_in_other: false })
    }
}

#[pymethods]
impl Delta {
    /// The pieces as objects, one at a time.
    fn __iter__(&self, py: Python<'_>) -> PyResult<PieceIterator> {
        Ok(PieceIterator(Rows::new(self.origin(), self.stream(py)?)))
    }

    /// The table in the words of `thin_delta`: an element for each range, many in one string; with
    /// `detailed` they tell where the blocks lie on the data device.
    #[pyo3(signature = (*, detailed))]
    fn lines(&self, py: Python<'_>, detailed: bool) -> PyResult<PieceLines> {
        let lines = DeltaLines::new(detailed);
        Ok(PieceLines(Told::new(self.origin(), self.stream(py)?, lines)))
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
        schema_capsule::<CorePiece>(py)
    }

    fn __repr__(&self) -> String {
        let shown = |(is_device, number): (bool, u64), handle: &Handle| {
            let what = if is_device { "device" } else { "root" };
            format!("{what} {number} of {}", handle.conductor.source)
        };
        let left = shown(self.left_side, &self.left);
        format!("<Delta of {left} and {}>", shown(self.right_side, &self.right))
    }
}

/// Iterates over the pieces of a table.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct PieceIterator(Rows<Pieces>);

#[pymethods]
impl PieceIterator {
    /// Nodes of the two trees that were read so far, in metadata blocks.
    #[getter]
    fn nodes_read(&self, py: Python<'_>) -> PyResult<u64> {
        let read = self.0.ask(py, |pieces| pieces.stream.nodes_read());
        read.ok_or_else(|| PyValueError::new_err("iterator already executing"))
    }

    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Piece>> {
        Ok(self.0.next(py)?.as_ref().map(Piece::from))
    }
}

/// Iterates over the text of a table of pieces.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct PieceLines(Told<Pieces, DeltaLines>);

#[pymethods]
impl PieceLines {
    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.0.next(py)
    }
}
