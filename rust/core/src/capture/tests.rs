use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::checksum::checksum;
use crate::source::MemorySource;

/// A block that begins like a superblock.
fn superblock() -> Page {
    let mut page = *Page::zeroed();
    page.bytes_mut()[32..40].copy_from_slice(&27_022_010_u64.to_le_bytes());
    with_checksum(page, BlockKind::Superblock)
}

fn node(number: u64) -> Page {
    let mut page = *Page::zeroed();
    page.bytes_mut()[8..16].copy_from_slice(&number.to_le_bytes());
    with_checksum(page, BlockKind::Node)
}

fn with_checksum(mut page: Page, kind: BlockKind) -> Page {
    let sum = checksum(&page, kind);
    page.bytes_mut()[..4].copy_from_slice(&sum.to_le_bytes());
    page
}

/// Blocks of which most are zero, and a tail.
fn image(blocks: usize, tail: usize) -> Vec<u8> {
    let mut pages = vec![*Page::zeroed(); blocks];
    pages[0] = superblock();
    for at in (3..blocks).step_by(7) {
        pages[at] = node(u64::try_from(at).unwrap());
    }
    pages[1].bytes_mut().fill(0x55);
    let mut bytes: Vec<u8> = pages.iter().flat_map(|page| *page.bytes()).collect();
    bytes.extend(std::iter::repeat_n(9, tail));
    bytes
}

fn copied(source: Arc<dyn BlockSource>, watch: &Watch) -> (Result<Capture>, Vec<u8>) {
    let mut packed = Vec::new();
    let found = capture(source, View::Live, watch, &mut |piece| {
        packed.extend(piece);
        Ok(())
    });
    (found, packed)
}

fn copy_of(bytes: &[u8]) -> (Result<Capture>, Vec<u8>) {
    copied(Arc::new(MemorySource::new(bytes.to_vec())), &Watch::new())
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Of which some blocks are bad, and block 0 changes after so many reads of it.
#[derive(Debug)]
struct Device {
    bytes: Mutex<Vec<u8>>,
    bad: std::ops::Range<u64>,
    error: i32,
    reads_of_first: AtomicUsize,
    commits_at: usize,
    /// From so many reads of block 0 on, it is bad.
    fails_at: usize,
}

impl Device {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Mutex::new(bytes),
            bad: 0..0,
            error: libc::EIO,
            reads_of_first: AtomicUsize::new(0),
            commits_at: usize::MAX,
            fails_at: usize::MAX,
        }
    }
}

impl BlockSource for Device {
    fn len(&self) -> u64 {
        widen(self.bytes.lock().unwrap().len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(widen(buffer.len()));
        let [bad_begin, bad_end] =
            [self.bad.start, self.bad.end].map(|block| block.saturating_mul(BLOCK_BYTES));
        if offset < bad_end && bad_begin < end {
            return Err(io::Error::from_raw_os_error(self.error));
        }
        let mut bytes = self.bytes.lock().unwrap();
        if offset == 0 {
            let reads = self.reads_of_first.fetch_add(1, Ordering::Relaxed);
            if reads >= self.fails_at {
                return Err(io::Error::from_raw_os_error(self.error));
            }
            if reads == self.commits_at {
                bytes[48] ^= 1;
            }
        }
        buffer.copy_from_slice(&bytes[index_u64(offset)..index_u64(end)]);
        Ok(())
    }

    fn can_change(&self) -> bool {
        true
    }
}

#[test]
fn every_byte_is_copied() {
    for (blocks, tail) in [(1, 0), (2, 1), (256, 0), (257, 4095), (2000, 100)] {
        let bytes = image(blocks.max(2), tail);
        let (found, packed) = copy_of(&bytes);
        let found = found.unwrap();
        assert!(zstd::decode_all(&*packed).unwrap() == bytes);
        assert_eq!(found.source_bytes, widen(bytes.len()));
        assert_eq!(found.bytes, widen(bytes.len()));
        assert_eq!(found.sha256, hash(&bytes));
        assert_eq!(found.packed_bytes, widen(packed.len()));
        assert_eq!(found.packed_sha256, hash(&packed));
        assert_eq!(found.unknown_blocks, if tail > 0 { 2 } else { 1 });
        let not_zero = bytes.chunks(4096).filter(|block| block.iter().any(|byte| *byte != 0));
        let zeros = bytes.len().div_ceil(4096) - not_zero.count();
        assert_eq!(found.zero_blocks, widen(zeros));
        assert_eq!(found.unreadable, []);
    }
}

#[test]
fn what_is_packed_is_unpacked_first() {
    let bytes = image(700, 0);
    let again = zstd::encode_all(&*bytes, 19).unwrap();
    let (found, packed) = copy_of(&again);
    assert_eq!(found.unwrap().sha256, hash(&bytes));
    assert!(zstd::decode_all(&*packed).unwrap() == bytes);
}

#[test]
fn bad_sectors_become_zeros_and_are_told() {
    for bad in [5..7, 255..258, 1999..2000, 0..1] {
        let bytes = image(2000, 0);
        let device = Device { bad: bad.clone(), ..Device::new(bytes.clone()) };
        let (found, packed) = copied(Arc::new(device), &Watch::new());
        let found = found.unwrap();
        assert_eq!(found.unreadable, [(bad.start, bad.end - bad.start)]);
        let mut expected = bytes;
        expected[index_u64(bad.start) * 4096..index_u64(bad.end) * 4096].fill(0);
        assert!(zstd::decode_all(&*packed).unwrap() == expected);
        assert_eq!(found.sha256, hash(&expected));
    }
}

#[test]
fn other_failures_are_errors() {
    let device = Device { bad: 300..301, error: libc::ENODEV, ..Device::new(image(2000, 0)) };
    let (found, _) = copied(Arc::new(device), &Watch::new());
    assert!(matches!(found, Err(Error::Read { block: 256, .. })), "{found:?}");
}

#[test]
fn a_superblock_that_goes_bad_meanwhile_proves_no_state() {
    let device = Device { fails_at: 1, ..Device::new(image(600, 0)) };
    let (found, _) = copied(Arc::new(device), &Watch::new());
    assert!(matches!(found, Err(Error::Read { block: 0, .. })), "{found:?}");
}

#[test]
fn a_commit_is_noticed_at_any_time() {
    for commits_at in [1, 2] {
        let device = Device { commits_at, ..Device::new(image(600, 0)) };
        let (found, _) = copied(Arc::new(device), &Watch::new());
        assert!(matches!(found, Err(Error::Changed)), "{found:?}");
    }
    let device = Device { commits_at: 3, ..Device::new(image(600, 0)) };
    assert!(copied(Arc::new(device), &Watch::new()).0.is_ok());
}

#[test]
fn a_pool_without_its_superblock_is_known_by_its_other_blocks() {
    for first in [[0; 4096], [0xaa; 4096]] {
        let mut bytes = image(2000, 0);
        bytes[..4096].copy_from_slice(&first);
        let (found, packed) = copy_of(&bytes);
        assert_eq!(found.unwrap().sha256, hash(&bytes));
        assert!(zstd::decode_all(&*packed).unwrap() == bytes);
    }
}

#[test]
fn what_is_no_pool_is_refused() {
    let not_thin = |bytes: &[u8]| match copy_of(bytes).0 {
        Err(Error::NotThin(identity)) => identity,
        other => panic!("{other:?}"),
    };
    assert_eq!(not_thin(&[]), Identity::Empty);
    assert_eq!(not_thin(&[1; 100]), Identity::TooSmall);
    assert_eq!(not_thin(&vec![0; 1 << 20]), Identity::Zeros);
    assert_eq!(not_thin(&vec![7; 1 << 20]), Identity::Unknown);
    // What says itself that it is something else is that, whatever it held before.
    let mut label = image(2000, 0);
    label[512..520].copy_from_slice(b"LABELONE");
    label[32] = 0;
    assert_eq!(not_thin(&label), Identity::LvmPhysicalVolume);
    // A node in another place is no sign of a pool: a volume may hold the copy of one.
    let mut moved = vec![0; 1 << 20];
    moved[4096 * 9..4096 * 10].copy_from_slice(node(8).bytes());
    assert_eq!(not_thin(&moved), Identity::Zeros);
}

#[test]
fn who_waits_no_more_ends_it() {
    let watch = Watch::new();
    watch.cancel();
    let source: Arc<dyn BlockSource> = Arc::new(MemorySource::new(image(5000, 0)));
    let (found, _) = copied(Arc::clone(&source), &watch);
    assert!(matches!(found, Err(Error::Cancelled)), "{found:?}");

    let mut bytes = vec![0; 64 << 20];
    let mut seed = 1_u64;
    for eight in bytes.chunks_mut(8) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        eight.copy_from_slice(&seed.to_le_bytes());
    }
    bytes[..4096].copy_from_slice(superblock().bytes());
    let source = Arc::new(MemorySource::new(bytes));
    let mut pieces = 0;
    let found = capture(source, View::Live, &Watch::new(), &mut |_| {
        pieces += 1;
        if pieces < 3 { Ok(()) } else { Err(Error::Cancelled) }
    });
    assert!(matches!(found, Err(Error::Cancelled)), "{found:?}");
    assert_eq!(pieces, 3);
}

#[test]
fn there_is_no_snapshot_without_a_superblock() {
    let mut bytes = image(2000, 0);
    bytes[..4096].fill(0);
    let source = Arc::new(MemorySource::new(bytes));
    let found = capture(source, View::MetadataSnapshot, &Watch::new(), &mut |_| Ok(()));
    assert!(matches!(found, Err(Error::Corrupt(_))), "{found:?}");
}
