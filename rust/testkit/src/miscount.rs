//! Data blocks that the space map counts wrongly, in a pool that is healthy otherwise.

use std::io::{Error, Result};

use crate::counts::Counts;
use crate::random::Random;

/// Most neighbouring blocks that are drawn at once.
const NEIGHBOURS: u64 = 4;

/// What is counted wrongly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Miscount {
    /// Counted as used; nothing reaches them.
    pub leaked: Vec<u64>,
    /// Counted as free; something reaches them.
    pub missing: Vec<u64>,
}

impl Miscount {
    /// One more than the highest block that leaked.
    pub(crate) fn end(&self) -> u64 {
        self.leaked.iter().max().map_or(0, |last| last + 1)
    }

    /// Draws so many blocks more out of those that counts are right for, and so many blocks
    /// are there at all.
    pub(crate) fn draw(
        &mut self,
        counts: &Counts,
        blocks: u64,
        (leaked, missing): (u64, u64),
        random: &mut Random,
    ) -> Result<()> {
        for (own, wanted, is_used) in
            [(&mut self.leaked, leaked, false), (&mut self.missing, missing, true)]
        {
            if wanted == 0 {
                continue;
            }
            let is_right =
                |block: &u64| (counts.get(*block) > 0) == is_used && !own.contains(block);
            let mut right: Vec<u64> = (0..blocks).filter(is_right).collect();
            let mut left = wanted;
            while left > 0 {
                if right.is_empty() {
                    return Err(Error::other(format!("{left} blocks too few to be miscounted")));
                }
                let begin = random.below(right.len() as u64);
                let taken = random.between(1, NEIGHBOURS).min(left).min(right.len() as u64 - begin);
                own.extend(right.drain(begin as usize..(begin + taken) as usize));
                left -= taken;
            }
        }
        Ok(())
    }

    /// Makes the counts wrong.
    pub(crate) fn apply(&mut self, counts: &mut Counts) -> Result<()> {
        for (blocks, is_used) in [(&mut self.leaked, false), (&mut self.missing, true)] {
            blocks.sort_unstable();
            blocks.dedup();
            if let Some(block) = blocks.iter().find(|block| (counts.get(**block) > 0) != is_used) {
                let is = if is_used { "free" } else { "in use" };
                return Err(Error::other(format!("data block {block} is {is}: no miscount")));
            }
        }
        for block in &self.leaked {
            counts.increment(*block);
        }
        for block in &self.missing {
            while counts.get(*block) > 0 {
                counts.decrement(*block);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        let mut counts = Counts::default();
        for block in 0..20 {
            for _ in 0..=block {
                counts.increment(block);
            }
        }
        counts
    }

    #[test]
    fn what_is_drawn_is_miscounted() {
        for seed in 0..20 {
            let mut counts = counts();
            let mut miscount = Miscount { leaked: vec![30, 25], missing: vec![19] };
            assert_eq!(miscount.end(), 31);
            miscount.draw(&counts, 40, (7, 5), &mut Random::new(seed)).unwrap();
            miscount.apply(&mut counts).unwrap();
            assert_eq!((miscount.leaked.len(), miscount.missing.len()), (9, 6));
            assert_eq!(counts.allocated(), 20 + 9 - 6);
            assert!(miscount.leaked.iter().all(|block| *block >= 20 && counts.get(*block) == 1));
            assert!(miscount.missing.iter().all(|block| *block < 20 && counts.get(*block) == 0));
            assert!(counts.overflow().all(|(block, _)| !miscount.missing.contains(&block)));
        }
    }

    #[test]
    fn no_more_than_there_is() {
        let mut random = Random::new(0);
        assert!(Miscount::default().draw(&counts(), 40, (21, 0), &mut random).is_err());
        assert!(Miscount::default().draw(&counts(), 40, (20, 20), &mut random).is_ok());
        assert!(Miscount { leaked: vec![3], missing: vec![] }.apply(&mut counts()).is_err());
        assert!(Miscount { leaked: vec![], missing: vec![33] }.apply(&mut counts()).is_err());
    }
}
