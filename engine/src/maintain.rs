//! The background threads of a database: one seals full memtables and merges segments, one settles traces
//! from time to time, further ones build the text indexes of segments that have none yet. A bulk load takes turns with indexing and merging:
//! each needs all cores, and two at a time would need the memory of both.
//!
//! A failure is kept and shown by `stats`; the data is safe in the write-ahead log meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tracehouse_storage::Store;

use crate::error::{Error, ErrorKind, Result};
use crate::settings::Settings;
use crate::settle::settle_due;

/// How long a thread sleeps when nothing wakes it; only bounds how late a compaction or index starts.
const IDLE: Duration = Duration::from_millis(100);
/// How often a bulk load that waits for its turn looks whether it is to end.
const LOAD_PAUSE: Duration = Duration::from_millis(20);
/// Longest time between two looks for traces that are due to be settled.
const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Segments that may wait for their text index while a bulk load has the cores for itself.
const UNINDEXED_MAX: usize = 16;
/// When no more of them wait than this, the load goes on.
const UNINDEXED_LEFT: usize = 2;

/// The running threads; they stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    turns: Arc<Turns>,
    store: Arc<Store>,
    settling: Option<Settling>,
    threads: Vec<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts the threads. Those who delete traces hold `changes` alone.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(store: Arc<Store>, settings: &Settings, changes: Arc<RwLock<()>>) -> Result<Self> {
        let index_threads = settings.index_threads();
        let mut started = Self {
            stop: Arc::default(),
            failure: Arc::default(),
            turns: Arc::default(),
            store,
            settling: None,
            threads: Vec::new(),
        };
        started.settling = Some(started.start_settling(settings.settle_after, changes)?);
        let turns = started.turns.clone();
        started.spawn("tracehouse-maintain".into(), move |store| {
            maintain(store, &turns)
        })?;
        for number in 0..index_threads {
            let turns = started.turns.clone();
            // The others leave cores to whoever asks and writes, unless it is their turn.
            let is_eager = number < index_threads.div_ceil(2);
            let round = move |store: &Store| index(store, &turns, is_eager);
            started.spawn(format!("tracehouse-index-{number}"), round)?;
        }
        Ok(started)
    }

    fn start_settling(&self, settle_after: Duration, changes: Arc<RwLock<()>>) -> Result<Settling> {
        let (store, turns, failure) =
            (self.store.clone(), self.turns.clone(), self.failure.clone());
        let pause = (settle_after / 4).clamp(IDLE, SETTLE_PAUSE_MAX);
        Settling::start(pause, move || {
            let is_loading = turns.bulk_loads.load(Ordering::Acquire) > 0;
            // Who deletes may do so for long: the next round comes.
            let Some(_shared) = changes.try_read().ok().filter(|_| !is_loading) else {
                return;
            };
            match settle_due(&store, settle_after) {
                Err(error) if error.kind() != ErrorKind::Unavailable => {
                    *locked(&failure) = Some(error.to_string());
                }
                _ => {}
            }
        })
    }

    /// A thread that runs `round` until the end.
    fn spawn(
        &mut self,
        name: String,
        round: impl Fn(&Store) -> tracehouse_storage::Result<()> + Send + 'static,
    ) -> Result<()> {
        let (stop, failure, store) = (self.stop.clone(), self.failure.clone(), self.store.clone());
        let failed = Error::internal(format!("no thread {name}"));
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                if let Err(error) = round(&store) {
                    *locked(&failure) = Some(error.to_string());
                    std::thread::sleep(IDLE);
                }
            }
        });
        self.threads.push(thread.map_err(|_| failed)?);
        Ok(())
    }

    /// Until the guard is dropped, text indexes wait for their turn: rows are found by scanning meanwhile.
    pub fn bulk_load(&self) -> BulkLoad {
        self.turns.bulk_loads.fetch_add(1, Ordering::AcqRel);
        BulkLoad {
            turns: self.turns.clone(),
            store: self.store.clone(),
            stop: self.stop.clone(),
        }
    }

    /// The latest failure, if there was one.
    pub fn failure(&self) -> Option<String> {
        locked(&self.failure).clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that settles traces. It ends before the others do: what it writes may wait for them to seal.
#[derive(Debug)]
struct Settling {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Settling {
    /// Runs `round` after each pause.
    fn start(pause: Duration, round: impl Fn() + Send + 'static) -> Result<Self> {
        let stop: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let ends = stop.clone();
        let run = move || {
            let (ended, changed) = &*ends;
            loop {
                let waited = changed.wait_timeout_while(locked(ended), pause, |ended| !*ended);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    return;
                }
                round();
            }
        };
        let thread = std::thread::Builder::new()
            .name("tracehouse-settle".into())
            .spawn(run);
        let thread = thread.map_err(|_| Error::internal("no thread tracehouse-settle"))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        *locked(&self.stop.0) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whose turn it is while there are bulk loads.
#[derive(Debug, Default)]
struct Turns {
    bulk_loads: AtomicUsize,
    /// The index threads'.
    is_indexing: AtomicBool,
    /// That of a merge, if there is one.
    is_merging: AtomicBool,
}

/// A turn, which ends also when its thread panics: others wait for it.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Release);
        Self(flag)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// A bulk load under way.
#[derive(Debug)]
pub(crate) struct BulkLoad {
    turns: Arc<Turns>,
    store: Arc<Store>,
    stop: Arc<AtomicBool>,
}

impl BulkLoad {
    /// Waits while it is another's turn, unless `is_over`.
    pub fn wait_for_turn(&self, is_over: &dyn Fn() -> bool) {
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        let is_anothers = || is_set(&self.turns.is_indexing) || is_set(&self.turns.is_merging);
        while is_anothers() && !is_set(&self.stop) && !is_over() {
            self.store.wait_for_segment(LOAD_PAUSE);
        }
    }
}

impl Drop for BulkLoad {
    fn drop(&mut self) {
        self.turns.bulk_loads.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One round of an index thread.
fn index(store: &Store, turns: &Turns, is_eager: bool) -> tracehouse_storage::Result<()> {
    match store.texts_to_build() {
        0..=UNINDEXED_LEFT => turns.is_indexing.store(false, Ordering::Release),
        count if count > UNINDEXED_MAX => turns.is_indexing.store(true, Ordering::Release),
        _ => {}
    }
    let is_free = is_eager && turns.bulk_loads.load(Ordering::Acquire) == 0;
    let may_work = is_free || turns.is_indexing.load(Ordering::Acquire);
    if !may_work || !store.index_next_text()? {
        store.wait_for_segment(IDLE);
    }
    Ok(())
}

/// One round: seal what is frozen; when nothing is, prepare a segment for lookups, or compact.
fn maintain(store: &Store, turns: &Turns) -> tracehouse_storage::Result<()> {
    let idle = if store.warm_next() {
        Duration::ZERO
    } else {
        IDLE
    };
    if store.wait_for_frozen(idle) {
        store.seal_frozen()?;
    } else {
        let _turn = Turn::begin(&turns.is_merging);
        store.compact_tier()?;
    }
    Ok(())
}

/// Builds all text indexes that are missing, on several threads; returns how many.
pub(crate) fn index_text(store: &Store, threads: usize) -> Result<usize> {
    let work = || -> tracehouse_storage::Result<usize> {
        let mut built = 0;
        while store.index_next_text()? {
            built += 1;
        }
        Ok(built)
    };
    let built = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let mut built = 0;
        for handle in handles {
            built += handle
                .join()
                .map_err(|_| Error::internal("a text index thread panicked"))??;
        }
        Ok::<usize, Error>(built)
    })?;
    store.wait_for_indexing();
    Ok(built)
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        drop(self.settling.take());
        self.stop.store(true, Ordering::Release);
        self.store.interrupt();
        for thread in self.threads.drain(..) {
            // A panic of a thread was its own: every commit is atomic, nothing is left half done.
            let _ = thread.join();
        }
    }
}
