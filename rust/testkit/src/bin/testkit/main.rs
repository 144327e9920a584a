//! The `testkit` program: builds pools, hostile pools, edits fields, lists live blocks, and reads as a
//! measure.

#![expect(clippy::print_stdout, reason = "a program that lists what it knows")]

mod build;

use std::io::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand};
use thinscope_testkit::blocks::blocks;
use thinscope_testkit::patch::{Field, Repair, edit_file, write_sparse};
use thinscope_testkit::recipes;
use thinscope_testkit::scan::{Work, scan};

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
    /// Read all blocks in use, in disk order, and do nothing.
    Read(ScanArgs),
    /// Read all blocks in use, and compare their checksums.
    Checksum(ScanArgs),
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
        Command::Read(args) => args.run(Work::Read),
        Command::Checksum(args) => args.run(Work::Checksum),
        Command::Patch(args) => {
            let PatchArgs { offset, width, value, .. } = args;
            let repair = if args.no_repair { Repair::Nothing } else { Repair::Checksum };
            edit_file(&args.file, args.block, Field { offset, width, value }, repair)
        }
    }
}
