//! The leaves of one mapping tree, written as mappings come in.

use std::io::Result;

use crate::answers::DeviceAnswer;
use crate::fill::Fill;
use crate::node::capacity;
use crate::random::Random;
use crate::runs::Run;
use crate::writer::{Edge, Writer, pack};

/// Mappings in a leaf, at most.
pub const LEAF_CAPACITY: usize = capacity(8);

/// How leaves are filled and pointed at.
#[derive(Clone, Copy, Debug)]
pub struct LeafOptions {
    /// Mappings in a leaf.
    pub fill: Fill,
    /// Edges admit all keys from behind the leaf before, as after discards, and not only those
    /// from the leaf's first key on.
    pub loose_edges: bool,
}

/// What a device's mappings add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Mappings.
    pub mapped: u64,
    /// Sum of their data blocks.
    pub data: u64,
    /// Highest virtual block.
    pub highest: Option<u64>,
}

impl Sums {
    /// The answer for a device with these mappings.
    #[must_use]
    pub const fn answer(self, id: u32) -> DeviceAnswer {
        DeviceAnswer {
            id,
            mapped_blocks: self.mapped,
            data_block_sum: self.data,
            highest_block: self.highest,
        }
    }
}

/// Gathers mappings by ascending virtual block into leaves.
#[derive(Debug)]
pub struct MappingWriter {
    options: LeafOptions,
    random: Random,
    left: u64,
    target: usize,
    keys: Vec<u64>,
    values: Vec<u64>,
    edges: Vec<Edge>,
    behind_last: u64,
    sums: Sums,
}

impl MappingWriter {
    /// Begins a tree of so many mappings.
    #[must_use]
    pub fn new(options: LeafOptions, mappings: u64, seed: u64) -> Self {
        let options = LeafOptions { fill: options.fill.within(LEAF_CAPACITY), ..options };
        let mut random = Random::new(seed).fork(3);
        let target = options.fill.take(mappings, &mut random) as usize;
        Self {
            options,
            random,
            left: mappings,
            target,
            keys: Vec::with_capacity(LEAF_CAPACITY),
            values: Vec::with_capacity(LEAF_CAPACITY),
            edges: Vec::new(),
            behind_last: 0,
            sums: Sums::default(),
        }
    }

    /// Adds a run.
    ///
    /// # Errors
    ///
    /// No block is left, or what the system says.
    pub fn push(&mut self, writer: &mut Writer, run: Run) -> Result<()> {
        for at in 0..run.length {
            let data = run.data_begin + at;
            self.keys.push(run.virtual_begin + at);
            self.values.push(pack(data, run.time));
            self.sums.data += data;
            if self.keys.len() == self.target {
                self.flush(writer)?;
            }
        }
        self.sums.mapped += run.length;
        self.sums.highest = Some(run.virtual_begin + run.length - 1);
        Ok(())
    }

    /// Ends the tree; returns the edges to its leaves. A device without mappings has one leaf.
    ///
    /// # Errors
    ///
    /// No block is left, or what the system says.
    pub fn finish(mut self, writer: &mut Writer) -> Result<(Vec<Edge>, Sums)> {
        if !self.keys.is_empty() || self.edges.is_empty() {
            self.flush(writer)?;
        }
        Ok((self.edges, self.sums))
    }

    fn flush(&mut self, writer: &mut Writer) -> Result<()> {
        let block = writer.add_mapping_leaf(&self.keys, &self.values)?;
        let first = self.keys.first().copied().unwrap_or(0);
        let key = if self.options.loose_edges { self.behind_last } else { first };
        self.edges.push(Edge { key, block });
        self.behind_last = self.keys.last().map_or(0, |last| last + 1);
        self.left -= self.keys.len() as u64;
        self.target = self.options.fill.take(self.left, &mut self.random) as usize;
        self.keys.clear();
        self.values.clear();
        Ok(())
    }
}
