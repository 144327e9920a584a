//! What to delete, step by step.

use pyo3::prelude::*;
use thinscope_core::sharing::{Plan as CorePlan, PlanStep as CoreStep};

/// Objects that go together.
#[pyclass(frozen, eq, get_all, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanStep {
    /// What is deleted, by position, in an order that is possible.
    objects: Vec<usize>,
    /// What goes by itself then, by position, in the order in which it does.
    collected: Vec<usize>,
    /// Data blocks that this step frees.
    gain_blocks: u64,
    /// Data blocks that this step and all before it free.
    total_blocks: u64,
}

#[pymethods]
impl PlanStep {
    fn __repr__(&self) -> String {
        let Self { objects, collected, gain_blocks, total_blocks } = self;
        format!(
            "PlanStep(objects={objects:?}, collected={collected:?}, gain_blocks={gain_blocks}, \
             total_blocks={total_blocks})"
        )
    }
}

impl From<&CoreStep> for PlanStep {
    fn from(core: &CoreStep) -> Self {
        Self {
            objects: core.objects.clone(),
            collected: core.collected.clone(),
            gain_blocks: core.gain_blocks,
            total_blocks: core.total_blocks,
        }
    }
}

/// Which objects to delete, in an order that is possible.
#[pyclass(frozen, eq, module = "thinscope._core")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan(CorePlan);

impl From<CorePlan> for Plan {
    fn from(core: CorePlan) -> Self {
        Self(core)
    }
}

#[pymethods]
impl Plan {
    /// The steps, in an order that is possible.
    #[getter]
    fn steps(&self) -> Vec<PlanStep> {
        self.0.steps.iter().map(PlanStep::from).collect()
    }

    /// Data blocks that all steps free.
    #[getter]
    fn freed_blocks(&self) -> u64 {
        self.0.freed_blocks
    }

    /// Whether that is as much as was asked for.
    #[getter]
    fn is_reached(&self) -> bool {
        self.0.is_reached
    }

    /// Data blocks that deleting every object that can go would free.
    #[getter]
    fn most_blocks(&self) -> u64 {
        self.0.most_blocks
    }

    fn __repr__(&self) -> String {
        let (steps, freed) = (self.0.steps.len(), self.0.freed_blocks);
        format!("<Plan of {steps} steps that free {freed} blocks>")
    }
}
