//! Reference counts while a pool is built: a byte a block, in pages the size of a bitmap.

use std::collections::BTreeMap;

use thinscope_core::raw::BITMAP_ENTRIES;

/// Counts in a page.
const PAGE: usize = BITMAP_ENTRIES as usize;

/// The byte that sends to the map of large counts.
const LARGE: u8 = 255;

/// A count for every block of a device; pages without a count take no memory.
#[derive(Debug, Default)]
pub struct Counts {
    pages: Vec<Option<Box<[u8]>>>,
    large: BTreeMap<u64, u32>,
    allocated: u64,
}

impl Counts {
    /// Counts one more reference.
    pub fn increment(&mut self, block: u64) {
        let page = (block / BITMAP_ENTRIES) as usize;
        if page >= self.pages.len() {
            self.pages.resize(page + 1, None);
        }
        let page = self.pages[page].get_or_insert_with(|| vec![0; PAGE].into_boxed_slice());
        let count = &mut page[(block % BITMAP_ENTRIES) as usize];
        match *count {
            LARGE => *self.large.entry(block).or_default() += 1,
            0 => {
                *count = 1;
                self.allocated += 1;
            }
            _ => {
                *count += 1;
                if *count == LARGE {
                    self.large.insert(block, u32::from(LARGE));
                }
            }
        }
    }

    /// Counts one reference less.
    ///
    /// # Panics
    ///
    /// Where there was none: a mistake of the builder, not of its input.
    pub fn decrement(&mut self, block: u64) {
        let page = self.pages[(block / BITMAP_ENTRIES) as usize].as_mut();
        let count = &mut page.expect("a count to take from")[(block % BITMAP_ENTRIES) as usize];
        if *count == LARGE {
            let large = self.large.get_mut(&block).expect("a large count");
            *large -= 1;
            if *large < u32::from(LARGE) {
                self.large.remove(&block);
                *count = LARGE - 1;
            }
            return;
        }
        *count = count.checked_sub(1).expect("a count to take from");
        if *count == 0 {
            self.allocated -= 1;
        }
    }

    /// The count of a block.
    #[must_use]
    pub fn get(&self, block: u64) -> u32 {
        let page = self.pages.get((block / BITMAP_ENTRIES) as usize).and_then(Option::as_ref);
        match page.map_or(0, |page| page[(block % BITMAP_ENTRIES) as usize]) {
            LARGE => self.large.get(&block).copied().unwrap_or_default(),
            count => u32::from(count),
        }
    }

    /// Blocks with a count.
    #[must_use]
    pub const fn allocated(&self) -> u64 {
        self.allocated
    }

    /// One more than the highest block with a count.
    #[must_use]
    pub fn end(&self) -> u64 {
        let last = |page: &Option<Box<[u8]>>| page.as_ref()?.iter().rposition(|count| *count > 0);
        let found =
            self.pages.iter().enumerate().rev().find_map(|(n, page)| Some((n, last(page)?)));
        found.map_or(0, |(page, at)| page as u64 * BITMAP_ENTRIES + at as u64 + 1)
    }

    /// The counts of the blocks that one bitmap stands for, cut at 255; none: all zero.
    #[must_use]
    pub fn page(&self, bitmap: u64) -> Option<&[u8]> {
        self.pages.get(bitmap as usize)?.as_deref()
    }

    /// The counts that do not fit a bitmap, by block.
    pub fn overflow(&self) -> impl Iterator<Item = (u64, u32)> {
        let pages = (0_u64..).zip(&self.pages);
        let counts = pages.filter_map(|(n, page)| Some((n * BITMAP_ENTRIES, page.as_deref()?)));
        counts.flat_map(move |(begin, page)| {
            let large = (0_u64..).zip(page).filter(|(_, count)| **count > 2);
            large.map(move |(at, _)| (begin + at, self.get(begin + at)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_a_byte() {
        let mut counts = Counts::default();
        for _ in 0..300 {
            counts.increment(20_000);
        }
        counts.increment(3);
        assert_eq!((counts.get(20_000), counts.get(3), counts.get(99_999)), (300, 1, 0));
        assert_eq!((counts.allocated(), counts.end()), (2, 20_001));
        assert_eq!(counts.overflow().collect::<Vec<_>>(), [(20_000, 300)]);
        for _ in 0..298 {
            counts.decrement(20_000);
        }
        assert_eq!(counts.get(20_000), 2);
        assert_eq!(counts.overflow().count(), 0);
        counts.decrement(3);
        assert_eq!(counts.allocated(), 1);
    }
}
