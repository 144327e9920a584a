//! Owners in the words of `thin_rmap`.

use std::mem;

use super::Owner;
use crate::text::{Lines, Text};
use crate::units::DataBlock;

/// Most rows that wait for their order: a device maps a block more than once in crafted pools alone.
const MOST: usize = 1 << 18;

/// A line for each row, by where it begins and ends, as `thin_rmap` has them.
#[derive(Debug, Default)]
pub struct ReverseLines {
    /// Rows that begin at one data block, until one comes that begins behind it: 40 bytes each, at
    /// most 10 MiB.
    here: Vec<Owner>,
}

impl ReverseLines {
    fn write_here(&mut self, text: &mut Text) {
        let mut here = mem::take(&mut self.here);
        here.sort_unstable_by_key(|row| (row.length, row.device, row.virtual_begin));
        for row in here.drain(..) {
            let (data, thin) = (row.data_begin.get(), row.virtual_begin.get());
            text.add("data ").number(data).add("..").number(data.saturating_add(row.length));
            text.add(" -> thin(").number(row.device.get()).add(") ").number(thin);
            text.add("..").end_of(thin, row.length).add("\n");
        }
        self.here = here;
    }

    fn place(&self) -> Option<DataBlock> {
        self.here.first().map(|row| row.data_begin)
    }
}

impl Lines for ReverseLines {
    type Row = Owner;

    fn write(&mut self, rows: &[Owner], text: &mut Text) {
        for row in rows {
            if self.place().is_some_and(|place| place != row.data_begin) {
                self.write_here(text);
            }
            self.here.push(*row);
            if self.here.len() >= MOST {
                self.write_here(text);
            }
        }
    }

    fn end(&mut self, text: &mut Text) {
        self.write_here(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{DeviceId, Time, VirtualBlock};

    fn row(device: u32, virtual_begin: u64, length: u64) -> Owner {
        Owner {
            data_begin: DataBlock::new(5),
            length,
            device: DeviceId::new(device),
            virtual_begin: VirtualBlock::new(virtual_begin),
            time: Time::new(0),
            only_metadata_snapshot: false,
        }
    }

    fn written(rows: &[Owner]) -> (String, String) {
        let (mut lines, mut before, mut end) =
            (ReverseLines::default(), Text::default(), Text::default());
        lines.write(rows, &mut before);
        lines.end(&mut end);
        (before.into(), end.into())
    }

    #[test]
    fn rows_of_one_block_come_by_their_ends_then_by_device() {
        let (before, end) = written(&[row(1, 7, 2), row(2, 7, 1), row(1, u64::MAX, 1)]);
        assert_eq!(before, "");
        let lines: Vec<_> = end.lines().collect();
        assert_eq!(lines[0], "data 5..6 -> thin(1) 18446744073709551615..18446744073709551616");
        assert_eq!(lines[1..], ["data 5..6 -> thin(2) 7..8", "data 5..7 -> thin(1) 7..9"]);
    }

    #[test]
    fn rows_of_one_block_are_not_held_without_end() {
        let rows: Vec<_> = (0..3_u64 << 18).map(|at| row(1, at, 1)).collect();
        let (before, end) = written(&rows);
        assert_eq!(before.lines().count(), 3 << 18);
        assert_eq!(end, "");
    }
}
