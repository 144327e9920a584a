//! Pools of any history read as they were built, and every question is answered as brute force
//! answers it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use thinscope_core::Pool;
use thinscope_core::delta::{Comparison, DeltaStream, Kind, Mapped};
use thinscope_core::owners::Wanted;
use thinscope_core::source::MemorySource;
use thinscope_core::superblock::View;
use thinscope_core::units::DeviceId;
use thinscope_core::watch::Watch;

use super::healthy::{built, check};
use crate::answers::Mappings;
use crate::fill::Fill;
use crate::shape::{Options, Shape};
use crate::writer::Geometry;

/// A step of a history; which device it is about is told by its place among those that there are.
#[derive(Clone, Debug)]
enum Step {
    Create(u64),
    Snapshot(usize, u64),
    Write(usize, u64, u64),
    Discard(usize, u64, u64),
    Map(usize, u64, u64, u64),
    Delete(usize),
    Hold,
}

fn step() -> impl Strategy<Value = Step> {
    let id = || prop_oneof![0..6_u64, Just(700), Just(0xff_ffff)];
    let begin = || prop_oneof![3 => 0..70_u64, 1 => Just(1 << 20), 1 => Just((1 << 50) - 3)];
    prop_oneof![
        1 => id().prop_map(Step::Create),
        2 => (any::<usize>(), id()).prop_map(|(of, id)| Step::Snapshot(of, id)),
        4 => (any::<usize>(), begin(), 1..30_u64).prop_map(|(of, at, len)| Step::Write(of, at, len)),
        2 => (any::<usize>(), begin(), 1..30_u64)
            .prop_map(|(of, at, len)| Step::Discard(of, at, len)),
        1 => (any::<usize>(), begin(), 1..12_u64, 0..200_u64)
            .prop_map(|(of, at, len, data)| Step::Map(of, at, len, data)),
        1 => any::<usize>().prop_map(Step::Delete),
        1 => Just(Step::Hold),
    ]
}

/// The text of a history; steps that are not possible are left out.
fn history(steps: &[Step]) -> String {
    let mut ids = BTreeSet::new();
    let mut text = String::new();
    for step in steps {
        let known: Vec<u64> = ids.iter().copied().collect();
        let pick = |at: usize| known.get(at.checked_rem(known.len())?).copied();
        let line = match *step {
            Step::Create(id) if ids.insert(id) => Some(format!("create {id}")),
            Step::Snapshot(of, id) if !ids.contains(&id) => pick(of).map(|origin| {
                ids.insert(id);
                format!("snapshot {origin} {id}")
            }),
            Step::Write(of, at, length) => {
                pick(of).map(|id| format!("write {id} {at}..{}", at + length))
            }
            Step::Discard(of, at, length) => {
                pick(of).map(|id| format!("discard {id} {at}..{}", at + length))
            }
            Step::Map(of, at, length, data) => {
                pick(of).map(|id| format!("map {id} {at}..{} {data}", at + length))
            }
            Step::Delete(of) => pick(of).map(|id| {
                ids.remove(&id);
                format!("delete {id}")
            }),
            Step::Hold => Some("hold".to_owned()),
            Step::Create(_) | Step::Snapshot(..) => None,
        };
        if let Some(line) = line {
            writeln!(text, "{line}").unwrap();
        }
    }
    text
}

fn options() -> impl Strategy<Value = Options> {
    let nodes = prop_oneof![Just((3, 1)), Just((4, 2)), Just((9, 4)), Just((252, 84))];
    (vec(step(), 0..40), nodes, 1..40_usize, 2..9_u64).prop_map(
        |(steps, (capacity, least), scatter, high)| Options {
            geometry: Geometry {
                data_blocks: Some(3000),
                tree_fill: Fill { low: 2, high },
                scatter,
                slack: high % 2 == 0,
                ..Geometry::default()
            },
            capacity,
            least,
            history: history(&steps),
            ..Options::default()
        },
    )
}

type Told = BTreeMap<u32, Mappings>;

/// A pool that was built, with what it was built of: the live devices, and those that are held.
struct Case {
    pool: Pool,
    live: Told,
    held: Told,
}

impl Case {
    fn of(options: &Options) -> Self {
        let (bytes, answers) = built(Shape::History, options);
        let source = Arc::new(MemorySource::new(bytes));
        let pool = Pool::from_source(source, View::Live, 2, false, &Watch::new()).unwrap();
        let live = answers.mappings_by_device.unwrap();
        Self { pool, live, held: answers.snapshot_mappings_by_device.unwrap_or_default() }
    }

    /// Data block, device, whether only the metadata snapshot has it, virtual block, time.
    fn owned(&self) -> BTreeSet<(u64, u32, bool, u64, u32)> {
        let turned = |told: &Told, held: bool| -> BTreeSet<_> {
            let rows = told.iter().flat_map(|(id, mappings)| {
                let id = *id;
                mappings.iter().map(move |(block, data, time)| (*data, id, held, *block, *time))
            });
            rows.collect()
        };
        let mut rows = turned(&self.live, false);
        let of_snapshot = turned(&self.held, true).into_iter();
        let only: Vec<_> = of_snapshot
            .filter(|(data, id, _, block, time)| {
                !rows.contains(&(*data, *id, false, *block, *time))
            })
            .collect();
        rows.extend(only);
        rows
    }

    fn owners(&self, wanted: &Wanted) -> Vec<(u64, u32, bool, u64, u32)> {
        let watch = Watch::new();
        let mut stream = self.pool.owners(wanted, true, true, &watch).unwrap();
        let mut found = Vec::new();
        while let Some(batch) = stream.next_batch(&watch).unwrap() {
            for row in batch {
                let (data, block) = (row.data_begin.get(), row.virtual_begin.get());
                found.extend((0..row.length).map(|at| {
                    let held = row.only_metadata_snapshot;
                    (data + at, row.device.get(), held, block + at, row.time.get())
                }));
            }
        }
        found
    }

    fn delta(&self, left: u32, right: u32, with_same: bool) -> Vec<Compared> {
        let watch = Watch::new();
        let side = |id| self.pool.side(DeviceId::new(id), &watch).unwrap();
        let comparison = Comparison { is_same_metadata: true, with_same, threads: 2 };
        let mut stream = DeltaStream::open(side(left), side(right), comparison, &watch).unwrap();
        let mut found = Vec::new();
        while let Some(batch) = stream.next_batch(&watch).unwrap() {
            for piece in batch {
                found.extend((0..piece.length).map(|at| {
                    let of = |side: Option<Mapped>| {
                        side.map(|side| (side.data_begin.get() + at, side.time.get()))
                    };
                    let block = piece.virtual_begin.get() + at;
                    (block, piece.kind, of(piece.left), of(piece.right))
                }));
            }
        }
        found
    }
}

/// A virtual block, what it is, and data block and time on both sides.
type Compared = (u64, Kind, Option<(u64, u32)>, Option<(u64, u32)>);

/// Compares block by block.
fn compared(left: &Mappings, right: &Mappings, with_same: bool) -> Vec<Compared> {
    let of = |side: &Mappings| -> BTreeMap<u64, (u64, u32)> {
        side.iter().map(|(block, data, time)| (*block, (*data, *time))).collect()
    };
    let (left, right) = (of(left), of(right));
    let keys: BTreeSet<u64> = left.keys().chain(right.keys()).copied().collect();
    let told = keys.into_iter().map(|block| {
        let sides = (left.get(&block).copied(), right.get(&block).copied());
        let kind = match sides {
            (_, None) => Kind::LeftOnly,
            (None, _) => Kind::RightOnly,
            (Some((one, _)), Some((other, _))) if one == other => Kind::Same,
            _ => Kind::Different,
        };
        (block, kind, sides.0, sides.1)
    });
    told.filter(|(_, kind, ..)| with_same || *kind != Kind::Same).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Mappings, counts, sharing and what deletion frees, of the pool and its metadata snapshot.
    #[test]
    fn a_history_reads_as_it_was_built(options in options()) {
        check(Shape::History, &options);
    }

    #[test]
    fn owners_are_the_mappings_turned_round(
        options in options(),
        ranges in vec((0..300_u64, 0..90_u64), 0..4),
    ) {
        let case = Case::of(&options);
        let expected = case.owned();
        let found = case.owners(&Wanted::ALL);
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(&found.into_iter().collect::<BTreeSet<_>>(), &expected);

        let ranges: Vec<_> = ranges.into_iter().map(|(first, more)| (first, first + more)).collect();
        let is_wanted = |data: u64| ranges.iter().any(|(first, last)| (*first..=*last).contains(&data));
        let some: BTreeSet<_> =
            expected.into_iter().filter(|(data, ..)| is_wanted(*data)).collect();
        let found = case.owners(&Wanted::ranges(ranges.clone()));
        prop_assert_eq!(found.len(), some.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), some);
    }

    #[test]
    fn a_delta_is_what_comparing_blocks_gives(
        options in options(),
        pairs in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
        with_same in any::<bool>(),
    ) {
        let case = Case::of(&options);
        let ids: Vec<u32> = case.live.keys().copied().collect();
        for (left, right) in pairs.into_iter().filter(|_| !ids.is_empty()) {
            let (left, right) = (ids[left.index(ids.len())], ids[right.index(ids.len())]);
            let expected = compared(&case.live[&left], &case.live[&right], with_same);
            prop_assert_eq!(case.delta(left, right, with_same), expected);
        }
    }
}
