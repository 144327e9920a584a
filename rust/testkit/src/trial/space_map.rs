//! Both space maps: counts, their sums, what is free. An input is a [`script`](super::script) of edits
//! to the blocks of the maps.

use std::collections::BTreeMap;
use std::sync::Arc;

use thinscope_core::check::{Scope, Severity, check};
use thinscope_core::source::BlockSource;
use thinscope_core::space_map::CountRun;
use thinscope_core::superblock::{SpaceMap, View};
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Pool, Result};

use super::fragmentation::free_contradiction;
use super::overlay::Overlay;
use super::{naive, script};
use crate::hostile::Map;

/// Reads both space maps of an edited pool.
///
/// # Panics
///
/// Where counts are not those of the bitmaps and trees, or sums not those of the counts.
pub fn run(bytes: &[u8]) {
    let overlay = script::overlay(bytes, true);
    let source: Arc<dyn BlockSource> = Arc::new(overlay.clone());
    let watch = Watch::new();
    let mut is_whole = true;
    match Pool::from_source(Arc::clone(&source), View::Live, 1, false, &watch) {
        Ok(pool) => {
            for (map, there) in [(SpaceMap::Data, Map::Data), (SpaceMap::Metadata, Map::Metadata)] {
                is_whole &= counted(&overlay, &pool, map, there);
            }
        }
        Err(error) => is_whole = expected(&error),
    }
    match check(source, Scope::ALL, 1, &watch) {
        Ok(check) => {
            let mut severities = check.findings.iter().map(|finding| finding.severity);
            assert!(is_whole || severities.any(|severity| severity == Severity::Damage));
        }
        Err(error) => assert!(!is_whole && !expected(&error)),
    }
}

/// Always false: reading does not come to its end.
fn expected(error: &Error) -> bool {
    assert!(
        matches!(error, Error::Corrupt(_) | Error::Unsupported { .. } | Error::NotThin(_)),
        "{error:?}"
    );
    false
}

/// Whether the map can be read to its end.
fn counted(overlay: &Overlay, pool: &Pool, map: SpaceMap, there: Map) -> bool {
    let runs = read(pool, map);
    if map == SpaceMap::Data {
        let free = pool.free_extents(1, &Watch::new());
        assert_eq!(free.is_ok(), runs.is_ok());
        if let (Ok(free), Ok(runs)) = (free, &runs) {
            let free = free.expect("of a live pool");
            assert_eq!(free_contradiction(&free, runs), None);
        }
    }
    let runs = match runs {
        Ok(runs) => runs,
        Err(error) => return expected(&error),
    };
    let space = pool.space(map);
    let mut next = 0;
    let mut before = None;
    let mut found = BTreeMap::new();
    for run in &runs {
        assert!(run.begin == next && run.length > 0 && before != Some(run.count), "{run:?}");
        next = run.begin + run.length;
        before = Some(run.count);
        if run.count > 0 {
            found.extend((run.begin..next).map(|block| (block, run.count)));
        }
    }
    assert_eq!(next, space.total);
    assert_eq!(Some(found.len() as u64), space.used);
    assert_eq!(found, naive::counts(overlay, there), "{map:?}");
    true
}

fn read(pool: &Pool, map: SpaceMap) -> Result<Vec<CountRun>> {
    let watch = Watch::new();
    let mut stream = pool.reference_counts(map, &watch)?;
    let mut runs = Vec::new();
    while let Some(batch) = stream.next_batch(&watch)? {
        runs.extend(batch);
    }
    Ok(runs)
}
