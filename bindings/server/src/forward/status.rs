//! What is told of a target: by its thread, to whoever asks.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tracehouse::FeedStatus;

use super::post::Breaker;

/// What a target was sent since the server started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sent {
    /// Its address.
    pub(crate) target: String,
    /// Spans that it took.
    pub(crate) spans: u64,
    /// Requests that it took.
    pub(crate) requests: u64,
    /// Bytes of those requests, not compressed.
    pub(crate) bytes: u64,
    /// Spans that it refused for good: they are in the database, and are not sent again.
    pub(crate) refused_spans: u64,
    /// Why it refused the last of them.
    pub(crate) last_refusal: Option<String>,
    /// Requests that failed and were sent again.
    pub(crate) retries: u64,
    /// Why it cannot be sent anything now; `None` while it can.
    pub(crate) failure: Option<String>,
    /// Bytes of the log that it was not sent.
    pub(crate) waiting_bytes: u64,
}

/// How a target stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ForwardStatus {
    /// Its queue.
    pub(crate) feed: FeedStatus,
    /// What it was sent; `None` of a feed whose target is not given any more: nobody empties it.
    pub(crate) sent: Option<Sent>,
}

impl ForwardStatus {
    pub(super) fn new(feed: FeedStatus, sent: Option<Sent>) -> Self {
        Self { feed, sent }
    }
}

/// What a thread shares with the server.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) feed: String,
    sent: Mutex<Sent>,
    stopped: Mutex<bool>,
    stopping: Condvar,
    breaker: OnceLock<Breaker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(feed: String, target: String) -> Self {
        Self {
            feed,
            sent: Mutex::new(Sent {
                target,
                ..Sent::default()
            }),
            stopped: Mutex::new(false),
            stopping: Condvar::new(),
            breaker: OnceLock::new(),
        }
    }

    /// Lets a stop end requests.
    pub(super) fn set_breaker(&self, breaker: Breaker) {
        // It is set once, by the thread's maker.
        let _ = self.breaker.set(breaker);
    }

    /// What was sent so far.
    pub(super) fn sent(&self) -> Sent {
        lock(&self.sent).clone()
    }

    /// Notes something of it.
    pub(super) fn note(&self, note: impl FnOnce(&mut Sent)) {
        note(&mut lock(&self.sent));
    }

    /// Ends the thread, and what it is sending.
    pub(super) fn stop(&self) {
        *lock(&self.stopped) = true;
        self.stopping.notify_all();
        if let Some(breaker) = self.breaker.get() {
            breaker.end();
        }
    }

    /// Whether the thread is to end.
    pub(super) fn is_stopped(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits, unless the thread is to end. Whether it is to go on.
    pub(super) fn wait(&self, pause: Duration) -> bool {
        let stopped = lock(&self.stopped);
        let waited = self
            .stopping
            .wait_timeout_while(stopped, pause, |stopped| !*stopped);
        let (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*stopped
    }
}
