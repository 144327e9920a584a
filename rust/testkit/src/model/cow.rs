//! A B-tree whose nodes are shared until they are changed.

use std::rc::Rc;

use crate::fill::Fill;

/// A tree; a clone shares all nodes.
#[derive(Debug)]
pub struct CowTree<V> {
    root: Rc<Node<V>>,
    fill: Fill,
}

/// A node, with the lowest key that each entry admits.
#[derive(Clone, Debug)]
pub enum Node<V> {
    /// Values.
    Leaf(Vec<(u64, V)>),
    /// Children.
    Internal(Vec<(u64, Rc<Self>)>),
}

impl<V> Clone for CowTree<V> {
    fn clone(&self) -> Self {
        Self { root: Rc::clone(&self.root), fill: self.fill }
    }
}

impl<V: Clone> CowTree<V> {
    /// An empty tree whose nodes split at more entries than the fill's upper number, and below
    /// the root are filled up from their siblings at less than its lower one.
    #[must_use]
    pub fn new(fill: Fill) -> Self {
        Self { root: Rc::new(Node::Leaf(Vec::new())), fill }
    }

    /// The root.
    #[must_use]
    pub const fn root(&self) -> &Rc<Node<V>> {
        &self.root
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<&V> {
        let mut node = &self.root;
        loop {
            match &**node {
                Node::Leaf(entries) => {
                    let at = entries.binary_search_by_key(&key, |(key, _)| *key).ok()?;
                    return Some(&entries[at].1);
                }
                Node::Internal(children) => {
                    node = &children[edge_for(children, key)?].1;
                }
            }
        }
    }

    /// All entries in key order.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &V)> {
        let mut leaves = Vec::new();
        collect(&self.root, &mut leaves);
        leaves.into_iter().flatten().map(|(key, value)| (*key, value))
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: u64, value: V) {
        if let Some(right) = insert(&mut self.root, key, value, self.fill.high as usize) {
            let left = (first_key(&self.root), Rc::clone(&self.root));
            self.root = Rc::new(Node::Internal(vec![left, right]));
        }
    }

    /// Takes a key out. With a fill from 1 on, nodes are never filled up from their siblings:
    /// how little they may hold is nothing that a reader may insist on.
    pub fn remove(&mut self, key: u64) {
        if self.get(key).is_none() {
            return;
        }
        remove(&mut self.root, key, self.fill);
        if len(&self.root) == 0 {
            self.root = Rc::new(Node::Leaf(Vec::new()));
        }
        while self.fill.low > 1
            && let Node::Internal(children) = &*self.root
            && let [(_, only)] = children.as_slice()
        {
            self.root = Rc::clone(only);
        }
    }
}

fn collect<'a, V>(node: &'a Node<V>, leaves: &mut Vec<&'a [(u64, V)]>) {
    match node {
        Node::Leaf(entries) => leaves.push(entries),
        Node::Internal(children) => {
            for (_, child) in children {
                collect(child, leaves);
            }
        }
    }
}

/// The last edge whose key is not above `key`.
fn edge_for<T>(edges: &[(u64, T)], key: u64) -> Option<usize> {
    edges.partition_point(|(first, _)| *first <= key).checked_sub(1)
}

fn first_key<V>(node: &Node<V>) -> u64 {
    match node {
        Node::Leaf(entries) => entries.first().map_or(0, |(key, _)| *key),
        Node::Internal(children) => children.first().map_or(0, |(key, _)| *key),
    }
}

/// Inserts below a node; returns the edge to the node that it was split into, if it was.
fn insert<V: Clone>(
    node: &mut Rc<Node<V>>,
    key: u64,
    value: V,
    capacity: usize,
) -> Option<(u64, Rc<Node<V>>)> {
    match Rc::make_mut(node) {
        Node::Leaf(entries) => {
            match entries.binary_search_by_key(&key, |(key, _)| *key) {
                Ok(at) => entries[at].1 = value,
                Err(at) => entries.insert(at, (key, value)),
            }
            let right = split(entries, capacity)?;
            Some((right[0].0, Rc::new(Node::Leaf(right))))
        }
        Node::Internal(children) => {
            let at = edge_for(children, key).unwrap_or_else(|| {
                children[0].0 = key;
                0
            });
            if let Some(right) = insert(&mut children[at].1, key, value, capacity) {
                children.insert(at + 1, right);
            }
            let right = split(children, capacity)?;
            Some((right[0].0, Rc::new(Node::Internal(right))))
        }
    }
}

fn split<T>(entries: &mut Vec<T>, capacity: usize) -> Option<Vec<T>> {
    (entries.len() > capacity).then(|| entries.split_off(entries.len() / 2))
}

/// Removes below a node.
fn remove<V: Clone>(node: &mut Rc<Node<V>>, key: u64, fill: Fill) {
    match Rc::make_mut(node) {
        Node::Leaf(entries) => entries.retain(|(own, _)| *own != key),
        Node::Internal(children) => {
            let Some(at) = edge_for(children, key) else { return };
            remove(&mut children[at].1, key, fill);
            let left = len(&children[at].1);
            if left == 0 {
                children.remove(at);
            } else if left < fill.low as usize && children.len() > 1 {
                let at = at.min(children.len() - 2);
                let (_, right) = children.remove(at + 1);
                if let Some(right) = join(&mut children[at].1, &right, fill.high as usize) {
                    children.insert(at + 1, right);
                }
            }
        }
    }
}

/// Moves the entries of a node to its left sibling; where they are too many for one node,
/// returns the edge to another with half of them.
fn join<V: Clone>(
    left: &mut Rc<Node<V>>,
    right: &Node<V>,
    capacity: usize,
) -> Option<(u64, Rc<Node<V>>)> {
    match (Rc::make_mut(left), right) {
        (Node::Leaf(entries), Node::Leaf(more)) => {
            entries.extend_from_slice(more);
            let right = split(entries, capacity)?;
            Some((right[0].0, Rc::new(Node::Leaf(right))))
        }
        (Node::Internal(children), Node::Internal(more)) => {
            children.extend_from_slice(more);
            let right = split(children, capacity)?;
            Some((right[0].0, Rc::new(Node::Internal(right))))
        }
        _ => unreachable!("siblings have one height"),
    }
}

fn len<V>(node: &Node<V>) -> usize {
    match node {
        Node::Leaf(entries) => entries.len(),
        Node::Internal(children) => children.len(),
    }
}
