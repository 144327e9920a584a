//! How many blocks each two devices share.

use std::mem;
use std::sync::Arc;

use super::Sharing;
use super::classes::Class;
use super::sums::Sums;
use crate::error::Result;
use crate::units::{DeviceId, index_u32, low_u32, widen};
use crate::watch::Watch;

/// Pairs in a batch, before the last row of it.
const BATCH: usize = 32 << 10;

/// Two devices and what they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The device with the lower id.
    pub device_a: DeviceId,
    /// The other one.
    pub device_b: DeviceId,
    /// Data blocks that both reach.
    pub blocks: u64,
}

/// Streams the pairs of devices that share blocks, by ascending ids, row by row.
///
/// Memory: 20 bytes a device, one batch, and for classes with few holders 4 bytes each.
#[derive(Debug)]
pub struct Matrix {
    sharing: Arc<Sharing>,
    /// The position of the device whose row comes next.
    next: u32,
    /// Classes of which every device must look whether they have it.
    large: Vec<usize>,
    /// The classes with few holders, by device.
    small: Vec<u32>,
    /// Where those of each device end.
    ends: Vec<usize>,
    /// Blocks shared with each device; zero between rows.
    row: Sums,
}

impl Matrix {
    /// Begins with the first row.
    #[must_use]
    pub fn new(sharing: Arc<Sharing>) -> Self {
        let devices = sharing.ids.len();
        let is_shared = |class: &Class<'_>| class.blocks > 0 && class.devices > 1;
        let shared = || {
            let all = (0..sharing.classes.len()).zip(sharing.classes.iter());
            all.filter(|(_, class)| is_shared(class))
        };
        let large = shared().filter(|(_, class)| !class.holders.is_list());
        let large = large.map(|(place, _)| place).collect();
        let few = || shared().filter(|(_, class)| class.holders.is_list());
        let mut ends = vec![0_usize; devices];
        for holder in few().flat_map(|(_, class)| class.holders.iter()) {
            if let Some(end) = ends.get_mut(index_u32(holder)) {
                *end = end.saturating_add(1);
            }
        }
        // From numbers to beginnings; putting a class down moves a beginning on to its end.
        let mut total = 0_usize;
        for end in &mut ends {
            total = total.saturating_add(mem::replace(end, total));
        }
        let mut small = vec![0_u32; total];
        for (place, class) in few() {
            for holder in class.holders.iter() {
                let Some(end) = ends.get_mut(index_u32(holder)) else { continue };
                if let Some(slot) = small.get_mut(*end) {
                    *slot = low_u32(widen(place));
                }
                *end = end.saturating_add(1);
            }
        }
        Self { sharing, next: 0, large, small, ends, row: Sums::new(devices) }
    }

    /// The next pairs, about 32 Ki of them, or none at the end.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<Pair>>> {
        let devices = self.sharing.ids.len();
        watch.begin("comparing devices", widen(devices));
        watch.advance(u64::from(self.next))?;
        let mut pairs = Vec::new();
        while index_u32(self.next) < devices && pairs.len() < BATCH {
            watch.advance(1)?;
            self.add_row(&mut pairs);
            self.next = self.next.saturating_add(1);
        }
        Ok(if pairs.is_empty() { None } else { Some(pairs) })
    }

    fn add_row(&mut self, pairs: &mut Vec<Pair>) {
        let Self { sharing, next, large, small, ends, row } = self;
        let at = index_u32(*next);
        let end = |at: usize| ends.get(at).copied().unwrap_or_default();
        let own = small.get(at.checked_sub(1).map_or(0, end)..end(at)).unwrap_or_default();
        let own = own.iter().map(|place| index_u32(*place));
        for class in own.chain(large.iter().copied()).filter_map(|at| sharing.classes.get(at)) {
            if !class.holders.is_list() && !class.holders.contains(*next) {
                continue;
            }
            for span in class.holders.spans_behind(*next) {
                row.add(&span, class.blocks);
            }
        }
        let id = |at: u32| sharing.ids.get(index_u32(at)).copied().unwrap_or_default();
        let device_a = id(*next);
        row.drain(|other, blocks| pairs.push(Pair { device_a, device_b: id(other), blocks }));
    }
}
