//! Where a long call writes to.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use thinscope_core::error::reason;

/// What a caller has written to.
#[derive(Debug, FromPyObject)]
pub(crate) enum Target {
    /// A file that exists.
    #[pyo3(transparent)]
    Path(PathBuf),
    /// A binary file object.
    #[pyo3(transparent)]
    File(Py<PyAny>),
}

/// Where a long call writes to.
#[derive(Debug)]
pub(crate) enum Output {
    /// It has nothing to write.
    None,
    /// A file, written to straight, with the name that messages give it.
    File(File, Option<PathBuf>),
    /// A binary file object of Python's.
    Object(Py<PyAny>),
}

impl Output {
    /// Stdout's file descriptor. What Python still holds must have been flushed.
    pub(crate) fn stdout() -> PyResult<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned();
        Ok(Self::File(descriptor.map_err(|error| exception(&error, None))?.into(), None))
    }

    /// A file that exists.
    pub(crate) fn path(path: PathBuf) -> PyResult<Self> {
        let file = OpenOptions::new().write(true).open(&path);
        let file = file.map_err(|error| exception(&error, Some(&path)))?;
        Ok(Self::File(file, Some(path)))
    }

    /// Writes all of a text. `look_up` is called when a signal comes while the write waits.
    pub(crate) fn write(
        &mut self,
        text: &[u8],
        look_up: impl Fn() -> PyResult<()>,
    ) -> PyResult<()> {
        match self {
            Self::None => Ok(()),
            Self::File(file, path) => {
                write_file(file, text, look_up).map_err(|failure| match failure {
                    Failure::System(error) => exception(&error, path.as_ref()),
                    Failure::Raised(raised) => raised,
                })
            }
            // Where the interpreter ends, nobody waits.
            Self::Object(object) => {
                Python::try_attach(|py| write_object(object.bind(py), text)).unwrap_or(Ok(()))
            }
        }
    }
}

enum Failure {
    System(io::Error),
    Raised(PyErr),
}

fn write_file(
    mut file: &File,
    text: &[u8],
    look_up: impl Fn() -> PyResult<()>,
) -> Result<(), Failure> {
    let mut rest = text;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(Failure::System(ErrorKind::WriteZero.into())),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::System(error)),
        }
        // Less was taken than given: a signal may have ended a write that waited.
        if !rest.is_empty() {
            look_up().map_err(Failure::Raised)?;
        }
    }
    Ok(())
}

/// A raw file object may take less than it is given, and says how much.
fn write_object(object: &Bound<'_, PyAny>, text: &[u8]) -> PyResult<()> {
    let mut rest = text;
    while !rest.is_empty() {
        let written = object.call_method1("write", (PyBytes::new(object.py(), rest),))?;
        let count = written.extract::<usize>().unwrap_or(rest.len());
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// Python chooses `BrokenPipeError` and so on by the number.
fn exception(error: &io::Error, path: Option<&PathBuf>) -> PyErr {
    match (error.raw_os_error(), path) {
        (Some(number), Some(path)) => PyOSError::new_err((number, reason(error), path.clone())),
        (Some(number), None) => PyOSError::new_err((number, reason(error))),
        (None, _) => PyOSError::new_err(reason(error)),
    }
}
