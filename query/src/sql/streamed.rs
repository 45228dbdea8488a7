//! A result that is read batch by batch, from any executor or from none.
//!
//! ```text
//! reader (poll_next, next_blocking) <- a few batches <- task on the query's threads <- plan
//! ```
//!
//! Invariants: (1) the task computes nothing before its reader asks, and then runs at most [`BATCHES_AHEAD`] + 1 batches
//! ahead of it, so memory does not grow with the result; (2) it ends when the stream is dropped; (3) the end of a result is said and not concluded from
//! silence: a task that is gone is an error, never a shorter result.
//!
//! The time limit is about waiting: that for the first batch and that for each further one. The reader's own time
//! does not count, but for the end and the tokens of the snapshot's interrupt, which hold for the whole.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use datafusion::error::Result as DataFusionResult;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tracehouse_storage::interrupt::Interrupt;

use super::scan::Cancel;
use super::session::{Deadline, SqlContext, SqlQuery, TOKEN_PAUSE, pause, start};
use crate::error::{QueryError, Result};
use crate::runtime::QueryRuntime;

/// Batches that wait for the reader.
const BATCHES_AHEAD: usize = 2;

/// What the task sends: batches, then an error or `None` for the end.
type Item = Option<Result<RecordBatch>>;

/// The batches of a result. Dropping it cancels the query.
pub struct SqlStream {
    schema: SchemaRef,
    /// Tells the task that rows are wanted; taken by the first poll.
    asked: Option<oneshot::Sender<()>>,
    items: Receiver<Item>,
    query: Running,
    limits: Limits,
    has_ended: bool,
}

impl fmt::Debug for SqlStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStream")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl SqlStream {
    /// Plans a statement. It runs once its first batch is asked for.
    ///
    /// # Errors
    /// As [`run_sql`](super::run_sql); errors while reading come in place of a batch.
    pub async fn start(context: &SqlContext, query: impl Into<SqlQuery>) -> Result<Self> {
        let (query, limits) = (query.into(), Limits::of(context));
        let runtime = context.runtime.clone();
        let mut running = Running {
            runtime,
            cancel: Cancel::default(),
            task: None,
        };
        let (sender, items) = mpsc::channel(BATCHES_AHEAD);
        let (told, schema) = oneshot::channel();
        let (asked, is_asked) = oneshot::channel();
        // Plan and batches stay in the task: trees are dropped by recursion, and a caller's stack may be small.
        let task = {
            let (context, cancel, limits) =
                (context.clone(), running.cancel.clone(), limits.clone());
            async move {
                match limits.keep(start(&context, query, &cancel)).await {
                    Err(error) => drop(told.send(Err(error))),
                    Ok(batches) => {
                        if told.send(Ok(batches.schema())).is_ok() && is_asked.await.is_ok() {
                            send_all(batches, &limits, sender).await;
                        }
                    }
                }
                cancel.cancel();
            }
        };
        running.task = Some(context.runtime.handle()?.spawn(task).abort_handle());
        let schema = schema.await.map_err(|_| gone())??;
        Ok(Self {
            schema,
            asked: Some(asked),
            items,
            query: running,
            limits,
            has_ended: false,
        })
    }

    /// Starts the statement and waits on this thread, which may belong to an executor.
    ///
    /// # Errors
    /// As [`SqlStream::start`].
    pub fn start_blocking(context: &SqlContext, query: impl Into<SqlQuery>) -> Result<Self> {
        let mut started = pin!(Self::start(context, query));
        Limits::of(context).block(|waker| started.as_mut().poll(waker))
    }

    /// What runs the query.
    #[cfg(test)]
    pub(super) fn task(&self) -> Option<AbortHandle> {
        self.query.task.clone()
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The next batch; `None` after the last one and after an error.
    pub fn poll_next(&mut self, waker: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Some(asked) = self.asked.take() {
            // A task that is gone is noticed by what it sent last.
            let _ = asked.send(());
        }
        let item = match ready!(self.items.poll_recv(waker)) {
            // Whoever was told to stop gets nothing more, though it was there.
            Some(Some(Ok(batch))) => Some(self.limits.check().map(|()| batch)),
            Some(item) => item,
            None => Some(Err(self.limits.check().err().unwrap_or_else(gone))),
        };
        if !matches!(item, Some(Ok(_))) {
            self.end();
        }
        Poll::Ready(item)
    }

    /// The next batch, waiting on this thread, which may belong to an executor.
    pub fn next_blocking(&mut self) -> Option<Result<RecordBatch>> {
        let limits = self.limits.clone();
        let next = limits.block(|waker| self.poll_next(waker).map(Option::transpose));
        if next.is_err() {
            self.end();
        }
        next.transpose()
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.query.end();
        self.items.close();
    }
}

fn gone() -> QueryError {
    QueryError::internal("the query task failed")
}

/// A query that ends with its stream.
struct Running {
    runtime: Arc<QueryRuntime>,
    cancel: Cancel,
    task: Option<AbortHandle>,
}

impl Running {
    /// The scans end at their next block, the task at its next step.
    fn end(&self) {
        self.cancel.cancel();
        if let Some(task) = &self.task {
            self.runtime.give_up(task);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Gives a result to its reader, until there is no more, something fails, or nobody reads.
async fn send_all(
    mut batches: impl Stream<Item = DataFusionResult<RecordBatch>> + Unpin,
    limits: &Limits,
    sender: Sender<Item>,
) {
    loop {
        let next = limits.keep(async { Ok(batches.next().await.transpose()?) });
        let item = next.await.transpose();
        let is_last = !matches!(item, Some(Ok(_)));
        // A reader that does not read keeps nothing running that was cancelled.
        let sent = limits
            .unless_cancelled(async { Ok(sender.send(item).await.is_ok()) })
            .await;
        if is_last || !matches!(sent, Ok(true)) {
            return;
        }
    }
}

/// How long a reader may be kept waiting, and who may give the query up.
#[derive(Clone)]
struct Limits {
    timeout: Option<Duration>,
    interrupt: Interrupt,
}

impl Limits {
    fn of(context: &SqlContext) -> Self {
        Self {
            timeout: context.time_limit(),
            interrupt: context.snapshot.interrupt().clone(),
        }
    }

    fn check(&self) -> Result<()> {
        Ok(self.interrupt.check()?)
    }

    /// Work that begins now.
    async fn keep<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let deadline = Deadline::from_now(self.timeout, &self.interrupt);
        deadline.limit(self.unless_cancelled(work)).await
    }

    async fn unless_cancelled<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if !self.interrupt.has_tokens() {
            return work.await;
        }
        let mut work = pin!(work);
        loop {
            self.check()?;
            if let Ok(done) = tokio::time::timeout(TOKEN_PAUSE, work.as_mut()).await {
                return done;
            }
        }
    }

    /// Polls until there is an answer. The thread sleeps in between: tokio's own ways of waiting refuse the threads of
    /// an executor.
    fn block<T>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<Result<T>>) -> Result<T> {
        let deadline = Deadline::from_now(self.timeout, &self.interrupt);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(answer) = poll(&mut context) {
                return answer;
            }
            match pause(&self.interrupt, deadline)? {
                Some(pause) => thread::park_timeout(pause),
                None => thread::park(),
            }
        }
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Schema;
    use futures::stream;
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_task_waits_for_its_reader() {
        let threads = Builder::new_current_thread().enable_time().build().unwrap();
        threads.block_on(async {
            let made = Arc::new(std::sync::atomic::AtomicUsize::new(0));
            let counter = made.clone();
            let batches = stream::iter(0..100).map(move |_| {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(RecordBatch::new_empty(Arc::new(Schema::empty())))
            });
            let limits = Limits {
                timeout: None,
                interrupt: Interrupt::default(),
            };
            let (sender, mut items) = mpsc::channel(BATCHES_AHEAD);
            let task = tokio::spawn(async move { send_all(batches, &limits, sender).await });
            for read in 1..=100 {
                assert!(items.recv().await.unwrap().unwrap().is_ok());
                // One thread: the task runs as far as it can before this goes on.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                let ahead = made.load(std::sync::atomic::Ordering::Relaxed) - read;
                assert!(ahead <= BATCHES_AHEAD + 1, "{ahead} batches ahead");
            }
            assert!(items.recv().await.unwrap().is_none());
            task.await.unwrap();
        });
    }
}
