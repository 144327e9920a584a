//! The facade: a pool opened from a source, and the questions it answers.
//!
//! Opening reads the superblock only; each question reads what it needs, checks every block that
//! it touches, and at its end that the pool is still in the state it was opened in.

use std::sync::{Arc, Mutex, PoisonError};

use crate::btree::{self, KeyRange, Tree};
use crate::committed::{Committed, held};
use crate::content::{Content, Parts};
use crate::damage::Damage;
use crate::delta;
use crate::devices::{Device, Listing, read_devices, read_devices_around};
use crate::dump::{Dump, Format, Header, Take};
use crate::error::{Error, Result};
use crate::fragmentation::{self, Fragmentation, FreeExtents};
use crate::graph::{Gap, Gaps, Graph, LeafReader};
use crate::mappings::{self, MappingStream, Run};
use crate::owners::{Holder, OwnerStream, Wanted};
use crate::raw::Page;
use crate::reader::Reader;
use crate::recount::{self, Recount, recount};
use crate::sharing::{Everybody, Sharing};
use crate::source::identify::{first_block, identify};
use crate::source::{BlockSource, unpacked};
use crate::space_map::ReferenceCounts;
use crate::superblock::{
    SpaceMap, SpaceMapRoot, SpaceMapRoots, Superblock, View, claims_to_be_thin,
};
use crate::survey::{Now, SurveyedRun, survey};
use crate::units::{
    BLOCK_BYTES, DeviceId, MAX_METADATA_BLOCKS, MetadataBlock, VirtualBlock, widen,
};
use crate::watch::Watch;

/// Blocks of a space: the data device, or the metadata device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceUsage {
    /// Blocks that the space map counts.
    pub total: u64,
    /// Blocks allocated. Not known through a metadata snapshot: the space maps go on.
    pub used: Option<u64>,
    /// Bytes in a block.
    pub block_bytes: u64,
}

impl SpaceUsage {
    /// What `dmsetup status` calls used metadata: it counts a reserve of a tenth of the space,
    /// at most 4,096 blocks, as used.
    #[must_use]
    pub fn with_kernel_reserve(&self) -> Option<u64> {
        let reserve = (self.total / 10).min(4096);
        self.used.map(|used| used.saturating_add(reserve).min(self.total))
    }
}

/// A pool, opened for reading.
#[derive(Debug)]
pub struct Pool {
    reader: Reader,
    view: View,
    live: Superblock,
    superblock: Superblock,
    space_maps: SpaceMapRoots,
    committed: Committed,
    threads: usize,
    /// What is broken, where reading goes on around it; or none: the first of it is the error.
    damage: Option<Arc<Damage>>,
    /// The devices as far as they are listed, where that is not all.
    listing: Mutex<Option<Arc<Listing>>>,
    devices: Mutex<Option<Arc<[Device]>>>,
    graph: Mutex<Option<Arc<Graph>>>,
    /// The graph of the one device that was asked for last.
    last_device: Mutex<Option<(DeviceId, Arc<Graph>)>>,
    sharing: Mutex<Option<Arc<Sharing>>>,
}

impl Pool {
    /// Opens any source; unpacks what is packed. A tolerant pool goes on around broken nodes,
    /// and around the end of a truncated source: see [`gaps`](Self::gaps).
    ///
    /// # Errors
    ///
    /// Any [`Error`] family: the source cannot be read, is something else than thin metadata, is
    /// not supported, or has a corrupt superblock.
    pub fn from_source(
        source: Arc<dyn BlockSource>,
        view: View,
        threads: usize,
        tolerant: bool,
        watch: &Watch,
    ) -> Result<Self> {
        let mut source = source;
        let mut page = first_block(&*source)?;
        if let Some(unpacked) = unpacked(&source, &page, watch)? {
            source = unpacked;
            page = first_block(&*source)?;
        }
        if source.len() < BLOCK_BYTES || !claims_to_be_thin(&page) {
            return Err(Error::NotThin(identify(&page, source.len())));
        }
        let most = MAX_METADATA_BLOCKS.saturating_mul(BLOCK_BYTES);
        let length = if tolerant { most } else { source.len() };
        let (live, space_maps) = Superblock::parse_live(&page, length)?;
        let reader = Reader::new(source, space_maps.metadata.blocks);
        let (superblock, committed) = match view {
            View::Live | View::Salvaged => (live.clone(), Committed::live(page)),
            View::MetadataSnapshot => held(&reader, &live)?,
        };
        Ok(Self {
            reader,
            view,
            live,
            superblock,
            space_maps,
            committed,
            threads,
            damage: tolerant.then(Arc::default),
            listing: Mutex::default(),
            devices: Mutex::default(),
            graph: Mutex::default(),
            last_device: Mutex::default(),
            sharing: Mutex::default(),
        })
    }

    /// Opens a state that was salvaged, with the devices that it has: nothing is told of spaces.
    #[must_use]
    pub(crate) fn of_state(
        reader: Reader,
        superblock: Superblock,
        devices: Vec<Device>,
        data_blocks: u64,
        committed: Committed,
        threads: usize,
        tolerant: bool,
    ) -> Self {
        let nowhere = MetadataBlock::new(0);
        let space =
            |blocks| SpaceMapRoot { blocks, allocated: 0, index: nowhere, overflow: nowhere };
        Self {
            view: View::Salvaged,
            live: superblock.clone(),
            superblock,
            space_maps: SpaceMapRoots {
                data: space(data_blocks),
                metadata: space(reader.blocks()),
            },
            reader,
            committed,
            threads,
            damage: tolerant.then(Arc::default),
            listing: Mutex::default(),
            devices: Mutex::new(Some(devices.into())),
            graph: Mutex::default(),
            last_device: Mutex::default(),
            sharing: Mutex::default(),
        }
    }

    /// Through which superblock the pool is read.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }

    /// Whether what is read may be older than what the kernel wrote, see
    /// [`BlockSource::may_be_stale`].
    #[must_use]
    pub fn may_be_stale(&self) -> bool {
        self.reader.source().may_be_stale()
    }

    /// The superblock of the view.
    #[must_use]
    pub const fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The superblock in block 0, whatever the view.
    #[must_use]
    pub const fn live_superblock(&self) -> &Superblock {
        &self.live
    }

    /// Usage of the data device or of the metadata device.
    #[must_use]
    pub fn space(&self, map: SpaceMap) -> SpaceUsage {
        let root = self.space_maps.of(map);
        let block_bytes = match map {
            SpaceMap::Data => self.superblock.data_block_bytes(),
            SpaceMap::Metadata => BLOCK_BYTES,
        };
        let used = (self.view == View::Live).then_some(root.allocated);
        SpaceUsage { total: root.blocks, used, block_bytes }
    }

    /// The devices, by ascending id.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, [`Error::Changed`].
    pub fn devices(&self, watch: &Watch) -> Result<Arc<[Device]>> {
        once(&self.devices, || {
            let (devices, listing) = self.unchanged(self.find_devices(&self.superblock, watch))?;
            *self.listing.lock().unwrap_or_else(PoisonError::into_inner) = listing.map(Arc::new);
            Ok(Arc::from(devices))
        })
    }

    /// The devices of a superblock; of broken trees also how far these list them.
    fn find_devices(
        &self,
        superblock: &Superblock,
        watch: &Watch,
    ) -> Result<(Vec<Device>, Option<Listing>)> {
        match (read_devices(&self.reader, superblock, watch), &self.damage) {
            (Err(error), Some(_)) if error.is_damage() => {}
            (devices, _) => return Ok((devices?, None)),
        }
        let mut listing = read_devices_around(
            &self.reader,
            Some(superblock.mapping_root),
            Some(superblock.details_root),
            watch,
        )?;
        self.count_unrecorded(&mut listing.devices, watch)?;
        Ok((listing.devices.clone(), Some(listing)))
    }

    /// The devices with the blocks that they map as they can be read.
    fn counted(&self, devices: &[Device], graph: &Graph, watch: &Watch) -> Result<Vec<Device>> {
        let leaves = self.leaves(watch);
        let found = self.unchanged(recount::counts_and_times(&leaves, graph, self.threads))?;
        let devices = devices.iter().zip(found);
        Ok(devices
            .map(|(device, (_, mapped_blocks, _))| Device { mapped_blocks, ..*device })
            .collect())
    }

    /// Counts what devices map that have no record.
    fn count_unrecorded(&self, devices: &mut [Device], watch: &Watch) -> Result<()> {
        let unrecorded = devices.iter().filter(|device| !device.is_recorded);
        let roots: Vec<_> = unrecorded.map(|device| (device.id, device.root)).collect();
        if roots.is_empty() {
            return Ok(());
        }
        let graph = self.find_graph(&roots, watch)?;
        let leaves = self.leaves(watch);
        let found = recount::counts_and_times(&leaves, &graph, self.threads)?;
        for (device, (id, blocks, time)) in
            devices.iter_mut().filter(|device| !device.is_recorded).zip(found)
        {
            debug_assert_eq!(device.id, id);
            device.mapped_blocks = blocks;
            device.creation_time = time;
            device.snapshot_time = time;
        }
        Ok(())
    }

    /// The graph of some trees, around what is broken where that is asked for.
    fn find_graph(&self, roots: &[(DeviceId, MetadataBlock)], watch: &Watch) -> Result<Graph> {
        Graph::build_with(&self.reader, roots, self.threads, watch, self.damage.as_deref())
    }

    /// What is missing of the devices, since it is broken: one pass over all mappings. `most`
    /// gaps are named. Only of a tolerant pool; others end with an error instead.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn gaps(&self, most: usize, watch: &Watch) -> Result<Gaps> {
        let graph = self.graph(watch)?;
        let Some(damage) = &self.damage else { return Ok(Gaps::default()) };
        let leaves = self.leaves(watch);
        self.unchanged(recount(&leaves, &graph, self.threads, false))?;
        let mut found = graph.gaps(damage, most);
        found.held_is_damaged = self.unchanged(self.held_is_damaged(damage, watch))?;
        if let Some(listing) = known(&self.listing) {
            for (id, _) in &listing.treeless {
                let error = listing.reason(*id, self.superblock.mapping_root);
                found.gaps.push(Gap { device: *id, root: None, range: KeyRange::ALL, error });
            }
            found.gaps.sort_by_key(|gap| (gap.device, gap.range.first));
        }
        Ok(found)
    }

    /// Whether it is read around what is broken.
    #[must_use]
    pub const fn is_tolerant(&self) -> bool {
        self.damage.is_some()
    }

    /// Whether nothing of all that was read so far was broken: of devices, and of the metadata
    /// snapshot where that was asked for. Of a pool that is not tolerant, nothing ever is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damage.as_ref().is_none_or(|damage| damage.is_empty())
            && self.listing().is_none_or(|listing| listing.lists_all())
    }

    /// Whether something of the held metadata snapshot cannot be read.
    fn held_is_damaged(&self, damage: &Damage, watch: &Watch) -> Result<bool> {
        let (View::Live, Some(block)) = (self.view, self.live.metadata_snapshot) else {
            return Ok(false);
        };
        let superblock = self.forgiving(block, self.held_superblock(block))?;
        let Some(superblock) = superblock else { return Ok(true) };
        let devices = match read_devices(&self.reader, &superblock, watch) {
            Err(error) if error.is_damage() => return Ok(true),
            devices => devices?,
        };
        let roots: Vec<_> = devices.iter().map(|device| (device.id, device.root)).collect();
        let graph = self.find_graph(&roots, watch)?;
        let leaves = self.leaves(watch);
        self.unchanged(recount(&leaves, &graph, self.threads, false))?;
        Ok(graph.gaps(damage, 0).more > 0)
    }

    /// The devices as far as the broken trees list them; none where these are whole, or were
    /// not asked for yet.
    #[must_use]
    pub fn listing(&self) -> Option<Arc<Listing>> {
        known(&self.listing)
    }

    /// One device.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`], else as [`devices`](Self::devices).
    pub fn device(&self, id: DeviceId, watch: &Watch) -> Result<Device> {
        let devices = self.devices(watch)?;
        let at = devices.binary_search_by_key(&id, |device| device.id);
        at.ok().and_then(|at| devices.get(at).copied()).ok_or(Error::UnknownDevice(id))
    }

    /// The graph of all devices' trees, built once.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn graph(&self, watch: &Watch) -> Result<Arc<Graph>> {
        let devices = self.devices(watch)?;
        once(&self.graph, || {
            let roots: Vec<_> = devices.iter().map(|device| (device.id, device.root)).collect();
            self.unchanged(self.find_graph(&roots, watch)).map(Arc::new)
        })
    }

    /// Streams the runs of one device, or of all, within a range of virtual blocks. For one
    /// device only its own tree is read. Put each batch through
    /// [`unchanged`](Self::unchanged).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`], else as [`devices`](Self::devices).
    pub fn mappings(
        &self,
        only: Option<DeviceId>,
        range: KeyRange,
        watch: &Watch,
    ) -> Result<MappingStream> {
        let graph = match (only, known(&self.graph)) {
            (Some(id), known) => {
                let device = self.device(id, watch)?;
                known.map_or_else(|| self.device_graph(device, watch), Ok)?
            }
            (None, Some(graph)) => graph,
            (None, None) => self.graph(watch)?,
        };
        Ok(MappingStream::new(&self.leaves(watch), graph, self.threads, only, range))
    }

    /// What a device reads as. Put each read through [`unchanged`](Self::unchanged).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`], else as [`devices`](Self::devices).
    pub fn content(&self, id: DeviceId, parts: Parts, watch: &Watch) -> Result<Content> {
        let device = self.device(id, watch)?;
        let graph = known(&self.graph);
        let graph = graph.map_or_else(|| self.device_graph(device, watch), Ok)?;
        let block_bytes = self.superblock.data_block_bytes();
        Content::new(&self.leaves(watch), block_bytes, graph, id, parts)
    }

    fn device_graph(&self, device: Device, watch: &Watch) -> Result<Arc<Graph>> {
        if let Some((id, graph)) = known(&self.last_device)
            && id == device.id
        {
            return Ok(graph);
        }
        let graph = self.find_graph(&[(device.id, device.root)], watch);
        let graph = self.unchanged(graph).map(Arc::new)?;
        let mut last = self.last_device.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((device.id, Arc::clone(&graph)));
        Ok(graph)
    }

    /// Where a virtual block of a device lies, as a run of one block.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`], else as [`devices`](Self::devices).
    pub fn lookup(&self, id: DeviceId, block: VirtualBlock, watch: &Watch) -> Result<Option<Run>> {
        let root = self.device(id, watch)?.root;
        let found = mappings::lookup(&self.reader, root, block, self.space_maps.data.blocks);
        Ok(self.unchanged(found)?.map(|(data_begin, time)| Run {
            device: id,
            virtual_begin: block,
            data_begin,
            length: 1,
            time,
        }))
    }

    /// The highest virtual block that a device maps, reading only the last spine of its tree.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Self::lookup).
    pub fn highest_block(&self, id: DeviceId, watch: &Watch) -> Result<Option<VirtualBlock>> {
        let device = self.device(id, watch)?;
        self.unchanged(self.last_block(&device, watch))
    }

    /// The same for all devices, by ascending id.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn highest_blocks(&self, watch: &Watch) -> Result<Vec<(DeviceId, Option<VirtualBlock>)>> {
        let devices = self.devices(watch)?;
        watch.begin("reading the ends of devices", widen(devices.len()));
        let highest = devices.iter().map(|device| {
            watch.advance(1)?;
            Ok((device.id, self.last_block(device, watch)?))
        });
        self.unchanged(highest.collect())
    }

    fn last_block(&self, device: &Device, watch: &Watch) -> Result<Option<VirtualBlock>> {
        match btree::last_key(&self.reader, Tree::Mapping, device.root) {
            Err(error) if self.damage.is_some() && error.is_damage() => {}
            last => return last.map(|last| last.map(VirtualBlock::new)),
        }
        let graph = self.device_graph(*device, watch)?;
        let (leaves, range) = (self.leaves(watch), KeyRange::ALL);
        let mut runs = MappingStream::new(&leaves, graph, self.threads, Some(device.id), range);
        let mut last = None;
        while let Some(batch) = runs.next_batch(watch)? {
            last = batch.last().map(Run::last_block).or(last);
        }
        Ok(last)
    }

    /// Counts all mappings by reading each distinct node once; for what is exclusive, some leaves
    /// twice.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn recount(&self, with_exclusive: bool, watch: &Watch) -> Result<Recount> {
        let graph = self.graph(watch)?;
        let leaves = self.leaves(watch);
        self.unchanged(recount(&leaves, &graph, self.threads, with_exclusive))
    }

    /// Who shares what, found once: reads each distinct node of the devices' trees once and, in
    /// the live pool, those of the held metadata snapshot and the data space map too.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn sharing(&self, watch: &Watch) -> Result<Arc<Sharing>> {
        let devices = self.devices(watch)?;
        once(&self.sharing, || self.unchanged(self.find_sharing(&devices, watch)).map(Arc::new))
    }

    fn find_sharing(&self, devices: &[Device], watch: &Watch) -> Result<Sharing> {
        let held = match (self.view, self.live.metadata_snapshot) {
            (View::Live, Some(block)) => self.forgiving(block, self.list_held(block, watch))?,
            _ => None,
        };
        let graph = match &held {
            Some((held, _)) => {
                let roots = devices.iter().chain(held).map(|device| (device.id, device.root));
                Arc::new(self.find_graph(&roots.collect::<Vec<_>>(), watch)?)
            }
            None => self.graph(watch)?,
        };
        let everybody = Everybody {
            devices: devices.iter().map(|device| device.id).collect(),
            has_metadata_snapshot: held.is_some(),
            graph: &graph,
        };
        let leaves = self.leaves(watch);
        let mut sharing = Sharing::find(&leaves, everybody, self.threads)?;
        if let Some(damage) = &self.damage {
            let held_listing = held.as_ref().and_then(|(_, listing)| listing.as_ref());
            let are_listed = self.listing().is_none_or(|listing| listing.lists_all())
                && held_listing.is_none_or(Listing::lists_all);
            sharing.set_whole(are_listed && graph.gaps(damage, 1).gaps.is_empty());
        }
        // What the metadata snapshot holds must be known, or it would be called leaked.
        let is_known = everybody_is_known(self.live.metadata_snapshot, held.as_ref());
        if self.view == View::Live && is_known {
            let root = self.space_maps.of(SpaceMap::Data);
            let compared = self
                .reference_counts(SpaceMap::Data, watch)
                .and_then(|mut counts| sharing.compare(&mut counts, root.allocated, watch));
            self.forgiving(root.index, compared)?;
        }
        Ok(sharing)
    }

    /// The answer; or none after damage to what lies at a block, where that is gone around.
    fn forgiving<T>(&self, block: MetadataBlock, answer: Result<T>) -> Result<Option<T>> {
        match (answer, &self.damage) {
            (Ok(answer), _) => Ok(Some(answer)),
            (Err(error), Some(damage)) => damage.forgive(block, error).map(|_| None),
            (Err(error), None) => Err(error),
        }
    }

    /// Notes that the metadata snapshot at a block has lost a part of the tree that lists its devices.
    fn note_losses(&self, block: MetadataBlock, listing: Option<&Listing>) {
        let (Some(damage), Some(listing)) = (&self.damage, listing) else { return };
        if let Some(loss) = listing.lost_roots.first() {
            damage.note(block, Arc::clone(&loss.error));
        } else if let Some((id, _)) = listing.treeless.first() {
            damage.note(block, listing.reason(*id, block));
        }
    }

    /// The devices as the metadata snapshot holds them; of broken trees also how far these list them.
    fn list_held(
        &self,
        block: MetadataBlock,
        watch: &Watch,
    ) -> Result<(Vec<Device>, Option<Listing>)> {
        self.find_devices(&self.held_superblock(block)?, watch)
    }

    fn held_superblock(&self, block: MetadataBlock) -> Result<Superblock> {
        let mut copy = Page::zeroed();
        self.reader.read(block, &mut copy)?;
        let blocks = self.reader.blocks();
        match &self.damage {
            Some(_) => Superblock::parse_snapshot_around(&copy, block, &self.live, blocks),
            None => Superblock::parse_snapshot(&copy, block, &self.live, blocks),
        }
    }

    /// Grades the mappings of a device that another state of the pool has: what became of them in
    /// this one. Reads each distinct node of the devices' trees and of those of the held metadata
    /// snapshot once, and the data space map. A tolerant pool does not go around damage here: what
    /// is mapped by a node that is lost would be called free.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn survey(&self, then: &Device, old: &[Run], watch: &Watch) -> Result<Vec<SurveyedRun>> {
        let survey = || {
            let devices = read_devices(&self.reader, &self.superblock, watch)?;
            let held = match self.live.metadata_snapshot {
                Some(block) => read_devices(&self.reader, &self.held_superblock(block)?, watch)?,
                None => Vec::new(),
            };
            let holders: Vec<Device> = devices.iter().chain(&held).copied().collect();
            let roots: Vec<_> = holders.iter().map(|device| (device.id, device.root)).collect();
            let graph = Graph::build(&self.reader, &roots, self.threads, watch)?;
            let mut counts = self.reference_counts(SpaceMap::Data, watch)?;
            let now = Now { graph: &graph, holders: &holders, live: devices.len() };
            let leaves = LeafReader { damage: None, ..self.leaves(watch) };
            survey(&leaves, &now, &mut counts, (then, old), self.threads)
        };
        self.unchanged(survey())
    }

    /// Streams who holds given blocks of the data device; for the live pool, the held metadata
    /// snapshot is a holder too where that is asked for. All is read when it returns.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn owners(
        &self,
        wanted: &Wanted,
        with_times: bool,
        with_snapshot: bool,
        watch: &Watch,
    ) -> Result<OwnerStream> {
        let devices = self.devices(watch)?;
        let holder = |device: &Device, is_snapshot| Holder { device: device.id, is_snapshot };
        let mut holders: Vec<_> = devices.iter().map(|device| holder(device, false)).collect();
        let held = match (self.view, self.live.metadata_snapshot) {
            (View::Live, Some(block)) if with_snapshot => {
                let held = self.unchanged(self.list_held(block, watch));
                self.forgiving(block, held)?.map(|(held, listing)| {
                    self.note_losses(block, listing.as_ref());
                    held
                })
            }
            _ => None,
        };
        let graph = match held {
            Some(held) => {
                let mut roots: Vec<_> = holders.iter().copied().zip(devices.iter()).collect();
                roots.extend(held.iter().map(|device| (holder(device, true), device)));
                roots.sort_unstable_by_key(|(holder, _)| *holder);
                holders = roots.iter().map(|(holder, _)| *holder).collect();
                let roots: Vec<_> = roots.iter().map(|(_, held)| (held.id, held.root)).collect();
                Arc::new(self.unchanged(self.find_graph(&roots, watch))?)
            }
            None => self.graph(watch)?,
        };
        let leaves = self.leaves(watch);
        let found = OwnerStream::read(&leaves, &graph, holders, wanted, with_times, self.threads);
        self.unchanged(found)
    }

    /// The mapping tree of a device, to be compared with another one.
    ///
    /// # Errors
    ///
    /// As [`device`](Self::device).
    pub fn side(&self, id: DeviceId, watch: &Watch) -> Result<delta::Side> {
        Ok(self.side_of(self.device(id, watch)?.root))
    }

    /// The mapping tree whose root lies in a metadata block, to be compared with another one.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoot`]: there is no such block.
    pub fn side_at(&self, block: u64) -> Result<delta::Side> {
        let rule = || self.reader.pointer_rule();
        let root = self.reader.pointer(block);
        root.map(|root| self.side_of(root)).ok_or_else(|| Error::NoRoot { block, rule: rule() })
    }

    fn side_of(&self, root: MetadataBlock) -> delta::Side {
        delta::Side { reader: self.reader.clone(), data_blocks: self.space_maps.data.blocks, root }
    }

    /// Threads that a question takes.
    #[must_use]
    pub const fn threads(&self) -> usize {
        self.threads
    }

    /// Tells how scattered devices and metadata are, by reading each distinct node once.
    ///
    /// # Errors
    ///
    /// As [`devices`](Self::devices).
    pub fn fragmentation(&self, watch: &Watch) -> Result<Fragmentation> {
        let graph = self.graph(watch)?;
        let leaves = self.leaves(watch);
        self.unchanged(fragmentation::fragmentation(&leaves, &graph, self.threads))
    }

    /// Tells what is free on the data device in one piece, and names so many of the longest free
    /// extents. Not known through a metadata snapshot, or of a damaged space map that is gone
    /// around.
    ///
    /// # Errors
    ///
    /// As [`reference_counts`](Self::reference_counts).
    pub fn free_extents(&self, largest: usize, watch: &Watch) -> Result<Option<FreeExtents>> {
        if self.view != View::Live {
            return Ok(None);
        }
        let free = self
            .reference_counts(SpaceMap::Data, watch)
            .and_then(|mut counts| fragmentation::free_extents(&mut counts, largest, watch));
        self.forgiving(self.space_maps.data.index, self.unchanged(free))
    }

    /// What a dump says of the pool, unless the caller says something else.
    #[must_use]
    pub const fn dump_header(&self) -> Header {
        Header::of(&self.superblock, self.space_maps.data.blocks)
    }

    /// Hands the pool over as text, piece by piece, with the devices named, or all; a name that
    /// comes again counts once.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`], what `take` returns, else as [`devices`](Self::devices).
    pub fn dump(
        &self,
        header: Header,
        format: Format,
        mut only: Option<Vec<DeviceId>>,
        with_mappings: bool,
        watch: &Watch,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let all = self.devices(watch)?;
        let chosen: Vec<Device>;
        let devices = match &mut only {
            Some(ids) => {
                ids.sort_unstable();
                ids.dedup();
                let found: Result<_> = ids.iter().map(|id| self.device(*id, watch)).collect();
                chosen = found?;
                &chosen
            }
            None => &*all,
        };
        let graph = match (with_mappings, only.is_some()) {
            (false, _) => None,
            (true, false) => Some(self.graph(watch)?),
            (true, true) => {
                let roots: Vec<_> = devices.iter().map(|device| (device.id, device.root)).collect();
                Some(self.unchanged(self.find_graph(&roots, watch)).map(Arc::new)?)
            }
        };
        let counted: Vec<Device>;
        let devices = match (&graph, &self.damage) {
            // `thin_restore` believes the counts, so they are those of what is dumped.
            (Some(graph), Some(_)) => {
                counted = self.counted(devices, graph, watch)?;
                &counted
            }
            _ => devices,
        };
        let graph = graph.as_deref();
        let dump = Dump { format, header, devices, graph, threads: self.threads };
        self.unchanged(dump.hand_over(&self.leaves(watch), take))
    }

    const fn leaves<'a>(&'a self, watch: &'a Watch) -> LeafReader<'a> {
        let (reader, data_blocks) = (&self.reader, self.space_maps.data.blocks);
        LeafReader { reader, data_blocks, watch, damage: self.damage.as_ref() }
    }

    /// Streams the reference counts of a space map of the live pool. Put each batch through
    /// [`unchanged`](Self::unchanged).
    ///
    /// # Errors
    ///
    /// A read that fails, or the first rule that is broken; [`Error::NoSpaceMaps`].
    pub fn reference_counts(&self, map: SpaceMap, watch: &Watch) -> Result<ReferenceCounts> {
        if self.view == View::Salvaged {
            return Err(Error::NoSpaceMaps);
        }
        let root = self.space_maps.of(map);
        self.unchanged(ReferenceCounts::open(&self.reader, map, &self.live, root, watch))
    }

    /// The answer, unless the pool has changed: then an error that it made is not damage. For
    /// the batches of a stream; other answers have been through it.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`], [`Error::Read`], or the answer's own.
    pub fn unchanged<T>(&self, answer: Result<T>) -> Result<T> {
        match (answer, self.committed.check(&self.reader)) {
            (Ok(_) | Err(Error::Corrupt(_)), Err(changed)) => Err(changed),
            (answer, _) => answer,
        }
    }
}

/// Whether nobody is missing among the holders: a metadata snapshot that is held was read.
const fn everybody_is_known<T>(held: Option<MetadataBlock>, read: Option<&T>) -> bool {
    held.is_none() || read.is_some()
}

/// Answers from the slot, or asks and keeps the answer. Threads that ask at the same time may
/// each read; the first answer stays.
fn once<T: Clone>(slot: &Mutex<Option<T>>, ask: impl FnOnce() -> Result<T>) -> Result<T> {
    if let Some(known) = known(slot) {
        return Ok(known);
    }
    let answer = ask()?;
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(slot.get_or_insert(answer).clone())
}

/// What a slot holds.
fn known<T: Clone>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
