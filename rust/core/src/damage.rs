//! What is broken in a pool that is read all the same: each block once, with what is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::units::MetadataBlock;

/// Blocks that are left out of an answer, noted by several threads.
///
/// Memory: about 200 bytes a broken block.
#[derive(Debug, Default)]
pub struct Damage(Mutex<BTreeMap<MetadataBlock, Arc<Error>>>);

impl Damage {
    /// Notes what is wrong with a block, unless something is noted of it. Returns what stays.
    pub fn note(&self, block: MetadataBlock, error: impl Into<Arc<Error>>) -> Arc<Error> {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(blocks.entry(block).or_insert_with(|| error.into()))
    }

    /// Goes on after damage, which is noted; returns what it is.
    ///
    /// # Errors
    ///
    /// Any other error.
    pub fn forgive(&self, block: MetadataBlock, error: Error) -> Result<Arc<Error>> {
        if error.is_damage() { Ok(self.note(block, error)) } else { Err(error) }
    }

    /// What is wrong with a block, if something is.
    #[must_use]
    pub fn of(&self, block: MetadataBlock) -> Option<Arc<Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&block).cloned()
    }

    /// Whether nothing is broken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// All of it, by ascending block.
    #[must_use]
    pub fn all(&self) -> Vec<(MetadataBlock, Arc<Error>)> {
        let blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.iter().map(|(block, error)| (*block, Arc::clone(error))).collect()
    }
}
