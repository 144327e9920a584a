//! How full nodes are.

use std::str::FromStr;

use crate::random::Random;

/// Entries in a node, from the lowest to the highest number, drawn for each node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Fewest entries; the last nodes of a tree may have less.
    pub low: u64,
    /// Most entries.
    pub high: u64,
}

impl Fill {
    /// What the kernel's splits leave behind: half a node or more, of 252 entries.
    pub const USUAL: Self = Self { low: 126, high: 252 };

    /// The same within the room that a node has.
    #[must_use]
    pub fn within(self, capacity: usize) -> Self {
        let capacity = capacity as u64;
        let high = self.high.clamp(1, capacity);
        Self { low: self.low.clamp(1, high), high }
    }

    /// Entries of the next node, where so many are still to be placed. The last two nodes share
    /// what is left evenly.
    #[must_use]
    pub fn take(self, left: u64, random: &mut Random) -> u64 {
        if left <= self.high {
            return left;
        }
        let drawn = random.between(self.low, self.high);
        if left - drawn < self.low { left.div_ceil(2) } else { drawn }
    }
}

impl FromStr for Fill {
    type Err = String;

    /// Reads `126..252`, both included, or one number.
    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}"));
        let fill = Self { low: number(low)?, high: number(high)? };
        if fill.low == 0 || fill.high < fill.low {
            return Err("needs 1 or more, the lower number first".to_owned());
        }
        Ok(fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_placed() {
        let mut random = Random::new(1);
        for (low, high) in [(1, 1), (2, 3), (126, 252), (126, 126)] {
            let fill = Fill { low, high };
            for entries in 1..700 {
                let mut left = entries;
                while left > 0 {
                    let taken = fill.take(left, &mut random);
                    assert!(taken >= 1 && taken <= high, "{taken} of {left} with {fill:?}");
                    left -= taken;
                }
            }
        }
    }

    #[test]
    fn reads_text() {
        assert_eq!("126..252".parse(), Ok(Fill::USUAL));
        assert_eq!("7".parse(), Ok(Fill { low: 7, high: 7 }));
        assert!("3..2".parse::<Fill>().is_err());
        assert!("0".parse::<Fill>().is_err());
    }
}
