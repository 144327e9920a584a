//! Inputs for fuzzers to begin with, cut out of captured pools and drawn by lot.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::Page;
use thinscope_core::source::{FileSource, Sharing, opened};
use thinscope_core::units::BLOCK_SIZE;
use thinscope_core::watch::Watch;

use super::script::bases;
use crate::random::Random;

/// Blocks of one sort that are taken of a capture.
const OF_A_SORT: usize = 3;

/// Blocks of a capture that are looked at.
const LOOKED_AT: u64 = 20_000;

/// Scripts that are drawn for each base.
const DRAWN: u64 = 12;

/// Most bytes of a file that become a seed.
const MOST_BYTES: usize = 4096;

/// Writes seeds for every trial, each into its own folder; returns how many.
///
/// # Errors
///
/// What the system says; a capture that does not unpack.
pub fn write(fixtures: &Path, folder: &Path) -> Result<usize> {
    let mut seeds = Seeds { folder: folder.to_owned(), count: 0 };
    for trial in ["pool", "salvage", "space_map"] {
        drawn(&mut seeds, trial)?;
    }
    let mut captures = Vec::new();
    for entry in fs::read_dir(fixtures)? {
        let entry = entry?.path();
        if entry.is_dir() {
            for file in fs::read_dir(entry)? {
                captures.push(file?.path());
            }
        }
    }
    captures.sort();
    for path in captures {
        if path.file_name().is_some_and(|name| name == "metadata.bin.zst") {
            capture(&mut seeds, &path)?;
        }
        let ending = path.extension().unwrap_or_default();
        if ending == "pack" || ending == "zst" {
            let bytes = fs::read(&path)?;
            let begin = &bytes[..bytes.len().min(MOST_BYTES)];
            seeds.put("pack", &[&[0, 3], begin].concat())?;
            if ending == "pack" {
                seeds.put("pack", &[&[0, 0], &begin[8..]].concat())?;
            }
        }
    }
    Ok(seeds.count)
}

struct Seeds {
    folder: PathBuf,
    count: usize,
}

impl Seeds {
    fn put(&mut self, trial: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.folder.join(trial);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{:05}", self.count)), bytes)?;
        self.count += 1;
        Ok(())
    }
}

/// The bases as they are, and with edits that mean nothing in particular.
fn drawn(seeds: &mut Seeds, trial: &str) -> Result<()> {
    for base in 0..bases().len() as u64 {
        seeds.put(trial, &[base as u8])?;
        for seed in 0..DRAWN {
            let mut random = Random::new(base * DRAWN + seed);
            let mut script = vec![base as u8];
            for what in 0..random.between(1, 6) {
                let what = if what == 0 { seed } else { random.below(16) };
                script.push(what as u8);
                script.extend((0..random.between(4, 8)).map(|_| random.number() as u8));
            }
            seeds.put(trial, &script)?;
        }
    }
    Ok(())
}

/// Superblock, nodes, bitmaps and indexes of a capture: as they are, and put into the bases.
fn capture(seeds: &mut Seeds, path: &Path) -> Result<()> {
    let failed =
        |error: thinscope_core::Error| Error::other(format!("{}: {error}", path.display()));
    let file = FileSource::open(path, Sharing::Shared).map_err(failed)?;
    let source = opened(Arc::new(file), &Watch::new()).map_err(failed)?;
    let mut taken = BTreeMap::<_, usize>::new();
    let mut page = Page::zeroed();
    for block in 0..LOOKED_AT.min(source.len() / BLOCK_SIZE as u64) {
        source.read_at(block * BLOCK_SIZE as u64, page.bytes_mut())?;
        let Some(kind) = BlockKind::of(&page) else { continue };
        // Of nodes, also whether they are internal, and how long values are.
        let sort = (kind.salt(), page.bytes()[4], page.bytes()[24]);
        let count = taken.entry(sort).or_default();
        *count += 1;
        if *count > OF_A_SORT {
            continue;
        }
        let end = page.bytes().iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let bytes = &page.bytes()[..end];
        match kind {
            BlockKind::Superblock => seeds.put("superblock", &[&[6], bytes].concat())?,
            BlockKind::Node => {
                let tree = match (page.bytes()[24], block % 2) {
                    (24, _) => 1,
                    (16, _) => 3,
                    (4, other) => 4 + other as u8,
                    (_, 0) => 0,
                    _ => 2,
                };
                seeds.put("node", &[&[tree, 0, 0], bytes].concat())?;
            }
            _ => {}
        }
        let kind = match kind {
            BlockKind::Superblock => 1,
            BlockKind::Node => 2,
            BlockKind::Bitmap => 3,
            _ => 4,
        };
        let base = (seeds.count % bases().len()) as u8;
        let length = (end as u16).to_le_bytes();
        let own = (block as u16 & 0x1fff).to_le_bytes();
        let script = [&[base, 14], &own[..], &[kind, 0, 0], &length, bytes].concat();
        for trial in ["pool", "salvage", "space_map"] {
            seeds.put(trial, &script)?;
        }
        let taste = (block as u8).wrapping_mul(67);
        let packed = [&[2, taste, 9, 0, 1, 0, kind - 1], &length[..], &bytes[4..]].concat();
        seeds.put("pack", &packed)?;
    }
    Ok(())
}
