//! Blocks by number out of a source: one, or many in the order of their position with
//! neighbours joined into large reads.

use std::sync::Arc;

use zerocopy::IntoBytes;

use crate::error::{Error, Result};
use crate::raw::Page;
use crate::source::BlockSource;
use crate::units::{BLOCK_SIZE, MAX_METADATA_BLOCKS, MetadataBlock, low_u32, widen};
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

    /// How many blocks there are.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// A pointer found on disk, if it names a block that can be pointed at: not the superblock,
    /// not beyond the end.
    #[must_use]
    pub const fn pointer(&self, block: u64) -> Option<MetadataBlock> {
        if block == 0 || block >= self.blocks {
            return None;
        }
        Some(MetadataBlock::new(low_u32(block)))
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
        self.source.read_at(block.offset(), page.bytes_mut()).map_err(|cause| Error::Read {
            block: u64::from(block.get()),
            offset: block.offset(),
            cause,
        })
    }

    /// Reads blocks that are given in ascending order, and calls `each` with the position in
    /// `blocks` and the contents of every one.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] naming the block at which the failed request begins,
    /// [`Error::Cancelled`], or what `each` returns.
    pub fn read_sorted(
        &self,
        blocks: &[MetadataBlock],
        watch: &Watch,
        mut each: impl FnMut(usize, MetadataBlock, &Page) -> Result<()>,
    ) -> Result<()> {
        let mut pages = Page::many(BATCH.min(self.span(blocks)));
        let mut at = 0_usize;
        let mut rest = blocks;
        while let Some(first) = rest.first() {
            let joined = joined(rest);
            let (batch, behind) = rest.split_at(joined);
            let length = batch.last().map_or(1, |last| distance(*first, *last).saturating_add(1));
            let room = pages.get_mut(..length).unwrap_or_default();
            self.read_pages(*first, room)?;
            for block in batch {
                let page = room.get(distance(*first, *block));
                if let Some(page) = page {
                    each(at, *block, page)?;
                }
                at = at.saturating_add(1);
            }
            watch.advance(widen(joined))?;
            rest = behind;
        }
        Ok(())
    }

    /// Blocks from the first to the last, both included.
    fn span(&self, blocks: &[MetadataBlock]) -> usize {
        match (blocks.first(), blocks.last()) {
            (Some(first), Some(last)) => distance(*first, *last).saturating_add(1),
            _ => 0,
        }
    }

    fn read_pages(&self, first: MetadataBlock, pages: &mut [Page]) -> Result<()> {
        let bytes = pages.as_mut_bytes();
        let Err(cause) = self.source.read_at(first.offset(), bytes) else { return Ok(()) };
        if bytes.len() > BLOCK_SIZE && cause.kind() != std::io::ErrorKind::Interrupted {
            // One bad block fails the whole request: find it, so that the error names it.
            for (block, page) in (first.get()..).map(MetadataBlock::new).zip(pages) {
                self.read(block, page)?;
            }
            return Ok(());
        }
        Err(Error::Read { block: u64::from(first.get()), offset: first.offset(), cause })
    }
}

/// How many of the leading blocks are near enough to be read at once.
fn joined(blocks: &[MetadataBlock]) -> usize {
    let Some(first) = blocks.first() else { return 0 };
    let near = blocks.iter().zip(blocks.iter().skip(1)).take_while(|(block, next)| {
        next.get().saturating_sub(block.get()) <= MAX_GAP && distance(*first, **next) < BATCH
    });
    near.count().saturating_add(1)
}

fn distance(first: MetadataBlock, block: MetadataBlock) -> usize {
    block.index().saturating_sub(first.index())
}
