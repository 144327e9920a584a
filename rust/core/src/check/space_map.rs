//! One space map beside what was reached: every count, every sum, every hint.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::mem::offset_of;
use std::sync::LazyLock;

use zerocopy::FromBytes;
use zerocopy::little_endian::U32;

use super::finding::{Blocks, Finding, Findings, Severity, Step};
use super::tally::Counts;
use crate::btree::{KeyRange, Loss, Tree, TreeWalk, key_offset, read_tree_around};
use crate::checksum::{BlockKind, check_checksum, check_number};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::{self, BITMAP_ENTRIES, BitmapHeader, IndexBlock, IndexEntry, Page};
use crate::reader::Reader;
use crate::superblock::{SpaceMap, SpaceMapRoot};
use crate::units::{MetadataBlock, index_u64, widen};
use crate::watch::Watch;

/// Runs of blocks that a finding names at most.
const MAX_RUNS: usize = 1000;

/// Counts from here on stand in the overflow tree.
const OVERFLOW: u32 = 3;

/// Blocks that the map counts otherwise than they are reached.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) blocks: u64,
    pub(super) runs: Vec<Blocks>,
    /// The first block of those that differ most: how often it is reached, and what the map says.
    pub(super) example: Option<Example>,
}

/// A block that the map counts otherwise than it is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Example {
    block: u64,
    reached: u32,
    counted: u32,
}

impl Example {
    fn by(self) -> u32 {
        self.reached.abs_diff(self.counted)
    }
}

impl Difference {
    fn push(&mut self, block: u64, reached: u32, counted: u32) {
        self.blocks = self.blocks.saturating_add(1);
        let example = Example { block, reached, counted };
        if self.example.is_none_or(|before| before.by() < example.by()) {
            self.example = Some(example);
        }
        let has_room = self.runs.len() < MAX_RUNS;
        match self.runs.last_mut() {
            Some(last) if last.begin.saturating_add(last.length) == block => {
                last.length = last.length.saturating_add(1);
            }
            _ if has_room => self.runs.push(Blocks { begin: block, length: 1 }),
            _ => {}
        }
    }
}

/// What a space map says beside what was reached.
#[derive(Debug, Default)]
pub(super) struct Compared {
    /// Counted, and not reached.
    pub(super) leaked: Difference,
    /// Reached, and counted as free.
    pub(super) missing: Difference,
    /// Reached, and counted too few times.
    pub(super) too_few: Difference,
    /// Reached, and counted too many times.
    pub(super) too_many: Difference,
    /// What is wrong with the map itself.
    pub(super) findings: Findings,
    /// Blocks whose bitmap is lost.
    pub(super) unknown: u64,
    allocated: u64,
}

/// What is compared.
pub(super) struct Comparison<'a> {
    pub(super) reader: &'a Reader,
    pub(super) watch: &'a Watch,
    pub(super) map: SpaceMap,
    pub(super) root: SpaceMapRoot,
    pub(super) reached: &'a Counts,
}

/// A bitmap by what its index entry says.
struct Bitmap {
    number: u64,
    entry: IndexEntry,
    place: Place,
    /// Where the entry lies in its block.
    offset: usize,
}

/// The overflow tree, read along with the bitmaps.
struct Overflow {
    walk: TreeWalk,
    entries: VecDeque<Entry>,
    ended: bool,
    /// Blocks whose entries are lost, first by last, as far as the walk has come.
    lost: BTreeMap<u64, u64>,
    losses: usize,
}

/// An entry of the overflow tree.
#[derive(Clone, Copy)]
struct Entry {
    block: u64,
    count: u32,
    place: Place,
    /// Where key and count lie in their block.
    offsets: (usize, usize),
}

impl Comparison<'_> {
    /// Reads the whole map, around what is broken.
    ///
    /// # Errors
    ///
    /// What is no damage.
    pub(super) fn run(&self) -> Result<Compared> {
        let mut compared = Compared::default();
        let bitmaps = self.bitmaps(&mut compared)?;
        self.watch.begin("comparing the space map", widen(bitmaps.len()));
        let tree = self.overflow_tree();
        let walk = TreeWalk::around(tree, self.root.overflow);
        let mut overflow = Overflow {
            walk,
            entries: VecDeque::new(),
            ended: false,
            lost: BTreeMap::new(),
            losses: 0,
        };
        let mut page = Page::zeroed();
        let mut known = 0_u64;
        for bitmap in &bitmaps {
            self.watch.advance(1)?;
            known = known.saturating_add(self.range_of(bitmap.number).1);
            if let Err(error) = self.bitmap(bitmap, &mut page, &mut overflow, &mut compared) {
                if !error.is_damage() {
                    return Err(error);
                }
                let (begin, length) = self.range_of(bitmap.number);
                compared.unknown = compared.unknown.saturating_add(length);
                let mut finding = Finding::of_error("bitmap", &error);
                finding.count = length;
                finding.blocks = vec![Blocks { begin, length }];
                finding.path = self.bitmap_path(bitmap);
                compared.findings.push(finding);
            }
        }
        compared.unknown = compared.unknown.saturating_add(self.root.blocks.saturating_sub(known));
        self.finish(&mut overflow, &mut compared)?;
        Ok(compared)
    }

    const fn overflow_tree(&self) -> Tree {
        match self.map {
            SpaceMap::Data => Tree::DataOverflow,
            SpaceMap::Metadata => Tree::MetadataOverflow,
        }
    }

    const fn bitmap_structure(&self) -> Structure {
        match self.map {
            SpaceMap::Data => Structure::DataBitmap,
            SpaceMap::Metadata => Structure::MetadataBitmap,
        }
    }

    /// First block of a bitmap, and how many it counts.
    fn range_of(&self, number: u64) -> (u64, u64) {
        let begin = number.saturating_mul(BITMAP_ENTRIES);
        (begin, self.root.blocks.saturating_sub(begin).min(BITMAP_ENTRIES))
    }

    fn path(&self, block: MetadataBlock) -> Vec<Step> {
        let (structure, _) = self.map.root_place();
        let index = match self.map {
            SpaceMap::Data => Structure::Node(Tree::DataIndex),
            SpaceMap::Metadata => Structure::IndexBlock,
        };
        let mut path = vec![
            Step { name: structure.to_string(), block: 0 },
            Step { name: index.to_string(), block: u64::from(self.root.index.get()) },
        ];
        if block != self.root.index {
            path.push(Step { name: index.to_string(), block: u64::from(block.get()) });
        }
        path
    }

    fn bitmap_path(&self, bitmap: &Bitmap) -> Vec<Step> {
        let mut path = self.path(bitmap.place.block);
        let block = bitmap.entry.blocknr.get();
        path.push(Step { name: self.bitmap_structure().to_string(), block });
        path
    }

    fn overflow_path(&self, block: MetadataBlock) -> Vec<Step> {
        let (structure, _) = self.map.root_place();
        let step =
            |name: String, block: MetadataBlock| Step { name, block: u64::from(block.get()) };
        let tree = self.overflow_tree().to_string();
        let root = Step { name: structure.to_string(), block: 0 };
        let mut path = vec![root, step(tree, self.root.overflow)];
        if block != self.root.overflow {
            path.push(step("node".to_owned(), block));
        }
        path
    }

    /// The bitmaps in order, as far as the index tells.
    fn bitmaps(&self, compared: &mut Compared) -> Result<Vec<Bitmap>> {
        self.watch.begin("reading the space map", 0);
        let wanted = self.root.blocks.div_ceil(BITMAP_ENTRIES);
        let mut found = BTreeMap::new();
        let losses = match self.map {
            SpaceMap::Data => self.data_index(&mut found)?,
            SpaceMap::Metadata => self.metadata_index(wanted, &mut found)?,
        };
        for loss in &losses {
            let finding = Finding::of_error("index", &loss.error);
            compared.findings.push(Finding { path: self.path(loss.block), ..finding });
        }
        let mut seen = HashSet::new();
        let mut next = 0;
        let mut bitmaps = Vec::new();
        for bitmap in found.into_values() {
            self.tell_missing(next..bitmap.number.min(wanted), &losses, compared);
            next = bitmap.number.saturating_add(1);
            let block = bitmap.entry.blocknr.get();
            let expected = if bitmap.number >= wanted {
                Some(format!("none behind the last bitmap, {}", wanted.saturating_sub(1)))
            } else if self.reader.pointer(block).is_none() {
                Some(self.reader.pointer_rule())
            } else if seen.insert(block) {
                None
            } else {
                Some("a block of its own".to_owned())
            };
            match expected {
                None => bitmaps.push(bitmap),
                Some(expected) => {
                    let error = bitmap.place.corrupt("bitmap", bitmap.offset, expected, block);
                    let finding = Finding::of_error("index", &error);
                    let path = self.path(bitmap.place.block);
                    compared.findings.push(Finding { path, ..finding });
                }
            }
        }
        self.tell_missing(next..wanted, &losses, compared);
        Ok(bitmaps)
    }

    /// Tells of bitmaps that the index does not name, though it is whole there.
    fn tell_missing(
        &self,
        numbers: std::ops::Range<u64>,
        losses: &[Loss],
        compared: &mut Compared,
    ) {
        if numbers.is_empty() || Loss::find(losses, numbers.start).is_some() {
            return;
        }
        let (first, last) = (numbers.start, numbers.end.saturating_sub(1));
        let structure = match self.map {
            SpaceMap::Data => Structure::Node(Tree::DataIndex),
            SpaceMap::Metadata => Structure::IndexBlock,
        };
        let place = Place { block: self.root.index, structure };
        let expected = format!("entries for the bitmaps {first} to {last}");
        let error = place.corrupt("bitmaps", 0, expected, "none");
        let finding = Finding::of_error("index", &error);
        compared.findings.push(Finding { path: self.path(self.root.index), ..finding });
    }

    fn data_index(&self, found: &mut BTreeMap<u64, Bitmap>) -> Result<Vec<Loss>> {
        let root = self.root.index;
        read_tree_around(self.reader, Tree::DataIndex, root, self.watch, |node| {
            let entries = node.keys().iter().zip(node.values::<IndexEntry>()).enumerate();
            for (at, (key, entry)) in entries {
                let (number, place, offset) = (key.get(), node.place(), node.value_offset(at));
                found.insert(number, Bitmap { number, entry: *entry, place, offset });
            }
            Ok(())
        })
    }

    fn metadata_index(&self, wanted: u64, found: &mut BTreeMap<u64, Bitmap>) -> Result<Vec<Loss>> {
        let place = Place { block: self.root.index, structure: Structure::IndexBlock };
        let mut page = Page::zeroed();
        let read = self.reader.read(self.root.index, &mut page).and_then(|()| {
            check_checksum(&page, BlockKind::Index, place)?;
            check_number(&page, place)?;
            IndexBlock::ref_from_bytes(page.bytes())
                .map_err(|_| place.corrupt("size", 0, "4096 bytes", "less"))
        });
        let index = match read {
            Ok(index) => index,
            Err(error) if error.is_damage() => {
                return Ok(vec![Loss::of_block(self.root.index, KeyRange::ALL, error)]);
            }
            Err(error) => return Err(error),
        };
        for ((number, entry), at) in (0_u64..wanted).zip(&index.index).zip(0_usize..) {
            let offset = at.saturating_mul(size_of::<IndexEntry>());
            let offset = offset.saturating_add(offset_of!(IndexBlock, index));
            if entry.blocknr.get() != 0 {
                found.insert(number, Bitmap { number, entry: *entry, place, offset });
            }
        }
        Ok(Vec::new())
    }

    fn bitmap(
        &self,
        bitmap: &Bitmap,
        page: &mut Page,
        overflow: &mut Overflow,
        compared: &mut Compared,
    ) -> Result<()> {
        let Some(block) = self.reader.pointer(bitmap.entry.blocknr.get()) else { return Ok(()) };
        let place = Place { block, structure: self.bitmap_structure() };
        self.reader.read(block, page)?;
        check_checksum(page, BlockKind::Bitmap, place)?;
        check_number(page, place)?;
        let (_, bytes) = BitmapHeader::ref_from_prefix(page.bytes())
            .map_err(|_| place.corrupt("size", 0, "4096 bytes", "less"))?;
        let (begin, length) = self.range_of(bitmap.number);
        let end = begin.saturating_add(length);
        let (mut used, mut first_free, mut behind) = (0_u64, None, 0_u64);
        for (first, byte) in (begin..).step_by(4).zip(bytes) {
            if let Some(four) = plain(*byte)
                && first.saturating_add(4) <= end
                && self.reached.four(first) == Some(four)
            {
                for (number, count) in (first..).zip(four) {
                    if count > 0 {
                        used = used.saturating_add(1);
                    } else if first_free.is_none() {
                        first_free = Some(number);
                    }
                }
                continue;
            }
            for (number, pair) in (first..).zip([0, 2, 4, 6].map(|shift| (byte >> shift) & 3)) {
                if pair != 0 {
                    used = used.saturating_add(1);
                } else if first_free.is_none() {
                    first_free = Some(number);
                }
                if number >= end {
                    behind = behind.saturating_add(u64::from(pair != 0));
                    continue;
                }
                let counted = match pair {
                    0 => Some(0),
                    2 => Some(1),
                    1 => Some(2),
                    _ => overflow.count(self, number, bitmap, compared)?,
                };
                if let Some(counted) = counted {
                    compared.note(number, self.reached.of(number), counted);
                }
            }
        }
        compared.allocated = compared.allocated.saturating_add(used.saturating_sub(behind));
        if behind > 0 {
            let offset = size_of::<BitmapHeader>().saturating_add(index_u64(length / 4));
            let expected = "0 behind the end of the device";
            let error = place.corrupt("counts", offset, expected, format!("{behind} others"));
            let finding = Finding::of_error("bitmap", &error);
            compared.findings.push(Finding { path: self.bitmap_path(bitmap), ..finding });
        }
        self.check_hints(bitmap, used, first_free.map(|free| free.saturating_sub(begin)), compared);
        Ok(())
    }

    /// The index entry's sum and hint; behind the end of the device everything counts as free.
    fn check_hints(
        &self,
        bitmap: &Bitmap,
        used: u64,
        first_free: Option<u64>,
        compared: &mut Compared,
    ) {
        let free = BITMAP_ENTRIES.saturating_sub(used);
        let (told, hint) = (bitmap.entry.nr_free.get(), bitmap.entry.none_free_before.get());
        let at = |field| bitmap.offset.saturating_add(field);
        let mut tell = |code, error: &Error| {
            let mut finding = Finding::of_error(code, error);
            finding.path = self.path(bitmap.place.block);
            compared.findings.push(finding);
        };
        if u64::from(told) != free {
            let expected = format!("{free}, as bitmap {} says", bitmap.number);
            let offset = at(offset_of!(IndexEntry, nr_free));
            tell("free-count", &bitmap.place.corrupt("nr_free", offset, expected, told));
        }
        if first_free.is_some_and(|first| first < u64::from(hint)) {
            let first = first_free.unwrap_or_default();
            let expected =
                format!("at most {first}, the first free entry of bitmap {}", bitmap.number);
            let offset = at(offset_of!(IndexEntry, none_free_before));
            tell("free-hint", &bitmap.place.corrupt("none_free_before", offset, expected, hint));
        }
    }

    /// What stands in the overflow tree and in no bitmap, what is lost of it, and the total.
    fn finish(&self, overflow: &mut Overflow, compared: &mut Compared) -> Result<()> {
        while let Some(entry) = overflow.next(self)? {
            if compared.unknown == 0 {
                compared.stray(&entry, self);
            }
        }
        for loss in overflow.walk.losses() {
            let finding = Finding::of_error("overflow", &loss.error);
            let path = self.overflow_path(loss.block);
            compared.findings.push(Finding { path, ..finding });
        }
        // More than there are blocks is told of the superblock.
        let is_sound = self.root.allocated <= self.root.blocks;
        if compared.unknown == 0 && is_sound && compared.allocated != self.root.allocated {
            let (structure, offset) = self.map.root_place();
            let place = Place { block: MetadataBlock::new(0), structure };
            let offset = offset.saturating_add(offset_of!(raw::SpaceMapRoot, nr_allocated));
            let expected = format!("{}, as the bitmaps say", compared.allocated);
            let found = self.root.allocated;
            let error = place.corrupt("nr_allocated", offset, expected, found);
            let mut finding = Finding::of_error("allocated-count", &error);
            finding.path = vec![Step { name: structure.to_string(), block: 0 }];
            compared.findings.push(finding);
        }
        Ok(())
    }
}

impl Compared {
    fn note(&mut self, block: u64, reached: u32, counted: u32) {
        match (reached, counted) {
            _ if reached == counted => {}
            (0, _) => self.leaked.push(block, reached, counted),
            (_, 0) => self.missing.push(block, reached, counted),
            _ if counted < reached => self.too_few.push(block, reached, counted),
            _ => self.too_many.push(block, reached, counted),
        }
    }

    /// An entry of the overflow tree of which the bitmap does not say so.
    fn stray(&mut self, entry: &Entry, within: &Comparison<'_>) {
        let expected = "only blocks of which the bitmap says so";
        let error = entry.place.corrupt("key", entry.offsets.0, expected, entry.block);
        self.tell_entry(entry, &error, within);
    }

    fn tell_entry(&mut self, entry: &Entry, error: &Error, within: &Comparison<'_>) {
        let finding = Finding::of_error("overflow-entry", error);
        let path = within.overflow_path(entry.place.block);
        self.findings.push(Finding { path, ..finding });
    }
}

impl Overflow {
    /// The next entry, around what is broken.
    fn next(&mut self, within: &Comparison<'_>) -> Result<Option<Entry>> {
        while self.entries.is_empty() && !self.ended {
            let entries = &mut self.entries;
            let leaf = self.walk.next_leaf(within.reader, within.watch, |leaf| {
                for (at, (key, count)) in leaf.keys().iter().zip(leaf.values::<U32>()).enumerate() {
                    let (block, count) = (key.get(), count.get());
                    let offsets = (key_offset(at), leaf.value_offset(at));
                    entries.push_back(Entry { block, count, place: leaf.place(), offsets });
                }
                Ok(())
            })?;
            self.ended = leaf.is_none();
        }
        Ok(self.entries.pop_front())
    }

    /// The count of a block of which the bitmap says that it stands here; none where that is lost.
    fn count(
        &mut self,
        within: &Comparison<'_>,
        block: u64,
        bitmap: &Bitmap,
        compared: &mut Compared,
    ) -> Result<Option<u32>> {
        while let Some(entry) = self.next(within)? {
            if entry.block > block {
                self.entries.push_front(entry);
                break;
            }
            if entry.block == block {
                let count = entry.count;
                if count < OVERFLOW {
                    let error = entry.place.corrupt("count", entry.offsets.1, "at least 3", count);
                    compared.tell_entry(&entry, &error, within);
                    return Ok(None);
                }
                return Ok(Some(count));
            }
            // Entries for blocks of a lost bitmap are not stray.
            if compared.unknown == 0 {
                compared.stray(&entry, within);
            }
        }
        if !self.is_lost(block)
            && let Some(number) = within.reader.pointer(bitmap.entry.blocknr.get())
        {
            let byte = index_u64(block % BITMAP_ENTRIES / 4);
            let offset = size_of::<BitmapHeader>().saturating_add(byte);
            let expected = format!("an entry for block {block} in the overflow tree");
            let place = Place { block: number, structure: within.bitmap_structure() };
            let error = place.corrupt("count above two", offset, expected, "none");
            let finding = Finding::of_error("overflow-entry", &error);
            compared.findings.push(Finding { path: within.bitmap_path(bitmap), ..finding });
        }
        Ok(None)
    }

    /// Whether the entry of a block stood in what is lost of the tree.
    fn is_lost(&mut self, block: u64) -> bool {
        // The last one may have been extended since.
        let known = self.losses.saturating_sub(1);
        let new = self.walk.losses().get(known..).unwrap_or_default();
        self.lost.extend(new.iter().map(|loss| (loss.range.first, loss.range.last)));
        self.losses = self.walk.losses().len();
        let before = self.lost.range(..=block).next_back();
        before.is_some_and(|(_, last)| *last >= block)
    }
}

/// The counts of a byte of a bitmap, where none is in the overflow tree.
fn plain(byte: u8) -> Option<[u8; 4]> {
    PLAIN.get(usize::from(byte)).copied().flatten()
}

/// By byte, since most of a bitmap is compared byte by byte.
static PLAIN: LazyLock<Vec<Option<[u8; 4]>>> = LazyLock::new(|| {
    let count = |pair| match pair {
        0 => Some(0),
        2 => Some(1),
        1 => Some(2),
        _ => None,
    };
    let counts = |byte: u8| {
        let [one, two, three, four] = [0, 2, 4, 6].map(|shift| count((byte >> shift) & 3));
        Some([one?, two?, three?, four?])
    };
    (0..=u8::MAX).map(counts).collect()
});

/// Findings about counts that differ, for one space.
pub(super) fn difference(
    code: &'static str,
    severity: Severity,
    what: &str,
    map: SpaceMap,
    difference: Difference,
) -> Option<Finding> {
    let Example { block, reached, counted } = difference.example?;
    let space = match map {
        SpaceMap::Data => "data",
        SpaceMap::Metadata => "metadata",
    };
    let Difference { blocks, runs, .. } = difference;
    let plural = if blocks == 1 { "block" } else { "blocks" };
    let message = format!(
        "{blocks} {space} {plural} {what} (block {block} is reached {reached} times, counted {counted})"
    );
    let mut finding = Finding::new(code, severity, message).with("count", reached, counted);
    finding.count = blocks;
    finding.blocks = runs;
    Some(finding)
}
