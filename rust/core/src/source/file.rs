//! A regular file, read through the page cache, or a block device, read around it.
//!
//! dm writes below the page cache, so a buffered read of a device can return old blocks with
//! good checksums: devices are read with `O_DIRECT`, into aligned buffers.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use zerocopy::IntoBytes;

use super::{BlockSource, in_use};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::raw::Page;
use crate::superblock::View;
use crate::units::{BLOCK_BYTES, BLOCK_SIZE, index_u64, widen};

/// Most blocks read at once into a buffer of our own: 1 MiB.
const BOUNCED: usize = 256;

/// Whether a source that another program holds may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// No: nobody else may hold it.
    Exclusive,
    /// Yes: what is read is protected by a metadata snapshot, or is one block, read at once.
    Shared,
}

impl From<View> for Sharing {
    fn from(view: View) -> Self {
        match view {
            View::Live | View::Salvaged => Self::Exclusive,
            View::MetadataSnapshot => Self::Shared,
        }
    }
}

/// A file or block device, opened for reading only.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    length: u64,
    /// Whether offsets, lengths and buffers must be aligned.
    is_direct: bool,
    may_be_stale: bool,
}

impl FileSource {
    /// Opens a regular file or block device.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] with the system's reason; [`Error::InUse`] for a device that is held
    /// exclusively, or a file under a loop device, unless `sharing` allows it;
    /// [`Error::NotThin`] for a folder, pipe or terminal.
    pub fn open(path: &Path, sharing: Sharing) -> Result<Self> {
        // Not blocking: a pipe would wait for a writer. Then ask what was opened, not the name.
        let flags = libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let file = match file {
            Ok(file) => file,
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                return Err(Error::NotThin(Identity::NotAFile));
            }
            Err(error) => return Err(Error::Open(error)),
        };
        let metadata = file.metadata().map_err(Error::Open)?;
        if metadata.file_type().is_block_device() {
            return Self::open_device(path, sharing);
        }
        if !metadata.is_file() {
            return Err(Error::NotThin(Identity::NotAFile));
        }
        if sharing == Sharing::Exclusive
            && let Some(device) = in_use::loop_device_over(path, Path::new("/sys/block"))
        {
            return Err(Error::InUse { by: format!("it is the file behind {device}") });
        }
        Ok(Self { length: metadata.len(), file, is_direct: false, may_be_stale: false })
    }

    fn open_device(path: &Path, sharing: Sharing) -> Result<Self> {
        let exclusive = if sharing == Sharing::Exclusive { libc::O_EXCL } else { 0 };
        let open = |flags| OpenOptions::new().read(true).custom_flags(flags).open(path);
        let (mut file, may_be_stale) = match open(libc::O_DIRECT | exclusive) {
            Ok(file) => (file, false),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                let by = "another program, most likely the device mapper, holds the device";
                return Err(Error::InUse { by: by.to_owned() });
            }
            // Direct reads refused.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                (open(exclusive).map_err(Error::Open)?, true)
            }
            Err(error) => return Err(Error::Open(error)),
        };
        // A device's metadata says length 0: only its end tells.
        let length = file.seek(SeekFrom::End(0)).map_err(Error::Open)?;
        Ok(Self { file, length, is_direct: !may_be_stale, may_be_stale })
    }

    /// Reads around what is wanted, in blocks.
    fn read_aligned(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut pages = Page::many(BOUNCED.min(buffer.len() / BLOCK_SIZE).saturating_add(2));
        let mut at = offset;
        let mut room = buffer;
        while !room.is_empty() {
            let begin = at.saturating_sub(at % BLOCK_BYTES);
            let skipped = index_u64(at % BLOCK_BYTES);
            let bytes = pages.as_mut_slice().as_mut_bytes();
            let length = room.len().min(bytes.len().saturating_sub(skipped));
            let part = room.split_off_mut(..length).unwrap_or_default();
            // A device ends with a sector, which need not be the end of a block.
            let rounded = skipped.saturating_add(length).next_multiple_of(BLOCK_SIZE);
            let there = index_u64(self.length.saturating_sub(begin));
            let bytes = bytes.get_mut(..rounded.min(there)).unwrap_or_default();
            self.read_exact(begin, bytes)?;
            let wanted = bytes.get(skipped..skipped.saturating_add(length));
            part.copy_from_slice(wanted.ok_or_else(ends_here)?);
            at = at.saturating_add(widen(length));
        }
        Ok(())
    }

    fn read_exact(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => ends_here(),
            _ => cause,
        })
    }
}

fn ends_here() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the source ends here")
}

/// Whether a read can go around the page cache as it is.
fn is_aligned(offset: u64, buffer: &[u8]) -> bool {
    let parts = [offset, widen(buffer.len()), widen(buffer.as_ptr().addr())];
    parts.iter().all(|part| part % BLOCK_BYTES == 0)
}

impl BlockSource for FileSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.is_direct && !is_aligned(offset, buffer) {
            return self.read_aligned(offset, buffer);
        }
        self.read_exact(offset, buffer)
    }

    fn can_change(&self) -> bool {
        true
    }

    fn may_be_stale(&self) -> bool {
        self.may_be_stale
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn reads_that_are_not_aligned_go_through_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device");
        // Two rounds of the buffer, and an end within a block.
        let length = 5 * BOUNCED * BLOCK_SIZE / 2 + 512;
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251).to_le_bytes()[0]).collect();
        fs::write(&path, &bytes).unwrap();
        let source = FileSource::open(&path, Sharing::Exclusive).unwrap();
        let source = FileSource { is_direct: true, ..source };
        for (offset, wanted) in
            [(0, length), (1, 4095), (1, 4096), (4095, 2), (511, length - 511), (length - 3, 3)]
        {
            let mut read = vec![0; wanted];
            source.read_at(widen(offset), &mut read).unwrap();
            assert_eq!(read, bytes[offset..offset + wanted], "{wanted} bytes at {offset}");
        }
        let mut beyond = [0; 5];
        let error = source.read_at(widen(length) - 4, &mut beyond).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(source.read_at(1 << 40, &mut beyond).is_err());
        assert!(source.read_at(widen(length), &mut []).is_ok());
    }
}
