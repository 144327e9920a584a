//! Refines classes: who reaches each data block.
//!
//! All blocks begin in the class of nobody; each group of leaves with the same holders moves the
//! blocks that it maps to the class that has these holders too. A class is known by the number
//! of its set of holders. The groups come in the order of their lists of holders: so the sets
//! that pass are mostly intervals, and few; in random order there are hundreds of times more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

use super::fold::Holders;
use super::sets::{HolderSets, NOBODY};
use crate::error::Result;
use crate::graph::{Graph, LeafReader, MappingLeaf};
use crate::units::{DataBlock, index_u32, index_u64, widen};
use crate::watch::Watch;

/// Leaves in a window: about 16 MiB of metadata, at most 8 MiB of runs.
const WINDOW: usize = 4096;

/// Mappings in a leaf, at most.
const LEAF_ROOM: u64 = 252;

/// A list of classes by block may take so many entries for each mapping that there can be.
const SPARSEST: u64 = 16;

/// Sets that may have passed before they are looked through.
const MOST_PASSED: usize = 1 << 16;

/// Bits that tell how many blocks of a run follow on its first one: a leaf has no more.
const LENGTH_BITS: u32 = 8;

/// Data blocks that follow each other, in one word: the first one, which has 40 bits, and how
/// many follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DataRun(u64);

impl DataRun {
    const fn one(block: DataBlock) -> Self {
        Self(block.get() << LENGTH_BITS)
    }

    const fn begin(self) -> u64 {
        self.0 >> LENGTH_BITS
    }

    const fn length(self) -> u64 {
        (self.0 & ((1 << LENGTH_BITS) - 1)).saturating_add(1)
    }

    const fn end(self) -> u64 {
        self.begin().saturating_add(self.length())
    }

    /// Takes in a block that follows on the run. Returns whether it did.
    fn extend(&mut self, block: DataBlock) -> bool {
        let follows = self.end() == block.get() && self.length() < 1 << LENGTH_BITS;
        self.0 = self.0.saturating_add(u64::from(follows));
        follows
    }
}

/// The class of each data block, as the number of its set; [`NOBODY`]'s of those that nobody
/// reaches.
#[derive(Debug)]
pub(super) enum ClassOf {
    /// By block. Pages that were not touched take no memory.
    Flat(Vec<u32>),
    /// Where the leaves are too few for the data device: only blocks that are reached, ascending.
    Sparse(Vec<(u64, u32)>),
}

/// The same while it is refined.
#[derive(Debug)]
enum Refining {
    Flat(Vec<u32>),
    Sparse(HashMap<u64, u32>),
}

impl Refining {
    fn new(data_blocks: u64, leaves: usize) -> Self {
        let most = widen(leaves).saturating_mul(LEAF_ROOM).saturating_mul(SPARSEST);
        if data_blocks > most {
            return Self::Sparse(HashMap::new());
        }
        Self::Flat(vec![NOBODY; index_u64(data_blocks)])
    }

    fn finish(self) -> ClassOf {
        match self {
            Self::Flat(classes) => ClassOf::Flat(classes),
            Self::Sparse(classes) => {
                let mut classes: Vec<_> = classes.into_iter().collect();
                classes.sort_unstable();
                ClassOf::Sparse(classes)
            }
        }
    }
}

/// The classes, while they are refined.
///
/// Memory: 4 bytes a data block of the device or, where that is more than 64 bytes for each
/// mapping that the leaves have room for, about 50 bytes a block that is reached; about 110
/// bytes a class and those that pass, with its set as in [`HolderSets`]; 8 bytes a leaf; two windows.
#[derive(Debug)]
pub(super) struct Refined {
    pub(super) class_of: ClassOf,
    /// Blocks of each class, by the number of its set.
    pub(super) sizes: Vec<u64>,
    /// Mappings in each leaf.
    pub(super) mappings: Vec<u64>,
}

/// Reads every distinct leaf once, groups in their order and disk order inside, and refines.
///
/// # Errors
///
/// A read that fails, the first rule that is broken, or
/// [`Error::Cancelled`](crate::Error::Cancelled).
pub(super) fn refine(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    holders: &Holders,
    sets: &mut HolderSets,
    threads: Option<&ThreadPool>,
) -> Result<Refined> {
    let order = in_groups(holders, sets);
    let class_of = Refining::new(leaves.data_blocks, order.len());
    let mappings = vec![0; order.len()];
    let mut refiner = Refiner { class_of, moves: Moves::new(sets), mappings };
    let reader = WindowReader { leaves, graph, threads, spare: Mutex::default() };
    let mut windows = order.chunks(WINDOW);
    let mut read_next = || windows.next().map(|order| reader.read(order)).transpose();
    let mut next = read_next()?;
    while let Some(window) = next.take() {
        // One window is read while the one before is gone through.
        let go = || {
            let gone_through = refiner.go_through(&window, holders, leaves.watch);
            reader.take_back(window);
            gone_through
        };
        let (read, gone_through) = match threads {
            Some(threads) => threads.join(&mut read_next, go),
            None => (read_next(), go()),
        };
        next = read?;
        gone_through?;
    }
    let Refiner { class_of, moves, mappings } = refiner;
    Ok(Refined { class_of: class_of.finish(), sizes: moves.sizes, mappings })
}

/// All leaves: groups by the order of their holders, ascending positions in each.
fn in_groups(holders: &Holders, sets: &HolderSets) -> Vec<u32> {
    let mut groups: Vec<u32> = holders.leaves.clone();
    groups.sort_unstable();
    groups.dedup();
    groups.sort_by(|one, other| sets.members(*one).order(sets.members(*other)));
    let mut ranks = vec![0_u32; index_u32(sets.end())];
    for (rank, group) in (0_u32..).zip(&groups) {
        if let Some(slot) = ranks.get_mut(index_u32(*group)) {
            *slot = rank;
        }
    }
    let rank = |leaf: &u32| {
        let group = holders.leaves.get(index_u32(*leaf))?;
        ranks.get(index_u32(*group)).copied()
    };
    let mut order: Vec<u32> = (0..).take(holders.leaves.len()).collect();
    order.sort_by_key(rank);
    order
}

/// The runs of some leaves.
#[derive(Debug, Default)]
struct Runs {
    runs: Vec<DataRun>,
    /// Where those of each leaf end.
    ends: Vec<usize>,
}

impl Runs {
    fn push(&mut self, leaf: MappingLeaf<'_>) {
        let first = self.runs.len();
        for (_, block, _) in leaf.mappings() {
            let last = self.runs.get_mut(first..).and_then(<[_]>::last_mut);
            if !last.is_some_and(|last| last.extend(block)) {
                self.runs.push(DataRun::one(block));
            }
        }
        self.ends.push(self.runs.len());
    }

    fn emptied(mut self) -> Self {
        self.runs.clear();
        self.ends.clear();
        self
    }

    fn leaves(&self) -> impl Iterator<Item = &[DataRun]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| self.runs.get(begin..*end).unwrap_or_default())
    }
}

/// Leaves that were read together.
struct Window<'a> {
    /// In the order of their groups.
    order: &'a [u32],
    /// Ascending.
    positions: Vec<u32>,
    shares: Vec<Runs>,
}

/// Reads windows.
struct WindowReader<'a> {
    leaves: &'a LeafReader<'a>,
    graph: &'a Graph,
    threads: Option<&'a ThreadPool>,
    /// What windows before were gathered in: memory that is taken again costs less than new.
    spare: Mutex<Vec<Runs>>,
}

impl WindowReader<'_> {
    fn read<'o>(&self, order: &'o [u32]) -> Result<Window<'o>> {
        let mut positions = order.to_vec();
        positions.sort_unstable();
        let shares = self.leaves.gather(
            self.graph,
            &positions,
            self.threads,
            |_| self.spare().pop().unwrap_or_default(),
            |share, _, leaf| {
                share.push(leaf);
                Ok(())
            },
        )?;
        Ok(Window { order, positions, shares })
    }

    fn take_back(&self, window: Window<'_>) {
        let emptied = window.shares.into_iter().map(Runs::emptied);
        self.spare().extend(emptied);
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Runs>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Refiner<'a> {
    class_of: Refining,
    moves: Moves<'a>,
    mappings: Vec<u64>,
}

impl Refiner<'_> {
    fn go_through(&mut self, window: &Window<'_>, holders: &Holders, watch: &Watch) -> Result<()> {
        let runs: Vec<&[DataRun]> = window.shares.iter().flat_map(Runs::leaves).collect();
        for leaf in window.order {
            // With many holders a leaf's unions take long.
            watch.advance(0)?;
            let group = holders.leaves.get(index_u32(*leaf)).copied().unwrap_or_default();
            self.moves.begin(group);
            let at = window.positions.binary_search(leaf).ok();
            let mut mappings = 0;
            for run in at.and_then(|at| runs.get(at)).copied().unwrap_or_default() {
                self.enter(*run);
                mappings = u64::saturating_add(mappings, run.end().saturating_sub(run.begin()));
            }
            if let Some(slot) = self.mappings.get_mut(index_u32(*leaf)) {
                *slot = mappings;
            }
        }
        Ok(())
    }

    fn enter(&mut self, run: DataRun) {
        match &mut self.class_of {
            Refining::Flat(classes) => {
                let blocks = classes.get_mut(index_u64(run.begin())..index_u64(run.end()));
                for alike in blocks.unwrap_or_default().chunk_by_mut(|one, other| one == other) {
                    let old = alike.first().copied().unwrap_or_default();
                    alike.fill(self.moves.make(old, widen(alike.len())));
                }
            }
            Refining::Sparse(classes) => {
                for block in run.begin()..run.end() {
                    let class = classes.entry(block).or_default();
                    *class = self.moves.make(*class, 1);
                }
            }
        }
    }
}

/// Where the blocks of a group move, by the class that they are in.
struct Moves<'a> {
    sets: &'a mut HolderSets,
    sizes: Vec<u64>,
    group: u32,
    /// Counts the groups.
    stamp: u32,
    /// By class: the group that a move was made for last, and where to.
    known: Vec<(u32, u32)>,
    /// Sets below this are the nodes' own.
    own: u32,
    /// Sets that were kept when they were last looked through.
    kept: usize,
}

impl<'a> Moves<'a> {
    fn new(sets: &'a mut HolderSets) -> Self {
        let (own, kept) = (sets.end(), sets.kept());
        let sizes = vec![0; index_u32(own)];
        Self { sets, sizes, group: NOBODY, stamp: 0, known: Vec::new(), own, kept }
    }

    /// Begins a group, unless it goes on.
    fn begin(&mut self, group: u32) {
        if group == self.group {
            return;
        }
        self.group = group;
        self.stamp = self.stamp.saturating_add(1);
        // Numbers change hands between groups only: within one they are remembered.
        if self.sets.kept() > self.kept.saturating_mul(2).saturating_add(MOST_PASSED) {
            let Self { sizes, own, .. } = self;
            let has_blocks = |set| sizes.get(index_u32(set)).is_some_and(|size| *size > 0);
            self.sets.sweep(|set| set < *own || has_blocks(set));
            self.kept = self.sets.kept();
        }
    }

    /// Moves blocks of a class. Returns the class where they are then.
    fn make(&mut self, old: u32, blocks: u64) -> u32 {
        let new = match self.known.get(index_u32(old)) {
            Some((stamp, new)) if *stamp == self.stamp => *new,
            _ => self.find(old),
        };
        if new != old {
            if let Some(size) = self.sizes.get_mut(index_u32(old)) {
                *size = size.saturating_sub(blocks);
            }
            if let Some(size) = self.sizes.get_mut(index_u32(new)) {
                *size = size.saturating_add(blocks);
            }
        }
        new
    }

    fn find(&mut self, old: u32) -> u32 {
        let new = match old {
            NOBODY => self.group,
            _ => self.sets.union(&[old, self.group]),
        };
        let end = index_u32(self.sets.end());
        if self.known.len() < end {
            self.known.resize(end, (0, NOBODY));
            self.sizes.resize(end, 0);
        }
        if let Some(slot) = self.known.get_mut(index_u32(old)) {
            *slot = (self.stamp, new);
        }
        new
    }
}
