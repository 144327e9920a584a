//! A whole pool, edited: opened, checked, read around what is broken, shared out, dumped, asked for
//! owners and differences. An input is a [`script`](super::script).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::mem::offset_of;
use std::sync::Arc;

use thinscope_core::btree::KeyRange;
use thinscope_core::check::{Scope, Severity, check};
use thinscope_core::delta::{Comparison, DeltaStream, Kind, Mapped};
use thinscope_core::dump::Format;
use thinscope_core::mappings::Run;
use thinscope_core::owners::Wanted;
use thinscope_core::raw::{SpaceMapRoot, SuperblockDisk};
use thinscope_core::sharing::Matrix;
use thinscope_core::source::BlockSource;
use thinscope_core::superblock::{SpaceMap, View};
use thinscope_core::units::DeviceId;
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Pool};

use super::dump::{Dumped, parse};
use super::overlay::Overlay;
use super::reading::{Reading, contradiction, read_source};
use super::{naive, script};

/// Gaps that are asked for: more than small pools have.
const MOST_GAPS: usize = 100_000;

/// One mapping: device, virtual block, data block, time.
type Mapping = (u32, u64, u64, u32);

/// Asks all questions of an edited pool.
///
/// # Panics
///
/// Where answers contradict each other, or what lies in the blocks.
pub fn run(bytes: &[u8]) {
    let overlay = script::overlay(bytes, false);
    let source: Arc<dyn BlockSource> = Arc::new(overlay.clone());
    let live = read_source(Arc::clone(&source), View::Live, 1);
    let held = read_source(Arc::clone(&source), View::MetadataSnapshot, 1);
    assert_eq!(contradiction(&live, &held), None);
    for (reading, view) in [(&live, View::Live), (&held, View::MetadataSnapshot)] {
        only_expected_errors(reading, view);
        if reading.errors.is_empty() {
            strict(&overlay, &source, view, reading);
        }
        tolerant(&overlay, &source, view, reading);
    }
    checked(&source, &live, &held);
}

/// A source that can be read throughout is broken, unknown, or something else; nothing else is wrong.
fn only_expected_errors(reading: &Reading, view: View) {
    for (pass, error) in &reading.errors {
        let is_expected = match error {
            Error::Corrupt(_) => true,
            Error::NotThin(_) => pass == "open",
            // Of the metadata snapshot's copy of the superblock.
            Error::Unsupported { .. } => matches!(pass.as_str(), "open" | "sharing"),
            Error::NoMetadataSnapshot => pass == "open" && view == View::MetadataSnapshot,
            _ => false,
        };
        assert!(is_expected, "{pass}: {error:?}");
    }
}

/// A check finds something exactly where reading does not come to its end; where it finds nothing,
/// all that is recorded and counted is as read.
fn checked(source: &Arc<dyn BlockSource>, live: &Reading, held: &Reading) {
    let watch = Watch::new();
    let found = match check(Arc::clone(source), Scope::ALL, 1, &watch) {
        Ok(found) => found,
        Err(error) => {
            let is_expected = matches!(error, Error::Unsupported { .. } | Error::NotThin(_));
            assert!(is_expected, "check: {error:?}");
            assert!(live.has_failed("open"), "check alone ends in an error: {error}");
            return;
        }
    };
    let is_damaged = found.findings.iter().any(|finding| finding.severity == Severity::Damage);
    let is_held_broken =
        held.errors.iter().any(|(_, error)| !matches!(error, Error::NoMetadataSnapshot));
    if !live.errors.is_empty() || is_held_broken {
        assert!(is_damaged, "not found: {:?} {:?}", live.errors, held.errors);
    }
    if !found.findings.is_empty() {
        return;
    }
    let totals = live.sharing.as_ref().expect("a sound pool").totals();
    assert_eq!((totals.leaked_blocks, totals.missing_count_blocks), (Some(0), Some(0)));
    let recount = live.recount.as_ref().expect("a sound pool");
    let pool = Pool::from_source(Arc::clone(source), View::Live, 1, false, &watch);
    let devices = pool.expect("a sound pool").devices(&watch).expect("a sound pool");
    assert!(
        devices
            .iter()
            .map(|device| (device.id, device.mapped_blocks))
            .eq(recount.mapped_blocks.iter().copied())
    );
    assert_eq!(found.devices.len(), devices.len());
}

/// What a pool without faults says is what lies in its blocks.
fn strict(overlay: &Overlay, source: &Arc<dyn BlockSource>, view: View, reading: &Reading) {
    let watch = Watch::new();
    let pool = Pool::from_source(Arc::clone(source), view, 1, false, &watch);
    let pool = pool.expect("opened before");
    contained(overlay, &pool, &reading.runs, true);
    exclusive(reading);
    questions(&pool, &reading.runs);
    differences(&pool, &reading.runs);
    let sharing = reading.sharing.as_ref().expect("no errors");
    let mut matrix = Matrix::new(Arc::clone(sharing));
    let devices = data_by_device(&reading.runs);
    while let Some(pairs) = matrix.next_batch(&watch).expect("not cancelled") {
        for pair in pairs {
            let common = devices[&pair.device_a.get()].intersection(&devices[&pair.device_b.get()]);
            assert_eq!(pair.blocks, common.count() as u64);
        }
    }
    let told = sharing.groups(10);
    assert!(told.iter().all(|group| group.blocks > 0));
    let cells = sharing.picture(7);
    assert!(cells.is_none_or(|cells| cells.len() <= 7));
}

fn data_by_device(runs: &[Run]) -> BTreeMap<u32, BTreeSet<u64>> {
    let mut devices = BTreeMap::<u32, BTreeSet<u64>>::new();
    for (device, _, data, _) in expand(runs) {
        devices.entry(device).or_default().insert(data);
    }
    devices
}

/// What is exclusive is mapped nowhere else.
fn exclusive(reading: &Reading) {
    let recount = reading.recount.as_ref().expect("no errors");
    let mappings = expand(&reading.runs);
    let mut times = HashMap::<u64, u64>::new();
    for (_, _, data, _) in &mappings {
        *times.entry(*data).or_default() += 1;
    }
    let mut expected: BTreeMap<u32, u64> =
        recount.mapped_blocks.iter().map(|(id, _)| (id.get(), 0)).collect();
    for (device, _, data, _) in &mappings {
        *expected.entry(*device).or_default() += u64::from(times[data] == 1);
    }
    let found = recount.exclusive_blocks.as_ref().expect("asked for");
    assert!(found.iter().map(|(id, blocks)| (id.get(), *blocks)).eq(expected));
}

/// A pool read around what is broken says nothing that is not there, and contradicts itself nowhere.
fn tolerant(overlay: &Overlay, source: &Arc<dyn BlockSource>, view: View, strict: &Reading) {
    let watch = Watch::new();
    let pool = match Pool::from_source(Arc::clone(source), view, 1, true, &watch) {
        Ok(pool) => pool,
        Err(error) => {
            assert!(strict.has_failed("open"), "only the tolerant one fails: {error}");
            return;
        }
    };
    let runs = runs(&pool, None).expect("reading goes on");
    contained(overlay, &pool, &runs, false);
    questions(&pool, &runs);
    let gaps = pool.gaps(MOST_GAPS, &watch).expect("reading goes on");
    assert_eq!(gaps.more, 0);
    let is_listed = pool.listing().is_none();
    let is_whole = gaps.gaps.is_empty() && is_listed;
    // Nothing that is needed may be behind the end of a truncated source.
    if !strict.has_failed("open") {
        assert_eq!(is_whole, !strict.has_failed("mappings"));
    }
    if is_whole && !strict.has_failed("open") {
        assert_eq!(runs, strict.runs);
    }
    for gap in &gaps.gaps {
        let in_gap = runs.iter().find(|run| {
            let last = run.virtual_begin.get() + (run.length - 1);
            let run_range = KeyRange { first: run.virtual_begin.get(), last };
            let common = gap.range.intersection(run_range);
            run.device == gap.device && common.first <= common.last
        });
        assert_eq!(in_gap, None, "{gap:?}");
    }
    let recount = pool.recount(true, &watch).expect("reading goes on");
    let mut mapped: BTreeMap<DeviceId, u64> =
        recount.mapped_blocks.iter().map(|(id, _)| (*id, 0)).collect();
    for run in &runs {
        *mapped.entry(run.device).or_default() += run.length;
    }
    assert!(recount.mapped_blocks.iter().copied().eq(mapped));
    let sharing = pool.sharing(&watch).expect("reading goes on");
    let totals = sharing.totals();
    let sum = totals.one_device_blocks + totals.several_devices_blocks;
    assert_eq!(sum, totals.reached_blocks);
    // What does not fit the trees of the metadata snapshot is lost to the devices as well.
    let is_same = |found: u64, expected: u64| {
        found == expected
            || found < expected && sharing.has_metadata_snapshot() && !sharing.is_whole()
    };
    assert!(is_same(sum, recount.reached_blocks), "{sum} of {}", recount.reached_blocks);
    let data = data_by_device(&runs);
    for usage in sharing.devices() {
        let expected = data.get(&usage.id.get()).map_or(0, |blocks| blocks.len() as u64);
        assert!(is_same(usage.mapped_blocks, expected), "{usage:?} of {expected}");
    }
    pool.fragmentation(&watch).expect("reading goes on");
    pool.free_extents(3, &watch).expect("reading goes on");
    pool.highest_blocks(&watch).expect("reading goes on");
}

/// Every mapping lies in a leaf that the trees of its device lead to; where nothing is broken, no
/// other does.
fn contained(overlay: &Overlay, pool: &Pool, runs: &[Run], is_all: bool) {
    let superblock = match (pool.view(), pool.live_superblock().metadata_snapshot) {
        (View::MetadataSnapshot, Some(block)) => block.get(),
        _ => 0,
    };
    let in_blocks = naive::mappings(overlay, superblock);
    let data_map = offset_of!(SuperblockDisk, data_space_map_root);
    let data_blocks = data_map + offset_of!(SpaceMapRoot, nr_blocks);
    let data_blocks = naive::superblock_field(overlay, 0, data_blocks);
    assert_eq!(pool.space(SpaceMap::Data).total, data_blocks);
    let mut found = BTreeMap::<u64, HashSet<naive::Mapping>>::new();
    for (device, key, data, time) in expand(runs) {
        assert!(data < data_blocks);
        let value = data << 24 | u64::from(time);
        assert!(found.entry(device.into()).or_default().insert((key, value)), "{key} twice");
    }
    for (device, found) in &found {
        let there = in_blocks.get(device);
        assert!(there.is_some_and(|there| found.is_subset(there)), "invented for {device}");
        assert!(!is_all || there == Some(found), "left out of {device}");
    }
}

/// Owners and both dumps tell the mappings that the devices have.
fn questions(pool: &Pool, runs: &[Run]) {
    let watch = Watch::new();
    let mut expected = expand(runs);
    expected.sort_unstable();
    let owners = pool.owners(&Wanted::ALL, true, false, &watch);
    let mut owners = owners.expect("as the mappings");
    let mut found = Vec::new();
    while let Some(rows) = owners.next_batch(&watch).expect("not cancelled") {
        for row in rows {
            let begin = (row.virtual_begin.get(), row.data_begin.get());
            let (device, time) = (row.device.get(), row.time.get());
            found.extend((0..row.length).map(|at| (device, begin.0 + at, begin.1 + at, time)));
        }
    }
    found.sort_unstable();
    assert_eq!(found, expected, "owners");

    let xml = dump(pool, Format::Xml);
    let dumped = parse(&xml);
    let devices = pool.devices(&watch).expect("read before");
    assert!(devices.iter().map(|device| u64::from(device.id.get())).eq(dumped.keys().copied()));
    let mut of_device = BTreeMap::<u64, Dumped>::new();
    for device in devices.iter() {
        let dumped = of_device.entry(device.id.get().into()).or_default();
        dumped.mapped_blocks = device.mapped_blocks;
    }
    let mut from_dump = Vec::new();
    for (id, device) in &dumped {
        let mut mapped = 0;
        for (key, data, length, time) in &device.lines {
            mapped += length;
            from_dump
                .extend((0..*length).map(|at| (*id as u32, key + at, data + at, *time as u32)));
        }
        let recorded = if pool.is_tolerant() { mapped } else { of_device[id].mapped_blocks };
        assert_eq!(device.mapped_blocks, recorded, "device {id}");
    }
    assert!(from_dump.is_sorted(), "a dump out of order");
    assert_eq!(from_dump, expected, "dump");
    let for_people = dump(pool, Format::HumanReadable);
    let lines = |text: &str, word: &str| text.lines().filter(|line| line.contains(word)).count();
    assert_eq!(lines(&for_people, " -> "), lines(&xml, "_mapping "));
    assert_eq!(lines(&for_people, "device: "), lines(&xml, "<device "));
}

fn dump(pool: &Pool, format: Format) -> String {
    let watch = Watch::new();
    let mut text = Vec::new();
    let mut take = |piece: Vec<u8>| {
        text.extend(piece);
        Ok(())
    };
    pool.dump(pool.dump_header(), format, None, true, &watch, &mut take).expect("as the mappings");
    String::from_utf8(text).expect("text")
}

/// What neighbouring devices differ in.
fn differences(pool: &Pool, runs: &[Run]) {
    let watch = Watch::new();
    let devices = pool.devices(&watch).expect("read before");
    let comparison = Comparison { is_same_metadata: true, with_same: true, threads: 1 };
    for pair in devices.windows(2).take(3) {
        let [left, right] = [pair[0].id, pair[1].id];
        let side = |id| pool.side(id, &watch).expect("a device");
        let stream = DeltaStream::open(side(left), side(right), comparison, &watch);
        let mut stream = stream.expect("as the mappings");
        let mut found = BTreeMap::new();
        while let Some(pieces) = stream.next_batch(&watch).expect("as the mappings") {
            for piece in pieces {
                let data = |side: Option<Mapped>, at| side.map(|side| side.data_begin.get() + at);
                for at in 0..piece.length {
                    let what = (piece.kind, data(piece.left, at), data(piece.right, at));
                    let before = found.insert(piece.virtual_begin.get() + at, what);
                    assert_eq!(before, None, "told twice");
                }
            }
        }
        let of = |id: DeviceId| -> BTreeMap<u64, u64> {
            let own: Vec<Run> = runs.iter().filter(|run| run.device == id).copied().collect();
            expand(&own).into_iter().map(|(_, key, data, _)| (key, data)).collect()
        };
        let (left, right) = (of(left), of(right));
        let mut expected = BTreeMap::new();
        for key in left.keys().chain(right.keys()) {
            let (left, right) = (left.get(key).copied(), right.get(key).copied());
            let kind = match (left, right) {
                (_, None) => Kind::LeftOnly,
                (None, _) => Kind::RightOnly,
                _ if left == right => Kind::Same,
                _ => Kind::Different,
            };
            expected.insert(*key, (kind, left, right));
        }
        assert_eq!(found, expected, "delta");
    }
}

/// All runs, or the runs of a device.
pub(super) fn runs(pool: &Pool, only: Option<DeviceId>) -> thinscope_core::Result<Vec<Run>> {
    let watch = Watch::new();
    let mut stream = pool.mappings(only, KeyRange::ALL, &watch)?;
    let mut runs = Vec::new();
    while let Some(batch) = stream.next_batch(&watch)? {
        runs.extend(batch);
    }
    Ok(runs)
}

/// Runs as mappings.
pub(super) fn expand(runs: &[Run]) -> Vec<Mapping> {
    let mappings = runs.iter().flat_map(|run| {
        let (device, time) = (run.device.get(), run.time.get());
        let (key, data) = (run.virtual_begin.get(), run.data_begin.get());
        (0..run.length).map(move |at| (device, key + at, data + at, time))
    });
    mappings.collect()
}
