//! Pack files, as `thin_metadata_pack` writes them: written, and their programs run in the plainest way.
//!
//! A pack is a magic number, a version, the size of a block and the number of blocks, 8 bytes each;
//! then frames: their length, and a zlib stream of blocks: number, program. A program's instructions
//! are bytes, operation and argument in four bits each.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use thinscope_core::units::BLOCK_SIZE;

/// What a pack begins with.
pub(super) const MAGIC: u64 = 0xa537_a0aa_6309_ef77;

/// A pack of so many blocks, without any.
pub(super) fn header(blocks: u64) -> Vec<u8> {
    [MAGIC, 3, BLOCK_SIZE as u64, blocks].map(u64::to_le_bytes).concat()
}

/// Adds a frame with its content.
pub(super) fn add_frame(pack: &mut Vec<u8>, content: &[u8]) {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("into memory");
    let frame = encoder.finish().expect("into memory");
    pack.extend((frame.len() as u64).to_le_bytes());
    pack.extend(frame);
}

/// How a block is turned into a program: what else would be as short.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste(pub(super) u8);

/// Writes a program that emits a block.
pub(super) fn encode(block: &[u8; BLOCK_SIZE], taste: Taste) -> Vec<u8> {
    let words: Vec<u64> = block
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(*word.first_chunk().expect("eight bytes")))
        .collect();
    let mut program = Vec::new();
    let mut number = 0;
    let mut at = 0;
    while at < words.len() {
        // Every so often, bytes as they are, or values parted into data block and time.
        let left = words.len() - at;
        match taste.0 >> 6 {
            1 if at % 64 == 63 => {
                let length = 8 * left.min(2);
                program.extend([0xa2, length as u8, 0]);
                program.extend(&block[at * 8..at * 8 + length]);
                at += length / 8;
                continue;
            }
            2 if at % 64 == 40 => {
                program.push(0x91);
                program.push(block[at * 8]);
                program.push(0x97);
                program.extend(&block[at * 8 + 1..at * 8 + 8]);
                at += 1;
                continue;
            }
            3 if at % 128 == 8 && left >= 32 => {
                program.extend([0xb0, 32]);
                let parted = &words[at..at + 32];
                let uppers: Vec<u64> = parted.iter().map(|word| word >> 24).collect();
                let lowers: Vec<u64> = parted.iter().map(|word| word & 0xff_ffff).collect();
                for half in [uppers, lowers] {
                    let mut rest = &half[..];
                    while !rest.is_empty() {
                        let taken = step(&mut program, &mut number, rest, taste);
                        rest = &rest[taken..];
                    }
                }
                at += 32;
                continue;
            }
            _ => {}
        }
        at += step(&mut program, &mut number, &words[at..], taste);
    }
    program
}

/// Emits the next words, as many as one instruction can.
fn step(program: &mut Vec<u8>, number: &mut u64, words: &[u64], taste: Taste) -> usize {
    let most = if taste.0 & 1 == 0 { 4095 } else { 15 };
    let same = words.iter().take(most).take_while(|word| **word == *number).count();
    if same > 0 {
        count(program, 0x50, same);
        return same;
    }
    let change = words[0].wrapping_sub(*number);
    let mut next = words[0];
    let mut times = 1;
    while times < most && words.get(times) == Some(&next.wrapping_add(change)) {
        next = next.wrapping_add(change);
        times += 1;
    }
    if times > 2 || taste.0 & 2 != 0 {
        count(program, 0x70, times);
    } else {
        (times, next) = (1, words[0]);
    }
    let minus = change.wrapping_neg();
    match (change, minus) {
        (1..16, _) if taste.0 & 4 == 0 => program.push(0x10 | change as u8),
        (_, 1..16) => program.push(0x30 | minus as u8),
        (0..0x1_0000_0000, _) => operand(program, 0x20, change),
        (_, 0..0x1_0000) => operand(program, 0x40, minus),
        // A number that is set cannot be repeated with changes.
        _ if times == 1 => operand(program, 0x00, words[0]),
        _ => operand(program, 0x20, change),
    }
    *number = next;
    times
}

fn count(program: &mut Vec<u8>, operation: u8, count: usize) {
    if count < 16 {
        program.push(operation | count as u8);
    } else {
        program.extend([(operation + 0x10) | (count >> 8) as u8, count as u8]);
    }
}

fn operand(program: &mut Vec<u8>, operation: u8, number: u64) {
    let width = match number {
        0..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    };
    program.push(operation | width as u8);
    program.extend(&number.to_le_bytes()[..width]);
}

/// What a program emits, up to a length, and how many of its bytes that took; none where it breaks a
/// rule or ends too early.
pub(super) fn run(program: &[u8], length: usize) -> Option<(Vec<u8>, usize)> {
    let mut machine = Machine { program, at: 0, number: 0 };
    let emitted = machine.emit(length, false)?;
    Some((emitted, machine.at))
}

struct Machine<'a> {
    program: &'a [u8],
    at: usize,
    number: u64,
}

impl Machine<'_> {
    fn emit(&mut self, length: usize, is_half: bool) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut times = None;
        while bytes.len() < length {
            let instruction = self.operand(1)? as u8;
            let argument = u64::from(instruction & 15);
            let sized = matches!(argument, 1 | 2 | 4 | 8).then_some(argument as usize);
            let mut words = Vec::new();
            match instruction >> 4 {
                change @ 0..=4 => {
                    let operand = match change {
                        1 | 3 => argument,
                        _ => self.operand(sized?)?,
                    };
                    for _ in 0..times.take().unwrap_or(1) {
                        self.number = match change {
                            0 => operand,
                            1 | 2 => self.number.wrapping_add(operand),
                            _ => self.number.wrapping_sub(operand),
                        };
                        words.push(self.number);
                    }
                    // What is set stays set, even if it is never emitted.
                    if change == 0 {
                        self.number = operand;
                    }
                }
                _ if times.is_some() => return None,
                5 => words = vec![self.number; argument as usize],
                6 => words = vec![self.number; self.long(argument)?],
                7 => times = Some(argument as usize),
                8 => times = Some(self.long(argument)?),
                9 | 10 => {
                    let copied = match instruction >> 4 {
                        9 => argument,
                        _ => self.operand(sized?)?,
                    };
                    let end = self.at.checked_add(usize::try_from(copied).ok()?)?;
                    bytes.extend(self.program.get(self.at..end)?);
                    self.at = end;
                }
                11 if !is_half => {
                    let count = self.long(argument)?;
                    let uppers = self.emit(8 * count, true)?;
                    let lowers = self.emit(8 * count, true)?;
                    for (upper, lower) in uppers.chunks(8).zip(lowers.chunks(8)) {
                        let word =
                            |bytes: &[u8]| bytes.first_chunk().copied().map(u64::from_le_bytes);
                        words.push(word(upper)? << 24 | (word(lower)? & 0xff_ffff));
                    }
                }
                _ => return None,
            }
            bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            if bytes.len() > length {
                return None;
            }
        }
        Some(bytes)
    }

    fn operand(&mut self, width: usize) -> Option<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.program.get(self.at..self.at + width)?);
        self.at += width;
        Some(u64::from_le_bytes(bytes))
    }

    /// A count of 12 bits.
    fn long(&mut self, high: u64) -> Option<usize> {
        Some((high << 8 | self.operand(1)?) as usize)
    }
}
