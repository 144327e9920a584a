//! What a device reads as, for a file object in Python.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use thinscope_core::content::{Content as CoreContent, Part, Parts};
use thinscope_core::source::{BlockSource, Sharing};
use thinscope_core::units::{DeviceId, index_u64};
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Result};

use crate::conduct::Conductor;
use crate::error::exception;
use crate::handle::Handle;
use crate::output::Output;
use crate::source::{FileObject, Source};

/// What a device reads as. `Device.open` makes a file of it.
#[pyclass(frozen, module = "thinscope._core")]
#[derive(Debug)]
pub(crate) struct Content {
    handle: Arc<Handle>,
    core: CoreContent,
    conductor: Conductor,
    data: String,
    origin: String,
}

impl Content {
    pub(crate) fn open(
        py: Python<'_>,
        handle: &Arc<Handle>,
        device: DeviceId,
        size: u64,
        data: (Source, String),
        origin: Option<(Source, String)>,
        sharing: Sharing,
    ) -> PyResult<Self> {
        let (data, data_name, data_file) = open(py, handle, data, Part::Data, sharing)?;
        let (origin, origin_name, origin_file) = match origin {
            Some(origin) => {
                let (source, name, file) = open(py, handle, origin, Part::Origin, sharing)?;
                (Some(source), name, file)
            }
            None => (None, String::new(), None),
        };
        let parts = Parts { data, origin, size };
        let core = handle.ask(py, |pool, watch| {
            let content = pool.content(device, parts, watch);
            pool.unchanged(content)
        })?;
        let of = &handle.conductor;
        let files = of.files.iter().cloned().chain(data_file).chain(origin_file);
        let progress = of.progress.as_ref().map(|progress| progress.clone_ref(py));
        let conductor = Conductor { source: of.source.clone(), progress, files: files.collect() };
        let handle = Arc::clone(handle);
        Ok(Self { handle, core, conductor, data: data_name, origin: origin_name })
    }

    /// What an error is about, as messages call it.
    fn called(&self, error: &Error) -> &str {
        match error {
            Error::Content { part: Part::Data, .. } | Error::BeyondData { .. } => &self.data,
            Error::Content { part: Part::Origin, .. } => &self.origin,
            _ => &self.conductor.source,
        }
    }
}

/// The source of a part, what messages call it, and the file object that serves its reads.
pub(crate) type Opened = (Arc<dyn BlockSource>, String, Option<Arc<FileObject>>);

/// Opens a part.
pub(crate) fn open(
    py: Python<'_>,
    handle: &Handle,
    (source, name): (Source, String),
    part: Part,
    sharing: Sharing,
) -> PyResult<Opened> {
    let (prepared, file) = source.prepare(py)?;
    let opened = handle.open_once(prepared, sharing).map_err(|error| match error {
        // Of data nobody asks that it is metadata.
        Error::NotThin(identity) => {
            let cause = std::io::Error::other(identity.to_string());
            Error::Content { part, offset: 0, cause }
        }
        error => error,
    });
    let opened = opened.map_err(|error| exception(py, &name, &error))?;
    Ok((opened, name, file))
}

#[pymethods]
impl Content {
    /// Length of the device in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.core.size()
    }

    /// Whether what is read may be older than what the kernel wrote: a device refused to be read
    /// around the page cache.
    #[getter]
    fn may_be_stale(&self) -> bool {
        self.core.may_be_stale()
    }

    /// Reads so many bytes from an offset on, or as many as there are before the device's end.
    fn read<'py>(
        &self,
        py: Python<'py>,
        offset: u64,
        length: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let length = length.min(self.size().saturating_sub(offset));
        if length > MOST_BYTES {
            return Err(PyValueError::new_err(format!("at most {MOST_BYTES} bytes at once")));
        }
        PyBytes::new_with(py, index_u64(length), |buffer| {
            let pool = &self.handle.pool;
            let mut read = |watch: &Watch| pool.unchanged(self.core.read_at(offset, buffer, watch));
            let done: Result<()> = if self.conductor.files.is_empty() {
                // Nothing is asked of Python, and it takes no longer than a read of any file.
                py.detach(|| read(&Watch::new()))
            } else {
                self.conductor.attempt(py, &mut Output::None, |watch, _| read(watch))?
            };
            done.map_err(|error| exception(py, self.called(&error), &error))
        })
    }

    fn __repr__(&self) -> String {
        format!("<Content of {} bytes>", self.core.size())
    }
}

/// Most bytes that are read at once: a read cannot be interrupted.
const MOST_BYTES: u64 = 64 << 20;
