//! Sums over devices, of which spans are added to at a time.
//!
//! What devices share lies in spans of neighbours, since snapshots are taken one after the other.
//! A span is noted where it begins and where it ends, whatever its length.

use std::mem;
use std::ops::Range;

use crate::units::index_u32;

/// Devices in a stretch.
const STRETCH: usize = 64;

/// Blocks by device.
///
/// Memory: 8 bytes a device.
#[derive(Debug)]
pub(super) struct Sums {
    /// By how much the sum changes at each device, modulo 2⁶⁴, as sums of fewer than 2⁶⁴ blocks
    /// can be.
    changes: Vec<u64>,
    /// Whether there may be changes in each stretch.
    touched: Vec<bool>,
}

impl Sums {
    /// All zero, for so many devices.
    pub(super) fn new(devices: usize) -> Self {
        Self { changes: vec![0; devices], touched: vec![false; devices.div_ceil(STRETCH)] }
    }

    /// Adds to each device of a span; the metadata snapshot, which stands behind all devices, is
    /// passed over.
    pub(super) fn add(&mut self, span: &Range<u32>, blocks: u64) {
        self.change(span.start, blocks);
        self.change(span.end, blocks.wrapping_neg());
    }

    fn change(&mut self, at: u32, by: u64) {
        let at = index_u32(at);
        if let (Some(change), Some(touched)) =
            (self.changes.get_mut(at), self.touched.get_mut(at / STRETCH))
        {
            *change = change.wrapping_add(by);
            *touched = true;
        }
    }

    /// Hands over the devices whose sums are not zero, ascending, with these; then all are zero.
    pub(super) fn drain(&mut self, mut each: impl FnMut(u32, u64)) {
        let mut sum = 0_u64;
        let stretches = self.changes.chunks_mut(STRETCH).zip(&mut self.touched);
        for (begin, (changes, touched)) in (0_u32..).step_by(STRETCH).zip(stretches) {
            if !mem::take(touched) && sum == 0 {
                continue;
            }
            for (device, change) in (begin..).zip(changes) {
                sum = sum.wrapping_add(mem::take(change));
                if sum > 0 {
                    each(device, sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_add_up() {
        let mut sums = Sums::new(5);
        for _ in 0..2 {
            for (span, blocks) in [(0..3, 5), (2..6, 7), (4..5, 1), (5..6, 100), (1..1, 9)] {
                sums.add(&span, blocks);
            }
            let mut found = Vec::new();
            sums.drain(|device, sum| found.push((device, sum)));
            assert_eq!(found, [(0, 5), (1, 5), (2, 12), (3, 7), (4, 8)]);
        }
        sums.drain(|_, _| panic!("all are zero"));
    }
}
