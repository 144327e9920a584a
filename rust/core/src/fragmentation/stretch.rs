//! What a stretch of a device's mappings comes to. Stretches that follow on each other combine,
//! however they are grouped, so what devices share is looked at once.

use crate::units::{DataBlock, VirtualBlock, index_u32};

/// I/O sizes that are looked at: 1, 2, 4, ... 64 data blocks.
pub const IO_SIZES: usize = 7;

/// A number for each I/O size.
pub type ByIoSize = [u64; IO_SIZES];

/// A mapping, whatever its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) virtual_block: VirtualBlock,
    pub(super) data_block: DataBlock,
}

/// How a mapping stands to the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The largest I/O size, by its number, whose windows part the two.
    pub(super) parted_by: usize,
    /// Whether the next virtual block is mapped.
    pub(super) has_neighbour: bool,
    /// Data blocks from the end of the one to the begin of the other, forwards or backwards.
    pub(super) distance: u64,
}

impl Mapping {
    /// The step to the next mapping.
    pub(super) fn step(self, next: Self) -> Step {
        let (this, following) = (self.virtual_block.get(), next.virtual_block.get());
        let highest_bit = (this ^ following).checked_ilog2().unwrap_or_default();
        let end = self.data_block.get().saturating_add(1);
        Step {
            parted_by: index_u32(highest_bit).min(IO_SIZES.saturating_sub(1)),
            has_neighbour: this.checked_add(1) == Some(following),
            distance: end.abs_diff(next.data_block.get()),
        }
    }
}

impl Step {
    /// Whether the two are of one run.
    pub(super) const fn continues(self) -> bool {
        self.has_neighbour && self.distance == 0
    }
}

/// Counts of steps. As a node has each leaf below it once, it has less than 2³² mappings below
/// it: sums never wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps<N> {
    /// Within runs, by what parts them.
    pub(super) within: [N; IO_SIZES],
    /// From run to run, likewise.
    pub(super) between: [N; IO_SIZES],
    /// Of those, to the next virtual block.
    pub(super) breaks: N,
    /// Of those, to another data block than the next one.
    pub(super) seeks: N,
}

impl Steps<u32> {
    fn add(&mut self, others: &Self) {
        let add = |mine: &mut [u32; IO_SIZES], theirs: &[u32; IO_SIZES]| {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine = mine.wrapping_add(*theirs);
            }
        };
        add(&mut self.within, &others.within);
        add(&mut self.between, &others.between);
        self.breaks = self.breaks.wrapping_add(others.breaks);
        self.seeks = self.seeks.wrapping_add(others.seeks);
    }

    /// Counts a step.
    fn note(&mut self, step: Step) {
        let continues = step.continues();
        let by_parting = if continues { &mut self.within } else { &mut self.between };
        if let Some(slot) = by_parting.get_mut(step.parted_by) {
            *slot = slot.wrapping_add(1);
        }
        let is_break = step.has_neighbour && !continues;
        self.breaks = self.breaks.wrapping_add(u32::from(is_break));
        self.seeks = self.seeks.wrapping_add(u32::from(step.distance > 0));
    }

    /// Steps within runs.
    pub(super) fn within(&self) -> u64 {
        total(&self.within)
    }

    /// Steps from run to run: one less than there are runs.
    pub(super) fn between(&self) -> u64 {
        total(&self.between)
    }

    /// Aligned I/Os that touch a mapping.
    pub(super) fn ios(&self) -> ByIoSize {
        let (within, between) = (parted(self.within, 0), parted(self.between, 1));
        std::array::from_fn(|size| {
            let at = |counts: &ByIoSize| counts.get(size).copied().unwrap_or_default();
            at(&within).saturating_add(at(&between))
        })
    }

    /// Pieces that windows leave of runs.
    pub(super) fn pieces(&self) -> ByIoSize {
        parted(self.within, self.between().saturating_add(1))
    }
}

fn total(counts: &[u32]) -> u64 {
    counts.iter().fold(0, |sum, count| sum.saturating_add(u64::from(*count)))
}

/// For each size, the steps that windows of it part, and so many more.
fn parted(counts: [u32; IO_SIZES], more: u64) -> ByIoSize {
    let mut sum = more;
    let mut parted = counts.map(u64::from);
    for count in parted.iter_mut().rev() {
        sum = sum.saturating_add(*count);
        *count = sum;
    }
    parted
}

/// A stretch of mappings, one at least. Its runs are known but for their lengths: only the first
/// and the last one can still grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) first: Mapping,
    pub(super) last: Mapping,
    pub(super) steps: Steps<u32>,
    /// Length of the first run.
    pub(super) head: u32,
    /// Length of the last run.
    pub(super) tail: u32,
    /// Whether the first run is the last one.
    pub(super) is_one_run: bool,
    /// Sum of all distances.
    pub(super) distance: u128,
}

impl Stretch {
    /// Takes in the stretch that follows. `close` is told the lengths of runs that can no longer
    /// grow, unless they are the first or last one.
    pub(super) fn join(&mut self, next: &Self, mut close: impl FnMut(u32)) {
        let step = self.last.step(next.first);
        if step.continues() {
            let joined = self.tail.wrapping_add(next.head);
            match (self.is_one_run, next.is_one_run) {
                (true, true) => (self.head, self.tail) = (joined, joined),
                (true, false) => (self.head, self.tail) = (joined, next.tail),
                (false, true) => self.tail = joined,
                (false, false) => {
                    close(joined);
                    self.tail = next.tail;
                }
            }
            self.is_one_run &= next.is_one_run;
        } else {
            if !self.is_one_run {
                close(self.tail);
            }
            if !next.is_one_run {
                close(next.head);
            }
            self.tail = next.tail;
            self.is_one_run = false;
        }
        self.steps.add(&next.steps);
        self.steps.note(step);
        let distance = next.distance.saturating_add(u128::from(step.distance));
        self.distance = self.distance.saturating_add(distance);
        self.last = next.last;
    }
}
