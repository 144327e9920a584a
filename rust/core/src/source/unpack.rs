//! Which sources are packed, and what they unpack to: gzip and zstd streams here, pack files in
//! [`pack`].

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::identify::{first_block, first_page};
use super::spool::{Spool, SpooledSource, check_size};
use super::{BlockSource, pack};
use crate::error::{Error, Result};
use crate::raw::Page;
use crate::superblock::claims_to_be_thin;
use crate::units::{BLOCK_SIZE, index_u64, widen};
use crate::watch::Watch;

/// How much of the archive is read at a time.
const CHUNK_PAGES: usize = 64;

/// How a source is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// What `thin_metadata_pack` writes.
    Pack,
}

/// How a source with this first block is compressed, if it is.
fn compression(page: &Page) -> Option<Compression> {
    match page.bytes() {
        bytes if bytes.starts_with(&pack::MAGIC.to_le_bytes()) => Some(Compression::Pack),
        [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
        _ => None,
    }
}

/// What a source with this first block unpacks to, if it is packed.
///
/// # Errors
///
/// [`Error::Unpack`] where the archive is broken, or larger than
/// [`MAX_UNPACKED_BYTES`](super::MAX_UNPACKED_BYTES); [`Error::Cancelled`].
pub(crate) fn unpacked(
    source: &Arc<dyn BlockSource>,
    first: &Page,
    watch: &Watch,
) -> Result<Option<Arc<dyn BlockSource>>> {
    // Asked first: the checksum that begins a superblock can look like any packed file.
    if claims_to_be_thin(first) {
        return Ok(None);
    }
    match compression(first) {
        Some(compression) => Ok(Some(Arc::new(unpack(Arc::clone(source), compression, watch)?))),
        None => Ok(None),
    }
}

/// A source as it is, or what it unpacks to. What lost its first block is taken as it is.
///
/// # Errors
///
/// As [`Error::Unpack`] and [`Error::Read`] tell; [`Error::Cancelled`].
pub fn opened(source: Arc<dyn BlockSource>, watch: &Watch) -> Result<Arc<dyn BlockSource>> {
    let first = first_page(&*source)?;
    Ok(unpacked(&source, &first, watch)?.unwrap_or(source))
}

/// The first block of a source, or of what it unpacks to, of which no more is unpacked.
///
/// # Errors
///
/// [`Error::Read`]; [`Error::Unpack`] where the archive is broken within its first block;
/// [`Error::Cancelled`].
pub(super) fn beginning(source: Arc<dyn BlockSource>, watch: &Watch) -> Result<Box<Page>> {
    let mut first = first_block(&*source)?;
    let compression = if claims_to_be_thin(&first) { None } else { compression(&first) };
    let packed = BufReader::new(PackedReader::new(source, watch));
    let filled = match compression {
        // What is in a pack file is metadata.
        None | Some(Compression::Pack) => return Ok(first),
        Some(Compression::Gzip) => {
            fill(&mut flate2::bufread::MultiGzDecoder::new(packed), first.bytes_mut())
        }
        Some(Compression::Zstd) => zstd::Decoder::with_buffer(packed)
            .and_then(|mut decoder| fill(&mut decoder, first.bytes_mut())),
    };
    watch.advance(0)?;
    filled.map_err(Error::Unpack)?;
    Ok(first)
}

/// Unpacks a whole source.
fn unpack(
    source: Arc<dyn BlockSource>,
    compression: Compression,
    watch: &Watch,
) -> Result<SpooledSource> {
    watch.begin("unpacking", source.len());
    let packed = BufReader::new(PackedReader::new(source, watch));
    let spooled = match compression {
        Compression::Gzip => spool(flate2::bufread::MultiGzDecoder::new(packed), watch),
        Compression::Zstd => {
            zstd::Decoder::with_buffer(packed).and_then(|decoder| spool(decoder, watch))
        }
        Compression::Pack => pack::unpack(packed, watch),
    };
    // What a cancelled read made of the archive is no fault of it.
    watch.advance(0)?;
    spooled.map_err(Error::Unpack)
}

fn spool(mut unpacked: impl Read, watch: &Watch) -> io::Result<SpooledSource> {
    let mut page = Page::zeroed();
    let mut spool = Spool::new();
    let mut length = 0_u64;
    for block in 0_u64.. {
        watch.advance(0).map_err(io::Error::other)?;
        let filled = fill(&mut unpacked, page.bytes_mut())?;
        length = length.saturating_add(widen(filled));
        check_size(length)?;
        spool.push(block, &page)?;
        if filled < BLOCK_SIZE {
            break;
        }
    }
    spool.finish(length)
}

/// Fills the buffer, or as much of it as there is; the rest becomes zeros.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0_usize;
    while let Some(room @ [_, ..]) = buffer.get_mut(filled..) {
        match reader.read(room) {
            Ok(0) => {
                room.fill(0);
                break;
            }
            Ok(count) => filled = filled.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The archive's bytes in sequence, read in aligned pieces.
struct PackedReader<'a> {
    source: Arc<dyn BlockSource>,
    /// Told of each byte read: an archive can be long, and unpack to nothing.
    watch: &'a Watch,
    offset: u64,
    pages: Vec<Page>,
    start: usize,
    end: usize,
}

impl<'a> PackedReader<'a> {
    fn new(source: Arc<dyn BlockSource>, watch: &'a Watch) -> Self {
        Self { source, watch, offset: 0, pages: Page::many(CHUNK_PAGES), start: 0, end: 0 }
    }
}

impl Read for PackedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            let room = self.pages.as_mut_slice().as_mut_bytes();
            let left = self.source.len().saturating_sub(self.offset);
            let length = room.len().min(index_u64(left));
            self.watch.advance(widen(length)).map_err(io::Error::other)?;
            self.source.read_at(self.offset, room.get_mut(..length).unwrap_or_default())?;
            self.offset = self.offset.saturating_add(widen(length));
            (self.start, self.end) = (0, length);
        }
        let bytes = self.pages.as_slice().as_bytes().get(self.start..self.end).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..length), bytes.get(..length)) {
            to.copy_from_slice(from);
        }
        self.start = self.start.saturating_add(length);
        Ok(length)
    }
}
