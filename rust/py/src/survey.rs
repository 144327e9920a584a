//! What became of a device that is gone.

use pyo3::prelude::*;
use thinscope_core::btree::KeyRange;
use thinscope_core::content::Part;
use thinscope_core::error::Error;
use thinscope_core::source::Sharing;
use thinscope_core::superblock::SpaceMap;
use thinscope_core::survey::{Grade, SurveyedRun as CoreRun, zero_blocks};
use thinscope_core::units::{DeviceId, widen};

use crate::conduct::Conductor;
use crate::content;
use crate::error::exception;
use crate::handle::Handle;
use crate::output::Output;
use crate::source::Source;

/// Mappings of an old device that follow each other, and what became of them.
#[pyclass(frozen, eq, hash, get_all, module = "thinscope")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SurveyedRun {
    /// First block of the device, in data blocks.
    virtual_begin: u64,
    /// First block of the data device, in data blocks.
    data_begin: u64,
    /// Number of blocks.
    length: u64,
    /// The pool's time when the blocks were allocated for the device.
    time: u32,
    /// What became of them: `same`, `reused`, `held`, `free` or `unreached`.
    grade: &'static str,
    /// Ids of the live devices that map the blocks, ascending.
    owners: Vec<u32>,
    /// How many of them are all zeros; None where the data was not asked: only of those that are
    /// free.
    zero_blocks: Option<u64>,
}

#[pymethods]
impl SurveyedRun {
    fn __repr__(&self) -> String {
        let Self { virtual_begin, data_begin, length, time, grade, owners, .. } = self;
        format!(
            "SurveyedRun(virtual_begin={virtual_begin}, data_begin={data_begin}, length={length}, \
             time={time}, grade='{grade}', owners={owners:?})"
        )
    }
}

impl SurveyedRun {
    fn new(core: &CoreRun, zero_blocks: Option<u64>) -> Self {
        Self {
            virtual_begin: core.run.virtual_begin.get(),
            data_begin: core.run.data_begin.get(),
            length: core.run.length,
            time: core.run.time.get(),
            grade: match core.grade {
                Grade::Same => "same",
                Grade::Reused => "reused",
                Grade::Held => "held",
                Grade::Free => "free",
                Grade::Unreached => "unreached",
            },
            owners: core.owners.iter().map(|owner| owner.get()).collect(),
            zero_blocks,
        }
    }
}

/// Grades the mappings of a device of one state of a pool by another state of it.
pub(crate) fn survey(
    py: Python<'_>,
    now: &Handle,
    then: &Handle,
    device: DeviceId,
    data: Option<(Source, String)>,
) -> PyResult<Vec<SurveyedRun>> {
    let (record, old) = then.ask(py, |pool, watch| {
        let devices = pool.devices(watch)?;
        let record = devices.iter().find(|record| record.id == device).copied();
        let record = record.ok_or(Error::UnknownDevice(device))?;
        let mut mappings = pool.mappings(Some(device), KeyRange::ALL, watch)?;
        let mut runs = Vec::new();
        while let Some(batch) = pool.unchanged(mappings.next_batch(watch))? {
            runs.extend(batch);
        }
        Ok((record, runs))
    })?;
    let found = now.ask(py, |pool, watch| pool.survey(&record, &old, watch))?;
    let mut zeros = vec![None; found.len()];
    if let Some(data) = data {
        let (data, name, file) = content::open(py, now, data, Part::Data, Sharing::Exclusive)?;
        let progress = now.conductor.progress.as_ref().map(|progress| progress.clone_ref(py));
        let conductor = Conductor { source: name, progress, files: Vec::from_iter(file) };
        let space = now.pool.space(SpaceMap::Data);
        let counted = conductor.attempt(py, &mut Output::None, |watch, _| {
            watch.begin("looking for zeros", widen(found.len()));
            let mut counted = Vec::with_capacity(found.len());
            for surveyed in &found {
                let is_free = surveyed.grade == Grade::Free;
                let space = (space.block_bytes, space.total);
                let zeros = is_free.then(|| zero_blocks(&surveyed.run, &*data, space, watch));
                counted.push(zeros.transpose()?);
                watch.advance(1)?;
            }
            Ok::<_, Error>(counted)
        })?;
        zeros = counted.map_err(|error| exception(py, &conductor.source, &error))?;
    }
    Ok(found.iter().zip(zeros).map(|(run, zeros)| SurveyedRun::new(run, zeros)).collect())
}
