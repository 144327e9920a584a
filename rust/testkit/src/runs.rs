//! Runs of mappings as a device collects them: lengths, holes and places drawn from a seed.

use crate::random::Random;

/// What the runs of a device look like.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Mappings in all.
    pub mappings: u64,
    /// Mean length of a run.
    pub run: u64,
    /// The data device is filled in so many places by turns, drawn for each run; 1: in order.
    pub areas: u64,
    /// Times are drawn from 0 to this.
    pub time: u32,
}

/// Consecutive virtual blocks in consecutive data blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First virtual block.
    pub virtual_begin: u64,
    /// First data block.
    pub data_begin: u64,
    /// Number of blocks.
    pub length: u64,
    /// Time of all of them.
    pub time: u32,
}

/// Draws runs. Together they fill the data blocks from 0 on without holes.
#[derive(Debug)]
pub struct Runs {
    options: RunOptions,
    random: Random,
    left: u64,
    virtual_next: u64,
    /// Next and end of every area with room.
    areas: Vec<(u64, u64)>,
}

impl Runs {
    /// The runs of a seed.
    #[must_use]
    pub fn new(options: RunOptions, seed: u64) -> Self {
        let areas = options.areas.clamp(1, options.mappings.max(1));
        let bound =
            |at: u64| (u128::from(options.mappings) * u128::from(at) / u128::from(areas)) as u64;
        let areas = (0..areas).map(|at| (bound(at), bound(at + 1))).collect();
        let random = Random::new(seed).fork(2);
        Self { options, random, left: options.mappings, virtual_next: 0, areas }
    }
}

impl Iterator for Runs {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        if self.left == 0 {
            return None;
        }
        let at = self.random.below(self.areas.len() as u64) as usize;
        let (data_begin, end) = self.areas[at];
        let mean = self.options.run.max(1);
        let length = self.random.between(1, 2 * mean - 1).min(end - data_begin);
        self.areas[at].0 += length;
        if data_begin + length == end {
            self.areas.swap_remove(at);
        }
        // In one area only holes end a run; in several the next run lies elsewhere anyway.
        if self.options.areas <= 1 || self.random.once_in(2) {
            self.virtual_next += self.random.between(1, 16);
        }
        let virtual_begin = self.virtual_next;
        self.virtual_next += length;
        self.left -= length;
        let time = self.random.between(0, u64::from(self.options.time)) as u32;
        Some(Run { virtual_begin, data_begin, length, time })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_the_data_blocks() {
        for (mappings, run, areas) in [(1, 1, 1), (1000, 7, 1), (1000, 7, 13), (50, 1, 99)] {
            let options = RunOptions { mappings, run, areas, time: 3 };
            let runs: Vec<_> = Runs::new(options, 5).collect();
            assert!(runs.is_sorted_by_key(|run| run.virtual_begin));
            let mut data: Vec<u64> =
                runs.iter().flat_map(|run| run.data_begin..run.data_begin + run.length).collect();
            data.sort_unstable();
            assert!(data.into_iter().eq(0..mappings));
        }
    }
}
