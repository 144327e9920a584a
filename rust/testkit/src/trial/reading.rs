//! Every pass of the reader over one image.

use std::collections::HashSet;
use std::sync::Arc;

use thinscope_core::btree::KeyRange;
use thinscope_core::fragmentation::{Fragmentation, FreeExtents};
use thinscope_core::mappings::Run;
use thinscope_core::recount::Recount;
use thinscope_core::sharing::Sharing;
use thinscope_core::source::BlockSource;
use thinscope_core::space_map::CountRun;
use thinscope_core::superblock::SpaceMap;
use thinscope_core::superblock::View;
use thinscope_core::units::{DeviceId, VirtualBlock};
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Pool};

use super::fragmentation;
use super::sharing::Model;

/// More runs, or batches of runs, than any pool of the tests has.
const MOST_RUNS: usize = 1_000_000;

/// What the passes gave; nothing where they ended in an error.
#[derive(Debug)]
pub(crate) struct Reading {
    view: View,
    pub(crate) recount: Option<Recount>,
    pub(crate) sharing: Option<Arc<Sharing>>,
    fragmentation: Option<Fragmentation>,
    /// None of a metadata snapshot.
    free: Option<FreeExtents>,
    pub(crate) runs: Vec<Run>,
    /// Of the data map, and of the metadata map.
    pub(crate) counts: [Vec<CountRun>; 2],
    /// The pass that gives runs for ever.
    endless: Option<String>,
    /// Devices whose own passes all ended well.
    devices: Vec<DeviceReading>,
    /// With the name of the pass.
    pub(crate) errors: Vec<(String, Error)>,
}

/// What was read of one device alone.
#[derive(Debug)]
struct DeviceReading {
    id: DeviceId,
    highest: Option<u64>,
    runs: Vec<Run>,
}

impl Reading {
    const fn new(view: View) -> Self {
        Self {
            view,
            recount: None,
            sharing: None,
            fragmentation: None,
            free: None,
            runs: Vec::new(),
            counts: [Vec::new(), Vec::new()],
            endless: None,
            devices: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Where two passes over the same mappings disagree: one ends in an error or counts otherwise.
    pub(crate) fn contradiction(&self) -> Option<String> {
        if let Some(pass) = &self.endless {
            return Some(format!("{pass}: no end"));
        }
        let failed = |name: &str| self.has_failed(name);
        if failed("recount") != failed("mappings") {
            return Some("only one of recount and mappings ends in an error".to_owned());
        }
        if failed("recount") != failed("fragmentation") {
            return Some("only one of recount and fragmentation ends in an error".to_owned());
        }
        if failed("free extents") != (self.view == View::Live && failed("Data counts")) {
            return Some("only one of free extents and data counts ends in an error".to_owned());
        }
        let free = self.free.as_ref();
        let told = free.and_then(|free| fragmentation::free_contradiction(free, &self.counts[0]));
        if told.is_some() {
            return told;
        }
        let found = self.fragmentation.as_ref();
        let told = found.and_then(|found| fragmentation::contradiction(found, &self.runs));
        if told.is_some() {
            return told;
        }
        let recount = self.recount.as_ref()?;
        let mapped: u64 = recount.mapped_blocks.iter().map(|(_, mapped)| *mapped).sum();
        let in_runs: u64 = self.runs.iter().map(|run| run.length).sum();
        let data = self.runs.iter().flat_map(|run| {
            let begin = run.data_begin.get();
            begin..begin + run.length
        });
        let reached = data.collect::<HashSet<_>>().len() as u64;
        let (counted, listed) = ((mapped, recount.reached_blocks), (in_runs, reached));
        if counted != listed {
            return Some(format!("recount {counted:?}, mappings {listed:?}"));
        }
        self.devices.iter().find_map(|device| {
            let mut own = self.runs.iter().filter(|run| run.device == device.id);
            if !own.clone().eq(&device.runs) {
                return Some(format!(
                    "device {}: its own runs differ from those of all",
                    device.id
                ));
            }
            let last = own.next_back().map(|run| run.virtual_begin.get() + (run.length - 1));
            (last != device.highest).then(|| {
                format!(
                    "device {}: highest is {:?}, runs end at {last:?}",
                    device.id, device.highest
                )
            })
        })
    }

    /// Where what is said of sharing disagrees with the mappings and counts, and with the
    /// mappings of the metadata snapshot where one is held.
    pub(crate) fn sharing_contradiction(&self, held: Option<&Self>) -> Option<String> {
        let has_failed = |reading: &Self, names: &[&str]| {
            reading.errors.iter().any(|(pass, _)| names.contains(&pass.as_str()))
        };
        let passes: &[&str] = match self.view {
            View::Live => &["recount", "mappings", "Data counts"],
            View::MetadataSnapshot | View::Salvaged => &["recount", "mappings"],
        };
        let failed = has_failed(self, passes)
            || held.is_some_and(|held| has_failed(held, &["open", "recount"]));
        let Some(sharing) = &self.sharing else {
            return (!failed).then(|| "only sharing ends in an error".to_owned());
        };
        if failed {
            return Some("sharing ends in no error".to_owned());
        }
        self.model(held).contradiction(sharing)
    }

    /// What is said of sharing ought to be this.
    pub(crate) fn model(&self, held: Option<&Self>) -> Model {
        let mapped = self.recount.iter().flat_map(|recount| &recount.mapped_blocks);
        let counts = (self.view == View::Live).then_some(&*self.counts[0]);
        let model = Model::new(mapped.map(|(id, _)| id.get()), &self.runs, counts);
        match held {
            Some(held) => model.with_snapshot(&held.runs),
            None => model,
        }
    }

    /// Whether a pass ended in an error.
    pub(crate) fn has_failed(&self, name: &str) -> bool {
        self.errors.iter().any(|(pass, _)| pass == name)
    }

    fn note<T>(&mut self, pass: impl Into<String>, answer: thinscope_core::Result<T>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.errors.push((pass.into(), error));
                None
            }
        }
    }
}

/// Where passes over the same mappings disagree, live and through the metadata snapshot.
pub(crate) fn contradiction(live: &Reading, held: &Reading) -> Option<String> {
    let no_snapshot =
        held.errors.iter().any(|(_, error)| matches!(error, Error::NoMetadataSnapshot));
    let opened = live.errors.iter().all(|(pass, _)| pass != "open");
    let sharing = || {
        let both = (!no_snapshot).then_some(held);
        let told = opened.then(|| live.sharing_contradiction(both)).flatten();
        let is_open = held.errors.iter().all(|(pass, _)| pass != "open");
        told.or_else(|| is_open.then(|| held.sharing_contradiction(None)).flatten())
    };
    live.contradiction().or_else(|| held.contradiction()).or_else(sharing)
}

/// Reads all that there is to read of bytes, on so many threads.
#[cfg(test)]
pub(crate) fn read(bytes: &[u8], view: View, threads: usize) -> Reading {
    read_source(Arc::new(thinscope_core::source::MemorySource::new(bytes.to_vec())), view, threads)
}

/// The same of any source.
pub(crate) fn read_source(source: Arc<dyn BlockSource>, view: View, threads: usize) -> Reading {
    let mut reading = Reading::new(view);
    let watch = Watch::new();
    let opened = Pool::from_source(source, view, threads, false, &watch);
    let Some(pool) = reading.note("open", opened) else { return reading };
    reading.note("graph", pool.graph(&watch));
    reading.recount = reading.note("recount", pool.recount(true, &watch));
    reading.sharing = reading.note("sharing", pool.sharing(&watch));
    reading.fragmentation = reading.note("fragmentation", pool.fragmentation(&watch));
    reading.free = reading.note("free extents", pool.free_extents(1, &watch)).flatten();
    reading.runs = runs(&mut reading, &pool, None, &watch);
    for (at, map) in [SpaceMap::Data, SpaceMap::Metadata].into_iter().enumerate() {
        reading.counts[at] = counts(&mut reading, &pool, map, &watch);
    }
    let devices = reading.note("devices", pool.devices(&watch));
    for device in devices.iter().flat_map(|devices| devices.iter()) {
        let id = device.id;
        let before = reading.errors.len();
        let highest = reading.note(format!("highest of {id}"), pool.highest_block(id, &watch));
        let highest = highest.flatten();
        for block in [0, highest.map_or(1, VirtualBlock::get), u64::MAX] {
            let block = VirtualBlock::new(block);
            reading.note(format!("lookup in {id}"), pool.lookup(id, block, &watch));
        }
        let runs = runs(&mut reading, &pool, Some(id), &watch);
        if reading.errors.len() == before {
            let highest = highest.map(VirtualBlock::get);
            reading.devices.push(DeviceReading { id, highest, runs });
        }
    }
    reading
}

fn runs(reading: &mut Reading, pool: &Pool, only: Option<DeviceId>, watch: &Watch) -> Vec<Run> {
    let mut runs = Vec::new();
    let stream = pool.mappings(only, KeyRange::ALL, watch);
    let pass = only.map_or("mappings".to_owned(), |id| format!("mappings of {id}"));
    let Some(mut stream) = reading.note(&pass, stream) else { return runs };
    let mut batches = 0;
    while let Some(batch) = reading.note(&pass, stream.next_batch(watch)).flatten() {
        runs.extend(batch);
        batches += 1;
        if runs.len() > MOST_RUNS || batches > MOST_RUNS {
            reading.endless = Some(pass);
            break;
        }
    }
    runs
}

fn counts(reading: &mut Reading, pool: &Pool, map: SpaceMap, watch: &Watch) -> Vec<CountRun> {
    let mut counts = Vec::new();
    let name = format!("{map:?} counts");
    let stream = pool.reference_counts(map, watch);
    let Some(mut stream) = reading.note(&name, stream) else { return counts };
    while let Some(batch) = reading.note(&name, stream.next_batch(watch)).flatten() {
        counts.extend(batch);
    }
    counts
}
