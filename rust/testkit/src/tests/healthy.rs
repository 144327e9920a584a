//! Healthy pools open, and every figure is the one that was built.

use std::collections::{BTreeMap, HashSet};
use std::mem::offset_of;

use thinscope_core::raw::SuperblockDisk;
use thinscope_core::space_map::CountRun;
use thinscope_core::superblock::View;

use super::brute::Brute;
use crate::answers::{Answers, DeviceAnswer};
use crate::fill::Fill;
use crate::hostile::Draft;
use crate::image::Image;
use crate::shape::{Options, Shape, build};
use crate::trial::reading::{Reading, read};
use crate::writer::Geometry;

/// Small pools with high trees, and with all that is odd.
fn odd(seed: u64) -> Options {
    let fill = Fill { low: 2, high: 3 };
    Options {
        geometry: Geometry {
            data_block_sectors: 384,
            data_blocks: Some(70_000),
            tree_fill: fill,
            slack: true,
            scatter: 40,
            seed,
            ..Geometry::default()
        },
        mappings: 700,
        devices: 9,
        changed: 20_000,
        leaf_fill: Fill { low: 1, high: 5 },
        node_fill: fill,
        run: 4,
        areas: 20,
        loose_edges: true,
        metadata_snapshot: true,
        steps: 1000,
        history: "create 1\nwrite 1 0..9\nsnapshot 1 2\nhold\ndelete 1\nmap 2 4..6 9".to_owned(),
        ..Options::default()
    }
}

pub(super) fn built(shape: Shape, options: &Options) -> (Vec<u8>, Answers) {
    let (image, answers) = build(shape, options, Image::memory()).unwrap();
    (image.into_bytes(), answers)
}

fn sums(reading: &Reading) -> Vec<DeviceAnswer> {
    let recount = reading.recount.as_ref().unwrap();
    let none = |(id, mapped): &(thinscope_core::units::DeviceId, u64)| DeviceAnswer {
        id: id.get(),
        mapped_blocks: *mapped,
        data_block_sum: 0,
        highest_block: None,
    };
    let mut devices: Vec<_> = recount.mapped_blocks.iter().map(none).collect();
    for run in &reading.runs {
        let device = devices.iter_mut().find(|device| device.id == run.device.get()).unwrap();
        let data = run.data_begin.get();
        device.data_block_sum += (data..data + run.length).sum::<u64>();
        device.highest_block = Some(run.virtual_begin.get() + run.length - 1);
    }
    devices
}

fn expand(runs: &[CountRun]) -> BTreeMap<u64, u32> {
    let counted = runs.iter().filter(|run| run.count > 0);
    counted.flat_map(|run| (run.begin..run.begin + run.length).map(|at| (at, run.count))).collect()
}

pub(super) fn check(shape: Shape, options: &Options) {
    let (bytes, answers) = built(shape, options);
    let reading = read(&bytes, View::Live, 2);
    assert!(reading.errors.is_empty(), "{shape:?}: {:?}", reading.errors);
    assert_eq!(sums(&reading), answers.devices, "{shape:?}");
    let recount = reading.recount.as_ref().unwrap();
    assert_eq!(recount.reached_blocks, answers.distinct_data_blocks, "{shape:?}");
    if let Some(expected) = &answers.mappings_by_device {
        let mut found: BTreeMap<u32, Vec<_>> =
            answers.devices.iter().map(|device| (device.id, Vec::new())).collect();
        for run in &reading.runs {
            let mappings = (0..run.length).map(|at| {
                (run.virtual_begin.get() + at, run.data_begin.get() + at, run.time.get())
            });
            found.entry(run.device.get()).or_default().extend(mappings);
        }
        assert_eq!(&found, expected, "{shape:?}");
    }

    let brute = Brute::count(&bytes);
    assert_eq!(expand(&reading.counts[0]), brute.data, "{shape:?}");
    assert_eq!(expand(&reading.counts[1]), brute.metadata, "{shape:?}");
    assert_eq!(answers.data_used, brute.data.len() as u64, "{shape:?}");
    assert_eq!(answers.metadata_used, brute.metadata.len() as u64, "{shape:?}");

    let held = answers.metadata_snapshot.map(|_| read(&bytes, View::MetadataSnapshot, 2));
    let model = reading.model(held.as_ref()).with_nodes(&bytes);
    let told = model.contradiction(reading.sharing.as_ref().unwrap());
    assert_eq!(told, None, "{shape:?}");
    if let Some(held) = held {
        assert!(held.errors.is_empty(), "{shape:?}: {:?}", held.errors);
        assert_eq!(sums(&held), answers.snapshot_devices, "{shape:?}");
        assert_eq!(held.sharing_contradiction(None), None, "{shape:?}");
    }
}

#[test]
fn every_shape_reads_as_it_was_built() {
    for shape in Shape::ALL {
        check(shape, &Options::default());
        for seed in 0..4 {
            check(shape, &odd(seed));
        }
    }
}

/// Churns as other programs accept them, and with nodes that are filled up often.
fn filled_up(capacity: usize, least: usize, seed: u64) -> Options {
    let options = Options { capacity, least, span: 900, longest: 90, steps: 300, ..odd(seed) };
    let geometry = Geometry {
        tree_fill: Fill::USUAL,
        needs_check: true,
        data_blocks: None,
        ..options.geometry
    };
    Options { geometry, ..options }
}

#[test]
fn nodes_are_as_full_as_asked_for() {
    for (capacity, least) in [(252, 84), (168, 84), (9, 4)] {
        for seed in 0..2 {
            let options = filled_up(capacity, least, seed);
            check(Shape::Churn, &options);
            let (bytes, _) = built(Shape::Churn, &options);
            let draft = Draft::new(bytes.clone());
            let nodes = Brute::count(&bytes).depths.into_iter();
            // A node may be the root of one device and lie below that of another.
            let below = nodes.filter(|(_, depths)| !depths.contains(&0)).map(|(block, _)| block);
            let entries: Vec<_> = below.map(|block| draft.entries(block)).collect();
            assert!(!entries.is_empty());
            assert!(entries.iter().all(|entries| (least..=capacity).contains(entries)));
        }
    }
}

#[test]
fn a_needed_check_is_told() {
    for needs_check in [false, true] {
        let geometry = Geometry { needs_check, ..Geometry::default() };
        let options = Options { geometry, metadata_snapshot: true, ..Options::default() };
        let (bytes, _) = built(Shape::OneDevice, &options);
        let flags = offset_of!(SuperblockDisk, flags);
        let draft = Draft::new(bytes);
        assert_eq!(draft.word(0, flags), u32::from(needs_check));
        assert_eq!(draft.word(draft.held(), flags), 0);
    }
}

#[test]
fn one_seed_gives_one_image() {
    for shape in Shape::ALL {
        assert_eq!(built(shape, &odd(3)), built(shape, &odd(3)), "{shape:?}");
    }
    assert_ne!(built(Shape::Churn, &odd(3)).0, built(Shape::Churn, &odd(4)).0);
}

#[test]
fn a_file_has_the_same_bytes_as_memory() {
    let path = std::env::temp_dir().join(format!("testkit-{}.bin", std::process::id()));
    for shape in [Shape::SnapshotsShared, Shape::Churn] {
        let (bytes, answers) = built(shape, &odd(5));
        let (_, in_file) = build(shape, &odd(5), Image::create(&path).unwrap()).unwrap();
        assert_eq!(answers, in_file);
        assert!(bytes == std::fs::read(&path).unwrap(), "{shape:?}");
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn nodes_lie_at_two_depths() {
    let (bytes, answers) = built(Shape::TwoDepths, &Options::default());
    let brute = Brute::count(&bytes);
    assert!(brute.depths.values().any(|depths| depths.len() > 1));
    assert_eq!(answers.devices.len(), 3);

    let low = Options { capacity: 12, least: 4, height: 1, ..Options::default() };
    check(Shape::TwoDepths, &low);
    let brute = Brute::count(&built(Shape::TwoDepths, &low).0);
    assert!(brute.depths.values().any(|depths| depths.len() > 1));
    assert_eq!(brute.depths.values().flatten().max(), Some(&2));
}

#[test]
fn snapshots_share_roots_and_subtrees() {
    let (bytes, answers) = built(Shape::SnapshotsShared, &odd(1));
    assert!(answers.distinct_roots < answers.devices.len() as u64);
    let (own, _) = built(Shape::SnapshotsOwnSpines, &odd(1));
    let internal = |bytes: &[u8]| Brute::count(bytes).depths.len();
    assert!(internal(&bytes) < internal(&own));
}

#[test]
fn a_metadata_snapshot_alone_keeps_blocks() {
    let (_, answers) = built(Shape::Small, &odd(2));
    let keys =
        |devices: &[DeviceAnswer]| devices.iter().map(|device| device.id).collect::<Vec<_>>();
    assert_ne!(keys(&answers.devices), keys(&answers.snapshot_devices));
    assert!(answers.data_used > answers.distinct_data_blocks);
    let ids = keys(&answers.devices);
    assert!(ids.contains(&0) && ids.contains(&0xff_ffff), "{ids:?}");
    assert!(answers.devices.iter().any(|device| device.mapped_blocks == 0));
}

#[test]
fn miscounted_blocks_are_those_that_are_told() {
    for shape in Shape::ALL.into_iter().filter(|shape| *shape != Shape::History) {
        for seed in 0..3 {
            let options = odd(seed);
            let geometry = Geometry { leaked: 9, missing: 5, ..options.geometry };
            let (bytes, answers) = built(shape, &Options { geometry, ..options });
            let reading = read(&bytes, View::Live, 2);
            assert!(reading.errors.is_empty(), "{shape:?}: {:?}", reading.errors);
            let mut counted = Brute::count(&bytes).data;
            assert_eq!((answers.leaked.len(), answers.missing.len()), (9, 5));
            assert!(answers.leaked.iter().all(|block| counted.insert(*block, 1).is_none()));
            assert!(answers.missing.iter().all(|block| counted.remove(block).is_some()));
            assert_eq!(expand(&reading.counts[0]), counted, "{shape:?}");
            assert_eq!(answers.data_used, counted.len() as u64, "{shape:?}");
        }
    }
}

#[test]
fn a_tangle_shares_below_leaves_of_its_own() {
    for metadata_snapshot in [false, true] {
        let options = Options { metadata_snapshot, devices: 30, span: 400, ..odd(1) };
        let (bytes, answers) = built(Shape::Tangle, &options);
        let counts = Brute::count(&bytes).data;
        assert!(counts.values().filter(|count| **count > 9).count() > 99);
        assert!(answers.distinct_roots > 20);
        let devices = answers.mappings_by_device.unwrap();
        assert!(devices[&29].is_empty());
        let of_one = devices[&28].iter().map(|(_, data, _)| data).collect::<HashSet<_>>();
        assert!(of_one.len() < devices[&28].len(), "no data block mapped twice");
        assert_eq!(answers.data_used > answers.distinct_data_blocks, metadata_snapshot);
        assert_eq!(devices.len() < 30, metadata_snapshot);
    }
}

fn told(history: &str) -> std::io::Result<(Image, Answers)> {
    let geometry = Geometry { data_blocks: Some(20), ..Geometry::default() };
    let options = Options { geometry, history: history.to_owned(), ..Options::default() };
    build(Shape::History, &options, Image::memory())
}

#[test]
fn a_history_comes_about_as_told() {
    let (image, answers) = told(
        "create 1  # the origin\n\nwrite 1 0..3\nsnapshot 1 2\nwrite 2 2..4\nhold\n\
         discard 1 0..1\nmap 1 7..9 3\nleak 11..13\nforget 4..5\ncreate 3\ndelete 3\n",
    )
    .unwrap();
    let devices = answers.mappings_by_device.unwrap();
    assert_eq!(devices[&1], [(1, 1, 0), (2, 2, 0), (7, 3, 0), (8, 4, 0)]);
    assert_eq!(devices[&2], [(0, 0, 0), (1, 1, 0), (2, 3, 1), (3, 4, 1)]);
    let held = answers.snapshot_mappings_by_device.unwrap();
    assert_eq!((held[&1].len(), &held[&2]), (3, &devices[&2]));
    assert_eq!((answers.leaked, answers.missing), (vec![11, 12], vec![4]));
    let expected = [(0, 2), (1, 3), (2, 2), (3, 2), (11, 1), (12, 1)];
    let reading = read(&image.into_bytes(), View::Live, 1);
    assert_eq!(expand(&reading.counts[0]), BTreeMap::from(expected));
}

#[test]
fn what_cannot_happen_is_no_history() {
    let two = "create 1\nwrite 1 0..2\n";
    for (line, what) in [
        ("create 1", "line 3"),
        ("create 16777216", "line 3"),
        ("snapshot 2 3", "no device 2"),
        ("snapshot 1 1", "cannot"),
        ("write 2 0..1", "no device 2"),
        ("write 1 0", "no range"),
        ("write 1 0..x", "x: invalid"),
        ("dance 1", "what is dance 1?"),
        ("leak 1..2", "in use"),
        ("leak 20..21", "20 data blocks"),
        ("forget 2..3", "is free"),
    ] {
        let error = told(&format!("{two}{line}")).unwrap_err().to_string();
        assert!(error.contains(what), "{line}: {error}");
    }
}

#[test]
fn many_mappings_make_high_trees() {
    let options = Options { mappings: 3_000_000, run: 1000, ..Options::default() };
    let (bytes, answers) = built(Shape::OneDevice, &options);
    let reading = read(&bytes, View::Live, 2);
    assert!(reading.errors.is_empty(), "{:?}", reading.errors);
    assert_eq!(reading.recount.unwrap().reached_blocks, answers.mappings);
    let draft = Draft::new(bytes);
    let levels = draft.spine(thinscope_core::btree::Tree::Mapping).len();
    assert!(levels >= 3, "{levels} levels");
}
