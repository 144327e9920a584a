//! A script: one byte that names a base, then edits of it until the input ends.

use std::sync::{Arc, LazyLock};

use super::edit::apply;
use super::input::Input;
use super::overlay::{Base, Overlay};
use crate::fill::Fill;
use crate::hostile::sample;
use crate::image::Image;
use crate::shape::{Options, Shape, build};
use crate::writer::Geometry;

/// Edits beyond these are left out: what is tried stays small.
const MOST_EDITS: usize = 64;

/// Does what a script says, with any block or those of the space maps.
pub(super) fn overlay(bytes: &[u8], is_of_space_maps: bool) -> Overlay {
    let mut input = Input::new(bytes);
    let bases = bases();
    let mut overlay =
        Overlay::new(&bases[usize::from(input.byte()) % bases.len()], is_of_space_maps);
    for _ in 0..MOST_EDITS {
        if input.is_empty() {
            break;
        }
        apply(&mut input, &mut overlay);
    }
    overlay.seal();
    overlay
}

/// The pools that scripts begin with. A new one goes to the end, and makes another number of them:
/// regressions name theirs by its place among sixteen.
pub(super) fn bases() -> &'static [Arc<Base>; 16] {
    static BASES: LazyLock<[Arc<Base>; 16]> =
        LazyLock::new(|| std::array::from_fn(|at| Arc::new(Base::new(&pool(at)))));
    &BASES
}

fn pool(at: usize) -> Vec<u8> {
    let fill = Fill { low: 2, high: 3 };
    let geometry = Geometry {
        data_blocks: Some(2000),
        tree_fill: fill,
        seed: at as u64,
        ..Geometry::default()
    };
    let small = Options {
        geometry: geometry.clone(),
        mappings: 40,
        devices: 3,
        changed: 200_000,
        leaf_fill: Fill { low: 2, high: 5 },
        node_fill: fill,
        run: 3,
        areas: 3,
        steps: 30,
        span: 40,
        longest: 6,
        capacity: 4,
        ..Options::default()
    };
    let held = Options { metadata_snapshot: true, loose_edges: true, ..small.clone() };
    let told = |history: &str| {
        let geometry = Geometry { tree_fill: Fill::USUAL, ..geometry.clone() };
        let (capacity, history) = (252, history.to_owned());
        (Shape::History, Options { geometry, capacity, history, ..small.clone() })
    };
    let (shape, options) = match at {
        0 => told("create 1\nwrite 1 0..8"),
        1 => told("create 1\nwrite 1 0..20\nsnapshot 1 2\nwrite 2 3..5\nhold\nwrite 1 7..9"),
        2 => {
            told("create 1\nwrite 1 0..9\nsnapshot 1 2\nsnapshot 1 3\nhold\ndelete 2\nleak 40..42")
        }
        3 => told("create 1\ncreate 2\nmap 1 0..9 5\nmap 2 4..9 5\nmap 1 90..99 5\nforget 5..6"),
        4 => told("create 7"),
        5 => (Shape::OneDevice, small),
        6 => (Shape::SnapshotsShared, small),
        7 => (Shape::SnapshotsShared, held),
        8 => (Shape::SnapshotsOwnSpines, held),
        9 => (Shape::SharedData, small),
        10 => (Shape::Churn, small),
        11 => (Shape::Churn, held),
        12 => (Shape::TwoDepths, Options { height: 1, ..small }),
        13 => (Shape::Tangle, held),
        14 => (Shape::OneDevice, Options { mappings: 600, leaf_fill: Fill::USUAL, ..small }),
        _ => return sample(250),
    };
    let built = build(shape, &options, Image::memory());
    built.expect("a small pool fits").0.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_are_small_and_differ() {
        let bases = bases();
        for (at, base) in bases.iter().enumerate() {
            assert!((8..240).contains(&base.used.len()), "{at}: {}", base.used.len());
            let is_new = bases[..at].iter().all(|other| {
                let bytes = |base: &Base| -> Vec<_> {
                    base.pages.iter().map(|page| *page.bytes()).collect()
                };
                bytes(other) != bytes(base)
            });
            assert!(is_new, "{at}");
        }
    }
}
