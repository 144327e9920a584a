//! Errors in four families: the source could not be read, it is not thin metadata, it is a
//! kind that is not supported, it is corrupt. Each says where, in numbers a caller can use.

use std::fmt;
use std::io;

use crate::btree::Tree;
use crate::content::Part;
use crate::identity::Identity;
use crate::units::{BLOCK_SIZE, DataBlock, DeviceId, MetadataBlock, VirtualBlock, widen};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source could not be opened at all.
    #[error("{}", reason(.0))]
    Open(#[source] io::Error),

    /// A read of the source failed.
    #[error("cannot read block {block} (offset {offset:#x}): {}", in_words(.cause))]
    Read {
        /// The block at which the failed read begins.
        block: u64,
        /// The same in bytes.
        offset: u64,
        /// What the system, or the file object, said.
        #[source]
        cause: io::Error,
    },

    /// Another program holds the pool.
    #[error("in use: {by}")]
    InUse {
        /// Who holds it, in words.
        by: String,
    },

    /// The pool committed while it was read.
    #[error("the pool changed while it was read")]
    Changed,

    /// A compressed source that cannot be unpacked, or unpacks to too much.
    #[error("cannot unpack: {}", in_words(.0))]
    Unpack(#[source] io::Error),

    /// What was read could not be packed.
    #[error("cannot pack: {}", in_words(.0))]
    Pack(#[source] io::Error),

    /// The source holds something else.
    #[error("not thin metadata: {0}")]
    NotThin(Identity),

    /// Thin metadata, but with features that this reader does not know.
    #[error("unsupported thin metadata: {field} is {found}, expected {expected}")]
    Unsupported {
        /// The superblock's field.
        field: &'static str,
        /// What is supported.
        expected: String,
        /// What is there.
        found: String,
    },

    /// Thin metadata that breaks a rule of its format.
    #[error("corrupt metadata: {0}")]
    Corrupt(Box<Corruption>),

    /// A metadata snapshot was asked for, and the pool holds none.
    #[error("the pool holds no metadata snapshot")]
    NoMetadataSnapshot,

    /// Reference counts were asked for of a state that has none of its own.
    #[error("a salvaged state has no reference counts")]
    NoSpaceMaps,

    /// No superblock tells the size of a data block.
    #[error("no superblock is left that tells the size of a data block")]
    NoBlockSize,

    /// A block was named as the root of a state, and is none.
    #[error("block {0} is the root of no state and of no device")]
    UnknownRoot(u64),

    /// No device of the pool has this id.
    #[error("no device {0} in the pool")]
    UnknownDevice(DeviceId),

    /// What the content of a device lies in could not be read.
    #[error("cannot read the {part} at offset {offset:#x}: {}", in_words(.cause))]
    Content {
        /// What could not be read.
        part: Part,
        /// Where the failed read begins, in bytes.
        offset: u64,
        /// What the system, or the file object, said.
        #[source]
        cause: io::Error,
    },

    /// A device maps a block that the data does not reach to.
    #[error(
        "block {virtual_block} of device {device} is data block {data_block}, and the data ends \
         before it: it has {data_bytes} bytes, the pool's data device {pool_bytes}"
    )]
    BeyondData {
        /// The device.
        device: DeviceId,
        /// Its block, the first one that is not there.
        virtual_block: VirtualBlock,
        /// The block of the data device.
        data_block: DataBlock,
        /// What there is of the data, in bytes.
        data_bytes: u64,
        /// What the pool's data device has, in bytes.
        pool_bytes: u64,
    },

    /// No mapping tree can begin in this metadata block.
    #[error("no root in block {block}: expected {rule}")]
    NoRoot {
        /// The block.
        block: u64,
        /// Where a root can lie, in words.
        rule: String,
    },

    /// Nobody waits for the answer any more.
    #[error("cancelled")]
    Cancelled,

    /// Threads could not be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
}

impl Error {
    /// Whether it is about one block, so that a tolerant reader goes on around it: the block
    /// cannot be read, or breaks a rule.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Corrupt(_))
    }

    /// The metadata block that it is about, if any, and what is wrong there, in words.
    #[must_use]
    pub fn place_and_reason(&self) -> (Option<u64>, String) {
        match self {
            Self::Corrupt(corruption) => {
                (Some(u64::from(corruption.block.get())), corruption.to_string())
            }
            Self::Read { block, .. } => (Some(*block), self.to_string()),
            _ => (None, self.to_string()),
        }
    }

    /// What to do next, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::InUse { .. } => Some(
                "make a metadata snapshot with `dmsetup message POOL 0 reserve_metadata_snap`, \
                 read it with --metadata-snapshot (in Python: metadata_snapshot=True), \
                 then give it back with `dmsetup message POOL 0 release_metadata_snap`",
            ),
            Self::Changed => Some(
                "the pool is live: make a metadata snapshot with `dmsetup message POOL 0 \
                 reserve_metadata_snap` and read it with --metadata-snapshot (in Python: \
                 metadata_snapshot=True)",
            ),
            Self::NoMetadataSnapshot => Some(
                "make one on the live pool with `dmsetup message POOL 0 reserve_metadata_snap`",
            ),
            Self::NoBlockSize => Some(
                "give it as it was when the pool was made: --data-block-size 64KiB (in Python: \
                 data_block_sectors=128)",
            ),
            Self::UnknownRoot(_) => Some("`thinscope salvage SOURCE` lists those that there are"),
            Self::NotThin(identity) => identity.hint(),
            Self::Corrupt(corruption) => corruption.hint.or(match corruption.structure {
                Structure::Superblock => Some(
                    "`thinscope check` tells all that is wrong; `thinscope salvage` looks for trees \
                     without the superblock",
                ),
                _ => Some(
                    "`thinscope check` tells which devices it hits; --tolerant (in Python: \
                     tolerant=True) goes on around it",
                ),
            }),
            Self::BeyondData { .. } => Some(
                "give the whole data device of this pool, or a raw copy of it: not packed, no qcow2",
            ),
            Self::Open(_)
            | Self::Read { .. }
            | Self::Content { .. }
            | Self::Unpack(_)
            | Self::Pack(_)
            | Self::Unsupported { .. }
            | Self::NoSpaceMaps
            | Self::UnknownDevice(_)
            | Self::NoRoot { .. }
            | Self::Cancelled
            | Self::Threads(_) => None,
        }
    }
}

/// The system's reason in words, without the number that Rust appends.
#[must_use]
pub fn reason(cause: &io::Error) -> String {
    let text = cause.to_string();
    match text.rsplit_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// The same in the middle of a sentence.
fn in_words(cause: &io::Error) -> String {
    let text = reason(cause);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if cause.raw_os_error().is_some() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text,
    }
}

/// The system's number of a failure; also of one that somebody else passed on, as a file object
/// does, and names as its own cause.
#[must_use]
pub fn number(cause: &io::Error) -> Option<i32> {
    cause.raw_os_error().or_else(|| {
        let below = cause.get_ref()?.source()?.downcast_ref::<io::Error>()?;
        below.raw_os_error()
    })
}

/// The structures of the format, as named in errors and findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Structure {
    /// Block 0.
    Superblock,
    /// The superblock's copy that the metadata snapshot holds.
    MetadataSnapshot,
    /// Root of the data space map, in the superblock.
    DataSpaceMapRoot,
    /// Root of the metadata space map, in the superblock.
    MetadataSpaceMapRoot,
    /// Index block of the metadata space map.
    IndexBlock,
    /// A bitmap of the data space map.
    DataBitmap,
    /// A bitmap of the metadata space map.
    MetadataBitmap,
    /// A node of a B-tree.
    Node(Tree),
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superblock => f.write_str("superblock"),
            Self::MetadataSnapshot => f.write_str("metadata snapshot"),
            Self::DataSpaceMapRoot => f.write_str("data space map root"),
            Self::MetadataSpaceMapRoot => f.write_str("metadata space map root"),
            Self::IndexBlock => f.write_str("metadata index block"),
            Self::DataBitmap => f.write_str("data bitmap"),
            Self::MetadataBitmap => f.write_str("metadata bitmap"),
            Self::Node(tree) => write!(f, "{tree} node"),
        }
    }
}

/// A rule of the format that a block breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The block that breaks it.
    pub block: MetadataBlock,
    /// Where the field lies in its block, in bytes.
    pub field_offset: usize,
    /// What the block is.
    pub structure: Structure,
    /// The field, under its kernel name where it has one.
    pub field: &'static str,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// What to do next, where there is something to do.
    pub hint: Option<&'static str>,
}

impl Corruption {
    /// Where the field lies in the source, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.block.offset().saturating_add(widen(self.field_offset % BLOCK_SIZE))
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "block {} (offset {:#x}), {}: {} is {}, expected {}",
            self.block,
            self.offset(),
            self.structure,
            self.field,
            self.found,
            self.expected
        )
    }
}

/// A block seen as one structure: makes the errors of that structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The block.
    pub block: MetadataBlock,
    /// What it is, or ought to be.
    pub structure: Structure,
}

impl Place {
    /// A corrupt field at this place.
    pub fn corrupt(
        self,
        field: &'static str,
        field_offset: usize,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Error {
        self.corrupt_with_hint(field, field_offset, expected, found, None)
    }

    /// A corrupt field at this place, with advice.
    pub fn corrupt_with_hint(
        self,
        field: &'static str,
        field_offset: usize,
        expected: impl fmt::Display,
        found: impl fmt::Display,
        hint: Option<&'static str>,
    ) -> Error {
        Error::Corrupt(Box::new(Corruption {
            block: self.block,
            field_offset,
            structure: self.structure,
            field,
            expected: expected.to_string(),
            found: found.to_string(),
            hint,
        }))
    }
}
