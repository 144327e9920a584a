//! Pieces in the words of `thin_delta`.

use super::{Kind, Mapped, Piece};
use crate::text::{Lines, Text};
use crate::units::DataBlock;

/// An element for each range, as `thin_delta` has them: a range ends where the kind does, and in
/// detail also where the blocks of the data device do not follow each other. Times are passed over.
#[derive(Debug)]
pub struct DeltaLines {
    /// Whether it is told where the blocks lie on the data device.
    is_detailed: bool,
    /// A range that may go on.
    pending: Option<Piece>,
    /// The kind of ranges whose element is open.
    open: Option<Kind>,
}

impl DeltaLines {
    /// Tells where the blocks lie on the data device, or only what they are.
    #[must_use]
    pub const fn new(is_detailed: bool) -> Self {
        Self { is_detailed, pending: None, open: None }
    }

    fn goes_on(&self, range: &Piece, piece: &Piece) -> bool {
        let end = range.virtual_begin.get().saturating_add(range.length);
        let follows = |one: Option<Mapped>, other: Option<Mapped>| match (one, other) {
            (Some(one), Some(other)) => {
                one.data_begin.get().saturating_add(range.length) == other.data_begin.get()
            }
            _ => true,
        };
        range.kind == piece.kind
            && end == piece.virtual_begin.get()
            && (!self.is_detailed
                || (follows(range.left, piece.left) && follows(range.right, piece.right)))
    }

    fn write_range(&mut self, range: &Piece, text: &mut Text) {
        let begin = range.virtual_begin.get();
        if !self.is_detailed {
            text.add("    <").add(range.kind.word()).add(" begin=\"").number(begin);
            text.add("\" length=\"").number(range.length).add("\"/>\n");
            return;
        }
        if self.open != Some(range.kind) {
            self.close(text);
            text.add("    <").add(range.kind.word()).add(">\n");
            self.open = Some(range.kind);
        }
        let data = |side: Option<Mapped>| side.map_or(DataBlock::new(0), |side| side.data_begin);
        text.add("      <range begin=\"").number(begin);
        if range.kind == Kind::Different {
            text.add("\" left_data_begin=\"").number(data(range.left).get());
            text.add("\" right_data_begin=\"").number(data(range.right).get());
        } else {
            text.add("\" data_begin=\"").number(data(range.left.or(range.right)).get());
        }
        text.add("\" length=\"").number(range.length).add("\"/>\n");
    }

    fn close(&mut self, text: &mut Text) {
        if let Some(kind) = self.open.take() {
            text.add("    </").add(kind.word()).add(">\n");
        }
    }
}

impl Lines for DeltaLines {
    type Row = Piece;

    fn write(&mut self, rows: &[Piece], text: &mut Text) {
        for piece in rows {
            match self.pending {
                Some(mut range) if self.goes_on(&range, piece) => {
                    range.length = range.length.saturating_add(piece.length);
                    self.pending = Some(range);
                }
                pending => {
                    if let Some(range) = pending {
                        self.write_range(&range, text);
                    }
                    self.pending = Some(*piece);
                }
            }
        }
    }

    fn end(&mut self, text: &mut Text) {
        if let Some(range) = self.pending.take() {
            self.write_range(&range, text);
        }
        self.close(text);
    }
}
