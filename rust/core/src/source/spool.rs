//! What a compressed source unpacks to: its non-zero blocks, in memory while they are few, in
//! an unlinked sparse file when they are many. 141 KiB can unpack to 4 GiB of mostly zeros.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::BlockSource;
use super::identify::Compression;
use crate::error::{Error, Result};
use crate::raw::Page;
use crate::units::{BLOCK_BYTES, BLOCK_SIZE, index_u64, widen};
use crate::watch::Watch;

/// Most bytes that an archive may unpack to: no metadata device needs more than 15.875 GiB.
pub const MAX_UNPACKED_BYTES: u64 = 16 << 30;

/// Most non-zero blocks kept in memory: 64 MiB. More go to a file.
const MAX_BLOCKS_IN_MEMORY: usize = (64 << 20) / BLOCK_SIZE;

/// How much of the archive is read at a time.
const CHUNK_PAGES: usize = 64;

/// The non-zero blocks of an unpacked archive.
#[derive(Debug)]
pub struct SpooledSource {
    length: u64,
    blocks: Blocks,
}

#[derive(Debug)]
enum Blocks {
    /// Numbers of the blocks, ascending, and their contents in the same order.
    Memory(Vec<u64>, Vec<Page>),
    /// A sparse file without a name, of the source's length.
    File(File),
}

/// Unpacks a whole source.
///
/// # Errors
///
/// [`Error::Unpack`] where the archive is broken, or larger than [`MAX_UNPACKED_BYTES`];
/// [`Error::Cancelled`].
pub fn unpack(
    source: Arc<dyn BlockSource>,
    compression: Compression,
    watch: &Watch,
) -> Result<SpooledSource> {
    watch.begin("unpacking", source.len());
    let pages = Page::many(CHUNK_PAGES);
    let packed = PackedReader { source, watch, offset: 0, pages, start: 0, end: 0 };
    match compression {
        Compression::Gzip => spool(flate2::read::MultiGzDecoder::new(packed), watch),
        Compression::Zstd => {
            let decoder = zstd::Decoder::with_buffer(io::BufReader::new(packed));
            spool(decoder.map_err(Error::Unpack)?, watch)
        }
    }
}

fn spool(mut unpacked: impl Read, watch: &Watch) -> Result<SpooledSource> {
    let mut page = Page::zeroed();
    let mut spooled = SpooledSource { length: 0, blocks: Blocks::Memory(Vec::new(), Vec::new()) };
    for block in 0_u64.. {
        watch.advance(0)?;
        let filled = match fill(&mut unpacked, page.bytes_mut()) {
            Ok(filled) => filled,
            Err(error) => {
                // What a cancelled read made of the archive is no fault of it.
                watch.advance(0)?;
                return Err(Error::Unpack(error));
            }
        };
        spooled.length = spooled.length.saturating_add(widen(filled));
        if spooled.length > MAX_UNPACKED_BYTES {
            let limit = format!("it holds more than {} GiB", MAX_UNPACKED_BYTES >> 30);
            return Err(Error::Unpack(io::Error::new(io::ErrorKind::FileTooLarge, limit)));
        }
        if !page.is_zero() {
            spooled.blocks.push(block, &page).map_err(Error::Unpack)?;
        }
        if filled < BLOCK_SIZE {
            break;
        }
    }
    if let Blocks::File(file) = &spooled.blocks {
        file.set_len(spooled.length).map_err(Error::Unpack)?;
    }
    Ok(spooled)
}

/// Fills the buffer, or as much of it as there is; the rest becomes zeros.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(room @ [_, ..]) = buffer.get_mut(filled..) {
        match reader.read(room) {
            Ok(0) => {
                room.fill(0);
                break;
            }
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Blocks {
    fn push(&mut self, block: u64, page: &Page) -> io::Result<()> {
        if let Self::Memory(numbers, pages) = self {
            if numbers.len() < MAX_BLOCKS_IN_MEMORY {
                numbers.push(block);
                pages.push(page.clone());
                return Ok(());
            }
            let file = tempfile::tempfile()?;
            for (number, page) in numbers.iter().zip(pages.iter()) {
                file.write_all_at(page.bytes(), number.saturating_mul(BLOCK_BYTES))?;
            }
            *self = Self::File(file);
        }
        match self {
            Self::File(file) => file.write_all_at(page.bytes(), block.saturating_mul(BLOCK_BYTES)),
            Self::Memory(..) => Ok(()),
        }
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
            let page = numbers.binary_search(&block).ok().and_then(|found| pages.get(found));
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

/// The archive's bytes in sequence, read in aligned pieces.
struct PackedReader<'a> {
    source: Arc<dyn BlockSource>,
    /// Told of each byte read: an archive can be long, and unpack to nothing.
    watch: &'a Watch,
    offset: u64,
    pages: Vec<Page>,
    start: usize,
    end: usize,
}

impl Read for PackedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            let room = self.pages.as_mut_slice().as_mut_bytes();
            let left = self.source.len().saturating_sub(self.offset);
            let length = room.len().min(index_u64(left));
            self.watch.advance(widen(length)).map_err(io::Error::other)?;
            self.source.read_at(self.offset, room.get_mut(..length).unwrap_or_default())?;
            self.offset = self.offset.saturating_add(widen(length));
            (self.start, self.end) = (0, length);
        }
        let bytes = self.pages.as_slice().as_bytes().get(self.start..self.end).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        self.start = self.start.saturating_add(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    #[test]
    fn memory_and_file_hold_the_same() {
        let mut bytes = vec![0_u8; 10 * BLOCK_SIZE + 100];
        for (at, byte) in bytes.iter_mut().enumerate().skip(3 * BLOCK_SIZE).step_by(7000) {
            *byte = u8::try_from(at % 251).unwrap();
        }
        let packed = zstd::encode_all(bytes.as_slice(), 1).unwrap();
        let source = Arc::new(MemorySource::new(packed));
        let mut spooled = unpack(source, Compression::Zstd, &Watch::new()).unwrap();
        assert!(matches!(spooled.blocks, Blocks::Memory(..)));
        let read_all = |spooled: &SpooledSource| {
            let mut read = vec![1; bytes.len()];
            spooled.read_at(0, &mut read).unwrap();
            let mut odd = [1; 5000];
            spooled.read_at(3 * 4096 + 17, &mut odd).unwrap();
            assert_eq!(odd, bytes[3 * 4096 + 17..][..5000]);
            read
        };
        assert_eq!(read_all(&spooled), bytes);
        let mut beyond = [0; 2];
        assert!(spooled.read_at(spooled.len() - 1, &mut beyond).is_err());

        // The same blocks, as if they were too many.
        let file = tempfile::tempfile().unwrap();
        file.set_len(spooled.length).unwrap();
        if let Blocks::Memory(numbers, pages) = &spooled.blocks {
            for (number, page) in numbers.iter().zip(pages) {
                let length = BLOCK_SIZE.min(bytes.len() - index_u64(number * 4096));
                file.write_all_at(&page.bytes()[..length], number * 4096).unwrap();
            }
        }
        spooled.blocks = Blocks::File(file);
        assert_eq!(read_all(&spooled), bytes);
    }
}
