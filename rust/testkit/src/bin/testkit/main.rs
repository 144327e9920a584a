//! The `testkit` program: builds pools, hostile pools, edits fields, lists live blocks, reads as a
//! measure, and runs passes of the core by themselves.

#![expect(clippy::print_stdout, reason = "a program that lists what it knows")]

mod build;

use std::io::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use thinscope_testkit::blocks::blocks;
use thinscope_testkit::patch::{Field, Repair, edit_file, write_sparse};
use thinscope_testkit::recipes;
use thinscope_testkit::scan::{Work, scan};
use thinscope_testkit::trial::{image, seeds};
use thinscope_testkit::work::{Job, work};

use build::BuildArgs;

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
    /// Write the pool that an input of the fuzz target pool, salvage or `space_map` stands for.
    Script {
        /// The input.
        file: PathBuf,
        /// Whether it is of `space_map`.
        #[arg(long)]
        space_map: bool,
        /// Where to write the metadata.
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Write inputs that fuzzing begins with, cut out of the captured pools.
    Seeds {
        /// The folder of the captured pools.
        fixtures: PathBuf,
        /// Where to write them to: a folder for each trial.
        folder: PathBuf,
    },
    /// Read all blocks in use, in disk order, and do nothing.
    Read(ScanArgs),
    /// Read all blocks in use, and compare their checksums.
    Checksum(ScanArgs),
    /// Run a pass of the core by itself, and print what each run took.
    Work(WorkArgs),
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
struct ScanArgs {
    /// The metadata.
    file: PathBuf,
    /// Threads that read.
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
}

impl ScanArgs {
    fn run(&self, work: Work) -> std::io::Result<()> {
        println!("{} blocks", scan(&self.file, work, self.threads.get())?);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum JobName {
    Open,
    Recount,
    Exclusive,
    Check,
    Sharing,
    Dump,
    Mappings,
    Delta,
    Salvage,
    Owners,
    Fragmentation,
}

impl From<JobName> for Job {
    fn from(name: JobName) -> Self {
        match name {
            JobName::Open => Self::Open,
            JobName::Recount => Self::Recount,
            JobName::Exclusive => Self::Exclusive,
            JobName::Check => Self::Check,
            JobName::Sharing => Self::Sharing,
            JobName::Dump => Self::Dump,
            JobName::Mappings => Self::Mappings,
            JobName::Delta => Self::Delta,
            JobName::Salvage => Self::Salvage,
            JobName::Owners => Self::Owners,
            JobName::Fragmentation => Self::Fragmentation,
        }
    }
}

#[derive(Args, Debug)]
struct WorkArgs {
    /// Which pass.
    job: JobName,
    /// The metadata.
    file: PathBuf,
    /// Threads that the pass may take.
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
    /// How often.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Of a delta, the device on the left side.
    #[arg(long, default_value_t = 0)]
    left: u32,
    /// And on the right side.
    #[arg(long, default_value_t = 1)]
    right: u32,
}

impl WorkArgs {
    fn run(&self) -> std::io::Result<()> {
        for _ in 0..self.runs {
            let begin = Instant::now();
            let sides = (self.left, self.right);
            let told = work(&self.file, self.job.into(), self.threads.get(), sides)?;
            println!("{told} in {:.6} s", begin.elapsed().as_secs_f64());
        }
        Ok(())
    }
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
        Command::Script { file, space_map, output } => {
            write_sparse(&output, &image(&std::fs::read(file)?, space_map))
        }
        Command::Seeds { fixtures, folder } => {
            println!("{} seeds", seeds::write(&fixtures, &folder)?);
            Ok(())
        }
        Command::Read(args) => args.run(Work::Read),
        Command::Checksum(args) => args.run(Work::Checksum),
        Command::Work(args) => args.run(),
        Command::Patch(args) => {
            let PatchArgs { offset, width, value, .. } = args;
            let repair = if args.no_repair { Repair::Nothing } else { Repair::Checksum };
            edit_file(&args.file, args.block, Field { offset, width, value }, repair)
        }
    }
}
