//! A copy of a pool's metadata for later: every block in order, live or not, packed into one zstd
//! frame.
//!
//! Nothing is judged: damaged metadata is copied as it is, and blocks that cannot be read are
//! left zero and told. What is certain is that it is one committed state.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use sha2::{Digest, Sha256};
use zerocopy::IntoBytes;

use crate::checksum::BlockKind;
use crate::committed::{Committed, held};
use crate::dump::Take;
use crate::error::{Error, Result};
use crate::identity::Identity;
use crate::raw::Page;
use crate::reader::Reader;
use crate::source::identify::{first_block, first_page, identify, is_bad_medium};
use crate::source::{BlockSource, unpacked};
use crate::superblock::{Superblock, View, claims_to_be_thin};
use crate::units::{BLOCK_BYTES, BLOCK_SIZE, MAX_METADATA_BLOCKS, index_u64, widen};
use crate::watch::Watch;

/// Blocks that are read at once: 1 MiB.
pub(crate) const CHUNK: usize = 256;

/// Chunks that wait for the slower of hashing and packing.
const WAITING: usize = 16;

/// Bytes that are handed over at a time, about.
const PIECE: usize = 1 << 20;

/// Effort of zstd: from here on nodes take two thirds of what they take below, and higher ones
/// gain little.
const LEVEL: i32 = 6;

/// Blocks in which a block of metadata is looked for, where block 0 is none: 256 MiB. Every pool
/// has its first space maps there.
const SEARCHED: u64 = 1 << 16;

/// Most blocks that may fail to be read: a device with more is gone rather than damaged.
const MAX_UNREADABLE: u64 = 1 << 16;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Length of the source in bytes, unpacked.
    pub source_bytes: u64,
    /// Bytes copied: all of them, but for what lies beyond the last block that the kernel uses.
    pub bytes: u64,
    /// Blocks of zeros.
    pub zero_blocks: u64,
    /// Blocks that are neither zero nor carry the checksum of any kind of metadata.
    pub unknown_blocks: u64,
    /// Runs of blocks that could not be read, and are zero in the copy: the first, and how many.
    pub unreadable: Vec<(u64, u64)>,
    /// SHA-256 of the bytes copied.
    pub sha256: [u8; 32],
    /// Bytes handed over.
    pub packed_bytes: u64,
    /// SHA-256 of the bytes handed over.
    pub packed_sha256: [u8; 32],
    /// See [`BlockSource::may_be_stale`].
    pub may_be_stale: bool,
}

/// Hands the metadata of a source over as a zstd frame, piece by piece; unpacks what is packed.
///
/// A superblock that is damaged, or not there at all, is copied like any other block, as long as
/// other blocks are metadata. Through the metadata snapshot it must be whole.
///
/// Memory: some 70 MiB.
///
/// # Errors
///
/// [`Error::NotThin`], [`Error::Changed`] if the pool committed meanwhile, [`Error::Read`],
/// [`Error::Unpack`], [`Error::Cancelled`], or what `take` returns. Of a metadata snapshot what
/// [`Pool::from_source`](crate::Pool::from_source) returns.
pub fn capture(
    source: Arc<dyn BlockSource>,
    view: View,
    watch: &Watch,
    take: &mut Take<'_>,
) -> Result<Capture> {
    let mut source = source;
    // What leads to a metadata snapshot must be read; else zeros stand for it.
    let mut first = match view {
        View::MetadataSnapshot => first_block(&*source)?,
        View::Live | View::Salvaged => first_page(&*source)?,
    };
    if let Some(unpacked) = unpacked(&source, &first, watch)? {
        source = unpacked;
        first = first_page(&*source)?;
    }
    let reader = Reader::new(Arc::clone(&source), source.len() / BLOCK_BYTES);
    if source.len() < BLOCK_BYTES || !claims_to_be_thin(&first) {
        let identity = identify(&first, source.len());
        if !lost_its_superblock(&reader, identity, watch)? {
            return Err(Error::NotThin(identity));
        }
    }
    let committed = match view {
        View::Live | View::Salvaged => Committed::live(first.clone()),
        View::MetadataSnapshot => {
            let (live, space_maps) = Superblock::parse_live(&first, source.len())?;
            held(&Reader::new(Arc::clone(&source), space_maps.metadata.blocks), &live)?.1
        }
    };
    let copied = Copying { source: &*source, first: &first, watch }.run(take);
    match (copied, committed.check(&reader)) {
        // A superblock that could not be read from the beginning on is in no state.
        (Ok(copied), Err(Error::Read { block: 0, .. })) if first.is_zero() && copied.misses(0) => {
            Ok(copied)
        }
        (Ok(_), Err(changed)) => Err(changed),
        (copied, _) => copied,
    }
}

impl Capture {
    /// Whether a block could not be read.
    fn misses(&self, block: u64) -> bool {
        self.unreadable
            .iter()
            .any(|(first, count)| (*first..first.saturating_add(*count)).contains(&block))
    }
}

/// Whether a source that does not begin with a superblock holds blocks of a pool all the same:
/// with the checksum of a kind that pools have, and in their places.
fn lost_its_superblock(reader: &Reader, identity: Identity, watch: &Watch) -> Result<bool> {
    if !matches!(identity, Identity::Zeros | Identity::Unknown) {
        return Ok(false);
    }
    let blocks = reader.blocks().min(SEARCHED);
    watch.begin("looking for metadata", blocks);
    let mut pages = Page::many(CHUNK);
    for begin in (0..blocks).step_by(CHUNK) {
        let count = index_u64(blocks.saturating_sub(begin)).min(CHUNK);
        let room = pages.get_mut(..count).unwrap_or_default();
        read_blocks(reader.source(), begin, room.as_mut_bytes(), &mut Unreadable::default())?;
        watch.advance(widen(count))?;
        if (begin..).zip(room.iter()).any(|(block, page)| is_in_place(block, page)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_in_place(block: u64, page: &Page) -> bool {
    let kinds = [BlockKind::Node, BlockKind::Bitmap, BlockKind::Index];
    block > 0
        && page.stored_number() == block
        && BlockKind::of(page).is_some_and(|kind| kinds.contains(&kind))
}

/// Runs of blocks that could not be read.
#[derive(Debug, Default)]
pub(crate) struct Unreadable {
    pub(crate) runs: Vec<(u64, u64)>,
    count: u64,
}

impl Unreadable {
    /// Takes a block in, unless there are too many.
    fn push(&mut self, block: u64, cause: io::Error) -> Result<()> {
        self.count = self.count.saturating_add(1);
        if self.count > MAX_UNREADABLE {
            return Err(Error::Read { block, offset: block.saturating_mul(BLOCK_BYTES), cause });
        }
        match self.runs.last_mut() {
            Some((first, count)) if first.saturating_add(*count) == block => {
                *count = count.saturating_add(1);
            }
            _ => self.runs.push((block, 1)),
        }
        Ok(())
    }
}

/// Fills the room from a block on. Of what the disk cannot read, block after block becomes zero.
pub(crate) fn read_blocks(
    source: &dyn BlockSource,
    begin: u64,
    room: &mut [u8],
    unreadable: &mut Unreadable,
) -> Result<()> {
    let offset = begin.saturating_mul(BLOCK_BYTES);
    match source.read_at(offset, room) {
        Ok(()) => return Ok(()),
        Err(cause) if is_bad_medium(&cause) => {}
        Err(cause) => return Err(Error::Read { block: begin, offset, cause }),
    }
    for (block, room) in (begin..).zip(room.chunks_mut(BLOCK_SIZE)) {
        let offset = block.saturating_mul(BLOCK_BYTES);
        match source.read_at(offset, room) {
            Ok(()) => {}
            Err(cause) if is_bad_medium(&cause) => {
                room.fill(0);
                unreadable.push(block, cause)?;
            }
            Err(cause) => return Err(Error::Read { block, offset, cause }),
        }
    }
    Ok(())
}

/// Blocks that were read, the last one filled up with zeros.
#[derive(Debug)]
struct Chunk {
    pages: Vec<Page>,
    length: usize,
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        self.pages.as_bytes().get(..self.length).unwrap_or_default()
    }
}

/// One thread reads, one hashes, and the caller's packs. libzstd's own threads are not for this: now and
/// then they crash when a frame is given up while they are at it, as for Ctrl-C.
#[derive(Clone, Copy, Debug)]
struct Copying<'a> {
    source: &'a dyn BlockSource,
    /// Block 0 as the state that is copied has it: later reads may find the next one.
    first: &'a Page,
    watch: &'a Watch,
}

impl Copying<'_> {
    /// Bytes to be copied.
    fn bytes(&self) -> u64 {
        self.source.len().min(MAX_METADATA_BLOCKS.saturating_mul(BLOCK_BYTES))
    }

    fn run(&self, take: &mut Take<'_>) -> Result<Capture> {
        self.watch.begin("copying", self.bytes().div_ceil(BLOCK_BYTES));
        let (to_hash, hashed) = bounded::<Arc<Chunk>>(WAITING);
        let (to_pack, packed) = bounded::<Arc<Chunk>>(WAITING);
        thread::scope(|scope| {
            let failed = |error: io::Error| Error::Threads(error.to_string());
            let hashing = thread::Builder::new().spawn_scoped(scope, move || {
                let mut sha256 = Sha256::new();
                let is_wanted = |_: &Arc<Chunk>| self.watch.advance(0).is_ok();
                hashed.iter().take_while(is_wanted).for_each(|chunk| sha256.update(chunk.bytes()));
                <[u8; 32]>::from(sha256.finalize())
            });
            let hashing = hashing.map_err(failed)?;
            let reading = thread::Builder::new()
                .spawn_scoped(scope, move || self.read_all(&[to_hash, to_pack]))
                .map_err(failed)?;
            let packed = pack(packed, self.bytes(), self.watch, take);
            // A thread that panicked says no more; its panic goes on when the scope ends.
            let read = reading.join().map_err(|_| Error::Cancelled)?;
            let sha256 = hashing.join().map_err(|_| Error::Cancelled)?;
            // What could not be read is why packing came to no end, unless nobody took it.
            let ((packed_bytes, packed_sha256), read) = match (packed, read) {
                (Ok(packed), Ok(read)) => (packed, read),
                (_, Err(error)) | (Err(error), Ok(_)) => return Err(error),
            };
            Ok(Capture {
                source_bytes: self.source.len(),
                bytes: self.bytes(),
                zero_blocks: read.zero_blocks,
                unknown_blocks: read.unknown_blocks,
                unreadable: read.unreadable.runs,
                sha256,
                packed_bytes,
                packed_sha256,
                may_be_stale: self.source.may_be_stale(),
            })
        })
    }

    /// Reads all blocks, and hands them to everybody.
    fn read_all(&self, takers: &[Sender<Arc<Chunk>>]) -> Result<Found> {
        let mut found = Found::default();
        let mut handed_over = VecDeque::<Arc<Chunk>>::new();
        let end = self.bytes();
        for begin in (0..end.div_ceil(BLOCK_BYTES)).step_by(CHUNK) {
            let left = end.saturating_sub(begin.saturating_mul(BLOCK_BYTES));
            let length = index_u64(left).min(CHUNK.saturating_mul(BLOCK_SIZE));
            // What nobody looks at any more is filled again.
            let used = handed_over.pop_front_if(|chunk| Arc::get_mut(chunk).is_some());
            let used = used.and_then(|chunk| Arc::try_unwrap(chunk).ok());
            let mut pages = used.map_or_else(|| Page::many(CHUNK), |chunk| chunk.pages);
            pages.truncate(length.div_ceil(BLOCK_SIZE));
            let bytes = pages.as_mut_slice().as_mut_bytes();
            let (room, rest) = bytes.split_at_mut_checked(length).unwrap_or_default();
            read_blocks(self.source, begin, room, &mut found.unreadable)?;
            rest.fill(0);
            if begin == 0
                && let Some(first) = pages.first_mut()
            {
                *first = self.first.clone();
            }
            for page in &pages {
                found.count(page);
            }
            self.watch.advance(widen(pages.len()))?;
            let chunk = Arc::new(Chunk { pages, length });
            for taker in takers {
                // Who takes no more has failed, and says why.
                if taker.send(Arc::clone(&chunk)).is_err() {
                    return Ok(found);
                }
            }
            handed_over.push_back(chunk);
        }
        Ok(found)
    }
}

/// What was found while reading.
#[derive(Debug, Default)]
struct Found {
    zero_blocks: u64,
    unknown_blocks: u64,
    unreadable: Unreadable,
}

impl Found {
    fn count(&mut self, page: &Page) {
        if page.is_zero() {
            self.zero_blocks = self.zero_blocks.saturating_add(1);
        } else if BlockKind::of(page).is_none() {
            self.unknown_blocks = self.unknown_blocks.saturating_add(1);
        }
    }
}

/// Packs what comes, and hands it over. Returns how many bytes that are, and their SHA-256.
fn pack(
    chunks: Receiver<Arc<Chunk>>,
    bytes: u64,
    watch: &Watch,
    take: &mut Take<'_>,
) -> Result<(u64, [u8; 32])> {
    let encoder = || -> io::Result<_> {
        let mut encoder =
            zstd::stream::read::Encoder::with_buffer(Chunks::new(chunks, watch), LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(bytes))?;
        Ok(encoder)
    };
    let mut encoder = encoder().map_err(Error::Pack)?;
    let (mut length, mut sha256) = (0_u64, Sha256::new());
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let mut limited = encoder.by_ref().take(widen(PIECE));
        let filled = limited.read_to_end(&mut piece);
        // What was given up is no fault of packing.
        watch.advance(0)?;
        let filled = filled.map_err(Error::Pack)?;
        if filled == 0 {
            return Ok((length, sha256.finalize().into()));
        }
        length = length.saturating_add(widen(filled));
        sha256.update(&piece);
        take(piece)?;
    }
}

/// The bytes of all chunks, in order.
#[derive(Debug)]
struct Chunks<'a> {
    receiver: Receiver<Arc<Chunk>>,
    /// Asked before each chunk: those that wait take longer to pack than who gave up shall wait.
    watch: &'a Watch,
    chunk: Option<Arc<Chunk>>,
    at: usize,
}

impl<'a> Chunks<'a> {
    const fn new(receiver: Receiver<Arc<Chunk>>, watch: &'a Watch) -> Self {
        Self { receiver, watch, chunk: None, at: 0 }
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.as_ref().is_none_or(|chunk| chunk.length <= self.at) {
            self.watch.advance(0).map_err(io::Error::other)?;
            self.chunk = self.receiver.recv().ok();
            self.at = 0;
        }
        Ok(self.chunk.as_ref().and_then(|chunk| chunk.bytes().get(self.at..)).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = self.at.saturating_add(amount);
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let read = bytes.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
