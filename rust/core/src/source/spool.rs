//! Where unpacked blocks are kept: the non-zero ones, in memory while they are few, in an unlinked
//! sparse file when they are many. 141 KiB can unpack to 4 GiB of mostly zeros.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::BlockSource;
use crate::raw::Page;
use crate::units::{BLOCK_BYTES, BLOCK_SIZE, index_u32, index_u64, widen};

/// Most bytes that an archive may unpack to: no metadata device needs more than 15.875 GiB.
pub const MAX_UNPACKED_BYTES: u64 = 16 << 30;

/// Most non-zero blocks kept in memory: 64 MiB. More go to a file.
const MAX_BLOCKS_IN_MEMORY: usize = (64 << 20) / BLOCK_SIZE;

/// The non-zero blocks of something unpacked.
#[derive(Debug)]
pub(super) struct SpooledSource {
    length: u64,
    blocks: Blocks,
}

#[derive(Debug)]
enum Blocks {
    /// Numbers of the blocks, ascending, with the places of their contents.
    Memory(Vec<(u64, u32)>, Vec<Page>),
    /// A sparse file without a name, of the source's length.
    File(File),
}

/// Why something that unpacks to so many bytes is not unpacked, if it is too large.
pub(super) fn check_size(length: u64) -> io::Result<()> {
    if length <= MAX_UNPACKED_BYTES {
        return Ok(());
    }
    let limit = format!("it holds more than {} GiB", MAX_UNPACKED_BYTES >> 30);
    Err(io::Error::new(io::ErrorKind::FileTooLarge, limit))
}

/// Takes blocks in, in any order.
#[derive(Debug)]
pub(super) struct Spool(Blocks);

impl Spool {
    pub(super) const fn new() -> Self {
        Self(Blocks::Memory(Vec::new(), Vec::new()))
    }

    /// Keeps a block, unless it is zero. Each number comes once.
    pub(super) fn push(&mut self, block: u64, page: &Page) -> io::Result<()> {
        if page.is_zero() {
            return Ok(());
        }
        if let Blocks::Memory(numbers, pages) = &mut self.0 {
            if pages.len() < MAX_BLOCKS_IN_MEMORY
                && let Ok(place) = u32::try_from(pages.len())
            {
                numbers.push((block, place));
                pages.push(page.clone());
                return Ok(());
            }
            let file = tempfile::tempfile()?;
            for ((number, _), page) in numbers.iter().zip(pages.iter()) {
                file.write_all_at(page.bytes(), number.saturating_mul(BLOCK_BYTES))?;
            }
            self.0 = Blocks::File(file);
        }
        match &self.0 {
            Blocks::File(file) => {
                file.write_all_at(page.bytes(), block.saturating_mul(BLOCK_BYTES))
            }
            Blocks::Memory(..) => Ok(()),
        }
    }

    /// All blocks, as a source of so many bytes.
    pub(super) fn finish(mut self, length: u64) -> io::Result<SpooledSource> {
        match &mut self.0 {
            Blocks::File(file) => file.set_len(length)?,
            Blocks::Memory(numbers, _) => numbers.sort_unstable(),
        }
        Ok(SpooledSource { length, blocks: self.0 })
    }
}

impl BlockSource for SpooledSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(widen(buffer.len())) > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (numbers, pages) = match &self.blocks {
            Blocks::File(file) => return file.read_exact_at(buffer, offset),
            Blocks::Memory(numbers, pages) => (numbers, pages),
        };
        let mut at = offset;
        let mut room = buffer;
        while !room.is_empty() {
            let (block, skip) = (at / BLOCK_BYTES, index_u64(at % BLOCK_BYTES));
            let length = room.len().min(BLOCK_SIZE.saturating_sub(skip));
            let (part, behind) = room.split_at_mut(length);
            let found = numbers.binary_search_by_key(&block, |(number, _)| *number).ok();
            let place = found.and_then(|found| numbers.get(found));
            let page = place.and_then(|(_, place)| pages.get(index_u32(*place)));
            let bytes = page.and_then(|page| page.bytes().get(skip..skip.saturating_add(length)));
            match bytes {
                Some(bytes) => part.copy_from_slice(bytes),
                None => part.fill(0),
            }
            at = at.saturating_add(widen(length));
            room = behind;
        }
        Ok(())
    }

    fn can_change(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_file_hold_the_same() {
        let length = 10 * BLOCK_BYTES + 100;
        let mut spool = Spool::new();
        let mut bytes = vec![0_u8; index_u64(length)];
        for block in [7_u64, 3, 9, 4] {
            let mut page = Page::zeroed();
            page.bytes_mut()[17] = u8::try_from(block).unwrap();
            bytes[index_u64(block) * BLOCK_SIZE + 17] = page.bytes()[17];
            spool.push(block, &page).unwrap();
        }
        spool.push(1, &Page::zeroed()).unwrap();
        let mut spooled = spool.finish(length).unwrap();
        let read_all = |spooled: &SpooledSource| {
            let mut read = vec![1; bytes.len()];
            spooled.read_at(0, &mut read).unwrap();
            let mut odd = [1; 5000];
            spooled.read_at(3 * BLOCK_BYTES + 17, &mut odd).unwrap();
            assert_eq!(odd, bytes[3 * BLOCK_SIZE + 17..][..5000]);
            read
        };
        assert_eq!(read_all(&spooled), bytes);
        let mut beyond = [0; 2];
        assert!(spooled.read_at(spooled.len() - 1, &mut beyond).is_err());

        // The same blocks, as if they were too many.
        let Blocks::Memory(numbers, pages) = &spooled.blocks else { panic!("a few blocks") };
        assert_eq!(pages.len(), 4, "zeros take no room");
        let file = tempfile::tempfile().unwrap();
        for (number, place) in numbers {
            let page = &pages[index_u32(*place)];
            file.write_all_at(page.bytes(), number * BLOCK_BYTES).unwrap();
        }
        file.set_len(length).unwrap();
        spooled.blocks = Blocks::File(file);
        assert_eq!(read_all(&spooled), bytes);
    }
}
