//! Results of SQL batch by batch: for async programs and for loops.
//!
//! What runs ahead of the reader is bounded (`query::sql::SqlStream`); a stream keeps its database open.

use std::future::poll_fn;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use tracehouse_query::sql::{self, SqlQuery};

use crate::database::Database;
use crate::error::Result;

/// The batches of a statement as they come, for async programs; see [`Database::sql_stream`]. Dropping it cancels the
/// statement.
#[derive(Debug)]
pub struct SqlStream {
    batches: sql::SqlStream,
    _database: Database,
}

impl SqlStream {
    /// The columns, also of a result without rows.
    pub fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    /// The next batch; `None` after the last one and after an error. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// What the statement fails with while it runs.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        poll_fn(|waker| self.poll_next(waker)).await
    }

    /// The next batch for hand-written futures, and for the `poll_fn` that makes a `Stream` of it:
    /// `futures::stream::poll_fn(move |waker| stream.poll_next(waker))`.
    pub fn poll_next(&mut self, waker: &mut Context<'_>) -> Poll<Option<Result<RecordBatch>>> {
        self.batches
            .poll_next(waker)
            .map(|next| next.map(|batch| Ok(batch?)))
    }
}

/// The batches of a statement as they come; see [`Database::sql_batches`]. Dropping it cancels the statement.
#[derive(Debug)]
pub struct SqlBatches {
    batches: sql::SqlStream,
    _database: Database,
}

impl SqlBatches {
    /// The columns, also of a result without rows.
    pub fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }
}

impl Iterator for SqlBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next_blocking().map(|batch| Ok(batch?))
    }
}

impl Database {
    /// Runs a statement whose result is read batch by batch, from any executor. A few batches are in memory at a time,
    /// whatever the size of the result; all are of the database as it was at the start.
    ///
    /// The limit of a statement ([`Settings::query_timeout_ms`](crate::Settings::query_timeout_ms)) holds for the wait
    /// for each batch and not for the reader's own time; that of [`Database::with_timeout`], and the token of
    /// [`Database::with_cancel`], for all of it. Dropping the stream cancels the statement.
    ///
    /// ```
    /// # use std::task::{Context, Poll, Waker};
    /// # use std::future::Future;
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let (mut future, mut context) = (std::pin::pin!(future), Context::from_waker(Waker::noop()));
    /// #     loop {
    /// #         if let Poll::Ready(done) = future.as_mut().poll(&mut context) { return done; }
    /// #         std::thread::yield_now();
    /// #     }
    /// # }
    /// # let db = tracehouse::Database::in_memory()?;
    /// # block_on(async {
    /// let mut batches = db.sql_stream("SELECT trace_id, inputs FROM spans").await?;
    /// while let Some(batch) = batches.next().await {
    ///     println!("{} rows", batch?.num_rows());
    /// }
    /// # Ok::<(), tracehouse::Error>(()) })?;
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::sql`]; what goes wrong while rows are read comes in place of a batch.
    pub async fn sql_stream(&self, query: impl Into<SqlQuery>) -> Result<SqlStream> {
        let (query, database) = (query.into(), self.clone());
        let statement = query.statement.clone();
        let context = self
            .runtime()?
            .blocking(move || database.sql_context(&statement))?
            .await??;
        let batches = sql::SqlStream::start(&context, query).await?;
        Ok(SqlStream {
            batches,
            _database: self.clone(),
        })
    }

    /// The rest as an iterator, which waits on the thread that calls it.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// let mut rows = 0;
    /// for batch in db.sql_batches("SELECT * FROM generate_series(1, 100000)")? {
    ///     rows += batch?.num_rows();
    /// }
    /// assert_eq!(rows, 100_000);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::sql`]; what goes wrong while rows are read comes in place of a batch.
    pub fn sql_batches(&self, query: impl Into<SqlQuery>) -> Result<SqlBatches> {
        let query = query.into();
        let context = self.sql_context(&query.statement)?;
        let batches = sql::SqlStream::start_blocking(&context, query)?;
        Ok(SqlBatches {
            batches,
            _database: self.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;
    use crate::{CancelToken, ErrorKind};

    const MANY: &str = "SELECT value FROM generate_series(1, 300000) AS t(value)";

    fn is_send<T: Send>(value: T) -> T {
        value
    }

    #[test]
    fn a_stream_is_read_from_an_executor_of_one_thread() {
        let executor = Builder::new_current_thread().build().unwrap();
        executor.block_on(is_send(async {
            let db = Database::in_memory().unwrap();
            let mut stream = db.sql_stream(MANY).await.unwrap();
            assert_eq!(stream.schema().field(0).name(), "value");
            // It keeps its database open, and calls that block do not mind the executor.
            let blocking = db.sql_batches(MANY).unwrap();
            drop(db);
            let mut rows = 0;
            while let Some(batch) = stream.next().await {
                rows += batch.unwrap().num_rows();
            }
            assert_eq!(rows, 300_000);
            assert_eq!(
                blocking
                    .map(|batch| batch.unwrap().num_rows())
                    .sum::<usize>(),
                300_000
            );
        }));
    }

    #[test]
    fn a_stream_has_the_limits_of_its_handle() {
        let executor = Builder::new_current_thread().build().unwrap();
        executor.block_on(async {
            let (db, token) = (Database::in_memory().unwrap(), CancelToken::new());
            let mut stream = db
                .with_cancel(token.clone())
                .sql_stream(MANY)
                .await
                .unwrap();
            assert!(stream.next().await.unwrap().is_ok());
            token.cancel();
            assert_eq!(
                stream.next().await.unwrap().unwrap_err().kind(),
                ErrorKind::Cancelled
            );
            assert!(stream.next().await.is_none());
            let hurried = db
                .with_timeout(std::time::Duration::ZERO)
                .sql_stream(MANY)
                .await;
            assert_eq!(hurried.unwrap_err().kind(), ErrorKind::Timeout);
            let refused = db.sql_stream("DROP TABLE spans").await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
        });
    }
}
