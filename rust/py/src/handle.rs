//! An open pool with the conductor of its questions; tables made of it share it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::prelude::*;
use thinscope_core::source::{BlockSource, Sharing};
use thinscope_core::watch::Watch;
use thinscope_core::{Pool, Result};

use crate::conduct::Conductor;
use crate::source::Prepared;

/// A pool and what conducting its questions takes; shared with the tables made of it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pool: Pool,
    pub(crate) conductor: Arc<Conductor>,
    /// The block devices that contents are read from.
    devices: Mutex<Vec<Device>>,
}

#[derive(Debug)]
struct Device {
    number: u64,
    sharing: Sharing,
    source: Weak<dyn BlockSource>,
}

impl Handle {
    pub(crate) fn new(pool: Pool, conductor: Arc<Conductor>) -> Self {
        Self { pool, conductor, devices: Mutex::default() }
    }

    /// Opens what contents are read from: a device once for all of them, since one that is held
    /// exclusively cannot be opened so again.
    pub(crate) fn open_once(
        &self,
        prepared: Prepared,
        sharing: Sharing,
    ) -> Result<Arc<dyn BlockSource>> {
        let number = match &prepared {
            Prepared::Path(path) => device_number(path),
            Prepared::Open(_) => None,
        };
        let Some(number) = number else { return prepared.open(sharing) };
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.retain(|device| device.source.strong_count() > 0);
        let is_same = |device: &&Device| device.number == number && device.sharing == sharing;
        if let Some(source) = devices.iter().find(is_same).and_then(|known| known.source.upgrade())
        {
            return Ok(source);
        }
        let source = prepared.open(sharing)?;
        devices.push(Device { number, sharing, source: Arc::downgrade(&source) });
        Ok(source)
    }

    /// Asks the pool, conducting the question to its end.
    pub(crate) fn ask<T: Send>(
        &self,
        py: Python<'_>,
        question: impl FnOnce(&Pool, &Watch) -> Result<T> + Send,
    ) -> PyResult<T> {
        self.conductor.conduct(py, |watch| question(&self.pool, watch))
    }
}

fn device_number(path: &Path) -> Option<u64> {
    let found = fs::metadata(path).ok()?;
    found.file_type().is_block_device().then(|| found.rdev())
}
