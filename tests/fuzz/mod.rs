//! Fuzzing in the test command: every target is given its seeds and then inputs that a seeded mutator makes
//! of them. A failure prints the seed of its round and leaves the input in a file.
//!
//! `TRACEHOUSE_TEST_FUZZ_SECONDS=60` makes each target run for that long, from a seed of its own, which
//! `TRACEHOUSE_TEST_FUZZ_SEED` sets. `tests/fuzz_targets` drives the same targets by coverage.

mod mutate;
mod protobuf;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mutate::Mutator;
use targets::{TARGETS, Target};

const SEED: u64 = 5;

/// Gives a target its seeds, then changed ones, for a number of rounds or for a time.
fn drive(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let seeds = (target.seeds)();
    for input in seeds.iter().chain([&Vec::new()]) {
        give(target, input, "a seed");
    }
    let variable = |name| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap())
    };
    let seconds = variable("TRACEHOUSE_TEST_FUZZ_SECONDS");
    let of_process = || u64::from(std::process::id()) << 20;
    let first = variable("TRACEHOUSE_TEST_FUZZ_SEED")
        .unwrap_or_else(|| seconds.map_or(SEED, |_| of_process()));
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut round = 0;
    while end.map_or(round < target.rounds as u64, |end| Instant::now() < end) {
        let input = Mutator::new(first + round).changed(&seeds, target.form);
        give(
            target,
            &input,
            &format!("TRACEHOUSE_TEST_FUZZ_SEED={}", first + round),
        );
        round += 1;
    }
    println!("{name}: {round} inputs from seed {first}");
}

fn give(target: &Target, input: &[u8], what: &str) {
    let run = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    if let Err(panic) = run {
        let path = std::env::temp_dir().join(format!(
            "tracehouse-fuzz-{}-{}",
            target.name,
            std::process::id()
        ));
        std::fs::write(&path, input).unwrap();
        eprintln!(
            "{}, {what}: {} bytes in {}",
            target.name,
            input.len(),
            path.display()
        );
        std::panic::resume_unwind(panic);
    }
}

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            drive(stringify!($name));
        })*

        #[test]
        fn every_target_is_driven() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

tests!(otlp_protobuf otlp_json otlp_stream wal manifest segment filter sql text pattern deep records redact json);
