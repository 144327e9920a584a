//! The passes of the core by themselves, without Python: for a profiler, or to count instructions.

use std::hint::black_box;
use std::io::Error;
use std::path::Path;
use std::sync::Arc;

use thinscope_core::btree::KeyRange;
use thinscope_core::check::{Scope, check};
use thinscope_core::delta::{Comparison, DeltaStream};
use thinscope_core::dump::Format;
use thinscope_core::owners::Wanted;
use thinscope_core::salvage::Salvage;
use thinscope_core::source::{BlockSource, FileSource, Sharing};
use thinscope_core::superblock::View;
use thinscope_core::units::DeviceId;
use thinscope_core::watch::Watch;
use thinscope_core::{Pool, Result};

/// What is asked of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// To be opened, which all but check and salvage begin with.
    Open,
    /// All mappings counted.
    Recount,
    /// The same, and what each device maps alone.
    Exclusive,
    /// Everything that is wrong.
    Check,
    /// Who shares what.
    Sharing,
    /// All of it as XML.
    Dump,
    /// The mappings of all devices.
    Mappings,
    /// What two devices have in common and what not.
    Delta,
    /// What can be saved of it.
    Salvage,
    /// Who holds each block.
    Owners,
    /// How scattered it is.
    Fragmentation,
}

/// Does a job; returns how much there was of what it tells: bytes, rows, devices.
///
/// # Errors
///
/// What the core says; a delta of devices that are not there.
pub fn work(
    path: &Path,
    job: Job,
    threads: usize,
    (left, right): (u32, u32),
) -> std::io::Result<usize> {
    let file = FileSource::open(path, Sharing::Exclusive).map_err(Error::other)?;
    let told = told(Arc::new(file), job, threads, (left, right));
    told.map_err(Error::other)
}

fn told(
    source: Arc<dyn BlockSource>,
    job: Job,
    threads: usize,
    (left, right): (u32, u32),
) -> Result<usize> {
    let watch = Watch::new();
    match job {
        Job::Check => {
            let checked = check(source, Scope::ALL, threads, &watch)?;
            return Ok(checked.devices.len());
        }
        Job::Salvage => return Ok(Salvage::scan(source, &watch)?.states.len()),
        _ => {}
    }
    let pool = Pool::from_source(source, View::Live, threads, false, &watch)?;
    let mut told = 0;
    match job {
        Job::Open | Job::Check | Job::Salvage => {}
        Job::Recount => told = pool.recount(false, &watch)?.mapped_blocks.len(),
        Job::Exclusive => told = pool.recount(true, &watch)?.mapped_blocks.len(),
        Job::Sharing => told = pool.sharing(&watch)?.devices().len(),
        Job::Fragmentation => told = pool.fragmentation(&watch)?.devices.len(),
        Job::Dump => {
            let header = pool.dump_header();
            pool.dump(header, Format::Xml, None, true, &watch, &mut |text| {
                told += black_box(text).len();
                Ok(())
            })?;
        }
        Job::Mappings => {
            let mut runs = pool.mappings(None, KeyRange::ALL, &watch)?;
            while let Some(batch) = runs.next_batch(&watch)? {
                told += black_box(batch).len();
            }
        }
        Job::Owners => {
            let mut rows = pool.owners(&Wanted::ALL, false, false, &watch)?;
            while let Some(batch) = rows.next_batch(&watch)? {
                told += black_box(batch).len();
            }
        }
        Job::Delta => {
            let side = |id| pool.side(DeviceId::new(id), &watch);
            let comparison = Comparison { is_same_metadata: true, with_same: false, threads };
            let pieces = DeltaStream::open(side(left)?, side(right)?, comparison, &watch);
            let mut pieces = pieces.map_err(|failed| failed.error)?;
            while let Some(batch) = pieces.next_batch(&watch).map_err(|failed| failed.error)? {
                told += black_box(batch).len();
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Image, Options, Shape, build};

    #[test]
    fn every_job_tells_of_what_was_built() {
        let path = std::env::temp_dir().join(format!("testkit-work-{}.bin", std::process::id()));
        let options = Options { mappings: 20_000, devices: 4, ..Options::default() };
        let (_, answers) =
            build(Shape::SnapshotsShared, &options, Image::create(&path).unwrap()).unwrap();
        let devices = answers.devices.len();
        let ask = |job| work(&path, job, 1, (1, 4)).unwrap();
        assert_eq!(ask(Job::Open), 0);
        for job in [Job::Recount, Job::Exclusive, Job::Check, Job::Sharing, Job::Fragmentation] {
            assert_eq!(ask(job), devices, "{job:?}");
        }
        assert!(ask(Job::Salvage) >= 1);
        let mapped = usize::try_from(answers.mappings).unwrap();
        for job in [Job::Mappings, Job::Owners] {
            assert!((devices..=mapped).contains(&ask(job)), "{job:?}");
        }
        assert!(ask(Job::Dump) > 100 * devices);
        assert!(ask(Job::Delta) > 0);
        assert_eq!(work(&path, Job::Delta, 1, (2, 2)).unwrap(), 0);
        assert!(work(&path, Job::Delta, 2, (0, 99)).is_err());
        std::fs::remove_file(&path).unwrap();
    }
}
