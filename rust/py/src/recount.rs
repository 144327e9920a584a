//! What all mappings add up to.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use thinscope_core::recount::Recount as CoreRecount;

/// What all mappings add up to, counted by reading each distinct node of the trees once.
#[pyclass(frozen, eq, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recount {
    /// Blocks that each device maps, by id.
    mapped_blocks: BTreeMap<u32, u64>,
    /// Distinct data blocks that the devices reach, in data blocks.
    reached_blocks: u64,
    /// Distinct nodes of all mapping trees, in metadata blocks.
    nodes: u64,
}

impl From<CoreRecount> for Recount {
    fn from(core: CoreRecount) -> Self {
        let counts = core.mapped_blocks.into_iter();
        Self {
            mapped_blocks: counts.map(|(id, count)| (id.get(), count)).collect(),
            reached_blocks: core.reached_blocks,
            nodes: core.nodes,
        }
    }
}

#[pymethods]
impl Recount {
    fn __repr__(&self) -> String {
        let devices = self.mapped_blocks.len();
        format!("<Recount of {devices} devices: {} data blocks reached>", self.reached_blocks)
    }
}
