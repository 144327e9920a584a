//! States out of roots: which details are of which top level, and what does not fit.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::nodes::{Kinds, Listing};
use super::scan::Scan;
use super::{Misfit, MisfitKind, State, Verdict};
use crate::error::Result;
use crate::superblock::Superblock;
use crate::units::{DeviceId, MetadataBlock, Time, widen};
use crate::watch::Watch;

/// How many details roots are tried on either side of a top-level root.
const TRIED: usize = 64;

/// Reads that telling what does not fit may take: a quarter of the blocks, and some.
const FEW_READS: u64 = 1024;

/// Details roots that list the same ids, or the same ids with the same counts.
#[derive(Debug, Default)]
struct Group {
    /// By ascending block.
    places: Vec<(MetadataBlock, u32)>,
    /// The highest time of each content, ascending.
    newest: Vec<u32>,
}

/// A details root that was chosen.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    block: MetadataBlock,
    at: u32,
    /// Others, with other records, that would do as well.
    others: u64,
}

impl Group {
    fn push(&mut self, block: MetadataBlock, at: u32, newest: Option<u32>) {
        self.places.push((block, at));
        self.newest.extend(newest);
    }

    /// The nearest one to a place that is not older than a time, else the nearest.
    fn choose(&self, place: MetadataBlock, time: u32, scan: &Scan) -> Option<Chosen> {
        let middle = self.places.partition_point(|(block, _)| *block < place);
        let first = middle.saturating_sub(TRIED);
        let near = self.places.get(first..).unwrap_or_default();
        let near = near.iter().take(TRIED.saturating_mul(2));
        let is_newer = |at: u32| scan.details.get(&at).is_none_or(|found| found.newest < time);
        let (block, at) = near
            .min_by_key(|(block, at)| (is_newer(*at), block.get().abs_diff(place.get()), *block))?;
        let older = self.newest.partition_point(|newest| *newest < time);
        let fit = widen(self.newest.len().saturating_sub(older));
        Some(Chosen { block: *block, at: *at, others: fit.saturating_sub(1) })
    }
}

/// All details roots, by what they list.
#[derive(Debug)]
struct Records {
    by_counts: HashMap<[u64; 3], Group>,
    by_ids: HashMap<[u64; 2], Group>,
}

impl Records {
    fn of(scan: &Scan) -> Self {
        let mut records = Self { by_counts: HashMap::new(), by_ids: HashMap::new() };
        let mut keys = Vec::new();
        let mut seen = HashSet::new();
        for (at, facts) in scan.nodes.iter() {
            let Some(listing) = scan.details.get(&at) else { continue };
            if !facts.is_complete || facts.has_parent {
                continue;
            }
            let is_new = seen.insert((listing.content, listing.devices));
            let newest = is_new.then_some(listing.newest);
            let group = records.by_counts.entry(counts_key(listing)).or_default();
            group.push(facts.block, at, newest);
            let group = records.by_ids.entry(ids_key(listing)).or_default();
            group.push(facts.block, at, newest);
            if is_new {
                keys.push((counts_key(listing), ids_key(listing)));
            }
        }
        for (counts, ids) in keys {
            if let Some(group) = records.by_counts.get_mut(&counts) {
                group.newest.sort_unstable();
            }
            if let Some(group) = records.by_ids.get_mut(&ids) {
                group.newest.sort_unstable();
            }
        }
        records
    }

    /// The details of a top-level root, and whether their counts agree.
    fn of_top(&self, place: MetadataBlock, top: &Listing, scan: &Scan) -> Option<(Chosen, bool)> {
        let exact = self.by_counts.get(&counts_key(top));
        let exact = exact.and_then(|group| group.choose(place, top.newest, scan));
        exact.map(|chosen| (chosen, true)).or_else(|| {
            let group = self.by_ids.get(&ids_key(top))?;
            group.choose(place, top.newest, scan).map(|chosen| (chosen, false))
        })
    }
}

const fn counts_key(listing: &Listing) -> [u64; 3] {
    [listing.counts, listing.ids, listing.devices]
}

const fn ids_key(listing: &Listing) -> [u64; 2] {
    [listing.ids, listing.devices]
}

/// What a superblock says of a state, where one does.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    superblock: &'a Superblock,
    is_live: bool,
    is_metadata_snapshot: bool,
}

/// Finds all states.
pub(super) struct Finding<'a> {
    scan: &'a Scan,
    data_blocks: Option<u64>,
    /// The time of the live superblock, which no state exceeds.
    live_time: Option<u32>,
    /// Its transaction id, likewise.
    live_transaction: Option<u64>,
    watch: &'a Watch,
    records: Records,
    /// Contents of the states that were found: each once.
    seen: HashSet<[u64; 4]>,
    states: Vec<State>,
    /// Top-level roots that have the same content as that of a state.
    aliases: Vec<MetadataBlock>,
}

/// All states, best first.
pub(super) struct Found {
    pub(super) states: Vec<State>,
    /// Other roots with the content of one: its place in `states`.
    pub(super) aliases: Vec<(MetadataBlock, usize)>,
}

impl<'a> Finding<'a> {
    pub(super) fn new(scan: &'a Scan, data_blocks: Option<u64>, watch: &'a Watch) -> Self {
        let live = scan.superblocks.first().filter(|(found, _)| found.block.get() == 0);
        Self {
            scan,
            data_blocks,
            live_time: live.map(|(live, _)| live.time.get()),
            live_transaction: live.map(|(live, _)| live.transaction_id),
            watch,
            records: Records::of(scan),
            seen: HashSet::new(),
            states: Vec::new(),
            aliases: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<Found> {
        let scan = self.scan;
        self.watch.begin("pairing roots", u64::from(scan.nodes.len()));
        let held = scan.superblocks.first().filter(|(found, _)| found.block.get() == 0);
        let held = held.and_then(|(live, _)| live.metadata_snapshot);
        for (superblock, _) in &scan.superblocks {
            self.add_known(Known {
                superblock,
                is_live: superblock.block.get() == 0,
                is_metadata_snapshot: Some(superblock.block) == held,
            });
        }
        for (at, facts) in scan.nodes.iter() {
            self.watch.advance(1)?;
            if facts.kinds.meets(Kinds::TOP_LEVEL) && facts.is_complete && !facts.has_parent {
                self.add_top(facts.block, at);
            }
        }
        if self.live_time.is_none() {
            self.add_lost_listing();
        }
        self.arrange()
    }

    /// A listing at a block, if all of it is there.
    fn listing(&self, listings: &HashMap<u32, Listing>, root: MetadataBlock) -> Option<Listing> {
        let at = self.scan.nodes.position(root)?;
        let is_complete = self.scan.nodes.get(at).is_some_and(|facts| facts.is_complete);
        listings.get(&at).filter(|_| is_complete).copied()
    }

    fn add_known(&mut self, known: Known<'_>) {
        let superblock = known.superblock;
        let top = self.listing(&self.scan.tops, superblock.mapping_root);
        let details = self.listing(&self.scan.details, superblock.details_root);
        let (state, details) = match (top, details) {
            (Some(top), Some(listing)) => {
                let found = (superblock.details_root, listing, 0);
                let top = (superblock.mapping_root, top);
                (self.state(Some(top), Some(found), Some(known)), details)
            }
            (Some(top), None) => {
                let chosen = self.records.of_top(superblock.mapping_root, &top, self.scan);
                let found = chosen.and_then(|(chosen, _)| {
                    let listing = self.scan.details.get(&chosen.at)?;
                    Some((chosen.block, *listing, chosen.others))
                });
                let mut state =
                    self.state(Some((superblock.mapping_root, top)), found, Some(known));
                if found.is_some() {
                    state.misfits.insert(0, Misfit::of(MisfitKind::OtherDetails));
                    state.verdict = Verdict::Plausible;
                }
                // Without these, the same pair would be found once more, without a superblock.
                (state, found.map(|(_, listing, _)| listing))
            }
            (None, Some(listing)) if known.is_live || known.is_metadata_snapshot => {
                let found = (superblock.details_root, listing, 0);
                (self.state(None, Some(found), Some(known)), details)
            }
            (None, _) => return,
        };
        self.push(state, top.as_ref(), details.as_ref());
    }

    fn add_top(&mut self, root: MetadataBlock, at: u32) {
        let Some(top) = self.scan.tops.get(&at).copied() else { return };
        let chosen = self.records.of_top(root, &top, self.scan);
        let found = chosen.and_then(|(chosen, _)| {
            let listing = self.scan.details.get(&chosen.at)?;
            Some((chosen.block, *listing, chosen.others))
        });
        let state = self.state(Some((root, top)), found, None);
        self.push(state, Some(&top), found.as_ref().map(|(_, listing, _)| listing));
    }

    /// Without a superblock, the newest records may have lost their list of roots: a state too.
    fn add_lost_listing(&mut self) {
        let scan = self.scan;
        let used: HashSet<_> = self.states.iter().filter_map(|state| state.details_root).collect();
        let clock = |listing: &Listing| (listing.transaction_id, listing.newest);
        let roots = scan.nodes.iter().filter(|(_, facts)| !facts.has_parent && facts.is_complete);
        let lists = roots.filter_map(|(at, facts)| {
            let listing = scan.details.get(&at).filter(|listing| listing.devices > 0)?;
            Some((clock(listing), facts.block, *listing))
        });
        let paired = lists.clone().filter(|(_, block, _)| used.contains(block));
        let newest_paired = paired.map(|(clock, block, _)| (clock, block)).max();
        let lost = lists.filter(|(_, block, _)| !used.contains(block));
        let Some((clock, block, listing)) = lost.max_by_key(|(clock, block, _)| (*clock, *block))
        else {
            return;
        };
        if newest_paired.is_none_or(|paired| (clock, block) > paired) {
            let state = self.state(None, Some((block, listing, 0)), None);
            self.push(state, None, Some(&listing));
        }
    }

    fn push(&mut self, state: State, top: Option<&Listing>, details: Option<&Listing>) {
        let content = |listing: Option<&Listing>| {
            listing.map_or([0, u64::MAX], |listing| [listing.content, listing.devices])
        };
        let ([top, devices], [details, records]) = (content(top), content(details));
        let is_known = state.superblock.is_some();
        let is_new = self.seen.insert([top, devices, details, records]);
        if is_new || is_known {
            self.states.push(state);
        } else if let Some(root) = state.mapping_root {
            // Found by name only: a root that has the same content as another.
            self.aliases.push(root);
        }
    }

    /// Judges by what trees and records come to.
    fn state(
        &self,
        top: Option<(MetadataBlock, Listing)>,
        details: Option<(MetadataBlock, Listing, u64)>,
        known: Option<Known<'_>>,
    ) -> State {
        let (top_root, details_root) = (top.map(|top| top.0), details.map(|details| details.0));
        let others = details.map_or(0, |details| details.2);
        let (top, details) = (top.map(|top| top.1), details.map(|details| details.1));
        let newest = details.map(|details| details.newest);
        let known_time = known.map(|known| known.superblock.time.get());
        let time = known_time.or(newest).unwrap_or_else(|| top.map_or(0, |top| top.newest));
        let mut misfits = Vec::new();
        let mut add = |does_not_fit: bool, kind: MisfitKind, devices: u64| {
            if does_not_fit {
                misfits.push(Misfit { devices, ..Misfit::of(kind) });
            }
        };
        add(top.is_none(), MisfitKind::NoListing, 0);
        add(details.is_none(), MisfitKind::NoDetails, 0);
        if let (Some(top), Some(details)) = (&top, &details) {
            let has_ids = ids_key(top) == ids_key(details);
            add(!has_ids, MisfitKind::Ids, 0);
            add(has_ids && counts_key(top) != counts_key(details), MisfitKind::Count, 0);
        }
        let broken = top.map_or(0, |top| top.broken);
        add(broken > 0, MisfitKind::Incomplete, broken);
        let youngest = top.map_or(0, |top| top.newest).max(newest.unwrap_or(0));
        let most = time.min(self.live_time.unwrap_or(u32::MAX));
        add(youngest > most, MisfitKind::Time, 0);
        let data_end = top.map_or(0, |top| top.data_end);
        let is_beyond = self.data_blocks.is_some_and(|blocks| data_end > blocks);
        add(is_beyond, MisfitKind::DataEnd, 0);
        let records = details.map_or(0, |details| {
            details.transaction_id.saturating_add(u64::from(details.devices > 0))
        });
        let records = records.min(self.live_transaction.unwrap_or(u64::MAX));
        State {
            number: 0,
            mapping_root: top_root,
            details_root,
            superblock: known.map(|known| known.superblock.block),
            is_live: known.is_some_and(|known| known.is_live),
            is_metadata_snapshot: known.is_some_and(|known| known.is_metadata_snapshot),
            verdict: if misfits.is_empty() { Verdict::Consistent } else { Verdict::Plausible },
            misfits,
            devices: top.or(details).map_or(0, |listing| listing.devices),
            broken_devices: broken,
            mapped: top.or(details).map_or(0, |listing| listing.mapped),
            time: Time::new(time),
            transaction_id: known.map_or(records, |known| known.superblock.transaction_id),
            other_details: others,
            clock: details.map_or((0, time), |details| (details.transaction_id, details.newest)),
        }
    }

    /// Sorts, tells in detail what does not fit, and numbers.
    fn arrange(self) -> Result<Found> {
        let Self { scan, mut states, aliases, watch, .. } = self;
        let ages = Ages::of(&states);
        states.sort_by_key(|state| {
            let class = match (state.is_live, state.is_metadata_snapshot, state.verdict) {
                (true, ..) => 0,
                (_, true, _) => 1,
                (.., Verdict::Consistent) => 2,
                (.., Verdict::Plausible) => 3,
            };
            (class, Reverse(ages.key(state)))
        });
        let mut reads = (scan.nodes.blocks / 4).saturating_add(FEW_READS);
        watch.begin("telling what does not fit", widen(states.len()));
        for (number, state) in (1..).zip(&mut states) {
            watch.advance(1)?;
            state.number = number;
            if state.mapping_root.is_none() {
                // At most three: the live one, the snapshot's, and the newest of its own.
                let found = widen(scan.devices_of(state, watch)?.len());
                state.broken_devices = state.devices.saturating_sub(found);
            }
            let cost = (state.devices / 16).saturating_add(2);
            if state.verdict == Verdict::Plausible && state.mapping_root.is_some() && cost <= reads
            {
                reads = reads.saturating_sub(cost);
                explain(scan, state, self.data_blocks, self.live_time, watch)?;
            }
        }
        let by_root: HashMap<_, _> = (0..)
            .zip(&states)
            .filter_map(|(at, state)| Some((content_of(scan, state.mapping_root?)?, at)))
            .collect();
        let aliases = aliases
            .into_iter()
            .filter_map(|root| Some((root, *by_root.get(&content_of(scan, root)?)?)));
        Ok(Found { aliases: aliases.collect(), states })
    }
}

/// What tells which of two states is newer: the clocks of their records, then where their roots
/// lie. The allocator goes on from one commit to the next and begins again at the end of the
/// metadata: what lies behind the newest state is the oldest, of which nodes are written over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ages {
    /// Where the newest state lies, if that can be told.
    newest: Option<MetadataBlock>,
}

impl Ages {
    pub(super) fn of(states: &[State]) -> Self {
        let mut places: Vec<_> = states
            .iter()
            .filter_map(|state| Some((state.mapping_root?, state.verdict == Verdict::Consistent)))
            .collect();
        places.sort_unstable();
        let next = places.iter().cycle().skip(1);
        let ends = places.iter().zip(next).filter(|((_, is_whole), next)| *is_whole && !next.1);
        let mut ends = ends.map(|((place, _), _)| *place);
        let (newest, another) = (ends.next(), ends.next());
        Self { newest: newest.filter(|_| another.is_none()) }
    }

    pub(super) fn key(self, state: &State) -> ((u64, u32), bool, u32) {
        let place = state.mapping_root.or(state.details_root).unwrap_or_default();
        let came_round = self.newest.is_some_and(|newest| place <= newest);
        (state.clock, came_round, place.get())
    }
}

fn content_of(scan: &Scan, root: MetadataBlock) -> Option<[u64; 2]> {
    let listing = scan.tops.get(&scan.nodes.position(root)?)?;
    Some([listing.content, listing.devices])
}

/// Reads both lists of a state, and names the devices that do not fit.
fn explain(
    scan: &Scan,
    state: &mut State,
    data_blocks: Option<u64>,
    live_time: Option<u32>,
    watch: &Watch,
) -> Result<()> {
    let Some(pairs) = scan.pairs(state, watch)? else { return Ok(()) };
    let most = state.time.get().min(live_time.unwrap_or(u32::MAX));
    let mut found: Vec<Misfit> = Vec::new();
    let mut add =
        |kind: MisfitKind, device: DeviceId, expected: Option<u64>, told: Option<u64>| match found
            .iter_mut()
            .find(|misfit| misfit.kind == kind)
        {
            Some(misfit) => misfit.devices = misfit.devices.saturating_add(1),
            None => {
                found.push(Misfit {
                    kind,
                    devices: 1,
                    device: Some(device),
                    expected,
                    found: told,
                });
            }
        };
    let has_records = state.details_root.is_some();
    for (id, root, record) in pairs {
        let Some(root) = root else {
            add(MisfitKind::Ids, id, None, None);
            continue;
        };
        let tree = scan.nodes.at(root).filter(|tree| tree.is_mapping_tree());
        let tree = tree.filter(|tree| tree.is_complete);
        match (&tree, &record) {
            (_, None) if has_records => add(MisfitKind::Ids, id, None, None),
            (Some(tree), Some(record)) if tree.mappings != record.mapped_blocks.get() => {
                let expected = record.mapped_blocks.get();
                add(MisfitKind::Count, id, Some(expected), Some(tree.mappings));
            }
            _ => {}
        }
        let Some(tree) = tree else {
            let found = scan.nodes.at(root).map(|tree| tree.mappings);
            let expected = record.map(|record| record.mapped_blocks.get());
            add(MisfitKind::Incomplete, id, expected, found);
            continue;
        };
        let record_time = record
            .map_or(0, |record| record.creation_time.get().max(record.snapshotted_time.get()));
        let newest = tree.newest.max(record_time);
        if newest > most {
            add(MisfitKind::Time, id, Some(u64::from(most)), Some(u64::from(newest)));
        }
        if let Some(blocks) = data_blocks.filter(|blocks| tree.data_end > *blocks) {
            let highest = tree.data_end.saturating_sub(1);
            add(MisfitKind::DataEnd, id, Some(blocks), Some(highest));
        }
    }
    let is_told = |kind| found.iter().any(|told| told.kind == kind);
    let one_by_one = [MisfitKind::Ids, MisfitKind::Count, MisfitKind::Time, MisfitKind::DataEnd];
    if !found.is_empty() {
        // What only follows from another misfit is none of its own.
        state.misfits.retain(|known| !one_by_one.contains(&known.kind) || is_told(known.kind));
    }
    for misfit in &mut state.misfits {
        if let Some(told) = found.iter().find(|told| told.kind == misfit.kind) {
            *misfit = *told;
        }
    }
    let more =
        found.iter().filter(|told| state.misfits.iter().all(|known| known.kind != told.kind));
    let more: Vec<_> = more.copied().collect();
    state.misfits.extend(more);
    Ok(())
}
