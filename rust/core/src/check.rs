//! Checks everything that a pool's metadata says of itself, and never stops at the first thing that
//! is wrong.
//!
//! 1. [`superblock`](crate::superblock): each field by itself; what can be believed is gone on with.
//! 2. The trees of the live pool and of a held metadata snapshot, read around what is broken, with
//!    every mapping counted ([`mappings`], [`devices`]).
//! 3. Every pointer to a metadata block is counted ([`references`]), and both space maps are gone
//!    through beside what was reached ([`space_map`]).
//!
//! Where nodes are lost, what is reached is a lower bound: then nothing is called leaked. A block
//! that no path reaches is not looked at; [`salvage`](crate::salvage) does.

mod devices;
mod finding;
mod mappings;
mod references;
mod space_map;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use finding::{Affected, Blocks, Finding, Severity, Step};

use self::finding::{Findings, UNREADABLE};
use self::mappings::Walked;
use self::references::References;
use self::space_map::{Comparison, difference};
use self::tally::Counts;
use crate::btree::Tree;
use crate::checksum::BlockKind;
use crate::committed::Committed;
use crate::error::{Error, Result};
use crate::raw::{self, BITMAP_ENTRIES, Page};
use crate::reader::Reader;
use crate::source::identify::{first_block, identify};
use crate::source::{BlockSource, unpacked};
use crate::superblock::{Draft, SpaceMap, SpaceMapRoot, View, claims_to_be_thin};
use crate::units::{BLOCK_BYTES, DeviceId, MAX_METADATA_BLOCKS, MetadataBlock, widen};
use crate::watch::Watch;

/// From here on the 24 bits that a mapping has for the pool's time are nearly used up: a sixteenth
/// is left.
const TIME_NEARLY_USED_UP: u32 = (1 << 24) - (1 << 20);

/// Blocks looked at to tell whether a source without superblock once was thin metadata.
const LOOKED_AT: u64 = 4096;

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The live pool with the metadata snapshot that it holds, or that snapshot's trees alone.
    pub view: View,
    /// How far down.
    pub depth: Depth,
    /// Root of the top-level tree, in place of the superblock's.
    pub mapping_root: Option<MetadataBlock>,
    /// Root of the details tree, in place of the superblock's.
    pub details_root: Option<MetadataBlock>,
}

/// How far down a check looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// The superblock alone.
    Superblock,
    /// The two trees that list the devices.
    Devices,
    /// Everything.
    All,
}

impl Scope {
    /// Everything of the live pool.
    pub const ALL: Self =
        Self { view: View::Live, depth: Depth::All, mapping_root: None, details_root: None };
}

/// What a check found, and what it looked at.
#[derive(Debug, Default)]
pub struct Check {
    /// What is wrong, in the order in which it lies: superblock, trees, space maps.
    pub findings: Vec<Finding>,
    /// Devices looked at, by ascending id.
    pub devices: Vec<DeviceId>,
    /// Whether a metadata snapshot is held; its trees were looked at as well.
    pub has_metadata_snapshot: bool,
    /// Distinct nodes of mapping trees.
    pub nodes: u64,
    /// Mappings, those of a shared leaf counted once.
    pub mappings: u64,
    /// The pool's transaction id, where the superblock tells.
    pub transaction_id: Option<u64>,
    /// Free blocks of the metadata by the superblock, likewise.
    pub metadata_free_blocks: Option<u64>,
    /// Whether reads may have returned old blocks, see [`BlockSource::may_be_stale`].
    pub may_be_stale: bool,
    /// What becomes `findings`.
    collected: Findings,
}

/// Checks the metadata in a source; unpacks what is packed.
///
/// Memory: that of the graph; a byte a data block or, where that is more, 8 a mapping.
///
/// # Errors
///
/// The source cannot be read at all, or holds something else; [`Error::Changed`],
/// [`Error::Cancelled`]. Damage is no error.
pub fn check(
    source: Arc<dyn BlockSource>,
    scope: Scope,
    threads: usize,
    watch: &Watch,
) -> Result<Check> {
    let mut source = source;
    let mut page = match first_block(&*source) {
        Ok(page) => page,
        Err(error) if error.is_damage() && source.len() >= BLOCK_BYTES => {
            return Ok(Check::hopeless(Finding::of_error("superblock", &error)));
        }
        Err(error) => return Err(error),
    };
    if let Some(unpacked) = unpacked(&source, &page, watch)? {
        source = unpacked;
        page = first_block(&*source)?;
    }
    if source.len() < BLOCK_BYTES || !claims_to_be_thin(&page) {
        return without_superblock(&source, &page, watch);
    }
    let mut draft = Draft::live(&page, source.len())?;
    draft.mapping_root = scope.mapping_root.or(draft.mapping_root);
    draft.details_root = scope.details_root.or(draft.details_root);
    let reader = Reader::new(source, draft.blocks);
    let committed = Committed::live(page);
    let checked = Checker { reader: &reader, scope, threads, watch }.run(&draft);
    match (checked, committed.check(&reader)) {
        (Ok(_) | Err(Error::Corrupt(_)), Err(changed)) => Err(changed),
        (checked, _) => checked.map(|mut check| {
            check.findings = std::mem::take(&mut check.collected).finish();
            check
        }),
    }
}

impl Check {
    /// Of a source of which the superblock is lost.
    fn hopeless(mut finding: Finding) -> Self {
        finding.hint = Some("`thinscope salvage SOURCE` looks for trees without the superblock");
        Self { findings: vec![finding], ..Self::default() }
    }
}

/// A source that does not begin with a superblock: something else, or metadata that lost it.
fn without_superblock(source: &Arc<dyn BlockSource>, first: &Page, watch: &Watch) -> Result<Check> {
    let identity = identify(first, source.len());
    let blocks = (source.len() / BLOCK_BYTES).min(LOOKED_AT).min(MAX_METADATA_BLOCKS);
    let reader = Reader::new(Arc::clone(source), blocks);
    let mut nodes = 0_u64;
    let all: Vec<_> = (1..blocks).filter_map(|block| reader.pointer(block)).collect();
    reader.read_each(&all, watch, |_, block, page| {
        let Ok(page) = page else { return Ok(()) };
        let is_own = page.stored_number() == u64::from(block.get());
        let kind = if is_own { BlockKind::of(page) } else { None };
        let is_thin = matches!(kind, Some(BlockKind::Node | BlockKind::Bitmap | BlockKind::Index));
        nodes = nodes.saturating_add(u64::from(is_thin));
        Ok(())
    })?;
    if nodes == 0 {
        return Err(Error::NotThin(identity));
    }
    let message = format!(
        "block 0 is no superblock ({identity}), but {nodes} of the first {blocks} blocks are of a \
         pool's metadata"
    );
    let finding = Finding::new("superblock", Severity::Damage, message);
    Ok(Check::hopeless(finding.at(MetadataBlock::new(0), Vec::new())))
}

/// What checking takes.
#[derive(Clone, Copy)]
struct Checker<'a> {
    reader: &'a Reader,
    scope: Scope,
    threads: usize,
    watch: &'a Watch,
}

impl Checker<'_> {
    fn run(self, draft: &Draft) -> Result<Check> {
        let mut check = Check {
            transaction_id: Some(draft.transaction_id),
            metadata_free_blocks: Some(draft.metadata_free_blocks),
            may_be_stale: self.reader.source().may_be_stale(),
            ..Check::default()
        };
        check.superblock(draft);
        let is_asked_for = self.scope.view == View::MetadataSnapshot;
        if is_asked_for && draft.held.is_none() {
            return Err(Error::NoMetadataSnapshot);
        }
        if self.scope.depth == Depth::Superblock {
            if is_asked_for {
                self.held(draft, &mut check)?;
            }
            return Ok(check);
        }
        let held = self.held(draft, &mut check)?;
        let sides = self.sides(draft, held.as_ref(), &mut check)?;
        if self.scope.depth == Depth::Devices {
            return Ok(check);
        }
        let walked = self.walk(draft, &sides, &mut check)?;
        if self.scope.view == View::MetadataSnapshot {
            return Ok(check);
        }
        if let Some(root) = draft.data {
            self.compare(SpaceMap::Data, root, &walked.data, walked.is_whole, &mut check)?;
        }
        if let Some(root) = draft.metadata {
            let (reached, unread) = self.references(draft, held.as_ref(), &walked)?;
            let is_whole = walked.is_whole && unread.is_empty();
            self.compare(SpaceMap::Metadata, root, &reached, is_whole, &mut check)?;
            check.unread(unread);
        }
        Ok(check)
    }

    /// The superblock's copy that the metadata snapshot holds.
    fn held(self, draft: &Draft, check: &mut Check) -> Result<Option<(MetadataBlock, Draft)>> {
        let Some(block) = draft.held else { return Ok(None) };
        check.has_metadata_snapshot = true;
        let mut page = Page::zeroed();
        let copy = self.reader.read(block, &mut page);
        let copy = match copy.and_then(|()| Draft::copy(&page, block, draft)) {
            Ok(copy) => copy,
            Err(error) if error.is_damage() => {
                check.collected.push(snapshot_finding(&error, block));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // What is no copy at all points nowhere, and its fields mean nothing.
        let is_copy = BlockKind::of(&page) == Some(BlockKind::Superblock);
        let is_told = |error: &&Error| {
            is_copy || matches!(error, Error::Corrupt(corruption) if corruption.field == "csum")
        };
        let told = copy.broken.iter().filter(is_told);
        check.collected.extend(told.map(|error| snapshot_finding(error, block)));
        Ok(is_copy.then_some((block, copy)))
    }

    fn references(
        self,
        draft: &Draft,
        held: Option<&(MetadataBlock, Draft)>,
        walked: &Walked,
    ) -> Result<(Counts, Vec<(MetadataBlock, Error)>)> {
        self.watch.begin("counting pointers", 0);
        let mut references = References::new(self.reader, self.watch);
        if let Some(block) = draft.held {
            references.point_at(block);
        }
        let copy = held.map(|(_, copy)| copy);
        for superblock in [Some(draft), copy].into_iter().flatten() {
            if let Some(root) = superblock.mapping_root {
                references.tree(Tree::TopLevel, root)?;
            }
            if let Some(root) = superblock.details_root {
                references.tree(Tree::Details, root)?;
            }
        }
        if let Some(root) = draft.data {
            references.tree(Tree::DataIndex, root.index)?;
            references.tree(Tree::DataOverflow, root.overflow)?;
        }
        if let Some(root) = draft.metadata {
            references.index_block(root.index, root.blocks.div_ceil(BITMAP_ENTRIES))?;
            references.tree(Tree::MetadataOverflow, root.overflow)?;
        }
        references.mappings(&walked.graph);
        let (tally, unread) = references.finish();
        Ok((tally.counts(), unread))
    }

    fn compare(
        self,
        map: SpaceMap,
        root: SpaceMapRoot,
        reached: &Counts,
        is_whole: bool,
        check: &mut Check,
    ) -> Result<()> {
        let comparison = Comparison { reader: self.reader, watch: self.watch, map, root, reached };
        let compared = comparison.run()?;
        check.collected.extend(compared.findings.finish());
        // Metadata is pointed at from all that there is, and from the maps themselves.
        let is_whole = is_whole && (map == SpaceMap::Data || check.is_whole_elsewhere());
        let (leaked, missing, wrong) = match map {
            SpaceMap::Data => ("data-leaked", "data-missing-count", "data-wrong-count"),
            SpaceMap::Metadata => {
                ("metadata-leaked", "metadata-missing-count", "metadata-wrong-count")
            }
        };
        let damage = Severity::Damage;
        let mut found = vec![
            difference(missing, damage, "in use, but counted as free", map, compared.missing),
            difference(wrong, damage, "counted too few times", map, compared.too_few),
        ];
        // What is lost may be what the map counts.
        if is_whole {
            found.push(difference(wrong, damage, "counted too many times", map, compared.too_many));
            let what = "counted, but not in use: leaked, or in flight";
            found.push(difference(leaked, Severity::Warning, what, map, compared.leaked));
        }
        check.collected.extend(found.into_iter().flatten());
        Ok(())
    }
}

impl Check {
    /// What the superblock says of itself.
    fn superblock(&mut self, draft: &Draft) {
        for error in &draft.broken {
            let path = vec![Step { name: "superblock".to_owned(), block: 0 }];
            let finding = Finding::of_error("superblock", error);
            let mut finding = finding.at(MetadataBlock::new(0), path);
            finding.hint = finding.hint.or(match error {
                Error::Unsupported { .. } => Some("a newer thinscope may know it"),
                _ => Some("`thinscope salvage SOURCE` looks for trees without the superblock"),
            });
            self.collected.push(finding);
        }
        let about = |code, severity, message: String| {
            let path = vec![Step { name: "superblock".to_owned(), block: 0 }];
            Finding::new(code, severity, message).at(MetadataBlock::new(0), path)
        };
        if draft.flags & raw::NEEDS_CHECK != 0 {
            let message = "the kernel set needs_check: writing metadata failed, and it asks for a \
                           check";
            let finding = about("needs-check", Severity::Warning, message.to_owned());
            self.collected.push(finding.with("flags", "bit 0 not set", draft.flags));
        }
        if draft.compat_ro_flags != 0 {
            let message = format!(
                "features that are not known here: compat_ro_flags is {:#x}",
                draft.compat_ro_flags
            );
            let finding = about("unknown-features", Severity::Warning, message);
            self.collected.push(finding.with("compat_ro_flags", 0, draft.compat_ro_flags));
        }
        let time = draft.time.get();
        if time >= TIME_NEARLY_USED_UP {
            let message = format!(
                "the snapshot time is {time}: mappings have 24 bits for it, which end at {}",
                (1_u32 << 24).saturating_sub(1)
            );
            let severity = if time >= 1 << 24 { Severity::Damage } else { Severity::Warning };
            let finding = about("time-limit", severity, message);
            let expected = format!("below {TIME_NEARLY_USED_UP}");
            self.collected.push(finding.with("time", expected, time));
        }
    }

    /// What could not be read when pointers were counted, unless it is told already: it was read
    /// before, or after. Each comes with the root of its tree.
    fn unread(&mut self, unread: Vec<(MetadataBlock, Error)>) {
        for (root, error) in unread {
            let finding = Finding::of_error(UNREADABLE, &error);
            if !finding.block.is_some_and(|block| self.collected.is_about(block)) {
                let path = [("superblock", 0), ("tree", u64::from(root.get()))];
                let path = path.map(|(name, block)| Step { name: name.to_owned(), block });
                self.collected.push(finding.at(root, path.to_vec()));
            }
        }
    }

    /// Whether no pointer was missed outside the mapping trees.
    fn is_whole_elsewhere(&self) -> bool {
        const LOSSES: [&str; 7] = [
            "unreadable",
            "superblock",
            "node",
            "index",
            "overflow",
            "metadata-snapshot",
            "unsupported",
        ];
        !LOSSES.iter().any(|code| self.collected.has(code))
    }
}

/// What is wrong with the superblock's copy.
fn snapshot_finding(error: &Error, block: MetadataBlock) -> Finding {
    let path = vec![
        Step { name: "superblock".to_owned(), block: 0 },
        Step { name: "metadata snapshot".to_owned(), block: u64::from(block.get()) },
    ];
    let mut finding = Finding::of_error("metadata-snapshot", error).at(block, path);
    finding.message.insert_str(0, "the held metadata snapshot: ");
    finding
}

/// Sums of what is looked at.
fn sum(counts: &[u64]) -> u64 {
    counts.iter().copied().fold(widen(0), u64::saturating_add)
}
