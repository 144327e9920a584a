//! The trials on what fuzzing found, on inputs made by hand, and on some that are drawn.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use crate::random::Random;
use crate::trial::TRIALS;

/// Inputs that are drawn for each trial.
const DRAWN: u64 = 150;

/// Runs a trial on all inputs of a folder, in the order of their names; returns how many.
fn replay(folder: &Path) -> usize {
    let mut count = 0;
    for trial in fs::read_dir(folder).unwrap() {
        let trial = trial.unwrap().path();
        let name = trial.file_name().unwrap().to_str().unwrap();
        let (_, run) = TRIALS.iter().find(|(known, _)| *known == name).expect("a known trial");
        let mut inputs: Vec<_> =
            fs::read_dir(&trial).unwrap().map(|input| input.unwrap().path()).collect();
        inputs.sort();
        for input in inputs {
            let bytes = fs::read(&input).unwrap();
            assert!(catch_unwind(|| run(&bytes)).is_ok(), "{}", input.display());
            count += 1;
        }
    }
    count
}

#[test]
fn what_was_found_once_is_right_now() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    assert!(replay(&fuzz.join("regressions")) > 0);
    assert!(replay(&fuzz.join("seeds")) > 0);
}

#[test]
fn drawn_inputs_contradict_nothing() {
    for (name, run) in TRIALS {
        run(&[]);
        for seed in 0..DRAWN {
            let mut random = Random::new(seed).fork(name.len() as u64);
            let length = random.between(1, 90);
            let input: Vec<u8> = (0..length).map(|_| random.number() as u8).collect();
            assert!(catch_unwind(|| run(&input)).is_ok(), "{name} {input:?}");
        }
    }
}
