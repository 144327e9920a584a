//! What comes free when objects go: classes by the units that hold them.
//!
//! Devices that the same objects own go together; they are one *unit*. Only classes all of whose
//! holders can go matter. Each watches one of its units that are left: whether a set of units
//! frees a class is asked through that one alone, and a watch only ever moves on.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;

use super::PlanObject;
use super::objects::Objects;
use crate::error::Result;
use crate::sharing::Sharing;
use crate::sharing::usage::add;
use crate::units::{index_u32, low_u32, widen};
use crate::watch::Watch;

/// Lists of numbers, end to end.
#[derive(Debug, Default)]
struct Lists {
    ends: Vec<usize>,
    values: Vec<u32>,
}

impl Lists {
    fn push(&mut self, list: &[u32]) {
        self.values.extend_from_slice(list);
        self.ends.push(self.values.len());
    }

    fn get(&self, at: u32) -> &[u32] {
        let end = |at: usize| self.ends.get(at).copied().unwrap_or_default();
        let at = index_u32(at);
        self.values.get(at.checked_sub(1).map_or(0, end)..end(at)).unwrap_or_default()
    }

    /// For each value below an end, the lists that it is in.
    fn turned(&self, end: u32) -> Self {
        let mut ends = vec![0_usize; index_u32(end)];
        for value in &self.values {
            if let Some(end) = ends.get_mut(index_u32(*value)) {
                *end = end.saturating_add(1);
            }
        }
        // From numbers to beginnings; putting a list down moves a beginning on to its end.
        let mut total = 0_usize;
        for end in &mut ends {
            total = total.saturating_add(mem::replace(end, total));
        }
        let mut values = vec![0_u32; total];
        for list in 0..low_u32(widen(self.ends.len())) {
            for value in self.get(list) {
                let Some(end) = ends.get_mut(index_u32(*value)) else { continue };
                if let Some(slot) = values.get_mut(*end) {
                    *slot = list;
                }
                *end = end.saturating_add(1);
            }
        }
        Self { ends, values }
    }
}

/// The classes that can come free.
///
/// Memory: 8 bytes for each unit of each class, 40 bytes a class.
#[derive(Debug)]
pub(super) struct Units {
    /// The units of each object.
    of_object: Lists,
    /// The objects that own each unit: it goes with the first of them.
    owners: Lists,
    /// The units of each class.
    of_class: Lists,
    /// The classes of each unit.
    classes: Lists,
    /// Blocks of each class.
    blocks: Vec<u64>,
    /// What comes free when everything goes.
    most: u64,
}

impl Units {
    /// # Errors
    ///
    /// [`Error::UnknownDevice`](crate::Error::UnknownDevice),
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub(super) fn new(
        sharing: &Sharing,
        plan: &[PlanObject],
        objects: &Objects,
        watch: &Watch,
    ) -> Result<Self> {
        let mut owners_of = vec![Vec::new(); sharing.ids.len()];
        for (at, object) in (0_u32..).zip(plan) {
            for id in &object.devices {
                let device = index_u32(sharing.position(*id)?);
                if let Some(owners) = owners_of.get_mut(device)
                    && owners.last() != Some(&at)
                {
                    owners.push(at);
                }
            }
        }
        let mut owners = Lists::default();
        let mut known: HashMap<&[u32], u32> = HashMap::new();
        let mut unit_of = Vec::with_capacity(owners_of.len());
        for own in &owners_of {
            let can_go = !own.is_empty() && own.iter().all(|owner| objects.can_go(*owner));
            unit_of.push(can_go.then(|| {
                let next = low_u32(widen(known.len()));
                *known.entry(own).or_insert_with(|| {
                    owners.push(own);
                    next
                })
            }));
        }
        let end = low_u32(widen(known.len()));
        let mut units = Self {
            of_object: owners.turned(objects.end()),
            owners,
            of_class: Lists::default(),
            classes: Lists::default(),
            blocks: Vec::new(),
            most: 0,
        };
        units.add_classes(sharing, &unit_of, watch)?;
        units.classes = units.of_class.turned(end);
        units.most = units.blocks.iter().copied().fold(0, u64::saturating_add);
        Ok(units)
    }

    /// Adds the classes that can come free; those of the same units become one.
    fn add_classes(
        &mut self,
        sharing: &Sharing,
        unit_of: &[Option<u32>],
        watch: &Watch,
    ) -> Result<()> {
        let hasher = RandomState::new();
        let mut known = HashMap::new();
        let mut units = Vec::new();
        for class in sharing.classes.iter() {
            watch.advance(0)?;
            if class.blocks == 0 || class.has_snapshot {
                continue;
            }
            units.clear();
            let unit = |device: u32| unit_of.get(index_u32(device)).copied().flatten();
            units.extend(class.holders.iter().map_while(unit));
            if units.len() < index_u32(class.devices) {
                continue;
            }
            units.sort_unstable();
            units.dedup();
            let next = low_u32(widen(self.blocks.len()));
            let same = known.entry(hasher.hash_one(&units)).or_insert(next);
            if *same < next
                && self.of_class.get(*same) == units
                && let Some(blocks) = self.blocks.get_mut(index_u32(*same))
            {
                add(blocks, class.blocks);
                continue;
            }
            self.of_class.push(&units);
            self.blocks.push(class.blocks);
        }
        Ok(())
    }

    /// The objects that own a unit of a class; some may come twice.
    pub(super) fn owners(&self, class: u32) -> impl Iterator<Item = u32> {
        self.of_class.get(class).iter().flat_map(|unit| self.owners.get(*unit)).copied()
    }

    /// Number of classes.
    pub(super) const fn classes(&self) -> u32 {
        low_u32(widen(self.blocks.len()))
    }

    /// What comes free when everything goes that can.
    pub(super) const fn most(&self) -> u64 {
        self.most
    }

    /// The classes, most blocks first.
    pub(super) fn by_size(&self) -> Vec<u32> {
        let mut classes: Vec<u32> = (0..).take(self.blocks.len()).collect();
        classes.sort_by_key(|class| std::cmp::Reverse(self.blocks(*class)));
        classes
    }

    /// Blocks of a class.
    pub(super) fn blocks(&self, class: u32) -> u64 {
        self.blocks.get(index_u32(class)).copied().unwrap_or_default()
    }
}

/// Which units are left, and so what has come free.
#[derive(Debug)]
pub(super) struct Left<'a> {
    units: &'a Units,
    /// Whether each unit is gone.
    gone: Vec<bool>,
    /// How many units of each class are left.
    counts: Vec<u32>,
    /// The place, among its units, of the one that each class watches.
    places: Vec<u32>,
    /// The classes that watch each unit.
    watched: Vec<Vec<u32>>,
    /// Units that are asked about, or classes that were seen; empty between questions.
    marked: Vec<bool>,
    /// Blocks that have come free.
    freed: u64,
    looks: usize,
}

impl<'a> Left<'a> {
    /// Everything is left.
    pub(super) fn new(units: &'a Units) -> Self {
        let (ends, classes) = (units.owners.ends.len(), units.blocks.len());
        let own = |class| units.of_class.get(class);
        let mut watched = vec![Vec::new(); ends];
        let mut counts = Vec::with_capacity(classes);
        for class in (0_u32..).take(classes) {
            counts.push(low_u32(widen(own(class).len())));
            let first = own(class).first().map(|unit| index_u32(*unit));
            if let Some(watched) = first.and_then(|first| watched.get_mut(first)) {
                watched.push(class);
            }
        }
        Self {
            units,
            gone: vec![false; ends],
            counts,
            places: vec![0; classes],
            watched,
            marked: vec![false; ends.max(classes)],
            freed: 0,
            looks: 0,
        }
    }

    /// Blocks that have come free.
    pub(super) const fn freed(&self) -> u64 {
        self.freed
    }

    /// Whether a class has come free.
    pub(super) fn is_free(&self, class: u32) -> bool {
        self.counts.get(index_u32(class)) == Some(&0)
    }

    /// For each unit of a class that is left, the first object that owns it.
    pub(super) fn owners(&self, class: u32) -> impl Iterator<Item = u32> {
        let left = self.units.of_class.get(class).iter().filter(|unit| !self.is_gone(**unit));
        left.filter_map(|unit| self.units.owners.get(*unit).first().copied())
    }

    fn is_gone(&self, unit: u32) -> bool {
        self.gone.get(index_u32(unit)).copied().unwrap_or_default()
    }

    /// The units of objects that are left.
    pub(super) fn units_of(&self, objects: impl Iterator<Item = u32>) -> Vec<u32> {
        let units = objects.flat_map(|object| self.units.of_object.get(object));
        let mut units: Vec<u32> = units.copied().filter(|unit| !self.is_gone(*unit)).collect();
        units.sort_unstable();
        units.dedup();
        units
    }

    /// How many units of classes were looked at so far to tell what comes free.
    pub(super) const fn looks(&self) -> usize {
        self.looks
    }

    /// Blocks that would come free if units went that are left.
    pub(super) fn gain(&mut self, units: &[u32]) -> u64 {
        let most = low_u32(widen(units.len()));
        self.mark(units, true);
        let watched = units.iter().filter_map(|unit| self.watched.get(index_u32(*unit)));
        let (mut gain, mut looks) = (0, 0_usize);
        for class in watched.flatten() {
            looks = looks.saturating_add(1);
            let goes = |unit: &u32| {
                looks = looks.saturating_add(1);
                self.is_gone(*unit) || self.marked.get(index_u32(*unit)) == Some(&true)
            };
            let at = index_u32(*class);
            let place = self.places.get(at).copied().map_or(0, index_u32);
            if self.counts.get(at).is_some_and(|count| *count <= most)
                && self.units.of_class.get(*class).iter().skip(place).all(goes)
            {
                add(&mut gain, self.units.blocks(*class));
            }
        }
        self.looks = self.looks.saturating_add(looks);
        self.mark(units, false);
        gain
    }

    fn mark(&mut self, numbers: &[u32], value: bool) {
        for number in numbers {
            if let Some(marked) = self.marked.get_mut(index_u32(*number)) {
                *marked = value;
            }
        }
    }

    /// Lets units go that are left. Returns what comes free.
    pub(super) fn remove(&mut self, units: &[u32]) -> u64 {
        let before = self.freed;
        for unit in units {
            if let Some(gone) = self.gone.get_mut(index_u32(*unit)) {
                *gone = true;
            }
            for class in self.units.classes.get(*unit) {
                let Some(count) = self.counts.get_mut(index_u32(*class)) else { continue };
                *count = count.saturating_sub(1);
                if *count == 0 {
                    add(&mut self.freed, self.units.blocks(*class));
                }
            }
        }
        for unit in units {
            let watched = self.watched.get_mut(index_u32(*unit)).map(mem::take);
            for class in watched.into_iter().flatten() {
                self.move_on(class);
            }
        }
        self.freed.saturating_sub(before)
    }

    /// Has a class watch its next unit that is left, if one is.
    fn move_on(&mut self, class: u32) {
        let Some(place) = self.places.get(index_u32(class)).copied() else { return };
        let mut own = (0_u32..).zip(self.units.of_class.get(class)).skip(index_u32(place));
        let next = own.find(|(_, unit)| !self.is_gone(**unit));
        let Some((place, unit)) = next else { return };
        if let Some(watched) = self.watched.get_mut(index_u32(*unit)) {
            watched.push(class);
        }
        if let Some(slot) = self.places.get_mut(index_u32(class)) {
            *slot = place;
        }
    }

    /// The units that come back with objects: those that no other object takes along.
    pub(super) fn returning(&self, objects: &[u32], is_gone: impl Fn(u32) -> bool) -> Vec<u32> {
        let takes = |owner: &u32| is_gone(*owner) && objects.binary_search(owner).is_err();
        let units = objects.iter().flat_map(|object| self.units.of_object.get(*object));
        let stays_gone = |unit: &u32| self.units.owners.get(*unit).iter().any(takes);
        let mut units: Vec<u32> = units.copied().filter(|unit| !stays_gone(unit)).collect();
        units.sort_unstable();
        units.dedup();
        units
    }

    /// The classes that would not come free if units came back.
    pub(super) fn lost(&mut self, units: &[u32]) -> Vec<u32> {
        let mut lost = Vec::new();
        for class in units.iter().flat_map(|unit| self.units.classes.get(*unit)) {
            if self.counts.get(index_u32(*class)) == Some(&0)
                && let Some(marked) = self.marked.get_mut(index_u32(*class))
                && !mem::replace(marked, true)
            {
                lost.push(*class);
            }
        }
        self.mark(&lost, false);
        lost
    }

    /// The same in blocks.
    pub(super) fn loss(&mut self, units: &[u32]) -> u64 {
        let lost = self.lost(units);
        lost.into_iter().map(|class| self.units.blocks(class)).fold(0, u64::saturating_add)
    }

    /// Brings units back. From here on only losses can be asked for, no gains.
    pub(super) fn bring_back(&mut self, units: &[u32]) {
        let loss = self.loss(units);
        self.freed = self.freed.saturating_sub(loss);
        for class in units.iter().flat_map(|unit| self.units.classes.get(*unit)) {
            if let Some(count) = self.counts.get_mut(index_u32(*class)) {
                *count = count.saturating_add(1);
            }
        }
    }
}
