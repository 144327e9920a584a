//! Where blocks are written to: memory, or a file by positioned writes.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;

use thinscope_core::raw::Page;
use thinscope_core::units::BLOCK_SIZE;

/// Neighbouring blocks are gathered up to this many bytes and written at once.
const GATHERED: usize = 1 << 20;

/// A metadata device that is being made. Blocks that nobody writes are zeros, and holes in a
/// file.
#[derive(Debug)]
pub enum Image {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file.
    File(FileImage),
}

impl Image {
    /// An empty image in memory.
    #[must_use]
    pub const fn memory() -> Self {
        Self::Memory(Vec::new())
    }

    /// An empty image in a new file, or in place of an old one.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Self::File(FileImage { file, begin: 0, gathered: Vec::with_capacity(GATHERED) }))
    }

    /// Writes a block.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write(&mut self, block: u32, page: &Page) -> Result<()> {
        match self {
            Self::Memory(bytes) => {
                let begin = offset(block);
                if bytes.len() < begin + BLOCK_SIZE {
                    bytes.resize(begin + BLOCK_SIZE, 0);
                }
                bytes[begin..begin + BLOCK_SIZE].copy_from_slice(page.bytes());
                Ok(())
            }
            Self::File(file) => file.write(offset(block), page.bytes()),
        }
    }

    /// Reads a block that was written.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn read(&self, block: u32, page: &mut Page) -> Result<()> {
        let begin = offset(block);
        match self {
            Self::Memory(bytes) => {
                let written = bytes.get(begin..begin + BLOCK_SIZE);
                let written = written.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
                page.bytes_mut().copy_from_slice(written);
                Ok(())
            }
            Self::File(file) => file.read(begin, page.bytes_mut()),
        }
    }

    /// Gives the image its final size.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn finish(&mut self, blocks: u32) -> Result<()> {
        match self {
            Self::Memory(bytes) => bytes.resize(offset(blocks), 0),
            Self::File(file) => {
                file.flush()?;
                file.file.set_len(offset(blocks) as u64)?;
            }
        }
        Ok(())
    }

    /// The bytes of an image in memory; none of a file.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(_) => Vec::new(),
        }
    }
}

/// A file, with the last blocks not written yet.
#[derive(Debug)]
pub struct FileImage {
    file: File,
    begin: usize,
    gathered: Vec<u8>,
}

impl FileImage {
    fn write(&mut self, begin: usize, bytes: &[u8]) -> Result<()> {
        if let Some(at) = self.gathered_at(begin) {
            self.gathered[at..at + BLOCK_SIZE].copy_from_slice(bytes);
            return Ok(());
        }
        let is_next = begin == self.begin + self.gathered.len();
        if !is_next || self.gathered.len() >= GATHERED {
            self.flush()?;
            self.begin = begin;
        }
        self.gathered.extend_from_slice(bytes);
        Ok(())
    }

    fn read(&self, begin: usize, bytes: &mut [u8]) -> Result<()> {
        if let Some(at) = self.gathered_at(begin) {
            bytes.copy_from_slice(&self.gathered[at..at + BLOCK_SIZE]);
            return Ok(());
        }
        self.file.read_exact_at(bytes, begin as u64)
    }

    /// Where among the gathered bytes a block begins, if it is there.
    fn gathered_at(&self, begin: usize) -> Option<usize> {
        begin.checked_sub(self.begin).filter(|at| *at < self.gathered.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.file.write_all_at(&self.gathered, self.begin as u64)?;
        self.gathered.clear();
        Ok(())
    }
}

const fn offset(block: u32) -> usize {
    block as usize * BLOCK_SIZE
}
