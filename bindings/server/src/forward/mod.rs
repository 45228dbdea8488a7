//! Sending on: what arrives goes to other OTLP endpoints too, from a queue that is the database's own log.
//!
//! ```text
//! receive -> log, synced -> answered                            (the sender waits for no target)
//!              |
//!              +-> feed (position kept) -> split -> OTLP/protobuf, gzip -> POST -> taken: the position moves
//!                                                                             |-> later: the same again, after a pause
//!                                                                             |-> refused: halves, down to single spans
//! ```
//!
//! A target has a thread and a feed of its own, so that one that is away delays no other. `target` says where and with what
//! headers, `post` sends, `answer` says what an answer means, `pause` how long to wait, `worker` is the thread, `status` what is
//! told of it.
//!
//! **Invariants**
//! 1. FW-1: the position moves over spans that the target took, or refused for good one by one; the latter are counted, with
//!    the last reason. So what is acknowledged to a sender is sent on at least once, whenever the process dies, unless the
//!    limit of the feed gave it up, which is counted as well.
//! 2. FW-2: an answer that says nothing of the spans (the target is away, busy, does not know the token) loses none of them.
//! 3. FW-3: a span goes to the target alone that it is for, with the headers given for it: no redirect is followed, no proxy
//!    taken from the environment.

mod answer;
mod pause;
mod post;
mod status;
mod target;
mod worker;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::HeaderMap;
use tracehouse::{Database, FeedOptions};

use crate::error::{ApiError, ServeError};
use crate::options::ServeOptions;
use status::Shared;
pub(crate) use status::{ForwardStatus, Sent};
use target::Target;
use worker::Worker;

/// What tells a request that a Tracehouse server sent on: the id of its database.
pub(crate) const FORWARDED_BY: &str = "x-tracehouse-forwarded-by";
/// Names of feeds of this module begin with it.
const FEED_PREFIX: &str = "forward ";
/// How often a stop looks whether the threads have ended.
const STOP_PAUSE: Duration = Duration::from_millis(20);

/// The targets of a server, with their threads.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    senders: Vec<Sender>,
}

#[derive(Debug)]
struct Sender {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Forward {
    /// Opens the feeds of all targets and starts sending. Feeds of targets that are not given any more keep their place, and
    /// their part of the log, until they are released.
    ///
    /// # Errors
    /// For what is no target, for the server itself as one, for a database that keeps no log, and when a thread cannot be
    /// started.
    pub(crate) fn start(
        db: &Database,
        options: &ServeOptions,
        own: &[SocketAddr],
    ) -> Result<Self, ServeError> {
        if options.read_only && !(options.forward.is_empty() && options.forward_release.is_empty())
        {
            return Err(ServeError::new(
                "a server that is read-only sends nothing on: it is the writer's log that is read",
            ));
        }
        for url in &options.forward_release {
            db.release_feed(&Target::parse(url, &[])?.feed_name())?;
        }
        let targets = Target::all(&options.forward, &options.forward_headers)?;
        for target in &targets {
            target.check_other(own)?;
        }
        let limits = FeedOptions::default()
            .bytes_max(options.forward_bytes_max)
            .refuse_writes(options.forward_refuse_writes);
        let mut forward = Self::default();
        for target in targets {
            let feed = db.forward_feed(&target.feed_name(), &limits)?;
            let shared = Arc::new(Shared::new(target.feed_name(), target.shown()));
            let worker = Worker::new(feed, target, db.id(), shared.clone())?;
            let thread = std::thread::Builder::new()
                .name("forward".into())
                .spawn(move || worker.run())
                .map_err(|error| ServeError::new(format!("cannot start a thread: {error}")))?;
            let thread = Mutex::new(Some(thread));
            forward.senders.push(Sender { shared, thread });
        }
        Ok(forward)
    }

    /// How all targets stand, for metrics and logs. Feeds that no target reads are among them.
    ///
    /// # Errors
    /// What reading the feeds gives.
    pub(crate) fn status(&self, db: &Database) -> Result<Vec<ForwardStatus>, ApiError> {
        let feeds = db.feeds()?.into_iter();
        let own = feeds.filter(|feed| feed.name.starts_with(FEED_PREFIX));
        let status = own.map(|feed| {
            let sender = self
                .senders
                .iter()
                .find(|sender| sender.shared.feed == feed.name);
            ForwardStatus::new(feed, sender.map(|sender| sender.shared.sent()))
        });
        Ok(status.collect())
    }

    /// Ends the threads: what is being sent is broken off, and sent again by the next process. Call it before the database is
    /// closed. A thread that the system does not let go is left alone after `wait`.
    pub(crate) fn stop(&self, wait: Duration) {
        self.tell_stop();
        let end = Instant::now() + wait;
        for sender in &self.senders {
            let mut thread = sender.thread.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(thread) = thread.take() else {
                continue;
            };
            while !thread.is_finished() && Instant::now() < end {
                std::thread::sleep(STOP_PAUSE);
            }
            if thread.is_finished() {
                // A panic of it was told when it happened.
                let _ = thread.join();
            }
        }
    }

    fn tell_stop(&self) {
        for sender in &self.senders {
            sender.shared.stop();
        }
    }
}

impl Drop for Forward {
    /// The threads of a server that is given up end, too.
    fn drop(&mut self) {
        self.tell_stop();
    }
}

/// Refuses what this very database has sent on: it would go round for ever.
///
/// # Errors
/// 508, which no sender takes for a fault of the spans.
pub(crate) fn check_loop(db: &Database, headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(FORWARDED_BY) {
        Some(id) if id.as_bytes() == db.id().as_bytes() => Err(ApiError::sent_to_itself(
            "these spans were sent on by this database: it is a target of itself",
        )),
        _ => Ok(()),
    }
}
