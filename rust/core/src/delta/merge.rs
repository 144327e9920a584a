//! Puts the runs of two sides beside each other, cut where either begins or ends.

use std::collections::VecDeque;

use super::{Kind, Mapped, Piece};
use crate::mappings::Run;
use crate::units::{DataBlock, VirtualBlock};

/// Runs that wait for their counterparts, and the piece that may go on.
#[derive(Debug)]
pub(super) struct Merge {
    with_same: bool,
    compares_times: bool,
    left: VecDeque<Run>,
    right: VecDeque<Run>,
    pending: Option<Piece>,
}

impl Merge {
    pub(super) fn new(with_same: bool, compares_times: bool) -> Self {
        let (left, right) = (VecDeque::new(), VecDeque::new());
        Self { with_same, compares_times, left, right, pending: None }
    }

    /// Takes the runs of the next leaf of either side, or of both.
    pub(super) fn queue(&mut self, runs: Vec<Run>, is_left: bool, is_right: bool) {
        if is_left && is_right {
            self.left.extend(runs.iter().copied());
            self.right.extend(runs);
        } else if is_left {
            self.left.extend(runs);
        } else if is_right {
            self.right.extend(runs);
        }
    }

    /// Appends the pieces that end before a virtual block: from there on runs may be missing.
    pub(super) fn until(&mut self, frontier: Option<u64>, pieces: &mut Vec<Piece>) {
        while let Some(piece) = self.next(frontier) {
            if piece.kind == Kind::Same && !self.with_same {
                continue;
            }
            if !self.pending.as_mut().is_some_and(|pending| pending.extend(&piece)) {
                pieces.extend(self.pending.replace(piece));
            }
        }
    }

    /// The last piece.
    pub(super) const fn end(&mut self) -> Option<Piece> {
        self.pending.take()
    }

    fn next(&mut self, frontier: Option<u64>) -> Option<Piece> {
        let begins_before = |run: &&Run| frontier.is_none_or(|end| run.virtual_begin.get() < end);
        let left = self.left.front().filter(begins_before).copied();
        let right = self.right.front().filter(begins_before).copied();
        let begin_of = |run: Option<Run>| run.map(|run| run.virtual_begin);
        let virtual_begin = begin_of(left).into_iter().chain(begin_of(right)).min()?;
        let room = frontier.map_or(u64::MAX, |end| end.saturating_sub(virtual_begin.get()));
        // A side that begins later ends the piece of the other one.
        let here = |run: Option<Run>| run.filter(|run| run.virtual_begin == virtual_begin);
        let length = [left, right].into_iter().flatten().map(|run| {
            let later = run.virtual_begin.get().saturating_sub(virtual_begin.get());
            if later == 0 { run.length } else { later }
        });
        let length = length.min()?.min(room);
        let mapped = |run: Option<Run>| {
            here(run).map(|run| Mapped { data_begin: run.data_begin, time: run.time })
        };
        let (left, right) = (mapped(left), mapped(right));
        if left.is_some() {
            skip(&mut self.left, length);
        }
        if right.is_some() {
            skip(&mut self.right, length);
        }
        let kind = match (left, right) {
            (Some(left), Some(right)) => {
                let is_same = left.data_begin == right.data_begin
                    && (left.time == right.time || !self.compares_times);
                if is_same { Kind::Same } else { Kind::Different }
            }
            (Some(_), None) => Kind::LeftOnly,
            (None, _) => Kind::RightOnly,
        };
        Some(Piece { kind, virtual_begin, length, left, right })
    }
}

/// Takes blocks from the run that stands first.
fn skip(runs: &mut VecDeque<Run>, length: u64) {
    let Some(run) = runs.front_mut() else { return };
    run.length = run.length.saturating_sub(length);
    if run.length == 0 {
        runs.pop_front();
        return;
    }
    run.virtual_begin = VirtualBlock::new(run.virtual_begin.get().saturating_add(length));
    run.data_begin = DataBlock::new(run.data_begin.get().saturating_add(length));
}

impl Piece {
    /// Takes a piece in that follows on this one, on all sides. Returns whether it did.
    fn extend(&mut self, next: &Self) -> bool {
        let follows = |begin: u64, next: u64| begin.checked_add(self.length) == Some(next);
        let goes_on = |mapped: Option<Mapped>, next: Option<Mapped>| match (mapped, next) {
            (Some(mapped), Some(next)) => {
                mapped.time == next.time && follows(mapped.data_begin.get(), next.data_begin.get())
            }
            (None, None) => true,
            _ => false,
        };
        let joins = self.kind == next.kind
            && follows(self.virtual_begin.get(), next.virtual_begin.get())
            && goes_on(self.left, next.left)
            && goes_on(self.right, next.right);
        if joins {
            self.length = self.length.saturating_add(next.length);
        }
        joins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{DeviceId, Time};

    fn run(virtual_begin: u64, data_begin: u64, length: u64, time: u32) -> Run {
        Run {
            device: DeviceId::default(),
            virtual_begin: VirtualBlock::new(virtual_begin),
            data_begin: DataBlock::new(data_begin),
            length,
            time: Time::new(time),
        }
    }

    /// Pieces as (kind, begin, length, data on the left, data on the right).
    type Shown = (Kind, u64, u64, Option<u64>, Option<u64>);

    fn merged(left: &[Run], right: &[Run], frontiers: &[u64], compares_times: bool) -> Vec<Shown> {
        let mut merge = Merge::new(true, compares_times);
        merge.queue(left.to_vec(), true, false);
        merge.queue(right.to_vec(), false, true);
        let mut pieces = Vec::new();
        for frontier in frontiers.iter().copied().map(Some).chain([None]) {
            merge.until(frontier, &mut pieces);
        }
        pieces.extend(merge.end());
        let data = |mapped: Option<Mapped>| mapped.map(|mapped| mapped.data_begin.get());
        let shown = pieces.iter().map(|piece| {
            let begin = piece.virtual_begin.get();
            (piece.kind, begin, piece.length, data(piece.left), data(piece.right))
        });
        shown.collect()
    }

    #[test]
    fn pieces_are_cut_where_either_side_is() {
        let left = [run(0, 100, 10, 1), run(20, 300, 1, 1), run(u64::MAX, 7, 1, 1)];
        let right = [run(5, 105, 3, 1), run(8, 900, 4, 2), run(u64::MAX, 8, 1, 1)];
        let expected = [
            (Kind::LeftOnly, 0, 5, Some(100), None),
            (Kind::Same, 5, 3, Some(105), Some(105)),
            (Kind::Different, 8, 2, Some(108), Some(900)),
            (Kind::RightOnly, 10, 2, None, Some(902)),
            (Kind::LeftOnly, 20, 1, Some(300), None),
            (Kind::Different, u64::MAX, 1, Some(7), Some(8)),
        ];
        assert_eq!(merged(&left, &right, &[], false), expected);
        // Where windows end is not seen.
        for frontier in 0..25 {
            assert_eq!(merged(&left, &right, &[frontier, frontier + 3], false), expected);
        }
    }

    #[test]
    fn a_break_on_the_data_side_cuts() {
        let right = [run(0, 200, 1, 1), run(1, 300, 1, 1), run(2, 301, 1, 1)];
        let alone =
            [(Kind::RightOnly, 0, 1, None, Some(200)), (Kind::RightOnly, 1, 2, None, Some(300))];
        assert_eq!(merged(&[], &right, &[], false), alone);
        let left = [run(0, 7, 3, 1)];
        let both = [
            (Kind::Different, 0, 1, Some(7), Some(200)),
            (Kind::Different, 1, 2, Some(8), Some(300)),
        ];
        assert_eq!(merged(&left, &right, &[], false), both);
    }

    #[test]
    fn the_time_tells_of_different_metadata_that_a_block_was_given_out_again() {
        let (left, right) = ([run(4, 9, 1, 1)], [run(4, 9, 1, 2)]);
        for (compares_times, kind) in [(false, Kind::Same), (true, Kind::Different)] {
            let expected = [(kind, 4, 1, Some(9), Some(9))];
            assert_eq!(merged(&left, &right, &[], compares_times), expected);
        }
    }
}
