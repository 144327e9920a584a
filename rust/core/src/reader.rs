//! Blocks by number out of a source: one, or many in the order of their position with
//! neighbours joined into large reads.

use std::sync::Arc;

use zerocopy::IntoBytes;

use crate::error::{Error, Result};
use crate::raw::Page;
use crate::source::BlockSource;
use crate::units::{self, MAX_METADATA_BLOCKS, MetadataBlock, widen};
use crate::watch::Watch;

/// Most blocks read at once: 512 KiB.
const BATCH: usize = 128;

/// Blocks that nobody asked for, up to this many in a row, are read along rather than skipped:
/// reading 32 KiB more costs less than another request.
const MAX_GAP: u32 = 8;

/// The metadata blocks of a source.
#[derive(Clone, Debug)]
pub struct Reader {
    source: Arc<dyn BlockSource>,
    blocks: u64,
}

impl Reader {
    /// Reads the first `blocks` blocks of a source.
    #[must_use]
    pub fn new(source: Arc<dyn BlockSource>, blocks: u64) -> Self {
        Self { source, blocks: blocks.min(MAX_METADATA_BLOCKS) }
    }

    /// The source of the blocks.
    #[must_use]
    pub fn source(&self) -> &dyn BlockSource {
        &*self.source
    }

    /// The same source with no more than so many blocks.
    #[must_use]
    pub(crate) fn limited(&self, blocks: u64) -> Self {
        Self::new(Arc::clone(&self.source), blocks.min(self.blocks))
    }

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// A pointer found on disk, if it names a block of these; see [`units::pointer`].
    #[must_use]
    pub const fn pointer(&self, block: u64) -> Option<MetadataBlock> {
        units::pointer(block, self.blocks)
    }

    /// What [`pointer`](Self::pointer) asks for, in words.
    #[must_use]
    pub fn pointer_rule(&self) -> String {
        format!("a block from 1 to {}", self.blocks.saturating_sub(1))
    }

    /// Reads one block.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], naming the block.
    pub fn read(&self, block: MetadataBlock, page: &mut Page) -> Result<()> {
        let read = self.source.read_at(block.offset(), page.bytes_mut());
        read.map_err(|cause| read_error(block, cause))
    }

    /// Reads blocks that are given in ascending order, and calls `each` with the position in
    /// `blocks` and the contents of every one.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] naming the first wanted block that cannot be read, [`Error::Cancelled`],
    /// or what `each` returns.
    pub fn read_sorted(
        &self,
        blocks: &[MetadataBlock],
        watch: &Watch,
        mut each: impl FnMut(usize, MetadataBlock, &Page) -> Result<()>,
    ) -> Result<()> {
        self.read_each(blocks, watch, |at, block, page| each(at, block, page?))
    }

    /// The same for who goes on where a block cannot be read: `each` is told why.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`], or what `each` returns.
    pub fn read_each(
        &self,
        blocks: &[MetadataBlock],
        watch: &Watch,
        mut each: impl FnMut(usize, MetadataBlock, Result<&Page>) -> Result<()>,
    ) -> Result<()> {
        let mut pages = Page::many(BATCH.min(span(blocks)));
        let mut at = 0_usize;
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            let joined = joined(rest);
            let (batch, behind) = rest.split_at(joined);
            let length = batch.last().map_or(1, |last| distance(*first, *last).saturating_add(1));
            let room = pages.get_mut(..length).unwrap_or_default();
            let mut read = self.source.read_at(first.offset(), room.as_mut_bytes());
            for block in batch {
                if let Some(page) = room.get_mut(distance(*first, *block)) {
                    let page = match std::mem::replace(&mut read, Ok(())) {
                        Ok(()) => Ok(&*page),
                        Err(cause) if length == 1 => Err(read_error(*block, cause)),
                        // One bad block fails the whole request, and it may be one that nobody
                        // asked for: read the wanted ones alone, so that an error is theirs.
                        Err(cause) => {
                            read = Err(cause);
                            self.read(*block, page).map(|()| &*page)
                        }
                    };
                    each(at, *block, page)?;
                }
                at = at.saturating_add(1);
            }
            watch.advance(widen(joined))?;
            rest = behind;
        }
        Ok(())
    }
}

fn read_error(block: MetadataBlock, cause: std::io::Error) -> Error {
    Error::Read { block: u64::from(block.get()), offset: block.offset(), cause }
}

/// Blocks from the first to the last, both included.
fn span(blocks: &[MetadataBlock]) -> usize {
    match (blocks.first(), blocks.last()) {
        (Some(first), Some(last)) => distance(*first, *last).saturating_add(1),
        _ => 0,
    }
}

/// How many of the leading blocks are near enough to be read at once.
fn joined(blocks: &[MetadataBlock]) -> usize {
    let Some(first) = blocks.first() else {
        return 0;
    };
    let near = blocks.iter().zip(blocks.iter().skip(1)).take_while(|(block, next)| {
        next.get().saturating_sub(block.get()) <= MAX_GAP && distance(*first, **next) < BATCH
    });
    near.count().saturating_add(1)
}

fn distance(first: MetadataBlock, block: MetadataBlock) -> usize {
    block.index().saturating_sub(first.index())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    /// Notes every request; fails those that touch a bad block.
    #[derive(Debug)]
    struct Noting {
        requests: Mutex<Vec<(u64, usize)>>,
        bad: Option<u64>,
    }

    impl BlockSource for Noting {
        fn len(&self) -> u64 {
            4096 * 1000
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            let (first, count) = (offset / 4096, buffer.len() / 4096);
            self.requests.lock().unwrap().push((first, count));
            if self
                .bad
                .is_some_and(|bad| (first..first.saturating_add(widen(count))).contains(&bad))
            {
                return Err(io::Error::other("bad block"));
            }
            for (at, block) in buffer.chunks_mut(4096).enumerate() {
                block.fill(u8::try_from(first.saturating_add(widen(at)) % 251).unwrap());
            }
            Ok(())
        }

        fn can_change(&self) -> bool {
            false
        }
    }

    fn read(blocks: &[u32], bad: Option<u64>) -> (Result<Vec<u32>>, Vec<(u64, usize)>) {
        let source = Arc::new(Noting { requests: Mutex::default(), bad });
        let reader = Reader::new(Arc::<Noting>::clone(&source), 1000);
        let blocks: Vec<_> = blocks.iter().map(|block| MetadataBlock::new(*block)).collect();
        let mut seen = Vec::new();
        let result = reader.read_sorted(&blocks, &Watch::new(), |at, block, page| {
            assert_eq!(blocks[at], block);
            assert_eq!(u32::from(page.bytes()[4095]), block.get() % 251);
            seen.push(block.get());
            Ok(())
        });
        let requests = source.requests.lock().unwrap().clone();
        (result.map(|()| seen), requests)
    }

    #[test]
    fn joins_near_blocks_and_reads_each_once() {
        let (seen, requests) = read(&[1, 2, 3, 10, 400, 402], None);
        assert_eq!(seen.unwrap(), [1, 2, 3, 10, 400, 402]);
        assert_eq!(requests, [(1, 10), (400, 3)]);
    }

    #[test]
    fn requests_are_bounded() {
        let blocks: Vec<u32> = (1..700).collect();
        let (seen, requests) = read(&blocks, None);
        assert_eq!(seen.unwrap(), blocks);
        assert!(requests.iter().all(|(_, count)| *count <= BATCH));
        assert_eq!(requests.len(), 699_usize.div_ceil(BATCH));
    }

    #[test]
    fn a_bad_block_is_named() {
        let (seen, _) = read(&[1, 2, 3], Some(2));
        assert!(matches!(seen, Err(Error::Read { block: 2, offset: 8192, .. })));
    }

    #[test]
    fn a_bad_block_that_nobody_asked_for_is_read_around() {
        let (seen, requests) = read(&[1, 3], Some(2));
        assert_eq!(seen.unwrap(), [1, 3]);
        assert_eq!(requests, [(1, 3), (1, 1), (3, 1)]);
    }
}
