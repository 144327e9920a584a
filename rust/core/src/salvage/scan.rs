//! The scan: every block once in order; then the internal nodes once more, lowest first, so that
//! each knows what all nodes below it come to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zerocopy::little_endian::U64;
use zerocopy::{FromBytes, IntoBytes};

use super::BlockCounts;
use super::nodes::{Facts, Hashes, Height, Kinds, Listing, Nodes};
use crate::btree::{Node, Tree};
use crate::capture::{CHUNK, Unreadable, read_blocks};
use crate::checksum::BlockKind;
use crate::damage::Damage;
use crate::error::{Error, Result};
use crate::raw::{INTERNAL_NODE, NodeHeader, Page};
use crate::reader::Reader;
use crate::source::BlockSource;
use crate::source::identify::is_bad_medium;
use crate::superblock::{SpaceMapRoot, Superblock, parse_alone};
use crate::units::{MAX_METADATA_BLOCKS, MetadataBlock, index_u64, low_u32, pointer, widen};
use crate::watch::Watch;

/// Most superblocks that are kept, block 0 and copies.
const MAX_SUPERBLOCKS: usize = 1024;

/// All that the scan found.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) reader: Reader,
    pub(super) nodes: Nodes,
    /// By the position of the node: top-level nodes.
    pub(super) tops: HashMap<u32, Listing>,
    /// Details nodes likewise.
    pub(super) details: HashMap<u32, Listing>,
    /// The live superblock with the root of its metadata space map, if both are whole.
    pub(super) live: Option<(Superblock, SpaceMapRoot)>,
    /// Superblocks in their places with, in block 0, the blocks of the data device.
    pub(super) superblocks: Vec<(Superblock, Option<u64>)>,
    pub(super) blocks: BlockCounts,
    pub(super) unreadable: Vec<(u64, u64)>,
    /// What could be read once, and not once more.
    pub(super) lost: Damage,
    hashes: Hashes,
}

impl Scan {
    /// Reads all blocks of a source.
    pub(super) fn run(
        source: Arc<dyn BlockSource>,
        blocks: u64,
        first: &Page,
        watch: &Watch,
    ) -> Result<Self> {
        let reader = Reader::new(source, blocks);
        let blocks = reader.blocks();
        let mut scan = Self {
            nodes: Nodes::new(blocks),
            reader,
            live: None,
            tops: HashMap::new(),
            details: HashMap::new(),
            superblocks: Vec::new(),
            blocks: BlockCounts { total: blocks, ..BlockCounts::default() },
            unreadable: Vec::new(),
            lost: Damage::default(),
            hashes: Hashes::new(),
        };
        let live = Superblock::parse_live(first, scan.reader.source().len()).ok();
        scan.live = live.map(|(live, roots)| (live, roots.metadata));
        scan.read_all(first, watch)?;
        scan.nodes.measure();
        scan.fold_mappings(watch)?;
        scan.list_roots(watch)?;
        scan.fold_listings(Kinds::TOP_LEVEL, watch)?;
        scan.fold_listings(Kinds::DETAILS, watch)?;
        scan.count();
        Ok(scan)
    }

    fn read_all(&mut self, first: &Page, watch: &Watch) -> Result<()> {
        let blocks = self.reader.blocks();
        watch.begin("reading all blocks", blocks);
        let mut pages = Page::many(CHUNK.min(index_u64(blocks)));
        let mut unreadable = Unreadable::default();
        for begin in (0..blocks).step_by(CHUNK) {
            let count = index_u64(blocks.saturating_sub(begin)).min(CHUNK);
            let room = pages.get_mut(..count).unwrap_or_default();
            read_blocks(self.reader.source(), begin, room.as_mut_bytes(), &mut unreadable)?;
            for (block, page) in (begin..).zip(room.iter()) {
                // Block 0 as it was when the source was opened.
                let page = if block == 0 { first } else { page };
                self.look_at(MetadataBlock::new(low_u32(block)), page);
            }
            watch.advance(widen(count))?;
        }
        let lost = unreadable.runs.iter().map(|(_, count)| *count);
        self.blocks.unreadable = lost.fold(0, u64::saturating_add);
        self.blocks.zero = self.blocks.zero.saturating_sub(self.blocks.unreadable);
        self.unreadable = unreadable.runs;
        Ok(())
    }

    fn look_at(&mut self, block: MetadataBlock, page: &Page) {
        if page.is_zero() {
            return count_one(&mut self.blocks.zero);
        }
        let Some(kind) = BlockKind::of(page) else {
            return count_one(&mut self.blocks.unknown);
        };
        if page.stored_number() != u64::from(block.get()) {
            return count_one(&mut self.blocks.misplaced);
        }
        match kind {
            BlockKind::Superblock => match parse_alone(page, block, self.most_blocks(block)) {
                Ok(found) => {
                    count_one(&mut self.blocks.superblocks);
                    if self.superblocks.len() < MAX_SUPERBLOCKS {
                        self.superblocks.push(found);
                    }
                }
                Err(_) => count_one(&mut self.blocks.broken),
            },
            BlockKind::Bitmap => count_one(&mut self.blocks.bitmaps),
            BlockKind::Index => count_one(&mut self.blocks.index_blocks),
            BlockKind::Node if block.get() != 0 => self.look_at_node(block, page),
            _ => count_one(&mut self.blocks.unknown),
        }
    }

    /// Metadata blocks that a superblock's pointers must stay within: what the live one points at
    /// may lie behind the end of a truncated source.
    fn most_blocks(&self, superblock: MetadataBlock) -> u64 {
        if superblock.get() == 0 { MAX_METADATA_BLOCKS } else { self.reader.blocks() }
    }

    fn look_at_node(&mut self, block: MetadataBlock, page: &Page) {
        let Some((node, kinds)) = parsed(page, block) else {
            return count_one(&mut self.blocks.broken);
        };
        let facts = Facts::of(&node, kinds, self.reader.blocks());
        if facts.kinds == Kinds::DETAILS && node.is_leaf() && facts.is_complete {
            let listing = Listing::of_records(&node, self.hashes);
            self.details.insert(self.nodes.len(), listing);
        }
        self.nodes.push(facts);
    }

    /// Reads nodes once more, given by ascending block. What cannot be read, or is another now, is
    /// left out; what cannot be read is noted.
    pub(super) fn reread(
        reader: &Reader,
        lost: &Damage,
        blocks: &[MetadataBlock],
        watch: &Watch,
        mut each: impl FnMut(&Node<'_>),
    ) -> Result<()> {
        let mut rest = blocks;
        let mut done = 0_usize;
        loop {
            let begin = done;
            let read = reader.read_sorted(rest, watch, |at, block, page| {
                done = begin.saturating_add(at).saturating_add(1);
                if let Some((node, _)) = parsed(page, block) {
                    each(&node);
                }
                Ok(())
            });
            let (bad, error) = match read {
                Err(Error::Read { block, offset, cause }) if is_bad_medium(&cause) => {
                    (block, Error::Read { block, offset, cause })
                }
                read => return read,
            };
            lost.note(MetadataBlock::new(low_u32(bad)), error);
            // What stands before it in the same request was read, and not looked at.
            rest = blocks.get(done..).unwrap_or_default();
            let at = rest.partition_point(|block| u64::from(block.get()) < bad);
            let (before, behind) = rest.split_at_checked(at).unwrap_or_default();
            reader.read_sorted(before, watch, |_, block, page| {
                if let Some((node, _)) = parsed(page, block) {
                    each(&node);
                }
                Ok(())
            })?;
            rest = behind.get(1..).unwrap_or_default();
            done = done.saturating_add(at).saturating_add(1);
        }
    }

    fn fold_mappings(&mut self, watch: &Watch) -> Result<()> {
        for level in self.nodes.levels(Kinds::MAPPING) {
            watch.begin("adding up trees", widen(level.len()));
            let nodes = &mut self.nodes;
            Self::reread(&self.reader, &self.lost, &level, watch, |node| {
                fold(nodes, node, Kinds::MAPPING, |facts, child| {
                    facts.newest = facts.newest.max(child.newest);
                    facts.mappings = facts.mappings.saturating_add(child.mappings);
                    facts.data_end = facts.data_end.max(child.data_end);
                });
                let at = nodes.position(node.place().block);
                if let Some(facts) = at.and_then(|at| nodes.get_mut(at))
                    && facts.kinds.meets(Kinds::TOP_LEVEL)
                {
                    // Its first child may be a list of roots as well: now the others tell.
                    facts.kinds = if facts.is_complete { Kinds::MAPPING } else { Kinds::TOP_LEVEL };
                }
            })?;
        }
        Ok(())
    }

    /// The leaves of the lists of roots that the live superblock names, and that of the metadata
    /// snapshot which is held: these are lists, whatever became of the trees.
    fn named_lists(&self, watch: &Watch) -> Result<HashSet<MetadataBlock>> {
        let live = self.superblocks.first().filter(|(found, _)| found.block.get() == 0);
        let Some((live, _)) = live else { return Ok(HashSet::new()) };
        let mut named: Vec<_> = self
            .superblocks
            .iter()
            .filter(|(found, _)| {
                found.block == live.block || Some(found.block) == live.metadata_snapshot
            })
            .map(|(found, _)| found.mapping_root)
            .collect();
        let mut seen = HashSet::new();
        while !named.is_empty() {
            named.retain(|block| self.nodes.at(*block).is_some() && seen.insert(*block));
            named.sort_unstable();
            let mut below = Vec::new();
            Self::reread(&self.reader, &self.lost, &named, watch, |node| {
                if !node.is_leaf() {
                    let children = node.values::<U64>().iter();
                    below.extend(children.filter_map(|at| pointer(at.get(), self.nodes.blocks)));
                }
            })?;
            named = below;
        }
        Ok(seen)
    }

    /// Runs of all blocks that could not be read, now or once more.
    pub(super) fn all_unreadable(&self) -> Vec<(u64, u64)> {
        let lost = self.lost.all().into_iter().map(|(block, _)| (u64::from(block.get()), 1));
        let mut runs: Vec<_> = self.unreadable.iter().copied().chain(lost).collect();
        runs.sort_unstable();
        runs.dedup_by(|next, run| {
            let joins = run.0.saturating_add(run.1) == next.0;
            if joins {
                run.1 = run.1.saturating_add(next.1);
            }
            joins
        });
        runs
    }

    /// Looks at what the top-level leaves list, now that the trees are known.
    fn list_roots(&mut self, watch: &Watch) -> Result<()> {
        let named = self.named_lists(watch)?;
        let is_list = |facts: &Facts| {
            facts.height == Height::Levels(0) && facts.kinds.meets(Kinds::TOP_LEVEL)
        };
        let nodes = self.nodes.iter().filter(|(_, facts)| is_list(facts));
        let blocks: Vec<_> = nodes.map(|(_, facts)| facts.block).collect();
        watch.begin("looking at lists of devices", widen(blocks.len()));
        let (nodes, tops, hashes) = (&mut self.nodes, &mut self.tops, self.hashes);
        Self::reread(&self.reader, &self.lost, &blocks, watch, |node| {
            let listing = Listing::of_roots(node, nodes, hashes);
            let Some(at) = nodes.position(node.place().block) else { return };
            let has_trees = listing.devices == 0 || listing.broken < listing.devices;
            let has_trees = has_trees || named.contains(&node.place().block);
            let is_sure = nodes.get(at).is_some_and(|facts| facts.kinds == Kinds::TOP_LEVEL);
            if !has_trees {
                if let Some(facts) = nodes.get_mut(at) {
                    // One value that names no tree is a mapping; several are roots of trees that
                    // are gone, which is no state.
                    facts.kinds = if is_sure { facts.kinds } else { Kinds::MAPPING };
                }
                return;
            }
            tops.insert(at, listing);
            for root in node.values::<U64>() {
                let root = pointer(root.get(), nodes.blocks).and_then(|root| nodes.position(root));
                if let Some(tree) = root.and_then(|root| nodes.get_mut(root)) {
                    tree.is_listed = true;
                }
            }
        })
    }

    fn fold_listings(&mut self, kinds: Kinds, watch: &Watch) -> Result<()> {
        for level in self.nodes.levels(kinds) {
            watch.begin("adding up lists of devices", widen(level.len()));
            let nodes = &mut self.nodes;
            let listings = if kinds == Kinds::DETAILS { &mut self.details } else { &mut self.tops };
            Self::reread(&self.reader, &self.lost, &level, watch, |node| {
                let mut sum = Listing::default();
                let mut are_listed = true;
                fold(nodes, node, kinds, |_, _| {});
                for child in node.values::<U64>() {
                    let child = pointer(child.get(), nodes.blocks);
                    match child.and_then(|child| listings.get(&nodes.position(child)?)) {
                        Some(listing) => sum.add(listing),
                        None => are_listed = false,
                    }
                }
                let Some(at) = nodes.position(node.place().block) else { return };
                if let Some(facts) = nodes.get_mut(at) {
                    facts.is_complete &= are_listed;
                    if facts.is_complete {
                        listings.insert(at, sum);
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Counts the nodes by their trees.
    fn count(&mut self) {
        let blocks = &mut self.blocks;
        for (at, facts) in self.nodes.iter() {
            let lists_trees = self.tops.get(&at).is_some_and(|top| top.devices > 0);
            count_one(match facts.kinds {
                _ if lists_trees => &mut blocks.top_level_nodes,
                kinds if kinds.meets(Kinds::MAPPING) => &mut blocks.mapping_nodes,
                Kinds::TOP_LEVEL => &mut blocks.top_level_nodes,
                Kinds::DETAILS => &mut blocks.details_nodes,
                Kinds::DATA_INDEX => &mut blocks.data_index_nodes,
                Kinds::OVERFLOW => &mut blocks.overflow_nodes,
                _ => &mut blocks.lost_nodes,
            });
        }
    }
}

fn count_one(count: &mut u64) {
    *count = count.saturating_add(1);
}

/// A block as a node of a tree with values of that size, if it breaks no rule.
fn parsed(page: &Page, block: MetadataBlock) -> Option<(Node<'_>, Kinds)> {
    let (header, _) = NodeHeader::ref_from_prefix(page.bytes()).ok()?;
    let (tree, kinds) = match (header.flags.get(), header.value_size.get()) {
        (INTERNAL_NODE, _) => (Tree::Mapping, Kinds::NONE),
        (_, 8) => (Tree::Mapping, Kinds::MAPPING),
        (_, 24) => (Tree::Details, Kinds::DETAILS),
        (_, 16) => (Tree::DataIndex, Kinds::DATA_INDEX),
        (_, 4) => (Tree::DataOverflow, Kinds::OVERFLOW),
        _ => return None,
    };
    Node::parse(page, block, tree).ok().map(|node| (node, kinds))
}

/// Looks at the children of an internal node, of which all lower levels are known: whether each
/// is there, is of the same tree, stands one level lower, and keeps to its keys.
fn fold(nodes: &mut Nodes, node: &Node<'_>, kinds: Kinds, mut add: impl FnMut(&mut Facts, &Facts)) {
    let Some(at) = nodes.position(node.place().block) else { return };
    let Some(mut facts) = nodes.get(at).copied() else { return };
    let Height::Levels(height) = facts.height else { return };
    let below = Height::Levels(height.saturating_sub(1));
    facts.is_complete = !node.is_leaf();
    let mut last = None;
    let ends = node.keys().iter().skip(1).map(|key| Some(key.get())).chain([None]);
    for ((key, end), child) in node.keys().iter().zip(ends).zip(node.values::<U64>()) {
        let child = pointer(child.get(), nodes.blocks).and_then(|child| nodes.at(child));
        let fits = child.filter(|child| {
            child.kinds.meets(kinds)
                && child.height == below
                && !child.is_empty()
                && child.first >= key.get()
                && end.is_none_or(|end| child.last < end)
        });
        last = fits.map(|child| child.last);
        facts.is_complete &= fits.is_some_and(|child| child.is_complete);
        if let Some(child) = fits {
            add(&mut facts, child);
        }
    }
    facts.last = last.unwrap_or(facts.last);
    if facts.is_complete {
        for child in node.values::<U64>() {
            let child = pointer(child.get(), nodes.blocks).and_then(|child| nodes.position(child));
            if let Some(child) = child.and_then(|child| nodes.get_mut(child)) {
                child.has_parent = true;
            }
        }
    }
    if let Some(slot) = nodes.get_mut(at) {
        *slot = facts;
    }
}
