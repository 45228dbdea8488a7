//! Lives of a database to crash: written out, or made up from a seed.

use std::collections::VecDeque;
use std::sync::{Arc, Barrier};

use tracehouse_storage::env::Env;
use tracehouse_storage::{ErrorKind, Result, Store, StoreOptions};

use super::model::{Action, Possible, Rows, Unread, Write, complete_erase, perform, read};
use super::sim::{Event, SimEnv};
use crate::order::Random;

/// One step of a life.
#[derive(Debug, Clone)]
pub enum Step {
    Write(Write),
    /// Writes of several threads at a time, about traces of their own.
    Group(Vec<Write>),
    Seal,
    Compact,
    /// Closed and opened again.
    Reopen,
    /// The process is killed and another opens the database.
    Kill,
}

/// Settings of a store in the simulation: it seals in the writing call, and its derived indexes are in memory,
/// so that a crash always takes them (ST-5).
pub fn options(flush_bytes_max: usize) -> StoreOptions {
    StoreOptions {
        flush_bytes_max,
        index_text: false,
        inline_maintenance: true,
        cache_bytes_max: 1 << 20,
        ..StoreOptions::default()
    }
}

/// A life and how it is lived.
#[derive(Debug, Clone)]
pub struct Workload {
    pub name: String,
    pub steps: Vec<Step>,
    pub flush_bytes_max: usize,
}

/// A run of a workload, which goes on after errors as a program would.
pub struct Run {
    env: SimEnv,
    store: Option<Arc<Store>>,
    options: StoreOptions,
    /// What the database may hold by now.
    pub possible: Possible,
    actions: usize,
    /// Errors given to callers.
    pub errors: usize,
}

impl Run {
    /// A run over what there is.
    pub fn new(env: &SimEnv, flush_bytes_max: usize, possible: Possible, first_action: usize) -> Self {
        let (env, options) = (env.clone(), options(flush_bytes_max));
        Self { env, store: None, options, possible, actions: first_action, errors: 0 }
    }

    /// Opens the database and reads it.
    ///
    /// # Errors
    /// Those of the store; what is wrong with what was read is a panic.
    pub fn open(&mut self) -> Result<()> {
        let store = Store::open(Arc::new(self.env.clone()) as Arc<dyn Env>, self.options.clone());
        let store = store.inspect_err(|_| self.errors += 1)?;
        complete_erase(&store).inspect_err(|_| self.errors += 1)?;
        let rows = self.look(&store).inspect_err(|_| self.errors += 1)?;
        self.store = Some(store);
        self.possible.see(&rows);
        self.env.note(Event::Seen(Arc::new(rows)));
        Ok(())
    }

    /// Reads the database, which must hold what it may.
    fn look(&self, store: &Store) -> Result<Rows> {
        match read(store) {
            Ok(rows) => {
                assert!(self.possible.allows(&rows), "read {rows:?}, possible {:?}", self.possible);
                Ok(rows)
            }
            Err(Unread::Error(error)) => Err(error),
            Err(Unread::Wrong(what)) => panic!("{what}"),
        }
    }

    /// Lives through the steps.
    pub fn live(&mut self, steps: &[Step]) {
        for step in steps {
            if self.store.is_none() && self.open().is_err() {
                continue;
            }
            let Some(store) = self.store.clone() else { continue };
            let done = match step {
                Step::Write(write) => {
                    self.write(&store, std::slice::from_ref(write));
                    Ok(())
                }
                Step::Group(writes) => {
                    self.write(&store, writes);
                    Ok(())
                }
                Step::Seal => store.seal(),
                Step::Compact => store.compact().map(drop),
                Step::Reopen => store.close(),
                Step::Kill => Ok(()),
            };
            self.errors += usize::from(done.is_err());
            if matches!(step, Step::Reopen | Step::Kill) {
                self.store = None;
                drop(store);
                if matches!(step, Step::Kill) {
                    self.env.kill();
                }
                let _ = self.open();
            }
            if let Some(store) = &self.store {
                let read = self.env.look_on(|| self.look(store));
                assert!(read.is_ok(), "reading does not go on: {read:?}");
            }
        }
    }

    /// Does writes, each on a thread of its own when there are several.
    fn write(&mut self, store: &Arc<Store>, writes: &[Write]) {
        let actions: Vec<Arc<Action>> = writes
            .iter()
            .map(|write| {
                self.actions += 1;
                Arc::new(Action { number: self.actions, write: write.clone() })
            })
            .collect();
        for action in &actions {
            self.possible.begin(action);
            self.env.note(Event::Begun(action.clone()));
        }
        let barrier = Barrier::new(actions.len());
        let perform_one = |action: &Action| {
            barrier.wait();
            let before = self.env.disk().next_node();
            let done = perform(store, &action.write);
            if done.is_ok() {
                self.env.note(Event::Acknowledged(action.number));
                if matches!(action.write, Write::Erase(_)) {
                    self.env.note(Event::Gone(Arc::new(self.env.gone(before))));
                }
            }
            done
        };
        let results: Vec<Result<()>> = match actions.as_slice() {
            [action] => vec![perform_one(action)],
            actions => std::thread::scope(|scope| {
                let threads: Vec<_> =
                    actions.iter().map(|action| scope.spawn(|| perform_one(action))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            }),
        };
        for (action, result) in actions.iter().zip(results) {
            match result {
                Ok(()) => self.possible.acknowledge(action.number),
                Err(error) => {
                    self.errors += 1;
                    // What an erase has begun is completed by the next open, whatever ended it here.
                    if error.kind() == ErrorKind::Closed && !matches!(action.write, Write::Erase(_)) {
                        self.possible.refuse(action.number);
                    }
                }
            }
        }
    }

    /// Lets go of the store, as a process does that is killed.
    pub fn kill(&mut self) {
        self.store = None;
        self.env.kill();
    }

    /// Closes the database.
    ///
    /// # Errors
    /// Those of the store.
    pub fn close(&mut self) -> Result<()> {
        self.store.take().map_or(Ok(()), |store| store.close())
    }
}

/// Spans 1 to `spans` of traces.
fn spans(traces: impl IntoIterator<Item = u8>, spans: u8, version: u16) -> Write {
    let of = |trace| (1..=spans).map(move |span| (trace, span, version));
    Write::Spans(traces.into_iter().flat_map(of).collect())
}

fn life(name: &str, flush_bytes_max: usize, steps: Vec<Step>) -> Workload {
    Workload { name: name.into(), steps, flush_bytes_max }
}

/// The lives that are written out.
pub fn written_out() -> Vec<Workload> {
    use Step::{Compact, Group, Kill, Reopen, Seal};
    let write = Step::Write;
    let batch = |trace: u8, version| Step::Write(spans([trace, trace + 1], 2, version));
    vec![
        life(
            "ingest",
            1 << 20,
            vec![
                batch(1, 1),
                Group(vec![spans([10], 1, 2), spans([11], 2, 3), spans([12], 1, 4)]),
                batch(2, 5),
                Kill,
                batch(3, 6),
                Group(vec![spans([13], 1, 7), spans([14], 1, 8)]),
                Kill,
                batch(4, 9),
            ],
        ),
        life(
            "seal",
            1 << 20,
            vec![
                batch(1, 1),
                Seal,
                batch(2, 2),
                Reopen,
                batch(5, 3),
                Seal,
                batch(1, 4),
                Kill,
                batch(7, 5),
                Reopen,
            ],
        ),
        life(
            "compact",
            1 << 20,
            vec![
                batch(1, 1),
                Seal,
                batch(2, 2),
                Seal,
                write(Write::Delete(2)),
                write(Write::Tag(3, 4)),
                Compact,
                Seal,
                Compact,
                batch(8, 3),
                Reopen,
                write(Write::Delete(1)),
            ],
        ),
        life(
            "mutate",
            1 << 20,
            vec![
                batch(1, 1),
                write(Write::Tag(1, 2)),
                write(Write::Assess(1, 1, 3)),
                Seal,
                write(Write::Tag(1, 4)),
                write(Write::Assess(1, 1, 5)),
                write(Write::Assess(2, 2, 6)),
                Kill,
                write(Write::Unassess(1, 1)),
                write(Write::Delete(2)),
                Reopen,
                write(Write::Tag(1, 7)),
                batch(2, 8),
            ],
        ),
        life(
            "catalogue",
            1 << 20,
            vec![
                write(Write::Catalog(1, 1)),
                batch(1, 2),
                write(Write::Catalog(2, 3)),
                write(Write::Catalog(1, 4)),
                Seal,
                Reopen,
                write(Write::Catalog(2, 5)),
                Kill,
                write(Write::Catalog(3, 6)),
            ],
        ),
        life(
            "erase",
            1 << 20,
            vec![
                batch(1, 1),
                Seal,
                write(Write::Assess(2, 1, 2)),
                batch(2, 3),
                Seal,
                Compact,
                batch(4, 4),
                write(Write::Erase(2)),
                batch(6, 5),
                write(Write::Erase(6)),
                Kill,
                write(Write::Erase(1)),
                Reopen,
                batch(1, 6),
            ],
        ),
        life(
            "small memtables",
            1,
            vec![
                batch(1, 1),
                batch(2, 2),
                write(Write::Tag(2, 3)),
                batch(3, 4),
                Kill,
                Compact,
                batch(1, 5),
                write(Write::Delete(3)),
                Reopen,
            ],
        ),
    ]
}

/// A life made up from a seed.
pub fn made_up(seed: u64) -> Workload {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut version = 0;
    let mut next = |random: &mut Random| {
        version += 1;
        let (trace, id) = (1 + random.below(6) as u8, 1 + random.below(3) as u8);
        match random.below(25) {
            0..=7 => Step::Write(spans([trace, trace + 1], id, version)),
            8 => Step::Group((0..1 + id).map(|n| spans([n * 8 + trace], 1, version)).collect()),
            9..=10 => Step::Write(Write::Tag(trace, version)),
            11 => Step::Write(Write::Assess(trace, id, version)),
            12 => Step::Write(Write::Unassess(trace, id)),
            13..=14 => Step::Write(Write::Delete(trace)),
            15 => Step::Write(Write::Catalog(id, version)),
            16..=18 => Step::Seal,
            19..=20 => Step::Compact,
            21 => Step::Reopen,
            22 => Step::Write(Write::Erase(trace)),
            _ => Step::Kill,
        }
    };
    let steps: VecDeque<Step> = (0..9).map(|_| next(&mut random)).collect();
    let flush_bytes_max = if random.below(5) == 0 { 1 } else { 1 << 20 };
    Workload { name: format!("seed {seed}"), steps: steps.into(), flush_bytes_max }
}

/// The events of a life on a new disk.
pub fn events(workload: &Workload, env: &SimEnv) -> Vec<Event> {
    let mut run = Run::new(env, workload.flush_bytes_max, Possible::only(Rows::default()), 0);
    run.live(&workload.steps);
    run.kill();
    assert_eq!(run.errors, 0, "{}: an error where none was injected", workload.name);
    env.events()
}
