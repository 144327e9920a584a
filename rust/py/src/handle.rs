//! An open pool with the conductor of its questions; tables made of it share it.

use thinscope_core::Pool;

use crate::conduct::Conductor;

/// A pool and what conducting its questions takes; shared with the tables made of it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) pool: Pool,
    pub(crate) conductor: Conductor,
}
