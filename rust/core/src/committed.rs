//! The state of a pool as it was committed when it was opened, and whether it is the pool's still.
//!
//! dm-thin never reuses a live block before the next commit, and a commit rewrites the
//! superblock: the same superblock before and after means that one committed state was read.

use crate::error::{Error, Result};
use crate::raw::Page;
use crate::reader::Reader;
use crate::superblock::{Superblock, View, held_root};
use crate::units::MetadataBlock;

/// The bytes that tell whether the pool has committed since: the superblock of the view.
#[derive(Debug)]
pub(crate) struct Committed {
    view: View,
    block: MetadataBlock,
    page: Box<Page>,
}

impl Committed {
    /// The live pool, of which this is block 0.
    pub(crate) const fn live(page: Box<Page>) -> Self {
        Self { view: View::Live, block: MetadataBlock::new(0), page }
    }

    /// Any state of a pool of which this is block 0, zeros where it cannot be read.
    pub(crate) const fn salvaged(page: Box<Page>) -> Self {
        Self { view: View::Salvaged, block: MetadataBlock::new(0), page }
    }

    /// Checks that the pool is still in this state.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`], or [`Error::Read`].
    pub(crate) fn check(&self, reader: &Reader) -> Result<()> {
        if !reader.source().can_change() {
            return Ok(());
        }
        // The live superblock goes on; what must stay is the held root and its block.
        if self.view == View::MetadataSnapshot && !still_holds(reader, self.block)? {
            return Err(Error::Changed);
        }
        let mut page = Page::zeroed();
        match reader.read(self.block, &mut page) {
            // It could not be read before either.
            Err(_) if self.view == View::Salvaged && self.page.is_zero() => return Ok(()),
            read => read?,
        }
        if page.bytes() == self.page.bytes() { Ok(()) } else { Err(Error::Changed) }
    }
}

/// The superblock that the metadata snapshot of a pool holds, of which `live` is block 0.
///
/// # Errors
///
/// [`Error::NoMetadataSnapshot`], [`Error::Changed`], [`Error::Read`], or the first field that
/// breaks a rule.
pub(crate) fn held(reader: &Reader, live: &Superblock) -> Result<(Superblock, Committed)> {
    let block = live.metadata_snapshot.ok_or(Error::NoMetadataSnapshot)?;
    let mut page = Page::zeroed();
    reader.read(block, &mut page)?;
    let superblock = Superblock::parse_snapshot(&page, block, live, reader.blocks());
    if superblock.is_err() && !still_holds(reader, block)? {
        return Err(Error::Changed);
    }
    Ok((superblock?, Committed { view: View::MetadataSnapshot, block, page }))
}

/// Whether block 0 still names this block as the metadata snapshot. A block that is torn, since
/// it is being written, does not.
fn still_holds(reader: &Reader, block: MetadataBlock) -> Result<bool> {
    let mut page = Page::zeroed();
    reader.read(MetadataBlock::new(0), &mut page)?;
    Ok(held_root(&page) == Some(u64::from(block.get())))
}
