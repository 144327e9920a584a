//! Editing a field of a finished block.

use std::fs::File;
use std::io::{Error, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;

use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::Page;
use thinscope_core::units::{BLOCK_SIZE, MetadataBlock};

use crate::writer::seal;

/// A field of a block, and what to write there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it lies in the block, in bytes.
    pub offset: usize,
    /// Its bytes: 1, 2, 4 or 8.
    pub width: usize,
    /// What it is to hold, cut to its width.
    pub value: u64,
}

impl Field {
    /// A field of four bytes.
    #[must_use]
    pub const fn word(offset: usize, value: u32) -> Self {
        Self { offset, width: 4, value: value as u64 }
    }

    /// A field of eight bytes.
    #[must_use]
    pub const fn long(offset: usize, value: u64) -> Self {
        Self { offset, width: 8, value }
    }
}

/// What is done about the checksum of an edited block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It is made right again, for what the block was before.
    Checksum,
    /// It is left wrong.
    Nothing,
}

/// Edits a field. A block whose checksum is right for no kind is left without one.
///
/// # Errors
///
/// A field that does not lie in the block; with [`Repair::Checksum`], a block without a kind.
pub fn edit(page: &mut Page, field: Field, repair: Repair) -> Result<()> {
    let kind = BlockKind::of(page);
    let value = field.value.to_le_bytes();
    let room = page.bytes_mut().get_mut(field.offset..field.offset + field.width);
    let (Some(room), Some(value)) = (room, value.get(..field.width)) else {
        return Err(Error::other(format!("no such field in a block: {field:?}")));
    };
    room.copy_from_slice(value);
    match (repair, kind) {
        (Repair::Nothing, _) => Ok(()),
        (Repair::Checksum, Some(kind)) => {
            seal(page, kind);
            Ok(())
        }
        (Repair::Checksum, None) => {
            Err(Error::other("the block's checksum fits no kind of block: it cannot be repaired"))
        }
    }
}

/// Edits a field of one block of a file.
///
/// # Errors
///
/// As [`edit`], or what the system says.
pub fn edit_file(path: &Path, block: u32, field: Field, repair: Repair) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let offset = MetadataBlock::new(block).offset();
    let mut page = Page::zeroed();
    file.read_exact_at(page.bytes_mut(), offset)?;
    edit(&mut page, field, repair)?;
    file.write_all_at(page.bytes(), offset)
}

/// Writes an image to a file; blocks of zeros become holes.
///
/// # Errors
///
/// What the system says.
pub fn write_sparse(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = File::create(path)?;
    for (at, block) in bytes.chunks(BLOCK_SIZE).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.write_all_at(block, (at * BLOCK_SIZE) as u64)?;
        }
    }
    file.set_len(bytes.len() as u64)
}
