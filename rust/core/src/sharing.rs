//! Who shares what: every data block by the set of its holders.
//!
//! *Holders* are the devices that reach a block and, as one more that is never a device, the
//! held metadata snapshot. Blocks with the same holders form a *class*; all that is asked about
//! sharing is arithmetic on classes. They are found in one pass:
//!
//! 1. [`fold`]: hand sets of holders down the graph of all mapping trees, to every node.
//! 2. [`refine`]: read each leaf once and move its blocks to the classes of who reaches it too.
//! 3. [`space`]: compare with the space map of the data device.
//!
//! Answers need no source any more. Devices are known by their position among the ids here.

mod classes;
pub(crate) mod fold;
mod groups;
mod matrix;
mod picture;
mod plan;
mod reclaim;
mod refine;
pub(crate) mod sets;
mod space;
mod sums;
#[cfg(test)]
mod tests;
mod usage;

pub use groups::Group;
pub use matrix::{Matrix, Pair};
pub use picture::Cell;
pub use plan::{Plan, PlanObject, PlanOptions, PlanStep};
pub use reclaim::Reclaim;
pub use space::BlockRun;
pub use usage::{DeviceUsage, SetUsage, SharedBy, Totals};

use self::classes::Classes;
use self::fold::Holders;
use self::refine::{ClassOf, refine};
use self::sets::HolderSets;
use self::space::Differences;
use crate::error::Result;
use crate::graph::{Graph, LeafReader, threads};
use crate::space_map::ReferenceCounts;
use crate::units::{DeviceId, low_u32, widen};
use crate::watch::Watch;

/// Who shares what in a pool, as of when it was read.
///
/// Memory: that of the classes, see `Classes`, and of the class of each data block, see
/// `Refined`.
#[derive(Debug)]
pub struct Sharing {
    /// The devices, ascending.
    ids: Vec<DeviceId>,
    has_metadata_snapshot: bool,
    /// How many mappings each device has.
    mappings: Vec<u64>,
    classes: Classes,
    class_of: ClassOf,
    /// Blocks of the data device.
    data_blocks: u64,
    /// Not known through a metadata snapshot.
    differences: Option<Differences>,
    totals: Totals,
    is_whole: bool,
}

/// Whose mappings are gone through.
#[derive(Debug)]
pub(crate) struct Everybody<'a> {
    /// The devices, ascending.
    pub(crate) devices: Vec<DeviceId>,
    /// Whether the metadata snapshot is a holder.
    pub(crate) has_metadata_snapshot: bool,
    /// The roots of the devices' trees in their order, then those of the metadata snapshot's.
    pub(crate) graph: &'a Graph,
}

impl Sharing {
    /// Reads every distinct leaf once.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, or
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub(crate) fn find(
        leaves: &LeafReader<'_>,
        everybody: Everybody<'_>,
        thread_count: usize,
    ) -> Result<Self> {
        let Everybody { devices: ids, has_metadata_snapshot, graph } = everybody;
        let leaf_count = graph.leaves().len();
        let threads = threads(thread_count, leaf_count)?;
        leaves.watch.begin("telling who shares what", widen(leaf_count));
        let devices = low_u32(widen(ids.len()));
        let snapshots = u32::from(has_metadata_snapshot);
        let mut sets = HolderSets::new(devices.saturating_add(snapshots));
        let holder = |root: usize| low_u32(widen(root)).min(devices);
        let holders = Holders::fold(graph, holder, &mut sets, leaves.watch)?;
        let refined = refine(leaves, graph, &holders, &mut sets, threads.as_ref())?;
        let sums = graph.sum_up(&refined.mappings).into_iter().take(ids.len());
        let mappings = sums.map(|(_, mappings)| mappings).collect();
        let nodes = holders.node_counts(&sets);
        let classes = Classes::new(&sets, devices, &refined, &nodes);
        let mut totals = Totals::default();
        classes.iter().for_each(|class| totals.add(&class));
        let class_of = refined.class_of;
        let (data_blocks, differences) = (leaves.data_blocks, None);
        Ok(Self {
            ids,
            has_metadata_snapshot,
            mappings,
            classes,
            class_of,
            data_blocks,
            differences,
            totals,
            is_whole: true,
        })
    }

    /// Compares with the counts of the live data space map, which says that so many blocks are
    /// used.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(crate) fn compare(
        &mut self,
        counts: &mut ReferenceCounts,
        used_blocks: u64,
        watch: &Watch,
    ) -> Result<()> {
        let differences = Differences::find(&self.class_of, counts, watch)?;
        self.totals.leaked_blocks = Some(differences.leaked.blocks);
        self.totals.missing_count_blocks = Some(differences.missing.blocks);
        self.totals.used_blocks = Some(used_blocks);
        self.differences = Some(differences);
        Ok(())
    }

    /// Whether all mappings could be read. If not, the others may hold blocks as well: what is
    /// exclusive, comes free or is leaked is at most what is told here.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(crate) const fn set_whole(&mut self, is_whole: bool) {
        self.is_whole = is_whole;
    }

    /// Whether a held metadata snapshot is a holder beside the devices.
    #[must_use]
    pub const fn has_metadata_snapshot(&self) -> bool {
        self.has_metadata_snapshot
    }

    /// Sums over the whole pool.
    #[must_use]
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Blocks that are counted as used and reached by nobody, ascending. Not known through a
    /// metadata snapshot.
    #[must_use]
    pub fn leaked(&self) -> Option<&[BlockRun]> {
        self.differences.as_ref().map(|differences| &*differences.leaked.runs)
    }

    /// Blocks that are reached, but counted as free, ascending. Not known through a metadata
    /// snapshot.
    #[must_use]
    pub fn missing(&self) -> Option<&[BlockRun]> {
        self.differences.as_ref().map(|differences| &*differences.missing.runs)
    }

    fn position(&self, id: DeviceId) -> Result<u32> {
        usage::position(&self.ids, id)
    }
}
