//! Power cuts around a hold of the log: what was acknowledged since is delivered, is still to be read, or is counted.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracehouse_storage::Store;
use tracehouse_storage::columns::{span_at, spans_batch};
use tracehouse_storage::env::Env;
use tracehouse_storage::model::Span;
use tracehouse_storage::store::{HoldLimits, WhenFull};

use super::disk::{Disk, Outcome, Tail};
use super::sim::{Event, SimEnv};
use super::workload::options;
use crate::order::Random;
use crate::support::{say, seed};

const NAME: &str = "there";
const STEPS: usize = 60;

/// What happened, with the number of events by then.
#[derive(Default)]
struct Life {
    held_at: usize,
    acknowledged: Vec<(usize, u32)>,
    delivered: Vec<(usize, u32)>,
}

fn open(env: &SimEnv) -> Arc<Store> {
    let env: Arc<dyn Env> = Arc::new(env.clone());
    Store::open(env, options(usize::MAX)).unwrap()
}

/// Reads what waits; each trace is delivered once it is read, and before that is noted.
fn deliver(store: &Store, note: bool) -> Vec<u32> {
    let mut reader = store.held_reader(NAME).unwrap();
    let mut traces = Vec::new();
    while let Some(read) = store.read_held(&mut reader, 1).unwrap() {
        for batch in &read.batches {
            let spans = (0..batch.num_rows()).map(|row| span_at(batch, row).unwrap());
            traces.extend(spans.map(|span| span.trace_id.parse::<u32>().unwrap()));
        }
        if note {
            store.advance_hold(NAME, read.next_sequence).unwrap();
        }
    }
    traces
}

fn live(env: &SimEnv, limits: HoldLimits, random: &mut Random) -> Life {
    let mut life = Life::default();
    let mut store = open(env);
    store.hold_log(NAME, limits).unwrap();
    life.held_at = env.events().len();
    for step in 0..STEPS {
        match random.below(10) {
            0 | 1 => store.seal().unwrap(),
            2 => {
                env.kill();
                drop(store);
                store = open(env);
            }
            3 | 4 => {
                let is_noted = random.below(4) > 0;
                let before = env.events().len();
                let traces = deliver(&store, is_noted);
                life.delivered
                    .extend(traces.into_iter().map(|trace| (before, trace)));
            }
            5 if step % 7 == 0 => drop(store.compact().unwrap()),
            _ => {
                let trace = step as u32;
                let span = Span::new(&trace.to_string(), "s", "x".repeat(random.below(2_000)));
                store.append_spans(spans_batch(&[span]).unwrap()).unwrap();
                life.acknowledged.push((env.events().len(), trace));
            }
        }
    }
    env.kill();
    life
}

/// A power cut that keeps some of what is not durable.
fn outcome(disk: &Disk, random: &mut Random) -> Outcome {
    let (is_any, is_all) = (random.below(3) > 0, random.below(2) > 0);
    let keep = |random: &mut Random| is_any && (is_all || random.below(2) > 0);
    Outcome {
        names: (0..disk.pending_names()).map(|_| keep(random)).collect(),
        tails: disk
            .unsynced()
            .into_iter()
            .filter(|_| is_any)
            .map(|(node, bytes)| match is_all {
                true => (node, Tail::Kept),
                false => (node, Tail::Cut(random.below(bytes + 1))),
            })
            .collect(),
    }
}

fn check(after: Disk, life: &Life, at: usize) {
    let store = open(&SimEnv::new(after));
    if at < life.held_at && store.holds().unwrap().is_empty() {
        return;
    }
    let of = |events: &[(usize, u32)]| -> BTreeSet<u32> {
        let by_then = events.iter().filter(|(by, _)| *by <= at);
        by_then.map(|(_, trace)| *trace).collect()
    };
    let mut there = of(&life.delivered);
    there.extend(deliver(&store, true));
    let lost: Vec<u32> = of(&life.acknowledged).difference(&there).copied().collect();
    let given_up = store.hold(NAME).unwrap().given_up_spans;
    assert!(
        lost.len() as u64 <= given_up,
        "{lost:?} are lost at event {at}, {given_up} are counted"
    );
    assert_eq!(store.hold(NAME).unwrap().waiting_records, 0);
    assert!(store.check(false).unwrap().is_clean());
}

#[test]
fn ho_1_a_power_cut_loses_nothing_of_a_hold_that_is_not_counted() {
    let mut states = 0;
    for round in 0..12 {
        let mut random = Random::new(seed() + round);
        let limits = HoldLimits {
            bytes_max: if round % 3 == 2 { 4_000 } else { u64::MAX },
            when_full: WhenFull::GiveUpOldest,
        };
        let env = SimEnv::new(Disk::default());
        let life = live(&env, limits, &mut random);
        let mut disk = Disk::default();
        for (at, event) in env.events().into_iter().enumerate() {
            let Event::Disk(op) = event else { continue };
            // The folder of the database is there from the hold on.
            if at >= life.held_at && random.below(3) == 0 {
                let outcome = outcome(&disk, &mut random);
                check(disk.after_power_cut(&outcome), &life, at);
                states += 1;
            }
            disk.apply(&op);
        }
    }
    say(&format!("holds: {states} states of power cuts"));
    assert!(states > 500, "{states}");
}
