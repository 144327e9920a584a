#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow, and then fails")]

use std::io;
use std::sync::Mutex;

use super::*;
use crate::checksum::{BlockKind, checksum};
use crate::raw::{INTERNAL_NODE, LEAF_NODE};
use crate::units::BLOCK_SIZE;

/// Blocks, of which some fail with a bad medium: from the read on that is told.
#[derive(Debug)]
struct Disk {
    pages: Vec<Page>,
    bad: Option<(u64, usize)>,
    reads: Mutex<usize>,
}

impl BlockSource for Disk {
    fn len(&self) -> u64 {
        BLOCK_BYTES.saturating_mul(u64::try_from(self.pages.len()).unwrap())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (first, count) = (offset / BLOCK_BYTES, buffer.len() / BLOCK_SIZE);
        let count = u64::try_from(count).unwrap();
        if let Some((bad, from)) = self.bad
            && (first..first.saturating_add(count)).contains(&bad)
        {
            let mut reads = self.reads.lock().unwrap();
            *reads = reads.saturating_add(1);
            if *reads > from {
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
        }
        for (at, room) in (first..).zip(buffer.chunks_mut(BLOCK_SIZE)) {
            room.copy_from_slice(self.pages[usize::try_from(at).unwrap()].bytes());
        }
        Ok(())
    }

    fn can_change(&self) -> bool {
        false
    }
}

fn node(block: u32, flags: u32, entries: &[(u64, u64)]) -> Page {
    let mut page = Page::zeroed();
    let bytes = page.bytes_mut();
    let count = u32::try_from(entries.len()).unwrap();
    for (at, word) in [(4, flags), (8, block), (16, count), (20, 252), (24, 8)] {
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    for (at, (key, value)) in entries.iter().enumerate() {
        let (key_at, value_at) = (32 + 8 * at, 32 + 8 * 252 + 8 * at);
        bytes[key_at..key_at + 8].copy_from_slice(&key.to_le_bytes());
        bytes[value_at..value_at + 8].copy_from_slice(&value.to_le_bytes());
    }
    let sum = checksum(&page, BlockKind::Node);
    page.bytes_mut()[..4].copy_from_slice(&sum.to_le_bytes());
    *page
}

/// Leaves in blocks 1 to 8 with a mapping each; in blocks 9 to 12 nodes above two of them each.
fn disk(bad: Option<(u64, usize)>) -> Arc<Disk> {
    let mut pages = vec![*Page::zeroed()];
    for block in 1..=8 {
        pages.push(node(block, LEAF_NODE, &[(u64::from(block) * 10, u64::from(block) << 24)]));
    }
    for block in 9..=12 {
        let first = u64::from(block - 9) * 2 + 1;
        pages.push(node(
            block,
            INTERNAL_NODE,
            &[(first * 10, first), (first * 10 + 10, first + 1)],
        ));
    }
    Arc::new(Disk { pages, bad, reads: Mutex::default() })
}

fn salvage(bad: Option<(u64, usize)>) -> Salvage {
    Salvage::scan(disk(bad), &Watch::new()).unwrap()
}

fn roots(found: &Salvage) -> Vec<u32> {
    let mut roots: Vec<_> = found.trees.iter().map(|tree| tree.root.get()).collect();
    roots.sort_unstable();
    roots
}

#[test]
fn whole_trees_are_told_once() {
    let found = salvage(None);
    assert_eq!(roots(&found), [9, 10, 11, 12]);
    assert!(found.trees.iter().all(|tree| (tree.mapped, tree.levels) == (2, 2)));
    assert!(found.states.is_empty());
    assert_eq!(found.best(), None);
    assert_eq!((found.blocks.mapping_nodes, found.blocks.zero), (12, 1));
}

#[test]
fn a_block_that_cannot_be_read_is_noted_and_left_out() {
    let found = salvage(Some((4, 0)));
    assert_eq!(found.unreadable, [(4, 1)]);
    assert_eq!((found.blocks.unreadable, found.blocks.zero), (1, 1));
    // What lies beside the lost leaf is a tree of its own now.
    assert_eq!(roots(&found), [3, 9, 11, 12]);
}

#[test]
fn a_block_that_fails_when_it_is_read_again_hides_no_other() {
    // Read once with all others; then all internal nodes again in one request, then one by one.
    for bad in 9..=12 {
        let found = salvage(Some((bad, 1)));
        assert_eq!(found.unreadable, [(bad, 1)]);
        let whole: Vec<_> = (9..=12).filter(|root| u64::from(*root) != bad).collect();
        let first = u32::try_from(bad - 9).unwrap() * 2 + 1;
        let mut expected = vec![first, first + 1];
        expected.extend(whole);
        assert_eq!(roots(&found), expected);
    }
}

#[test]
fn a_first_block_that_cannot_be_read_hides_no_other() {
    let found = salvage(Some((0, 0)));
    assert_eq!(found.unreadable, [(0, 1)]);
    assert_eq!(roots(&found), [9, 10, 11, 12]);
}

#[test]
fn a_single_tree_opens_as_a_pool() {
    let found = salvage(None);
    let watch = Watch::new();
    let open = |root| found.open(root, Some(128), 1, false, &watch);
    let pool = open(10).unwrap();
    let devices = pool.devices(&watch).unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!((devices[0].id.get(), devices[0].mapped_blocks), (0, 2));
    let recount = pool.recount(true, &watch).unwrap();
    assert_eq!(recount.mapped_blocks, [(devices[0].id, 2)]);
    assert!(matches!(open(0), Err(Error::UnknownRoot(0))));
    assert!(matches!(open(13), Err(Error::UnknownRoot(13))));
    assert!(matches!(found.open(10, None, 1, false, &watch), Err(Error::NoBlockSize)));
    assert!(matches!(found.open(10, Some(7), 1, false, &watch), Err(Error::NoBlockSize)));
}

#[test]
fn nobody_waits() {
    let watch = Watch::new();
    watch.cancel();
    assert!(matches!(Salvage::scan(disk(None), &watch), Err(Error::Cancelled)));
}
