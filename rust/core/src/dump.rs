//! The whole pool as text, as `thin_dump` writes it.
//!
//! What several devices share is written once and referred to: the leaf lists of the devices
//! are cut where they part ([`leaf_runs`]), and told in order ([`script`]). Each distinct leaf is
//! read once, through a window: sorted by position, decoded on a few threads, stitched together
//! in the order of the script, and formatted on the same threads ([`markup`]) while the caller
//! writes what came before.

pub(crate) mod leaf_runs;
mod markup;
mod script;

use std::borrow::Cow;
use std::mem;

use rayon::ThreadPool;
use rayon::prelude::*;

use self::leaf_runs::LeafRuns;
use self::markup::{HumanReadable, Markup, Xml};
use self::script::{Script, Step};
use crate::devices::Device;
use crate::error::Result;
use crate::graph::{Graph, LeafReader, join, threads};
use crate::mappings::{Run, decode};
use crate::superblock::Superblock;
use crate::text::Text;
use crate::units::{MetadataBlock, Time, index_u32, widen};

/// Leaves in a window: about 4 MiB of metadata, at most 10 MiB of runs.
const WINDOW: usize = 1024;

/// Most steps in a window: devices may have no leaf of their own.
const MAX_STEPS: usize = 16 * WINDOW;

/// Lines that one thread formats at a time: at most 0.7 MiB of text.
const SHARE: usize = 8192;

/// Shares that are formatted before any is handed over: at most 6 MiB of text.
const GROUP: usize = 8;

/// Bytes that are handed over at a time where only devices are written.
const MAX_TEXT: usize = 1 << 20;

/// Takes the text, piece by piece.
pub type Take<'a> = dyn FnMut(Vec<u8>) -> Result<()> + Send + 'a;

/// How a dump is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// What `thin_restore` reads.
    Xml,
    /// What people read: ranges with both their ends in them.
    HumanReadable,
}

/// What a dump says of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The snapshot counter.
    pub time: Time,
    /// `trans_id`.
    pub transaction_id: u64,
    /// Whether the kernel asked for a check.
    pub needs_check: bool,
    /// `version`.
    pub version: u32,
    /// Sectors in a data block.
    pub data_block_sectors: u32,
    /// Blocks of the data device.
    pub data_blocks: u64,
}

impl Header {
    /// What the superblock says, which knows the data device's size by its space map only.
    #[must_use]
    pub const fn of(superblock: &Superblock, data_blocks: u64) -> Self {
        Self {
            time: superblock.time,
            transaction_id: superblock.transaction_id,
            needs_check: superblock.needs_check(),
            version: superblock.version,
            data_block_sectors: superblock.data_block_sectors,
            data_blocks,
        }
    }
}

/// What is dumped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dump<'a> {
    pub(crate) format: Format,
    pub(crate) header: Header,
    /// By ascending id.
    pub(crate) devices: &'a [Device],
    /// The graph of these devices, or none: then their mappings are left out.
    pub(crate) graph: Option<&'a Graph>,
    pub(crate) threads: usize,
}

/// The devices, and the pool's time, with which a restored pool knows what is shared: the kernel
/// writes to a block in place unless it was mapped before the device was last snapshotted. So a
/// device without a record was snapshotted after its newest mapping, and the pool's time has come
/// to that.
fn with_times(devices: &[Device], mut time: Time) -> (Cow<'_, [Device]>, Time) {
    let mut devices = Cow::Borrowed(devices);
    if devices.iter().any(|device| !device.is_recorded) {
        for device in devices.to_mut().iter_mut().filter(|device| !device.is_recorded) {
            device.snapshot_time = Time::new(device.snapshot_time.get().saturating_add(1));
            time = time.max(device.snapshot_time);
        }
    }
    (devices, time)
}

impl Dump<'_> {
    /// Hands the text over, piece by piece.
    ///
    /// Memory: one window and its text, 18 bytes a leaf and 12 an internal node.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, what `take` returns, or
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub(crate) fn hand_over(&self, leaves: &LeafReader<'_>, take: &mut Take<'_>) -> Result<()> {
        let (devices, time) = with_times(self.devices, self.header.time);
        let header = Header { time, ..self.header };
        let dump = Dump { header, devices: &devices, ..*self };
        match dump.format {
            Format::Xml => dump.hand_over_as(&Xml, leaves, take),
            Format::HumanReadable => dump.hand_over_as(&HumanReadable, leaves, take),
        }
    }

    fn hand_over_as(
        &self,
        markup: &impl Markup,
        leaves: &LeafReader<'_>,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let mut text = Text::default();
        markup.begin(&mut text, &self.header);
        if let Some(graph) = self.graph {
            take(mem::take(&mut text.0).into_bytes())?;
            let leaf_count = graph.leaves().len();
            leaves.watch.begin("dumping mappings", widen(leaf_count));
            let runs = LeafRuns::of(graph, leaves.damage.is_some());
            let mut script = Script::new(self.devices, graph, &runs);
            let threads = threads(self.threads, leaf_count)?;
            let formatter = Formatter { markup, graph, leaves, threads: threads.as_ref() };
            formatter.hand_over(&mut script, take)?;
        } else {
            for device in self.devices {
                markup.device_begin(&mut text, device);
                markup.device_end(&mut text);
                if text.0.len() > MAX_TEXT {
                    take(mem::take(&mut text.0).into_bytes())?;
                }
            }
        }
        markup.end(&mut text);
        take(text.0.into_bytes())
    }
}

/// A step with all that is needed to write it.
#[derive(Debug)]
struct Piece<'a> {
    /// A run that came to its end before this step.
    before: Option<Run>,
    step: Step<'a>,
    /// Of a leaf: the runs that begin and end in it.
    runs: Vec<Run>,
}

/// Turns steps into text.
struct Formatter<'a, M> {
    markup: &'a M,
    graph: &'a Graph,
    leaves: &'a LeafReader<'a>,
    threads: Option<&'a ThreadPool>,
}

impl<M: Markup> Formatter<'_, M> {
    fn hand_over(&self, script: &mut Script<'_>, take: &mut Take<'_>) -> Result<()> {
        let mut pending = None;
        let mut next = self.stitch(next_window(script), &mut pending)?;
        while let Some(pieces) = next.take() {
            // One window is read while the one before is written.
            let (stitched, written) = join(
                self.threads,
                || self.stitch(next_window(script), &mut pending),
                || self.hand_over_pieces(&pieces, take),
            );
            written?;
            next = stitched?;
        }
        Ok(())
    }

    fn hand_over_pieces(&self, pieces: &[Piece<'_>], take: &mut Take<'_>) -> Result<()> {
        for group in shares(pieces).chunks(GROUP) {
            self.leaves.watch.advance(0)?;
            for text in self.format(group) {
                take(text.0.into_bytes())?;
            }
        }
        Ok(())
    }

    /// Reads the leaves of a window, and joins runs that go on from one leaf to the next. A run
    /// that may go on in the next window is left pending: there may be no piece. None at the end.
    fn stitch<'s>(
        &self,
        window: Vec<Step<'s>>,
        pending: &mut Option<Run>,
    ) -> Result<Option<Vec<Piece<'s>>>> {
        if window.is_empty() {
            return Ok(None);
        }
        let leaf = |step: &Step<'_>| match step {
            Step::Leaf(leaf) => Some(*leaf),
            _ => None,
        };
        let mut positions: Vec<u32> = window.iter().filter_map(leaf).collect();
        positions.sort_unstable();
        let mut decoded = decode(self.leaves, self.graph, &positions, self.threads)?;
        let mut take = |leaf| {
            let at = positions.binary_search(&leaf).ok()?;
            decoded.get_mut(at).map(mem::take)
        };

        let mut pieces = Vec::with_capacity(window.len());
        for step in window {
            let Some(mut runs) = leaf(&step).and_then(&mut take) else {
                // Only leaves that follow on each other are stitched.
                pieces.push(Piece { before: pending.take(), step, runs: Vec::new() });
                continue;
            };
            if let (Some(open), Some(first)) = (pending.as_mut(), runs.first())
                && open.extend(first)
            {
                runs.remove(0);
            }
            if let Some(last) = runs.pop() {
                pieces.push(Piece { before: pending.replace(last), step, runs });
            }
        }
        Ok(Some(pieces))
    }

    fn format(&self, shares: &[&[Piece<'_>]]) -> Vec<Text> {
        let format = |share: &&[Piece<'_>]| {
            let mut text = Text::default();
            for piece in *share {
                self.format_piece(&mut text, piece);
            }
            text
        };
        match self.threads {
            Some(threads) if shares.len() > 1 => {
                threads.install(|| shares.par_iter().map(format).collect())
            }
            _ => shares.iter().map(format).collect(),
        }
    }

    fn format_piece(&self, text: &mut Text, piece: &Piece<'_>) {
        let markup = self.markup;
        for run in piece.before.iter().chain(&piece.runs) {
            markup.run(text, run);
        }
        match piece.step {
            Step::DefinitionBegin(leaf) => markup.definition_begin(text, self.name(leaf)),
            Step::DefinitionEnd => markup.definition_end(text),
            Step::DeviceBegin(device) => markup.device_begin(text, device),
            Step::DeviceEnd => markup.device_end(text),
            Step::Reference(leaf) => markup.reference(text, self.name(leaf)),
            Step::Leaf(_) => {}
        }
    }

    /// A shared run is named by the block of its first leaf.
    fn name(&self, leaf: u32) -> MetadataBlock {
        self.graph.leaves().get(index_u32(leaf)).copied().unwrap_or_default()
    }
}

/// Pieces in shares of about equal numbers of lines.
fn shares<'p, 's>(mut pieces: &'p [Piece<'s>]) -> Vec<&'p [Piece<'s>]> {
    let mut shares = Vec::new();
    while !pieces.is_empty() {
        let mut lines = 0_usize;
        let fits = pieces.iter().take_while(|piece| {
            let has_room = lines < SHARE;
            lines = lines.saturating_add(piece.runs.len()).saturating_add(1);
            has_room
        });
        let (share, rest) = pieces.split_at(fits.count());
        shares.push(share);
        pieces = rest;
    }
    shares
}

/// The next steps, with no more leaves than are read at a time.
fn next_window<'a>(script: &mut Script<'a>) -> Vec<Step<'a>> {
    let mut window = Vec::new();
    let mut leaves = 0_usize;
    while leaves < WINDOW && window.len() < MAX_STEPS {
        let Some(step) = script.next() else { break };
        if matches!(step, Step::Leaf(_)) {
            leaves = leaves.saturating_add(1);
        }
        window.push(step);
    }
    window
}
