//! The background thread of a database: seals full memtables, merges segments and builds text indexes
//! that are missing. It owns the only thread a database starts before the first query.
//!
//! A failure is kept and shown by `stats`; the data is safe in the write-ahead log meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracehouse_storage::Store;

use crate::error::{Error, Result};

/// How long the thread sleeps when nothing wakes it; only bounds how late a compaction starts.
const IDLE: Duration = Duration::from_millis(500);

/// The running thread; stops when dropped.
#[derive(Debug)]
pub(crate) struct Maintenance {
    stop: Arc<AtomicBool>,
    failure: Arc<Mutex<Option<String>>>,
    store: Arc<Store>,
    thread: Option<JoinHandle<()>>,
}

impl Maintenance {
    /// Starts the thread.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(store: Arc<Store>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let failure = Arc::new(Mutex::new(None));
        let (stopped, failed, work) = (stop.clone(), failure.clone(), store.clone());
        let thread = std::thread::Builder::new()
            .name("tracehouse-maintain".into())
            .spawn(move || {
                while !stopped.load(Ordering::Acquire) {
                    let done = work.wait_for_frozen(IDLE);
                    let result = maintain(&work, done);
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) =
                        result.err().map(|error| error.to_string());
                }
            })
            .map_err(|error| Error::internal(format!("no thread for maintenance: {error}")))?;
        Ok(Self { stop, failure, store, thread: Some(thread) })
    }

    /// Why the last round failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One round: seal what is frozen; when nothing is, compact and index.
fn maintain(store: &Store, frozen: bool) -> tracehouse_storage::Result<()> {
    if frozen {
        store.seal_frozen()?;
        return Ok(());
    }
    store.compact_tier()?;
    store.index_text()?;
    Ok(())
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.store.wake();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was its own: nothing it held is left half done (every commit is atomic).
            let _ = thread.join();
        }
    }
}
