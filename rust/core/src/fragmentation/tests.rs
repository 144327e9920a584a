//! However mappings lie in nodes, the same comes out: what counting one by one says.

#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow, and then fails")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::units::{DataBlock, VirtualBlock};

/// Mappings from the first key on, each given by how it differs from what would continue the
/// run: keys skipped, and the data block, or none for the next one.
fn mappings(first: u64, steps: &[(u64, Option<u64>)]) -> Vec<Mapping> {
    let mut found: Vec<Mapping> = Vec::new();
    let mut next = Some((first, 0));
    for (skipped, data) in steps {
        let Some((key, following)) = next else { break };
        let Some(key) = key.checked_add(*skipped) else { break };
        let data = data.unwrap_or(following);
        found.push(Mapping {
            virtual_block: VirtualBlock::new(key),
            data_block: DataBlock::new(data),
        });
        next = key.checked_add(1).map(|key| (key, (data + 1) % (1 << 40)));
    }
    found
}

/// Counts one by one.
fn counted(mappings: &[Mapping]) -> DeviceFragmentation {
    let pairs: Vec<(u64, u64)> =
        mappings.iter().map(|m| (m.virtual_block.get(), m.data_block.get())).collect();
    let blocks: BTreeMap<u64, u64> = pairs.iter().copied().collect();
    let mut runs: Vec<Vec<u64>> = Vec::new();
    let (mut seeks, mut seek_blocks) = (0, 0);
    let mut before: Option<(u64, u64)> = None;
    for (key, data) in &pairs {
        match before {
            Some((k, d)) if Some(*key) == k.checked_add(1) && *data == d + 1 => {
                runs.last_mut().unwrap().push(*key);
            }
            _ => runs.push(vec![*key]),
        }
        if let Some((_, d)) = before
            && *data != d + 1
        {
            seeks += 1;
            seek_blocks += u128::from((d + 1).abs_diff(*data));
        }
        before = Some((*key, *data));
    }
    let mut lengths: Vec<u64> = runs.iter().map(|run| widen(run.len())).collect();
    lengths.sort_unstable();
    let longest = lengths.last().copied().unwrap_or_default();
    let classes = (0..64).map(|power| 1_u64 << power).take_while(|shortest| *shortest <= longest);
    let run_lengths = classes.map(|shortest| {
        let of_class = lengths.iter().filter(|length| **length / shortest == 1);
        let (count, blocks) = (widen(of_class.clone().count()), of_class.sum());
        LengthClass { shortest, count, blocks }
    });
    let windows =
        |size: usize, run: &[u64]| run.iter().map(|key| key >> size).collect::<BTreeSet<_>>();
    DeviceFragmentation {
        mapped_blocks: widen(pairs.len()),
        neighbours: widen(
            pairs
                .iter()
                .filter(|(key, _)| key.checked_add(1).is_some_and(|k| blocks.contains_key(&k)))
                .count(),
        ),
        runs: widen(runs.len()),
        median_run: lengths.get(lengths.len().saturating_sub(1) / 2).copied().unwrap_or_default(),
        longest_run: longest,
        run_lengths: run_lengths.collect(),
        seeks,
        seek_blocks,
        ios: std::array::from_fn(|size| {
            let keys: Vec<u64> = blocks.keys().copied().collect();
            widen(windows(size, &keys).len())
        }),
        pieces: std::array::from_fn(|size| {
            runs.iter().map(|run| widen(windows(size, run).len())).sum()
        }),
    }
}

/// Splits a list into parts of these lengths, by turns, none of them empty.
fn split<T: Clone>(list: &[T], lengths: &[usize]) -> Vec<Vec<T>> {
    let (mut parts, mut rest, mut lengths) = (Vec::new(), list, lengths.iter().cycle());
    while !rest.is_empty() {
        let length = lengths.next().copied().unwrap_or(1).clamp(1, rest.len());
        parts.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    parts
}

/// Folds mappings up that lie in leaves of these lengths, below nodes of those.
fn folded(
    mappings: &[Mapping],
    leaf_lengths: &[usize],
    node_lengths: &[usize],
) -> DeviceFragmentation {
    let mut leaves = LeafStretches::default();
    let parts = split(mappings, leaf_lengths);
    // Shares of leaves have their own lists of lengths.
    for share in parts.chunks(3) {
        let mut lengths = Vec::new();
        let share = share.iter().map(|leaf| LeafStretch::of(leaf.iter().copied(), &mut lengths));
        let share = share.collect();
        leaves.extend(share, &lengths);
    }
    let mut basket = leaves.basket();
    let mut sums: Vec<Sum> = Vec::new();
    let positions: Vec<u32> = (0..).take(parts.len()).collect();
    for children in split(&positions, node_lengths) {
        for leaf in children {
            leaves.add_leaf(&mut basket, leaf);
        }
        sums.push(leaves.take(&mut basket));
    }
    while sums.len() > 1 {
        let levels = split(&sums, &[2, 3]).into_iter().map(|children| {
            for below in &children {
                leaves.add(&mut basket, below);
            }
            leaves.take(&mut basket)
        });
        sums = levels.collect();
    }
    sums.pop().map_or_else(DeviceFragmentation::default, |sum| sum.result())
}

fn steps() -> impl Strategy<Value = Vec<(u64, Option<u64>)>> {
    let skipped = prop_oneof![8 => Just(0), 3 => 0..4_u64, 1 => 0..300_u64, 1 => 0..=u64::MAX / 4];
    let data = prop_oneof![
        6 => Just(None),
        2 => (0..20_u64).prop_map(Some),
        1 => (0..1_u64 << 40).prop_map(Some),
    ];
    vec((skipped, data), 0..900)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_nodes_give_what_counting_gives(
        first in prop_oneof![Just(0), 0..200_u64, (u64::MAX - 2000)..=u64::MAX],
        steps in steps(),
        leaf_lengths in vec(prop_oneof![1..6_usize, 1..=252_usize], 1..9),
        node_lengths in vec(1..9_usize, 1..9),
    ) {
        let mappings = mappings(first, &steps);
        prop_assert_eq!(folded(&mappings, &leaf_lengths, &node_lengths), counted(&mappings));
    }
}

#[test]
fn the_last_key_there_can_be() {
    let mappings = mappings(u64::MAX - 1, &[(0, Some(7)), (0, None), (0, None)]);
    assert_eq!(mappings.len(), 2);
    let found = folded(&mappings, &[1], &[1]);
    assert_eq!((found.runs, found.neighbours, found.longest_run), (1, 1, 2));
    assert_eq!(found.ios, [2, 1, 1, 1, 1, 1, 1]);
    assert_eq!(found.pieces, [2, 1, 1, 1, 1, 1, 1]);
}

#[test]
fn a_full_leaf_of_one_run() {
    let mappings = mappings(0, &[(0, None); 252]);
    let found = folded(&mappings, &[252], &[1]);
    assert_eq!((found.runs, found.median_run, found.longest_run), (1, 252, 252));
    assert_eq!(found.pieces, [252, 126, 63, 32, 16, 8, 4]);
    assert_eq!(found.seeks, 0);
}
