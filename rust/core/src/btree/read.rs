//! Reading trees that are small beside the mappings: details, top level, index, overflow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use zerocopy::{FromBytes, Immutable};

use super::node::FLAGS_OFFSET;
use super::{KeyRange, MAX_DEPTH, Node, Tree};
use crate::error::{Error, Result};
use crate::raw::Page;
use crate::reader::Reader;
use crate::units::MetadataBlock;
use crate::watch::Watch;

/// The leaves of a tree in key order, read one by one.
///
/// Ends on any tree: a block is visited once, so loops and shared children are errors.
#[derive(Debug)]
pub struct TreeWalk {
    tree: Tree,
    seen: HashSet<MetadataBlock>,
    leaf_depth: Option<usize>,
    /// Nodes still to be visited with what the edges to them admit and their depths, the next
    /// one last.
    stack: Vec<(MetadataBlock, KeyRange, usize)>,
    page: Box<Page>,
    /// What is broken, for who goes on around it; or none: the first of it is the error.
    losses: Option<Vec<Loss>>,
    /// Blocks that were left out, for where edges lead to them again: why, and if only what the
    /// edge admits was wrong, the keys of the node.
    refused: HashMap<MetadataBlock, (Option<KeyRange>, Arc<Error>)>,
}

/// A part of a small tree that is left out, since it is broken.
#[derive(Clone, Debug)]
pub struct Loss {
    /// The block that is broken, or names one that is.
    pub block: MetadataBlock,
    /// The keys that were to be found there.
    pub range: KeyRange,
    /// What is wrong.
    pub error: Arc<Error>,
}

impl Loss {
    /// What a broken block was to hold.
    pub(crate) fn of_block(block: MetadataBlock, range: KeyRange, error: Error) -> Self {
        Self { block, range, error: Arc::new(error) }
    }

    /// Takes a loss in that goes on behind this one and has the same reason. Returns whether it
    /// did.
    fn extend(&mut self, next: &Self) -> bool {
        let joins = self.block == next.block
            && Arc::ptr_eq(&self.error, &next.error)
            && self.range.last.checked_add(1) == Some(next.range.first);
        if joins {
            self.range.last = next.range.last;
        }
        joins
    }

    /// What was to hold a key, among losses by ascending key. They never overlap: each edge and
    /// each entry has keys of its own.
    pub(crate) fn find(losses: &[Self], key: u64) -> Option<&Self> {
        let behind = losses.partition_point(|loss| loss.range.first <= key);
        let loss = losses.get(behind.checked_sub(1)?)?;
        loss.range.contains(key).then_some(loss)
    }

    /// One entry of a leaf, with the reason of the first that is broken there.
    pub(crate) fn of_entry(
        leaf: &Node<'_>,
        key: u64,
        error: Error,
        reason: &mut Option<Arc<Error>>,
    ) -> Self {
        let range = KeyRange { first: key, last: key };
        let error = Arc::clone(reason.get_or_insert_with(|| Arc::new(error)));
        Self { block: leaf.place().block, range, error }
    }
}

impl TreeWalk {
    /// Starts at a root.
    #[must_use]
    pub fn new(tree: Tree, root: MetadataBlock) -> Self {
        let stack = vec![(root, KeyRange::ALL, 0)];
        Self {
            tree,
            seen: HashSet::new(),
            leaf_depth: None,
            stack,
            page: Page::zeroed(),
            losses: None,
            refused: HashMap::new(),
        }
    }

    /// Starts at a root, to go on around what is broken.
    #[must_use]
    pub fn around(tree: Tree, root: MetadataBlock) -> Self {
        Self { losses: Some(Vec::new()), ..Self::new(tree, root) }
    }

    /// What was left out so far.
    #[must_use]
    pub fn losses(&self) -> &[Loss] {
        self.losses.as_deref().unwrap_or_default()
    }

    /// Reads on to the next leaf, and hands it to `take`. None at the end.
    ///
    /// # Errors
    ///
    /// A read that fails, the first rule that is broken, or what `take` returns.
    pub fn next_leaf<T>(
        &mut self,
        reader: &Reader,
        watch: &Watch,
        take: impl FnOnce(&Node<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        while let Some((block, admitted, depth)) = self.stack.pop() {
            watch.advance(1)?;
            let Self { tree, seen, leaf_depth, stack, page, losses, refused } = self;
            if let (Some(losses), Some((keys, error))) = (&mut *losses, refused.get(&block))
                && keys.is_none_or(|keys| !admitted.holds(keys))
            {
                lose(losses, Loss { block, range: admitted, error: Arc::clone(error) });
                continue;
            }
            let mut keys = None;
            let node = reader.read(block, page).and_then(|()| Node::parse(page, block, *tree));
            let checked = node.and_then(|node| {
                keys = node.key_range().filter(|_| !seen.contains(&block));
                node.check_range(admitted)?;
                if !seen.insert(block) {
                    let error =
                        node.place().corrupt("references", 0, "one in this tree", "several");
                    return Err(error);
                }
                if !node.is_leaf() {
                    return check_depth(&node, depth).map(|()| node);
                }
                let expected = *leaf_depth.get_or_insert(depth);
                if depth != expected {
                    return Err(node.place().corrupt("depth", FLAGS_OFFSET, expected, depth));
                }
                Ok(node)
            });
            let node = match (checked, &mut *losses) {
                (Ok(node), _) => node,
                (Err(error), Some(losses)) if error.is_damage() => {
                    let keys = keys.filter(|keys| !admitted.holds(*keys));
                    let error = Arc::new(error);
                    refused.insert(block, (keys, Arc::clone(&error)));
                    lose(losses, Loss { block, range: admitted, error });
                    continue;
                }
                (Err(error), _) => return Err(error),
            };
            if node.is_leaf() {
                return take(&node).map(Some);
            }
            let first_child = stack.len();
            let keys = node.keys().iter().map(|key| key.get());
            let mut ends = keys.clone().skip(1).map(|key| key.saturating_sub(1));
            // The first bad pointer of a node stands for all: a hostile one can have 252.
            let mut reason = None;
            for (first, child) in keys.zip(node.children(reader, admitted)) {
                let last = ends.next().unwrap_or(admitted.last);
                match (child, &mut *losses) {
                    (Ok((range, child)), _) => stack.push((child, range, depth.saturating_add(1))),
                    (Err(error), Some(losses)) => {
                        let range = KeyRange { first, last };
                        let error = Arc::clone(reason.get_or_insert_with(|| Arc::new(error)));
                        lose(losses, Loss { block, range, error });
                    }
                    (Err(error), None) => return Err(error),
                }
            }
            // The first child is to be popped first.
            if let Some(children) = stack.get_mut(first_child..) {
                children.reverse();
            }
        }
        Ok(None)
    }
}

/// Adds a loss, to the one before where it goes on: a hostile tree has many edges to one block.
fn lose(losses: &mut Vec<Loss>, loss: Loss) {
    if !losses.last_mut().is_some_and(|last| last.extend(&loss)) {
        losses.push(loss);
    }
}

/// Calls `each` with every leaf of the tree, in key order.
///
/// # Errors
///
/// As [`TreeWalk::next_leaf`], or what `each` returns.
pub fn read_tree(
    reader: &Reader,
    tree: Tree,
    root: MetadataBlock,
    watch: &Watch,
    mut each: impl FnMut(&Node<'_>) -> Result<()>,
) -> Result<()> {
    let mut walk = TreeWalk::new(tree, root);
    while walk.next_leaf(reader, watch, &mut each)?.is_some() {}
    Ok(())
}

/// The same around what is broken, which is returned by ascending key.
///
/// # Errors
///
/// What is no damage, or what `each` returns.
pub fn read_tree_around(
    reader: &Reader,
    tree: Tree,
    root: MetadataBlock,
    watch: &Watch,
    mut each: impl FnMut(&Node<'_>) -> Result<()>,
) -> Result<Vec<Loss>> {
    let mut walk = TreeWalk::around(tree, root);
    while walk.next_leaf(reader, watch, &mut each)?.is_some() {}
    let mut losses = walk.losses.unwrap_or_default();
    losses.sort_by_key(|loss| loss.range.first);
    Ok(losses)
}

/// The value of one key, reading only the nodes on the way to it.
///
/// # Errors
///
/// A read that fails, or the first rule that is broken on the way.
pub fn find<V: FromBytes + Immutable + Copy>(
    reader: &Reader,
    tree: Tree,
    root: MetadataBlock,
    key: u64,
    check: impl FnOnce(&Node<'_>, usize, &V) -> Result<()>,
) -> Result<Option<V>> {
    descend(
        reader,
        tree,
        root,
        |node| match node.keys().binary_search_by_key(&key, |key| key.get()) {
            Ok(at) => Some(at),
            Err(_) if node.is_leaf() => None,
            Err(after) => after.checked_sub(1),
        },
        |node, at| match node.values::<V>().get(at) {
            Some(value) => check(node, at, value).map(|()| Some(*value)),
            None => Ok(None),
        },
    )
}

/// The highest key of the tree, reading only its last spine.
///
/// # Errors
///
/// As [`find`].
pub fn last_key(reader: &Reader, tree: Tree, root: MetadataBlock) -> Result<Option<u64>> {
    descend(
        reader,
        tree,
        root,
        |node| node.keys().len().checked_sub(1),
        |node, at| Ok(node.keys().get(at).map(|key| key.get())),
    )
}

/// Goes down from the root along the entries that `choose` names; at a leaf, `take` answers.
fn descend<T>(
    reader: &Reader,
    tree: Tree,
    root: MetadataBlock,
    choose: impl Fn(&Node<'_>) -> Option<usize>,
    take: impl FnOnce(&Node<'_>, usize) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let mut page = Page::zeroed();
    let (mut block, mut admitted) = (root, KeyRange::ALL);
    for depth in 0.. {
        reader.read(block, &mut page)?;
        let node = Node::parse(&page, block, tree)?;
        node.check_range(admitted)?;
        let Some(at) = choose(&node) else {
            return Ok(None);
        };
        if node.is_leaf() {
            return take(&node, at);
        }
        check_depth(&node, depth)?;
        let Some(child) = node.children(reader, admitted).nth(at) else {
            return Ok(None);
        };
        (admitted, block) = child?;
    }
    Ok(None)
}

fn check_depth(node: &Node<'_>, depth: usize) -> Result<(), Error> {
    if depth < MAX_DEPTH {
        return Ok(());
    }
    Err(node.place().corrupt("depth", FLAGS_OFFSET, format!("at most {MAX_DEPTH} levels"), "more"))
}
