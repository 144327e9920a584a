//! What two mapping trees have in common and what not, piece by piece in key order.
//!
//! Where both trees lie in the same metadata, subtrees that both have are neither read nor told,
//! so the cost follows the change. Trees of different metadata are read whole: block numbers of
//! one say nothing in the other.
//!
//! Pieces are about allocation: mappings are the same where they name the same data block, and of
//! different metadata also the same time: else the block was freed and given out again. What is
//! written in place to a block that no snapshot has changes no mapping.
//!
//! Leaves are read through a window in key order, as those of a dump. Memory: 24 bytes a leaf that
//! is to be read, and a window.

mod descend;
mod lines;
mod merge;

use std::collections::VecDeque;

use rayon::ThreadPool;
use rayon::prelude::*;

use crate::btree::KeyRange;
use crate::error::{Error, Result};
use crate::graph::{MappingLeaf, join, threads};
use crate::mappings::Run;
use crate::reader::Reader;
use crate::units::{DataBlock, DeviceId, MetadataBlock, Time, VirtualBlock, widen};
use crate::watch::Watch;

use descend::{Edge, Known, descend};
pub use lines::DeltaLines;
use merge::Merge;

/// Leaves in a window.
const WINDOW: usize = 1024;

/// Leaves that one thread takes at a time.
const SHARE: usize = 128;

/// Pieces in a batch, before the last window of it.
const BATCH: usize = 32 << 10;

/// What a stretch of virtual blocks is on the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Mapped on the left side only.
    LeftOnly,
    /// Mapped on the right side only.
    RightOnly,
    /// Mapped on both sides, to different allocations.
    Different,
    /// Mapped on both sides to the same.
    Same,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::LeftOnly => "left_only",
            Self::RightOnly => "right_only",
            Self::Different => "different",
            Self::Same => "same",
        }
    }
}

/// What one side maps a stretch to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// First data block.
    pub data_begin: DataBlock,
    /// The pool's time when the blocks were allocated.
    pub time: Time,
}

/// Virtual blocks of one kind that follow each other, on the data device as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What they are.
    pub kind: Kind,
    /// First virtual block.
    pub virtual_begin: VirtualBlock,
    /// Number of blocks.
    pub length: u64,
    /// What the left side maps them to.
    pub left: Option<Mapped>,
    /// What the right side maps them to.
    pub right: Option<Mapped>,
}

/// The left or the right side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that is compared.
    Left,
    /// The one that it is compared with.
    Right,
}

impl Which {
    const fn failed(self) -> impl Fn(Error) -> Failed {
        move |error| Failed { which: self, error }
    }
}

/// Why there is no answer, and by which side.
#[derive(Debug)]
pub struct Failed {
    /// The side that was being read.
    pub which: Which,
    /// What went wrong.
    pub error: Error,
}

/// One of two trees that are compared.
#[derive(Clone, Debug)]
pub struct Side {
    pub(crate) reader: Reader,
    pub(crate) data_blocks: u64,
    pub(crate) root: MetadataBlock,
}

/// How two trees are compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Whether both are in the same state of the same metadata, so that equal block numbers are
    /// the same node, and a mapping's time says nothing that its block does not say.
    pub is_same_metadata: bool,
    /// Whether to tell what is the same as well; then what both have is read, once.
    pub with_same: bool,
    /// Threads to decode leaves on.
    pub threads: usize,
}

/// Streams the pieces of two trees.
#[derive(Debug)]
pub struct DeltaStream {
    sides: [Side; 2],
    comparison: Comparison,
    /// In key order.
    leaves: std::vec::IntoIter<Leaf>,
    leaf_count: u64,
    known: [Known; 2],
    /// Threads, with the process that started them: they do not survive a fork.
    threads: Option<(u32, ThreadPool)>,
    merge: Merge,
    nodes_read: u64,
}

/// A leaf to be read: on the left, on the right, or the same on both.
#[derive(Clone, Copy, Debug)]
struct Leaf {
    edge: Edge,
    is_left: bool,
    is_right: bool,
}

impl DeltaStream {
    /// Reads the internal nodes that only one side has, and prepares to read their leaves.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, or [`Error::Cancelled`].
    pub fn open(
        left: Side,
        right: Side,
        comparison: Comparison,
        watch: &Watch,
    ) -> Result<Self, Failed> {
        let Comparison { is_same_metadata, with_same, .. } = comparison;
        let found = descend(&left, &right, is_same_metadata, with_same, watch)?;
        let sides = [(&found.left, true, false), (&found.right, false, true)];
        let both = [(&found.both, true, true)];
        let mut leaves: Vec<Leaf> = Vec::new();
        for (edges, is_left, is_right) in sides.into_iter().chain(both) {
            leaves.extend(edges.iter().map(|edge| Leaf { edge: *edge, is_left, is_right }));
        }
        leaves.sort_unstable_by_key(|leaf| (leaf.edge.admitted.first, leaf.edge.block));
        Ok(Self {
            sides: [left, right],
            comparison,
            leaf_count: widen(leaves.len()),
            leaves: leaves.into_iter(),
            known: found.known,
            threads: None,
            merge: Merge::new(with_same, !is_same_metadata),
            nodes_read: found.nodes_read,
        })
    }

    /// Nodes read so far, internal nodes and leaves, on both sides.
    #[must_use]
    pub const fn nodes_read(&self) -> u64 {
        self.nodes_read
    }

    /// The next pieces, about 32 Ki of them, or none at the end.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<Piece>>, Failed> {
        watch.begin("comparing mappings", self.leaf_count);
        let remaining = widen(self.leaves.len());
        let done = self.leaf_count.saturating_sub(remaining);
        watch.advance(done).map_err(Which::Left.failed())?;
        let mut pieces = Vec::new();
        while pieces.len() < BATCH {
            let window: Vec<Leaf> = self.leaves.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                pieces.extend(self.merge.end());
                break;
            }
            self.read(&window, watch)?;
            let frontier = self.leaves.as_slice().first().map(|leaf| leaf.edge.admitted.first);
            self.merge.until(frontier, &mut pieces);
        }
        Ok(if pieces.is_empty() { None } else { Some(pieces) })
    }

    /// Reads the leaves of a window, and queues their runs.
    fn read(&mut self, window: &[Leaf], watch: &Watch) -> Result<(), Failed> {
        let process = std::process::id();
        if self.threads.as_ref().is_none_or(|(started_by, _)| *started_by != process) {
            let threads = threads(self.comparison.threads, window.len());
            let threads = threads.map_err(Which::Left.failed())?;
            self.threads = threads.map(|threads| (process, threads));
        }
        let threads = self.threads.as_ref().map(|(_, threads)| threads);
        let ([left, right], [known_left, known_right]) = (&self.sides, &mut self.known);
        // What both have is read on the left.
        let (left, right) = join(
            threads,
            || runs(left, known_left, window, |leaf| leaf.is_left, threads, watch),
            || runs(right, known_right, window, |leaf| !leaf.is_left, threads, watch),
        );
        let (left, left_read) = left.map_err(Which::Left.failed())?;
        let (right, right_read) = right.map_err(Which::Right.failed())?;
        self.nodes_read = self.nodes_read.saturating_add(left_read).saturating_add(right_read);
        let (mut left, mut right) = (left.into_iter(), right.into_iter());
        for leaf in window {
            let runs = if leaf.is_left { left.next() } else { right.next() }.unwrap_or_default();
            self.merge.queue(runs, leaf.is_left, leaf.is_right);
        }
        Ok(())
    }
}

/// The runs of those leaves of a window that are asked for, in its order, and how many leaves were
/// read for them; the others are known.
fn runs(
    side: &Side,
    known: &mut Known,
    window: &[Leaf],
    is_asked_for: impl Fn(&Leaf) -> bool,
    threads: Option<&ThreadPool>,
    watch: &Watch,
) -> Result<(VecDeque<Vec<Run>>, u64)> {
    let asked = window.iter().filter(|leaf| is_asked_for(leaf)).map(|leaf| leaf.edge);
    let mut places: Vec<(usize, Edge)> = asked.enumerate().collect();
    let mut found = VecDeque::from(vec![Vec::new(); places.len()]);
    let mut put = |at: usize, runs| {
        if let Some(slot) = found.get_mut(at) {
            *slot = runs;
        }
    };
    let mut unknown = Vec::with_capacity(places.len());
    places.sort_unstable_by_key(|(_, edge)| edge.block);
    for (at, edge) in places {
        match known.remove(&edge.block) {
            Some(page) => {
                put(
                    at,
                    decoded(&MappingLeaf::parse(
                        &page,
                        edge.block,
                        edge.admitted,
                        side.data_blocks,
                    )?),
                );
                watch.advance(1)?;
            }
            None => unknown.push((at, edge)),
        }
    }
    let share = |places: &[(usize, Edge)]| {
        let blocks: Vec<_> = places.iter().map(|(_, edge)| edge.block).collect();
        let mut read = Vec::with_capacity(places.len());
        side.reader.read_sorted(&blocks, watch, |at, block, page| {
            let admitted = places.get(at).map_or(KeyRange::ALL, |(_, edge)| edge.admitted);
            read.push(decoded(&MappingLeaf::parse(page, block, admitted, side.data_blocks)?));
            Ok(())
        })?;
        Ok::<_, Error>(read)
    };
    let shares: Result<Vec<Vec<_>>> = match threads {
        // All shares are finished, so that of several errors always the first is told.
        Some(threads) => {
            let shares = || unknown.par_chunks(SHARE).map(share).collect::<Vec<_>>();
            threads.install(shares).into_iter().collect()
        }
        None => unknown.chunks(SHARE).map(share).collect(),
    };
    for ((at, _), runs) in unknown.iter().zip(shares?.into_iter().flatten()) {
        put(*at, runs);
    }
    Ok((found, widen(unknown.len())))
}

/// The runs of a leaf, as if they were device 0's.
fn decoded(leaf: &MappingLeaf<'_>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (virtual_begin, data_begin, time) in leaf.mappings() {
        let device = DeviceId::default();
        let run = Run { device, virtual_begin, data_begin, length: 1, time };
        if !runs.last_mut().is_some_and(|last| last.extend(&run)) {
            runs.push(run);
        }
    }
    runs
}
