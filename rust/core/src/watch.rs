//! Progress and cancellation, passed to every pass.
//!
//! The thread that asked keeps one end and looks at it from time to time; the passes advance
//! the other end, which is also where they learn that nobody waits any more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// What a pass is doing, in the words shown to a person.
pub type Phase = &'static str;

/// How far a pass has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done; empty before anything has begun.
    pub phase: Phase,
    /// Steps done of this phase.
    pub done: u64,
    /// Steps that the phase has in all; 0 where that is not known.
    pub total: u64,
}

/// Shared by the thread that asked and the threads that work.
#[derive(Debug, Default)]
pub struct Watch {
    cancelled: AtomicBool,
    phase: Mutex<Phase>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Watch {
    /// A watch that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the passes to stop soon; they return [`Error::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// How far the present phase has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let phase = self.phase.lock().map(|phase| *phase).unwrap_or_default();
        Progress {
            phase,
            done: self.done.load(Ordering::Relaxed),
            total: self.total.load(Ordering::Relaxed),
        }
    }

    /// Starts a phase of `total` steps (0: not known).
    pub fn begin(&self, phase: Phase, total: u64) {
        if let Ok(mut current) = self.phase.lock() {
            *current = phase;
        }
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// Counts steps done.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`] once [`cancel`](Self::cancel) was called.
    pub fn advance(&self, steps: u64) -> Result<()> {
        self.done.fetch_add(steps, Ordering::Relaxed);
        if self.cancelled.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}
