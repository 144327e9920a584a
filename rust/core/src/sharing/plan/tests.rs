//! Plans beside trying everything.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the input is the tests' own"
)]

use std::collections::BTreeSet;

use super::*;
use crate::sharing::tests::{Random, random_classes, sharing};

fn object(devices: &[u32], uses: &[usize]) -> PlanObject {
    PlanObject {
        devices: devices.iter().copied().map(DeviceId::new).collect(),
        uses: uses.to_vec(),
        is_collected: false,
        is_candidate: true,
    }
}

fn collected(devices: &[u32], uses: &[usize]) -> PlanObject {
    PlanObject { is_collected: true, ..object(devices, uses) }
}

const fn to_free(target_blocks: u64) -> PlanOptions {
    PlanOptions { target_blocks, min_each_blocks: 0, in_order: false }
}

fn plan(sharing: &Sharing, objects: &[PlanObject], options: PlanOptions) -> Plan {
    sharing.plan(objects, options, &Watch::new()).unwrap()
}

fn chosen(plan: &Plan) -> Vec<usize> {
    plan.steps.iter().flat_map(|step| step.objects.iter().copied()).collect()
}

/// Blocks that come free when objects go, and no others.
fn freed(sharing: &Sharing, objects: &[PlanObject], gone: &BTreeSet<usize>) -> u64 {
    let devices: Vec<_> = gone.iter().flat_map(|at| objects[*at].devices.clone()).collect();
    sharing.reclaim(&[], &devices).unwrap().freed_blocks
}

/// What is gone once some are deleted by choice; nothing where that is not possible.
fn gone(objects: &[PlanObject], deleted: &BTreeSet<usize>) -> Option<BTreeSet<usize>> {
    let users =
        |at: usize| (0..objects.len()).filter(move |user| objects[*user].uses.contains(&at));
    let mut gone = deleted.clone();
    loop {
        let goes = |at: &usize| {
            let object = &objects[*at];
            object.is_collected
                && object.is_candidate
                && !gone.contains(at)
                && users(*at).next().is_some()
                && users(*at).all(|user| gone.contains(&user))
        };
        let more: Vec<_> = (0..objects.len()).filter(goes).collect();
        if more.is_empty() {
            break;
        }
        gone.extend(more);
    }
    let is_possible = |at: &usize| {
        let object = &objects[*at];
        object.is_candidate && users(*at).all(|user| gone.contains(&user))
    };
    let all = deleted.iter().all(is_possible);
    all.then_some(gone)
}

/// The fewest objects that free so much, and the most that can be freed.
fn best(sharing: &Sharing, objects: &[PlanObject], target: u64) -> (Option<usize>, u64) {
    let choices: Vec<_> = (0..objects.len()).filter(|at| !objects[*at].is_collected).collect();
    let mut fewest = None;
    let mut most = 0;
    for bits in 0_u32..1 << choices.len() {
        let deleted = choices.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        let deleted: BTreeSet<_> = deleted.map(|(_, at)| *at).collect();
        let Some(gone) = gone(objects, &deleted) else { continue };
        let freed = freed(sharing, objects, &gone);
        most = most.max(freed);
        if freed >= target && fewest.is_none_or(|fewest| deleted.len() < fewest) {
            fewest = Some(deleted.len());
        }
    }
    (fewest, most)
}

/// Objects that own devices in a random way, some standing on others, some collected, some kept.
fn random_objects(random: &mut Random, count: usize, devices: u32) -> Vec<PlanObject> {
    let with_uses = random.once_in(2);
    let mut objects: Vec<_> = (0..count).map(|_| object(&[], &[])).collect();
    for (at, object) in objects.iter_mut().enumerate() {
        object.is_candidate = !random.once_in(12);
        if with_uses {
            object.uses = (0..at).filter(|_| random.once_in(4)).collect();
            object.is_collected = random.once_in(4);
        }
    }
    // Those that are used stand in front, or behind.
    if random.once_in(2) {
        objects.reverse();
        for object in &mut objects {
            object.uses.iter_mut().for_each(|used| *used = count - 1 - *used);
        }
    }
    for device in 0..devices {
        let owner = random.below(count as u64 + 1) as usize;
        if let Some(owner) = objects.get_mut(owner) {
            owner.devices.push(DeviceId::new(device));
        }
    }
    objects
}

/// Sums, order and legality of a plan.
fn check(sharing: &Sharing, objects: &[PlanObject], options: PlanOptions, plan: &Plan) {
    let mut deleted = BTreeSet::new();
    let mut all_gone = BTreeSet::new();
    let mut total = 0;
    for step in &plan.steps {
        for object in &step.objects {
            assert!(!objects[*object].is_collected && deleted.insert(*object));
            let legal = gone(objects, &deleted);
            assert!(legal.is_some(), "{object} goes before who stands on it: {plan:?}");
        }
        let before = all_gone.len();
        let now = gone(objects, &deleted).unwrap();
        let new: BTreeSet<_> = now.difference(&all_gone).copied().collect();
        let said: BTreeSet<_> = step.objects.iter().chain(&step.collected).copied().collect();
        assert_eq!(new, said, "what goes by itself");
        assert_eq!(said.len(), step.objects.len() + step.collected.len());
        all_gone.extend(new);
        assert!(all_gone.len() > before);
        total += step.gain_blocks;
        assert_eq!(step.total_blocks, total);
        assert_eq!(freed(sharing, objects, &all_gone), total, "{plan:?}");
        assert!(step.gain_blocks >= options.min_each_blocks.max(1), "{plan:?}");
    }
    assert_eq!(plan.freed_blocks, total);
    assert_eq!(plan.is_reached, total >= options.target_blocks);
    if plan.is_reached && !options.in_order {
        for object in chosen(plan) {
            let rest: BTreeSet<_> = deleted.iter().copied().filter(|at| *at != object).collect();
            let least = options.target_blocks.max(options.min_each_blocks);
            let enough =
                gone(objects, &rest).is_some_and(|gone| freed(sharing, objects, &gone) >= least);
            assert!(!enough, "{object} is not needed: {plan:?}");
        }
    }
}

/// Chosen and needed: of the plan farthest from the best, and of all plans.
#[derive(Debug, Default)]
struct Quality {
    worst: Option<(usize, usize)>,
    all: (usize, usize),
}

impl Quality {
    /// At most half more than needed, one in a hundred more over all.
    fn check(&self) {
        let (chosen, needed) = self.worst.unwrap();
        assert!(2 * chosen <= 3 * needed, "{self:?}");
        assert!(100 * self.all.0 <= 101 * self.all.1, "{self:?}");
    }

    fn note(&mut self, chosen: usize, needed: usize) {
        self.all = (self.all.0 + chosen, self.all.1 + needed);
        if self.worst.is_none_or(|worst| chosen * worst.1 > worst.0 * needed) {
            self.worst = Some((chosen, needed));
        }
    }
}

#[test]
fn plans_hold_whatever_the_objects() {
    let mut random = Random(7);
    let mut quality = Quality::default();
    for _ in 0..3000 {
        let count = 1 + random.below(8) as usize;
        let devices = 1 + random.below(12) as u32;
        let has_snapshot = random.once_in(4);
        let classes = random_classes(&mut random, devices, has_snapshot);
        let sharing = sharing(devices, has_snapshot, &classes);
        let objects = random_objects(&mut random, count, devices);
        let (_, most) = best(&sharing, &objects, 0);
        let target = random.below(most + most / 4 + 2);
        let (fewest, _) = best(&sharing, &objects, target);
        let mut options = to_free(target);
        let found = plan(&sharing, &objects, options);
        assert_eq!(found, plan(&sharing, &objects, options), "the same question");
        assert_eq!(found.most_blocks, most);
        assert_eq!(found.is_reached, fewest.is_some());
        check(&sharing, &objects, options, &found);
        if let Some(fewest) = fewest
            && fewest > 0
        {
            quality.note(chosen(&found).len(), fewest);
        }
        options.in_order = true;
        let in_order = plan(&sharing, &objects, options);
        assert_eq!(in_order.is_reached, fewest.is_some());
        check(&sharing, &objects, options, &in_order);
        for in_order in [false, true] {
            let options = PlanOptions { min_each_blocks: random.below(40), in_order, ..options };
            check(&sharing, &objects, options, &plan(&sharing, &objects, options));
        }
    }
    quality.check();
}

/// Snapshots that share with their neighbours, as a history leaves them.
fn history(random: &mut Random, devices: u32) -> Vec<(Vec<u32>, u64)> {
    let mut classes = vec![((0..devices).collect(), 100 + random.below(400))];
    for _ in 0..3 * devices {
        let first = random.below(u64::from(devices)) as u32;
        let end = first + 1 + random.below(u64::from(devices - first)) as u32;
        let most = if random.once_in(5) { 200 } else { 20 };
        classes.push(((first..end).collect(), 1 + random.below(most)));
    }
    classes
}

/// Containers over images: a container shares with its image, images share their lower layers.
fn containers(random: &mut Random, devices: u32) -> Vec<(Vec<u32>, u64)> {
    let images = 1 + random.below(4) as u32;
    let image_of: Vec<_> = (0..devices).map(|_| random.below(u64::from(images))).collect();
    let mut classes = vec![((0..devices).collect(), 50 + random.below(300))];
    for image in 0..u64::from(images) {
        let own = (0..devices).filter(|device| image_of[*device as usize] == image);
        classes.push((own.collect(), 1 + random.below(300)));
    }
    for device in 0..devices {
        let most = if random.once_in(4) { 200 } else { 20 };
        classes.push((vec![device], 1 + random.below(most)));
    }
    for _ in 0..devices {
        let of = 1 + random.below(4);
        let some = (0..devices).filter(|_| random.once_in(of)).collect();
        classes.push((some, 1 + random.below(15)));
    }
    classes.retain(|(holders, _)| !holders.is_empty());
    classes
}

#[test]
fn plans_are_near_the_best() {
    let any = |random: &mut Random, devices| random_classes(random, devices, false);
    let pools: [fn(&mut Random, u32) -> _; 3] = [history, containers, any];
    for (seed, make) in (11..).zip(pools) {
        let mut random = Random(seed);
        let mut quality = Quality::default();
        for _ in 0..400 {
            let devices = 3 + random.below(8) as u32;
            let sharing = sharing(devices, false, &make(&mut random, devices));
            let objects: Vec<_> = (0..devices).map(|device| object(&[device], &[])).collect();
            let (_, most) = best(&sharing, &objects, 0);
            let target = 1 + random.below(most);
            let (fewest, _) = best(&sharing, &objects, target);
            let found = plan(&sharing, &objects, to_free(target));
            check(&sharing, &objects, to_free(target), &found);
            // A pool may have nothing to free.
            if let Some(fewest) = fewest {
                quality.note(chosen(&found).len(), fewest);
            }
        }
        quality.check();
    }
}

/// Layers 0 and 1 of an image 2, with containers 3 and 4; layer 5 on layer 0 of an image 6.
fn docker() -> (Sharing, Vec<PlanObject>) {
    let classes = [
        (vec![0, 1, 3, 4, 5], 100),
        (vec![1, 3, 4], 50),
        (vec![5], 30),
        (vec![3], 7),
        (vec![4], 8),
    ];
    let objects = vec![
        collected(&[0], &[]),
        collected(&[1], &[0]),
        object(&[], &[1]),
        object(&[3], &[2, 1]),
        object(&[4], &[2, 1]),
        collected(&[5], &[0]),
        object(&[], &[5]),
    ];
    (sharing(6, false, &classes), objects)
}

fn steps(plan: &Plan) -> Vec<(Vec<usize>, Vec<usize>, u64)> {
    let step = |step: &PlanStep| (step.objects.clone(), step.collected.clone(), step.gain_blocks);
    plan.steps.iter().map(step).collect()
}

#[test]
fn layers_go_with_the_last_who_uses_them() {
    let (sharing, mut objects) = docker();
    let plan_for = |objects: &[PlanObject], target| {
        let found = plan(&sharing, objects, to_free(target));
        check(&sharing, objects, to_free(target), &found);
        found
    };
    let all = plan_for(&objects, 195);
    assert_eq!((all.freed_blocks, all.most_blocks, all.is_reached), (195, 195, true));
    assert_eq!(steps(&plan_for(&objects, 8)), [(vec![4], vec![], 8)]);
    assert_eq!(steps(&plan_for(&objects, 9)), [(vec![6], vec![5], 30)]);
    // The containers go before their image, and the layer of its own with it.
    assert_eq!(steps(&plan_for(&objects, 65)), [(vec![3, 4, 2], vec![1], 65)]);
    assert!(!plan_for(&objects, 196).is_reached);

    // Who stays keeps all that it stands on.
    objects[3].is_candidate = false;
    let kept = plan_for(&objects, 195);
    assert_eq!((kept.most_blocks, kept.is_reached), (38, false));
    assert_eq!(chosen(&kept), [6, 4]);
    objects[3].is_candidate = true;
    // A layer that is kept keeps what it stands on, but not who stands on it.
    objects[1].is_candidate = false;
    assert_eq!(plan_for(&objects, 195).most_blocks, 45);
}

#[test]
fn oldest_first() {
    let classes =
        [(vec![0, 1], 10), (vec![0], 1), (vec![1], 2), (vec![2], 50), (vec![3], 5), (vec![4], 90)];
    let sharing = sharing(5, false, &classes);
    let objects: Vec<_> = (0..5).map(|device| object(&[device], &[])).collect();
    let in_order = |target_blocks, min_each_blocks| PlanOptions {
        target_blocks,
        min_each_blocks,
        in_order: true,
    };
    let found = |options| {
        let found = plan(&sharing, &objects, options);
        check(&sharing, &objects, options, &found);
        steps(&found)
    };
    assert_eq!(found(in_order(13, 0)), [(vec![0], vec![], 1), (vec![1], vec![], 12)]);
    assert_eq!(found(in_order(14, 0)).len(), 3);
    // What frees too little is passed over.
    assert_eq!(found(in_order(20, 3)), [(vec![2], vec![], 50)]);
    assert_eq!(found(in_order(60, 6)), [(vec![2], vec![], 50), (vec![4], vec![], 90)]);
    assert_eq!(found(to_free(60)), [(vec![4], vec![], 90)]);
    assert_eq!(found(to_free(0)), []);
}

#[test]
fn what_cannot_go_stays() {
    let classes = [(vec![0], 1), (vec![1], 2), (vec![2], 4), (vec![3], 8), (vec![4], 16)];
    let sharing = sharing(5, true, &classes);
    // A ring, a layer that nobody uses, what stands under it, and positions of nobody.
    let objects = vec![
        object(&[0], &[1]),
        object(&[1], &[0]),
        collected(&[2], &[3]),
        object(&[3], &[]),
        object(&[4], &[4, 77, usize::MAX]),
    ];
    let found = plan(&sharing, &objects, to_free(31));
    assert_eq!(steps(&found), [(vec![4], vec![], 16)]);
    assert_eq!((found.most_blocks, found.is_reached), (16, false));
    let unknown = [object(&[5], &[])];
    assert!(sharing.plan(&unknown, to_free(1), &Watch::new()).is_err());
    let watch = Watch::new();
    watch.cancel();
    assert!(sharing.plan(&objects, to_free(1), &watch).is_err());
}

#[test]
fn what_the_snapshot_holds_does_not_come_free() {
    let sharing = sharing(2, true, &[(vec![0, 2], 10), (vec![0], 3), (vec![0, 1], 5)]);
    let objects = [object(&[0], &[]), object(&[1], &[])];
    assert_eq!(plan(&sharing, &objects, to_free(8)).most_blocks, 8);
    // A device of two objects goes with the first of them, but not where one stays.
    let mut shared = [object(&[0, 1], &[]), object(&[1], &[])];
    assert_eq!(steps(&plan(&sharing, &shared, to_free(8))), [(vec![0], vec![], 8)]);
    shared[1].is_candidate = false;
    assert_eq!(plan(&sharing, &shared, to_free(8)).most_blocks, 3);
}
