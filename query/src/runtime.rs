//! The threads, memory and spill space that queries of one database share.
//!
//! One [`QueryRuntime`] belongs to one open database and ends with it. Planning and execution both
//! run on its threads, which have deep stacks: planner and expressions recurse once per operator of
//! a chain (the guard bounds how often). Trees are also dropped by recursion, so none is on a caller's thread,
//! whose stack may be small.

use std::fmt;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;
use tracehouse_storage::env::ScratchSpace;

use crate::error::{ErrorKind, QueryError, Result};
#[cfg(feature = "sql")]
use crate::sql::Planning;

/// Stack of each thread, in bytes. Address space, not memory: pages are taken as they are touched. A level of a
/// statement's tree takes 50 KB (a cast, an operator) to 130 KB (a call, parentheses) in a development build, so
/// the deepest statement that the guard lets through takes half of it.
pub(crate) const STACK_BYTES: usize = 128 * 1024 * 1024;
/// Tells its threads from others.
const THREAD_NAME: &str = "tracehouse-query";
/// How long the end of a database waits for a query that was given up to notice.
const END_WAIT_MAX: Duration = Duration::from_secs(5);
/// Threads for blocking calls; queries make few.
const BLOCKING_THREADS_MAX: usize = 16;
/// Seconds a query may take unless told otherwise.
const TIMEOUT_SECONDS: u64 = 30;
/// Memory of all running queries unless told otherwise, in bytes.
const MEMORY_BYTES: usize = 1024 * 1024 * 1024;
/// Spill space unless told otherwise, in bytes.
const SPILL_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Size of a collected result unless told otherwise, in bytes.
const RESULT_BYTES: usize = 2 * 1024 * 1024 * 1024;

/// Limits of queries.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    /// Most memory that the queries running at one time may use for sorting, grouping and joining.
    pub memory_bytes_max: usize,
    /// Longest time a query may take; `None` means no limit.
    pub timeout: Option<Duration>,
    /// Threads, and partitions of a scan.
    pub target_partitions: usize,
    /// Where queries spill; without it one that outgrows memory fails.
    pub spill: Option<ScratchSpace>,
    /// Most bytes of spill files at one time.
    pub spill_bytes_max: u64,
    /// Largest result that is collected in memory; streams have no such limit.
    pub result_bytes_max: usize,
}

impl Default for SqlSettings {
    fn default() -> Self {
        Self {
            memory_bytes_max: MEMORY_BYTES,
            timeout: Some(Duration::from_secs(TIMEOUT_SECONDS)),
            target_partitions: std::thread::available_parallelism().map_or(1, usize::from),
            spill: None,
            spill_bytes_max: SPILL_BYTES,
            result_bytes_max: RESULT_BYTES,
        }
    }
}

/// Threads, memory pool and spill space for queries; see the head of this file.
pub struct QueryRuntime {
    /// `None` after the end.
    threads: Mutex<Option<Runtime>>,
    /// Threads that a statement which was given up still holds; they end with it, or with this.
    left: Mutex<Vec<Runtime>>,
    #[cfg(feature = "sql")]
    pub(crate) planning: Planning,
    settings: SqlSettings,
    /// The process that has the threads; a fork of it has not.
    pid: u32,
}

impl fmt::Debug for QueryRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryRuntime")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl QueryRuntime {
    /// Starts the threads.
    ///
    /// # Errors
    /// `Io` when threads cannot be had.
    pub fn new(settings: SqlSettings) -> Result<Self> {
        Self::with_stack(settings, STACK_BYTES)
    }

    pub(crate) fn with_stack(settings: SqlSettings, stack_bytes: usize) -> Result<Self> {
        Ok(Self {
            threads: Mutex::new(Some(start(&settings, stack_bytes)?)),
            left: Mutex::default(),
            #[cfg(feature = "sql")]
            planning: Planning::new(&settings)?,
            settings,
            pid: std::process::id(),
        })
    }

    /// The limits it was made with.
    pub fn settings(&self) -> &SqlSettings {
        &self.settings
    }

    /// Does work that blocks on a thread of its own, for callers that must not block. What drops the answer before it is
    /// there does not end the work.
    ///
    /// # Errors
    /// `Internal` after the end.
    pub fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Blocking<T>> {
        Ok(Blocking(self.threads()?.spawn_blocking(work)))
    }

    /// # Errors
    /// `Internal` after the end.
    pub(crate) fn threads(&self) -> Result<Handle> {
        match self.lock_threads().as_ref() {
            Some(threads) => Ok(threads.handle().clone()),
            None => Err(QueryError::internal("the query threads have ended")),
        }
    }

    /// Leaves the threads to the work that holds them, and to other work that runs there, and starts new ones.
    ///
    /// # Errors
    /// `Io` when threads cannot be had.
    #[cfg(feature = "sql")]
    pub(crate) fn replace_threads(&self) -> Result<()> {
        let fresh = start(&self.settings, STACK_BYTES)?;
        let mut left = self.lock_left();
        let mut threads = self.lock_threads();
        match threads.take() {
            Some(held) => {
                *threads = Some(fresh);
                left.push(held);
            }
            None => fresh.shutdown_background(),
        }
        let is_idle = |threads: &mut Runtime| threads.handle().metrics().num_alive_tasks() == 0;
        left.extract_if(.., is_idle)
            .for_each(Runtime::shutdown_background);
        Ok(())
    }

    fn lock_threads(&self) -> MutexGuard<'_, Option<Runtime>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_left(&self) -> MutexGuard<'_, Vec<Runtime>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the threads, and waits until a query that was given up has noticed; others fail.
    pub fn end(&self) {
        let Some(threads) = self.lock_threads().take() else {
            return;
        };
        let left = std::mem::take(&mut *self.lock_left());
        if self.pid != std::process::id() {
            return std::mem::forget((threads, left));
        }
        left.into_iter().for_each(Runtime::shutdown_background);
        // A task that is the last owner cannot wait for itself.
        if std::thread::current().name() == Some(THREAD_NAME) {
            return threads.shutdown_background();
        }
        // By a thread of its own: tokio refuses to wait on one that belongs to a runtime of the caller.
        let end = move || threads.shutdown_timeout(END_WAIT_MAX);
        if let Ok(thread) = std::thread::Builder::new().spawn(end) {
            let _ = thread.join();
        }
    }
}

fn start(settings: &SqlSettings, stack_bytes: usize) -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(settings.target_partitions.max(1))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(stack_bytes)
        .thread_name(THREAD_NAME)
        .enable_time()
        .build()
        .map_err(|error| {
            let message = format!("query threads cannot be started: {}", error.kind());
            QueryError::new(ErrorKind::Io, message)
        })
}

/// The answer of work on a thread of its own, for any executor.
#[derive(Debug)]
pub struct Blocking<T>(JoinHandle<T>);

impl<T> Future for Blocking<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let done = Pin::new(&mut self.0).poll(context);
        done.map(|answer| {
            answer.map_err(|_| {
                QueryError::internal("a thread of the database ended without an answer")
            })
        })
    }
}

impl Drop for QueryRuntime {
    fn drop(&mut self) {
        self.end();
    }
}
