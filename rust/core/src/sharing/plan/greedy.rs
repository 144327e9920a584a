//! Takes what frees most for each object deleted, step by step.

use std::cmp::Ordering;

use super::Planner;
use super::objects::Gone;
use super::units::Left;
use crate::error::Result;
use crate::units::widen;

/// Classes that a step looks at for all who hold them.
const GROUPS: usize = 32;

/// Units of classes that a step looks at for that, and a few more, unless it found nothing else.
const STEP_LOOKS: usize = 1 << 19;

/// The same for the whole plan.
const PLAN_LOOKS: usize = 1 << 24;

/// Objects to be deleted together, and what that frees.
struct Offer {
    objects: Vec<u32>,
    gain: u64,
}

impl Offer {
    /// Fewer objects are better, then fewer blocks: for offers that are enough.
    fn by_count(&self, other: &Self) -> Ordering {
        (self.objects.len(), self.gain).cmp(&(other.objects.len(), other.gain))
    }

    /// More blocks for each object are better: for offers that are not enough.
    fn by_gain(&self, other: &Self) -> Ordering {
        let times = |gain: u64, objects: &[u32]| {
            u128::from(gain).saturating_mul(u128::from(widen(objects.len())))
        };
        times(other.gain, &self.objects).cmp(&times(self.gain, &other.objects))
    }
}

/// The best offers of a step.
#[derive(Default)]
struct Best {
    /// Of those that free what is needed.
    enough: Option<Offer>,
    /// Of the others.
    other: Option<Offer>,
}

impl Best {
    const fn is_empty(&self) -> bool {
        self.enough.is_none() && self.other.is_none()
    }

    fn consider(&mut self, offer: Offer, needed: u64) {
        let is_enough = offer.gain >= needed;
        let best = if is_enough { &mut self.enough } else { &mut self.other };
        let order = if is_enough { Offer::by_count } else { Offer::by_gain };
        if best.as_ref().is_none_or(|best| order(&offer, best) == Ordering::Less) {
            *best = Some(offer);
        }
    }
}

impl Planner<'_> {
    /// Goes on after what would be enough has been found: small offers may need fewer objects
    /// together than one that is enough at once.
    pub(super) fn take_greedily(&mut self) -> Result<()> {
        let candidates = self.candidates().map(|at| self.objects.needed([at]));
        let mut candidates: Vec<Vec<u32>> = candidates.collect();
        let mut classes = self.units.by_size();
        let mut looks = PLAN_LOOKS;
        // How many steps come before the best offer that is enough, and how many objects that
        // makes.
        let mut end: Option<(usize, Offer)> = None;
        let mut fewest = usize::MAX;
        let mut taken = 0_usize;
        while self.needed() > 0 && taken.saturating_add(1) < fewest {
            let Best { enough, other } = self.offers(&mut candidates, &mut classes, &mut looks)?;
            if let Some(offer) = enough {
                let count = taken.saturating_add(offer.objects.len());
                if count < fewest {
                    fewest = count;
                    end = Some((self.steps.len(), offer));
                }
            }
            let Some(Offer { objects, .. }) = other else { break };
            taken = taken.saturating_add(objects.len());
            self.take(objects)?;
        }
        if let Some((steps, Offer { objects, .. })) = end {
            let mut taken = std::mem::take(&mut self.steps);
            taken.truncate(steps);
            taken.push(objects);
            self.gone = Gone::nobody(self.objects);
            self.left = Left::new(self.units);
            for objects in taken {
                self.take(objects)?;
            }
        }
        Ok(())
    }

    /// The best of what can be taken next. Goes through the candidates, each with what is needed
    /// for it, and through the largest classes; forgets those that are gone.
    fn offers(
        &mut self,
        candidates: &mut Vec<Vec<u32>>,
        classes: &mut Vec<u32>,
        looks: &mut usize,
    ) -> Result<Best> {
        let mut best = Best::default();
        for deleted in &mut *candidates {
            self.watch.advance(0)?;
            deleted.retain(|object| !self.gone.contains(*object));
            let units = self.units_of(deleted);
            self.consider(deleted, &units, &mut best);
        }
        candidates.retain(|deleted| !deleted.is_empty());
        classes.retain(|class| !self.left.is_free(*class));
        let before = self.left.looks();
        for class in classes.iter().take(GROUPS) {
            self.watch.advance(0)?;
            let spent = self.left.looks().saturating_sub(before);
            if spent >= STEP_LOOKS.min(*looks) && !best.is_empty() {
                break;
            }
            let mut deleted = self.objects.needed(self.left.owners(*class));
            deleted.retain(|object| !self.gone.contains(*object));
            let units = self.units_of(&deleted);
            self.consider(&deleted, &units, &mut best);
        }
        *looks = looks.saturating_sub(self.left.looks().saturating_sub(before));
        Ok(best)
    }

    fn consider(&mut self, deleted: &[u32], units: &[u32], best: &mut Best) {
        let gain = self.left.gain(units);
        if gain >= self.options.min_each_blocks.max(1) {
            best.consider(Offer { objects: deleted.to_vec(), gain }, self.needed());
        }
    }
}
