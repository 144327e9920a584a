//! Sets of holders, each kept once.
//!
//! A holder is a number below a bound. A set is the list of its members, ascending, where that
//! is shorter than one bit for every holder, else the bits. Both are words, and a list is always
//! shorter than the bits: the length tells which it is, and equal sets are equal words.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use crate::units::{index_u32, low_u32, widen};

/// The set that nobody is in.
pub(crate) const NOBODY: u32 = 0;

/// Bits in a word.
const WORD: u32 = 32;

/// A set of holders for looking members up.
#[derive(Clone, Debug)]
pub(crate) struct Mask(Vec<u32>);

impl Mask {
    /// An empty set of holders below a bound.
    pub(crate) fn new(holders: u32) -> Self {
        Self(vec![0; words(holders)])
    }

    /// Puts a holder in. Returns whether it is new.
    pub(crate) fn insert(&mut self, holder: u32) -> bool {
        let Some(word) = self.0.get_mut(index_u32(holder / WORD)) else { return false };
        let is_new = *word & bit(holder) == 0;
        *word |= bit(holder);
        is_new
    }

    /// Whether a holder is in.
    pub(crate) fn contains(&self, holder: u32) -> bool {
        self.0.get(index_u32(holder / WORD)).is_some_and(|word| word & bit(holder) != 0)
    }
}

/// A kept set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Members<'a> {
    list: &'a [u32],
    bits: &'a [u32],
}

impl<'a> Members<'a> {
    /// A set as its words, of holders below a bound.
    pub(crate) fn of(set: &'a [u32], holders: u32) -> Self {
        let is_bits = set.len() == words(holders);
        if is_bits { Self { list: &[], bits: set } } else { Self { list: set, bits: &[] } }
    }

    /// The members, ascending.
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> + use<'a> {
        let bits = (0..).step_by(32).zip(self.bits);
        let bits = bits.flat_map(|(first, word)| ones(first, *word));
        self.list.iter().copied().chain(bits)
    }

    /// The members that are in another set, ascending.
    pub(crate) fn within<'b>(self, mask: &'b Mask) -> impl Iterator<Item = u32> + use<'a, 'b> {
        let bits = (0..).step_by(32).zip(self.bits.iter().zip(&mask.0));
        let bits = bits.flat_map(|(first, (word, mask))| ones(first, word & mask));
        self.list.iter().copied().filter(|holder| mask.contains(*holder)).chain(bits)
    }

    /// The members in spans, ascending; spans may touch.
    pub(crate) fn spans(self) -> impl Iterator<Item = Range<u32>> + use<'a> {
        let bits = (0..).step_by(32).zip(self.bits);
        let bits = bits.flat_map(|(first, word)| spans(first, *word));
        self.list.iter().copied().map(one).chain(bits)
    }

    /// The members behind a holder in spans, ascending; spans may touch.
    pub(crate) fn spans_behind(self, holder: u32) -> impl Iterator<Item = Range<u32>> + use<'a> {
        let listed = self.list.partition_point(|member| *member <= holder);
        let list = self.list.get(listed..).unwrap_or_default();
        let skipped = holder / WORD;
        let mut mask = u32::MAX.wrapping_shl(holder % WORD).wrapping_shl(1);
        let bits = (0..).step_by(32).zip(self.bits).skip(index_u32(skipped));
        let bits = bits.flat_map(move |(first, word)| {
            spans(first, word & std::mem::replace(&mut mask, u32::MAX))
        });
        list.iter().copied().map(one).chain(bits)
    }

    /// The members that are not in another set in spans, ascending; spans may touch.
    pub(crate) fn spans_outside<'b>(
        self,
        mask: &'b Mask,
    ) -> impl Iterator<Item = Range<u32>> + use<'a, 'b> {
        let bits = (0..).step_by(32).zip(self.bits.iter().zip(&mask.0));
        let bits = bits.flat_map(|(first, (word, mask))| spans(first, word & !mask));
        let list = self.list.iter().copied().filter(|holder| !mask.contains(*holder));
        list.map(one).chain(bits)
    }

    /// Whether the set is kept as a list of its members, which are few.
    pub(crate) const fn is_list(self) -> bool {
        self.bits.is_empty()
    }

    /// Number of members.
    pub(crate) fn count(self) -> u32 {
        low_u32(widen(self.list.len())).saturating_add(count_ones(self.bits.iter().copied()))
    }

    /// Number of members that are in another set.
    pub(crate) fn count_within(self, mask: &Mask) -> u32 {
        let listed = self.list.iter().filter(|holder| mask.contains(**holder)).count();
        let bits = self.bits.iter().zip(&mask.0).map(|(word, mask)| word & mask);
        low_u32(widen(listed)).saturating_add(count_ones(bits))
    }

    /// Whether a holder is a member.
    pub(crate) fn contains(self, holder: u32) -> bool {
        let word = self.bits.get(index_u32(holder / WORD));
        word.is_some_and(|word| word & bit(holder) != 0) || self.list.binary_search(&holder).is_ok()
    }

    /// The order of the lists of members.
    pub(crate) fn order(self, other: Self) -> Ordering {
        if self.bits.is_empty() || other.bits.is_empty() {
            return self.iter().cmp(other.iter());
        }
        let mut words = self.bits.iter().zip(other.bits);
        let Some(at) = words.position(|(one, other)| one != other) else { return Ordering::Equal };
        let word = |members: Self| members.bits.get(at).copied().unwrap_or_default();
        let (own, others) = (word(self), word(other));
        // Whoever has the first member that the other lacks comes first, unless the other ends.
        let first = (own ^ others).trailing_zeros();
        let has = own >> first & 1 == 1;
        let lacking = if has { other } else { self };
        let behind = lacking.bits.get(at.saturating_add(1)..).unwrap_or_default();
        let ends = word(lacking) >> first == 0 && behind.iter().all(|word| *word == 0);
        if has == ends { Ordering::Greater } else { Ordering::Less }
    }
}

/// All sets that occur, by number.
///
/// Memory: about 90 bytes a set, and for its members 4 bytes each or, where that is less, one
/// bit for every holder.
#[derive(Debug)]
pub(crate) struct HolderSets {
    holders: u32,
    sets: Vec<Arc<[u32]>>,
    numbers: HashMap<Arc<[u32]>, u32>,
    /// Numbers that were given back.
    free: Vec<u32>,
    scratch: Vec<u32>,
}

impl HolderSets {
    /// Only the empty set, for holders below a bound.
    pub(crate) fn new(holders: u32) -> Self {
        let empty: Arc<[u32]> = Arc::default();
        Self {
            holders,
            sets: vec![Arc::clone(&empty)],
            numbers: HashMap::from([(empty, NOBODY)]),
            free: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Holders are below this.
    pub(crate) const fn holders(&self) -> u32 {
        self.holders
    }

    /// One more than the highest number ever given.
    pub(crate) const fn end(&self) -> u32 {
        low_u32(widen(self.sets.len()))
    }

    /// Number of sets kept.
    pub(crate) fn kept(&self) -> usize {
        self.numbers.len()
    }

    /// A set by its number.
    pub(crate) fn members(&self, set: u32) -> Members<'_> {
        Members::of(self.words(set), self.holders)
    }

    /// A set by its number, as its words.
    pub(crate) fn words(&self, set: u32) -> &[u32] {
        self.sets.get(index_u32(set)).map_or(&[], |set| set)
    }

    /// The set of one holder.
    pub(crate) fn single(&mut self, holder: u32) -> u32 {
        self.scratch.clear();
        let is_list = is_list(1, self.holders);
        self.scratch.push(if is_list { holder } else { bit(holder) });
        self.number_of_scratch()
    }

    /// The union of sets.
    pub(crate) fn union(&mut self, parts: &[u32]) -> u32 {
        let full = words(self.holders);
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let lengths = parts.iter().map(|part| self.words(*part).len());
        let most = lengths.fold(0_usize, usize::saturating_add);
        if is_list(most, self.holders) {
            for part in parts {
                scratch.extend_from_slice(self.words(*part));
            }
            scratch.sort_unstable();
            scratch.dedup();
        } else {
            scratch.resize(full, 0);
            for part in parts {
                let members = self.members(*part);
                for (word, more) in scratch.iter_mut().zip(members.bits) {
                    *word |= more;
                }
                for holder in members.list {
                    if let Some(word) = scratch.get_mut(index_u32(holder / WORD)) {
                        *word |= bit(*holder);
                    }
                }
            }
            let count = count_ones(scratch.iter().copied());
            if is_list(index_u32(count), self.holders) {
                let list: Vec<u32> = Members { list: &[], bits: &scratch }.iter().collect();
                scratch.clear();
                scratch.extend(list);
            }
        }
        self.scratch = scratch;
        self.number_of_scratch()
    }

    fn number_of_scratch(&mut self) -> u32 {
        if let Some(number) = self.numbers.get(self.scratch.as_slice()) {
            return *number;
        }
        let set: Arc<[u32]> = Arc::from(self.scratch.as_slice());
        let reused = self.free.pop();
        let number = reused.unwrap_or_else(|| self.end());
        match self.sets.get_mut(index_u32(number)) {
            Some(slot) => *slot = Arc::clone(&set),
            None => self.sets.push(Arc::clone(&set)),
        }
        self.numbers.insert(set, number);
        number
    }

    /// Gives back the numbers of sets that are not wanted any more.
    pub(crate) fn sweep(&mut self, is_wanted: impl Fn(u32) -> bool) {
        for (number, set) in (0_u32..).zip(&mut self.sets) {
            if !set.is_empty() && !is_wanted(number) {
                self.numbers.remove(set);
                *set = Arc::default();
                self.free.push(number);
            }
        }
    }
}

/// Words of a bit for every holder.
const fn words(holders: u32) -> usize {
    index_u32(holders.div_ceil(WORD))
}

/// Whether so many members are kept as a list.
fn is_list(members: usize, holders: u32) -> bool {
    widen(members).saturating_mul(u64::from(WORD)) < u64::from(holders)
}

const fn bit(holder: u32) -> u32 {
    1_u32.wrapping_shl(holder % WORD)
}

fn count_ones(words: impl Iterator<Item = u32>) -> u32 {
    words.map(u32::count_ones).fold(0, u32::saturating_add)
}

/// The places of the ones in a word, counted from `first`.
fn ones(first: u32, mut word: u32) -> impl Iterator<Item = u32> {
    iter::from_fn(move || {
        let at = (word != 0).then(|| word.trailing_zeros())?;
        word &= word.wrapping_sub(1);
        Some(first.saturating_add(at))
    })
}

/// The spans of ones in a word, counted from `first`.
fn spans(first: u32, mut word: u32) -> impl Iterator<Item = Range<u32>> {
    iter::from_fn(move || {
        let begin = (word != 0).then(|| word.trailing_zeros())?;
        let length = word.wrapping_shr(begin).trailing_ones();
        let end = begin.saturating_add(length);
        word &= u32::MAX.checked_shl(end).unwrap_or_default();
        Some(first.saturating_add(begin)..first.saturating_add(end))
    })
}

const fn one(holder: u32) -> Range<u32> {
    holder..holder.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of a few sizes, of holders on both sides of every word's end.
    fn samples(holders: u32) -> Vec<Vec<u32>> {
        let mut samples = vec![Vec::new(), (0..holders).collect()];
        for step in [1, 2, 7, 31, 32, 33, 100] {
            for first in [0, 1, 5, 31, 32] {
                samples.push((first..holders).step_by(step).collect());
                samples.push((first..holders).step_by(step).take(3).collect());
            }
        }
        samples
    }

    #[test]
    fn sets_are_what_went_into_them() {
        for holders in [1, 31, 32, 33, 64, 65, 300] {
            let mut sets = HolderSets::new(holders);
            let samples = samples(holders);
            let mut numbers = Vec::new();
            for sample in &samples {
                let singles: Vec<_> = sample.iter().map(|holder| sets.single(*holder)).collect();
                let number = sets.union(&singles);
                let members = sets.members(number);
                assert!(members.iter().eq(sample.iter().copied()), "{holders}: {sample:?}");
                assert_eq!(index_u32(members.count()), sample.len());
                assert!((0..holders).all(|at| members.contains(at) == sample.contains(&at)));
                assert!(sets.words(number).len() <= words(holders));
                assert!(members.spans().flatten().eq(sample.iter().copied()));
                for holder in 0..holders {
                    let behind = sample.iter().copied().filter(|member| *member > holder);
                    let found = members.spans_behind(holder).flatten();
                    assert!(found.eq(behind), "{holder}: {sample:?}");
                }
                numbers.push(number);
            }
            for (one, a) in numbers.iter().zip(&samples) {
                for (two, b) in numbers.iter().zip(&samples) {
                    assert_eq!(one == two, a == b);
                    let order = sets.members(*one).order(sets.members(*two));
                    assert_eq!(order, a.cmp(b), "{a:?} {b:?}");
                    let mut both: Vec<_> = a.iter().chain(b).copied().collect();
                    both.sort_unstable();
                    both.dedup();
                    let union = sets.union(&[*one, *two]);
                    assert!(sets.members(union).iter().eq(both));
                    let mut mask = Mask::new(holders);
                    for holder in b {
                        assert!(mask.insert(*holder));
                    }
                    let members = sets.members(*one);
                    let (within, outside): (Vec<_>, Vec<_>) =
                        a.iter().copied().partition(|holder| b.contains(holder));
                    assert_eq!(index_u32(members.count_within(&mask)), within.len());
                    assert!(members.within(&mask).eq(within));
                    assert!(members.spans_outside(&mask).flatten().eq(outside));
                }
            }
        }
    }

    #[test]
    fn numbers_come_back() {
        let mut sets = HolderSets::new(3);
        let singles: Vec<_> = (0..3).map(|holder| sets.single(holder)).collect();
        let pair = sets.union(&[singles[0], singles[2]]);
        assert_eq!((pair, sets.kept()), (4, 5));
        sets.sweep(|number| number == pair);
        assert_eq!((sets.kept(), sets.end()), (2, 5));
        assert!(sets.members(pair).iter().eq([0, 2]));
        assert_eq!(sets.union(&[]), NOBODY);
        let again = sets.single(1);
        assert!((1..4).contains(&again), "a number that was given back");
        assert!(sets.members(again).iter().eq([1]));
    }
}
