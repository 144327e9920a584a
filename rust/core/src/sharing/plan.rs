//! A small set of objects whose deletion frees so many blocks, in an order that is possible.
//!
//! Finding the smallest set is hard, so two ways are tried, and the one that needs fewer objects
//! is taken. [`greedy`] begins with nothing and takes what frees most for each object deleted:
//! one object with all who stand on it, or all that hold one of the largest classes together.
//! [`peel`] begins with everything and lets stay what frees least.

mod greedy;
mod objects;
mod peel;
#[cfg(test)]
mod tests;
mod units;

use std::cmp::Reverse;

use self::objects::{Gone, Objects};
use self::units::{Left, Units};
use super::Sharing;
use crate::error::Result;
use crate::units::{DeviceId, index_u32, widen};
use crate::watch::Watch;

/// Something that can be deleted whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanObject {
    /// The devices that go with it.
    pub devices: Vec<DeviceId>,
    /// Positions of the objects that it stands on: they cannot go before it.
    pub uses: Vec<usize>,
    /// Whether it goes by itself as soon as nobody uses it any more, and not by choice.
    pub is_collected: bool,
    /// Whether it may go; where not, all that it stands on stays too.
    pub is_candidate: bool,
}

/// What is asked of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Data blocks that are to come free.
    pub target_blocks: u64,
    /// Data blocks that a step must free to be taken.
    pub min_each_blocks: u64,
    /// Take the objects in their order, rather than those that free most.
    pub in_order: bool,
}

/// Objects that go together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanStep {
    /// What is deleted, by position, in an order that is possible.
    pub objects: Vec<usize>,
    /// What goes by itself then, by position, in the order in which it does.
    pub collected: Vec<usize>,
    /// Data blocks that this step frees.
    pub gain_blocks: u64,
    /// Data blocks that this step and all before it free.
    pub total_blocks: u64,
}

/// What to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps in an order that is possible.
    pub steps: Vec<PlanStep>,
    /// Data blocks that all steps free.
    pub freed_blocks: u64,
    /// Whether that is as much as was asked for.
    pub is_reached: bool,
    /// Data blocks that deleting every object that can go would free.
    pub most_blocks: u64,
}

impl Sharing {
    /// Plans what to delete. The same question has the same answer.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownDevice`](crate::Error::UnknownDevice),
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn plan(
        &self,
        plan_objects: &[PlanObject],
        options: PlanOptions,
        watch: &Watch,
    ) -> Result<Plan> {
        watch.begin("planning", widen(plan_objects.len()));
        let objects = Objects::new(plan_objects);
        let units = Units::new(self, plan_objects, &objects, watch)?;
        let planner = || Planner {
            options,
            watch,
            gone: Gone::nobody(&objects),
            left: Left::new(&units),
            objects: &objects,
            units: &units,
            steps: Vec::new(),
        };
        let mut best = planner();
        if options.in_order {
            best.take_in_order()?;
        } else {
            best.take_greedily()?;
        }
        best.drop_superfluous()?;
        let mut steps = best.written();
        // Peeling knows no least gain of a step.
        let target = options.target_blocks;
        if !options.in_order && options.min_each_blocks <= 1 && (1..=units.most()).contains(&target)
        {
            let mut peeled = planner();
            peeled.peel()?;
            if peeled.objects_taken() < best.objects_taken() {
                steps = peeled.written();
            }
        }
        let freed_blocks = steps.last().map_or(0, |step| step.total_blocks);
        Ok(Plan {
            steps,
            freed_blocks,
            is_reached: freed_blocks >= options.target_blocks,
            most_blocks: units.most(),
        })
    }
}

struct Planner<'a> {
    options: PlanOptions,
    watch: &'a Watch,
    objects: &'a Objects,
    units: &'a Units,
    gone: Gone,
    left: Left<'a>,
    /// What was taken, step by step.
    steps: Vec<Vec<u32>>,
}

impl Planner<'_> {
    fn needed(&self) -> u64 {
        self.options.target_blocks.saturating_sub(self.left.freed())
    }

    /// The objects that can be deleted by choice.
    fn candidates(&self) -> impl Iterator<Item = u32> + use<'_> {
        let all = 0..self.objects.end();
        all.filter(|at| self.objects.can_go(*at) && !self.objects.is_collected(*at))
    }

    /// The units that go when objects are deleted.
    fn units_of(&mut self, deleted: &[u32]) -> Vec<u32> {
        let collected = self.gone.delete(self.objects, deleted);
        self.gone.bring_back(self.objects, deleted, &collected);
        self.left.units_of(deleted.iter().chain(&collected).copied())
    }

    fn take(&mut self, deleted: Vec<u32>) -> Result<()> {
        self.watch.advance(widen(deleted.len()))?;
        let collected = self.gone.delete(self.objects, &deleted);
        let units = self.left.units_of(deleted.iter().chain(&collected).copied());
        self.left.remove(&units);
        self.steps.push(deleted);
        Ok(())
    }

    fn objects_taken(&self) -> usize {
        self.steps.iter().map(Vec::len).fold(0, usize::saturating_add)
    }

    fn take_in_order(&mut self) -> Result<()> {
        for at in self.candidates().collect::<Vec<_>>() {
            if self.needed() == 0 {
                break;
            }
            self.watch.advance(0)?;
            if self.gone.contains(at) {
                continue;
            }
            let mut deleted = self.objects.needed([at]);
            deleted.retain(|object| !self.gone.contains(*object));
            let units = self.units_of(&deleted);
            if self.left.gain(&units) >= self.options.min_each_blocks {
                self.take(deleted)?;
            }
        }
        Ok(())
    }

    /// Drops what is not needed, beginning with what adds least. With objects in order only what
    /// adds nothing: the first ones are to go. What is left frees what one step has to.
    fn drop_superfluous(&mut self) -> Result<()> {
        let freed = self.left.freed();
        let PlanOptions { target_blocks, min_each_blocks, in_order } = self.options;
        // A step that frees less than it has to would be none.
        let target = if in_order { freed } else { target_blocks.max(min_each_blocks) };
        let enough = freed.min(target);
        let mut by_loss = Vec::new();
        for (at, object) in self.steps.iter().flatten().enumerate() {
            self.watch.advance(0)?;
            let below = self.objects.below(*object, &self.gone);
            let units = self.left.returning(&below, |object| self.gone.contains(object));
            by_loss.push((self.left.loss(&units), Reverse(at), *object));
        }
        by_loss.sort_unstable();
        for (_, _, object) in by_loss {
            self.watch.advance(0)?;
            if !self.gone.contains(object) {
                continue;
            }
            let below = self.objects.below(object, &self.gone);
            let units = self.left.returning(&below, |object| self.gone.contains(object));
            let loss = self.left.loss(&units);
            if self.left.freed().saturating_sub(loss) >= enough {
                self.left.bring_back(&units);
                self.gone.bring_back(self.objects, &below, &[]);
            }
        }
        for step in &mut self.steps {
            step.retain(|object| self.gone.contains(*object));
        }
        Ok(())
    }

    /// Writes down what each step frees. One that frees too little by itself goes together with
    /// the next.
    fn written(&self) -> Vec<PlanStep> {
        let mut gone = Gone::nobody(self.objects);
        let mut left = Left::new(self.units);
        let mut steps: Vec<PlanStep> = Vec::new();
        let mut open = PlanStep::default();
        for deleted in self.steps.iter().filter(|deleted| !deleted.is_empty()) {
            let collected = gone.delete(self.objects, deleted);
            let own = left.units_of(deleted.iter().chain(&collected).copied());
            open.gain_blocks = open.gain_blocks.saturating_add(left.remove(&own));
            open.total_blocks = left.freed();
            open.objects.extend(deleted.iter().copied().map(index_u32));
            open.collected.extend(collected.into_iter().map(index_u32));
            if open.gain_blocks >= self.options.min_each_blocks.max(1) {
                steps.push(std::mem::take(&mut open));
            }
        }
        match steps.last_mut() {
            Some(last) if !open.objects.is_empty() => {
                last.objects.append(&mut open.objects);
                last.collected.append(&mut open.collected);
                last.gain_blocks = last.gain_blocks.saturating_add(open.gain_blocks);
                last.total_blocks = open.total_blocks;
            }
            None if open.gain_blocks > 0 => steps.push(open),
            _ => {}
        }
        steps
    }
}
