//! Mappings of the blocks that are asked about, of all distinct leaves, and who holds each.
//!
//! Leaves that were copied for a few changes hold the same mappings again. All that is found is
//! therefore laid out along *diagonals*: mappings of one time whose data block lies equally far
//! from the virtual block. Along one, a stretch has the holders of all leaves that have it.

use crate::error::Result;
use crate::graph::{Graph, LeafReader, threads};
use crate::sharing::fold::Holders;
use crate::sharing::sets::HolderSets;
use crate::units::{index_u32, low_u32, widen};

use super::Wanted;

/// Stretches between two looks at whether anybody waits.
const SLICE: usize = 4096;

/// Mappings that follow each other in virtual block and data block, of one time, with holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) data_begin: u64,
    pub(super) virtual_begin: u64,
    /// Below 2³²: there are less mappings in the largest metadata.
    pub(super) length: u32,
    pub(super) time: u32,
    /// The set of holders; before that is known, the position of the leaf.
    pub(super) holders: u32,
}

impl Stretch {
    pub(super) fn data_end(&self) -> u64 {
        self.data_begin.saturating_add(u64::from(self.length))
    }

    /// What the mappings of a diagonal have in common, and the time.
    const fn diagonal(&self) -> (u64, u32) {
        (self.data_begin.wrapping_sub(self.virtual_begin), self.time)
    }

    /// Whether another stretch goes on where this one ends.
    pub(super) fn meets(&self, next: &Self) -> bool {
        self.diagonal() == next.diagonal() && self.data_end() == next.data_begin
    }

    /// The part of the stretch between two data blocks on it.
    fn part(&self, begin: u64, end: u64, holders: u32) -> Self {
        let skipped = begin.saturating_sub(self.data_begin);
        Self {
            data_begin: begin,
            virtual_begin: self.virtual_begin.saturating_add(skipped),
            length: low_u32(end.saturating_sub(begin)),
            time: self.time,
            holders,
        }
    }
}

/// Reads each distinct leaf once, in disk order, and returns what is found of the wanted blocks:
/// by diagonal, then by data block; nothing overlaps.
///
/// Memory: 32 bytes for each run of a leaf, and the sets of holders.
pub(super) fn find(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    wanted: &Wanted,
    with_times: bool,
    sets: &mut HolderSets,
    thread_count: usize,
) -> Result<Vec<Stretch>> {
    let leaf_count = graph.leaves().len();
    let threads = threads(thread_count, leaf_count)?;
    leaves.watch.begin("reading mappings", widen(leaf_count));
    let positions: Vec<u32> = (0..).take(leaf_count).collect();
    let shares = leaves.gather(
        graph,
        &positions,
        threads.as_ref(),
        |_| Vec::new(),
        |found: &mut Vec<Stretch>, leaf, mappings| {
            for (virtual_block, data_block, time) in mappings.mappings() {
                if !wanted.has(data_block) {
                    continue;
                }
                let next = Stretch {
                    data_begin: data_block.get(),
                    virtual_begin: virtual_block.get(),
                    length: 1,
                    time: if with_times { time.get() } else { 0 },
                    holders: leaf,
                };
                match found.last_mut() {
                    Some(last) if last.holders == leaf && last.meets(&next) => {
                        last.length = last.length.saturating_add(1);
                    }
                    _ => found.push(next),
                }
            }
            Ok(())
        },
    )?;
    let mut found: Vec<Stretch> = shares.into_iter().flatten().collect();
    if found.is_empty() {
        return Ok(found);
    }
    leaves.watch.begin("telling who holds them", 0);
    let holders = Holders::fold(graph, |root| low_u32(widen(root)), sets, leaves.watch)?;
    for stretch in &mut found {
        let leaf = index_u32(stretch.holders);
        stretch.holders = holders.leaves.get(leaf).copied().unwrap_or_default();
    }
    found.sort_unstable_by_key(|stretch| (stretch.diagonal(), stretch.data_begin));
    let mut laid_out = LaidOut { sets, last_union: (Vec::new(), 0), stretches: Vec::new() };
    for (at, on_diagonal) in
        found.chunk_by(|one, next| one.diagonal() == next.diagonal()).enumerate()
    {
        if at % SLICE == 0 {
            leaves.watch.advance(0)?;
        }
        laid_out.lay_out(on_diagonal, leaves)?;
    }
    Ok(laid_out.stretches)
}

/// Stretches that do not overlap.
struct LaidOut<'a> {
    sets: &'a mut HolderSets,
    /// The sets that were united last, and what they came to.
    last_union: (Vec<u32>, u32),
    stretches: Vec<Stretch>,
}

impl LaidOut<'_> {
    /// Takes the stretches of one diagonal, by where they begin.
    fn lay_out(&mut self, found: &[Stretch], leaves: &LeafReader<'_>) -> Result<()> {
        // Those that are not at their end yet.
        let mut open: Vec<Stretch> = Vec::new();
        let mut at = 0;
        for (number, stretch) in found.iter().enumerate() {
            if number % SLICE == 0 {
                leaves.watch.advance(0)?;
            }
            at = self.go_to(stretch.data_begin, at, &mut open);
            open.push(*stretch);
        }
        self.go_to(u64::MAX, at, &mut open);
        Ok(())
    }

    /// Lays out what is open from one data block up to another. Returns the latter.
    fn go_to(&mut self, end: u64, mut at: u64, open: &mut Vec<Stretch>) -> u64 {
        while at < end {
            let Some(first_end) = open.iter().map(Stretch::data_end).min() else { break };
            let stop = first_end.min(end);
            if let Some(first) = open.first().copied() {
                let begin = at.max(first.data_begin);
                let holders = self.union(open);
                if begin < stop {
                    self.push(first.part(begin, stop, holders));
                }
            }
            open.retain(|stretch| stretch.data_end() > stop);
            at = stop;
        }
        end
    }

    fn union(&mut self, open: &[Stretch]) -> u32 {
        if let [only] = open {
            return only.holders;
        }
        let mut parts: Vec<u32> = open.iter().map(|stretch| stretch.holders).collect();
        parts.sort_unstable();
        parts.dedup();
        if self.last_union.0 != parts {
            let union = if let [only] = *parts { only } else { self.sets.union(&parts) };
            self.last_union = (parts, union);
        }
        self.last_union.1
    }

    fn push(&mut self, next: Stretch) {
        match self.stretches.last_mut() {
            Some(last) if last.holders == next.holders && last.meets(&next) => {
                last.length = last.length.saturating_add(next.length);
            }
            _ => self.stretches.push(next),
        }
    }
}
