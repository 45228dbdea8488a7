//! The background threads of a database: one seals full memtables and merges segments, further ones
//! build the text indexes of segments that have none yet. Indexing is the slowest part of an import, so
//! while a bulk load runs these wait, up to a bound on the segments that wait with them.
//!
//! A failure is kept and shown by `stats`; the data is safe in the write-ahead log meanwhile.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracehouse_storage::Store;

use crate::error::{Error, Result};

/// How long a thread sleeps when nothing wakes it; only bounds how late a compaction or index starts.
const IDLE: Duration = Duration::from_millis(100);
/// Segments that may wait for their text index while a bulk load has the cores for itself: beyond it,
/// indexing would fall behind for longer than the load is sped up.
const UNINDEXED_MAX: usize = 16;

/// The running threads; they stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    bulk_loads: Arc<AtomicUsize>,
    store: Arc<Store>,
    threads: Vec<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(store: Arc<Store>, index_threads: usize) -> Result<Self> {
        let mut started = Self {
            stop: Arc::default(),
            failure: Arc::default(),
            bulk_loads: Arc::default(),
            store,
            threads: Vec::new(),
        };
        started.spawn("tracehouse-maintain".into(), maintain)?;
        for number in 0..index_threads {
            let bulk_loads = started.bulk_loads.clone();
            started.spawn(format!("tracehouse-index-{number}"), move |store| index(store, &bulk_loads))?;
        }
        Ok(started)
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
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                    std::thread::sleep(IDLE);
                }
            }
        });
        self.threads.push(thread.map_err(|_| failed)?);
        Ok(())
    }

    /// Until the guard is dropped, text indexes wait: a bulk load needs the cores, and its rows are
    /// found by scanning meanwhile.
    pub fn bulk_load(&self) -> BulkLoad {
        self.bulk_loads.fetch_add(1, Ordering::AcqRel);
        BulkLoad(self.bulk_loads.clone())
    }

    /// The latest failure, if there was one.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A bulk load under way.
#[derive(Debug)]
pub(crate) struct BulkLoad(Arc<AtomicUsize>);

impl Drop for BulkLoad {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One round of an index thread.
fn index(store: &Store, bulk_loads: &AtomicUsize) -> tracehouse_storage::Result<()> {
    let waits = bulk_loads.load(Ordering::Acquire) > 0 && store.unindexed_segments() <= UNINDEXED_MAX;
    if waits || !store.index_next_text()? {
        store.wait_for_segment(IDLE);
    }
    Ok(())
}

/// One round: seal what is frozen; when nothing is, compact.
fn maintain(store: &Store) -> tracehouse_storage::Result<()> {
    if store.wait_for_frozen(IDLE) {
        store.seal_frozen()?;
    } else {
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
            built += handle.join().map_err(|_| Error::internal("a text index thread panicked"))??;
        }
        Ok::<usize, Error>(built)
    })?;
    store.wait_for_indexing();
    Ok(built)
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.store.interrupt();
        for thread in self.threads.drain(..) {
            // A panic of a thread was its own: every commit is atomic, nothing is left half done.
            let _ = thread.join();
        }
    }
}
