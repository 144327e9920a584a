//! The superblock, block 0, and the copy of it that a metadata snapshot holds.
//!
//! Checked: checksum, own block number, magic, version, feature flags, block sizes, counts
//! against the format's limits and the source's size, roots within the metadata.

use std::mem::offset_of;

use zerocopy::FromBytes;

use crate::checksum::{BlockKind, check_checksum, check_number, checksum};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::{self, Page, SuperblockDisk};
use crate::units::{BLOCK_BYTES, MAX_METADATA_BLOCKS, MetadataBlock, SECTOR_SIZE, Time, pointer};

/// Smallest data block, in sectors (64 KiB); every block size is a multiple of it.
pub const MIN_DATA_BLOCK_SECTORS: u32 = 128;

/// Largest data block, in sectors (1 GiB).
pub const MAX_DATA_BLOCK_SECTORS: u32 = 2_097_152;

/// Data blocks that a mapping can name: 40 bits.
pub const MAX_DATA_BLOCKS: u64 = 1 << 40;

/// Sectors in a metadata block.
const METADATA_BLOCK_SECTORS: u32 = 8;

/// Which superblock a pool is read through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// The superblock in block 0.
    Live,
    /// The copy that the metadata snapshot holds.
    MetadataSnapshot,
    /// None: a state that was salvaged, see [`salvage`](crate::salvage).
    Salvaged,
}

/// The two space maps of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpaceMap {
    /// Counts blocks of the data device, in units of the data block size.
    Data,
    /// Counts blocks of the metadata device, 4 KiB each.
    Metadata,
}

impl SpaceMap {
    /// What errors call its root, and where that lies in the superblock.
    pub(crate) const fn root_place(self) -> (Structure, usize) {
        match self {
            Self::Data => {
                (Structure::DataSpaceMapRoot, offset_of!(SuperblockDisk, data_space_map_root))
            }
            Self::Metadata => (
                Structure::MetadataSpaceMapRoot,
                offset_of!(SuperblockDisk, metadata_space_map_root),
            ),
        }
    }
}

/// Root of a space map, its pointers within the metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceMapRoot {
    /// Blocks that the map counts (`nr_blocks`).
    pub blocks: u64,
    /// Blocks whose count is not zero (`nr_allocated`).
    pub allocated: u64,
    /// Where the bitmaps are found (`bitmap_root`): a tree for data, a block for metadata.
    pub index: MetadataBlock,
    /// Root of the tree of counts above two (`ref_count_root`).
    pub overflow: MetadataBlock,
}

/// The roots of both space maps; only the live superblock has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceMapRoots {
    /// Counts data blocks.
    pub data: SpaceMapRoot,
    /// Counts metadata blocks.
    pub metadata: SpaceMapRoot,
}

impl SpaceMapRoots {
    /// The root of one of them.
    #[must_use]
    pub const fn of(&self, map: SpaceMap) -> SpaceMapRoot {
        match map {
            SpaceMap::Data => self.data,
            SpaceMap::Metadata => self.metadata,
        }
    }
}

/// A checked superblock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Where it lies: 0, or the metadata snapshot's block.
    pub block: MetadataBlock,
    /// All flags (`flags`).
    pub flags: u32,
    /// `uuid`, zero in practice.
    pub uuid: [u8; 16],
    /// `version`, 1 or 2.
    pub version: u32,
    /// The snapshot counter (`time`).
    pub time: Time,
    /// `trans_id`.
    pub transaction_id: u64,
    /// Where the metadata snapshot lies, if one is held (`held_root`).
    pub metadata_snapshot: Option<MetadataBlock>,
    /// Root of the top-level tree (`data_mapping_root`).
    pub mapping_root: MetadataBlock,
    /// Root of the details tree (`device_details_root`).
    pub details_root: MetadataBlock,
    /// Sectors in a data block.
    pub data_block_sectors: u32,
    /// Metadata blocks when the pool was made (`metadata_nr_blocks`).
    pub formatted_metadata_blocks: u64,
    /// Feature bits: compatible, compatible when reading, incompatible.
    pub features: [u32; 3],
}

impl Superblock {
    /// Whether the kernel asked for a check (`THIN_METADATA_NEEDS_CHECK_FLAG`).
    #[must_use]
    pub const fn needs_check(&self) -> bool {
        self.flags & raw::NEEDS_CHECK != 0
    }

    /// Bytes in a data block.
    #[must_use]
    pub fn data_block_bytes(&self) -> u64 {
        u64::from(self.data_block_sectors).saturating_mul(SECTOR_SIZE)
    }

    /// Reads the live superblock, with the space maps, from block 0 of a source of
    /// `source_bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a version or feature that is not known, [`Error::Corrupt`] for
    /// the first field that breaks a rule, in the order of the page above.
    pub fn parse_live(page: &Page, source_bytes: u64) -> Result<(Self, SpaceMapRoots)> {
        let place = Place { block: MetadataBlock::new(0), structure: Structure::Superblock };
        let disk = disk(page, place)?;
        let source_blocks = source_bytes / BLOCK_BYTES;
        Fields { disk, place, blocks: source_blocks }.live(page)
    }

    /// Reads the copy that the metadata snapshot holds at `block`, of a pool of which the live
    /// superblock is `live` and the metadata has `blocks` blocks.
    ///
    /// # Errors
    ///
    /// As [`parse_live`](Self::parse_live).
    pub fn parse_snapshot(
        page: &Page,
        block: MetadataBlock,
        live: &Self,
        blocks: u64,
    ) -> Result<Self> {
        let place = Place { block, structure: Structure::MetadataSnapshot };
        let fields = Fields { disk: disk(page, place)?, place, blocks };
        fields.check_identity(page)?;
        fields.check_same_blocks(live.data_block_sectors)?;
        fields.superblock()
    }

    /// The same for who goes on around damage: the live superblock is known, so that a copy with a
    /// version or features that are not is damage.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(crate) fn parse_snapshot_around(
        page: &Page,
        block: MetadataBlock,
        live: &Self,
        blocks: u64,
    ) -> Result<Self> {
        Self::parse_snapshot(page, block, live, blocks).map_err(|error| match error {
            Error::Unsupported { field, expected, found } => {
                let place = Place { block, structure: Structure::MetadataSnapshot };
                let offset = match field {
                    "version" => offset_of!(SuperblockDisk, version),
                    _ => offset_of!(SuperblockDisk, incompat_flags),
                };
                place.corrupt(field, offset, expected, found)
            }
            error => error,
        })
    }
}

/// A superblock as far as it can be believed, for who goes on after what is broken.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Every rule that it breaks.
    pub(crate) broken: Vec<Error>,
    pub(crate) time: Time,
    pub(crate) transaction_id: u64,
    pub(crate) data_block_sectors: u32,
    pub(crate) flags: u32,
    /// Compatible when reading.
    pub(crate) compat_ro_flags: u32,
    pub(crate) held: Option<MetadataBlock>,
    /// Whether it can be told where a metadata snapshot is held, or that none is.
    pub(crate) is_held_known: bool,
    pub(crate) mapping_root: Option<MetadataBlock>,
    pub(crate) details_root: Option<MetadataBlock>,
    /// None where a pointer is broken, and of a copy.
    pub(crate) data: Option<SpaceMapRoot>,
    pub(crate) metadata: Option<SpaceMapRoot>,
    /// Blocks of the metadata, as far as the space map and the format's limit tell.
    pub(crate) blocks: u64,
    /// Blocks of the data device, likewise.
    pub(crate) data_blocks: u64,
    /// Free blocks of the metadata by two numbers, which mean nothing in a copy.
    pub(crate) metadata_free_blocks: u64,
}

impl Draft {
    /// Reads the live superblock of a source of `source_bytes`, all of its rules.
    pub(crate) fn live(page: &Page, source_bytes: u64) -> Result<Self> {
        let place = Place { block: MetadataBlock::new(0), structure: Structure::Superblock };
        let disk = disk(page, place)?;
        let source_blocks = source_bytes / BLOCK_BYTES;
        let mut broken = Vec::new();
        let mut note = |rule: Result<()>| broken.extend(rule.err());
        let fields = Fields { disk, place, blocks: source_blocks };
        fields.identity_rules(page).into_iter().for_each(&mut note);
        let (data, metadata) = (&disk.data_space_map_root, &disk.metadata_space_map_root);
        note(fields.check_counts(SpaceMap::Data, data, MAX_DATA_BLOCKS));
        note(fields.check_counts(SpaceMap::Metadata, metadata, MAX_METADATA_BLOCKS));
        note(fields.check_truncation());
        let blocks = metadata.nr_blocks.get().min(MAX_METADATA_BLOCKS);
        let data_blocks = data.nr_blocks.get().min(MAX_DATA_BLOCKS);
        let fields = Fields { blocks, ..fields };
        let root = |map, root| fields.space_map_root(map, root);
        let (data, metadata) = (root(SpaceMap::Data, data), root(SpaceMap::Metadata, metadata));
        let mut draft = Self { data_blocks, ..fields.draft() };
        draft.broken.extend(broken);
        draft.data = draft.or_broken(data);
        draft.metadata = draft.or_broken(metadata);
        Ok(draft)
    }

    /// Reads the copy that the metadata snapshot holds at `block`, all of its rules.
    pub(crate) fn copy(page: &Page, block: MetadataBlock, live: &Self) -> Result<Self> {
        let place = Place { block, structure: Structure::MetadataSnapshot };
        let fields = Fields { disk: disk(page, place)?, place, blocks: live.blocks };
        let mut draft = fields.draft();
        draft.broken.extend(fields.check_same_blocks(live.data_block_sectors).err());
        draft.broken.extend(fields.identity_rules(page).into_iter().filter_map(Result::err));
        Ok(draft)
    }

    fn or_broken<T>(&mut self, found: Result<T>) -> Option<T> {
        found.map_err(|error| self.broken.push(error)).ok()
    }
}

/// What can be told of a superblock, or of a copy, where nothing else may be left: its own fields,
/// checked; of the live one the blocks of the data device, if they can be.
pub(crate) fn parse_alone(
    page: &Page,
    block: MetadataBlock,
    blocks: u64,
) -> Result<(Superblock, Option<u64>)> {
    let place = Place { block, structure: Structure::Superblock };
    let fields = Fields { disk: disk(page, place)?, place, blocks };
    fields.check_identity(page)?;
    let data_blocks = fields.disk.data_space_map_root.nr_blocks.get();
    let data_blocks = (1..=MAX_DATA_BLOCKS).contains(&data_blocks).then_some(data_blocks);
    Ok((fields.superblock()?, data_blocks))
}

/// The block that a live superblock names as its metadata snapshot (0: none), or nothing where
/// the block is no whole superblock. No other field is looked at.
#[must_use]
pub fn held_root(page: &Page) -> Option<u64> {
    let (disk, _) = SuperblockDisk::ref_from_prefix(page.bytes()).ok()?;
    let is_whole = page.stored_checksum() == checksum(page, BlockKind::Superblock);
    (is_whole && disk.magic.get() == raw::THIN_SUPERBLOCK_MAGIC).then_some(disk.held_root.get())
}

fn disk(page: &Page, place: Place) -> Result<&SuperblockDisk> {
    SuperblockDisk::ref_from_prefix(page.bytes())
        .map(|(disk, _)| disk)
        .map_err(|_| place.corrupt("size", 0, "4096 bytes", "less"))
}

/// Whether block 0 claims, by magic or by checksum, to be a thin superblock.
#[must_use]
pub fn claims_to_be_thin(page: &Page) -> bool {
    let magic = SuperblockDisk::ref_from_prefix(page.bytes())
        .is_ok_and(|(disk, _)| disk.magic.get() == raw::THIN_SUPERBLOCK_MAGIC);
    magic || BlockKind::of(page) == Some(BlockKind::Superblock)
}

struct Fields<'a> {
    disk: &'a SuperblockDisk,
    place: Place,
    /// Metadata blocks that pointers must stay within.
    blocks: u64,
}

impl Fields<'_> {
    /// `blocks` is the source's size here; from the metadata space map on, it is the map's.
    fn live(self, page: &Page) -> Result<(Superblock, SpaceMapRoots)> {
        self.check_identity(page)?;
        let data = &self.disk.data_space_map_root;
        let metadata = &self.disk.metadata_space_map_root;
        self.check_counts(SpaceMap::Data, data, MAX_DATA_BLOCKS)?;
        self.check_counts(SpaceMap::Metadata, metadata, MAX_METADATA_BLOCKS)?;
        let blocks = metadata.nr_blocks.get();
        self.check_truncation()?;
        let fields = Self { blocks, ..self };
        let data = fields.space_map_root(SpaceMap::Data, data)?;
        let metadata = fields.space_map_root(SpaceMap::Metadata, metadata)?;
        Ok((fields.superblock()?, SpaceMapRoots { data, metadata }))
    }

    fn check_identity(&self, page: &Page) -> Result<()> {
        self.identity_rules(page).into_iter().collect()
    }

    /// What must hold of live superblock and copy alike, the first that is broken being told
    /// where only one can.
    fn identity_rules(&self, page: &Page) -> [Result<()>; 7] {
        let (disk, place) = (self.disk, self.place);
        let unsupported = |field, expected: &str, found: u32| {
            let (expected, found) = (expected.to_owned(), found.to_string());
            Err(Error::Unsupported { field, expected, found })
        };
        let magic = match disk.magic.get() {
            raw::THIN_SUPERBLOCK_MAGIC => Ok(()),
            found => {
                let offset = offset_of!(SuperblockDisk, magic);
                Err(place.corrupt("magic", offset, raw::THIN_SUPERBLOCK_MAGIC, found))
            }
        };
        let version = match disk.version.get() {
            1..=2 => Ok(()),
            found => unsupported("version", "1 or 2", found),
        };
        let features = match disk.incompat_flags.get() {
            0 => Ok(()),
            found => unsupported("incompat_flags", "0", found),
        };
        let sectors = disk.data_block_size.get();
        let is_sound = (MIN_DATA_BLOCK_SECTORS..=MAX_DATA_BLOCK_SECTORS).contains(&sectors)
            && sectors.is_multiple_of(MIN_DATA_BLOCK_SECTORS);
        let data_block_size = if is_sound {
            Ok(())
        } else {
            let offset = offset_of!(SuperblockDisk, data_block_size);
            let expected = "a multiple of 128 up to 2097152 sectors";
            Err(place.corrupt("data_block_size", offset, expected, sectors))
        };
        let metadata_block_size = match disk.metadata_block_size.get() {
            METADATA_BLOCK_SECTORS => Ok(()),
            found => {
                let offset = offset_of!(SuperblockDisk, metadata_block_size);
                Err(place.corrupt("metadata_block_size", offset, "8 sectors", found))
            }
        };
        let checksum = check_checksum(page, BlockKind::Superblock, place);
        let number = check_number(page, place);
        [checksum, magic, number, version, features, data_block_size, metadata_block_size]
    }

    /// `blocks` is the source's size here.
    fn check_truncation(&self) -> Result<()> {
        let blocks = self.disk.metadata_space_map_root.nr_blocks.get();
        if blocks <= self.blocks {
            return Ok(());
        }
        Err(self.place.corrupt_with_hint(
            "metadata space map's nr_blocks",
            offset_of!(SuperblockDisk, metadata_space_map_root),
            format!("at most {}, the blocks of the source", self.blocks),
            blocks,
            Some("the source is truncated: copy the whole metadata device"),
        ))
    }

    /// A copy has the data blocks of the live superblock, of so many sectors.
    fn check_same_blocks(&self, live: u32) -> Result<()> {
        let sectors = self.disk.data_block_size.get();
        if sectors == live {
            return Ok(());
        }
        let offset = offset_of!(SuperblockDisk, data_block_size);
        let expected = format!("{live}, as in the live superblock");
        Err(self.place.corrupt("data_block_size", offset, expected, sectors))
    }

    /// Where the trees begin, whatever else is broken; without the space maps.
    fn draft(&self) -> Draft {
        let disk = self.disk;
        let metadata = &disk.metadata_space_map_root;
        let mut draft = Draft {
            broken: Vec::new(),
            time: Time::new(disk.time.get()),
            transaction_id: disk.trans_id.get(),
            data_block_sectors: disk.data_block_size.get(),
            flags: disk.flags.get(),
            compat_ro_flags: disk.compat_ro_flags.get(),
            held: None,
            is_held_known: true,
            mapping_root: None,
            details_root: None,
            data: None,
            metadata: None,
            blocks: self.blocks,
            data_blocks: MAX_DATA_BLOCKS,
            metadata_free_blocks: metadata
                .nr_blocks
                .get()
                .saturating_sub(metadata.nr_allocated.get()),
        };
        let held = draft.or_broken(self.held_root());
        (draft.held, draft.is_held_known) = (held.flatten(), held.is_some());
        draft.mapping_root = draft.or_broken(self.mapping_root());
        draft.details_root = draft.or_broken(self.details_root());
        draft
    }

    fn held_root(&self) -> Result<Option<MetadataBlock>> {
        match self.disk.held_root.get() {
            0 => Ok(None),
            held => {
                self.pointer("held_root", offset_of!(SuperblockDisk, held_root), held).map(Some)
            }
        }
    }

    fn mapping_root(&self) -> Result<MetadataBlock> {
        let offset = offset_of!(SuperblockDisk, data_mapping_root);
        self.pointer("data_mapping_root", offset, self.disk.data_mapping_root.get())
    }

    fn details_root(&self) -> Result<MetadataBlock> {
        let offset = offset_of!(SuperblockDisk, device_details_root);
        self.pointer("device_details_root", offset, self.disk.device_details_root.get())
    }

    fn superblock(&self) -> Result<Superblock> {
        let disk = self.disk;
        Ok(Superblock {
            block: self.place.block,
            flags: disk.flags.get(),
            uuid: disk.uuid,
            version: disk.version.get(),
            time: Time::new(disk.time.get()),
            transaction_id: disk.trans_id.get(),
            metadata_snapshot: self.held_root()?,
            mapping_root: self.mapping_root()?,
            details_root: self.details_root()?,
            data_block_sectors: disk.data_block_size.get(),
            formatted_metadata_blocks: disk.metadata_nr_blocks.get(),
            features: [
                disk.compat_flags.get(),
                disk.compat_ro_flags.get(),
                disk.incompat_flags.get(),
            ],
        })
    }

    fn check_counts(&self, map: SpaceMap, root: &raw::SpaceMapRoot, limit: u64) -> Result<()> {
        let (structure, offset) = map.root_place();
        let place = Place { structure, ..self.place };
        let (blocks, allocated) = (root.nr_blocks.get(), root.nr_allocated.get());
        if blocks > limit {
            return Err(place.corrupt("nr_blocks", offset, format!("at most {limit}"), blocks));
        }
        if allocated > blocks {
            let expected = format!("at most nr_blocks, {blocks}");
            let offset = offset.saturating_add(offset_of!(raw::SpaceMapRoot, nr_allocated));
            return Err(place.corrupt("nr_allocated", offset, expected, allocated));
        }
        Ok(())
    }

    fn space_map_root(&self, map: SpaceMap, root: &raw::SpaceMapRoot) -> Result<SpaceMapRoot> {
        let (_, offset) = map.root_place();
        let at = |field_offset: usize| offset.saturating_add(field_offset);
        Ok(SpaceMapRoot {
            blocks: root.nr_blocks.get(),
            allocated: root.nr_allocated.get(),
            index: self.pointer(
                "space map's bitmap_root",
                at(offset_of!(raw::SpaceMapRoot, bitmap_root)),
                root.bitmap_root.get(),
            )?,
            overflow: self.pointer(
                "space map's ref_count_root",
                at(offset_of!(raw::SpaceMapRoot, ref_count_root)),
                root.ref_count_root.get(),
            )?,
        })
    }

    /// A pointer to a block that is neither the superblock nor beyond the metadata.
    fn pointer(&self, field: &'static str, offset: usize, block: u64) -> Result<MetadataBlock> {
        pointer(block, self.blocks).ok_or_else(|| {
            let expected = format!("a block from 1 to {}", self.blocks.saturating_sub(1));
            self.place.corrupt(field, offset, expected, block)
        })
    }
}
