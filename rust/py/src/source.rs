//! What a caller opens: a path, bytes, a binary file object, or extents of these.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crossbeam_channel::Receiver;
use pyo3::exceptions::{PyException, PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use thinscope_core::Result;
use thinscope_core::source::{
    BlockSource, CallbackSource, FileSource, MemorySource, ReadRequest, Sharing,
};

use crate::extents::Extents;
use crate::turn::Turn;

/// A source in one of the forms that `open` takes.
#[derive(Debug, FromPyObject)]
pub(crate) enum Source {
    /// Ranges of other sources.
    #[pyo3(transparent)]
    Extents(Py<Extents>),
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

impl Source {
    /// Takes from Python what opening will need, so that it can go on without.
    pub(crate) fn prepare(self, py: Python<'_>) -> PyResult<(Prepared, Option<Arc<FileObject>>)> {
        Ok(match self {
            Self::Extents(extents) => {
                let extents = extents.get();
                (Prepared::Open(Arc::clone(&extents.source)), extents.file.clone())
            }
            Self::Path(path) => (Prepared::Path(path), None),
            Self::Bytes(bytes) => (Prepared::Open(Arc::new(MemorySource::new(bytes))), None),
            Self::File(object) => {
                let (source, file) = FileObject::open(object, py)?;
                (Prepared::Open(source), Some(Arc::new(file)))
            }
        })
    }
}

/// A source that any thread can open.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A regular file or block device.
    Path(PathBuf),
    /// What is open already.
    Open(Arc<dyn BlockSource>),
}

impl Prepared {
    pub(crate) fn open(self, sharing: Sharing) -> Result<Arc<dyn BlockSource>> {
        match self {
            Self::Path(path) => Ok(Arc::new(FileSource::open(&path, sharing)?)),
            Self::Open(source) => Ok(source),
        }
    }
}

/// A Python file object of which the core's reads are served.
#[derive(Debug)]
pub(crate) struct FileObject {
    /// One seek and read at a time.
    object: Arc<ReadInTurn>,
    pub(crate) requests: Receiver<ReadRequest>,
}

impl FileObject {
    /// The object as a source: its length is where its end lies.
    fn open(object: Py<PyAny>, py: Python<'_>) -> PyResult<(Arc<dyn BlockSource>, Self)> {
        // Not every `seek` returns where it went: that of `mmap` does not.
        object.call_method1(py, "seek", (0, 2))?;
        let length: u64 = object.call_method0(py, "tell")?.extract(py)?;
        let (source, requests) = CallbackSource::new(length);
        Ok((Arc::new(source), Self { object: turn_of(object), requests }))
    }

    /// Answers a read. Returns what was raised that is no failure of the read, as
    /// `KeyboardInterrupt`.
    pub(crate) fn serve(&self, request: ReadRequest) -> Option<PyErr> {
        let (offset, length) = (request.offset, request.length);
        // The turn is taken before Python is: who waits for it holds nothing.
        let read = self.object.take(|object| {
            Python::try_attach(|py| {
                let bytes = read(object.bind(py), offset, length);
                bytes.map_err(|raised| {
                    (raised.is_instance_of::<PyException>(py), Raised::new(py, raised))
                })
            })
        });
        let (answer, interrupted) = match read {
            Some(Some(Ok(bytes))) => (Ok(bytes), None),
            Some(Some(Err((true, failure)))) => (Err(io::Error::other(failure)), None),
            Some(Some(Err((false, raised)))) => {
                (Err(io::Error::other("interrupted")), Some(raised.exception))
            }
            Some(None) => (Err(io::Error::other("the interpreter ends")), None),
            None => (Err(io::Error::other("the file object is being read by this thread")), None),
        };
        request.answer(answer);
        interrupted
    }
}

/// What a read of a file object raised.
#[derive(Debug)]
pub(crate) struct Raised {
    exception: PyErr,
    /// The same as the system tells it, where it is an `OSError` with a number.
    system: Option<io::Error>,
}

impl Raised {
    fn new(py: Python<'_>, exception: PyErr) -> Self {
        let number = if exception.is_instance_of::<PyOSError>(py) {
            exception.value(py).getattr("errno").and_then(|number| number.extract()).ok()
        } else {
            None
        };
        Self { exception, system: number.map(io::Error::from_raw_os_error) }
    }

    /// The exception itself.
    pub(crate) fn exception(&self, py: Python<'_>) -> PyErr {
        self.exception.clone_ref(py)
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exception.fmt(f)
    }
}

impl StdError for Raised {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.system.as_ref().map(|system| -> &(dyn StdError + 'static) { system })
    }
}

/// A file object of which the reads come one after the other.
type ReadInTurn = Turn<Py<PyAny>>;

/// The file objects that are open, each by its address.
static OPEN: Mutex<Vec<(usize, Weak<ReadInTurn>)>> = Mutex::new(Vec::new());

/// What keeps the reads of a file object apart, whoever opened it: it has one position.
fn turn_of(object: Py<PyAny>) -> Arc<ReadInTurn> {
    let address = object.as_ptr().addr();
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.retain(|(_, turn)| turn.strong_count() > 0);
    // An address is used again only when the object is gone, and its turn with it.
    let known = open.iter().find(|(other, _)| *other == address);
    known.and_then(|(_, turn)| turn.upgrade()).unwrap_or_else(|| {
        let turn = Arc::new(Turn::new(object));
        open.push((address, Arc::downgrade(&turn)));
        turn
    })
}

fn read(object: &Bound<'_, PyAny>, offset: u64, length: usize) -> PyResult<Vec<u8>> {
    object.call_method1("seek", (offset,))?;
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let wanted = length.saturating_sub(bytes.len());
        let piece = object.call_method1("read", (wanted,))?;
        let Ok(piece) = piece.extract::<PyBackedBytes>() else {
            let kind = piece.get_type().name()?;
            let message = format!("read() gave {kind}, not bytes: open the file in binary mode");
            return Err(PyTypeError::new_err(message));
        };
        if piece.len() > wanted {
            let message = format!("read({wanted}) gave {} bytes", piece.len());
            return Err(PyValueError::new_err(message));
        }
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
