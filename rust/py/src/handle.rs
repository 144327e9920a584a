//! An open pool with the conductor of its questions; tables made of it share it.

use pyo3::prelude::*;
use thinscope_core::watch::Watch;
use thinscope_core::{Pool, Result};

use crate::conduct::Conductor;

/// A pool and what conducting its questions takes; shared with the tables made of it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pool: Pool,
    pub(crate) conductor: Conductor,
}

impl Handle {
    /// Asks the pool, conducting the question to its end.
    pub(crate) fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Pool, &Watch) -> Result<T> + Send,
    ) -> PyResult<T> {
        self.conductor.conduct(py, |watch| question(&self.pool, watch))
    }
}
