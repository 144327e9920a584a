//! Packed sources. The first byte of an input says what the rest is:
//!
//! 0. a file as it is, behind the mark that a second byte names: pack, gzip, zstd, or none;
//! 1. programs of blocks, which are compressed, and completed so that the checksums hold;
//! 2. blocks, which are packed and unpacked;
//! 3. the same, with a length that the pack is cut to.

use std::collections::BTreeMap;
use std::sync::Arc;

use thinscope_core::checksum::{BlockKind, checksum};
use thinscope_core::raw::Page;
use thinscope_core::source::{BlockSource, MAX_UNPACKED_BYTES, MemorySource, opened};
use thinscope_core::superblock::View;
use thinscope_core::units::BLOCK_SIZE;
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Pool, Result};

use super::edit::KINDS;
use super::input::Input;
use super::packer::{self, Taste};
use crate::writer::seal;

/// Bytes that a program is put before: the checksum with what stands beside it.
const COPIED: usize = 8;

type Blocks = BTreeMap<u64, Box<Page>>;

/// Unpacks a source.
///
/// # Panics
///
/// Where it unpacks to what was not packed, or is refused without reason.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.byte() % 4 {
        0 => any(&mut input),
        1 => programs(&mut input),
        2 => {
            let (pack, _, blocks, count) = packed(&mut input);
            same(&unpack(pack).expect("a sound pack"), &blocks, count);
        }
        _ => cut(&mut input),
    }
}

fn unpack(pack: Vec<u8>) -> Result<Arc<dyn BlockSource>> {
    opened(Arc::new(MemorySource::new(pack)), &Watch::new())
}

/// Any bytes come to an end.
fn any(input: &mut Input<'_>) {
    let magic = packer::MAGIC.to_le_bytes();
    let mark: &[u8] = match input.byte() % 4 {
        0 => &magic,
        1 => &[0x1f, 0x8b, 8],
        2 => &[0x28, 0xb5, 0x2f, 0xfd],
        _ => &[],
    };
    let file = [mark, input.rest()].concat();
    let length = file.len() as u64;
    match unpack(file.clone()) {
        Ok(source) => {
            assert!(source.len() <= MAX_UNPACKED_BYTES.max(length));
            let mut page = Page::zeroed();
            for block in [0, 1, source.len() / BLOCK_SIZE as u64] {
                let offset = block * BLOCK_SIZE as u64;
                let is_within = offset + BLOCK_SIZE as u64 <= source.len();
                assert_eq!(source.read_at(offset, page.bytes_mut()).is_ok(), is_within);
            }
        }
        Err(error) => assert!(matches!(error, Error::Unpack(_)), "{error:?}"),
    }
    let watch = Watch::new();
    let pool = Pool::from_source(Arc::new(MemorySource::new(file)), View::Live, 1, false, &watch);
    if let Err(error) = pool {
        let is_expected = matches!(
            error,
            Error::Unpack(_) | Error::NotThin(_) | Error::Corrupt(_) | Error::Unsupported { .. }
        );
        assert!(is_expected, "{error:?}");
    }
}

/// Frames of programs: what these emit is what is unpacked, or all is refused.
fn programs(input: &mut Input<'_>) {
    let count = input.number(2);
    let mut pack = packer::header(count);
    let mut blocks = Blocks::new();
    let mut is_sound = true;
    while !input.is_empty() {
        let mut content = Vec::new();
        for _ in 0..=input.byte() % 4 {
            let block = input.number(2);
            let kind = KINDS[usize::from(input.byte()) % KINDS.len()];
            let length = input.number(2) as usize % (2 * BLOCK_SIZE);
            let program = input.take(length);
            is_sound &= block < count;
            content.extend(block.to_le_bytes());
            let Some((emitted, used)) = packer::run(program, BLOCK_SIZE - COPIED) else {
                // What is wrong may be that the program ends: nothing may follow.
                is_sound = false;
                content.extend([0x90 | COPIED as u8; 1 + COPIED]);
                content.extend(program);
                break;
            };
            let mut page = Page::zeroed();
            page.bytes_mut()[COPIED..].copy_from_slice(&emitted);
            seal(&mut page, kind);
            content.push(0x90 | COPIED as u8);
            content.extend(&page.bytes()[..COPIED]);
            content.extend(&program[..used]);
            is_sound &= blocks.insert(block, page).is_none();
        }
        packer::add_frame(&mut pack, &content);
        if !is_sound {
            break;
        }
    }
    match unpack(pack) {
        Ok(source) => {
            assert!(is_sound, "unpacked, though broken");
            same(&source, &blocks, count);
        }
        Err(error) => assert!(!is_sound && matches!(error, Error::Unpack(_)), "{error:?}"),
    }
}

/// A pack with the ends of its frames, the blocks in it, and how many there are with those of zeros.
fn packed(input: &mut Input<'_>) -> (Vec<u8>, Vec<(usize, usize)>, Blocks, u64) {
    let taste = Taste(input.byte());
    let count = input.number(2);
    let mut pack = packer::header(count);
    let mut ends = vec![(pack.len(), 0)];
    let mut blocks = Blocks::new();
    let mut content = Vec::new();
    while !input.is_empty() {
        let block = input.number(2);
        let how = input.byte();
        let length = input.below(BLOCK_SIZE);
        let bytes = input.take(length);
        if block >= count || blocks.contains_key(&block) || blocks.len() > 40 {
            break;
        }
        let mut page = Page::zeroed();
        // Over and over: what comes again is what instructions are for.
        for (to, from) in page.bytes_mut()[4..].iter_mut().zip(bytes.iter().cycle()) {
            *to = *from;
        }
        if how & 4 != 0 {
            for (word, at) in page.bytes_mut()[32..].chunks_exact_mut(8).zip(0_u64..) {
                word.copy_from_slice(&((at * u64::from(how)) << (how & 31)).to_le_bytes());
            }
        }
        seal(&mut page, KINDS[usize::from(how) % KINDS.len()]);
        content.extend(block.to_le_bytes());
        content.extend(packer::encode(page.bytes(), taste));
        blocks.insert(block, page);
        if how & 8 != 0 {
            packer::add_frame(&mut pack, &std::mem::take(&mut content));
            ends.push((pack.len(), blocks.len()));
        }
    }
    if !content.is_empty() {
        packer::add_frame(&mut pack, &content);
        ends.push((pack.len(), blocks.len()));
    }
    (pack, ends, blocks, count)
}

/// A pack that is cut is broken; where a whole number of frames is left, it is a smaller pack.
fn cut(input: &mut Input<'_>) {
    let at = input.number(2) as usize;
    let (mut pack, ends, blocks, count) = packed(input);
    let at = at % (pack.len() + 1);
    pack.truncate(at);
    let unpacked = unpack(pack);
    match ends.iter().find(|(end, _)| *end == at) {
        Some(_) => {
            let source = unpacked.expect("a sound pack");
            assert_eq!(source.len(), count * BLOCK_SIZE as u64);
        }
        // Without its mark it is no pack.
        None if at < 8 => assert_eq!(unpacked.expect("no pack").len(), at as u64),
        None => assert!(matches!(unpacked, Err(Error::Unpack(_))), "{} blocks", blocks.len()),
    }
}

/// The source has these blocks, and zeros elsewhere.
fn same(source: &Arc<dyn BlockSource>, blocks: &Blocks, count: u64) {
    assert_eq!(source.len(), count * BLOCK_SIZE as u64);
    let mut page = Page::zeroed();
    let near = blocks.keys().flat_map(|block| [*block, block + 1, block.saturating_sub(1)]);
    for block in near.chain([0, count / 2]).filter(|block| *block < count) {
        source.read_at(block * BLOCK_SIZE as u64, page.bytes_mut()).expect("within the source");
        let expected = blocks.get(&block);
        assert!(expected.map_or(page.is_zero(), |expected| expected.bytes() == page.bytes()));
        let kind = BlockKind::of(&page);
        assert!(
            expected.is_none()
                || kind.is_some_and(|kind| { checksum(&page, kind) == page.stored_checksum() })
        );
    }
}
