//! Long calls: the calling thread conducts, others work.
//!
//! Workers never touch Python. The conductor waits detached, in slices of 50 ms; between them
//! it looks for signals, reports progress, serves reads of Python file objects, and writes what
//! the job hands over: in the calling thread, where a signal ends a write that waits.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Select, bounded};
use pyo3::prelude::*;
use thinscope_core::dump::Take;
use thinscope_core::watch::Watch;
use thinscope_core::{Error, Result};

use crate::error::exception;
use crate::output::Output;
use crate::source::FileObject;

/// How long a signal or a report of progress may wait.
const SLICE: Duration = Duration::from_millis(50);

/// What a job tells its conductor.
enum Message<T> {
    Text(Vec<u8>),
    Answer(Result<T>),
}

/// What conducting a call needs to know of the source.
#[derive(Debug)]
pub(crate) struct Conductor {
    /// How the caller named the source.
    pub(crate) source: String,
    /// A callable `(phase, done, total)`.
    pub(crate) progress: Option<Py<PyAny>>,
    /// The file objects that the reads go to.
    pub(crate) files: Vec<Arc<FileObject>>,
}

impl Conductor {
    /// Runs a job on another thread and conducts it to its end.
    ///
    /// # Errors
    ///
    /// The exception for the job's error, or what a signal handler or the progress callable
    /// raised; the job has ended in each case.
    pub(crate) fn conduct<T: Send>(
        &self,
        py: Python<'_>,
        job: impl FnOnce(&Watch) -> Result<T> + Send,
    ) -> PyResult<T> {
        self.conduct_to(py, &mut Output::None, |watch, _| job(watch))
    }

    /// The same for a job that hands over text, which is written while the job goes on.
    ///
    /// # Errors
    ///
    /// As [`conduct`](Self::conduct), or why something could not be written.
    pub(crate) fn conduct_to<T: Send>(
        &self,
        py: Python<'_>,
        output: &mut Output,
        job: impl FnOnce(&Watch, &mut Take<'_>) -> Result<T> + Send,
    ) -> PyResult<T> {
        let answer = self.attempt(py, output, job)?;
        answer.map_err(|error| exception(py, &self.source, &error))
    }

    /// The same for a job that reads another source as well.
    ///
    /// # Errors
    ///
    /// As [`conduct`](Self::conduct).
    pub(crate) fn conduct_with<T: Send>(
        &self,
        py: Python<'_>,
        other: &Self,
        job: impl FnOnce(&Watch) -> Result<T> + Send,
    ) -> PyResult<T> {
        let files = self.files.iter().chain(&other.files).cloned().collect();
        let progress = self.progress.as_ref().map(|progress| progress.clone_ref(py));
        Self { source: self.source.clone(), progress, files }.conduct(py, job)
    }

    /// The same, and leaves it to the caller to say what an error of the job is about.
    ///
    /// # Errors
    ///
    /// What was raised, or why something could not be written.
    pub(crate) fn attempt<T: Send>(
        &self,
        py: Python<'_>,
        output: &mut Output,
        job: impl FnOnce(&Watch, &mut Take<'_>) -> Result<T> + Send,
    ) -> PyResult<Result<T>> {
        let watch = Watch::new();
        let mut raised = None;
        let answer = py.detach(|| {
            thread::scope(|scope| {
                let (sender, receiver) = bounded(1);
                let watch = &watch;
                let spawned = thread::Builder::new().spawn_scoped(scope, move || {
                    // The conductor waits for as long as the job runs.
                    let mut write = |text| {
                        let sent = sender.send(Message::Text(text));
                        sent.map_err(|_| Error::Cancelled)
                    };
                    let answer = job(watch, &mut write);
                    let _ = sender.send(Message::Answer(answer));
                });
                spawned.map_err(|error| Error::Threads(error.to_string()))?;
                self.wait(&receiver, watch, output, &mut raised)
            })
        });
        raised.map_or(Ok(answer), Err)
    }

    /// Waits for the answer. What is raised meanwhile ends the job; the first of it is kept.
    fn wait<T>(
        &self,
        messages: &Receiver<Message<T>>,
        watch: &Watch,
        output: &mut Output,
        first_raised: &mut Option<PyErr>,
    ) -> Result<T> {
        let mut ready = Select::new();
        ready.recv(messages);
        for file in &self.files {
            ready.recv(&file.requests);
        }
        let mut slice_start = Instant::now();
        loop {
            let selected = ready.select_timeout(SLICE.saturating_sub(slice_start.elapsed()));
            let mut raised = match selected.map(|selected| (selected.index(), selected)) {
                Err(_) => None,
                Ok((0, selected)) => match selected.recv(messages) {
                    Ok(Message::Answer(answer)) => return answer,
                    Ok(Message::Text(_)) if first_raised.is_some() => None,
                    Ok(Message::Text(text)) => output.write(&text, || self.look_up(watch)).err(),
                    // A job that panicked says no more; its panic goes on when the scope ends.
                    Err(_) => return Err(Error::Cancelled),
                },
                Ok((at, selected)) => match self.files.get(at.saturating_sub(1)) {
                    Some(file) => {
                        let request = selected.recv(&file.requests);
                        if request.is_err() {
                            // The source has gone: its file object was unpacked.
                            ready.remove(at);
                        }
                        request.ok().and_then(|request| file.serve(request))
                    }
                    None => return Err(Error::Cancelled),
                },
            };
            if slice_start.elapsed() >= SLICE {
                slice_start = Instant::now();
                raised = raised.or(self.look_up(watch).err());
            }
            if let Some(raised) = raised {
                watch.cancel();
                first_raised.get_or_insert(raised);
            }
        }
    }

    /// Looks for signals and reports progress. Where the interpreter ends, nobody waits.
    fn look_up(&self, watch: &Watch) -> PyResult<()> {
        let looked = Python::try_attach(|py| {
            py.check_signals()?;
            let Some(progress) = &self.progress else { return Ok(()) };
            let at = watch.progress();
            progress.call1(py, (at.phase, at.done, at.total)).map(drop)
        });
        looked.unwrap_or_else(|| {
            watch.cancel();
            Ok(())
        })
    }
}
