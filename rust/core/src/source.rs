//! Where blocks come from: positioned reads of a file, a device, memory, a caller, or of what a
//! compressed file unpacks to, or of ranges of all these. No source can be written to: none is opened for it.

mod callback;
mod extents;
mod file;
pub mod identify;
mod in_use;
mod memory;
mod pack;
mod spool;
mod unpack;

use std::fmt::Debug;
use std::io;

use zerocopy::IntoBytes;

use crate::error::{Error, Result};
use crate::raw::Page;
use crate::units::{BLOCK_BYTES, index_u64};

pub use callback::{CallbackSource, ReadRequest};
pub use extents::{Extents, Piece, Stripe};
pub use file::{FileSource, Sharing};
pub use memory::MemorySource;
pub use spool::MAX_UNPACKED_BYTES;
pub use unpack::opened;
pub(crate) use unpack::unpacked;

/// The bytes of a range of a source, fewer where it ends, read in whole aligned blocks: what is
/// read around the page cache must be both.
///
/// # Errors
///
/// [`Error::Read`].
pub fn read_range(source: &dyn BlockSource, offset: u64, length: u64) -> Result<Vec<u8>> {
    let end = offset.saturating_add(length).min(source.len());
    let (first, behind) = (offset / BLOCK_BYTES, end.div_ceil(BLOCK_BYTES));
    let begin = first.saturating_mul(BLOCK_BYTES);
    let filled = behind.saturating_mul(BLOCK_BYTES).min(source.len()).saturating_sub(begin);
    let mut pages = Page::many(index_u64(behind.saturating_sub(first)));
    let bytes = pages.as_mut_slice().as_mut_bytes();
    let bytes = bytes.get_mut(..index_u64(filled)).unwrap_or_default();
    if !bytes.is_empty() {
        let failed = |cause| Error::Read { block: first, offset: begin, cause };
        source.read_at(begin, bytes).map_err(failed)?;
    }
    let wanted = index_u64(offset.saturating_sub(begin))..index_u64(end.saturating_sub(begin));
    Ok(bytes.get(wanted).unwrap_or_default().to_vec())
}

/// Bytes at any offset, from any thread.
pub trait BlockSource: Debug + Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills the whole buffer from `offset` on.
    ///
    /// # Errors
    ///
    /// What the system says; `UnexpectedEof` where the source ends too early.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Whether another program may change the bytes while they are read.
    fn can_change(&self) -> bool;

    /// Whether reads may return old bytes: a device that refused to be read around the page
    /// cache, below which the device mapper writes.
    fn may_be_stale(&self) -> bool {
        false
    }
}
