//! The data device as a row of cells, and what is in each.

use super::Sharing;
use super::classes::Kind;
use super::refine::ClassOf;
use super::space::BlockRuns;
use super::usage::add;
use crate::units::{index_u32, index_u64, widen};

/// Cells that a picture has at most: more than there are dots on a screen.
const MOST_CELLS: u64 = 1 << 20;

/// A stretch of the data device, in data blocks. Free, one device, several devices, only in the
/// metadata snapshot and leaked add up to its blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Counted as free, and reached by nobody.
    pub free: u64,
    /// Reached by one device.
    pub one_device: u64,
    /// Reached by several devices.
    pub several_devices: u64,
    /// Reached by the metadata snapshot alone.
    pub only_metadata_snapshot: u64,
    /// Counted as used, reached by nobody.
    pub leaked: u64,
    /// Of those reached, counted as free.
    pub missing: u64,
}

impl Cell {
    fn add(&mut self, kind: Kind, blocks: u64) {
        let sum = match kind {
            Kind::Unreached => return,
            Kind::OneDevice => &mut self.one_device,
            Kind::SeveralDevices => &mut self.several_devices,
            Kind::OnlySnapshot => &mut self.only_metadata_snapshot,
        };
        add(sum, blocks);
    }

    /// What is left of so many blocks is free.
    fn fill_up(&mut self, blocks: u64) {
        let Self { one_device, several_devices, only_metadata_snapshot, leaked, .. } = *self;
        let others = [one_device, several_devices, only_metadata_snapshot, leaked];
        self.free = others.into_iter().fold(blocks, u64::saturating_sub);
    }
}

/// The cells, while they are filled.
struct Cells {
    /// Blocks in each but the last, which may have fewer.
    size: u64,
    cells: Vec<Cell>,
}

impl Cells {
    /// Hands over the cells that a run lies in, each with its number of blocks of the run.
    fn each(&mut self, mut begin: u64, length: u64, mut note: impl FnMut(&mut Cell, u64)) {
        let end = begin.saturating_add(length);
        while begin < end {
            let at = begin.checked_div(self.size).unwrap_or_default();
            let cell_end = at.saturating_add(1).saturating_mul(self.size);
            let part = cell_end.min(end).saturating_sub(begin);
            let Some(cell) = self.cells.get_mut(index_u64(at)) else { return };
            note(cell, part);
            begin = begin.saturating_add(part);
        }
    }

    fn note(&mut self, runs: &BlockRuns, field: impl Fn(&mut Cell) -> &mut u64) {
        for run in &runs.runs {
            self.each(run.begin, run.length, |cell, blocks| add(field(cell), blocks));
        }
    }
}

impl Sharing {
    /// The data device cut into at most so many cells of one size, and never into more than a
    /// million or so; the last may be smaller. Not known through a metadata snapshot: what is free is not.
    ///
    /// Memory: 48 bytes a cell.
    #[must_use]
    pub fn picture(&self, cells: u64) -> Option<Vec<Cell>> {
        let differences = self.differences.as_ref()?;
        let size = self.data_blocks.div_ceil(cells.clamp(1, MOST_CELLS)).max(1);
        let count = index_u64(self.data_blocks.div_ceil(size));
        let mut cells = Cells { size, cells: vec![Cell::default(); count] };
        let kinds = self.classes.kinds();
        let kind = |class: u32| kinds.get(index_u32(class)).copied().unwrap_or(Kind::Unreached);
        match &self.class_of {
            ClassOf::Flat(classes) => {
                let slices = classes.chunks(index_u64(size));
                for (cell, slice) in cells.cells.iter_mut().zip(slices) {
                    for alike in slice.chunk_by(|one, other| one == other) {
                        let class = alike.first().copied().unwrap_or_default();
                        cell.add(kind(class), widen(alike.len()));
                    }
                }
            }
            ClassOf::Sparse(classes) => {
                for (block, class) in classes {
                    cells.each(*block, 1, |cell, blocks| cell.add(kind(*class), blocks));
                }
            }
        }
        cells.note(&differences.leaked, |cell| &mut cell.leaked);
        cells.note(&differences.missing, |cell| &mut cell.missing);
        let mut left = self.data_blocks;
        for cell in &mut cells.cells {
            cell.fill_up(left.min(size));
            left = left.saturating_sub(size);
        }
        Some(cells.cells)
    }
}
