//! One block of a source, whatever the source is: nothing of it is checked.

use std::io;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::raw::Page;
use crate::source::identify::first_block;
use crate::source::{BlockSource, unpacked};
use crate::units::{BLOCK_BYTES, index_u64};
use crate::watch::Watch;

/// The bytes of a block, with what is known of the source.
#[derive(Debug)]
pub struct RawBlock {
    page: Box<Page>,
    length: usize,
    /// Length of the source in bytes, unpacked.
    pub source_bytes: u64,
    /// See [`BlockSource::may_be_stale`].
    pub may_be_stale: bool,
}

impl RawBlock {
    /// The bytes: 4096, or fewer where the source ends within the block.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.page.bytes().get(..self.length).unwrap_or_default()
    }
}

/// Reads a block of a source, which need not hold a pool; unpacks what is packed.
///
/// # Errors
///
/// [`Error::Read`], also for a block behind the end; [`Error::Unpack`], [`Error::Cancelled`].
pub fn read_block(source: Arc<dyn BlockSource>, block: u64, watch: &Watch) -> Result<RawBlock> {
    let mut source = source;
    // A first block that cannot be read hides no other.
    if let Ok(first) = first_block(&*source)
        && let Some(unpacked) = unpacked(&source, &first, watch)?
    {
        source = unpacked;
    }
    let source_bytes = source.len();
    let offset = block.saturating_mul(BLOCK_BYTES);
    let length = index_u64(source_bytes.saturating_sub(offset).min(BLOCK_BYTES));
    let mut page = Page::zeroed();
    let room = page.bytes_mut().get_mut(..length).filter(|room| !room.is_empty());
    let read = room.map_or_else(
        || {
            let end = format!("the source has {} blocks", source_bytes.div_ceil(BLOCK_BYTES));
            Err(io::Error::new(io::ErrorKind::UnexpectedEof, end))
        },
        |room| source.read_at(offset, room),
    );
    read.map_err(|cause| Error::Read { block, offset, cause })?;
    Ok(RawBlock { page, length, source_bytes, may_be_stale: source.may_be_stale() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    fn read(bytes: &'static [u8], block: u64) -> Result<Vec<u8>> {
        let source = Arc::new(MemorySource::new(bytes));
        read_block(source, block, &Watch::new()).map(|block| block.bytes().to_vec())
    }

    #[test]
    fn a_source_ends_where_it_ends() {
        static BYTES: [u8; 5000] = [7; 5000];
        assert_eq!(read(&BYTES, 0).unwrap(), [7; 4096]);
        assert_eq!(read(&BYTES, 1).unwrap(), [7; 904]);
        for block in [2, u64::MAX / 4096, u64::MAX] {
            let error = read(&BYTES, block).unwrap_err().to_string();
            assert!(error.ends_with(": the source has 2 blocks"), "{error}");
        }
        assert!(matches!(read(&[], 0), Err(Error::Read { block: 0, offset: 0, .. })));
    }

    /// Of which the first sector is bad.
    #[derive(Debug)]
    struct Bad;

    impl BlockSource for Bad {
        fn len(&self) -> u64 {
            8192
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
            buffer.fill(1);
            if offset == 0 { Err(io::Error::other("bad sector")) } else { Ok(()) }
        }

        fn can_change(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_bad_first_block_hides_no_other() {
        assert!(read_block(Arc::new(Bad), 0, &Watch::new()).is_err());
        assert_eq!(read_block(Arc::new(Bad), 1, &Watch::new()).unwrap().bytes(), [1; 4096]);
    }
}
