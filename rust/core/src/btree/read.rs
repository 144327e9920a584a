//! Reading trees that are small beside the mappings: details, top level, index, overflow.

use std::collections::HashSet;

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
}

impl TreeWalk {
    /// Starts at a root.
    #[must_use]
    pub fn new(tree: Tree, root: MetadataBlock) -> Self {
        let stack = vec![(root, KeyRange::ALL, 0)];
        Self { tree, seen: HashSet::new(), leaf_depth: None, stack, page: Page::zeroed() }
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
            reader.read(block, &mut self.page)?;
            let node = Node::parse(&self.page, block, self.tree)?;
            node.check_range(admitted)?;
            if !self.seen.insert(block) {
                return Err(node.place().corrupt("references", 0, "one in this tree", "several"));
            }
            if node.is_leaf() {
                let expected = *self.leaf_depth.get_or_insert(depth);
                if depth != expected {
                    return Err(node.place().corrupt("depth", FLAGS_OFFSET, expected, depth));
                }
                return take(&node).map(Some);
            }
            check_depth(&node, depth)?;
            let first_child = self.stack.len();
            for child in node.children(reader, admitted) {
                let (range, child) = child?;
                self.stack.push((child, range, depth.saturating_add(1)));
            }
            // The first child is to be popped first.
            if let Some(children) = self.stack.get_mut(first_child..) {
                children.reverse();
            }
        }
        Ok(None)
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
