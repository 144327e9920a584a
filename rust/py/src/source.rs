//! What a caller opens: a path, bytes, or a binary file object.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Receiver;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use thinscope_core::source::{BlockSource, CallbackSource, MemorySource, ReadRequest};

/// A source in one of the forms that `open` takes.
#[derive(Debug, FromPyObject)]
pub(crate) enum Source {
    /// The metadata itself.
    #[pyo3(transparent)]
    Bytes(PyBackedBytes),
    /// A regular file or block device.
    #[pyo3(transparent)]
    Path(PathBuf),
    /// A binary file object that can seek.
    #[pyo3(transparent)]
    File(Py<PyAny>),
}

/// A Python file object of which the core's reads are served.
#[derive(Debug)]
pub(crate) struct FileObject {
    object: Py<PyAny>,
    pub(crate) requests: Receiver<ReadRequest>,
    /// One seek and read at a time.
    turn: Mutex<()>,
    /// What the last failed read raised.
    failure: Mutex<Option<PyErr>>,
}

impl FileObject {
    /// The object as a source: its length is where its end lies.
    pub(crate) fn open(
        object: Py<PyAny>,
        py: Python<'_>,
    ) -> PyResult<(Arc<dyn BlockSource>, Self)> {
        let length: u64 = object.call_method1(py, "seek", (0, 2))?.extract(py)?;
        let (source, requests) = CallbackSource::new(length);
        let file = Self { object, requests, turn: Mutex::default(), failure: Mutex::default() };
        Ok((Arc::new(source), file))
    }

    /// Answers a read. The turn is taken before Python is: who waits for it holds nothing.
    /// Returns what was raised that is no failure of the read, as `KeyboardInterrupt`.
    pub(crate) fn serve(&self, request: ReadRequest) -> Option<PyErr> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (offset, length) = (request.offset, request.length);
        let read = Python::attach(|py| {
            let bytes = self.read(py, offset, length);
            bytes.map_err(|raised| (raised.is_instance_of::<PyException>(py), raised))
        });
        let (answer, interrupted) = match read {
            Ok(bytes) => (Ok(bytes), None),
            Err((is_failure, raised)) => {
                let answer = Err(io::Error::other(raised.to_string()));
                let (failure, interrupted) =
                    if is_failure { (Some(raised), None) } else { (None, Some(raised)) };
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
                (answer, interrupted)
            }
        };
        request.answer(answer);
        interrupted
    }

    fn read(&self, py: Python<'_>, offset: u64, length: usize) -> PyResult<Vec<u8>> {
        self.object.call_method1(py, "seek", (offset,))?;
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let wanted = length.saturating_sub(bytes.len());
            let piece = self.object.call_method1(py, "read", (wanted,))?;
            let piece = piece.cast_bound::<PyBytes>(py)?.as_bytes();
            if piece.is_empty() || piece.len() > wanted {
                break;
            }
            bytes.extend_from_slice(piece);
        }
        Ok(bytes)
    }

    pub(crate) fn take_failure(&self) -> Option<PyErr> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Bytes as a source.
pub(crate) fn memory(bytes: PyBackedBytes) -> Arc<dyn BlockSource> {
    Arc::new(MemorySource::new(bytes))
}
