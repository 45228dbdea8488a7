//! What keeps a store within bounds while it is written to: room on the disk, a log and a number of segments
//! that do not grow without end.
//!
//! * **Log**: rows in memory are frozen when the log behind them has half of its cap, in bytes or in records; the
//!   other half is the log of those that are being sealed, and there is at most one such memtable.
//! * **Segments**: with as many as the cap that can still be merged, all of them are merged before there is
//!   another; writers wait for it.
//! * **Disk**: writes leave a reserve, so that deletes, merges and erases find room to make more.
//!
//! A writer that waits is let go with an error when what it waits for fails, or when its time is over.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Log, State, Store, lock};
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::snapshot::Segment;

/// How often a wait that may be given up looks whether it is.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// The reserve is at most this part of the file system.
const RESERVE_PART: u64 = 20;

impl Store {
    /// Refuses a write that would take of the reserve, or that a full hold of the log refuses. Rows are checked by the store itself; for files of the
    /// catalogue it is the caller who knows whether they are new or part of an erase.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn check_space(&self) -> Result<()> {
        self.check_held()?;
        let wanted = self.options.disk_reserve_bytes;
        if wanted == 0 || !self.options.durable {
            return Ok(());
        }
        let Some((free, size)) = self.env.free_bytes() else {
            return Ok(());
        };
        let reserve = wanted.min(size / RESERVE_PART);
        if free >= reserve {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            format!(
                "no space left on the disk but {free} bytes: {reserve} are kept for deletes, merges and erases"
            ),
        ))
    }

    /// When a write that begins now has waited long enough.
    pub(super) fn write_deadline(&self) -> Option<Instant> {
        self.options.write_wait.map(|wait| Instant::now() + wait)
    }

    /// Whether what is in memory has to be sealed before there is more.
    pub(super) fn is_full(&self, log: &Log) -> bool {
        let log_bytes = log.wal.as_ref().map_or(0, |wal| wal.file_bytes());
        let active = &lock(&self.state).active;
        active.view.bytes() >= self.options.flush_bytes_max
            || log_bytes >= self.options.wal_bytes_max / 2
            || log.wal.is_some() && active.records() >= (self.options.wal_records_max / 2).max(1)
    }

    /// Seals what an open has read of the log when that has more records, or `files`, than it should.
    pub(super) fn fold_long_log(&self, files: usize) {
        let records = lock(&self.state).active.records();
        if records > self.options.wal_records_max || files > self.options.wal_files_max {
            // What cannot be sealed now stays where it is: the next open, and the writes before it, try again.
            let _ = self.seal();
        }
    }

    /// Waits until there may be another segment; without a thread for it, merges here.
    pub(super) fn make_segment_room(&self, deadline: Option<Instant>) -> Result<()> {
        if !self.has_too_many_segments() {
            return Ok(());
        }
        if self.options.inline_maintenance {
            return self.compact().map(drop);
        }
        self.changed.notify_all();
        let mut state = lock(&self.state);
        // Nobody merges any more in a database that is being closed, and this writer holds the log.
        while self.is_over_cap(&state) && !self.interrupted.load(Ordering::Acquire) {
            state.check_writable(state.merge_failure.as_ref(), "segments cannot be merged")?;
            state = self.wait_until(state, deadline, "segments wait to be merged")?;
        }
        Ok(())
    }

    /// Whether all segments that can be merged should be, now.
    pub(super) fn has_too_many_segments(&self) -> bool {
        self.is_over_cap(&lock(&self.state))
    }

    fn is_over_cap(&self, state: &State) -> bool {
        // One segment cannot be merged with others.
        self.mergeable(state).count() >= self.options.segments_max.max(2)
    }

    /// The segments that are not too large to be merged further, and those that are mostly deleted.
    pub(super) fn mergeable<'s>(&self, state: &'s State) -> impl Iterator<Item = &'s Arc<Segment>> {
        let is_mergeable = move |segment: &&Arc<Segment>| {
            !self.rests(segment) || state.manifest.is_mostly_masked(segment.meta())
        };
        state.segments.iter().filter(is_mergeable)
    }

    /// Whether a segment is too large to be merged with others.
    pub(super) fn rests(&self, segment: &Segment) -> bool {
        segment.meta().span_rows >= self.options.segment_rows_max
    }

    /// Waits for a change of the state.
    ///
    /// # Errors
    /// `Unavailable` when the time is over, `Cancelled` when the thread's interrupt says so; `what` says what was waited
    /// for.
    pub(super) fn wait_until<'s>(
        &self,
        state: MutexGuard<'s, State>,
        deadline: Option<Instant>,
        what: &str,
    ) -> Result<MutexGuard<'s, State>> {
        let interrupt = interrupt::of_thread();
        interrupt.check()?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            debug_assert!(
                self.options.write_wait.is_some(),
                "deadlines are made of it"
            );
            let wait = self.options.write_wait.unwrap_or_default();
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "writers are faster than the disk: {what} for more than {} ms",
                    wait.as_millis()
                ),
            ));
        }
        let left = match interrupt.is_never() {
            true => left,
            false => Some(left.map_or(LOOK_PAUSE, |left| left.min(LOOK_PAUSE))),
        };
        let waited = match left {
            None => self.changed.wait(state),
            Some(left) => self
                .changed
                .wait_timeout(state, left)
                .map(|(state, _)| state)
                .map_err(|e| PoisonError::new(e.into_inner().0)),
        };
        Ok(waited.unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Refuses to wait in a closed store, and for what has failed: nobody knows when the next attempt will
    /// be better, callers are told and may try again.
    pub(super) fn check_writable(
        &self,
        failure: Option<&(ErrorKind, String)>,
        what: &str,
    ) -> Result<()> {
        if self.closed {
            return Err(Error::new(ErrorKind::Closed, "the database is closed"));
        }
        match failure {
            Some((kind, failure)) => Err(Error::new(*kind, format!("{what}: {failure}"))),
            None => Ok(()),
        }
    }
}
