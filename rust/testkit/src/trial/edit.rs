//! One edit of a pool: how it is read out of an input, and done.
//!
//! A byte says which edit (its lower half, see [`apply`]) and what becomes of checksums (its upper
//! half: 15 leaves them wrong; 14 leaves the own number of a copied block as it was).

use std::mem::offset_of;

use thinscope_core::checksum::BlockKind;
use thinscope_core::raw::{NodeHeader, Page, SpaceMapRoot, SuperblockDisk};
use thinscope_core::units::BLOCK_SIZE;

use super::input::Input;
use super::overlay::Overlay;
use crate::node::{HEADER, KEY};

/// Most blocks that an edit lets a source have: sources stay small.
const MOST_BLOCKS: usize = 1024;

/// Fields of the superblock with their widths.
const SUPERBLOCK: [(usize, usize); 22] = [
    (offset_of!(SuperblockDisk, flags), 4),
    (offset_of!(SuperblockDisk, blocknr), 8),
    (offset_of!(SuperblockDisk, magic), 8),
    (offset_of!(SuperblockDisk, version), 4),
    (offset_of!(SuperblockDisk, time), 4),
    (offset_of!(SuperblockDisk, trans_id), 8),
    (offset_of!(SuperblockDisk, held_root), 8),
    (DATA + offset_of!(SpaceMapRoot, nr_blocks), 8),
    (DATA + offset_of!(SpaceMapRoot, nr_allocated), 8),
    (DATA + offset_of!(SpaceMapRoot, bitmap_root), 8),
    (DATA + offset_of!(SpaceMapRoot, ref_count_root), 8),
    (METADATA + offset_of!(SpaceMapRoot, nr_blocks), 8),
    (METADATA + offset_of!(SpaceMapRoot, nr_allocated), 8),
    (METADATA + offset_of!(SpaceMapRoot, bitmap_root), 8),
    (METADATA + offset_of!(SpaceMapRoot, ref_count_root), 8),
    (offset_of!(SuperblockDisk, data_mapping_root), 8),
    (offset_of!(SuperblockDisk, device_details_root), 8),
    (offset_of!(SuperblockDisk, data_block_size), 4),
    (offset_of!(SuperblockDisk, metadata_block_size), 4),
    (offset_of!(SuperblockDisk, metadata_nr_blocks), 8),
    (offset_of!(SuperblockDisk, compat_ro_flags), 4),
    (offset_of!(SuperblockDisk, incompat_flags), 4),
];
const DATA: usize = offset_of!(SuperblockDisk, data_space_map_root);
const METADATA: usize = offset_of!(SuperblockDisk, metadata_space_map_root);

/// Fields of a node's header with their widths.
const NODE: [(usize, usize); 5] = [
    (offset_of!(NodeHeader, flags), 4),
    (offset_of!(NodeHeader, blocknr), 8),
    (offset_of!(NodeHeader, nr_entries), 4),
    (offset_of!(NodeHeader, max_entries), 4),
    (offset_of!(NodeHeader, value_size), 4),
];

/// Numbers at which something begins or ends.
const EDGES: [u64; 32] = [
    0,
    1,
    2,
    3,
    4,
    5,
    84,
    126,
    127,
    168,
    252,
    253,
    255,
    336,
    1 << 12,
    16_319,
    16_320,
    16_321,
    (1 << 24) - 1,
    1 << 24,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64,
    1 << 32,
    255 * 16_320,
    255 * 16_320 - 1,
    (1 << 40) - 1,
    1 << 40,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
    128,
];

/// Reads one edit and does it.
pub(super) fn apply(input: &mut Input<'_>, overlay: &mut Overlay) {
    let how = input.byte();
    let (what, repair) = (how & 0xf, how >> 4);
    let block = match what {
        0..=6 => edit_field(what, input, overlay),
        7 => graft(input, overlay),
        8 | 9 => edit_entries(what == 8, input, overlay),
        10..=12 => edit_block(what, repair, input, overlay),
        // The source ends elsewhere.
        13 => {
            let blocks = input.below(MOST_BLOCKS) as u64;
            let odd = u64::from(input.byte() / 128) * 100;
            overlay.set_length(blocks * BLOCK_SIZE as u64 + odd);
            return;
        }
        14 => write(input, overlay),
        _ => fill(input, overlay),
    };
    if repair == 15 {
        overlay.damage(block);
    }
}

/// Sets one field, which a reader knows or not; returns the block.
fn edit_field(what: u8, input: &mut Input<'_>, overlay: &mut Overlay) -> u32 {
    match what {
        // A field of the superblock, or of a copy of it.
        0 => {
            let block = if input.byte() % 4 == 3 { some_block(input, overlay) } else { 0 };
            let (offset, width) = SUPERBLOCK[usize::from(input.byte()) % SUPERBLOCK.len()];
            set(input, overlay, block, offset, width);
            block
        }
        // Any field of any block.
        1 | 2 => {
            let block = some_block(input, overlay);
            let width = [1, 2, 4, 8][usize::from(input.byte()) % 4];
            let offset = input.below(BLOCK_SIZE);
            let offset = if what == 1 { offset % 64 } else { offset } / width * width;
            set(input, overlay, block, offset, width);
            block
        }
        // A field of a node's header.
        3 => {
            let block = some_block(input, overlay);
            let (offset, width) = NODE[usize::from(input.byte()) % NODE.len()];
            set(input, overlay, block, offset, width);
            block
        }
        // The key of an entry.
        4 => {
            let block = some_block(input, overlay);
            let at = some_entry(input, overlay.edit(block));
            set(input, overlay, block, HEADER + KEY * at, KEY);
            block
        }
        // The value of an entry, or eight bytes of it.
        5 => {
            let block = some_block(input, overlay);
            let page = overlay.edit(block);
            let at = some_entry(input, page);
            let (offset, size) = value_place(page, at);
            let skip = usize::from(input.byte()) % (size / 4).max(1) * 4;
            set(input, overlay, block, offset + skip, size.saturating_sub(skip).clamp(1, 8));
            block
        }
        // A mapping: data block and time.
        _ => {
            let block = some_block(input, overlay);
            let page = overlay.edit(block);
            let at = some_entry(input, page);
            let (offset, _) = value_place(page, at);
            let old = field(page, offset, 8);
            let data = some_value(input, overlay, old >> 24);
            let time = some_value(input, overlay, old & 0xff_ffff);
            put(overlay.edit(block), offset, 8, data << 24 | (time & 0xff_ffff));
            block
        }
    }
}

/// A value of one node becomes that of another, which is returned.
fn graft(input: &mut Input<'_>, overlay: &mut Overlay) -> u32 {
    let (from, block) = (some_block(input, overlay), some_block(input, overlay));
    let page = overlay.edit(from);
    let (at, size) = value_place(page, some_entry(input, page));
    let value = field(page, at, size.min(8));
    let page = overlay.edit(block);
    let (at, size) = value_place(page, some_entry(input, page));
    put(page, at, size.min(8), value);
    block
}

/// An entry is put into a node, or taken out; returns the node.
fn edit_entries(puts_in: bool, input: &mut Input<'_>, overlay: &mut Overlay) -> u32 {
    let block = some_block(input, overlay);
    let page = overlay.edit(block);
    let at = some_entry(input, page);
    shift(page, at, puts_in);
    block
}

/// Moves whole blocks; returns one that was changed.
fn edit_block(what: u8, repair: u8, input: &mut Input<'_>, overlay: &mut Overlay) -> u32 {
    match what {
        // A block is copied over another.
        10 => {
            let (from, to) = (some_block(input, overlay), some_block(input, overlay));
            copy(overlay, from, to, repair);
            to
        }
        // Two blocks change places.
        11 => {
            let (one, other) = (some_block(input, overlay), some_block(input, overlay));
            let (kind, page) = (overlay.kind(one), overlay.page(one).cloned());
            copy(overlay, other, one, repair);
            *overlay.edit(other) = page.unwrap_or_else(|| *Page::zeroed());
            overlay.set_kind(other, kind);
            if repair != 14 {
                overlay.set_number(other);
            }
            one
        }
        // A block becomes zeros.
        _ => {
            let block = some_block(input, overlay);
            overlay.edit(block).bytes_mut().fill(0);
            overlay.set_kind(block, None);
            block
        }
    }
}

/// Writes bytes as they are into a block of any kind, which is returned.
fn write(input: &mut Input<'_>, overlay: &mut Overlay) -> u32 {
    let block = some_block(input, overlay);
    let kind = input.byte() % 5;
    let offset = input.below(BLOCK_SIZE);
    let length = input.below(BLOCK_SIZE - offset + 1);
    let bytes = input.take(length);
    overlay.edit(block).bytes_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
    if let Some(kind) = kind.checked_sub(1) {
        overlay.set_kind(block, Some(KINDS[usize::from(kind)]));
        overlay.set_number(block);
    }
    block
}

/// Fills a range of a bitmap, or of any block, which is returned.
fn fill(input: &mut Input<'_>, overlay: &mut Overlay) -> u32 {
    let block = some_block(input, overlay);
    let offset = input.below(BLOCK_SIZE);
    let length = input.below(BLOCK_SIZE - offset + 1);
    let byte = input.byte();
    overlay.edit(block).bytes_mut()[offset..offset + length].fill(byte);
    block
}

/// The kinds of block that a pool has.
pub(super) const KINDS: [BlockKind; 4] =
    [BlockKind::Superblock, BlockKind::Node, BlockKind::Bitmap, BlockKind::Index];

/// A block in use; one time in eight any block near these.
fn some_block(input: &mut Input<'_>, overlay: &Overlay) -> u32 {
    let number = input.number(2) as usize;
    let used = overlay.used();
    match number >> 13 {
        7 => (number & 0x1fff) as u32 % (used.last().copied().unwrap_or_default() + 8),
        _ => used[number % used.len()],
    }
}

/// An entry of a node, or the place behind the last one.
fn some_entry(input: &mut Input<'_>, page: &Page) -> usize {
    let entries = field(page, offset_of!(NodeHeader, nr_entries), 4) as usize;
    usize::from(input.byte()) % (entries.min(336) + 1)
}

/// Where a value lies, and how long it is: within the block, whatever the header says.
fn value_place(page: &Page, at: usize) -> (usize, usize) {
    let capacity = field(page, offset_of!(NodeHeader, max_entries), 4) as usize;
    let size = (field(page, offset_of!(NodeHeader, value_size), 4) as usize).clamp(4, 24);
    let offset = HEADER + KEY * capacity.min(400) + size * at;
    (offset.min(BLOCK_SIZE - 24), size)
}

/// A value near the old one, at an edge, one of the blocks in use, or any.
fn some_value(input: &mut Input<'_>, overlay: &Overlay, old: u64) -> u64 {
    let how = input.byte();
    match how >> 6 {
        0 => old.wrapping_add(u64::from(how & 63)).wrapping_sub(32),
        1 => EDGES[usize::from(how) % EDGES.len()],
        2 => u64::from(overlay.used()[usize::from(input.byte()) % overlay.used().len()]),
        _ => input.number([1, 2, 4, 8][usize::from(how) % 4]),
    }
}

fn set(input: &mut Input<'_>, overlay: &mut Overlay, block: u32, offset: usize, width: usize) {
    let old = field(overlay.edit(block), offset, width);
    let value = some_value(input, overlay, old);
    put(overlay.edit(block), offset, width, value);
}

fn field(page: &Page, offset: usize, width: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(&page.bytes()[offset..offset + width]);
    u64::from_le_bytes(bytes)
}

fn put(page: &mut Page, offset: usize, width: usize, value: u64) {
    page.bytes_mut()[offset..offset + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Puts an entry in, the same as the one that is there but for its key, which is one less; or takes
/// it out.
fn shift(page: &mut Page, at: usize, puts_in: bool) {
    let count = offset_of!(NodeHeader, nr_entries);
    let entries = field(page, count, 4) as usize;
    let (values, size) = value_place(page, 0);
    let key = HEADER + KEY * at;
    if entries > 300 || values + size * (entries + 1) > BLOCK_SIZE {
        return;
    }
    let (key_end, value, value_end) =
        (HEADER + KEY * entries, values + size * at, values + size * entries);
    let bytes = page.bytes_mut();
    if puts_in {
        bytes.copy_within(key..key_end, key + KEY);
        bytes.copy_within(value..value_end, value + size);
        let own = field(page, key, KEY);
        put(page, key, KEY, own.saturating_sub(1));
        put(page, count, 4, entries as u64 + 1);
    } else if at < entries {
        bytes.copy_within(key + KEY..key_end, key);
        bytes.copy_within(value + size..value_end, value);
        put(page, count, 4, entries as u64 - 1);
    }
}

fn copy(overlay: &mut Overlay, from: u32, to: u32, repair: u8) {
    let (kind, page) = (overlay.kind(from), overlay.page(from).cloned());
    *overlay.edit(to) = page.unwrap_or_else(|| *Page::zeroed());
    overlay.set_kind(to, kind);
    if repair != 14 {
        overlay.set_number(to);
    }
}
