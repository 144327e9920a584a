//! Ranges of other sources, one behind the other: a logical volume on its physical volumes.

use std::io;
use std::sync::Arc;

use super::BlockSource;
use crate::units::{index_u64, widen};

/// A range of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// Which of the sources.
    pub source: usize,
    /// Where the range begins in it, in bytes.
    pub begin: u64,
}

/// Neighbouring bytes, in one range of a source, or in turns in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes.
    pub length: u64,
    /// The ranges. One: the bytes lie in it as they are. Several: as many bytes as
    /// `stripe_bytes` of the first, as many of the second and so on, then of the first again.
    pub stripes: Vec<Stripe>,
    /// Bytes in one turn of a range; of no meaning where there is one range.
    pub stripe_bytes: u64,
}

impl Piece {
    /// What is wrong with it, if anything is.
    fn fault(&self, sources: usize) -> Option<&'static str> {
        let count = widen(self.stripes.len());
        if self.length == 0 || count == 0 {
            return Some("a piece without bytes");
        }
        if self.stripes.iter().any(|stripe| stripe.source >= sources) {
            return Some("a piece of a source that is not there");
        }
        let of_each = if count == 1 {
            self.length
        } else {
            let row = self.stripe_bytes.checked_mul(count);
            match row.and_then(|row| self.length.checked_rem(row)) {
                Some(0) => self.length.checked_div(count).unwrap_or(0),
                _ => return Some("a striped piece that is no whole number of stripes"),
            }
        };
        let overflows = |stripe: &Stripe| stripe.begin.checked_add(of_each).is_none();
        self.stripes.iter().any(overflows).then_some("a piece beyond 64 bits")
    }

    /// Where a byte of the piece lies, and how many follow it there; None beyond its end.
    fn find(&self, at: u64) -> Option<(usize, u64, u64)> {
        let left = self.length.checked_sub(at).filter(|left| *left > 0)?;
        if let [only] = self.stripes.as_slice() {
            return Some((only.source, only.begin.checked_add(at)?, left));
        }
        let (turn, inside) =
            (at.checked_div(self.stripe_bytes)?, at.checked_rem(self.stripe_bytes)?);
        let count = widen(self.stripes.len());
        let stripe = self.stripes.get(index_u64(turn.checked_rem(count)?))?;
        let row = turn.checked_div(count)?.checked_mul(self.stripe_bytes)?;
        let offset = stripe.begin.checked_add(row)?.checked_add(inside)?;
        Some((stripe.source, offset, left.min(self.stripe_bytes.checked_sub(inside)?)))
    }
}

/// Pieces of other sources, one behind the other.
///
/// Pieces may lie beyond the end of their source, as on an image that was cut off: reading them
/// is what fails. A piece takes the same memory whatever its length.
#[derive(Debug)]
pub struct Extents {
    sources: Vec<Arc<dyn BlockSource>>,
    pieces: Vec<Piece>,
    /// Where each piece ends, in bytes.
    ends: Vec<u64>,
}

impl Extents {
    /// Puts pieces of `sources` together.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, in words, for a piece that is empty, of no source, no whole number of
    /// stripes, or beyond 64 bits.
    pub fn new(sources: Vec<Arc<dyn BlockSource>>, pieces: Vec<Piece>) -> io::Result<Self> {
        let refuse = |why| io::Error::new(io::ErrorKind::InvalidInput, why);
        let mut ends = Vec::with_capacity(pieces.len());
        let mut end = 0_u64;
        for piece in &pieces {
            if let Some(fault) = piece.fault(sources.len()) {
                return Err(refuse(fault));
            }
            end = end.checked_add(piece.length).ok_or_else(|| refuse("pieces beyond 64 bits"))?;
            ends.push(end);
        }
        Ok(Self { sources, pieces, ends })
    }

    /// Where a byte lies, and how many follow it there.
    fn find(&self, at: u64) -> Option<(&Arc<dyn BlockSource>, u64, u64)> {
        let number = self.ends.partition_point(|end| *end <= at);
        let piece = self.pieces.get(number)?;
        let begin = self.ends.get(number)?.checked_sub(piece.length)?;
        let (source, offset, left) = piece.find(at.checked_sub(begin)?)?;
        Some((self.sources.get(source)?, offset, left))
    }
}

impl BlockSource for Extents {
    fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let mut at = offset;
        let mut room = buffer;
        while !room.is_empty() {
            let ends = || io::Error::new(io::ErrorKind::UnexpectedEof, "the volume ends here");
            let (source, inside, left) = self.find(at).ok_or_else(ends)?;
            let length = room.len().min(index_u64(left));
            let (part, behind) = room.split_at_mut(length);
            if inside.checked_add(widen(length)).is_none_or(|end| end > source.len()) {
                let message = format!(
                    "it lies at byte {inside} of an image that ends at byte {}",
                    source.len()
                );
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            source.read_at(inside, part)?;
            at = at.saturating_add(widen(length));
            room = behind;
        }
        Ok(())
    }

    fn can_change(&self) -> bool {
        self.sources.iter().any(|source| source.can_change())
    }

    fn may_be_stale(&self) -> bool {
        self.sources.iter().any(|source| source.may_be_stale())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    fn sources() -> Vec<Arc<dyn BlockSource>> {
        let bytes = |first: u8| (first..).take(100).collect::<Vec<_>>();
        vec![Arc::new(MemorySource::new(bytes(0))), Arc::new(MemorySource::new(bytes(100)))]
    }

    fn linear(source: usize, begin: u64, length: u64) -> Piece {
        Piece { length, stripes: vec![Stripe { source, begin }], stripe_bytes: 0 }
    }

    fn striped(length: u64, stripe_bytes: u64, begins: &[(usize, u64)]) -> Piece {
        let stripe = |(source, begin): &(usize, u64)| Stripe { source: *source, begin: *begin };
        Piece { length, stripes: begins.iter().map(stripe).collect(), stripe_bytes }
    }

    #[test]
    fn reads_across_pieces_from_any_place() {
        let pieces =
            vec![linear(1, 10, 5), striped(12, 2, &[(0, 20), (1, 40), (0, 60)]), linear(0, 0, 1)];
        let expected = [
            110, 111, 112, 113, 114, // linear
            20, 21, 140, 141, 60, 61, 22, 23, 142, 143, 62, 63, // three stripes in two rows
            0,
        ];
        let extents = Extents::new(sources(), pieces).unwrap();
        assert_eq!(extents.len(), 18);
        assert!(!extents.can_change() && !extents.may_be_stale());
        for begin in 0..18 {
            for end in begin..=18 {
                let mut read = vec![255; end - begin];
                extents.read_at(widen(begin), &mut read).unwrap();
                assert_eq!(read, expected[begin..end], "{begin}..{end}");
            }
        }
        let beyond = extents.read_at(17, &mut [0; 2]).unwrap_err();
        assert_eq!(beyond.kind(), io::ErrorKind::UnexpectedEof);
        assert!(extents.read_at(u64::MAX, &mut [0]).is_err());
    }

    #[test]
    fn pieces_beyond_an_image_are_told_when_they_are_read() {
        let extents = Extents::new(sources(), vec![linear(0, 90, 20), linear(1, 0, 4)]).unwrap();
        let mut read = [0; 10];
        extents.read_at(0, &mut read).unwrap();
        assert_eq!(read[9], 99);
        let error = extents.read_at(8, &mut read).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "it lies at byte 98 of an image that ends at byte 100");
        extents.read_at(20, &mut read[..4]).unwrap();
        assert_eq!(read[..4], [100, 101, 102, 103]);
    }

    #[test]
    fn refuses_what_cannot_be() {
        for (pieces, words) in [
            (vec![linear(0, 0, 0)], "a piece without bytes"),
            (vec![striped(4, 2, &[])], "a piece without bytes"),
            (vec![linear(2, 0, 1)], "a piece of a source that is not there"),
            (vec![striped(4, 0, &[(0, 0), (1, 0)])], "no whole number of stripes"),
            (vec![striped(6, 2, &[(0, 0), (1, 0)])], "no whole number of stripes"),
            (vec![striped(4, 1 << 63, &[(0, 0), (1, 0)])], "no whole number of stripes"),
            (vec![linear(0, u64::MAX, 2)], "a piece beyond 64 bits"),
            (vec![linear(0, 0, u64::MAX), linear(0, 0, 1)], "pieces beyond 64 bits"),
        ] {
            let error = Extents::new(sources(), pieces).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(Extents::new(sources(), Vec::new()).unwrap().is_empty());
    }

    #[test]
    fn extents_of_extents() {
        let inner = Extents::new(sources(), vec![linear(0, 50, 40), linear(1, 0, 10)]).unwrap();
        let outer = Extents::new(vec![Arc::new(inner)], vec![linear(0, 30, 20)]).unwrap();
        let mut read = [0; 20];
        outer.read_at(0, &mut read).unwrap();
        assert_eq!(read[..10], (80..90).collect::<Vec<u8>>()[..]);
        assert_eq!(read[10..], (100..110).collect::<Vec<u8>>()[..]);
    }
}
