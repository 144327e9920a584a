//! Snapshots of one origin, taken one after the other while both sides are written to.
//!
//! All trees have one shape: writes replace mappings and add none. The origin is kept as flat
//! arrays, a block number for each node; a snapshot is finished as soon as it is made, so that
//! nothing of it is kept but its root. A node that a finished snapshot reaches is *shared*: the
//! origin copies it before it changes it, and changes all others in place.

use std::io::Result;
use std::mem::offset_of;

use thinscope_core::raw::{NodeHeader, Page};

use super::{Entry, Options, Shape, finish};
use crate::answers::Answers;
use crate::fill::Fill;
use crate::image::Image;
use crate::mapping::{LEAF_CAPACITY, MappingWriter, Sums};
use crate::node::HEADER;
use crate::random::Random;
use crate::runs::Runs;
use crate::tree::{spine_fill, write_spine};
use crate::writer::{Edge, Writer, pack};

/// What devices share above the leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spines {
    /// Internal nodes, copy-on-write.
    Shared,
    /// Nothing.
    Own,
}

/// A node that a device has in place of the origin's.
#[derive(Clone, Copy, Debug)]
struct Replaced {
    /// Which node of its level.
    at: usize,
    /// The origin's.
    old: u32,
    /// The device's.
    new: u32,
}

/// The nodes of the origin at one height.
#[derive(Debug, Default)]
struct Level {
    /// Edges to the nodes.
    edges: Vec<Edge>,
    /// Whether a finished snapshot reaches the node.
    shared: Vec<bool>,
    /// First child of each node in the level below, and one more; empty for leaves.
    children: Vec<usize>,
}

struct Builder<'a> {
    options: &'a Options,
    writer: Writer,
    spines: Spines,
    /// From the leaves up.
    levels: Vec<Level>,
    random: Random,
    /// First data block that was never used.
    data_next: u64,
    sums: Sums,
    page: Box<Page>,
}

pub(super) fn build(
    options: &Options,
    mut writer: Writer,
    spines: Spines,
) -> Result<(Image, Answers)> {
    let seed = options.geometry.seed;
    let mut leaves = MappingWriter::new(options.leaves(), options.mappings, seed);
    for run in Runs::new(options.runs(options.time), seed) {
        leaves.push(&mut writer, run)?;
    }
    let (edges, sums) = leaves.finish(&mut writer)?;
    let random = Random::new(seed).fork(4);
    let levels = vec![Level { shared: vec![false; edges.len()], edges, children: Vec::new() }];
    let data_next = options.mappings;
    let page = Page::zeroed();
    let mut builder = Builder { options, writer, spines, levels, random, data_next, sums, page };
    if spines == Spines::Shared {
        builder.raise(options.node_fill)?;
    }
    builder.run()
}

impl Builder<'_> {
    /// Writes the origin's internal nodes for the first time.
    fn raise(&mut self, fill: Fill) -> Result<()> {
        let fill = spine_fill(fill);
        while let Some(below) = self.levels.last().filter(|level| level.edges.len() > 1) {
            let (mut edges, mut children, mut begin) = (Vec::new(), vec![0], 0);
            while begin < below.edges.len() {
                let left = (below.edges.len() - begin) as u64;
                let end = begin + fill.take(left, &mut self.random) as usize;
                edges.push(self.writer.add_internal(&below.edges[begin..end])?);
                children.push(end);
                begin = end;
            }
            self.levels.push(Level { shared: vec![false; edges.len()], edges, children });
        }
        Ok(())
    }

    fn run(mut self) -> Result<(Image, Answers)> {
        let base_time = self.options.time;
        let mut snapshots = Vec::new();
        let mut snapshotted_time = 0;
        for id in 1..=self.options.devices {
            let time = base_time + id;
            snapshotted_time = time;
            // The last snapshot stays as it is, and so does the origin behind it.
            let is_last = id == self.options.devices;
            let is_written = !is_last && self.random.once_in(2);
            let (root, sums) = self.snapshot(is_written, time)?;
            snapshots.push(Entry {
                root,
                answer: sums.answer(id),
                transaction_id: u64::from(id),
                creation_time: time,
                snapshotted_time: time,
            });
            if !is_last && !self.random.once_in(3) {
                self.write_origin(time)?;
            }
        }
        let origin = Entry {
            root: self.origin_root()?,
            answer: self.sums.answer(0),
            transaction_id: 0,
            creation_time: 0,
            snapshotted_time,
        };
        let entries: Vec<Entry> = [origin].into_iter().chain(snapshots).collect();
        let (shape, time) = match self.spines {
            Spines::Shared => (Shape::SnapshotsShared, base_time + self.options.devices),
            Spines::Own => (Shape::SnapshotsOwnSpines, base_time + self.options.devices),
        };
        finish(shape, self.options, self.writer, &entries, time)
    }

    fn origin_root(&mut self) -> Result<u32> {
        match self.spines {
            Spines::Shared => Ok(self.levels[self.levels.len() - 1].edges[0].block),
            Spines::Own => {
                let edges = self.levels[0].edges.clone();
                write_spine(&mut self.writer, edges, self.options.node_fill)
            }
        }
    }

    /// Takes a snapshot, writes to it, and finishes it.
    fn snapshot(&mut self, is_written: bool, time: u32) -> Result<(u32, Sums)> {
        let mut sums = self.sums;
        let mut replaced = Vec::new();
        for at in if is_written { self.draw_leaves() } else { Vec::new() } {
            let old = self.levels[0].edges[at].block;
            let (keys, values) = self.changed_leaf(at, time, &mut sums)?;
            let new = self.writer.add_mapping_leaf(&keys, &values)?;
            replaced.push(Replaced { at, old, new });
        }
        match self.spines {
            Spines::Shared => Ok((self.copy_spine(replaced)?, sums)),
            Spines::Own => {
                let mut edges = self.levels[0].edges.clone();
                let shared = &mut self.levels[0].shared;
                let mut replaced = replaced.iter().peekable();
                for (at, (edge, shared)) in edges.iter_mut().zip(shared).enumerate() {
                    match replaced.next_if(|replaced| replaced.at == at) {
                        Some(replaced) => edge.block = replaced.new,
                        None => *shared = true,
                    }
                }
                Ok((write_spine(&mut self.writer, edges, self.options.node_fill)?, sums))
            }
        }
    }

    /// Writes a snapshot's own copies of all internal nodes above its own leaves, marks all else
    /// as shared, and returns its root.
    fn copy_spine(&mut self, mut replaced: Vec<Replaced>) -> Result<u32> {
        let mut own = Vec::with_capacity(self.levels.len());
        for height in 1..self.levels.len() {
            let (below, level) = (&self.levels[height - 1], &self.levels[height]);
            let mut above = Vec::new();
            for group in replaced
                .chunk_by(|a, b| parent(&level.children, a.at) == parent(&level.children, b.at))
            {
                let at = parent(&level.children, group[0].at);
                let begin = level.children[at];
                let mut edges = below.edges[begin..level.children[at + 1]].to_vec();
                for child in group {
                    edges[child.at - begin].block = child.new;
                }
                let new = self.writer.add_internal(&edges)?.block;
                above.push(Replaced { at, old: level.edges[at].block, new });
            }
            own.push(std::mem::replace(&mut replaced, above));
        }
        let top = self.levels.len() - 1;
        let root = replaced.first().map_or(self.levels[top].edges[0].block, |root| root.new);
        own.push(replaced);
        self.share(top, 0, &own);
        Ok(root)
    }

    /// Marks what a snapshot with some nodes of its own reaches of the origin's nodes.
    fn share(&mut self, height: usize, at: usize, own: &[Vec<Replaced>]) {
        let is_own = own[height].binary_search_by_key(&at, |replaced| replaced.at).is_ok();
        if !is_own && std::mem::replace(&mut self.levels[height].shared[at], true) {
            return;
        }
        if height > 0 {
            let children = &self.levels[height].children;
            for child in children[at]..children[at + 1] {
                self.share(height - 1, child, own);
            }
        }
    }

    fn write_origin(&mut self, time: u32) -> Result<()> {
        let mut sums = self.sums;
        let mut replaced = Vec::new();
        for at in self.draw_leaves() {
            let old = self.levels[0].edges[at].block;
            let before = if self.levels[0].shared[at] { Vec::new() } else { self.leaf(at)?.1 };
            let (keys, values) = self.changed_leaf(at, time, &mut sums)?;
            if std::mem::take(&mut self.levels[0].shared[at]) {
                let new = self.writer.add_mapping_leaf(&keys, &values)?;
                self.levels[0].edges[at].block = new;
                replaced.push(Replaced { at, old, new });
                continue;
            }
            for (before, value) in before.iter().zip(&values) {
                if before != value {
                    self.writer.data.decrement(before >> 24);
                    self.writer.data.increment(value >> 24);
                }
            }
            self.writer.put_mapping_leaf(old, &keys, &values)?;
        }
        self.sums = sums;
        for height in 1..self.levels.len() {
            replaced = self.write_origin_level(height, &replaced)?;
        }
        Ok(())
    }

    /// Hands new children to their parents; returns the parents that are new in turn.
    fn write_origin_level(
        &mut self,
        height: usize,
        replaced: &[Replaced],
    ) -> Result<Vec<Replaced>> {
        let (lower, upper) = self.levels.split_at_mut(height);
        let (below, level) = (&lower[height - 1], &mut upper[0]);
        let (children, mut above) = (&level.children, Vec::new());
        for group in replaced.chunk_by(|a, b| parent(children, a.at) == parent(children, b.at)) {
            let at = parent(children, group[0].at);
            let edges = &below.edges[children[at]..children[at + 1]];
            let old = level.edges[at].block;
            if std::mem::take(&mut level.shared[at]) {
                let new = self.writer.add_internal(edges)?.block;
                level.edges[at].block = new;
                above.push(Replaced { at, old, new });
                continue;
            }
            for child in group {
                self.writer.release(child.old);
                self.writer.reference(child.new);
            }
            self.writer.put_internal(old, edges)?;
        }
        Ok(above)
    }

    /// Leaves to be written to, ascending, spread over the device.
    fn draw_leaves(&mut self) -> Vec<usize> {
        let leaves = self.levels[0].edges.len() as u64;
        let drawn = (leaves * self.options.changed / 1_000_000).clamp(1, leaves);
        let bound = |at: u64| leaves * at / drawn;
        (0..drawn).map(|at| self.random.between(bound(at), bound(at + 1) - 1) as usize).collect()
    }

    /// A leaf of the origin with some neighbouring mappings moved to new data blocks.
    fn changed_leaf(
        &mut self,
        at: usize,
        time: u32,
        sums: &mut Sums,
    ) -> Result<(Vec<u64>, Vec<u64>)> {
        let (keys, mut values) = self.leaf(at)?;
        let count = keys.len() as u64;
        let begin = self.random.below(count);
        let length = self.random.between(1, (count / 2).max(1)).min(count - begin);
        for value in values.iter_mut().skip(begin as usize).take(length as usize) {
            sums.data = sums.data - (*value >> 24) + self.data_next;
            *value = pack(self.data_next, time);
            self.data_next += 1;
        }
        Ok((keys, values))
    }

    /// Keys and values of a leaf of the origin.
    fn leaf(&mut self, at: usize) -> Result<(Vec<u64>, Vec<u64>)> {
        self.writer.read(self.levels[0].edges[at].block, &mut self.page)?;
        let (words, _) = self.page.bytes().as_chunks::<8>();
        let number = |word: &[u8; 8]| u64::from_le_bytes(*word);
        // The lower half of this word; the upper one is max_entries.
        let count = number(&words[offset_of!(NodeHeader, nr_entries) / 8]) as u32 as usize;
        let (keys, values) = words[HEADER / 8..].split_at(LEAF_CAPACITY);
        let keys = keys[..count].iter().map(number).collect();
        Ok((keys, values[..count].iter().map(number).collect()))
    }
}

/// The node above a child, given the first children of each and one more.
fn parent(children: &[usize], child: usize) -> usize {
    children.partition_point(|begin| *begin <= child) - 1
}
