//! Every recipe comes to what it says, soon, and without a panic.

use std::collections::HashSet;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use thinscope_core::Error;
use thinscope_core::superblock::View;
use thinscope_core::units::BLOCK_SIZE;

use crate::hostile::{Draft, Expect, METADATA_BLOCKS, Recipe, recipes, sample};
use crate::patch::{Field, Repair, edit_file, write_sparse};
use crate::random::Random;
use crate::trial::reading::{contradiction, read};

/// More than any recipe takes, on a machine that does other things too.
const SOON: Duration = Duration::from_secs(5);

/// Pools with a few random edits.
const EDITS: u64 = 2000;

/// What a reader does otherwise than the recipe asks for, if it does.
fn misbehaviour(recipe: &Recipe) -> Option<String> {
    let begin = Instant::now();
    let bytes = recipe.build();
    let read = catch_unwind(|| {
        let mut live = read(&bytes, View::Live, 2);
        let held = read(&bytes, View::MetadataSnapshot, 2);
        let contradiction = contradiction(&live, &held);
        let errors = &mut live.errors;
        // Recipes may take the snapshot away.
        errors.extend(
            held.errors
                .into_iter()
                .filter(|(_, error)| !matches!(error, Error::NoMetadataSnapshot)),
        );
        (live.errors, contradiction)
    });
    let Ok((errors, contradiction)) = read else { return Some("panics".to_owned()) };
    if begin.elapsed() > SOON {
        return Some(format!("takes {:?}", begin.elapsed()));
    }
    if contradiction.is_some() {
        return contradiction;
    }
    let is_right = |error: &Error| match recipe.expect {
        Expect::Corrupt => matches!(error, Error::Corrupt(_)),
        Expect::Unsupported => matches!(error, Error::Unsupported { .. }),
        Expect::NotThin => matches!(error, Error::NotThin(_)),
        Expect::Opens => false,
    };
    if let Some((pass, error)) = errors.iter().find(|(_, error)| !is_right(error)) {
        return Some(format!("{pass}: {error}"));
    }
    (errors.is_empty() && recipe.expect != Expect::Opens).then(|| "reads everything".to_owned())
}

#[test]
fn every_recipe_comes_to_what_it_says() {
    let told: Vec<String> = recipes()
        .iter()
        .filter_map(|recipe| {
            let misbehaviour = misbehaviour(recipe)?;
            Some(format!(
                "{} ({}): {misbehaviour}\n    {}",
                recipe.name, recipe.expect, recipe.what
            ))
        })
        .collect();
    assert!(told.is_empty(), "{} of {}:\n{}", told.len(), recipes().len(), told.join("\n"));
}

#[test]
fn random_edits_come_to_an_answer_or_an_error() {
    let healthy = sample(METADATA_BLOCKS);
    let used = Draft::new(healthy.clone()).allocate();
    let mut told = Vec::new();
    for seed in 0..EDITS {
        let mut random = Random::new(seed);
        let mut draft = Draft::new(healthy.clone());
        for _ in 0..random.between(1, 3) {
            let block = random.below(u64::from(used)) as u32;
            let width = [1, 2, 4, 8][random.below(4) as usize];
            // Headers and first entries more often than the rest.
            let end = if random.once_in(2) { 64 } else { BLOCK_SIZE as u64 };
            let offset = random.between(4, end - width as u64) as usize;
            let near = draft.long(block, offset.min(BLOCK_SIZE - 8)).wrapping_add(random.below(5));
            let any = random.number();
            let small = random.below(u64::from(METADATA_BLOCKS));
            let value = [near, near.wrapping_sub(3), small, 0, 1 << 63, u64::MAX, any];
            let value = value[random.below(value.len() as u64) as usize];
            draft.set(block, Field { offset, width, value });
        }
        let read = catch_unwind(|| {
            let (live, held) =
                (read(&draft.bytes, View::Live, 1), read(&draft.bytes, View::MetadataSnapshot, 1));
            contradiction(&live, &held)
        });
        let misbehaviour = read.unwrap_or_else(|_| Some("panics".to_owned()));
        told.extend(misbehaviour.map(|what| format!("seed {seed}: {what}")));
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn recipes_are_told_apart() {
    let healthy = sample(METADATA_BLOCKS);
    let mut names = HashSet::new();
    for recipe in recipes() {
        assert!(names.insert(&recipe.name), "{} twice", recipe.name);
        assert!(recipe.build() != healthy, "{} changes nothing", recipe.name);
        assert!(!recipe.what.contains('\n'), "{}", recipe.name);
    }
    assert!(names.len() > 300, "{}", names.len());
}

#[test]
fn the_sample_is_healthy() {
    let bytes = sample(METADATA_BLOCKS);
    for view in [View::Live, View::MetadataSnapshot] {
        let errors = read(&bytes, view, 2).errors;
        assert!(errors.is_empty(), "{errors:?}");
    }
}

#[test]
fn a_patch_keeps_the_checksum_right() {
    let path = std::env::temp_dir().join(format!("testkit-patch-{}.bin", std::process::id()));
    write_sparse(&path, &sample(METADATA_BLOCKS)).unwrap();
    let transaction_id = Field::long(48, 0x1234_5678_9abc);
    edit_file(&path, 0, transaction_id, Repair::Checksum).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(read(&bytes, View::Live, 1).errors.is_empty());
    assert_eq!(bytes[48..56], 0x1234_5678_9abc_u64.to_le_bytes());

    edit_file(&path, 0, transaction_id, Repair::Nothing).unwrap();
    edit_file(&path, 0, Field { value: 1, ..transaction_id }, Repair::Nothing).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert!(!read(&bytes, View::Live, 1).errors.is_empty());
    assert!(edit_file(&path, 0, transaction_id, Repair::Checksum).is_err());
    let behind_end = Field { offset: 4095, ..transaction_id };
    assert!(edit_file(&path, 1, behind_end, Repair::Checksum).is_err());
    std::fs::remove_file(&path).unwrap();
}
