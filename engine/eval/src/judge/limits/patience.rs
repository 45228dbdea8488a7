//! How long one item may wait, and whether it still should.
//!
//! Invariants:
//! 1. Every wait is cut into slices, so that a cancellation is seen within one of them.
//! 2. A cancellation that was seen once stays, whatever becomes of the flag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A cancellation is seen after this time at the latest; a caller is promised 200 ms.
const SLICE: Duration = Duration::from_millis(20);

/// Why a wait ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    Deadline,
}

/// The caller's flag, and that it was seen.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    flag: Arc<AtomicBool>,
    seen: AtomicBool,
}

impl Cancel {
    pub fn new(flag: Arc<AtomicBool>) -> Self {
        let seen = AtomicBool::new(false);
        Self { flag, seen }
    }

    pub fn is_set(&self) -> bool {
        if self.flag.load(Ordering::Relaxed) {
            self.seen.store(true, Ordering::Relaxed);
        }
        self.seen.load(Ordering::Relaxed)
    }
}

/// The time that is left for one item.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience<'a> {
    cancel: &'a Cancel,
    deadline: Instant,
}

impl<'a> Patience<'a> {
    pub fn new(cancel: &'a Cancel, deadline: Instant) -> Self {
        Self { cancel, deadline }
    }

    /// Whether to go on.
    pub fn check(&self) -> Result<(), Stop> {
        if self.cancel.is_set() {
            Err(Stop::Cancelled)
        } else if self.left().is_zero() {
            Err(Stop::Deadline)
        } else {
            Ok(())
        }
    }

    /// Time left until the deadline.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The longest wait before the next [`Patience::check`].
    pub fn slice(&self) -> Duration {
        SLICE.min(self.left())
    }

    /// Waits, unless something ends it early.
    pub fn sleep(&self, pause: Duration) -> Result<(), Stop> {
        let start = Instant::now();
        loop {
            self.check()?;
            let left = pause.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(self.slice()));
        }
    }
}

/// The content of a lock. What the locks here guard is whole after every statement, so a thread that
/// panicked with one in its hand harmed nothing.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
