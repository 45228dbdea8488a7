//! Power cuts at every point of many lives: nothing acknowledged is lost, nothing is half there, and the
//! database opens.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::disk::Disk;
use super::enumerate::{Enumerator, Found};
use super::lives::{made_up, written_out};
use super::model::{Possible, Rows};
use super::sim::SimEnv;
use super::workload::{Workload, events};
use crate::support::{say, seed, setting};

/// States that the test command goes through at least.
const STATES: u64 = 25_000;
const THREADS: usize = 4;

/// All cuts of a life.
fn enumerate(workload: &Workload, seed: u64) -> Found {
    let env = SimEnv::new(Disk::default());
    let events = events(workload, &env);
    let mut enumerator = Enumerator::new(&workload.name, workload.flush_bytes_max, seed);
    enumerator.run(
        &Disk::default(),
        &events,
        Possible::only(Rows::default()),
        0,
    );
    enumerator.found
}

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let wanted = setting("TRACEHOUSE_CRASH_STATES", STATES) as usize;
    let first = seed();
    let written_out = written_out();
    let (next, states) = (AtomicU64::new(0), AtomicUsize::new(0));
    let work = || {
        let mut found = Found::default();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let life = written_out.get(at as usize).cloned();
            if life.is_none() && states.load(Ordering::Relaxed) >= wanted {
                return found;
            }
            let seed = first + at;
            let of_life = enumerate(&life.unwrap_or_else(|| made_up(seed)), seed);
            states.fetch_add(of_life.states, Ordering::Relaxed);
            found.add(of_life);
            if found.violations.len() > 20 {
                return found;
            }
        }
    };
    let mut found = Found::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .for_each(|thread| found.add(thread.join().unwrap()));
    });
    let lives = next.load(Ordering::Relaxed);
    let (states, of_openings) = (found.states, found.of_openings);
    say(&format!(
        "power cuts: {states} states of {lives} lives from seed {first} on, {of_openings} of openings"
    ));
    // One of each kind, told by how they end.
    let mut kinds = std::collections::BTreeMap::new();
    for violation in &found.violations {
        kinds
            .entry(violation.rsplit(": ").next().unwrap())
            .or_insert_with(Vec::new)
            .push(violation.as_str());
    }
    let some: Vec<&str> = kinds.values().take(9).map(|of_kind| of_kind[0]).collect();
    assert!(
        some.is_empty(),
        "{} violations, such as\n{}",
        found.violations.len(),
        some.join("\n")
    );
}
