//! Begins with deleting everything, and lets stay what frees least, one after the other.

use std::cmp::Reverse;

use super::Planner;
use crate::error::Result;
use crate::sharing::usage::add;
use crate::units::index_u32;

impl Planner<'_> {
    /// Lets objects stay for as long as enough comes free without them. What is left goes in the
    /// reverse of the order in which that would go on: what frees most together comes first.
    pub(super) fn peel(&mut self) -> Result<()> {
        let all: Vec<u32> = self.candidates().collect();
        self.take(all.clone())?;
        self.steps.clear();
        let mut losses = self.losses()?;
        // What is not enough without an object now is not enough later.
        let mut open = all.clone();
        while let Some(object) = least(&losses, &mut open) {
            self.watch.advance(0)?;
            if self.gone.contains(object) {
                self.let_stay(object, self.options.target_blocks, &mut losses);
            }
        }
        let mut rest = all;
        rest.retain(|object| self.gone.contains(*object));
        while let Some(object) = least(&losses, &mut rest) {
            self.watch.advance(0)?;
            if self.gone.contains(object) {
                let step = self.let_stay(object, 0, &mut losses);
                self.steps.push(step);
            }
        }
        self.steps.reverse();
        Ok(())
    }

    /// Blocks that would not come free if each object stayed.
    fn losses(&self) -> Result<Vec<u64>> {
        let mut losses = vec![0; index_u32(self.objects.end())];
        for class in 0..self.units.classes() {
            self.watch.advance(0)?;
            for object in self.objects.needed(self.units.owners(class)) {
                if let Some(loss) = losses.get_mut(index_u32(object)) {
                    add(loss, self.units.blocks(class));
                }
            }
        }
        Ok(losses)
    }

    /// Lets an object stay with all that it stands on, if enough comes free without them. Returns
    /// what stays now by choice, users first.
    fn let_stay(&mut self, object: u32, enough: u64, losses: &mut [u64]) -> Vec<u32> {
        let mut below = self.objects.below(object, &self.gone);
        let units = self.left.returning(&below, |object| self.gone.contains(object));
        let classes = self.left.lost(&units);
        let blocks = classes.iter().map(|class| self.units.blocks(*class));
        let loss = blocks.fold(0, u64::saturating_add);
        if self.left.freed().checked_sub(loss).is_none_or(|freed| freed < enough) {
            return Vec::new();
        }
        for class in classes {
            for object in self.objects.needed(self.units.owners(class)) {
                if let Some(loss) = losses.get_mut(index_u32(object)) {
                    *loss = loss.saturating_sub(self.units.blocks(class));
                }
            }
        }
        self.left.bring_back(&units);
        self.gone.bring_back(self.objects, &below, &[]);
        below.retain(|object| !self.objects.is_collected(*object));
        self.objects.sort(&mut below);
        below
    }
}

/// Takes out the object that loses least; of those, the last one.
fn least(losses: &[u64], open: &mut Vec<u32>) -> Option<u32> {
    let (at, _) = open.iter().enumerate().min_by_key(|(_, object)| {
        let loss = losses.get(index_u32(**object)).copied();
        (loss.unwrap_or_default(), Reverse(**object))
    })?;
    Some(open.swap_remove(at))
}
