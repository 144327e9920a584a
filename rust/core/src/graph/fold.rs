//! Folds up: what the mappings below each node come to, made of what they come to below its
//! children. What is shared is made once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::{Graph, InternalNode, NodeRef};
use crate::error::Result;
use crate::units::{DeviceId, index_u32, low_u32, widen};
use crate::watch::Watch;

/// Nodes that one thread takes at a time.
const SHARE: usize = 16;

/// What is folded up.
pub(crate) trait Fold: Sync {
    /// What the mappings below a node come to.
    type Sum: Clone + Send + Sync;
    /// Where the children of one node after the other are put together.
    type Basket;

    /// An empty basket.
    fn basket(&self) -> Self::Basket;
    /// Takes in the leaf at a position; children come in key order.
    fn add_leaf(&self, basket: &mut Self::Basket, leaf: u32);
    /// Takes in an internal node.
    fn add(&self, basket: &mut Self::Basket, below: &Self::Sum);
    /// Takes out what was put in.
    fn take(&self, basket: &mut Self::Basket) -> Self::Sum;
}

impl Graph {
    /// Folds up, and returns what each device's tree comes to; devices with the same root have
    /// the same. Cost: one step an edge. Memory: the sums of two levels, and of roots.
    ///
    /// # Errors
    ///
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub(crate) fn fold_up<F: Fold>(
        &self,
        fold: &F,
        threads: Option<&ThreadPool>,
        watch: &Watch,
    ) -> Result<Vec<(DeviceId, Arc<F::Sum>)>> {
        watch.begin("adding up", widen(self.nodes.len()));
        let mut roots = Roots::of(self, fold);
        let levels: Vec<&[InternalNode]> =
            self.nodes.chunk_by(|node, next| node.height == next.height).collect();
        // Where the level begins that was folded last, and what its nodes come to.
        let mut begin = self.nodes.len();
        let mut below: Vec<F::Sum> = Vec::new();
        for level in levels.into_iter().rev() {
            let below_begin = begin;
            begin = begin.saturating_sub(level.len());
            let share = |nodes: &[InternalNode]| {
                let mut basket = fold.basket();
                let sums = nodes.iter().map(|node| {
                    for (_, child) in self.children(node) {
                        match child {
                            NodeRef::Leaf(at) => fold.add_leaf(&mut basket, at),
                            NodeRef::Internal(at) => {
                                let at = index_u32(at).saturating_sub(below_begin);
                                if let Some(sum) = below.get(at) {
                                    fold.add(&mut basket, sum);
                                }
                            }
                        }
                    }
                    fold.take(&mut basket)
                });
                let sums: Vec<_> = sums.collect();
                watch.advance(widen(nodes.len()))?;
                Ok(sums)
            };
            let sums: Result<Vec<Vec<_>>> = match threads {
                Some(threads) => threads.install(|| level.par_chunks(SHARE).map(share).collect()),
                None => level.chunks(SHARE).map(share).collect(),
            };
            below = sums?.into_iter().flatten().collect();
            roots.note(begin, &below);
        }
        Ok(roots.sums(self))
    }
}

/// What roots come to, by position.
struct Roots<T> {
    wanted: HashSet<u32>,
    internal: HashMap<u32, Arc<T>>,
    leaves: HashMap<u32, Arc<T>>,
}

impl<T: Clone> Roots<T> {
    fn of<F: Fold<Sum = T>>(graph: &Graph, fold: &F) -> Self {
        let mut roots =
            Self { wanted: HashSet::new(), internal: HashMap::new(), leaves: HashMap::new() };
        let mut basket = fold.basket();
        for (_, root) in &graph.roots {
            match root {
                NodeRef::Internal(at) => {
                    roots.wanted.insert(*at);
                }
                NodeRef::Leaf(at) => {
                    roots.leaves.entry(*at).or_insert_with(|| {
                        fold.add_leaf(&mut basket, *at);
                        Arc::new(fold.take(&mut basket))
                    });
                }
            }
        }
        roots
    }

    /// Keeps the roots of a level that begins at a position.
    fn note(&mut self, begin: usize, sums: &[T]) {
        for (at, sum) in (low_u32(widen(begin))..).zip(sums) {
            if self.wanted.contains(&at) {
                self.internal.insert(at, Arc::new(sum.clone()));
            }
        }
    }

    fn sums(&self, graph: &Graph) -> Vec<(DeviceId, Arc<T>)> {
        let sum = |root: &NodeRef| match root {
            NodeRef::Internal(at) => self.internal.get(at),
            NodeRef::Leaf(at) => self.leaves.get(at),
        };
        let roots = graph.roots.iter();
        roots.filter_map(|(id, root)| Some((*id, Arc::clone(sum(root)?)))).collect()
    }
}
