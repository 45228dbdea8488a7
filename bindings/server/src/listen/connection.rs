//! What a connection is doing, and whether it may go on.
//!
//! ```text
//! accepted -> (handshake) -> no request -> head begun -> requests in progress -> no request -> ..
//!                            idle_timeout  read_timeout  write_timeout, for an answer that is left lying
//! ```
//!
//! A head that has begun is only told apart in HTTP/1: in HTTP/2 any frame may come between requests, and a head that never
//! ends is one more connection without a request.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::options::ServeOptions;

/// Requests that a client may take back before their answer, unless most are answered: more is an attack.
const GIVEN_UP_MAX: usize = 1000;

/// How long what a connection does may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) answer: Duration,
}

impl Times {
    pub(super) fn of(options: &ServeOptions) -> Self {
        Self {
            head: options.read_timeout,
            idle: options.idle_timeout,
            answer: options.write_timeout,
        }
    }

    /// How often a connection is looked at.
    pub(super) fn pause(&self) -> Duration {
        let shortest = self.head.min(self.idle).min(self.answer);
        (shortest / 4).max(Duration::from_millis(10))
    }
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    GoOn,
    /// It had no request for too long.
    Idle,
    /// It has no request, and another connection needs its place.
    Room,
    /// A head or the reading of an answer takes too long, or requests are taken back all the time.
    Slow,
}

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Connection {
    begun: Instant,
    requests: AtomicUsize,
    /// When the last request ended, in milliseconds since the begin.
    quiet_since_ms: AtomicU64,
    /// When the head in progress began, if one is: plus one, so that zero is none.
    head_since_ms: AtomicU64,
    is_http2: AtomicBool,
    given_up: AtomicUsize,
    answered: AtomicUsize,
    /// Whether another needs the place.
    make_room: AtomicBool,
    /// Wakes whoever drives it, to ask for the verdict.
    pub(super) wake: Notify,
    /// For each answer: since when a piece of it waits for the client, plus one; zero when none does.
    lying_since_ms: Mutex<Vec<Arc<AtomicU64>>>,
}

impl Connection {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            requests: AtomicUsize::new(0),
            quiet_since_ms: AtomicU64::new(0),
            head_since_ms: AtomicU64::new(0),
            is_http2: AtomicBool::new(false),
            given_up: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            make_room: AtomicBool::new(false),
            wake: Notify::new(),
            lying_since_ms: Mutex::default(),
        })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn is_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        let is_head = self.requests.load(Ordering::Relaxed) == 0
            && self.head_since_ms.load(Ordering::Relaxed) == 0;
        if is_head {
            self.head_since_ms
                .store(self.now_ms() + 1, Ordering::Relaxed);
        }
    }

    /// The head of a request is there.
    pub(super) fn begin(self: &Arc<Self>) -> InProgress {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.head_since_ms.store(0, Ordering::Relaxed);
        InProgress {
            connection: self.clone(),
            is_answered: false,
        }
    }

    /// Since when nothing is asked, as long as that is so.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        if self.requests.load(Ordering::Acquire) > 0 {
            return None;
        }
        let head = self.head_since_ms.load(Ordering::Relaxed).saturating_sub(1);
        let since_ms = self.quiet_since_ms.load(Ordering::Relaxed).max(head);
        Some(self.begun + Duration::from_millis(since_ms))
    }

    /// Asks for its place. Whether it was not asked before.
    pub(super) fn ask_for_room(&self) -> bool {
        let is_first = !self.make_room.swap(true, Ordering::AcqRel);
        self.wake.notify_one();
        is_first
    }

    /// Whether it may go on.
    pub(super) fn verdict(&self, times: &Times) -> Verdict {
        let now_ms = self.now_ms();
        let is_past = |since_ms: u64, limit: Duration| {
            u128::from(now_ms.saturating_sub(since_ms)) >= limit.as_millis()
        };
        let (given_up, answered) = (&self.given_up, &self.answered);
        let given_up = given_up.load(Ordering::Relaxed);
        if given_up > GIVEN_UP_MAX && given_up > answered.load(Ordering::Relaxed) {
            return Verdict::Slow;
        }
        let lies = |since: &Arc<AtomicU64>| match since.load(Ordering::Relaxed) {
            0 => false,
            since => is_past(since - 1, times.answer),
        };
        if lock(&self.lying_since_ms).iter().any(lies) {
            return Verdict::Slow;
        }
        if self.requests.load(Ordering::Acquire) > 0 {
            return Verdict::GoOn;
        }
        let head_since = self.head_since_ms.load(Ordering::Relaxed);
        let is_head = head_since > 0 && !self.is_http2.load(Ordering::Relaxed);
        if is_head && is_past(head_since - 1, times.head) {
            return Verdict::Slow;
        }
        if self.make_room.load(Ordering::Acquire) {
            return Verdict::Room;
        }
        match is_past(self.quiet_since_ms.load(Ordering::Relaxed), times.idle) {
            true => Verdict::Idle,
            false => Verdict::GoOn,
        }
    }
}

/// A request, from the end of its head to the end of its answer.
#[derive(Debug)]
pub(super) struct InProgress {
    connection: Arc<Connection>,
    is_answered: bool,
}

impl InProgress {
    /// The head of the answer is there.
    pub(super) fn answered(mut self) -> Lying {
        self.is_answered = true;
        // Its head is there for the client.
        let since_ms = Arc::new(AtomicU64::new(self.connection.now_ms() + 1));
        lock(&self.connection.lying_since_ms).push(since_ms.clone());
        Lying {
            since_ms,
            request: self,
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let connection = &self.connection;
        let count = match self.is_answered {
            true => &connection.answered,
            false => &connection.given_up,
        };
        let counted = count.fetch_add(1, Ordering::Relaxed);
        let now_ms = connection.now_ms();
        connection.quiet_since_ms.store(now_ms, Ordering::Relaxed);
        connection.requests.fetch_sub(1, Ordering::AcqRel);
        if !self.is_answered && counted >= GIVEN_UP_MAX {
            connection.wake.notify_one();
        }
    }
}

/// An answer on its way: whether a piece of it waits for the client.
#[derive(Debug)]
pub(super) struct Lying {
    since_ms: Arc<AtomicU64>,
    request: InProgress,
}

impl Lying {
    /// The client has taken what was there.
    pub(super) fn taken(&self) {
        self.since_ms.store(0, Ordering::Relaxed);
    }

    /// A piece is there for the client.
    pub(super) fn given(&self) {
        let now_ms = self.request.connection.now_ms();
        self.since_ms.store(now_ms + 1, Ordering::Relaxed);
    }
}

impl Drop for Lying {
    fn drop(&mut self) {
        lock(&self.request.connection.lying_since_ms)
            .retain(|other| !Arc::ptr_eq(other, &self.since_ms));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn times(head: Duration, idle: Duration, answer: Duration) -> Times {
        Times { head, idle, answer }
    }

    #[test]
    fn a_connection_without_a_request_ends_and_one_with_a_request_does_not() {
        let connection = Connection::new();
        let no_idling = times(LONG, Duration::ZERO, LONG);
        assert_eq!(connection.verdict(&no_idling), Verdict::Idle);
        let request = connection.begin();
        assert_eq!(connection.verdict(&no_idling), Verdict::GoOn);
        assert_eq!(connection.idle_since(), None);
        drop(request);
        assert_eq!(connection.verdict(&no_idling), Verdict::Idle);
        assert!(connection.ask_for_room() && !connection.ask_for_room());
        assert_eq!(connection.verdict(&times(LONG, LONG, LONG)), Verdict::Room);
    }

    #[test]
    fn a_head_has_its_own_limit_in_http1() {
        let connection = Connection::new();
        let no_heads = times(Duration::ZERO, LONG, LONG);
        assert_eq!(connection.verdict(&no_heads), Verdict::GoOn);
        connection.received();
        assert_eq!(connection.verdict(&no_heads), Verdict::Slow);
        drop(connection.begin());
        assert_eq!(connection.verdict(&no_heads), Verdict::GoOn);
        connection.received();
        connection.is_http2();
        assert_eq!(connection.verdict(&no_heads), Verdict::GoOn);
    }

    #[test]
    fn an_answer_that_is_left_lying_ends_its_connection() {
        let connection = Connection::new();
        let no_lying = times(LONG, LONG, Duration::ZERO);
        let answer = connection.begin().answered();
        assert_eq!(connection.verdict(&no_lying), Verdict::Slow);
        answer.taken();
        assert_eq!(connection.verdict(&no_lying), Verdict::GoOn);
        answer.given();
        drop(answer);
        assert_eq!(connection.verdict(&no_lying), Verdict::GoOn);
    }

    #[test]
    fn requests_taken_back_all_the_time_end_their_connection() {
        let connection = Connection::new();
        let all = times(LONG, LONG, LONG);
        (0..GIVEN_UP_MAX).for_each(|_| drop(connection.begin()));
        assert_eq!(connection.verdict(&all), Verdict::GoOn);
        drop(connection.begin());
        assert_eq!(connection.verdict(&all), Verdict::Slow);
        (0..=GIVEN_UP_MAX).for_each(|_| drop(connection.begin().answered()));
        assert_eq!(connection.verdict(&all), Verdict::GoOn);
    }
}
