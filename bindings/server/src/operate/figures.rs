//! What is counted: requests, what was received, questions, connections. Counting is cheap; `metrics` writes it out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracehouse::{Error, ErrorKind, ImportReport};

/// The upper ends of the classes of a histogram, in seconds; one more has the rest.
pub(super) const CLASS_SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];
/// How long the server is not ready after a write failed: then others may try again.
const NOT_READY: Duration = Duration::from_secs(15);

/// A number that only grows, or goes up and down.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A kind of request that ended in one way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ended {
    pub(super) route: String,
    pub(super) method: &'static str,
    pub(super) status: String,
}

/// How long the requests of a route took.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    /// Of each class, the last is for what is longer than all.
    pub(super) counts: [u64; CLASS_SECONDS.len() + 1],
    pub(super) seconds: f64,
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        let class = CLASS_SECONDS
            .iter()
            .position(|end| seconds <= *end)
            .unwrap_or(CLASS_SECONDS.len());
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
        }
        self.seconds += seconds;
    }
}

/// Requests by route. Routes are those of the program, methods and statuses are few: it does not grow.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests {
    pub(super) ended: BTreeMap<Ended, u64>,
    pub(super) seconds: BTreeMap<String, Histogram>,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    requests: Mutex<Requests>,
    pub(super) in_progress: Count,
    pub(super) given_up: Count,
    pub(super) request_bytes: Count,
    pub(super) response_bytes: Count,
    /// Requests refused: no token or an unknown one, a role or experiment that is missing, too many, another site's page.
    pub(super) refused_token: Count,
    pub(super) refused_right: Count,
    pub(super) refused_rate: Count,
    pub(super) spans: Count,
    pub(super) duplicate_spans: Count,
    pub(super) rejected: Count,
    pub(super) dropped_spans: Count,
    pub(super) log_records: Count,
    pub(super) received_bytes: Count,
    pub(super) failed_writes: Count,
    last_failure: Mutex<Option<(Instant, String)>>,
    pub(super) questions_waiting: Count,
    pub(super) questions_running: Count,
    pub(super) questions_given_up: Count,
    pub(crate) connections: Count,
    pub(crate) accepted: Count,
    pub(crate) closed_idle: Count,
    pub(crate) closed_for_room: Count,
    pub(crate) closed_slow: Count,
    pub(crate) failed_handshakes: Count,
}

impl Figures {
    pub(super) fn request(&self, ended: Ended, took: Duration) {
        let mut requests = lock(&self.requests);
        let seconds = took.as_secs_f64();
        match requests.seconds.get_mut(&ended.route) {
            Some(histogram) => histogram.add(seconds),
            None => requests
                .seconds
                .entry(ended.route.clone())
                .or_default()
                .add(seconds),
        }
        *requests.ended.entry(ended).or_default() += 1;
    }

    pub(super) fn requests(&self) -> Requests {
        lock(&self.requests).clone()
    }

    /// What became of an export request that was decoded.
    pub(crate) fn stored(&self, stored: &Result<ImportReport, Error>) {
        match stored {
            Ok(report) => {
                self.spans.add(report.spans);
                self.duplicate_spans.add(report.duplicate_spans);
                self.rejected.add(report.rejected_count);
                self.dropped_spans.add(report.dropped_spans);
                self.log_records.add(report.log_records);
                self.received_bytes.add(report.bytes);
                *lock(&self.last_failure) = None;
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput => {}
            Err(error) => {
                self.failed_writes.add(1);
                *lock(&self.last_failure) = Some((Instant::now(), error.to_string()));
            }
        }
    }

    /// Why the last write failed, if that was a moment ago and none succeeded since.
    pub(super) fn recent_failure(&self, now: Instant) -> Option<String> {
        let last = lock(&self.last_failure);
        let recent = last
            .as_ref()
            .filter(|(at, _)| now.saturating_duration_since(*at) < NOT_READY);
        recent.map(|(_, why)| why.clone())
    }

    /// A question that waits for its turn.
    pub(crate) fn question(&self) -> Question<'_> {
        self.questions_waiting.add(1);
        Question {
            figures: self,
            state: Turn::Waiting,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Waiting,
    Running,
    Ended,
}

/// A question, counted as waiting, then as running. One that is dropped before its end was given up.
#[derive(Debug)]
pub(crate) struct Question<'f> {
    figures: &'f Figures,
    state: Turn,
}

impl Question<'_> {
    /// It is its turn.
    pub(crate) fn run(&mut self) {
        if self.state == Turn::Waiting {
            self.figures.questions_waiting.subtract(1);
            self.figures.questions_running.add(1);
            self.state = Turn::Running;
        }
    }

    /// It has its answer, or an error.
    pub(crate) fn end(mut self) {
        self.leave();
        self.state = Turn::Ended;
    }

    fn leave(&self) {
        match self.state {
            Turn::Waiting => self.figures.questions_waiting.subtract(1),
            Turn::Running => self.figures.questions_running.subtract(1),
            Turn::Ended => {}
        }
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        if self.state != Turn::Ended {
            self.leave();
            self.figures.questions_given_up.add(1);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_counted_where_they_are() {
        let figures = Figures::default();
        let told = |figures: &Figures| {
            let of = |count: &Count| count.get();
            let (waiting, running) = (&figures.questions_waiting, &figures.questions_running);
            (of(waiting), of(running), of(&figures.questions_given_up))
        };
        let (mut one, other) = (figures.question(), figures.question());
        one.run();
        assert_eq!(told(&figures), (1, 1, 0));
        drop(other);
        assert_eq!(told(&figures), (0, 1, 1));
        one.end();
        assert_eq!(told(&figures), (0, 0, 1));
    }

    #[test]
    fn every_time_has_one_class() {
        let mut histogram = Histogram::default();
        [0.0, 0.001, 0.0011, 60.0, 61.0]
            .into_iter()
            .for_each(|seconds| histogram.add(seconds));
        assert_eq!(histogram.counts[..2], [2, 1]);
        assert_eq!(histogram.counts[CLASS_SECONDS.len() - 1..], [1, 1]);
    }

    #[test]
    fn a_failed_write_is_remembered_until_one_succeeds() {
        let (figures, now) = (Figures::default(), Instant::now());
        let failed = tracehouse::Database::open("/dev/null/no").map(|_| ImportReport::default());
        assert!(failed.is_err());
        figures.stored(&failed);
        assert_eq!(
            figures.recent_failure(now).is_some(),
            failed.unwrap_err().kind() != ErrorKind::InvalidInput
        );
        figures.stored(&Ok(ImportReport::default()));
        assert_eq!(figures.recent_failure(now), None);
    }
}
