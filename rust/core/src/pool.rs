//! The facade: a pool opened from a source, and the questions it answers.
//!
//! Opening reads the superblock only; each question reads what it needs, checks every block that
//! it touches, and at its end that the pool is still in the state it was opened in.

use std::sync::{Arc, Mutex, PoisonError};

use crate::btree::{self, KeyRange, Tree};
use crate::committed::{Committed, held};
use crate::devices::{Device, read_devices};
use crate::dump::{Dump, Format, Header, Take};
use crate::error::{Error, Result};
use crate::fragmentation::{self, Fragmentation, FreeExtents};
use crate::graph::{Graph, LeafReader};
use crate::mappings::{self, MappingStream, Run};
use crate::raw::Page;
use crate::reader::Reader;
use crate::recount::{Recount, recount};
use crate::sharing::{Everybody, Sharing};
use crate::source::identify::{first_block, identify};
use crate::source::{BlockSource, unpacked};
use crate::space_map::ReferenceCounts;
use crate::superblock::{SpaceMap, SpaceMapRoots, Superblock, View, claims_to_be_thin};
use crate::units::{BLOCK_BYTES, DeviceId, MetadataBlock, VirtualBlock, widen};
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
    devices: Mutex<Option<Arc<[Device]>>>,
    graph: Mutex<Option<Arc<Graph>>>,
    /// The graph of the one device that was asked for last.
    last_device: Mutex<Option<(DeviceId, Arc<Graph>)>>,
    sharing: Mutex<Option<Arc<Sharing>>>,
}

impl Pool {
    /// Opens any source; unpacks what is packed.
    ///
    /// # Errors
    ///
    /// Any [`Error`] family: the source cannot be read, is something else than thin metadata, is
    /// not supported, or has a corrupt superblock.
    pub fn from_source(
        source: Arc<dyn BlockSource>,
        view: View,
        threads: usize,
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
        let (live, space_maps) = Superblock::parse_live(&page, source.len())?;
        let reader = Reader::new(source, space_maps.metadata.blocks);
        let (superblock, committed) = match view {
            View::Live => (live.clone(), Committed::live(page)),
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
            devices: Mutex::default(),
            graph: Mutex::default(),
            last_device: Mutex::default(),
            sharing: Mutex::default(),
        })
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
            let devices = read_devices(&self.reader, &self.superblock, watch);
            self.unchanged(devices).map(Arc::from)
        })
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
            self.unchanged(Graph::build(&self.reader, &roots, watch)).map(Arc::new)
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
        let (reader, data_blocks) = (self.reader.clone(), self.space_maps.data.blocks);
        Ok(MappingStream::new(reader, data_blocks, graph, self.threads, only, range))
    }

    fn device_graph(&self, device: Device, watch: &Watch) -> Result<Arc<Graph>> {
        if let Some((id, graph)) = known(&self.last_device)
            && id == device.id
        {
            return Ok(graph);
        }
        let graph = Graph::build(&self.reader, &[(device.id, device.root)], watch);
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
        let root = self.device(id, watch)?.root;
        let last = self.unchanged(btree::last_key(&self.reader, Tree::Mapping, root))?;
        Ok(last.map(VirtualBlock::new))
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
            let last = btree::last_key(&self.reader, Tree::Mapping, device.root)?;
            Ok((device.id, last.map(VirtualBlock::new)))
        });
        self.unchanged(highest.collect())
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
            (View::Live, Some(block)) => Some(self.held_devices(block, watch)?),
            _ => None,
        };
        let graph = match &held {
            Some(held) => {
                let roots = devices.iter().chain(held).map(|device| (device.id, device.root));
                Arc::new(Graph::build(&self.reader, &roots.collect::<Vec<_>>(), watch)?)
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
        if self.view == View::Live {
            let root = self.space_maps.of(SpaceMap::Data);
            let mut counts = self.reference_counts(SpaceMap::Data, watch)?;
            sharing.compare(&mut counts, root.allocated, watch)?;
        }
        Ok(sharing)
    }

    /// The devices as the metadata snapshot holds them.
    fn held_devices(&self, block: MetadataBlock, watch: &Watch) -> Result<Vec<Device>> {
        let mut copy = Page::zeroed();
        self.reader.read(block, &mut copy)?;
        let blocks = self.reader.blocks();
        let superblock = Superblock::parse_snapshot(&copy, block, &self.live, blocks)?;
        read_devices(&self.reader, &superblock, watch)
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
    /// extents. Not known through a metadata snapshot.
    ///
    /// # Errors
    ///
    /// As [`reference_counts`](Self::reference_counts).
    pub fn free_extents(&self, largest: usize, watch: &Watch) -> Result<Option<FreeExtents>> {
        if self.view == View::MetadataSnapshot {
            return Ok(None);
        }
        let mut counts = self.reference_counts(SpaceMap::Data, watch)?;
        let free = fragmentation::free_extents(&mut counts, largest, watch);
        self.unchanged(free).map(Some)
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
                Some(self.unchanged(Graph::build(&self.reader, &roots, watch)).map(Arc::new)?)
            }
        };
        let graph = graph.as_deref();
        let dump = Dump { format, header, devices, graph, threads: self.threads };
        self.unchanged(dump.hand_over(&self.leaves(watch), take))
    }

    const fn leaves<'a>(&'a self, watch: &'a Watch) -> LeafReader<'a> {
        LeafReader { reader: &self.reader, data_blocks: self.space_maps.data.blocks, watch }
    }

    /// Streams the reference counts of a space map of the live pool. Put each batch through
    /// [`unchanged`](Self::unchanged).
    ///
    /// # Errors
    ///
    /// A read that fails, or the first rule that is broken.
    pub fn reference_counts(&self, map: SpaceMap, watch: &Watch) -> Result<ReferenceCounts> {
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
