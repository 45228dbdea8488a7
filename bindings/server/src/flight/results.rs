//! Results that wait for their reader or have one: from a statement to messages, by ticket.
//!
//! ```text
//! start: a place -> a turn -> planned -> ticket
//!   task, once it is read: next batch (with a turn) -> pieces -> messages, on a thread of their own -> channel of a few -> DoGet
//! ```
//!
//! The task owns the statement. It waits for its reader as long as a ticket is good: for the first message as for each
//! further one. Nothing is computed before it has come: a client that goes before it could show its ticket leaves a plan
//! behind and no work. When the reader goes, waits too long or cancels, the task ends, and the statement with it.
//!
//! The limit of a question's time is about the engine's work: the time in which a reader takes what is there does not
//! count. A turn among all questions is held while the engine is waited for, never for a reader.
//!
//! **Invariants**
//! 1. The end of a result is said and not concluded from silence: a task that is gone is an error, never a shorter result.
//! 2. A place is given back when its task ends, whatever ends it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use futures::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tonic::Status;
use tracehouse::{CancelToken, SqlQuery, SqlStream};

use super::handle::Handle;
use super::outgoing;
use super::status::{internal, of_engine};
use crate::access::Caller;
use crate::error::ApiError;
use crate::state::Shared;

/// How long a ticket is good, and how long a reader may leave a message lying.
const READER_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Results at a time, of one caller and of all.
const PER_CALLER_MAX: usize = 64;
const ALL_MAX: usize = 512;
/// Messages that wait for the reader.
const MESSAGES_AHEAD: usize = 2;

/// What a task sends: messages, then an error or `None` for the end.
type Item = Option<Result<FlightData, Status>>;

/// The results of a server.
#[derive(Debug)]
pub(super) struct Results {
    state: Shared,
    kept: Mutex<HashMap<Handle, Kept>>,
}

#[derive(Debug)]
struct Kept {
    caller: String,
    cancel: CancelToken,
    /// Taken by the reader.
    items: Option<Receiver<Item>>,
}

/// A place among the results; given back when it is dropped.
struct Place {
    results: Arc<Results>,
    handle: Handle,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(kept) = self.results.kept().remove(&self.handle) {
            kept.cancel.cancel();
        }
    }
}

/// A statement that has been planned.
struct Started {
    batches: SqlStream,
    sent: SchemaRef,
    /// What is left of its time.
    time_left: Duration,
}

impl Results {
    pub(super) fn new(state: Shared) -> Self {
        Self {
            state,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Handle, Kept>> {
        // Nothing panics between two changes that belong together.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans a statement: the handle of its result, which is computed when it is read, and the schema as sent.
    ///
    /// # Errors
    /// What planning gives; `Unavailable` when the caller, or all of them, have as many results as they may.
    pub(super) async fn start(
        self: &Arc<Self>,
        caller: &Caller,
        query: SqlQuery,
    ) -> Result<(Handle, SchemaRef), Status> {
        let (sender, items) = mpsc::channel(MESSAGES_AHEAD);
        let cancel = CancelToken::new();
        let place = self.place(caller, cancel.clone(), items)?;
        let started = self.plan(query, &cancel).await?;
        let (handle, sent) = (place.handle, started.sent.clone());
        let task = Task {
            state: self.state.clone(),
            cancel,
            sender,
        };
        tokio::spawn(async move {
            task.run(started).await;
            drop(place);
        });
        Ok((handle, sent))
    }

    /// The schema of a statement's result, as sent. The statement is given up before it has read anything to speak of.
    ///
    /// # Errors
    /// What planning gives.
    pub(super) async fn schema(&self, query: SqlQuery) -> Result<SchemaRef, Status> {
        Ok(self.plan(query, &CancelToken::new()).await?.sent)
    }

    async fn plan(&self, query: SqlQuery, cancel: &CancelToken) -> Result<Started, Status> {
        let _turn = turn(&self.state).await?;
        let (begin, limit) = (Instant::now(), self.state.options.query_timeout);
        let db = self.state.db.with_cancel(cancel.clone());
        let batches = tokio::time::timeout(limit, db.sql_stream(query))
            .await
            .map_err(|_| too_long(limit))?
            .map_err(of_engine)?;
        Ok(Started {
            sent: outgoing::sent_schema(&batches.schema()),
            batches,
            time_left: limit.saturating_sub(begin.elapsed()),
        })
    }

    fn place(
        self: &Arc<Self>,
        caller: &Caller,
        cancel: CancelToken,
        items: Receiver<Item>,
    ) -> Result<Place, Status> {
        let handle = Handle::new()?;
        let mut kept = self.kept();
        let own = kept.values().filter(|kept| kept.caller == caller.name);
        if own.count() >= PER_CALLER_MAX || kept.len() >= ALL_MAX {
            return Err(ApiError::busy(format!(
                "too many results are open: at most {PER_CALLER_MAX} of one token and {ALL_MAX} of all; read or cancel some first"
            ))
            .into());
        }
        let result = Kept {
            caller: caller.name.clone(),
            cancel,
            items: Some(items),
        };
        kept.insert(handle, result);
        Ok(Place {
            results: Arc::clone(self),
            handle,
        })
    }

    /// The messages of a result, to be read once.
    ///
    /// # Errors
    /// `NotFound` for a ticket that is not the caller's, was used, or is too old.
    pub(super) fn take(
        &self,
        caller: &Caller,
        handle: Option<Handle>,
    ) -> Result<impl Stream<Item = Result<FlightData, Status>> + Send + use<>, Status> {
        let mut kept = self.kept();
        let items = handle
            .and_then(|handle| kept.get_mut(&handle))
            .filter(|kept| kept.caller == caller.name)
            .and_then(|kept| kept.items.take())
            .ok_or_else(|| {
                Status::not_found(format!(
                    "there is no such result: a ticket is read once, within {} s, by the token that asked",
                    READER_PAUSE_MAX.as_secs()
                ))
            })?;
        Ok(read(items))
    }

    /// Gives a result up, whether or not it is being read. Says whether it was there.
    pub(super) fn cancel(&self, caller: &Caller, handle: Option<Handle>) -> bool {
        let mut kept = self.kept();
        let result = handle
            .and_then(|handle| kept.get_mut(&handle))
            .filter(|kept| kept.caller == caller.name);
        let Some(result) = result else { return false };
        result.cancel.cancel();
        // Nobody is to read it any more; the task ends when nobody can.
        drop(result.items.take());
        true
    }
}

/// A turn among all questions.
async fn turn(state: &Shared) -> Result<OwnedSemaphorePermit, Status> {
    Ok(state.turns.take().await?)
}

fn too_long(limit: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "the query took longer than its limit of {} s",
        limit.as_secs_f64()
    ))
}

fn read(items: Receiver<Item>) -> impl Stream<Item = Result<FlightData, Status>> + Send {
    stream::unfold(Some(items), |items| async {
        let mut items = items?;
        match items.recv().await {
            Some(Some(Ok(message))) => Some((Ok(message), Some(items))),
            Some(Some(Err(status))) => Some((Err(status), None)),
            Some(None) => None,
            None => {
                let given_up = Status::aborted(format!(
                    "the result was given up before its end: it was not read for {} s, or the server is stopping",
                    READER_PAUSE_MAX.as_secs()
                ));
                Some((Err(given_up), None))
            }
        }
    })
}

/// Why a task ends early.
enum Ended {
    /// The reader is told.
    With(Status),
    /// There is no reader to be told.
    Unread,
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::With(status)
    }
}

/// From batches to messages in the channel.
struct Task {
    state: Shared,
    cancel: CancelToken,
    sender: Sender<Item>,
}

impl Task {
    async fn run(self, started: Started) {
        let last = match self.send_all(started).await {
            Ok(()) => None,
            Err(Ended::With(status)) => Some(Err(status)),
            Err(Ended::Unread) => return,
        };
        // What waits for the reader is kept as long as the ticket is good.
        if self.send(last).await.is_ok() {
            let _ = tokio::time::timeout(READER_PAUSE_MAX, self.sender.closed()).await;
        }
    }

    async fn send_all(&self, started: Started) -> Result<(), Ended> {
        let Started {
            mut batches,
            sent,
            mut time_left,
        } = started;
        self.send(Some(Ok(outgoing::schema_message(&sent)))).await?;
        self.is_read().await?;
        loop {
            let has_turn = self.unless_unread(turn(&self.state)).await??;
            let next = self.unless_unread(self.next(&mut batches, &mut time_left));
            let next = next.await??;
            drop(has_turn);
            let Some(batch) = next else { return Ok(()) };
            for piece in outgoing::pieces(batch) {
                let message = message(&sent, piece).await?;
                self.send(Some(Ok(message))).await?;
            }
        }
    }

    /// Waits until what was sent has been taken.
    async fn is_read(&self) -> Result<(), Ended> {
        let all_taken = self.sender.reserve_many(MESSAGES_AHEAD);
        match tokio::time::timeout(READER_PAUSE_MAX, all_taken).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Ended::Unread),
        }
    }

    /// The next batch, within what is left of the statement's time.
    async fn next(
        &self,
        batches: &mut SqlStream,
        time_left: &mut Duration,
    ) -> Result<Option<RecordBatch>, Status> {
        let begin = Instant::now();
        let next = tokio::time::timeout(*time_left, batches.next()).await;
        let Ok(next) = next else {
            self.cancel.cancel();
            return Err(too_long(self.state.options.query_timeout));
        };
        *time_left = time_left.saturating_sub(begin.elapsed());
        next.transpose().map_err(of_engine)
    }

    async fn unless_unread<T>(&self, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            () = self.sender.closed() => Err(Ended::Unread),
            done = work => Ok(done),
        }
    }

    async fn send(&self, item: Item) -> Result<(), Ended> {
        let sent = tokio::time::timeout(READER_PAUSE_MAX, self.sender.send(item)).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ended::Unread),
        }
    }
}

/// Rows are written by a thread that may take a core.
async fn message(sent: &SchemaRef, piece: RecordBatch) -> Result<FlightData, Status> {
    let sent = Arc::clone(sent);
    let written = tokio::task::spawn_blocking(move || outgoing::message(&sent, &piece));
    written
        .await
        .map_err(|_| internal("the rows could not be written"))?
}
