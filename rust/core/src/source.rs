//! Where blocks come from: positioned reads of a file, a device, memory, a caller, or of what a
//! compressed file unpacks to. No source can be written to: none is opened for it.

mod callback;
mod file;
pub mod identify;
mod in_use;
mod memory;
mod pack;
mod spool;
mod unpack;

use std::fmt::Debug;
use std::io;

pub use callback::{CallbackSource, ReadRequest};
pub use file::{FileSource, Sharing};
pub use memory::MemorySource;
pub use spool::MAX_UNPACKED_BYTES;
pub(crate) use unpack::unpacked;

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
