//! What each two devices share, as a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use thinscope_core::Result;
use thinscope_core::sharing::{Matrix as CoreMatrix, Pair as CorePair, Sharing as CoreSharing};
use thinscope_core::watch::Watch;

use crate::conduct::Conductor;
use crate::table::{Batches, Origin, Row, Rows, schema_capsule, stream_capsule};

/// Two devices and what they share.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    /// Id of the device with the lower id.
    device_a: u32,
    /// Id of the other one.
    device_b: u32,
    /// Data blocks that both reach.
    blocks: u64,
}

#[pymethods]
impl Pair {
    fn __repr__(&self) -> String {
        let Self { device_a, device_b, blocks } = self;
        format!("Pair(device_a={device_a}, device_b={device_b}, blocks={blocks})")
    }
}

impl From<&CorePair> for Pair {
    fn from(core: &CorePair) -> Self {
        Self { device_a: core.device_a.get(), device_b: core.device_b.get(), blocks: core.blocks }
    }
}

impl Row for CorePair {
    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("device_a", DataType::UInt32, false),
            Field::new("device_b", DataType::UInt32, false),
            Field::new("blocks", DataType::UInt64, false),
        ])
    }

    fn columns(rows: &[Self]) -> Vec<ArrayRef> {
        let device = |column: fn(&Self) -> u32| -> ArrayRef {
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(column)))
        };
        vec![
            device(|pair| pair.device_a.get()),
            device(|pair| pair.device_b.get()),
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|pair| pair.blocks))),
        ]
    }
}

impl Batches for CoreMatrix {
    type Row = CorePair;

    fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<CorePair>>> {
        Self::next_batch(self, watch)
    }
}

/// How many blocks each two devices share, as a table of the pairs that share any, by ascending
/// ids.
///
/// Columns: `device_a` and `device_b` (uint32, ids, `device_a` is the lower one), `blocks`
/// (uint64, data blocks that both reach). Computed row by row as it is read: iterate over it, or
/// hand it to anything that takes an Arrow stream. It can be read again.
#[pyclass(frozen, module = "thinscope")]
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) core: Arc<CoreSharing>,
    pub(crate) conductor: Arc<Conductor>,
}

impl Matrix {
    fn origin(&self) -> Origin {
        Origin::Answer(Arc::clone(&self.conductor))
    }

    fn stream(&self, py: Python<'_>) -> CoreMatrix {
        py.detach(|| CoreMatrix::new(Arc::clone(&self.core)))
    }
}

#[pymethods]
impl Matrix {
    /// The pairs as objects, one at a time.
    fn __iter__(&self, py: Python<'_>) -> PairIterator {
        PairIterator(Rows::new(self.origin(), self.stream(py)))
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
        stream_capsule(py, self.origin(), self.stream(py))
    }

    /// The columns' names and types as an Arrow C schema.
    #[pyo3(signature = () -> "object")]
    #[expect(clippy::unused_self, reason = "a method by the Arrow interface")]
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        schema_capsule::<CorePair>(py)
    }

    fn __repr__(&self) -> String {
        format!("<Matrix of {}>", self.conductor.source)
    }
}

/// Iterates over the pairs of a table.
#[pyclass(frozen, module = "thinscope")]
pub(crate) struct PairIterator(Rows<CoreMatrix>);

#[pymethods]
impl PairIterator {
    const fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Pair>> {
        Ok(self.0.next(py)?.as_ref().map(Pair::from))
    }
}
