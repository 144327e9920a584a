//! `testkit build`: healthy pools.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use thinscope_testkit::fill::Fill;
use thinscope_testkit::writer::Geometry;
use thinscope_testkit::{Image, Options, Shape, build};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShapeName {
    /// One device.
    OneDevice,
    /// Snapshots of one origin that share nodes copy-on-write.
    SnapshotsShared,
    /// The same, each device with internal nodes of its own.
    SnapshotsOwnSpines,
    /// Devices that share data blocks, but no node.
    SharedData,
    /// Random writes, discards, snapshots, deletions.
    Churn,
    /// A short churn.
    Small,
    /// A node shared at two depths.
    TwoDepths,
    /// Data blocks that random sets of devices share, some twice.
    Tangle,
    /// What a text tells step by step.
    History,
}

impl From<ShapeName> for Shape {
    fn from(name: ShapeName) -> Self {
        match name {
            ShapeName::OneDevice => Self::OneDevice,
            ShapeName::SnapshotsShared => Self::SnapshotsShared,
            ShapeName::SnapshotsOwnSpines => Self::SnapshotsOwnSpines,
            ShapeName::SharedData => Self::SharedData,
            ShapeName::Churn => Self::Churn,
            ShapeName::Small => Self::Small,
            ShapeName::TwoDepths => Self::TwoDepths,
            ShapeName::Tangle => Self::Tangle,
            ShapeName::History => Self::History,
        }
    }
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct BuildArgs {
    /// What the pool looks like.
    shape: ShapeName,
    /// Where to write the metadata.
    #[arg(short, long)]
    output: PathBuf,
    /// Where to write what was built, as JSON.
    #[arg(long)]
    answers: Option<PathBuf>,
    /// Determines everything that is drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Mappings of the origin, or of each device that shares data.
    #[arg(long, default_value_t = 10_000)]
    mappings: u64,
    /// Snapshots of the origin, or devices that share data or are tangled.
    #[arg(long, default_value_t = 10)]
    devices: u32,
    /// Percent of leaves that a snapshot or its origin rewrites (of runs, with shared data).
    #[arg(long, default_value_t = 1.0)]
    changed: f64,
    /// Mappings in a leaf, such as 126..252.
    #[arg(long, default_value = "126..252")]
    leaf_fill: Fill,
    /// Entries in an internal node of a mapping tree.
    #[arg(long, default_value = "126..252")]
    node_fill: Fill,
    /// Entries in a node of any other tree.
    #[arg(long, default_value = "126..252")]
    tree_fill: Fill,
    /// Mean length of a run.
    #[arg(long, default_value_t = 64)]
    run: u64,
    /// Places that the data device is filled in by turns; 1: in order.
    #[arg(long, default_value_t = 1)]
    areas: u64,
    /// Times that mappings are drawn from.
    #[arg(long, default_value_t = 3)]
    time: u32,
    /// Edges that admit keys below the first one of their leaf.
    #[arg(long)]
    loose_edges: bool,
    /// Hold a metadata snapshot.
    #[arg(long)]
    metadata_snapshot: bool,
    /// Random steps of a churn, or runs of a tangle.
    #[arg(long, default_value_t = 3000)]
    steps: u64,
    /// Virtual blocks that the steps of a churn or a tangle begin at.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    span: u64,
    /// Most blocks that a step of a churn writes or discards, or of a tangle maps.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    longest: u64,
    /// Entries in a node before it splits: churn, two depths, tangle, history.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(3..=252))]
    capacity: u64,
    /// Entries that such a node below the root keeps, filled up from its siblings; half the
    /// capacity at most. Other programs insist on 84.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=126))]
    least: u64,
    /// Internal levels of two depths when the snapshot is made.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=4))]
    height: u64,
    /// The text of a history, a line a step: create ID, snapshot ORIGIN ID, write ID 0..4,
    /// discard ID 0..4, map ID 0..4 DATA, delete ID, hold, leak 8..9, forget 3..4. The last two
    /// make the data space map count blocks wrongly. What follows a # is a comment.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Data blocks that the space map counts though nothing reaches them.
    #[arg(long, default_value_t = 0)]
    leaked: u64,
    /// Data blocks that something reaches and the space map does not count.
    #[arg(long, default_value_t = 0)]
    missing: u64,
    /// Set the flag that the pool needs a check.
    #[arg(long)]
    needs_check: bool,
    /// Draw each metadata block out of the next so many; 1: in order.
    #[arg(long, default_value_t = 1)]
    scatter: usize,
    /// Bytes that mean nothing in nodes and space map roots behind what is in use.
    #[arg(long)]
    slack: bool,
    /// Sectors in a data block.
    #[arg(long, default_value_t = 128)]
    data_block_sectors: u32,
    /// Blocks of the data device.
    #[arg(long)]
    data_blocks: Option<u64>,
    /// Blocks of the metadata device.
    #[arg(long)]
    metadata_blocks: Option<u32>,
}

impl BuildArgs {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a percentage from the command line; a negative one becomes 0"
    )]
    fn options(&self) -> std::io::Result<Options> {
        Ok(Options {
            geometry: Geometry {
                data_block_sectors: self.data_block_sectors,
                data_blocks: self.data_blocks,
                metadata_blocks: self.metadata_blocks,
                tree_fill: self.tree_fill,
                slack: self.slack,
                needs_check: self.needs_check,
                scatter: self.scatter,
                leaked: self.leaked,
                missing: self.missing,
                seed: self.seed,
            },
            mappings: self.mappings,
            devices: self.devices,
            changed: (self.changed.min(100.0) * 10_000.0) as u64,
            leaf_fill: self.leaf_fill,
            node_fill: self.node_fill,
            run: self.run,
            areas: self.areas,
            time: self.time,
            loose_edges: self.loose_edges,
            metadata_snapshot: self.metadata_snapshot,
            steps: self.steps,
            span: self.span,
            longest: self.longest,
            capacity: self.capacity as usize,
            least: self.least as usize,
            height: self.height as usize,
            history: self
                .history
                .as_ref()
                .map_or_else(|| Ok(String::new()), std::fs::read_to_string)?,
        })
    }

    pub(crate) fn run(&self) -> std::io::Result<()> {
        let image = Image::create(&self.output)?;
        let (_, answers) = build(self.shape.into(), &self.options()?, image)?;
        println!(
            "{}: {} devices, {} mappings, {} of {} metadata blocks",
            answers.shape,
            answers.devices.len(),
            answers.mappings,
            answers.metadata_used,
            answers.metadata_blocks,
        );
        if let Some(path) = &self.answers {
            let mut file = BufWriter::new(std::fs::File::create(path)?);
            serde_json::to_writer(&mut file, &answers)?;
            file.flush()?;
        }
        Ok(())
    }
}
