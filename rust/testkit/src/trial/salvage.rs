//! What is salvaged of an edited pool: states, trees, deleted devices. An input is a
//! [`script`](super::script).

use std::collections::HashSet;
use std::sync::Arc;

use thinscope_core::devices::Device;
use thinscope_core::mappings::Run;
use thinscope_core::salvage::{Salvage, State, Verdict};
use thinscope_core::source::BlockSource;
use thinscope_core::superblock::View;
use thinscope_core::units::{DeviceId, MetadataBlock};
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Pool};

use super::overlay::Overlay;
use super::pool::{expand, runs};
use super::{naive, script};

/// States and trees that are opened: a scan of small pools finds few more.
const MOST_OPENED: usize = 12;

/// Salvages an edited pool.
///
/// # Panics
///
/// Where states and trees are not what lies in the blocks, or contradict themselves or the pool.
pub fn run(bytes: &[u8]) {
    let overlay = script::overlay(bytes, false);
    let source: Arc<dyn BlockSource> = Arc::new(overlay.clone());
    let watch = Watch::new();
    let live = Pool::from_source(Arc::clone(&source), View::Live, 1, false, &watch);
    let live = live.ok().filter(|pool| pool.devices(&watch).is_ok());
    let salvage = match Salvage::scan(source, &watch) {
        Ok(salvage) => salvage,
        Err(error) => {
            assert!(matches!(error, Error::NotThin(_)), "{error:?}");
            assert!(live.is_none(), "nothing is salvaged of a pool that opens");
            return;
        }
    };
    let counts = &salvage.blocks;
    let sum = counts.zero
        + counts.superblocks
        + counts.top_level_nodes
        + counts.details_nodes
        + counts.mapping_nodes
        + counts.data_index_nodes
        + counts.overflow_nodes
        + counts.lost_nodes
        + counts.bitmaps
        + counts.index_blocks
        + counts.misplaced
        + counts.broken
        + counts.unknown
        + counts.unreadable;
    assert_eq!((sum, counts.total), (counts.total, u64::from(overlay.blocks())));
    assert_eq!(counts.unreadable, 0);
    if let Some(best) = salvage.best() {
        assert!(salvage.states[best].is_whole());
    }
    let there = naive::all_mappings(&overlay);
    for (at, state) in salvage.states.iter().enumerate() {
        assert_eq!(state.number, at as u64 + 1);
        within(&overlay, state);
        if at < MOST_OPENED {
            opened(&overlay, &salvage, state, &there);
        }
    }
    for tree in salvage.trees.iter().take(MOST_OPENED) {
        let found = all_runs(&salvage, tree.root, false).expect("a whole tree");
        assert!(!found.is_empty());
        contained(&found, &there);
        let mappings = expand(&found);
        let (first, last) = (mappings[0].1, mappings[mappings.len() - 1].1);
        assert_eq!((first, last), (tree.first.get(), tree.last.get()));
        assert_eq!(mappings.len() as u64, tree.mapped);
        let newest = mappings.iter().map(|(_, _, _, time)| *time).max();
        assert_eq!(newest, Some(tree.time.get()));
    }
    deleted(&salvage, live.as_ref(), &there);
    if let Some(pool) = live {
        as_live(&salvage, &pool);
    }
}

/// No pointer leads out of the image.
fn within(overlay: &Overlay, state: &State) {
    assert!(state.mapping_root.is_some() || state.details_root.is_some());
    for root in [state.mapping_root, state.details_root].into_iter().flatten() {
        assert!((1..overlay.blocks()).contains(&root.get()), "{state:?}");
    }
    assert!(state.superblock.is_none_or(|block| block.get() < overlay.blocks()));
    let is_consistent = state.verdict == Verdict::Consistent;
    assert_eq!(is_consistent, state.misfits.is_empty(), "{state:?}");
    assert!(!is_consistent || state.is_whole(), "{state:?}");
}

/// A state opens as a pool, and has the mappings that it says.
fn opened(overlay: &Overlay, salvage: &Salvage, state: &State, there: &HashSet<naive::Mapping>) {
    let watch = Watch::new();
    let devices = salvage.devices(state, &watch).expect("all is in memory");
    assert!(devices.is_sorted_by(|one, other| one.id < other.id));
    assert!(devices.iter().all(|device| (1..overlay.blocks()).contains(&device.root.get())));
    assert!(devices.len() as u64 <= state.devices);
    if salvage.data_block_sectors.is_none() {
        return;
    }
    let tolerant = all_runs(salvage, state.root(), true).expect("reading goes on");
    contained(&tolerant, there);
    let mapped: u64 = tolerant.iter().map(|run| run.length).sum();
    if state.is_whole() && state.mapping_root.is_some() {
        let strict = all_runs(salvage, state.root(), false).expect("a whole state");
        assert_eq!(strict, tolerant);
        assert_eq!(mapped, state.mapped, "{state:?}");
    }
}

fn contained(runs: &[Run], there: &HashSet<naive::Mapping>) {
    for (_, key, data, time) in expand(runs) {
        assert!(there.contains(&(key, data << 24 | u64::from(time))), "{key} is invented");
    }
}

fn all_runs(
    salvage: &Salvage,
    root: MetadataBlock,
    tolerant: bool,
) -> thinscope_core::Result<Vec<Run>> {
    let sectors = salvage.data_block_sectors.or(Some(128));
    let pool = salvage.open(root.get().into(), sectors, 1, tolerant, &Watch::new())?;
    runs(&pool, None)
}

/// Devices that were deleted are none of the live ones, and open in their states.
fn deleted(salvage: &Salvage, live: Option<&Pool>, there: &HashSet<naive::Mapping>) {
    let watch = Watch::new();
    let (deleted, is_all) = salvage.deleted(&watch).expect("all is in memory");
    assert!(is_all);
    let now = live.map(|pool| pool.devices(&watch).expect("read before"));
    for device in &deleted {
        // An id may have been used again.
        let is_same = |live: &Device| {
            live.id == device.id
                && live.creation_time.get() == device.creation_time
                && live.transaction_id == device.transaction_id
        };
        let is_live = now.iter().any(|now| now.iter().any(is_same));
        assert!(!is_live, "{device:?}");
        let state = &salvage.states[device.state];
        let devices = salvage.devices(state, &watch).expect("all is in memory");
        let then = devices.iter().find(|then| then.id == device.id).expect("it has the device");
        assert_eq!(then.root, device.root);
        let root = state.root().get().into();
        let sectors = salvage.data_block_sectors.or(Some(128));
        let pool = salvage.open(root, sectors, 1, true, &watch).expect("reading goes on");
        let old = runs(&pool, Some(device.id)).expect("reading goes on");
        contained(&old, there);
        let mapped: u64 = old.iter().map(|run| run.length).sum();
        if device.is_whole {
            assert_eq!(mapped, device.mapped, "{device:?}");
        }
        if let Some(live) = live
            && let Ok(surveyed) = live.survey(then, &old, &watch)
        {
            let graded: u64 = surveyed.iter().map(|run| run.run.length).sum();
            assert_eq!(graded, mapped);
        }
    }
}

/// The pool that opens is among the states, with its devices.
fn as_live(salvage: &Salvage, pool: &Pool) {
    let watch = Watch::new();
    let superblock = pool.live_superblock();
    // Whatever became of the trees.
    let state = salvage.states.iter().find(|state| state.is_live).expect("the live state");
    assert_eq!(state.mapping_root, Some(superblock.mapping_root));
    let ids =
        |devices: &[Device]| -> Vec<DeviceId> { devices.iter().map(|device| device.id).collect() };
    let devices = salvage.devices(state, &watch).expect("all is in memory");
    let live = pool.devices(&watch).expect("read before");
    assert_eq!(state.devices, live.len() as u64);
    assert_eq!(ids(&devices), ids(&live));
    let Ok(in_pool) = runs(pool, None) else { return };
    let in_state = all_runs(salvage, state.root(), false);
    assert_eq!(in_state.expect("as the pool"), in_pool);
}
