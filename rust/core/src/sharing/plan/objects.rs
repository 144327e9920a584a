//! Which objects stand on which, and what goes when some are deleted.

use std::mem;

use super::PlanObject;
use crate::units::{index_u32, low_u32, widen};

/// Objects by position, and who uses whom.
#[derive(Debug)]
pub(super) struct Objects {
    /// What each object stands on.
    stands_on: Vec<Vec<u32>>,
    /// Who stands on each object.
    users: Vec<Vec<u32>>,
    is_collected: Vec<bool>,
    /// Place in an order where users stand before what they use. None: the object stays.
    ranks: Vec<Option<u32>>,
}

impl Objects {
    /// Tells which objects can go. One stays where it is no candidate, where it would be
    /// collected but nobody uses it whose going would have it collected, where one that uses it
    /// stays, or where users go round in a ring.
    pub(super) fn new(objects: &[PlanObject]) -> Self {
        let mut users = vec![Vec::new(); objects.len()];
        let mut stands_on = Vec::with_capacity(objects.len());
        for (at, object) in (0_u32..).zip(objects) {
            let is_other = |used: &usize| *used < objects.len() && *used != index_u32(at);
            let mut own: Vec<u32> = object.uses.iter().copied().filter(is_other).map(low).collect();
            own.sort_unstable();
            own.dedup();
            for used in &own {
                if let Some(users) = users.get_mut(index_u32(*used)) {
                    users.push(at);
                }
            }
            stands_on.push(own);
        }
        let is_collected = objects.iter().map(|object| object.is_collected).collect();
        let mut this = Self { stands_on, users, is_collected, ranks: vec![None; objects.len()] };
        this.rank(objects);
        this
    }

    /// Objects get their ranks once all their users have theirs.
    fn rank(&mut self, objects: &[PlanObject]) {
        let mut left: Vec<usize> = self.users.iter().map(Vec::len).collect();
        let can_go = |at: &u32| {
            let used = self.users.get(index_u32(*at)).is_some_and(|users| !users.is_empty());
            let object = objects.get(index_u32(*at));
            object.is_some_and(|object| object.is_candidate && (used || !object.is_collected))
        };
        let unused = |at: &u32| left.get(index_u32(*at)) == Some(&0);
        let mut ready: Vec<u32> = (0..self.end()).filter(unused).filter(can_go).collect();
        ready.reverse();
        let mut ranks = vec![None; objects.len()];
        let mut rank = 0_u32;
        while let Some(at) = ready.pop() {
            if let Some(slot) = ranks.get_mut(index_u32(at)) {
                *slot = Some(rank);
            }
            rank = rank.saturating_add(1);
            for used in self.stands_on.get(index_u32(at)).into_iter().flatten() {
                let Some(left) = left.get_mut(index_u32(*used)) else { continue };
                *left = left.saturating_sub(1);
                if *left == 0 && can_go(used) {
                    ready.push(*used);
                }
            }
        }
        self.ranks = ranks;
    }

    /// Number of objects.
    pub(super) const fn end(&self) -> u32 {
        low_u32(widen(self.stands_on.len()))
    }

    /// Whether an object can go at all.
    pub(super) fn can_go(&self, object: u32) -> bool {
        self.ranks.get(index_u32(object)).is_some_and(Option::is_some)
    }

    /// Whether an object goes by itself once nobody uses it.
    pub(super) fn is_collected(&self, object: u32) -> bool {
        self.is_collected.get(index_u32(object)).copied().unwrap_or_default()
    }

    /// Puts objects into an order in which they can go: users first.
    pub(super) fn sort(&self, objects: &mut [u32]) {
        objects.sort_by_key(|object| self.ranks.get(index_u32(*object)).copied().flatten());
    }

    /// What must be deleted so that some objects go: themselves, unless they are collected, and
    /// all who stand on them.
    pub(super) fn needed(&self, objects: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let mut needed = reach(&self.users, objects, |_| true);
        needed.retain(|object| !self.is_collected(*object));
        self.sort(&mut needed);
        needed
    }

    /// An object with all that it stands on and that is gone: what must stay where it stays.
    pub(super) fn below(&self, object: u32, gone: &Gone) -> Vec<u32> {
        reach(&self.stands_on, [object], |object| gone.contains(object))
    }
}

fn low(at: usize) -> u32 {
    low_u32(widen(at))
}

/// All that is reached along edges, ascending, without going through what is not admitted.
fn reach(
    edges: &[Vec<u32>],
    from: impl IntoIterator<Item = u32>,
    admits: impl Fn(u32) -> bool,
) -> Vec<u32> {
    let mut is_known = vec![false; edges.len()];
    let mut reached = Vec::new();
    let mut stack: Vec<u32> = from.into_iter().collect();
    while let Some(at) = stack.pop() {
        let Some(is_known) = is_known.get_mut(index_u32(at)) else { continue };
        if admits(at) && !mem::replace(is_known, true) {
            reached.push(at);
            stack.extend(edges.get(index_u32(at)).into_iter().flatten());
        }
    }
    reached.sort_unstable();
    reached
}

/// Which objects are gone.
#[derive(Clone, Debug)]
pub(super) struct Gone {
    gone: Vec<bool>,
    /// How many users each object has left.
    users: Vec<usize>,
}

impl Gone {
    /// Nobody.
    pub(super) fn nobody(objects: &Objects) -> Self {
        let users = objects.users.iter().map(Vec::len).collect();
        Self { gone: vec![false; objects.users.len()], users }
    }

    /// Whether an object is gone.
    pub(super) fn contains(&self, object: u32) -> bool {
        self.gone.get(index_u32(object)).copied().unwrap_or_default()
    }

    /// Deletes objects, none of them gone and with none of their users left behind. Returns
    /// those that are collected with them, users first.
    pub(super) fn delete(&mut self, objects: &Objects, deleted: &[u32]) -> Vec<u32> {
        let mut collected = Vec::new();
        let mut stack = deleted.to_vec();
        while let Some(at) = stack.pop() {
            let slot = self.gone.get_mut(index_u32(at));
            if slot.is_none_or(|gone| mem::replace(gone, true)) {
                continue;
            }
            if objects.is_collected(at) {
                collected.push(at);
            }
            for used in objects.stands_on.get(index_u32(at)).into_iter().flatten() {
                let Some(users) = self.users.get_mut(index_u32(*used)) else { continue };
                *users = users.saturating_sub(1);
                if *users == 0 && objects.is_collected(*used) && objects.can_go(*used) {
                    stack.push(*used);
                }
            }
        }
        objects.sort(&mut collected);
        collected
    }

    /// Takes back the latest deletion: what was deleted, and what was collected with it.
    pub(super) fn bring_back(&mut self, objects: &Objects, deleted: &[u32], collected: &[u32]) {
        for at in deleted.iter().chain(collected) {
            if let Some(gone) = self.gone.get_mut(index_u32(*at)) {
                *gone = false;
            }
            for used in objects.stands_on.get(index_u32(*at)).into_iter().flatten() {
                if let Some(users) = self.users.get_mut(index_u32(*used)) {
                    *users = users.saturating_add(1);
                }
            }
        }
    }
}
