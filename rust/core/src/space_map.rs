//! Space maps: a reference count for every block of the data device, and of the metadata.
//!
//! Two bits a block in bitmaps; 3 means that the count stands in the overflow tree. The data
//! map finds its bitmaps through a tree, the metadata map through one index block.

use std::collections::{HashSet, VecDeque};
use std::mem::offset_of;

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use crate::btree::{Tree, TreeWalk, key_offset, read_tree};
use crate::checksum::{BlockKind, check_checksum, check_number};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::{self, BITMAP_ENTRIES, BitmapHeader, IndexBlock, IndexEntry, Page};
use crate::reader::Reader;
use crate::superblock::{SpaceMap, SpaceMapRoot, Superblock};
use crate::units::{MetadataBlock, index_u64, widen};
use crate::watch::Watch;

/// Neighbouring blocks with the same reference count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRun {
    /// First block.
    pub begin: u64,
    /// Number of blocks.
    pub length: u64,
    /// References to each of them; 0: free.
    pub count: u32,
}

/// Entries of the overflow tree hold counts from here on.
const OVERFLOW: u32 = 3;

/// Bitmaps read for one batch: at most 16 × 16,320 runs.
const BATCH: usize = 16;

/// Streams the reference counts of a space map in the order of the blocks.
///
/// Memory: 4 bytes a bitmap, 12 bytes a node of the overflow tree, one batch of runs.
#[derive(Debug)]
pub struct ReferenceCounts {
    reader: Reader,
    map: SpaceMap,
    superblock: MetadataBlock,
    root: SpaceMapRoot,
    bitmaps: std::vec::IntoIter<MetadataBlock>,
    overflow: Overflow,
    /// First block that was not counted yet.
    next: u64,
    allocated: u64,
    pending: Option<CountRun>,
}

impl ReferenceCounts {
    /// Reads index and overflow tree of a map; the bitmaps follow as they are asked for.
    ///
    /// # Errors
    ///
    /// A read that fails, or the first rule that is broken.
    pub fn open(
        reader: &Reader,
        map: SpaceMap,
        superblock: &Superblock,
        root: SpaceMapRoot,
        watch: &Watch,
    ) -> Result<Self> {
        watch.begin("reading the space map", 0);
        let bitmaps = match map {
            SpaceMap::Data => data_index(reader, root, watch)?,
            SpaceMap::Metadata => metadata_index(reader, root)?,
        };
        let tree = match map {
            SpaceMap::Data => Tree::DataOverflow,
            SpaceMap::Metadata => Tree::MetadataOverflow,
        };
        let overflow = Overflow::new(tree, root.overflow);
        watch.begin("reading the space map", widen(bitmaps.len()));
        Ok(Self {
            reader: reader.clone(),
            map,
            superblock: superblock.block,
            root,
            bitmaps: bitmaps.into_iter(),
            overflow,
            next: 0,
            allocated: 0,
            pending: None,
        })
    }

    /// The next runs, or none at the end. Runs are as long as they can be: neighbours differ.
    ///
    /// # Errors
    ///
    /// A read that fails, or the first rule that is broken; at the end also a total that
    /// differs from the root's `nr_allocated`.
    pub fn next_batch(&mut self, watch: &Watch) -> Result<Option<Vec<CountRun>>> {
        let mut runs = Vec::new();
        let mut page = Page::zeroed();
        let batch: Vec<_> = self.bitmaps.by_ref().take(BATCH).collect();
        for block in batch {
            watch.advance(1)?;
            self.reader.read(block, &mut page)?;
            self.read_bitmap(&page, block, &mut runs, watch)?;
        }
        if self.bitmaps.len() == 0
            && let Some(last) = self.pending.take()
        {
            self.check_end(watch)?;
            runs.push(last);
        }
        Ok(if runs.is_empty() && self.bitmaps.len() == 0 { None } else { Some(runs) })
    }

    fn read_bitmap(
        &mut self,
        page: &Page,
        block: MetadataBlock,
        runs: &mut Vec<CountRun>,
        watch: &Watch,
    ) -> Result<()> {
        let structure = match self.map {
            SpaceMap::Data => Structure::DataBitmap,
            SpaceMap::Metadata => Structure::MetadataBitmap,
        };
        let place = Place { block, structure };
        let (_, counts) = BitmapHeader::ref_from_prefix(page.bytes())
            .map_err(|_| place.corrupt("size", 0, "4096 bytes", "less"))?;
        check_checksum(page, BlockKind::Bitmap, place)?;
        check_number(page, place)?;
        let end = self.next.saturating_add(BITMAP_ENTRIES).min(self.root.blocks);
        for byte in counts {
            // Four counts a byte; most bytes hold four equal ones, which are taken at once.
            let uniform = match byte {
                0x00 => Some(0),
                0xaa => Some(1),
                0x55 => Some(2),
                _ => None,
            };
            let left = end.saturating_sub(self.next);
            if left == 0 {
                break;
            }
            if let (Some(count), 4..) = (uniform, left) {
                self.push(CountRun { begin: self.next, length: 4, count }, runs);
                continue;
            }
            for pair in 0..left.min(4) {
                let count = match (byte >> pair.saturating_mul(2)) & 3 {
                    0 => 0,
                    2 => 1,
                    1 => 2,
                    _ => self.overflow.count(&self.reader, self.next, place, watch)?,
                };
                self.push(CountRun { begin: self.next, length: 1, count }, runs);
            }
        }
        Ok(())
    }

    fn push(&mut self, run: CountRun, runs: &mut Vec<CountRun>) {
        self.next = run.begin.saturating_add(run.length);
        if run.count > 0 {
            self.allocated = self.allocated.saturating_add(run.length);
        }
        match &mut self.pending {
            Some(pending) if pending.count == run.count => {
                pending.length = pending.length.saturating_add(run.length);
            }
            pending => runs.extend(pending.replace(run)),
        }
    }

    fn check_end(&mut self, watch: &Watch) -> Result<()> {
        self.overflow.check_end(&self.reader, watch)?;
        if self.allocated != self.root.allocated {
            let (structure, root) = self.map.root_place();
            let place = Place { block: self.superblock, structure };
            let expected = format!("{}, as the bitmaps say", self.allocated);
            let offset = root.saturating_add(offset_of!(raw::SpaceMapRoot, nr_allocated));
            return Err(place.corrupt("nr_allocated", offset, expected, self.root.allocated));
        }
        Ok(())
    }
}

/// An entry of the overflow tree, with its place for errors.
#[derive(Clone, Copy, Debug)]
struct OverflowEntry {
    block: u64,
    count: u32,
    place: Place,
    key_offset: usize,
}

/// The overflow tree, read along with the bitmaps: its entries are the blocks, in order, of
/// which the bitmaps say 3.
#[derive(Debug)]
struct Overflow {
    walk: TreeWalk,
    entries: VecDeque<OverflowEntry>,
}

impl Overflow {
    fn new(tree: Tree, root: MetadataBlock) -> Self {
        Self { walk: TreeWalk::new(tree, root), entries: VecDeque::new() }
    }

    /// The next entry, reading the next leaf where the last one is used up.
    fn next(&mut self, reader: &Reader, watch: &Watch) -> Result<Option<OverflowEntry>> {
        while self.entries.is_empty() {
            let entries = &mut self.entries;
            let leaf = self.walk.next_leaf(reader, watch, |leaf| {
                for (at, (key, count)) in leaf.keys().iter().zip(leaf.values::<U32>()).enumerate() {
                    let (place, count) = (leaf.place(), count.get());
                    if count < OVERFLOW {
                        let offset = leaf.value_offset(at);
                        return Err(place.corrupt("count", offset, "at least 3", count));
                    }
                    let (block, key_offset) = (key.get(), key_offset(at));
                    entries.push_back(OverflowEntry { block, count, place, key_offset });
                }
                Ok(())
            })?;
            if leaf.is_none() {
                return Ok(None);
            }
        }
        Ok(self.entries.pop_front())
    }

    /// The count of a block of which the bitmap at `place` says 3.
    fn count(&mut self, reader: &Reader, block: u64, place: Place, watch: &Watch) -> Result<u32> {
        match self.next(reader, watch)? {
            Some(entry) if entry.block == block => Ok(entry.count),
            Some(entry) if entry.block < block => Err(entry.stray()),
            _ => {
                let byte = index_u64(block % BITMAP_ENTRIES / 4);
                let offset = size_of::<BitmapHeader>().saturating_add(byte);
                let expected = format!("an entry for block {block} in the overflow tree");
                Err(place.corrupt("count above two", offset, expected, "without one"))
            }
        }
    }

    /// Checks that no entry is left.
    fn check_end(&mut self, reader: &Reader, watch: &Watch) -> Result<()> {
        match self.next(reader, watch)? {
            Some(entry) => Err(entry.stray()),
            None => Ok(()),
        }
    }
}

impl OverflowEntry {
    /// An entry for a block of which the bitmap does not say 3.
    fn stray(self) -> Error {
        let expected = "only blocks of which the bitmap says so";
        self.place.corrupt("key", self.key_offset, expected, self.block)
    }
}

/// Bitmap blocks of the data map: a tree with the keys 0, 1, 2...
fn data_index(reader: &Reader, root: SpaceMapRoot, watch: &Watch) -> Result<Vec<MetadataBlock>> {
    let mut bitmaps = Bitmaps::new(root.blocks);
    read_tree(reader, Tree::DataIndex, root.index, watch, |node| {
        let entries = node.keys().iter().zip(node.values::<IndexEntry>()).enumerate();
        for (at, (key, entry)) in entries {
            let expected = widen(bitmaps.blocks.len());
            if key.get() != expected {
                return Err(node.place().corrupt("key", key_offset(at), expected, key));
            }
            bitmaps.push(reader, node.place(), node.value_offset(at), entry)?;
        }
        Ok(())
    })?;
    let place = Place { block: root.index, structure: Structure::Node(Tree::DataIndex) };
    bitmaps.finish(place)
}

/// Bitmap blocks of the metadata map: an index block, in use up to the first zero.
fn metadata_index(reader: &Reader, root: SpaceMapRoot) -> Result<Vec<MetadataBlock>> {
    let place = Place { block: root.index, structure: Structure::IndexBlock };
    let mut page = Page::zeroed();
    reader.read(root.index, &mut page)?;
    let index = IndexBlock::ref_from_bytes(page.bytes())
        .map_err(|_| place.corrupt("size", 0, "4096 bytes", "less"))?;
    check_checksum(&page, BlockKind::Index, place)?;
    check_number(&page, place)?;
    let mut bitmaps = Bitmaps::new(root.blocks);
    for (at, entry) in index.index.iter().enumerate() {
        if widen(bitmaps.blocks.len()) == bitmaps.wanted {
            break;
        }
        let offset = offset_of!(IndexBlock, index);
        let offset = offset.saturating_add(at.saturating_mul(size_of::<IndexEntry>()));
        bitmaps.push(reader, place, offset, entry)?;
    }
    bitmaps.finish(place)
}

/// The bitmaps of a map, found one by one.
struct Bitmaps {
    blocks: Vec<MetadataBlock>,
    seen: HashSet<MetadataBlock>,
    wanted: u64,
}

impl Bitmaps {
    fn new(blocks: u64) -> Self {
        let wanted = blocks.div_ceil(BITMAP_ENTRIES);
        Self { blocks: Vec::new(), seen: HashSet::new(), wanted }
    }

    fn push(
        &mut self,
        reader: &Reader,
        place: Place,
        offset: usize,
        entry: &IndexEntry,
    ) -> Result<()> {
        let found = entry.blocknr.get();
        let block = reader
            .pointer(found)
            .ok_or_else(|| place.corrupt("bitmap", offset, reader.pointer_rule(), found))?;
        if !self.seen.insert(block) {
            return Err(place.corrupt("bitmap", offset, "a block of its own", found));
        }
        self.blocks.push(block);
        Ok(())
    }

    fn finish(self, place: Place) -> Result<Vec<MetadataBlock>> {
        let found = widen(self.blocks.len());
        if found != self.wanted {
            return Err(place.corrupt("bitmaps", 0, self.wanted, found));
        }
        Ok(self.blocks)
    }
}
