//! Healthy pools by shape.

mod churn;
mod history;
mod one_device;
mod shared_data;
mod snapshots;
mod tangle;

use std::io::Result;

use thinscope_core::btree::Tree;
use thinscope_core::raw::DeviceDetails;
use zerocopy::little_endian::{U32, U64};

use crate::answers::{Answers, DeviceAnswer};
use crate::fill::Fill;
use crate::finish::Roots;
use crate::image::Image;
use crate::mapping::LeafOptions;
use crate::runs::RunOptions;
use crate::tree::write_tree;
use crate::writer::{Geometry, Writer};

/// What a pool looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One device.
    OneDevice,
    /// Snapshots of one origin that share nodes copy-on-write, as the kernel leaves them.
    SnapshotsShared,
    /// The same, but every device has internal nodes of its own, as `thin_restore` writes.
    SnapshotsOwnSpines,
    /// Devices that share data blocks, but no node.
    SharedData,
    /// Random writes, discards, snapshots, deletions on many devices.
    Churn,
    /// A short churn.
    Small,
    /// A snapshot shares nodes with an origin whose root has split since.
    TwoDepths,
    /// Data blocks that random sets of devices share.
    Tangle,
    /// What a text tells step by step.
    History,
}

impl Shape {
    /// All shapes.
    pub const ALL: [Self; 9] = [
        Self::OneDevice,
        Self::SnapshotsShared,
        Self::SnapshotsOwnSpines,
        Self::SharedData,
        Self::Churn,
        Self::Small,
        Self::TwoDepths,
        Self::Tangle,
        Self::History,
    ];

    /// The name, as on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneDevice => "one-device",
            Self::SnapshotsShared => "snapshots-shared",
            Self::SnapshotsOwnSpines => "snapshots-own-spines",
            Self::SharedData => "shared-data",
            Self::Churn => "churn",
            Self::Small => "small",
            Self::TwoDepths => "two-depths",
            Self::Tangle => "tangle",
            Self::History => "history",
        }
    }
}

/// How a shape is built. Shapes ignore what does not concern them.
#[derive(Clone, Debug)]
pub struct Options {
    /// What holds whatever the devices are.
    pub geometry: Geometry,
    /// Mappings of the origin, or of each device that shares data.
    pub mappings: u64,
    /// Snapshots of the origin, or devices that share data.
    pub devices: u32,
    /// Parts in a million: leaves that a snapshot or its origin rewrites, or runs that a device
    /// that shares data keeps for itself.
    pub changed: u64,
    /// Mappings in a leaf.
    pub leaf_fill: Fill,
    /// Entries in an internal node of a mapping tree.
    pub node_fill: Fill,
    /// Mean length of a run.
    pub run: u64,
    /// Places that the data device is filled in.
    pub areas: u64,
    /// Times that mappings of one device are drawn from.
    pub time: u32,
    /// Edges below the first key of their leaf.
    pub loose_edges: bool,
    /// Hold a metadata snapshot.
    pub metadata_snapshot: bool,
    /// Random steps of a churn or a tangle.
    pub steps: u64,
    /// Virtual blocks that the steps of a churn or a tangle begin at.
    pub span: u64,
    /// Most blocks that a step of a churn writes or discards.
    pub longest: u64,
    /// Entries in a node of a churn or of two depths before it splits.
    pub capacity: usize,
    /// Entries that such a node below the root keeps, filled up from its siblings; half the
    /// capacity at most.
    pub least: usize,
    /// Internal levels of two depths when the snapshot is made.
    pub height: usize,
    /// What happens, a line for each step; see `testkit build --help`.
    pub history: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            geometry: Geometry::default(),
            mappings: 10_000,
            devices: 10,
            changed: 10_000,
            leaf_fill: Fill::USUAL,
            node_fill: Fill::USUAL,
            run: 64,
            areas: 1,
            time: 3,
            loose_edges: false,
            metadata_snapshot: false,
            steps: 3000,
            span: 120,
            longest: 12,
            capacity: 6,
            least: 1,
            height: 2,
            history: String::new(),
        }
    }
}

impl Options {
    const fn leaves(&self) -> LeafOptions {
        LeafOptions { fill: self.leaf_fill, loose_edges: self.loose_edges }
    }

    const fn runs(&self, time: u32) -> RunOptions {
        RunOptions { mappings: self.mappings, run: self.run, areas: self.areas, time }
    }
}

/// Builds a pool; returns the image and what it holds.
///
/// # Errors
///
/// The pool does not fit its devices, or what the system says.
pub fn build(shape: Shape, options: &Options, image: Image) -> Result<(Image, Answers)> {
    let writer = Writer::new(image, options.geometry.clone());
    match shape {
        Shape::OneDevice => one_device::build(options, writer),
        Shape::SnapshotsShared => snapshots::build(options, writer, snapshots::Spines::Shared),
        Shape::SnapshotsOwnSpines => snapshots::build(options, writer, snapshots::Spines::Own),
        Shape::SharedData => shared_data::build(options, writer),
        Shape::Churn => churn::build(options, writer),
        Shape::Small => churn::build_small(options, writer),
        Shape::TwoDepths => churn::build_two_depths(options, writer),
        Shape::Tangle => tangle::build(options, writer),
        Shape::History => history::build(options, writer),
    }
}

/// The fill of nodes that the kernel's way of working leaves behind: one that splits leaves half
/// its entries to each side, so no more can be kept.
fn node_fill(options: &Options) -> Fill {
    let high = options.capacity as u64;
    Fill { low: options.least.min(options.capacity.div_ceil(2)) as u64, high }
}

/// A device to be entered in the top-level and details trees.
#[derive(Clone, Copy, Debug)]
struct Entry {
    root: u32,
    answer: DeviceAnswer,
    transaction_id: u64,
    creation_time: u32,
    snapshotted_time: u32,
}

/// Writes the two trees of devices and ends the pool. A metadata snapshot has the same roots, as
/// right after it was made.
fn finish(
    shape: Shape,
    options: &Options,
    mut writer: Writer,
    entries: &[Entry],
    time: u32,
) -> Result<(Image, Answers)> {
    let count = entries.len() as u64;
    let mut roots: Vec<u32> = entries.iter().map(|entry| entry.root).collect();
    for root in &roots {
        writer.reference(*root);
    }
    let tree = entries
        .iter()
        .map(|entry| (u64::from(entry.answer.id), u64::from(entry.root).to_le_bytes()));
    let mapping = write_tree(&mut writer, Tree::TopLevel, count, tree)?;
    let records = entries.iter().map(|entry| {
        let record = details(
            entry.answer.mapped_blocks,
            entry.transaction_id,
            entry.creation_time,
            entry.snapshotted_time,
        );
        (u64::from(entry.answer.id), zerocopy::transmute!(record))
    });
    let details = write_tree::<24>(&mut writer, Tree::Details, count, records)?;
    let roots_of_pool = Roots { mapping, details, time, transaction_id: count };
    let held = options.metadata_snapshot.then_some(roots_of_pool);
    let finished = writer.finish(roots_of_pool, held)?;
    roots.sort_unstable();
    roots.dedup();
    let devices = entries.iter().map(|entry| entry.answer).collect();
    let answers = Answers::of(
        shape.name(),
        &options.geometry,
        &finished,
        (time, count),
        (devices, roots.len() as u64),
    );
    Ok((finished.image, answers))
}

/// A details record.
pub(crate) const fn details(
    mapped_blocks: u64,
    transaction_id: u64,
    creation_time: u32,
    snapshotted_time: u32,
) -> DeviceDetails {
    DeviceDetails {
        mapped_blocks: U64::new(mapped_blocks),
        transaction_id: U64::new(transaction_id),
        creation_time: U32::new(creation_time),
        snapshotted_time: U32::new(snapshotted_time),
    }
}
