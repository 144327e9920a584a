//! What a check tells.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use crate::btree::KeyRange;
use crate::error::{Corruption, Error, reason};
use crate::units::{BLOCK_BYTES, DeviceId, MetadataBlock};

/// The code of a block that cannot be read.
pub(super) const UNREADABLE: &str = "unreadable";

/// Findings of one kind that are told.
const MAX_OF_A_KIND: u64 = 1000;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is lost, but somebody should know.
    Warning,
    /// The metadata is broken: something is lost, or will be.
    Damage,
}

/// A step on the way from the superblock to a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What lies there.
    pub name: String,
    /// The metadata block.
    pub block: u64,
}

/// Virtual blocks of a device that a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Affected {
    /// The device.
    pub device: DeviceId,
    /// Whether it is the device as the metadata snapshot keeps it.
    pub in_metadata_snapshot: bool,
    /// The virtual blocks.
    pub range: KeyRange,
    /// How many mappings are lost there, where the device's record and nothing else tells.
    pub mappings: Option<u64>,
}

/// Blocks that follow each other, of either space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// First block.
    pub begin: u64,
    /// Number of blocks.
    pub length: u64,
}

/// Something wrong with the metadata.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What it is, in a word that does not change from release to release.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The same as a sentence.
    pub message: String,
    /// The metadata block, where it is about one.
    pub block: Option<u64>,
    /// Where in the source the field lies, in bytes.
    pub offset: Option<u64>,
    /// What the block is.
    pub structure: Option<String>,
    /// The field, under its kernel name where it has one.
    pub field: Option<&'static str>,
    /// What the rule asks for.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// From the superblock to the block.
    pub path: Vec<Step>,
    /// What is lost, or not to be believed, of devices.
    pub affected: Vec<Affected>,
    /// Devices' ranges beyond those named.
    pub more_affected: u64,
    /// How many of what the code says: blocks, or 1.
    pub count: u64,
    /// Which blocks, the first of them.
    pub blocks: Vec<Blocks>,
    /// What to do next, where there is something to do.
    pub hint: Option<&'static str>,
}

impl Finding {
    /// A finding about the pool.
    pub(super) fn new(code: &'static str, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            block: None,
            offset: None,
            structure: None,
            field: None,
            expected: None,
            found: None,
            path: Vec::new(),
            affected: Vec::new(),
            more_affected: 0,
            count: 1,
            blocks: Vec::new(),
            hint: None,
        }
    }

    /// What an error of a reader says about a block.
    pub(super) fn of_error(code: &'static str, error: &Error) -> Self {
        let mut finding = Self::new(code, Severity::Damage, error.to_string());
        match error {
            Error::Corrupt(corruption) => finding.place(corruption),
            Error::Read { block, offset, cause } => {
                finding.code = UNREADABLE;
                finding.block = Some(*block);
                finding.offset = Some(*offset);
                finding.found = Some(reason(cause));
            }
            Error::Unsupported { field, expected, found } => {
                finding.code = "unsupported";
                finding.field = Some(field);
                finding.expected = Some(expected.clone());
                finding.found = Some(found.clone());
            }
            _ => {}
        }
        finding
    }

    fn place(&mut self, corruption: &Corruption) {
        self.message = corruption.to_string();
        self.block = Some(u64::from(corruption.block.get()));
        self.offset = Some(corruption.offset());
        self.structure = Some(corruption.structure.to_string());
        self.field = Some(corruption.field);
        self.expected = Some(corruption.expected.clone());
        self.found = Some(corruption.found.clone());
        self.hint = corruption.hint;
    }

    /// The same, lying at a place.
    pub(super) fn at(mut self, block: MetadataBlock, path: Vec<Step>) -> Self {
        let number = u64::from(block.get());
        self.block.get_or_insert(number);
        self.offset.get_or_insert(number.saturating_mul(BLOCK_BYTES));
        self.path = path;
        self
    }

    /// The same, with what ought to be and what is.
    pub(super) fn with(
        mut self,
        field: &'static str,
        expected: impl Display,
        found: impl Display,
    ) -> Self {
        self.field = Some(field);
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }
}

/// Findings, of each kind the first ones: crafted metadata can have any number.
#[derive(Debug, Default)]
pub(super) struct Findings {
    told: Vec<Finding>,
    /// How many there are of each kind.
    counts: BTreeMap<&'static str, u64>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code).or_default();
        *count = count.saturating_add(1);
        if *count <= MAX_OF_A_KIND {
            self.told.push(finding);
        }
    }

    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.push(finding));
    }

    /// The last finding about a field, to say what is lost by it.
    pub(super) fn about(&mut self, code: &str, field: &str) -> Option<&mut Finding> {
        let mut told = self.told.iter_mut().rev();
        told.find(|told| told.code == code && told.field == Some(field))
    }

    /// Whether a block is told of that cannot be read, or more than are told of.
    pub(super) fn is_about(&self, block: u64) -> bool {
        let is_it = |told: &Finding| told.code == UNREADABLE && told.block == Some(block);
        self.counts.get(UNREADABLE).is_some_and(|count| *count > MAX_OF_A_KIND)
            || self.told.iter().any(is_it)
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.counts.contains_key(code)
    }

    /// All that are told, and of each kind that has more, how many.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for (code, count) in self.counts {
            let more = count.saturating_sub(MAX_OF_A_KIND);
            if more == 0 {
                continue;
            }
            let severity = self.told.iter().find(|finding| finding.code == code);
            let severity = severity.map_or(Severity::Damage, |finding| finding.severity);
            let message = format!("{more} more findings of the kind `{code}`");
            self.told.push(Finding { count: more, ..Finding::new(code, severity, message) });
        }
        self.told
    }
}

/// The key by which findings about the same broken thing are put together.
pub(super) fn identity(error: &Arc<Error>) -> usize {
    Arc::as_ptr(error).addr()
}
