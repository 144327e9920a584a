//! Every live block of a pool with all its fields, as the reader sees them: for another
//! description of the format to compare with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use thinscope_core::Result;
use thinscope_core::btree::{KeyRange, Node, Tree};
use thinscope_core::graph::unpack;
use thinscope_core::raw::{
    BITMAP_ENTRIES, BitmapHeader, DeviceDetails, IndexBlock, IndexEntry, NodeHeader, Page,
    SpaceMapRoot, SuperblockDisk,
};
use thinscope_core::reader::Reader;
use thinscope_core::source::MemorySource;
use thinscope_core::space_map::ReferenceCounts;
use thinscope_core::superblock::{SpaceMap, Superblock};
use thinscope_core::units::{MetadataBlock, index_u64, widen};
use thinscope_core::watch::Watch;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable};

/// Largest count that a bitmap tells; the rest is in the overflow tree.
const TOLD: u32 = 3;

/// The blocks that the live superblock and the metadata snapshot reach, by number.
///
/// # Errors
///
/// The first rule of the format that the image breaks.
pub fn blocks(image: &[u8]) -> Result<BTreeMap<u32, Value>> {
    let mut page = Page::zeroed();
    if let Some(first) = image.get(..page.bytes().len()) {
        page.bytes_mut().copy_from_slice(first);
    }
    let (live, maps) = Superblock::parse_live(&page, widen(image.len()))?;
    let source = Arc::new(MemorySource::new(Arc::<[u8]>::from(image)));
    let reader = Reader::new(source, maps.metadata.blocks);
    let mut walk = Walk { reader, watch: Watch::new(), found: BTreeMap::new() };
    walk.superblock(&live, &page)?;
    if let Some(held) = live.metadata_snapshot {
        walk.reader.read(held, &mut page)?;
        let copy = Superblock::parse_snapshot(&page, held, &live, walk.reader.blocks())?;
        walk.superblock(&copy, &page)?;
    }
    for (map, root) in [(SpaceMap::Data, maps.data), (SpaceMap::Metadata, maps.metadata)] {
        let mut stream = ReferenceCounts::open(&walk.reader, map, &live, root, &walk.watch)?;
        let mut counts = Vec::new();
        while let Some(runs) = stream.next_batch(&walk.watch)? {
            for run in runs {
                let told = run.count.min(TOLD);
                counts.extend(std::iter::repeat_n(told, index_u64(run.length)));
            }
        }
        let index = match map {
            SpaceMap::Data => walk.tree(Tree::DataIndex, root.index)?,
            SpaceMap::Metadata => walk.index(root.index)?,
        };
        for (bitmap, counts) in index.iter().zip(counts.chunks(index_u64(BITMAP_ENTRIES))) {
            walk.bitmap(*bitmap, counts)?;
        }
        let overflow = match map {
            SpaceMap::Data => Tree::DataOverflow,
            SpaceMap::Metadata => Tree::MetadataOverflow,
        };
        walk.tree(overflow, root.overflow)?;
    }
    Ok(walk.found)
}

struct Walk {
    reader: Reader,
    watch: Watch,
    found: BTreeMap<u32, Value>,
}

impl Walk {
    /// A superblock, with the trees of devices that it names.
    fn superblock(&mut self, superblock: &Superblock, page: &Page) -> Result<()> {
        let (disk, unused) = SuperblockDisk::ref_from_prefix(page.bytes()).expect("4096 bytes");
        let fields = json!({
            "csum": disk.csum.get(),
            "flags": disk.flags.get(),
            "blocknr": disk.blocknr.get(),
            "uuid": disk.uuid,
            "magic": disk.magic.get(),
            "version": disk.version.get(),
            "time": disk.time.get(),
            "trans_id": disk.trans_id.get(),
            "held_root": disk.held_root.get(),
            "data_space_map_root": space_map_root(&disk.data_space_map_root),
            "metadata_space_map_root": space_map_root(&disk.metadata_space_map_root),
            "data_mapping_root": disk.data_mapping_root.get(),
            "device_details_root": disk.device_details_root.get(),
            "data_block_size": disk.data_block_size.get(),
            "metadata_block_size": disk.metadata_block_size.get(),
            "metadata_nr_blocks": disk.metadata_nr_blocks.get(),
            "compat_flags": disk.compat_flags.get(),
            "compat_ro_flags": disk.compat_ro_flags.get(),
            "incompat_flags": disk.incompat_flags.get(),
            "unused": unused,
        });
        let number = superblock.block.get();
        let line = json!({"block": number, "kind": "superblock", "fields": fields});
        self.found.insert(number, line);
        self.tree(Tree::Details, superblock.details_root)?;
        for root in self.tree(Tree::TopLevel, superblock.mapping_root)? {
            self.tree(Tree::Mapping, root)?;
        }
        Ok(())
    }

    /// The nodes of a tree that were not met before; what their leaves point to.
    fn tree(&mut self, tree: Tree, root: MetadataBlock) -> Result<Vec<MetadataBlock>> {
        let (mut stack, mut pointers) = (vec![root], Vec::new());
        let mut page = Page::zeroed();
        while let Some(block) = stack.pop() {
            if self.found.contains_key(&block.get()) {
                continue;
            }
            self.reader.read(block, &mut page)?;
            let node = Node::parse(&page, block, tree)?;
            let (line, found) = self.node(&node, tree, &page)?;
            if node.is_leaf() {
                pointers.extend(found);
            } else {
                // The first child is to be popped first.
                stack.extend(found.into_iter().rev());
            }
            self.found.insert(block.get(), line);
        }
        Ok(pointers)
    }

    /// The line of a node, and its pointers.
    fn node(
        &self,
        node: &Node<'_>,
        tree: Tree,
        page: &Page,
    ) -> Result<(Value, Vec<MetadataBlock>)> {
        let (header, _) = NodeHeader::ref_from_prefix(page.bytes()).expect("4096 bytes");
        let mut pointers = Vec::new();
        let (name, entries) = match tree {
            _ if !node.is_leaf() => {
                for child in node.children(&self.reader, KeyRange::ALL) {
                    pointers.push(child?.1);
                }
                ("children", values(node, |child: &U64| json!(child.get())))
            }
            Tree::TopLevel => {
                let roots = node.values::<U64>().iter();
                pointers.extend(roots.filter_map(|root| self.reader.pointer(root.get())));
                ("roots", values(node, |root: &U64| json!(root.get())))
            }
            Tree::Mapping => (
                "mappings",
                values(node, |packed: &U64| {
                    let (block, time) = unpack(packed.get());
                    json!({"time": time.get(), "block": block.get()})
                }),
            ),
            Tree::Details => ("details", values(node, details)),
            Tree::DataIndex => {
                let bitmaps = node.values::<IndexEntry>().iter();
                let blocks = bitmaps.map(|entry| entry.blocknr.get());
                pointers.extend(blocks.filter_map(|block| self.reader.pointer(block)));
                ("index-entries", values(node, index_entry))
            }
            Tree::DataOverflow | Tree::MetadataOverflow => {
                ("counts", values(node, |count: &U32| json!(count.get())))
            }
        };
        let fields = json!({
            "csum": header.csum.get(),
            "flags": header.flags.get(),
            "blocknr": header.blocknr.get(),
            "nr_entries": header.nr_entries.get(),
            "max_entries": header.max_entries.get(),
            "value_size": header.value_size.get(),
            "padding": header.padding.get(),
        });
        let keys: Vec<u64> = node.keys().iter().map(|key| key.get()).collect();
        let line = json!({
            "block": node.place().block.get(),
            "kind": "node",
            "fields": fields,
            "value_kind": name,
            "keys": keys,
            "values": entries,
            "values_offset": node.value_offset(0),
        });
        Ok((line, pointers))
    }

    /// The index block of the metadata space map; its bitmaps.
    fn index(&mut self, block: MetadataBlock) -> Result<Vec<MetadataBlock>> {
        let mut page = Page::zeroed();
        self.reader.read(block, &mut page)?;
        let disk = IndexBlock::ref_from_bytes(page.bytes()).expect("4096 bytes");
        let entries: Vec<Value> = disk.index.iter().map(index_entry).collect();
        let blocks = disk.index.iter().map(|entry| entry.blocknr.get());
        let bitmaps = blocks.map_while(|block| self.reader.pointer(block)).collect();
        let fields = json!({
            "csum": disk.csum.get(),
            "padding": disk.padding.get(),
            "blocknr": disk.blocknr.get(),
        });
        let number = block.get();
        let line = json!({"block": number, "kind": "index", "fields": fields, "index": entries});
        self.found.insert(number, line);
        Ok(bitmaps)
    }

    fn bitmap(&mut self, block: MetadataBlock, counts: &[u32]) -> Result<()> {
        let mut page = Page::zeroed();
        self.reader.read(block, &mut page)?;
        let (disk, _) = BitmapHeader::ref_from_prefix(page.bytes()).expect("4096 bytes");
        let fields = json!({
            "csum": disk.csum.get(),
            "not_used": disk.not_used.get(),
            "blocknr": disk.blocknr.get(),
        });
        let number = block.get();
        let line = json!({"block": number, "kind": "bitmap", "fields": fields, "counts": counts});
        self.found.insert(number, line);
        Ok(())
    }
}

fn values<V: FromBytes + Immutable>(node: &Node<'_>, value: impl Fn(&V) -> Value) -> Vec<Value> {
    node.values::<V>().iter().map(value).collect()
}

fn details(disk: &DeviceDetails) -> Value {
    json!({
        "mapped_blocks": disk.mapped_blocks.get(),
        "transaction_id": disk.transaction_id.get(),
        "creation_time": disk.creation_time.get(),
        "snapshotted_time": disk.snapshotted_time.get(),
    })
}

fn index_entry(disk: &IndexEntry) -> Value {
    json!({
        "blocknr": disk.blocknr.get(),
        "nr_free": disk.nr_free.get(),
        "none_free_before": disk.none_free_before.get(),
    })
}

fn space_map_root(disk: &SpaceMapRoot) -> Value {
    json!({
        "nr_blocks": disk.nr_blocks.get(),
        "nr_allocated": disk.nr_allocated.get(),
        "bitmap_root": disk.bitmap_root.get(),
        "ref_count_root": disk.ref_count_root.get(),
        "unused": disk.unused.as_slice(),
    })
}
