//! What became of a device that is gone: its mappings of then beside the live pool of now.
//!
//! All distinct live leaves are read once, in disk order. Who reaches those that name a block of
//! the old device is then found as for sharing: sets of holders, handed down the graph.

use std::collections::HashMap;
use std::sync::Arc;

use zerocopy::IntoBytes;

use crate::content::Part;
use crate::devices::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, LeafReader, threads};
use crate::mappings::Run;
use crate::raw::Page;
use crate::sharing::fold::Holders;
use crate::sharing::sets::HolderSets;
use crate::source::BlockSource;
use crate::space_map::ReferenceCounts;
use crate::units::{
    BLOCK_SIZE, DataBlock, DeviceId, Time, VirtualBlock, index_u32, index_u64, low_u32, widen,
};
use crate::watch::Watch;

/// What became of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grade {
    /// A live device maps the block, and since the same time: it is the same allocation.
    Same,
    /// Live devices, or the held metadata snapshot alone, map the block since another time, or
    /// have allocated it themselves: it was freed and allocated again.
    Reused,
    /// Only the held metadata snapshot maps the block, and since the same time.
    Held,
    /// Nobody maps the block, and it is counted as free.
    Free,
    /// Nobody maps the block, and it is counted as used: it leaked.
    Unreached,
}

/// Mappings of the old device that follow each other, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedRun {
    /// The mappings.
    pub run: Run,
    /// What became of them.
    pub grade: Grade,
    /// The live devices that map the blocks, ascending.
    pub owners: Arc<[DeviceId]>,
}

/// A mapping of the old device.
#[derive(Clone, Copy, Debug)]
struct Old {
    data: DataBlock,
    virtual_block: VirtualBlock,
    time: Time,
}

/// A mapping of now to a block of the old device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    data: DataBlock,
    time: Time,
    /// Position of the leaf.
    leaf: u32,
}

/// Who is there now.
#[derive(Debug)]
pub(crate) struct Now<'a> {
    /// The roots of the devices' trees, then those of the held metadata snapshot's.
    pub(crate) graph: &'a Graph,
    /// The devices of these roots, in their order.
    pub(crate) holders: &'a [Device],
    /// How many of them are live.
    pub(crate) live: usize,
}

/// Whether two records are of the same device.
fn is_itself(then: &Device, now: &Device) -> bool {
    let identity = |device: &Device| (device.id, device.creation_time, device.transaction_id);
    identity(then) == identity(now)
}

/// Grades the mappings of an old device, in the order of its blocks.
///
/// Memory: 40 bytes an old mapping, 16 bytes a live mapping of one of its blocks, those of
/// snapshots with leaves of their own each; the sets of holders.
///
/// # Errors
///
/// A read that fails, the first rule that is broken, or [`Error::Cancelled`].
pub(crate) fn survey(
    leaves: &LeafReader<'_>,
    now: &Now<'_>,
    counts: &mut ReferenceCounts,
    (then, old): (&Device, &[Run]),
    thread_count: usize,
) -> Result<Vec<SurveyedRun>> {
    let watch = leaves.watch;
    let mut olds: Vec<Old> = old.iter().flat_map(mappings).collect();
    olds.sort_unstable_by_key(|old| (old.data, old.virtual_block));
    let hits = find(leaves, now.graph, &olds, thread_count)?;
    watch.begin("telling who holds them", 0);
    let mut sets = HolderSets::new(low_u32(widen(now.graph.roots().len())));
    let holders = Holders::fold(now.graph, |root| low_u32(widen(root)), &mut sets, watch)?;
    let is_used = used(counts, &olds, watch)?;

    let mut owners = Owners { now, then, sets, known: HashMap::new() };
    let mut graded = Vec::with_capacity(olds.len());
    let (mut hits, mut is_used) = (hits.as_slice(), is_used.into_iter());
    for olds in olds.chunk_by(|one, next| one.data == next.data) {
        watch.advance(0)?;
        let own =
            hits.iter().take_while(|hit| olds.first().is_some_and(|old| old.data == hit.data));
        let (own, behind) = hits.split_at(own.count());
        hits = behind;
        let set_of = |hit: &Hit| holders.leaves.get(index_u32(hit.leaf)).copied();
        let mut parts: Vec<u32> = own.iter().filter_map(&set_of).collect();
        parts.sort_unstable();
        parts.dedup();
        let found = owners.of(&parts);
        // Since when somebody has the block who can have it from the old device, or it from them;
        // ascending, as the hits are.
        let mut times: Vec<Time> = Vec::new();
        for hit in own {
            if times.last() != Some(&hit.time)
                && set_of(hit).is_some_and(|set| owners.of(&[set]).can_share(then, hit.time))
            {
                times.push(hit.time);
            }
        }
        for (old, is_used) in olds.iter().zip(is_used.by_ref()) {
            let is_same = times.binary_search(&old.time).is_ok();
            let grade = match (found.devices.is_empty(), found.is_held) {
                (false, _) if is_same => Grade::Same,
                (true, true) if is_same => Grade::Held,
                (false, _) | (true, true) => Grade::Reused,
                (true, false) if is_used => Grade::Unreached,
                (true, false) => Grade::Free,
            };
            graded.push((*old, grade, Arc::clone(&found.devices)));
        }
    }
    Ok(joined(then.id, graded))
}

/// Who maps a block now.
#[derive(Clone, Debug)]
struct Mappers {
    /// The live devices, ascending.
    devices: Arc<[DeviceId]>,
    /// Whether the held metadata snapshot does.
    is_held: bool,
    /// Whether one of them is the old device itself.
    has_itself: bool,
    /// When the youngest of them was made.
    youngest: Time,
}

impl Mappers {
    /// Whether one of them can have the same allocation as the old device, since a time.
    ///
    /// A device has blocks that are older than itself from what it was a snapshot of. The others it
    /// has allocated itself, and two devices cannot both have allocated a block that was not freed
    /// between them.
    fn can_share(&self, then: &Device, time: Time) -> bool {
        self.has_itself || then.creation_time > time || self.youngest > time
    }
}

/// Sets of roots as devices, each told once.
struct Owners<'a> {
    now: &'a Now<'a>,
    then: &'a Device,
    sets: HolderSets,
    known: HashMap<u32, Mappers>,
}

impl Owners<'_> {
    /// Those of some sets together.
    fn of(&mut self, parts: &[u32]) -> Mappers {
        let set = if let [only] = parts { *only } else { self.sets.union(parts) };
        let (now, members) = (self.now, self.sets.members(set));
        let then = self.then;
        let told = self.known.entry(set).or_insert_with(|| {
            let all =
                members.iter().filter_map(|root| Some((root, now.holders.get(index_u32(root))?)));
            let all: Vec<_> = all.collect();
            let live = all.iter().filter(|(root, _)| index_u32(*root) < now.live);
            let devices: Arc<[_]> = live.map(|(_, device)| device.id).collect();
            Mappers {
                is_held: devices.len() < all.len(),
                has_itself: all.iter().any(|(_, device)| is_itself(then, device)),
                youngest: all
                    .iter()
                    .map(|(_, device)| device.creation_time)
                    .max()
                    .unwrap_or_default(),
                devices,
            }
        });
        told.clone()
    }
}

fn mappings(run: &Run) -> impl Iterator<Item = Old> + use<> {
    let run = *run;
    (0..run.length).map(move |at| Old {
        data: DataBlock::new(run.data_begin.get().saturating_add(at)),
        virtual_block: VirtualBlock::new(run.virtual_begin.get().saturating_add(at)),
        time: run.time,
    })
}

/// The live mappings of old blocks, by block, each once a leaf.
fn find(
    leaves: &LeafReader<'_>,
    graph: &Graph,
    olds: &[Old],
    thread_count: usize,
) -> Result<Vec<Hit>> {
    let leaf_count = graph.leaves().len();
    let threads = threads(thread_count, leaf_count)?;
    leaves.watch.begin("reading mappings", widen(leaf_count));
    let positions: Vec<u32> = (0..).take(leaf_count).collect();
    let shares = leaves.gather(
        graph,
        &positions,
        threads.as_ref(),
        |_| Vec::new(),
        |hits, leaf, mappings| {
            for (_, data, time) in mappings.mappings() {
                if olds.binary_search_by_key(&data, |old| old.data).is_ok() {
                    hits.push(Hit { data, time, leaf });
                }
            }
            Ok(())
        },
    )?;
    let mut hits: Vec<Hit> = shares.into_iter().flatten().collect();
    hits.sort_unstable();
    hits.dedup();
    Ok(hits)
}

/// Whether the block of each old mapping is counted as used.
fn used(counts: &mut ReferenceCounts, olds: &[Old], watch: &Watch) -> Result<Vec<bool>> {
    let mut used = Vec::with_capacity(olds.len());
    while let Some(runs) = counts.next_batch(watch)? {
        for run in runs {
            let end = run.begin.saturating_add(run.length);
            let of_run = olds.iter().skip(used.len()).take_while(|old| old.data.get() < end);
            let found = of_run.count();
            used.extend(std::iter::repeat_n(run.count > 0, found));
        }
    }
    // What lies behind the end of the data device now is nobody's.
    used.resize(olds.len(), false);
    Ok(used)
}

/// Puts mappings in the order of the old device, those together that follow each other.
fn joined(device: DeviceId, mut graded: Vec<(Old, Grade, Arc<[DeviceId]>)>) -> Vec<SurveyedRun> {
    graded.sort_unstable_by_key(|(old, _, _)| (old.virtual_block, old.data));
    let mut runs: Vec<SurveyedRun> = Vec::new();
    for (old, grade, owners) in graded {
        let Old { data: data_begin, virtual_block: virtual_begin, time } = old;
        let run = Run { device, virtual_begin, data_begin, length: 1, time };
        if let Some(last) = runs.last_mut()
            && (last.grade, &last.owners) == (grade, &owners)
            && last.run.extend(&run)
        {
            continue;
        }
        runs.push(SurveyedRun { run, grade, owners });
    }
    runs
}

/// Pages read at once.
const READ: usize = 64;

/// How many of the blocks of a run are all zeros in the data of a pool with blocks of so many
/// bytes, and so many of them.
///
/// # Errors
///
/// [`Error::Content`], [`Error::BeyondData`], [`Error::Cancelled`].
pub fn zero_blocks(
    run: &Run,
    data: &dyn BlockSource,
    (block_bytes, data_blocks): (u64, u64),
    watch: &Watch,
) -> Result<u64> {
    let mut pages = Page::many(READ.min(index_u64(block_bytes).div_ceil(BLOCK_SIZE)));
    let mut zeros = 0_u64;
    for at in 0..run.length {
        watch.advance(0)?;
        let data_block = run.data_begin.get().saturating_add(at);
        let begin = data_block.saturating_mul(block_bytes);
        let end = begin.saturating_add(block_bytes);
        if end > data.len() {
            let virtual_block = run.virtual_begin.get().saturating_add(at);
            return Err(Error::BeyondData {
                device: run.device,
                virtual_block: VirtualBlock::new(virtual_block),
                data_block: DataBlock::new(data_block),
                data_bytes: data.len(),
                pool_bytes: data_blocks.saturating_mul(block_bytes),
            });
        }
        zeros = zeros.saturating_add(u64::from(is_zero(data, begin, end, &mut pages)?));
    }
    Ok(zeros)
}

fn is_zero(data: &dyn BlockSource, begin: u64, end: u64, pages: &mut [Page]) -> Result<bool> {
    let mut offset = begin;
    while offset < end {
        let room = pages.as_mut_bytes();
        let length = room.len().min(index_u64(end.saturating_sub(offset)));
        let part = room.get_mut(..length).unwrap_or_default();
        let read = data.read_at(offset, part);
        read.map_err(|cause| Error::Content { part: Part::Data, offset, cause })?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        offset = offset.saturating_add(widen(length));
    }
    Ok(true)
}
