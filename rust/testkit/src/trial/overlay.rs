//! A metadata device with a few blocks of its own over a base that many have in common.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::Page;
use thinscope_core::source::BlockSource;
use thinscope_core::units::BLOCK_SIZE;

use super::naive::node;
use crate::writer::seal;

/// Where a block's own number lies.
const NUMBER: std::ops::Range<usize> = 8..16;

/// A healthy pool that edits begin with.
#[derive(Debug)]
pub(super) struct Base {
    /// Its blocks; behind them there are only zeros.
    pub(super) pages: Vec<Page>,
    /// The blocks that are not zero.
    pub(super) used: Vec<u32>,
    /// Of these, the superblock, bitmaps, indexes and the leaves of both maps' trees.
    pub(super) space_maps: Vec<u32>,
    /// Length in bytes.
    pub(super) length: u64,
}

impl Base {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let mut pages = Page::many(bytes.len() / BLOCK_SIZE);
        for (page, bytes) in pages.iter_mut().zip(bytes.chunks_exact(BLOCK_SIZE)) {
            page.bytes_mut().copy_from_slice(bytes);
        }
        let end = pages.iter().rposition(|page| !page.is_zero()).map_or(0, |last| last + 1);
        pages.truncate(end);
        let used = (0..).zip(&pages).filter(|(_, page)| !page.is_zero());
        let used: Vec<u32> = used.map(|(block, _)| block).collect();
        let is_of_space_maps = |block: &u32| {
            let page = &pages[*block as usize];
            let is_leaf = |size| node(page, *block, size).is_some_and(|node| node.is_leaf);
            BlockKind::of(page).is_some_and(|kind| match kind {
                BlockKind::Node => is_leaf(16) || is_leaf(4),
                _ => true,
            })
        };
        let space_maps = used.iter().copied().filter(is_of_space_maps).collect();
        Self { pages, used, space_maps, length: bytes.len() as u64 }
    }
}

/// A block that was edited.
#[derive(Clone, Debug)]
struct Edited {
    page: Page,
    /// What it is to have the checksum of.
    kind: Option<BlockKind>,
    /// Whether it is left with a wrong one.
    is_damaged: bool,
}

/// The base with edits.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    base: Arc<Base>,
    edited: BTreeMap<u32, Edited>,
    length: u64,
    /// Whether edits are of the space maps above all.
    is_of_space_maps: bool,
}

impl Overlay {
    pub(super) fn new(base: &Arc<Base>, is_of_space_maps: bool) -> Self {
        let base = Arc::clone(base);
        Self { length: base.length, base, edited: BTreeMap::new(), is_of_space_maps }
    }

    /// Whole blocks.
    pub(super) const fn blocks(&self) -> u32 {
        (self.length / BLOCK_SIZE as u64) as u32
    }

    /// Behind this block there are only zeros, or nothing.
    pub(super) fn end(&self) -> u32 {
        let edited = self.edited.last_key_value().map_or(0, |(block, _)| block + 1);
        edited.max(self.base.pages.len() as u32).min(self.blocks())
    }

    /// The blocks that edits are of.
    pub(super) fn used(&self) -> &[u32] {
        if self.is_of_space_maps { &self.base.space_maps } else { &self.base.used }
    }

    /// Cuts the source, or lets it go on with zeros.
    pub(super) const fn set_length(&mut self, length: u64) {
        self.length = length;
    }

    /// A block as it is, whether or not the source reaches that far; none of zeros that nobody wrote.
    pub(super) fn page(&self, block: u32) -> Option<&Page> {
        let own = self.edited.get(&block).map(|edited| &edited.page);
        own.or_else(|| self.base.pages.get(block as usize))
    }

    /// What a block is by its checksum, or is to be when it gets one.
    pub(super) fn kind(&self, block: u32) -> Option<BlockKind> {
        match self.edited.get(&block) {
            Some(edited) => edited.kind,
            None => self.page(block).and_then(BlockKind::of),
        }
    }

    /// A block to be edited.
    pub(super) fn edit(&mut self, block: u32) -> &mut Page {
        let kind = self.kind(block);
        let base = &self.base;
        let edited = self.edited.entry(block).or_insert_with(|| {
            let page = base.pages.get(block as usize).cloned();
            Edited { page: page.unwrap_or_else(|| *Page::zeroed()), kind, is_damaged: false }
        });
        &mut edited.page
    }

    /// Makes a block one of another kind.
    pub(super) fn set_kind(&mut self, block: u32, kind: Option<BlockKind>) {
        self.edit(block);
        if let Some(edited) = self.edited.get_mut(&block) {
            edited.kind = kind;
        }
    }

    /// Leaves a block with a wrong checksum.
    pub(super) fn damage(&mut self, block: u32) {
        self.edit(block);
        if let Some(edited) = self.edited.get_mut(&block) {
            edited.is_damaged = true;
        }
    }

    /// Writes a block's own number into it.
    pub(super) fn set_number(&mut self, block: u32) {
        let number = u64::from(block).to_le_bytes();
        self.edit(block).bytes_mut()[NUMBER].copy_from_slice(&number);
    }

    /// Makes the checksums right.
    pub(super) fn seal(&mut self) {
        for edited in self.edited.values_mut().filter(|edited| !edited.is_damaged) {
            if let Some(kind) = edited.kind {
                seal(&mut edited.page, kind);
            }
        }
    }

    /// All bytes of a source that is small.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.length as usize];
        for (block, room) in (0..).zip(bytes.chunks_mut(BLOCK_SIZE)) {
            if let Some(page) = self.page(block) {
                room.copy_from_slice(&page.bytes()[..room.len()]);
            }
        }
        bytes
    }
}

impl BlockSource for Overlay {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.length);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut at = offset;
        let mut room = buffer;
        while !room.is_empty() {
            let skip = (at % BLOCK_SIZE as u64) as usize;
            let length = room.len().min(BLOCK_SIZE - skip);
            let (part, behind) = room.split_at_mut(length);
            match self.page((at / BLOCK_SIZE as u64) as u32) {
                Some(page) => part.copy_from_slice(&page.bytes()[skip..skip + length]),
                None => part.fill(0),
            }
            at += length as u64;
            room = behind;
        }
        Ok(())
    }

    fn can_change(&self) -> bool {
        false
    }
}
