//! The least that any reader of all metadata does: reads what is in use, in disk order, in large
//! joined reads, and perhaps checks the checksums. A measure for everything that does more.

use std::io::{Error, Result};
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use thinscope_core::Pool;
use thinscope_core::checksum::BlockKind;
use thinscope_core::reader::Reader;
use thinscope_core::source::{BlockSource, FileSource, Sharing};
use thinscope_core::superblock::{SpaceMap, View};
use thinscope_core::units::MetadataBlock;
use thinscope_core::watch::Watch;

/// What is done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing, once it was read.
    Read,
    /// Its checksum is compared.
    Checksum,
}

/// Goes over all blocks that the metadata space map counts; returns how many there are.
///
/// # Errors
///
/// What opening and reading says; a block that has the checksum of no kind.
pub fn scan(path: &Path, work: Work, threads: usize) -> Result<usize> {
    let source: Arc<dyn BlockSource> =
        Arc::new(FileSource::open(path, Sharing::Exclusive).map_err(Error::other)?);
    let blocks = live_blocks(&source).map_err(Error::other)?;
    let end = blocks.last().map_or(0, |last| u64::from(last.get()) + 1);
    let reader = Reader::new(source, end);
    let read = |share: &[MetadataBlock]| {
        reader.read_sorted(share, &Watch::new(), |_, block, page| {
            if work == Work::Read || BlockKind::of(page).is_some() {
                return Ok(());
            }
            let cause = Error::other("wrong checksum");
            Err(thinscope_core::Error::Read {
                block: u64::from(block.get()),
                offset: block.offset(),
                cause,
            })
        })
    };
    let done = thread::scope(|scope| {
        let shares = blocks.chunks(blocks.len().div_ceil(threads).max(1));
        let started: Vec<_> = shares.map(|share| scope.spawn(move || read(share))).collect();
        started
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    done.map_err(Error::other)?;
    Ok(blocks.len())
}

fn live_blocks(source: &Arc<dyn BlockSource>) -> thinscope_core::Result<Vec<MetadataBlock>> {
    let watch = Watch::new();
    let pool = Pool::from_source(Arc::clone(source), View::Live, 1, false, &watch)?;
    let mut counts = pool.reference_counts(SpaceMap::Metadata, &watch)?;
    let mut blocks = Vec::new();
    while let Some(runs) = counts.next_batch(&watch)? {
        for run in runs.iter().filter(|run| run.count > 0) {
            let used = run.begin..run.begin + run.length;
            blocks.extend(used.map(|block| MetadataBlock::new(block as u32)));
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{Field, Repair, edit_file};
    use crate::{Image, Options, Shape, build};

    #[test]
    fn every_live_block_is_read() {
        let path = std::env::temp_dir().join(format!("testkit-scan-{}.bin", std::process::id()));
        let options = Options { mappings: 200_000, ..Options::default() };
        let image = Image::create(&path).unwrap();
        let (_, answers) = build(Shape::OneDevice, &options, image).unwrap();
        for work in [Work::Read, Work::Checksum] {
            for threads in [1, 3] {
                let scanned = scan(&path, work, threads).unwrap();
                assert_eq!(scanned as u64, answers.metadata_used);
            }
        }
        edit_file(&path, 3, Field::long(100, 1), Repair::Nothing).unwrap();
        assert!(scan(&path, Work::Read, 1).is_ok());
        assert!(scan(&path, Work::Checksum, 2).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
