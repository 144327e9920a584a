//! The `testkit` program: builds pools, hostile pools, edits fields, and lists live blocks.

#![expect(clippy::print_stdout, reason = "a program that lists what it knows")]

use std::io::{BufWriter, Error, Write};
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use thinscope_testkit::blocks::blocks;
use thinscope_testkit::fill::Fill;

use thinscope_testkit::patch::{Field, Repair, edit_file, write_sparse};
use thinscope_testkit::writer::Geometry;
use thinscope_testkit::{Image, Options, Shape, build, recipes};

/// Builds dm-thin metadata for tests, with right checksums.
#[derive(Debug, Parser)]
#[command(name = "testkit")]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build a healthy pool.
    Build(Box<BuildArgs>),
    /// Build a hostile pool.
    Hostile(HostileArgs),
    /// List the hostile pools: name, what a reader must do, what is wrong.
    Recipes,
    /// Print every live block of a pool with all its fields, as the reader sees them: JSON,
    /// a line for each.
    Blocks {
        /// The metadata, not packed.
        file: PathBuf,
    },
    /// Edit a field of a block, and make the block's checksum right again.
    Patch(PatchArgs),
}

#[derive(Args, Debug)]
struct HostileArgs {
    /// Which one; see `testkit recipes`.
    recipe: String,
    /// Where to write the metadata.
    #[arg(short, long)]
    output: PathBuf,
}

#[derive(Args, Debug)]
struct PatchArgs {
    /// The metadata.
    file: PathBuf,
    /// Which block.
    #[arg(long)]
    block: u32,
    /// Where the field lies in the block, in bytes.
    #[arg(long)]
    offset: usize,
    /// Bytes in the field.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(["1", "2", "4", "8"])
        .map(|text| text.parse::<usize>().unwrap_or_default()))]
    width: usize,
    /// What to write there; hexadecimal with 0x.
    #[arg(long, value_parser = number)]
    value: u64,
    /// Leave the checksum as it was, and so wrong.
    #[arg(long)]
    no_repair: bool,
}

fn number(text: &str) -> Result<u64, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|error| error.to_string())
}

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
        }
    }
}

#[derive(Args, Debug)]
struct BuildArgs {
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
    /// Snapshots of the origin, or devices that share data.
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
    /// Random steps of a churn.
    #[arg(long, default_value_t = 3000)]
    steps: u64,
    /// Entries in a node of a churn or of two depths before it splits.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u64).range(3..=126))]
    capacity: u64,
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
    fn options(&self) -> Options {
        Options {
            geometry: Geometry {
                data_block_sectors: self.data_block_sectors,
                data_blocks: self.data_blocks,
                metadata_blocks: self.metadata_blocks,
                tree_fill: self.tree_fill,
                slack: self.slack,
                scatter: self.scatter,
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
            capacity: self.capacity as usize,
        }
    }

    fn run(&self) -> std::io::Result<()> {
        let image = Image::create(&self.output)?;
        let (_, answers) = build(self.shape.into(), &self.options(), image)?;
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

fn main() -> std::io::Result<()> {
    match Program::parse().command {
        Command::Build(args) => args.run(),
        Command::Hostile(args) => {
            let recipe = recipes().iter().find(|recipe| recipe.name == args.recipe);
            let unknown =
                || Error::other(format!("no recipe {}: see testkit recipes", args.recipe));
            write_sparse(&args.output, &recipe.ok_or_else(unknown)?.build())
        }
        Command::Recipes => {
            for recipe in recipes() {
                println!("{}\t{}\t{}", recipe.name, recipe.expect, recipe.what);
            }
            Ok(())
        }
        Command::Blocks { file } => {
            let found = blocks(&std::fs::read(file)?);
            for block in found.map_err(|error| Error::other(error.to_string()))?.values() {
                println!("{block}");
            }
            Ok(())
        }
        Command::Patch(args) => {
            let PatchArgs { offset, width, value, .. } = args;
            let repair = if args.no_repair { Repair::Nothing } else { Repair::Checksum };
            edit_file(&args.file, args.block, Field { offset, width, value }, repair)
        }
    }
}
