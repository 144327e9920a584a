//! Bytes that the caller holds.

use std::fmt;
use std::io;

use super::BlockSource;
use crate::units::{index_u64, widen};

/// A source over bytes in memory, of any owner.
pub struct MemorySource<B>(B);

impl<B: AsRef<[u8]>> MemorySource<B> {
    /// Reads out of `bytes`.
    pub const fn new(bytes: B) -> Self {
        Self(bytes)
    }
}

impl<B> fmt::Debug for MemorySource<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySource").finish_non_exhaustive()
    }
}

impl<B: AsRef<[u8]> + Send + Sync> BlockSource for MemorySource<B> {
    fn len(&self) -> u64 {
        widen(self.0.as_ref().len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = index_u64(offset);
        let bytes = self.0.as_ref().get(start..start.saturating_add(buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn can_change(&self) -> bool {
        false
    }
}
