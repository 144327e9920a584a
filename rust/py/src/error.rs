//! The one place where an error of the core becomes a Python exception.
//!
//! The classes are written in Python (`thinscope.errors`), where they are documented and typed.

use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict};
use thinscope_core::Error;
use thinscope_core::error::{number, reason};

use crate::source::Raised;

mod classes {
    pyo3::import_exception!(thinscope.errors, CorruptMetadata);
    pyo3::import_exception!(thinscope.errors, NoMetadataSnapshot);
    pyo3::import_exception!(thinscope.errors, NotThinMetadata);
    pyo3::import_exception!(thinscope.errors, SourceChanged);
    pyo3::import_exception!(thinscope.errors, SourceError);
    pyo3::import_exception!(thinscope.errors, SourceInUse);
    pyo3::import_exception!(thinscope.errors, ThinscopeError);
    pyo3::import_exception!(thinscope.errors, UnknownDevice);
    pyo3::import_exception!(thinscope.errors, UnknownRoot);
    pyo3::import_exception!(thinscope.errors, UnsupportedMetadata);
}

/// The exception for an error; `source` is what the caller opened. What a file object raised
/// becomes its cause.
pub(crate) fn exception(py: Python<'_>, source: &str, error: &Error) -> PyErr {
    let exception = build(py, source, error).unwrap_or_else(|failure| failure);
    if let Error::Read { cause, .. } | Error::Content { cause, .. } | Error::Unpack(cause) = error {
        let raised = cause.get_ref().and_then(|inner| inner.downcast_ref::<Raised>());
        exception.set_cause(py, raised.map(|raised| raised.exception(py)));
    }
    exception
}

fn build(py: Python<'_>, source: &str, error: &Error) -> PyResult<PyErr> {
    let message = error.to_string();
    let fields = [("source", source)].into_py_dict(py)?;
    fields.set_item("hint", error.hint())?;
    let class = match error {
        Error::Open(cause) => match cause.raw_os_error() {
            // Python chooses FileNotFoundError, PermissionError and so on by the number.
            Some(number) => {
                return Ok(PyOSError::new_err((number, reason(cause), source.to_owned())));
            }
            None => py.get_type::<classes::SourceError>(),
        },
        Error::Read { block, offset, cause } => {
            fields.set_item("block", *block)?;
            fields.set_item("offset", *offset)?;
            fields.set_item("errno", number(cause))?;
            py.get_type::<classes::SourceError>()
        }
        Error::Content { offset, cause, .. } => {
            fields.set_item("offset", *offset)?;
            fields.set_item("errno", number(cause))?;
            py.get_type::<classes::SourceError>()
        }
        Error::BeyondData { .. } => py.get_type::<classes::SourceError>(),
        Error::Unpack(cause) | Error::Pack(cause) => {
            fields.set_item("errno", number(cause))?;
            py.get_type::<classes::SourceError>()
        }
        Error::InUse { .. } => py.get_type::<classes::SourceInUse>(),
        Error::Changed => py.get_type::<classes::SourceChanged>(),
        Error::NotThin(identity) => {
            fields.set_item("identity", identity.name())?;
            py.get_type::<classes::NotThinMetadata>()
        }
        Error::Unsupported { field, expected, found } => {
            set_rule(&fields, field, expected, found)?;
            py.get_type::<classes::UnsupportedMetadata>()
        }
        Error::Corrupt(corruption) => {
            fields.set_item("block", corruption.block.get())?;
            fields.set_item("offset", corruption.offset())?;
            fields.set_item("structure", corruption.structure.to_string())?;
            set_rule(&fields, corruption.field, &corruption.expected, &corruption.found)?;
            py.get_type::<classes::CorruptMetadata>()
        }
        Error::UnknownDevice(id) => {
            fields.set_item("who", id.get())?;
            py.get_type::<classes::UnknownDevice>()
        }
        // Only a signal cancels, and its own exception is raised first.
        Error::Cancelled => return Ok(PyKeyboardInterrupt::new_err(())),
        Error::NoMetadataSnapshot => py.get_type::<classes::NoMetadataSnapshot>(),
        Error::UnknownRoot(root) => {
            fields.set_item("root", *root)?;
            py.get_type::<classes::UnknownRoot>()
        }
        Error::Threads(_) | Error::NoRoot { .. } | Error::NoSpaceMaps | Error::NoBlockSize => {
            py.get_type::<classes::ThinscopeError>()
        }
    };
    Ok(PyErr::from_value(class.call((message,), Some(&fields))?))
}

fn set_rule(fields: &Bound<'_, PyDict>, field: &str, expected: &str, found: &str) -> PyResult<()> {
    fields.set_item("field", field)?;
    fields.set_item("expected", expected)?;
    fields.set_item("found", found)
}
