//! When reading is to stop: at a time, or when someone says so from another thread.
//!
//! A [`Snapshot`](crate::Snapshot) carries an [`Interrupt`], which its scans look at between blocks. While a
//! condition is put to a block, the interrupt is that of the thread ([`Interrupt::guarding`]), so that loops
//! over the characters of a text can ask without being handed it: they call [`spend`] for the work they do.
//!
//! **Invariant**: an interrupted reading fails. What a loop that ended early found is never an answer, since
//! whoever set the interrupt looks at it again when the loop is done.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// Work, about a byte each, between two looks at the clock.
const WORK_BETWEEN_LOOKS: usize = 256 << 10;

/// Stops what was given a clone of it: cancelling one cancels all.
#[derive(Debug, Clone, Default)]
pub struct CancelToken {
    is_cancelled: Arc<AtomicBool>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels, for good.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }

    /// True once it is cancelled, for what waits elsewhere, for a server for instance.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.is_cancelled.clone()
    }
}

/// A time limit and tokens. The default never stops anything.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    /// The end, and the limit that it is the end of.
    deadline: Option<(Instant, Duration)>,
    tokens: Vec<CancelToken>,
}

impl Interrupt {
    /// This interrupt, which also stops after `limit` from now on, unless it has an earlier end.
    pub fn within(self, limit: Duration) -> Self {
        // A limit too far away to be a time is no limit.
        match Instant::now().checked_add(limit) {
            Some(end) => self.by(end, limit),
            None => self,
        }
    }

    /// This interrupt, which also stops at `end`, unless it has an earlier one. `limit` is what the error names.
    pub fn by(mut self, end: Instant, limit: Duration) -> Self {
        if self.deadline.is_none_or(|(earlier, _)| end < earlier) {
            self.deadline = Some((end, limit));
        }
        self
    }

    /// This interrupt, which `token` stops as well.
    pub fn or(mut self, token: CancelToken) -> Self {
        self.tokens.push(token);
        self
    }

    /// Whether nothing can stop it.
    pub fn is_never(&self) -> bool {
        self.deadline.is_none() && self.tokens.is_empty()
    }

    /// Whether a token is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.tokens.iter().any(CancelToken::is_cancelled)
    }

    /// Whether there are tokens that may be cancelled.
    pub fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The time limit, and what is left of it.
    pub fn remaining(&self) -> Option<(Duration, Duration)> {
        self.deadline
            .map(|(end, limit)| (limit, end.saturating_duration_since(Instant::now())))
    }

    /// # Errors
    /// `Cancelled` or `Timeout`.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "the call was cancelled"));
        }
        match self.deadline {
            Some((end, limit)) if Instant::now() >= end => Err(Error::new(
                ErrorKind::Timeout,
                format!(
                    "the call took longer than its limit of {} s",
                    limit.as_secs_f64()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Does `work` as the interrupt of this thread.
    ///
    /// # Errors
    /// `Cancelled` or `Timeout`, also when that came while it was done; then its error and answer mean nothing.
    pub fn guarding<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_never() {
            return work();
        }
        self.check()?;
        let outer = Restore(CURRENT.replace(Some(self.clone())));
        IS_DUE.set(false);
        let done = work();
        drop(outer);
        self.check()?;
        done
    }
}

/// Tokens are equal when they are clones of one.
impl PartialEq for CancelToken {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.is_cancelled, &other.is_cancelled)
    }
}

impl Eq for CancelToken {}

thread_local! {
    static CURRENT: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
    static IS_DUE: Cell<bool> = const { Cell::new(false) };
    static WORK: Cell<usize> = const { Cell::new(0) };
}

/// Puts back what was the interrupt of this thread, also after a panic.
struct Restore(Option<Interrupt>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
        IS_DUE.set(false);
    }
}

/// Does `work` with `interrupt` as that of this thread, for waits on the way: what is done in spite of it counts.
pub fn lending<T>(interrupt: Interrupt, work: impl FnOnce() -> T) -> T {
    if interrupt.is_never() {
        return work();
    }
    let _outer = Restore(CURRENT.replace(Some(interrupt)));
    IS_DUE.set(false);
    work()
}

/// The interrupt of this thread.
pub fn of_thread() -> Interrupt {
    CURRENT.with_borrow(|current| current.clone().unwrap_or_default())
}

/// Notes work that was done or is about to be; whether to go on with more of it.
#[inline]
pub fn spend(work: usize) -> bool {
    let sum = WORK.get() + work;
    if sum < WORK_BETWEEN_LOOKS {
        WORK.set(sum);
        return !IS_DUE.get();
    }
    look()
}

#[cold]
fn look() -> bool {
    WORK.set(0);
    let is_due =
        CURRENT.with_borrow(|current| current.as_ref().is_some_and(|it| it.check().is_err()));
    IS_DUE.set(is_due);
    !is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_at_the_limit_and_its_answer_is_none() {
        let started = Instant::now();
        let work = || {
            while spend(1_000) {}
            Ok(())
        };
        let error = Interrupt::default()
            .within(Duration::from_millis(20))
            .guarding(work)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(spend(WORK_BETWEEN_LOOKS), "the interrupt outlived its work");
    }

    #[test]
    fn a_token_stops_from_another_thread() {
        let token = CancelToken::new();
        let interrupt = Interrupt::default()
            .or(CancelToken::new())
            .or(token.clone());
        assert!(interrupt.check().is_ok());
        let stop = std::thread::spawn(move || token.cancel());
        let work = || {
            while spend(1_000) {}
            Ok(())
        };
        assert_eq!(
            interrupt.guarding(work).unwrap_err().kind(),
            ErrorKind::Cancelled
        );
        stop.join().unwrap();
    }

    #[test]
    fn what_was_lent_ends_waits_and_not_what_is_done() {
        let token = CancelToken::new();
        let interrupt = Interrupt::default().or(token.clone());
        token.cancel();
        assert!(lending(interrupt, || of_thread().check().is_err()));
        assert!(of_thread().is_never());
    }

    #[test]
    fn the_earlier_limit_counts() {
        let interrupt = Interrupt::default()
            .within(Duration::ZERO)
            .within(Duration::from_secs(60));
        assert!(
            interrupt
                .check()
                .unwrap_err()
                .to_string()
                .contains("limit of 0 s")
        );
        assert!(Interrupt::default().within(Duration::MAX).check().is_ok());
    }
}
