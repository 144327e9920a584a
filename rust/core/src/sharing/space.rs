//! What the space map of the data device says beside what holders reach.

use super::refine::ClassOf;
use super::sets::NOBODY;
use crate::error::Result;
use crate::space_map::{CountRun, ReferenceCounts};
use crate::units::{index_u64, widen};
use crate::watch::Watch;

/// Classes of neighbours that are looked at together.
const SLICE: usize = 1024;

/// Data blocks that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRun {
    /// First block.
    pub begin: u64,
    /// Number of blocks.
    pub length: u64,
}

/// Runs that do not touch, by ascending block.
#[derive(Debug, Default)]
pub(super) struct BlockRuns {
    pub(super) runs: Vec<BlockRun>,
    /// Blocks in all runs.
    pub(super) blocks: u64,
}

impl BlockRuns {
    pub(super) fn push(&mut self, begin: u64, length: u64) {
        self.blocks = self.blocks.saturating_add(length);
        match self.runs.last_mut() {
            Some(last) if last.begin.saturating_add(last.length) == begin => {
                last.length = last.length.saturating_add(length);
            }
            _ => self.runs.push(BlockRun { begin, length }),
        }
    }
}

/// Where the space map and the holders disagree.
///
/// Memory: 16 bytes a run.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Counted as used, reached by nobody.
    pub(super) leaked: BlockRuns,
    /// Reached, but counted as free.
    pub(super) missing: BlockRuns,
}

impl Differences {
    /// Reads the counts to their end and compares.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, or
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub(super) fn find(
        class_of: &ClassOf,
        counts: &mut ReferenceCounts,
        watch: &Watch,
    ) -> Result<Self> {
        let mut differences = Self::default();
        let mut rest = sparse(class_of);
        while let Some(batch) = counts.next_batch(watch)? {
            rest = differences.note_all(class_of, rest, batch);
        }
        Ok(differences)
    }

    /// Compares with runs that follow on each other. Takes the blocks that are left of those kept
    /// sparsely, and returns those that are left then.
    fn note_all<'a>(
        &mut self,
        class_of: &ClassOf,
        mut rest: &'a [(u64, u32)],
        runs: impl IntoIterator<Item = CountRun>,
    ) -> &'a [(u64, u32)] {
        for run in runs {
            match class_of {
                ClassOf::Flat(classes) => self.note(run, classes),
                ClassOf::Sparse(_) => {
                    let end = run.begin.saturating_add(run.length);
                    let reached = rest.partition_point(|(block, _)| *block < end);
                    let (own, behind) = rest.split_at(reached);
                    self.note_sparse(run, own);
                    rest = behind;
                }
            }
        }
        rest
    }

    fn note(&mut self, run: CountRun, classes: &[u32]) {
        let begin = index_u64(run.begin);
        let own = classes.get(begin..begin.saturating_add(index_u64(run.length)));
        let mut at = run.begin;
        for slice in own.unwrap_or_default().chunks(SLICE) {
            // Free space is large, and mostly reached by nobody.
            if run.count == 0 && slice.iter().fold(0, |any, class| any | class) == NOBODY {
                at = at.saturating_add(widen(slice.len()));
                continue;
            }
            for alike in slice.chunk_by(|one, other| (*one == NOBODY) == (*other == NOBODY)) {
                let length = widen(alike.len());
                match (run.count > 0, alike.first() == Some(&NOBODY)) {
                    (true, true) => self.leaked.push(at, length),
                    (false, false) => self.missing.push(at, length),
                    _ => {}
                }
                at = at.saturating_add(length);
            }
        }
    }

    /// The same by the blocks of the run that are reached, ascending.
    fn note_sparse(&mut self, run: CountRun, reached: &[(u64, u32)]) {
        if run.count == 0 {
            for (block, _) in reached {
                self.missing.push(*block, 1);
            }
            return;
        }
        let mut next = run.begin;
        let end = run.begin.saturating_add(run.length);
        for block in reached.iter().map(|(block, _)| *block).chain([end]) {
            let length = block.saturating_sub(next);
            if length > 0 {
                self.leaked.push(next, length);
            }
            next = block.saturating_add(1);
        }
    }
}

/// The blocks that are kept sparsely.
fn sparse(class_of: &ClassOf) -> &[(u64, u32)] {
    match class_of {
        ClassOf::Flat(_) => &[],
        ClassOf::Sparse(classes) => classes,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn blocks_counted_and_reached_are_compared() {
        let counts = [(0, 3, 1), (3, 4, 0), (7, 5, 2), (12, 2000, 0), (2012, 1, 5)];
        let reached: BTreeSet<u64> = [1, 2, 5, 8, 9, 1500, 1501].into();
        let flat = (0..2013).map(|block| u32::from(reached.contains(&block))).collect();
        let listed = reached.iter().map(|block| (*block, 1)).collect();
        for class_of in [ClassOf::Flat(flat), ClassOf::Sparse(listed)] {
            let mut differences = Differences::default();
            let runs = counts.map(|(begin, length, count)| CountRun { begin, length, count });
            differences.note_all(&class_of, sparse(&class_of), runs);
            let runs =
                |runs: &[BlockRun]| runs.iter().map(|r| (r.begin, r.length)).collect::<Vec<_>>();
            assert_eq!(runs(&differences.leaked.runs), [(0, 1), (7, 1), (10, 2), (2012, 1)]);
            assert_eq!(differences.leaked.blocks, 5);
            assert_eq!(runs(&differences.missing.runs), [(5, 1), (1500, 2)]);
            assert_eq!(differences.missing.blocks, 3);
        }
    }
}
