//! Trees in memory hold what was put into them, in nodes that are as full as asked for.

use std::collections::BTreeMap;

use crate::fill::Fill;
use crate::model::{CowTree, Node};
use crate::random::Random;

/// The heights of the leaves below a node, and the entries of all nodes below it.
fn below<V>(node: &Node<V>, depth: usize, depths: &mut Vec<usize>, entries: &mut Vec<usize>) {
    match node {
        Node::Leaf(_) => depths.push(depth),
        Node::Internal(children) => {
            for (_, child) in children {
                entries.push(match &**child {
                    Node::Leaf(entries) => entries.len(),
                    Node::Internal(children) => children.len(),
                });
                below(child, depth + 1, depths, entries);
            }
        }
    }
}

fn churn(fill: Fill, seed: u64) {
    let mut random = Random::new(seed);
    let mut tree = CowTree::new(fill);
    let mut expected = BTreeMap::new();
    let mut kept = Vec::new();
    for step in 0..6000 {
        // Grows, shrinks, and grows again.
        let shrinks = (2000..4500).contains(&step);
        let key = random.below(700);
        if random.once_in(3) == shrinks {
            tree.insert(key, step);
            expected.insert(key, step);
        } else {
            tree.remove(key);
            expected.remove(&key);
        }
        assert_eq!(tree.get(key), expected.get(&key), "{fill:?}");
        if step % 400 == 0 {
            kept.push((tree.clone(), expected.clone()));
        }
        let (mut depths, mut entries) = (Vec::new(), Vec::new());
        below(tree.root(), 0, &mut depths, &mut entries);
        depths.dedup();
        assert_eq!(depths.len(), 1, "{fill:?}: leaves at depths {depths:?}");
        let allowed = fill.low as usize..=fill.high as usize;
        assert!(entries.iter().all(|entries| allowed.contains(entries)), "{fill:?}: {entries:?}");
    }
    kept.push((tree, expected));
    for (tree, expected) in kept {
        let found: Vec<_> = tree.entries().map(|(key, value)| (key, *value)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{fill:?}");
    }
}

#[test]
fn trees_hold_what_was_put_into_them() {
    for (low, high) in [(1, 3), (1, 6), (2, 3), (3, 6), (4, 12), (84, 168)] {
        for seed in 0..3 {
            churn(Fill { low, high }, seed);
        }
    }
}
