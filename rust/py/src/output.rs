//! Where a long call writes to.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use thinscope_core::error::reason;

/// What a caller has written to.
#[derive(Debug, FromPyObject)]
pub(crate) enum Target {
    /// A file to be made, with the mode, the owner and the group of the file that it is to replace.
    New(PathBuf, Option<(u32, u32, u32)>),
    /// A binary file object.
    #[pyo3(transparent)]
    Object(Py<PyAny>),
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
    /// Opens a target, or stdout. What Python still holds of stdout must have been flushed.
    pub(crate) fn open(target: Option<Target>) -> PyResult<Self> {
        match target {
            Some(Target::New(path, like)) => {
                let file = new_file(&path, like).map_err(|error| exception(&error, Some(&path)))?;
                Ok(Self::File(file, Some(path)))
            }
            Some(Target::Object(object)) => Ok(Self::Object(object)),
            None => {
                let descriptor = io::stdout().as_fd().try_clone_to_owned();
                Ok(Self::File(descriptor.map_err(|error| exception(&error, None))?.into(), None))
            }
        }
    }

    /// Writes all of a text. `look_up` looks for signals, before anything that may wait.
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
        // A write that waited ends with a signal: nothing, or less than all, was taken.
        look_up().map_err(Failure::Raised)?;
        match file.write(rest) {
            Ok(0) => return Err(Failure::System(ErrorKind::WriteZero.into())),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::System(error)),
        }
    }
    Ok(())
}

/// A raw file object may take less than it is given, and says how much.
fn write_object(object: &Bound<'_, PyAny>, text: &[u8]) -> PyResult<()> {
    let mut rest = text;
    while !rest.is_empty() {
        object.py().check_signals()?;
        let written = object.call_method1("write", (PyBytes::new(object.py(), rest),))?;
        if written.is_none() {
            // Raw files say so that they cannot take anything now; others say nothing.
            let raw = object.py().import("io")?.getattr("RawIOBase")?;
            if object.is_instance(&raw)? {
                return Err(PyBlockingIOError::new_err("write() would have to wait"));
            }
            return Ok(());
        }
        let count = written.extract::<usize>()?;
        rest = match rest.get(count..) {
            Some(left) if count > 0 => left,
            _ => {
                let message = format!("write() of {} bytes took {count}", rest.len());
                return Err(PyValueError::new_err(message));
            }
        };
    }
    Ok(())
}

/// Makes a file of its own, which nobody else has put there: it is opened once.
fn new_file(path: &Path, like: Option<(u32, u32, u32)>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let Some((mode, owner, group)) = like else { return options.open(path) };
    let file = options.mode(0o600).open(path)?;
    // Who may not give files away keeps them.
    let _ = fchown(&file, Some(owner), Some(group));
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Python chooses `BrokenPipeError` and so on by the number.
fn exception(error: &io::Error, path: Option<&PathBuf>) -> PyErr {
    match (error.raw_os_error(), path) {
        (Some(number), Some(path)) => {
            PyOSError::new_err((number, reason(error), path.clone().into_os_string()))
        }
        (Some(number), None) => PyOSError::new_err((number, reason(error))),
        (None, _) => PyOSError::new_err(reason(error)),
    }
}
