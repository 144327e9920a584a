//! Pack files, as `thin_metadata_pack` writes them: the blocks of metadata that carry a checksum,
//! each as a small program that emits its 4,096 bytes.
//!
//! A header is followed by frames: a length, and a zlib stream of so many bytes. A frame unpacks to
//! records: a block's number, and its program. Blocks come in any order, each once; those that do not
//! come are zeros. All numbers are little-endian.

use std::io::{self, BufRead, Read};

use flate2::bufread::ZlibDecoder;
use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use super::spool::{Spool, SpooledSource, check_size};
use crate::checksum::BlockKind;
use crate::raw::Page;
use crate::units::{BLOCK_BYTES, index_u64, widen};
use crate::watch::Watch;

/// What a pack file begins with.
pub(super) const MAGIC: u64 = 0xa537_a0aa_6309_ef77;

/// The only version.
const VERSION: u64 = 3;

/// Most bytes of one block's program; the packer writes no more than 6 KiB. Instructions that emit
/// nothing could go on without end.
const MAX_PROGRAM_BYTES: u64 = 64 << 10;

/// Bits of a mapping's value that hold the time: values are split there.
const TIME_BITS: u32 = 24;

/// Unpacks a whole pack file.
pub(super) fn unpack(mut packed: impl BufRead, watch: &Watch) -> io::Result<SpooledSource> {
    let _magic = read_number(&mut packed)?;
    for (field, expected) in [("version", VERSION), ("block size", BLOCK_BYTES)] {
        let found = read_number(&mut packed)?;
        if found != expected {
            return Err(invalid(format!("the {field} is {found}, expected {expected}")));
        }
    }
    let blocks = read_number(&mut packed)?;
    check_size(blocks.saturating_mul(BLOCK_BYTES))?;
    let mut blocks = Blocks { spool: Spool::new(), taken: vec![false; index_u64(blocks)], watch };
    while !packed.fill_buf()?.is_empty() {
        let length = read_number(&mut packed)?;
        let mut frame = ZlibDecoder::new(packed.by_ref().take(length));
        blocks.take_frame(&mut frame)?;
        if frame.total_in() != length {
            return Err(invalid("a frame holds more than its blocks"));
        }
    }
    blocks.spool.finish(widen(blocks.taken.len()).saturating_mul(BLOCK_BYTES))
}

/// The blocks that have come.
struct Blocks<'a> {
    spool: Spool,
    taken: Vec<bool>,
    watch: &'a Watch,
}

impl Blocks<'_> {
    fn take_frame(&mut self, frame: &mut impl Read) -> io::Result<()> {
        let mut frame = io::BufReader::new(frame);
        if frame.fill_buf()?.is_empty() {
            return Err(invalid("a frame without blocks"));
        }
        while !frame.fill_buf()?.is_empty() {
            self.watch.advance(0).map_err(io::Error::other)?;
            let block = read_number(&mut frame)?;
            let Some(taken) = self.taken.get_mut(index_u64(block)) else {
                let count = self.taken.len();
                return Err(invalid(format!("block {block} of {count} blocks")));
            };
            if std::mem::replace(taken, true) {
                return Err(invalid(format!("block {block} comes twice")));
            }
            let mut page = Page::zeroed();
            let mut program = Program { input: frame.by_ref().take(MAX_PROGRAM_BYTES), number: 0 };
            program.emit(page.bytes_mut(), false).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => invalid(format!("block {block}: {error}")),
                _ => error,
            })?;
            if BlockKind::of(&page).is_none() {
                return Err(invalid(format!("block {block}: its checksum does not hold")));
            }
            self.spool.push(block, &page)?;
        }
        Ok(())
    }
}

/// A program that emits a block: instructions of one byte, operation and argument in four bits
/// each, with operands behind them.
struct Program<R> {
    input: io::Take<R>,
    /// What most instructions change and emit.
    number: u64,
}

impl<R: Read> Program<R> {
    /// Runs until the buffer is full. In one half of a split run there is no other.
    fn emit(&mut self, buffer: &mut [u8], in_split: bool) -> io::Result<()> {
        let mut room = Room(buffer);
        let mut count = None;
        while !room.0.is_empty() {
            let [instruction] = self.read()?;
            let (operation, argument) = (instruction >> 4, instruction & 0xf);
            if operation > 4 && count.is_some() {
                return Err(invalid("a count before what cannot be repeated"));
            }
            let change = match operation {
                0 => Change::Set(self.read_number_of(argument)?),
                1 => Change::Add(argument.into()),
                2 => Change::Add(self.read_number_of(argument)?),
                // Adding wraps around: this takes away.
                3 => Change::Add(u64::from(argument).wrapping_neg()),
                4 => Change::Add(self.read_number_of(argument)?.wrapping_neg()),
                5 | 6 => {
                    let times = self.read_count(argument, operation == 6)?;
                    for _ in 0..times {
                        room.put(self.number)?;
                    }
                    continue;
                }
                7 | 8 => {
                    count = Some(self.read_count(argument, operation == 8)?);
                    continue;
                }
                9 => {
                    self.copy(&mut room, argument.into())?;
                    continue;
                }
                10 => {
                    let length = self.read_number_of(argument)?;
                    self.copy(&mut room, length)?;
                    continue;
                }
                11 if !in_split => {
                    let count = self.read_count(argument, true)?;
                    self.emit_split(&mut room, count)?;
                    continue;
                }
                _ => return Err(invalid(format!("unknown instruction {instruction:#04x}"))),
            };
            if let Change::Set(number) = change {
                self.number = number;
            }
            for _ in 0..count.take().unwrap_or(1) {
                if let Change::Add(number) = change {
                    self.number = self.number.wrapping_add(number);
                }
                room.put(self.number)?;
            }
        }
        Ok(())
    }

    /// Emits numbers of which all upper parts come first, then all lower ones.
    fn emit_split(&mut self, room: &mut Room<'_>, count: u64) -> io::Result<()> {
        let length = index_u64(count).saturating_mul(size_of::<u64>());
        let mut uppers = vec![0; length];
        let mut lowers = vec![0; length];
        self.emit(&mut uppers, true)?;
        self.emit(&mut lowers, true)?;
        let numbers = |bytes| <[U64]>::ref_from_bytes(bytes).unwrap_or_default();
        for (upper, lower) in numbers(&uppers).iter().zip(numbers(&lowers)) {
            let lower = lower.get() & ((1 << TIME_BITS) - 1);
            room.put(upper.get() << TIME_BITS | lower)?;
        }
        Ok(())
    }

    fn read<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        read_exact(&mut self.input, &mut bytes)?;
        Ok(bytes)
    }

    /// A number of so many bytes.
    fn read_number_of(&mut self, width: u8) -> io::Result<u64> {
        Ok(match width {
            1 => u8::from_le_bytes(self.read()?).into(),
            2 => u16::from_le_bytes(self.read()?).into(),
            4 => u32::from_le_bytes(self.read()?).into(),
            8 => u64::from_le_bytes(self.read()?),
            _ => return Err(invalid(format!("a number of {width} bytes"))),
        })
    }

    /// A count of 4 bits, or of 12.
    fn read_count(&mut self, argument: u8, is_long: bool) -> io::Result<u64> {
        let high = u64::from(argument);
        if !is_long {
            return Ok(high);
        }
        let [low] = self.read()?;
        Ok(high << 8 | u64::from(low))
    }

    /// Copies bytes as they are.
    fn copy(&mut self, room: &mut Room<'_>, length: u64) -> io::Result<()> {
        read_exact(&mut self.input, room.take(index_u64(length))?)
    }
}

#[derive(Clone, Copy)]
enum Change {
    Set(u64),
    Add(u64),
}

/// The part of a buffer that is still to be filled.
struct Room<'a>(&'a mut [u8]);

impl<'a> Room<'a> {
    /// Splits off the next bytes.
    fn take(&mut self, length: usize) -> io::Result<&'a mut [u8]> {
        self.0.split_off_mut(..length).ok_or_else(|| invalid("it runs beyond its block"))
    }

    fn put(&mut self, number: u64) -> io::Result<()> {
        self.take(size_of::<u64>())?.copy_from_slice(&number.to_le_bytes());
        Ok(())
    }
}

fn read_number(input: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; size_of::<u64>()];
    read_exact(input, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_exact(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<()> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => invalid("it ends too early"),
        _ => error,
    })
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
