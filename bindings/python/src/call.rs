//! Runs work of the engine for a Python caller: other Python threads go on, and Ctrl-C ends it.
//!
//! Signals reach Python code of the main thread alone. There the work is done by a thread of ours, while the main thread
//! waits in short slices and lets Python look for signals between them. When a handler raises (`KeyboardInterrupt`), the
//! work is cancelled by its token; what does not notice in a moment is left to end in the background, and its result is
//! dropped. Other threads do their work themselves.
//!
//! **Invariants**
//! 1. Signals are looked for before every call, too: a loop over ready batches never waits.
//! 2. A thread of ours is used again only when its work is done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock, TryLockError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tracehouse::{CancelToken, Database};

use crate::errors;
use crate::handle::Handle;

/// How long the main thread waits between two looks for signals.
const SLICE: Duration = Duration::from_millis(20);
/// How long what was cancelled may take to end before the caller goes on without it.
const GRACE: Duration = Duration::from_millis(100);

/// The thread that Python gives signals to, where the module was loaded by it.
static MAIN: OnceLock<ThreadId> = OnceLock::new();
/// Threads that have no work, of the process with this id.
static IDLE: Mutex<Vec<(u32, Worker)>> = Mutex::new(Vec::new());

type Job = Box<dyn FnOnce() + Send>;
type Worker = Sender<Job>;
/// What a work gave, or what it panicked with.
type Ended<T> = Result<T, Box<dyn Any + Send>>;

/// Remembers the main thread. To be called when the module is loaded.
pub(crate) fn note_main_thread(py: Python<'_>) -> PyResult<()> {
    if is_first_thread() || asks_python_for_main(py)? {
        let _ = MAIN.set(thread::current().id());
    }
    Ok(())
}

/// Whether this is the thread that the process began with, as far as the system says: Python's, unless a program that
/// embeds it has another. It saves loading `threading`.
fn is_first_thread() -> bool {
    // `PID/task/TID`.
    let own = std::fs::read_link("/proc/thread-self");
    own.is_ok_and(|own| {
        let mut parts = own.iter();
        let process = parts.next();
        process.is_some() && parts.nth(1) == process
    })
}

fn asks_python_for_main(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import("threading")?;
    let main = threading.call_method0("main_thread")?.getattr("ident")?;
    threading.call_method0("get_ident")?.eq(main)
}

/// Whether this is the thread that signals are given to. Where that is not known without Python, it is not.
pub(crate) fn is_main_thread() -> bool {
    MAIN.get()
        .is_some_and(|main| *main == thread::current().id())
}

/// Does work on a database that a token of its own can cancel.
///
/// # Errors
/// What the work fails with; `Closed` where the handle is; what a signal handler raised.
pub(crate) fn run<T, F>(py: Python<'_>, handle: &Handle, work: F) -> PyResult<T>
where
    T: Send + 'static,
    F: FnOnce(&Database) -> tracehouse::Result<T> + Send + 'static,
{
    let token = CancelToken::new();
    let database = handle.database()?.with_cancel(token.clone());
    run_until(py, &token, move || work(&database))?.map_err(|error| errors::raised(py, &error))
}

/// Does work that `token` cancels.
///
/// # Errors
/// What a signal handler raised, or that the work panicked.
pub(crate) fn run_until<T, F>(py: Python<'_>, token: &CancelToken, work: F) -> PyResult<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let is_main = match MAIN.get() {
        Some(_) => is_main_thread(),
        None => asks_python_for_main(py)?,
    };
    let guarded = move || catch_unwind(AssertUnwindSafe(work));
    let ended = if is_main {
        py.check_signals()?;
        on_worker(py, token, guarded)?
    } else {
        py.detach(guarded)
    };
    ended.map_err(|panic| errors::panicked(py, panic.as_ref()))
}

/// Does work on a thread of ours while this one looks for signals.
fn on_worker<T, F>(py: Python<'_>, token: &CancelToken, work: F) -> PyResult<Ended<T>>
where
    T: Send + 'static,
    F: FnOnce() -> Ended<T> + Send + 'static,
{
    let (done_in, mut done) = channel();
    let job: Job = Box::new(move || drop(done_in.send(work())));
    let worker =
        start(job).map_err(|error| errors::internal(py, &format!("no thread: {error}")))?;
    loop {
        let waited;
        (done, waited) = py.detach(move || wait(done, SLICE));
        match waited {
            Ok(ended) => {
                rest(worker);
                return Ok(ended);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(errors::internal(py, "a thread ended without an answer"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if let Err(raised) = py.check_signals() {
            token.cancel();
            let (_, waited) = py.detach(move || wait(done, GRACE));
            if waited.is_ok() {
                rest(worker);
            }
            return Err(raised);
        }
    }
}

type Waited<T> = (Receiver<T>, Result<T, RecvTimeoutError>);

/// Waits; gives the receiver back, which no other thread may have meanwhile.
fn wait<T>(done: Receiver<T>, time: Duration) -> Waited<T> {
    let received = done.recv_timeout(time);
    (done, received)
}

/// Gives a job to a thread without work, or to a new one.
fn start(job: Job) -> std::io::Result<Worker> {
    let mut job = job;
    while let Some(worker) = idle() {
        match worker.send(job) {
            Ok(()) => return Ok(worker),
            Err(unsent) => job = unsent.0,
        }
    }
    let (worker, jobs) = channel::<Job>();
    let work = move || jobs.into_iter().for_each(|job| job());
    thread::Builder::new()
        .name("tracehouse-call".to_string())
        .spawn(work)?;
    // The thread holds the other end.
    drop(worker.send(job));
    Ok(worker)
}

/// A thread without work. The lock is not waited for: in a forked process nobody may be left to release it.
fn idle() -> Option<Worker> {
    let mut idle = match IDLE.try_lock() {
        Ok(idle) => idle,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    let own = std::process::id();
    // Threads of the process that this one was forked from are not there.
    idle.retain(|(process, _)| *process == own);
    idle.pop().map(|(_, worker)| worker)
}

fn rest(worker: Worker) {
    if let Ok(mut idle) = IDLE.try_lock() {
        idle.push((std::process::id(), worker));
    }
}

/// Waits for something that has no token and no end of its own, such as a lock of another thread, until `time` is over.
pub(crate) fn retry<T>(time: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Some(found) => return Some(found),
            None if started.elapsed() > time => return None,
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
}
