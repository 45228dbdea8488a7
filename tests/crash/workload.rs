//! How a life of a database is lived over a simulated disk: what is done, and what it may hold then.

use std::sync::{Arc, Barrier};

use tracehouse_storage::env::Env;
use tracehouse_storage::{ErrorKind, Result, Store, StoreOptions};

use super::model::{Action, Possible, Rows, Unread, Write, complete_erase, perform, read};
use super::sim::{Event, SimEnv};

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
    pub fn new(
        env: &SimEnv,
        flush_bytes_max: usize,
        possible: Possible,
        first_action: usize,
    ) -> Self {
        let (env, options) = (env.clone(), options(flush_bytes_max));
        Self {
            env,
            store: None,
            options,
            possible,
            actions: first_action,
            errors: 0,
        }
    }

    /// Opens the database and reads it.
    ///
    /// # Errors
    /// Those of the store; what is wrong with what was read is a panic.
    pub fn open(&mut self) -> Result<()> {
        let store = Store::open(
            Arc::new(self.env.clone()) as Arc<dyn Env>,
            self.options.clone(),
        );
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
                assert!(
                    self.possible.allows(&rows),
                    "read {rows:?}, possible {:?}",
                    self.possible
                );
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
            let Some(store) = self.store.clone() else {
                continue;
            };
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
                Arc::new(Action {
                    number: self.actions,
                    write: write.clone(),
                })
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
                let threads: Vec<_> = actions
                    .iter()
                    .map(|action| scope.spawn(|| perform_one(action)))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .collect()
            }),
        };
        for (action, result) in actions.iter().zip(results) {
            match result {
                Ok(()) => self.possible.acknowledge(action.number),
                Err(error) => {
                    self.errors += 1;
                    // What an erase has begun is completed by the next open, whatever ended it here.
                    if error.kind() == ErrorKind::Closed && !matches!(action.write, Write::Erase(_))
                    {
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

/// The events of a life on a new disk.
pub fn events(workload: &Workload, env: &SimEnv) -> Vec<Event> {
    let mut run = Run::new(
        env,
        workload.flush_bytes_max,
        Possible::only(Rows::default()),
        0,
    );
    run.live(&workload.steps);
    run.kill();
    assert_eq!(
        run.errors, 0,
        "{}: an error where none was injected",
        workload.name
    );
    env.events()
}
