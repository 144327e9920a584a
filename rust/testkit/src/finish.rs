//! The end of a pool: both space maps, the metadata snapshot's copy, the superblock.

use std::io::{Error, Result};

use thinscope_core::btree::Tree;
use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::{
    BITMAP_ENTRIES, BitmapHeader, INDEX_ENTRIES, IndexBlock, IndexEntry, NEEDS_CHECK, Page,
    SpaceMapRoot, SuperblockDisk, THIN_SUPERBLOCK_MAGIC,
};
use thinscope_core::units::MAX_METADATA_BLOCKS;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromZeros, IntoBytes};

use crate::counts::Counts;
use crate::image::Image;
use crate::miscount::Miscount;
use crate::random::Random;
use crate::tree::write_tree;
use crate::writer::Writer;

/// What a superblock says of devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// Root of the top-level tree.
    pub mapping: u32,
    /// Root of the details tree.
    pub details: u32,
    /// The pool's time.
    pub time: u32,
    /// The pool's transaction id.
    pub transaction_id: u64,
}

/// A pool that was written.
#[derive(Debug)]
pub struct Finished {
    /// Where it was written to.
    pub image: Image,
    /// Blocks of the metadata device.
    pub metadata_blocks: u32,
    /// Of those, in use.
    pub metadata_used: u64,
    /// Blocks of the data device.
    pub data_blocks: u64,
    /// Of those, in use.
    pub data_used: u64,
    /// What the data space map counts wrongly.
    pub miscount: Miscount,
    /// Where the metadata snapshot's copy of the superblock lies.
    pub metadata_snapshot: Option<u32>,
}

impl Writer {
    /// Writes all that is missing when the trees of the devices are there.
    ///
    /// # Errors
    ///
    /// The devices' sizes do not fit what was written, or what the system says.
    pub fn finish(mut self, live: Roots, held: Option<Roots>) -> Result<Finished> {
        let held_block = held.map(|_| self.allocate()).transpose()?;
        for roots in [Some(live), held].into_iter().flatten() {
            self.reference(roots.mapping);
            self.reference(roots.details);
        }
        if let Some(held) = held_block {
            self.reference(held);
        }
        let data = self.data_space_map()?;
        let metadata = self.metadata_space_map()?;
        let metadata_blocks = metadata.nr_blocks.get() as u32;
        let mut page = Page::zeroed();
        if let (Some(block), Some(roots)) = (held_block, held) {
            let copy = self.superblock(block, roots, metadata_blocks);
            self.put_superblock(block, &copy, &mut page)?;
        }
        let mut superblock = self.superblock(0, live, metadata_blocks);
        superblock.flags = U32::new(if self.geometry.needs_check { NEEDS_CHECK } else { 0 });
        superblock.held_root = U64::new(held_block.map_or(0, u64::from));
        superblock.data_space_map_root = data;
        superblock.metadata_space_map_root = metadata;
        self.put_superblock(0, &superblock, &mut page)?;
        self.image.finish(metadata_blocks)?;
        Ok(Finished {
            image: self.image,
            metadata_blocks,
            metadata_used: superblock.metadata_space_map_root.nr_allocated.get(),
            data_blocks: superblock.data_space_map_root.nr_blocks.get(),
            data_used: superblock.data_space_map_root.nr_allocated.get(),
            miscount: self.miscount,
            metadata_snapshot: held_block,
        })
    }

    fn superblock(&self, block: u32, roots: Roots, metadata_blocks: u32) -> SuperblockDisk {
        let mut disk = SuperblockDisk::new_zeroed();
        disk.blocknr = U64::new(u64::from(block));
        disk.magic = U64::new(THIN_SUPERBLOCK_MAGIC);
        disk.version = U32::new(2);
        disk.time = U32::new(roots.time);
        disk.trans_id = U64::new(roots.transaction_id);
        disk.data_mapping_root = U64::new(u64::from(roots.mapping));
        disk.device_details_root = U64::new(u64::from(roots.details));
        disk.data_block_size = U32::new(self.geometry.data_block_sectors);
        disk.metadata_block_size = U32::new(8);
        disk.metadata_nr_blocks = U64::new(u64::from(metadata_blocks));
        disk
    }

    fn put_superblock(&mut self, block: u32, disk: &SuperblockDisk, page: &mut Page) -> Result<()> {
        page.bytes_mut().fill(0);
        page.bytes_mut()[..size_of::<SuperblockDisk>()].copy_from_slice(disk.as_bytes());
        self.write(block, page, BlockKind::Superblock)
    }

    fn data_space_map(&mut self) -> Result<SpaceMapRoot> {
        let mut counts = std::mem::take(&mut self.data);
        let end = counts.end().max(self.miscount.end());
        let blocks = self.geometry.data_blocks.unwrap_or_else(|| (end + end / 4).max(1));
        if blocks < end {
            return Err(Error::other(format!("{blocks} data blocks are less than {end}, in use")));
        }
        let more = (self.geometry.leaked, self.geometry.missing);
        let mut random = Random::new(self.geometry.seed).fork(11);
        self.miscount.draw(&counts, blocks, more, &mut random)?;
        self.miscount.apply(&mut counts)?;
        let bitmaps = blocks.div_ceil(BITMAP_ENTRIES);
        if bitmaps > MAX_METADATA_BLOCKS {
            return Err(Error::other("the data device's bitmaps do not fit the metadata"));
        }
        let mut index = Vec::with_capacity(bitmaps as usize);
        for bitmap in 0..bitmaps {
            let block = self.allocate()?;
            self.reference(block);
            let entry = self.put_bitmap(block, counts.page(bitmap))?;
            index.push((bitmap, entry));
        }
        let entries = index.into_iter().map(|(key, entry)| (key, zerocopy::transmute!(entry)));
        let bitmap_root = write_tree::<16>(self, Tree::DataIndex, bitmaps, entries)?;
        let overflow_root = self.overflow(Tree::DataOverflow, &counts)?;
        Ok(self.space_map_root(blocks, counts.allocated(), bitmap_root, overflow_root))
    }

    /// The map's own blocks count 1 each: none of them gets into its own overflow tree.
    fn metadata_space_map(&mut self) -> Result<SpaceMapRoot> {
        self.metadata.increment(0);
        let counts = std::mem::take(&mut self.metadata);
        let overflow_root = self.overflow(Tree::MetadataOverflow, &counts)?;
        let index_block = self.allocate()?;
        let own = std::mem::replace(&mut self.metadata, counts);
        self.merge(&own);
        let (blocks, bitmaps) = self.metadata_size()?;
        let root = self.space_map_root(u64::from(blocks), 0, index_block, overflow_root);
        let places = (0..bitmaps).map(|_| self.allocate()).collect::<Result<Vec<_>>>()?;
        for block in &places {
            self.reference(*block);
        }
        let mut index = IndexBlock::new_zeroed();
        index.blocknr = U64::new(u64::from(index_block));
        for (bitmap, block) in (0_u64..).zip(&places) {
            let counts = self.metadata.page(bitmap).map(<[u8]>::to_vec);
            index.index[bitmap as usize] = self.put_bitmap(*block, counts.as_deref())?;
        }
        let mut page = Page::zeroed();
        page.bytes_mut().copy_from_slice(index.as_bytes());
        self.write(index_block, &mut page, BlockKind::Index)?;
        Ok(SpaceMapRoot { nr_allocated: U64::new(self.metadata.allocated()), ..root })
    }

    /// Adds the counts of the overflow tree, all of them 1.
    fn merge(&mut self, own: &Counts) {
        for block in 0..own.end() {
            if own.get(block) > 0 {
                self.metadata.increment(block);
            }
        }
    }

    fn metadata_size(&self) -> Result<(u32, u32)> {
        let bitmaps = |blocks: u32| blocks.div_ceil(BITMAP_ENTRIES as u32);
        let most = MAX_METADATA_BLOCKS as u32;
        let mut blocks = self.geometry.metadata_blocks.unwrap_or(self.end() + self.end() / 8 + 8);
        if self.geometry.metadata_blocks.is_none() {
            let least = self.end() + bitmaps(blocks);
            blocks = blocks.max(least).min(most).max(16);
        }
        let end = self.end() + bitmaps(blocks);
        if blocks < end || blocks > most || bitmaps(blocks) as usize > INDEX_ENTRIES {
            let told = format!("{blocks} metadata blocks: {end} are needed, {most} possible");
            return Err(Error::other(told));
        }
        Ok((blocks, bitmaps(blocks)))
    }

    fn overflow(&mut self, tree: Tree, counts: &Counts) -> Result<u32> {
        let count = counts.overflow().count() as u64;
        let entries = counts.overflow().map(|(block, count)| (block, count.to_le_bytes()));
        write_tree(self, tree, count, entries)
    }

    /// The root of a map; counts its two pointers.
    fn space_map_root(
        &mut self,
        blocks: u64,
        allocated: u64,
        bitmap_root: u32,
        overflow_root: u32,
    ) -> SpaceMapRoot {
        self.reference(bitmap_root);
        self.reference(overflow_root);
        let mut unused = [0; 96];
        if self.geometry.slack {
            let mut random = Random::new(self.geometry.seed).fork(blocks);
            unused.fill_with(|| random.number() as u8);
        }
        SpaceMapRoot {
            nr_blocks: U64::new(blocks),
            nr_allocated: U64::new(allocated),
            bitmap_root: U64::new(u64::from(bitmap_root)),
            ref_count_root: U64::new(u64::from(overflow_root)),
            unused,
        }
    }

    fn put_bitmap(&mut self, block: u32, counts: Option<&[u8]>) -> Result<IndexEntry> {
        let mut page = Page::zeroed();
        let header = size_of::<BitmapHeader>();
        page.bytes_mut()[8..header].copy_from_slice(&u64::from(block).to_le_bytes());
        let (mut free, mut first_free) = (BITMAP_ENTRIES as u32, 0);
        if let Some(counts) = counts {
            for (byte, counts) in page.bytes_mut()[header..].iter_mut().zip(counts.chunks_exact(4))
            {
                *byte = pairs(counts);
            }
            let used = counts.iter().map(|count| u32::from(*count > 0)).sum::<u32>();
            free -= used;
            let found = counts.iter().position(|count| *count == 0);
            first_free = found.unwrap_or(counts.len()) as u32;
        }
        self.write(block, &mut page, BlockKind::Bitmap)?;
        Ok(IndexEntry {
            blocknr: U64::new(u64::from(block)),
            nr_free: U32::new(free),
            none_free_before: U32::new(first_free),
        })
    }
}

/// Four counts as pairs of bits; the lower bit of a pair is the more significant one.
fn pairs(counts: &[u8]) -> u8 {
    let pair = |count: &u8| match count {
        0 => 0,
        1 => 2,
        2 => 1,
        _ => 3_u8,
    };
    counts.iter().rev().fold(0, |byte, count| byte << 2 | pair(count))
}
