//! The thread of a target: reads its feed, sends, and moves the position.
//!
//! 1. Take what is new in the feed; when there is nothing, wait a moment. What comes meanwhile goes together.
//! 2. Send it in requests of about a megabyte. Wait and repeat as long as the target cannot take them; halve what it refuses.
//! 3. Acknowledge: the position moves, durably, and the log is cut. A process that ends before that sends it once more.

use std::sync::Arc;
use std::time::Duration;

use tracehouse::{FeedBatch, LogFeed, Span, encode_otlp};

use super::answer::{Outcome, outcome};
use super::pause::Pauses;
use super::post::Poster;
use super::status::Shared;
use super::target::Target;
use crate::error::ServeError;

/// What is waited for more, when there is nothing.
const IDLE_PAUSE: Duration = Duration::from_millis(200);
/// Bytes of the log that are read together: compressed, so some megabytes of spans.
const READ_BYTES_MAX: u64 = 512 << 10;
/// About so many bytes of spans go in a request.
const REQUEST_BYTES: usize = 1 << 20;
/// A span takes about this besides its texts: ids, times, names of fields.
const SPAN_BYTES: usize = 128;
/// How often the same is sent to a target that fails on it (HTTP status 500) before it counts as refused.
const FAILURES_MAX: u32 = 8;

/// A target's thread.
#[derive(Debug)]
pub(super) struct Worker {
    feed: LogFeed,
    poster: Poster,
    shared: Arc<Shared>,
}

/// The server is stopping.
#[derive(Debug)]
struct Stopped;

impl Worker {
    /// # Errors
    /// What the feed gives.
    pub(super) fn new(
        feed: LogFeed,
        target: Target,
        database_id: String,
        shared: Arc<Shared>,
    ) -> Result<Self, ServeError> {
        let poster = Poster::new(target, database_id);
        shared.set_breaker(poster.breaker());
        let waiting_bytes = feed.waiting_bytes()?;
        shared.note(|sent| sent.waiting_bytes = waiting_bytes);
        Ok(Self {
            feed,
            poster,
            shared,
        })
    }

    /// Sends until the server stops.
    pub(super) fn run(mut self) {
        while self.step().is_ok() {}
    }

    fn step(&mut self) -> Result<(), Stopped> {
        let mut pauses = Pauses::default();
        let batch = loop {
            match self.feed.next(READ_BYTES_MAX) {
                Ok(batch) => break batch,
                Err(error) => self.fail(format!("the log: {error}"), pauses.next(None))?,
            }
        };
        if let Ok(waiting_bytes) = self.feed.waiting_bytes() {
            self.shared.note(|sent| sent.waiting_bytes = waiting_bytes);
        }
        let Some(batch) = batch else {
            return self.wait(IDLE_PAUSE);
        };
        for spans in requests(batch.spans()) {
            self.deliver(spans)?;
        }
        self.acknowledge(&batch)
    }

    /// Moves the position; what cannot be noted now is noted later, since nothing is sent before it is.
    fn acknowledge(&mut self, batch: &FeedBatch) -> Result<(), Stopped> {
        let mut pauses = Pauses::default();
        while let Err(error) = self.feed.ack(batch) {
            let failure = format!("the position cannot be noted: {error}");
            self.fail(failure, pauses.next(None))?;
        }
        Ok(())
    }

    /// Sends spans until the target took them, or refused each by itself.
    fn deliver(&self, spans: &[Span]) -> Result<(), Stopped> {
        // Those that are still to be sent, the next one last.
        let mut parts = vec![spans];
        while let Some(part) = parts.pop() {
            let Some(reason) = self.send(part)? else {
                continue;
            };
            if part.len() > 1 {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
                continue;
            }
            self.shared.note(|sent| {
                sent.refused_spans += part.len() as u64;
                sent.last_refusal = Some(reason);
            });
        }
        Ok(())
    }

    /// Sends spans until there is an answer about them: why they are refused, `None` when they are taken.
    fn send(&self, spans: &[Span]) -> Result<Option<String>, Stopped> {
        let request = encode_otlp(spans);
        let mut pauses = Pauses::default();
        loop {
            let reply = self.poster.post(&request);
            if self.shared.is_stopped() {
                return Err(Stopped);
            }
            match outcome(reply) {
                Outcome::Taken { rejected, reason } => {
                    self.taken(spans.len() as u64, request.len() as u64, rejected, reason);
                    return Ok(None);
                }
                Outcome::Later { reason, asked } => self.again(reason, pauses.next(asked))?,
                Outcome::Fails { reason } if pauses.tries() < FAILURES_MAX => {
                    self.again(reason, pauses.next(None))?;
                }
                Outcome::Fails { reason } | Outcome::Refused { reason } => return Ok(Some(reason)),
            }
        }
    }

    fn taken(&self, spans: u64, bytes: u64, rejected: u64, reason: String) {
        let rejected = rejected.min(spans);
        self.shared.note(|sent| {
            sent.spans += spans - rejected;
            sent.requests += 1;
            sent.bytes += bytes;
            sent.failure = None;
            sent.refused_spans += rejected;
            if rejected > 0 {
                sent.last_refusal = Some(reason);
            }
        });
    }

    fn again(&self, reason: String, pause: Duration) -> Result<(), Stopped> {
        self.shared.note(|sent| sent.retries += 1);
        self.fail(reason, pause)
    }

    fn fail(&self, failure: String, pause: Duration) -> Result<(), Stopped> {
        self.shared.note(|sent| sent.failure = Some(failure));
        self.wait(pause)
    }

    fn wait(&self, pause: Duration) -> Result<(), Stopped> {
        match self.shared.wait(pause) {
            true => Ok(()),
            false => Err(Stopped),
        }
    }
}

/// Spans in parts of about a request each; a span is in one of them whole, however large.
fn requests(spans: &[Span]) -> impl Iterator<Item = &[Span]> {
    let mut rest = spans;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|span| {
            let is_first = bytes == 0;
            bytes += SPAN_BYTES + span.text_bytes();
            is_first || bytes <= REQUEST_BYTES
        });
        let count = fitting.count();
        let (part, after) = rest.split_at_checked(count)?;
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_every_span_once_and_about_a_megabyte() {
        let span = |bytes: usize| Span::new("t", "s", "x".repeat(bytes));
        for sizes in [vec![], vec![10; 100_000], vec![5 << 20], vec![700 << 10; 9]] {
            let spans: Vec<Span> = sizes.iter().map(|bytes| span(*bytes)).collect();
            let parts: Vec<&[Span]> = requests(&spans).collect();
            assert_eq!(
                parts.iter().map(|part| part.len()).sum::<usize>(),
                sizes.len()
            );
            let bytes = |part: &&[Span]| part.iter().map(Span::text_bytes).sum::<usize>();
            let is_bounded = |part: &&[Span]| part.len() == 1 || bytes(part) <= REQUEST_BYTES;
            assert!(parts.iter().all(is_bounded));
        }
        assert_eq!(requests(&vec![span(10); 100_000]).count(), 14);
    }
}
