//! A lock that knows who has it: a thread that comes back to its own lock, through a callback
//! or a signal handler, would wait for itself for ever.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use pyo3::prelude::*;
use pyo3::sync::MutexExt;

/// A value that one thread at a time may use.
#[derive(Debug, Default)]
pub(crate) struct Turn<T> {
    owner: Mutex<Option<ThreadId>>,
    value: Mutex<T>,
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { owner: Mutex::default(), value: Mutex::new(value) }
    }

    /// Uses the value when it is this thread's turn; None where it is already. The thread must
    /// not hold Python: who has the turn may need it.
    pub(crate) fn take<R>(&self, then: impl FnOnce(&mut T) -> R) -> Option<R> {
        if self.is_mine() {
            return None;
        }
        Some(self.run(self.value.lock().unwrap_or_else(PoisonError::into_inner), then))
    }

    /// The same for a thread that holds Python; it lets go of it while it waits.
    pub(crate) fn take_attached<R>(
        &self,
        py: Python<'_>,
        then: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        if self.is_mine() {
            return None;
        }
        let value = self.value.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        Some(self.run(value, then))
    }

    fn run<R>(&self, mut value: MutexGuard<'_, T>, then: impl FnOnce(&mut T) -> R) -> R {
        self.set_owner(Some(thread::current().id()));
        let result = then(&mut value);
        self.set_owner(None);
        result
    }

    fn is_mine(&self) -> bool {
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        *owner == Some(thread::current().id())
    }

    fn set_owner(&self, thread: Option<ThreadId>) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = thread;
    }
}
