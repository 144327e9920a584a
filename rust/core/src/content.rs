//! What a device reads as: its mappings over the pool's data device, and where it maps nothing
//! zeros, or an external origin.
//!
//! Mappings are read as they are needed: one leaf for a read somewhere, more and more of them
//! ahead of reads that follow each other. Blocks that are neighbours on the data device are read
//! at once.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::btree::KeyRange;
use crate::damage::Damage;
use crate::error::{Error, Result};
use crate::graph::{Graph, LeafReader, NodeRef};
use crate::mappings::{Run, decode};
use crate::reader::Reader;
use crate::source::BlockSource;
use crate::units::{DataBlock, DeviceId, VirtualBlock, index_u64, widen};
use crate::watch::Watch;

/// Most leaves decoded at once: 1 MiB of metadata, at most 2 MiB of runs.
const MOST_LEAVES: usize = 256;

/// How many times more leaves are decoded ahead where reads follow each other.
const AHEAD: usize = 4;

/// Stretches of mappings that are kept: as many sequences can be read at the same time.
const KEPT: usize = 4;

/// What the content of a device is read from, beside the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The pool's data device.
    Data,
    /// The external origin.
    Origin,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Data => "data",
            Self::Origin => "external origin",
        })
    }
}

/// What the content of a device is put together from.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The pool's data device.
    pub data: Arc<dyn BlockSource>,
    /// What is read where the device maps nothing, and zeros behind its end; None for zeros.
    pub origin: Option<Arc<dyn BlockSource>>,
    /// Length of the device in bytes.
    pub size: u64,
}

/// The content of a device.
///
/// Memory: at most 8 MiB of runs, beside the graph of the device's tree.
#[derive(Debug)]
pub struct Content {
    reader: Reader,
    data_blocks: u64,
    /// Where broken leaves are noted, which then map nothing; or none: they are errors.
    damage: Option<Arc<Damage>>,
    block_bytes: NonZeroU64,
    graph: Arc<Graph>,
    device: DeviceId,
    root: NodeRef,
    parts: Parts,
    /// The one used last comes first.
    windows: Mutex<VecDeque<Arc<Window>>>,
}

/// A stretch of a device's mappings.
#[derive(Debug)]
struct Window {
    /// The virtual blocks of which the mappings are known.
    blocks: KeyRange,
    /// By ascending virtual block.
    runs: Vec<Run>,
    /// Leaves that they are from.
    leaves: usize,
}

/// Neighbouring bytes of the device that lie in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// Where they begin in the data, or that nothing is mapped.
    data: Option<u64>,
    /// Where they begin in the device.
    begin: u64,
    /// Number of bytes.
    length: u64,
}

impl Piece {
    /// Takes a piece in that follows on this one. Returns whether it did.
    fn extend(&mut self, next: &Self) -> bool {
        let joins = match (self.data, next.data) {
            (Some(data), Some(next)) => data.checked_add(self.length) == Some(next),
            (None, None) => true,
            _ => false,
        };
        if joins {
            self.length = self.length.saturating_add(next.length);
        }
        joins
    }
}

impl Content {
    /// The content of a device of the graph; `block_bytes` are the bytes in a data block.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`].
    pub(crate) fn new(
        leaves: &LeafReader<'_>,
        block_bytes: u64,
        graph: Arc<Graph>,
        device: DeviceId,
        parts: Parts,
    ) -> Result<Self> {
        let root = graph.roots().iter().find(|(id, _)| *id == device);
        let root = root.map(|(_, root)| *root).ok_or(Error::UnknownDevice(device))?;
        // The superblock was refused if its blocks have no size.
        let block_bytes = NonZeroU64::new(block_bytes).unwrap_or(NonZeroU64::MIN);
        let windows = Mutex::default();
        Ok(Self {
            reader: leaves.reader.clone(),
            data_blocks: leaves.data_blocks,
            damage: leaves.damage.cloned(),
            block_bytes,
            graph,
            device,
            root,
            parts,
            windows,
        })
    }

    /// Length of the device in bytes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.parts.size
    }

    /// Whether what is read may be older than what the kernel wrote, see
    /// [`BlockSource::may_be_stale`].
    #[must_use]
    pub fn may_be_stale(&self) -> bool {
        let Parts { data, origin, .. } = &self.parts;
        data.may_be_stale() || origin.as_ref().is_some_and(|origin| origin.may_be_stale())
    }

    /// Fills a buffer with what the device holds from a byte on. Behind its end there are zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Content`] where data or origin cannot be read; [`Error::BeyondData`] for a block
    /// that the data does not reach to; a read of the metadata that fails, the first rule that is
    /// broken, [`Error::Cancelled`].
    pub fn read_at(&self, offset: u64, buffer: &mut [u8], watch: &Watch) -> Result<()> {
        let end = offset.saturating_add(widen(buffer.len())).min(self.size());
        let mut room = buffer;
        for piece in self.pieces(offset, end, watch)? {
            watch.advance(0)?;
            let Some(part) = room.split_off_mut(..index_u64(piece.length)) else { break };
            match piece.data {
                Some(data) => self.read_data(&piece, data, part)?,
                None => self.read_hole(piece.begin, part)?,
            }
        }
        room.fill(0);
        Ok(())
    }

    /// Where the bytes of a stretch of the device lie.
    fn pieces(&self, begin: u64, end: u64, watch: &Watch) -> Result<Vec<Piece>> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = begin;
        while at < end {
            let window = self.window(at / self.block_bytes, watch)?;
            while at < end {
                let Some(piece) = self.piece(&window, at, end) else { break };
                at = at.saturating_add(piece.length);
                if !pieces.last_mut().is_some_and(|last| last.extend(&piece)) {
                    pieces.push(piece);
                }
            }
        }
        Ok(pieces)
    }

    /// What lies at a byte of the device, as far as one run or hole of the window reaches; None
    /// behind the window.
    fn piece(&self, window: &Window, at: u64, end: u64) -> Option<Piece> {
        let block = at / self.block_bytes;
        if block < window.blocks.first || block > window.blocks.last {
            return None;
        }
        let behind = |run: &Run| run.virtual_begin.get().saturating_add(run.length);
        let next = window.runs.partition_point(|run| behind(run) <= block);
        let run = window.runs.get(next);
        let mapped = run.filter(|run| run.virtual_begin.get() <= block);
        let limit = match (mapped, run) {
            (Some(run), _) => behind(run),
            (None, Some(next)) => next.virtual_begin.get(),
            (None, None) => window.blocks.last.saturating_add(1),
        };
        let end = end.min(limit.saturating_mul(self.block_bytes.get()));
        let data = mapped.map(|run| {
            let skipped = block.saturating_sub(run.virtual_begin.get());
            let begin = run.data_begin.get().saturating_add(skipped);
            begin.saturating_mul(self.block_bytes.get()).saturating_add(at % self.block_bytes)
        });
        Some(Piece { data, begin: at, length: end.saturating_sub(at) })
    }

    /// The mappings around a virtual block: known ones, or they are read.
    fn window(&self, block: u64, watch: &Watch) -> Result<Arc<Window>> {
        let is_in =
            |window: &Arc<Window>| block >= window.blocks.first && block <= window.blocks.last;
        let leaves = {
            let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(window) = windows.iter().position(is_in).and_then(|at| windows.remove(at)) {
                windows.push_front(Arc::clone(&window));
                return Ok(window);
            }
            let goes_on = |window: &&Arc<Window>| window.blocks.last.checked_add(1) == Some(block);
            let before = windows.iter().find(goes_on);
            before.map_or(1, |before| before.leaves.saturating_mul(AHEAD).min(MOST_LEAVES))
        };
        let window = Arc::new(self.read_window(block, leaves, watch)?);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.truncate(KEPT.saturating_sub(1));
        windows.push_front(Arc::clone(&window));
        Ok(window)
    }

    fn read_window(&self, block: u64, most: usize, watch: &Watch) -> Result<Window> {
        let stretch = self.graph.stretch(self.root, block, most);
        let mut positions = stretch.leaves;
        let leaves = positions.len();
        positions.sort_unstable();
        let leaf_reader = LeafReader {
            reader: &self.reader,
            data_blocks: self.data_blocks,
            watch,
            damage: self.damage.as_ref(),
        };
        let decoded = decode(&leaf_reader, &self.graph, &positions, None)?;
        let mut runs: Vec<Run> = decoded.into_iter().flatten().collect();
        runs.sort_unstable_by_key(|run| run.virtual_begin);
        Ok(Window { blocks: stretch.keys, runs, leaves })
    }

    fn read_data(&self, piece: &Piece, data: u64, buffer: &mut [u8]) -> Result<()> {
        let source = &self.parts.data;
        if data.saturating_add(piece.length) > source.len() {
            return Err(self.beyond(piece, data));
        }
        read(Part::Data, &**source, data, buffer)
    }

    /// Tells the first block of a piece that the data does not reach to.
    fn beyond(&self, piece: &Piece, data: u64) -> Error {
        let data_bytes = self.parts.data.len();
        let there = data_bytes.saturating_sub(data);
        Error::BeyondData {
            device: self.device,
            virtual_block: VirtualBlock::new(piece.begin.saturating_add(there) / self.block_bytes),
            data_block: DataBlock::new(data.saturating_add(there) / self.block_bytes),
            data_bytes,
            pool_bytes: self.data_blocks.saturating_mul(self.block_bytes.get()),
        }
    }

    fn read_hole(&self, begin: u64, buffer: &mut [u8]) -> Result<()> {
        let Some(origin) = &self.parts.origin else {
            buffer.fill(0);
            return Ok(());
        };
        let there = index_u64(origin.len().saturating_sub(begin)).min(buffer.len());
        let (part, behind) = buffer.split_at_mut(there);
        behind.fill(0);
        if part.is_empty() { Ok(()) } else { read(Part::Origin, &**origin, begin, part) }
    }
}

fn read(part: Part, source: &dyn BlockSource, offset: u64, buffer: &mut [u8]) -> Result<()> {
    let failed = |cause: io::Error| Error::Content { part, offset, cause };
    source.read_at(offset, buffer).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_only_where_the_data_goes_on() {
        let piece = |data, begin, length| Piece { data, begin, length };
        let mut first = piece(Some(8), 100, 4);
        assert!(!first.extend(&piece(Some(13), 104, 1)), "elsewhere");
        assert!(!first.extend(&piece(None, 104, 1)), "a hole");
        assert!(first.extend(&piece(Some(12), 104, 6)));
        assert_eq!(first, piece(Some(8), 100, 10));
        let mut hole = piece(None, 0, 7);
        assert!(hole.extend(&piece(None, 7, 1)));
        assert!(!hole.extend(&piece(Some(8), 8, 1)));
        assert_eq!(hole, piece(None, 0, 8));
        let mut last = piece(Some(u64::MAX), 0, 1);
        assert!(!last.extend(&piece(Some(0), 1, 1)), "places do not wrap");
    }
}
