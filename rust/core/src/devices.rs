//! The thin devices of a pool: top-level tree and details tree, joined by id.

use std::collections::BTreeMap;
use std::sync::Arc;

use zerocopy::little_endian::U64;

use crate::btree::{Loss, Node, Tree, key_offset, read_tree, read_tree_around};
use crate::error::{Error, Place, Result, Structure};
use crate::raw::DeviceDetails;
use crate::reader::Reader;
use crate::superblock::Superblock;
use crate::units::{DeviceId, MAX_DEVICE_ID, MetadataBlock, Time, low_u32};
use crate::watch::Watch;

/// A thin device, as the details tree records it, with the root of its mapping tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Whether there is a record. Without one, which only a tolerant reader meets, blocks are
    /// counted, times are the latest of the mappings, and the transaction id is 0.
    pub is_recorded: bool,
}

/// The devices as far as the two trees tell.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Devices that have a tree, by ascending id.
    pub devices: Vec<Device>,
    /// Devices that have a record, but of which no tree is found, with the blocks that they map
    /// by their records.
    pub treeless: Vec<(DeviceId, u64)>,
    /// Parts of the top-level tree that are lost, by ascending id: ids of which nothing may be
    /// known.
    pub lost_roots: Vec<Loss>,
    /// Parts of the details tree that are lost, likewise.
    pub lost_records: Vec<Loss>,
}

impl Listing {
    /// Whether no tree of a device is lost, whatever became of records.
    #[must_use]
    pub const fn lists_all(&self) -> bool {
        self.lost_roots.is_empty() && self.treeless.is_empty()
    }

    /// Why no tree is found of a device, where the top-level tree has this root.
    #[must_use]
    pub fn reason(&self, id: DeviceId, mapping_root: MetadataBlock) -> Arc<Error> {
        let loss = Loss::find(&self.lost_roots, u64::from(id.get()));
        let missing = || Arc::new(missing(Tree::TopLevel, mapping_root, id));
        loss.map_or_else(missing, |loss| Arc::clone(&loss.error))
    }
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
            roots.push(top_level_entry(reader, node, at, key.get(), *root)?);
        }
        Ok(())
    })?;
    let mut details = Vec::new();
    read_tree(reader, Tree::Details, superblock.details_root, watch, |node| {
        for (at, (key, record)) in
            node.keys().iter().zip(node.values::<DeviceDetails>()).enumerate()
        {
            details.push((device_id(node, at, key.get())?, *record));
        }
        Ok(())
    })?;
    join(&roots, &details, superblock)
}

/// The same around what is broken: trees whose roots are not known have no entries.
///
/// # Errors
///
/// What is no damage.
pub fn read_devices_around(
    reader: &Reader,
    mapping_root: Option<MetadataBlock>,
    details_root: Option<MetadataBlock>,
    watch: &Watch,
) -> Result<Listing> {
    watch.begin("reading devices", 0);
    let mut roots = BTreeMap::new();
    let mut lost_roots = Vec::new();
    if let Some(root) = mapping_root {
        let losses = read_tree_around(reader, Tree::TopLevel, root, watch, |node| {
            let mut reason = None;
            for (at, (key, root)) in node.keys().iter().zip(node.values::<U64>()).enumerate() {
                match top_level_entry(reader, node, at, key.get(), *root) {
                    Ok((id, root)) => {
                        roots.insert(id, root);
                    }
                    Err(error) => {
                        lost_roots.push(Loss::of_entry(node, key.get(), error, &mut reason));
                    }
                }
            }
            Ok(())
        })?;
        lost_roots.extend(losses);
        lost_roots.sort_by_key(|loss| loss.range.first);
    }
    let mut details = BTreeMap::new();
    let mut lost_records = Vec::new();
    if let Some(root) = details_root {
        let losses = read_tree_around(reader, Tree::Details, root, watch, |node| {
            let records = node.values::<DeviceDetails>();
            let mut reason = None;
            for (at, (key, record)) in node.keys().iter().zip(records).enumerate() {
                match device_id(node, at, key.get()) {
                    Ok(id) => {
                        details.insert(id, *record);
                    }
                    Err(error) => {
                        lost_records.push(Loss::of_entry(node, key.get(), error, &mut reason));
                    }
                }
            }
            Ok(())
        })?;
        lost_records.extend(losses);
        lost_records.sort_by_key(|loss| loss.range.first);
    }
    let treeless = details.iter().filter(|(id, _)| !roots.contains_key(id));
    let treeless = treeless.map(|(id, record)| (*id, record.mapped_blocks.get())).collect();
    let device = |(id, root)| match details.get(&id) {
        Some(record) => Device::recorded(id, root, record),
        None => Device { id, root, ..Device::default() },
    };
    let devices = roots.into_iter().map(device).collect();
    Ok(Listing { devices, treeless, lost_roots, lost_records })
}

fn top_level_entry(
    reader: &Reader,
    node: &Node<'_>,
    at: usize,
    key: u64,
    root: U64,
) -> Result<(DeviceId, MetadataBlock)> {
    let block = reader.pointer(root.get()).ok_or_else(|| {
        let expected = reader.pointer_rule();
        node.place().corrupt("root", node.value_offset(at), expected, root)
    })?;
    Ok((device_id(node, at, key)?, block))
}

impl Device {
    fn recorded(id: DeviceId, root: MetadataBlock, record: &DeviceDetails) -> Self {
        Self {
            id,
            root,
            mapped_blocks: record.mapped_blocks.get(),
            transaction_id: record.transaction_id.get(),
            creation_time: Time::new(record.creation_time.get()),
            snapshot_time: Time::new(record.snapshotted_time.get()),
            is_recorded: true,
        }
    }
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
        devices.push(Device::recorded(*id, *root, record));
    }
    match rest.next() {
        Some((id, _)) => Err(missing(Tree::TopLevel, superblock.mapping_root, *id)),
        None => Ok(devices),
    }
}

pub(crate) fn missing(tree: Tree, root: MetadataBlock, id: DeviceId) -> Error {
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
