//! A leaf as a stretch, small enough to keep all of them: they are read in the order of the disk
//! and combined in the order of their keys.

use super::run_lengths::Tally;
use super::stretch::{Mapping, Steps, Stretch};
use crate::units::{index_u32, low_u32, widen};

/// The stretch of one leaf, in 64 bytes: counts fit a byte, as there are 252 mappings at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LeafStretch {
    first: Mapping,
    last: Mapping,
    distance: u64,
    /// Where its lengths begin among those of all leaves.
    lengths: u32,
    /// How many different lengths the runs between the first and the last one have.
    length_count: u8,
    mapped: u8,
    head: u8,
    tail: u8,
    steps: Steps<u8>,
}

const _: () = assert!(size_of::<LeafStretch>() == 64);

impl LeafStretch {
    /// Looks at the mappings of a leaf. `lengths` gets the different lengths, with their
    /// numbers, of the runs between the first and the last one.
    pub(super) fn of(mappings: impl Iterator<Item = Mapping>, lengths: &mut Vec<(u8, u8)>) -> Self {
        let mut leaf = Self::default();
        let mut inner = [0_u8; 256];
        let (mut runs, mut length) = (0_u8, 0_u8);
        for mapping in mappings {
            if leaf.mapped == 0 {
                leaf.first = mapping;
            } else {
                let step = leaf.last.step(mapping);
                let steps = &mut leaf.steps;
                if step.continues() {
                    count(&mut steps.within, step.parted_by);
                } else {
                    count(&mut steps.between, step.parted_by);
                    steps.breaks = steps.breaks.saturating_add(u8::from(step.has_neighbour));
                    steps.seeks = steps.seeks.saturating_add(u8::from(step.distance > 0));
                    leaf.distance = leaf.distance.saturating_add(step.distance);
                    if runs == 0 {
                        leaf.head = length;
                    } else {
                        count(&mut inner, usize::from(length));
                    }
                    runs = runs.saturating_add(1);
                    length = 0;
                }
            }
            leaf.mapped = leaf.mapped.saturating_add(1);
            length = length.saturating_add(1);
            leaf.last = mapping;
        }
        leaf.tail = length;
        if runs == 0 {
            leaf.head = length;
        }
        if runs > 1 {
            let before = lengths.len();
            let found = (0..=u8::MAX).zip(inner).filter(|(_, count)| *count > 0);
            lengths.extend(found);
            let found = lengths.len().saturating_sub(before);
            leaf.length_count = u8::try_from(found).unwrap_or(u8::MAX);
        }
        leaf
    }

    /// Number of mappings.
    pub(super) fn mapped(&self) -> u32 {
        u32::from(self.mapped)
    }

    /// The same in numbers that can grow; none of an empty leaf.
    fn stretch(&self) -> Option<Stretch> {
        let Steps { within, between, breaks, seeks } = self.steps;
        (self.mapped > 0).then(|| Stretch {
            first: self.first,
            last: self.last,
            steps: Steps {
                within: within.map(u32::from),
                between: between.map(u32::from),
                breaks: u32::from(breaks),
                seeks: u32::from(seeks),
            },
            head: u32::from(self.head),
            tail: u32::from(self.tail),
            is_one_run: self.head == self.mapped,
            distance: u128::from(self.distance),
        })
    }
}

fn count(slots: &mut [u8], at: usize) {
    if let Some(slot) = slots.get_mut(at) {
        *slot = slot.saturating_add(1);
    }
}

/// The stretches of all leaves, by position.
///
/// Memory: 64 bytes a leaf, and 2 for each different length of a leaf's inner runs, of which
/// there are 21 at most.
#[derive(Debug, Default)]
pub(super) struct LeafStretches {
    leaves: Vec<LeafStretch>,
    /// Of all leaves in a row.
    lengths: Vec<(u8, u8)>,
}

impl LeafStretches {
    /// Puts leaves in a row behind those before.
    pub(super) fn extend(&mut self, mut leaves: Vec<LeafStretch>, lengths: &[(u8, u8)]) {
        let mut begin = low_u32(widen(self.lengths.len()));
        for leaf in &mut leaves {
            leaf.lengths = begin;
            begin = begin.saturating_add(u32::from(leaf.length_count));
        }
        self.leaves.extend(leaves);
        self.lengths.extend_from_slice(lengths);
    }

    /// All leaves in the order of their positions.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LeafStretch> {
        self.leaves.iter()
    }

    /// The leaf at a position; `tally` gets the lengths of the runs between first and last.
    pub(super) fn get(&self, leaf: u32, tally: &mut Tally) -> Option<Stretch> {
        let found = self.leaves.get(index_u32(leaf))?;
        let begin = index_u32(found.lengths);
        let end = begin.saturating_add(usize::from(found.length_count));
        for (length, count) in self.lengths.get(begin..end).unwrap_or_default() {
            tally.add(u32::from(*length), u32::from(*count));
        }
        found.stretch()
    }
}
