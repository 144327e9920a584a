//! The thin devices of a pool: top-level tree and details tree, joined by id.

use zerocopy::little_endian::U64;

use crate::btree::{Node, Tree, key_offset, read_tree};
use crate::error::{Place, Result, Structure};
use crate::raw::DeviceDetails;
use crate::reader::Reader;
use crate::superblock::Superblock;
use crate::units::{DeviceId, MAX_DEVICE_ID, MetadataBlock, Time, low_u32};
use crate::watch::Watch;

/// A thin device, as the details tree records it, with the root of its mapping tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id in the pool.
    pub id: DeviceId,
    /// Root of its mapping tree.
    pub root: MetadataBlock,
    /// Blocks mapped, as recorded (`mapped_blocks`).
    pub mapped_blocks: u64,
    /// The pool's transaction id when the device was made (`transaction_id`).
    pub transaction_id: u64,
    /// The pool's time when the device was made (`creation_time`).
    pub creation_time: Time,
    /// The pool's time when the device was last snapshotted (`snapshotted_time`).
    pub snapshot_time: Time,
}

/// Reads all devices, in the order of their ids.
///
/// # Errors
///
/// A read that fails, or the first rule that is broken: an id that one of the trees lacks too.
pub fn read_devices(
    reader: &Reader,
    superblock: &Superblock,
    watch: &Watch,
) -> Result<Vec<Device>> {
    watch.begin("reading devices", 0);
    let mut roots = Vec::new();
    read_tree(reader, Tree::TopLevel, superblock.mapping_root, watch, |node| {
        for (at, (key, root)) in node.keys().iter().zip(node.values::<U64>()).enumerate() {
            let root = reader.pointer(root.get()).ok_or_else(|| {
                let expected = reader.pointer_rule();
                node.place().corrupt("root", node.value_offset(at), expected, root)
            })?;
            roots.push((device_id(node, at, key.get())?, root));
        }
        Ok(())
    })?;
    let mut details = Vec::new();
    read_tree(reader, Tree::Details, superblock.details_root, watch, |node| {
        let records = node.values::<DeviceDetails>();
        for (at, (key, record)) in node.keys().iter().zip(records).enumerate() {
            details.push((device_id(node, at, key.get())?, *record));
        }
        Ok(())
    })?;
    join(&roots, &details, superblock)
}

/// Pairs both trees by id; both lists are in the order of the ids.
fn join(
    roots: &[(DeviceId, MetadataBlock)],
    details: &[(DeviceId, DeviceDetails)],
    superblock: &Superblock,
) -> Result<Vec<Device>> {
    let mut devices = Vec::with_capacity(roots.len());
    let mut rest = details.iter().peekable();
    for (id, root) in roots {
        let record = rest.next_if(|(recorded, _)| recorded == id);
        let Some((_, record)) = record else {
            // The records run ahead: either this device has none, or an id below has no tree.
            return Err(match rest.peek() {
                Some((recorded, _)) if recorded < id => {
                    missing(Tree::TopLevel, superblock.mapping_root, *recorded)
                }
                _ => missing(Tree::Details, superblock.details_root, *id),
            });
        };
        devices.push(Device {
            id: *id,
            root: *root,
            mapped_blocks: record.mapped_blocks.get(),
            transaction_id: record.transaction_id.get(),
            creation_time: Time::new(record.creation_time.get()),
            snapshot_time: Time::new(record.snapshotted_time.get()),
        });
    }
    match rest.next() {
        Some((id, _)) => Err(missing(Tree::TopLevel, superblock.mapping_root, *id)),
        None => Ok(devices),
    }
}

fn missing(tree: Tree, root: MetadataBlock, id: DeviceId) -> crate::Error {
    let other = if tree == Tree::Details { Tree::TopLevel } else { Tree::Details };
    let place = Place { block: root, structure: Structure::Node(tree) };
    let expected = format!("an entry for device {id}, which the {other} has");
    place.corrupt("device id", key_offset(0), expected, "missing")
}

fn device_id(node: &Node<'_>, at: usize, key: u64) -> Result<DeviceId> {
    if key > MAX_DEVICE_ID {
        return Err(node.place().corrupt("device id", key_offset(at), "at most 24 bits", key));
    }
    Ok(DeviceId::new(low_u32(key)))
}
