//! Sharing of given classes, beside sums over plain sets.

#![expect(clippy::arithmetic_side_effects, reason = "the input is the tests' own")]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::refine::{ClassOf, Refined};
use super::*;
use crate::units::index_u32;

/// Numbers that a seed determines (`SplitMix64`).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.number().checked_rem(end).unwrap_or_default()
    }

    pub(super) fn once_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }
}

/// Sharing of so many devices, with ids from 0, and given classes: holders and blocks. The
/// metadata snapshot, if it is a holder, has the number behind the devices. Classes lie on the
/// data device one after the other, with a free block between them.
pub(super) fn sharing(devices: u32, has_snapshot: bool, given: &[(Vec<u32>, u64)]) -> Sharing {
    let mut sets = HolderSets::new(devices + u32::from(has_snapshot));
    let mut sizes = Vec::new();
    let mut class_of = Vec::new();
    for (holders, blocks) in given {
        let singles: Vec<_> = holders.iter().map(|holder| sets.single(*holder)).collect();
        let set = sets.union(&singles);
        sizes.resize(index_u32(sets.end()), 0);
        sizes[index_u32(set)] += blocks;
        class_of.extend(std::iter::repeat_n(set, usize::try_from(*blocks).unwrap()));
        class_of.push(0);
    }
    let refined = Refined { class_of: ClassOf::Flat(class_of), sizes, mappings: Vec::new() };
    let classes = Classes::new(&sets, devices, &refined, &[]);
    let mut totals = Totals::default();
    classes.iter().for_each(|class| totals.add(&class));
    Sharing {
        ids: (0..devices).map(DeviceId::new).collect(),
        has_metadata_snapshot: has_snapshot,
        mappings: vec![0; index_u32(devices)],
        classes,
        data_blocks: given.iter().map(|(_, blocks)| blocks + 1).sum(),
        class_of: refined.class_of,
        differences: Some(Differences::default()),
        totals,
        is_whole: true,
    }
}

/// Random classes of so many devices.
pub(super) fn random_classes(
    random: &mut Random,
    devices: u32,
    has_snapshot: bool,
) -> Vec<(Vec<u32>, u64)> {
    let count = random.below(40);
    let classes = (0..count).map(|_| {
        let of = 1 + random.below(u64::from(devices) + 2);
        let holders = 0..devices + u32::from(has_snapshot);
        let holders: Vec<u32> = holders.filter(|_| random.once_in(of)).collect();
        (holders, 1 + random.below(50))
    });
    classes.filter(|(holders, _)| !holders.is_empty()).collect()
}

fn pairs(sharing: Sharing) -> Vec<(u32, u32, u64)> {
    let mut matrix = Matrix::new(Arc::new(sharing));
    let mut pairs = Vec::new();
    while let Some(batch) = matrix.next_batch(&Watch::new()).unwrap() {
        pairs.extend(batch);
    }
    pairs.iter().map(|pair| (pair.device_a.get(), pair.device_b.get(), pair.blocks)).collect()
}

#[test]
fn the_matrix_has_what_each_two_share() {
    let mut random = Random(1);
    // Few holders and many: sets are kept as lists too.
    for devices in [1, 2, 5, 40, 200] {
        for has_snapshot in [false, true] {
            let given = random_classes(&mut random, devices, has_snapshot);
            let mut expected = BTreeMap::new();
            for (holders, blocks) in &given {
                for a in holders.iter().filter(|holder| **holder < devices) {
                    for b in holders.iter().filter(|b| *b > a && **b < devices) {
                        *expected.entry((*a, *b)).or_insert(0) += blocks;
                    }
                }
            }
            let expected: Vec<_> =
                expected.into_iter().map(|((a, b), blocks)| (a, b, blocks)).collect();
            assert_eq!(pairs(sharing(devices, has_snapshot, &given)), expected);
        }
    }
}

#[test]
fn groups_have_most_blocks_first() {
    let given = [
        (vec![1], 9),
        (vec![1, 2, 3], 5),
        (vec![0, 2], 5),
        (vec![0, 2, 4], 5),
        (vec![0, 1, 2, 3], 7),
        (vec![4], 3),
    ];
    let group = |devices: &[u32], has_metadata_snapshot, blocks| Group {
        devices: devices.iter().copied().map(DeviceId::new).collect(),
        has_metadata_snapshot,
        blocks,
    };
    let all = [
        group(&[0, 1, 2, 3], false, 7),
        group(&[0, 2], false, 5),
        group(&[0, 2], true, 5),
        group(&[1, 2, 3], false, 5),
    ];
    let sharing = sharing(4, true, &given);
    assert_eq!(sharing.groups(10), all);
    assert_eq!(sharing.groups(2), all[..2]);
}

#[test]
fn pictures_have_every_block() {
    let given = [(vec![0], 5), (vec![0, 1], 3), (vec![2], 4), (vec![1, 2], 1)];
    let mut sharing = sharing(2, true, &given);
    let flat = match &sharing.class_of {
        ClassOf::Flat(classes) => classes.clone(),
        ClassOf::Sparse(_) => panic!("flat"),
    };
    // Blocks 0 to 4 are one device's, 6 to 8 several devices', 10 to 13 the snapshot's, 15 one's.
    let differences = sharing.differences.as_mut().unwrap();
    differences.leaked.push(5, 1);
    differences.missing.push(4, 1);
    differences.missing.push(6, 2);
    let sparse = (0..).zip(&flat).filter(|(_, class)| **class != 0);
    let sparse = ClassOf::Sparse(sparse.map(|(block, class)| (block, *class)).collect());
    for class_of in [ClassOf::Flat(flat), sparse] {
        sharing.class_of = class_of;
        let cells = sharing.picture(3).unwrap();
        let cell = |free, one_device, several_devices, only_metadata_snapshot, leaked, missing| {
            Cell { free, one_device, several_devices, only_metadata_snapshot, leaked, missing }
        };
        let expected = [cell(0, 5, 0, 0, 1, 1), cell(1, 0, 3, 2, 0, 2), cell(2, 1, 0, 2, 0, 0)];
        assert_eq!(cells, expected);
        assert_eq!(sharing.picture(0).unwrap().len(), 1);
        let each = sharing.picture(1000).unwrap();
        assert_eq!(each.len(), 17, "no more cells than blocks");
        assert_eq!(each.iter().map(|cell| cell.missing).sum::<u64>(), 3);
        assert_eq!(each[4], cell(0, 1, 0, 0, 0, 1));
    }
    sharing.differences = None;
    assert_eq!(sharing.picture(3), None);
}

#[test]
fn unknown_devices_are_told() {
    let sharing = sharing(3, false, &[(vec![0, 2], 4)]);
    let unknown = vec![DeviceId::new(3)];
    assert!(sharing.usage(&[Vec::new(), unknown.clone()]).is_err());
    assert!(sharing.reclaim(std::slice::from_ref(&unknown), &[]).is_err());
    assert!(sharing.reclaim(&[], &unknown).is_err());
    let twice = vec![DeviceId::new(2), DeviceId::new(0), DeviceId::new(2)];
    assert_eq!(sharing.reclaim(&[twice], &[]).unwrap().alone_blocks, [4]);
}
