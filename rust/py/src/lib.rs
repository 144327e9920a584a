//! The Python extension `thinscope._core`: the core's pool, under Python's rules.
//!
//! It knows no offsets and no names of containers: device ids only. One file per word; `error`
//! turns errors into exceptions, `conduct` runs long calls, `table` hands columns to Arrow.

mod block;
mod capture;
mod check;
mod conduct;
mod content;
mod delta;
mod error;
mod extents;
mod fragmentation;
mod handle;
mod mappings;
mod matrix;
mod output;
mod owners;
mod plan;
mod pool;
mod reference_counts;
mod salvage;
mod sharing;
mod source;
mod superblock;
mod survey;
mod table;
mod turn;

/// The compiled core of thinscope: pools by device id. Use `thinscope`, which adds the rest.
#[pyo3::pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::block::{checksums, read_block};
    #[pymodule_export]
    use super::capture::{Copied, copy_packed};
    #[pymodule_export]
    use super::check::{CheckFinding, Checked, check};
    #[pymodule_export]
    use super::content::Content;
    #[pymodule_export]
    use super::delta::{Delta, Piece, PieceIterator, PieceLines};
    #[pymodule_export]
    use super::extents::{Extents, identity};
    #[pymodule_export]
    use super::fragmentation::{DeviceFragmentation, FreeExtents, LengthClass, NodeFill, Reads};
    #[pymodule_export]
    use super::mappings::{Mappings, Run, RunIterator};
    #[pymodule_export]
    use super::matrix::{Matrix, Pair, PairIterator};
    #[pymodule_export]
    use super::owners::{Owner, OwnerIterator, OwnerLines, Owners};
    #[pymodule_export]
    use super::plan::{Plan, PlanStep};
    #[pymodule_export]
    use super::pool::{DeviceRecord, Pool};
    #[pymodule_export]
    use super::reference_counts::{CountRun, CountRunIterator, ReferenceCounts};
    #[pymodule_export]
    use super::salvage::{DeletedDevice, Misfit, Salvage, SalvagedState, SalvagedTree};
    #[pymodule_export]
    use super::sharing::{DeviceUsage, Group, Reclaim, SetUsage, Sharing, Totals};
    #[pymodule_export]
    use super::superblock::{SpaceUsage, Superblock};
    #[pymodule_export]
    use super::survey::SurveyedRun;

    /// Whether this was built without optimisation: correct, but no measure of speed.
    #[pymodule_export]
    const DEBUG_BUILD: bool = cfg!(debug_assertions);
}
