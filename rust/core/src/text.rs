//! Text being written, and the lines that tables come to in the words of other programs.

/// Text being written.
#[derive(Debug, Default)]
pub struct Text(pub(crate) String);

impl Text {
    pub(crate) fn add(&mut self, words: &str) -> &mut Self {
        self.0.push_str(words);
        self
    }

    pub(crate) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        let mut digits = itoa::Buffer::new();
        self.0.push_str(digits.format(number.into()));
        self
    }

    /// One behind the last block, which the last block that there can be has as well.
    pub(crate) fn end_of(&mut self, begin: u64, length: u64) -> &mut Self {
        match begin.checked_add(length) {
            Some(end) => self.number(end),
            None => self.add("18446744073709551616"),
        }
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

/// Rows of a table as lines of text, batch by batch.
pub trait Lines: Send + 'static {
    /// What a row is.
    type Row;

    /// Writes what the next rows come to, as far as it does not hang on those behind them.
    fn write(&mut self, rows: &[Self::Row], text: &mut Text);

    /// Writes what is left when there are no more rows.
    fn end(&mut self, text: &mut Text);
}
