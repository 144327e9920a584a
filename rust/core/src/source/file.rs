//! A regular file, read through the page cache, or a block device, read around it.
//!
//! dm writes below the page cache, so a buffered read of a device can return old blocks with
//! good checksums: devices are read with `O_DIRECT`, into aligned buffers.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::{BlockSource, in_use};
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::superblock::View;

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
            View::Live => Self::Exclusive,
            View::MetadataSnapshot => Self::Shared,
        }
    }
}

/// A file or block device, opened for reading only.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    length: u64,
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
        Ok(Self { length: metadata.len(), file, may_be_stale: false })
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
        Ok(Self { file, length, may_be_stale })
    }
}

impl BlockSource for FileSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(cause.kind(), "the source ends here"),
            _ => cause,
        })
    }

    fn can_change(&self) -> bool {
        true
    }

    fn may_be_stale(&self) -> bool {
        self.may_be_stale
    }
}
