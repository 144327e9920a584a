//! The bytes of an input, taken from its front. Where it is at its end, zeros come.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    pub(super) const fn rest(&mut self) -> &'a [u8] {
        let rest = self.0;
        self.0 = &[];
        rest
    }

    /// At most so many bytes.
    pub(super) fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number of so many bytes, at most eight.
    pub(super) fn number(&mut self, width: usize) -> u64 {
        let mut bytes = [0; 8];
        let taken = self.take(width);
        bytes[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(bytes)
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.number(1) as u8
    }

    /// A number of two bytes below `end`; 0 where there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.number(2) as usize).checked_rem(end).unwrap_or_default()
    }
}
