//! The background threads of a database: one seals full memtables and merges segments, further ones
//! build the text indexes of segments that have none yet, which is the slowest part of an import.
//!
//! A failure is kept and shown by `stats`; the data is safe in the write-ahead log meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracehouse_storage::Store;

use crate::error::{Error, Result};

/// How long a thread sleeps when nothing wakes it; only bounds how late a compaction or index starts.
const IDLE: Duration = Duration::from_millis(100);

/// The running threads; they stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    store: Arc<Store>,
    threads: Vec<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(store: Arc<Store>, index_threads: usize) -> Result<Self> {
        let mut started = Self { stop: Arc::default(), failure: Arc::default(), store, threads: Vec::new() };
        started.spawn("tracehouse-maintain".into(), maintain)?;
        for number in 0..index_threads {
            started.spawn(format!("tracehouse-index-{number}"), |store| {
                if !store.index_next_text()? {
                    store.wait_for_segment(IDLE);
                }
                Ok(())
            })?;
        }
        Ok(started)
    }

    /// A thread that runs `round` until the end.
    fn spawn(&mut self, name: String, round: fn(&Store) -> tracehouse_storage::Result<()>) -> Result<()> {
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

    /// The last failure, if there was one.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
