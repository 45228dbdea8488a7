//! All pages of a search for async programs: each is read on a thread of the database that may block.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec::IntoIter;

use tracehouse_query::runtime::Blocking;
use tracehouse_query::search::Search;
use tracehouse_storage::interrupt::CancelToken;
use tracehouse_storage::model::TraceRow;

use crate::database::Database;
use crate::error::Result;
use crate::pages::Pages;

/// The traces of a search, for async programs; see [`Database::search_stream`]. Dropping it cancels the search.
#[derive(Debug)]
pub struct TraceStream {
    /// `None` while a page is read, and after an error.
    pages: Option<Pages>,
    reading: Option<Blocking<ReadPage>>,
    page: IntoIter<TraceRow>,
    token: CancelToken,
}

/// A page, `None` after the last, and what is left.
type ReadPage = (Pages, Option<Result<Vec<TraceRow>>>);

impl Database {
    /// [`Database::iter_traces`] for async programs: no call blocks the thread of an executor. A page is in
    /// memory at a time, and the next one is read when it is used up. Limits of time hold for each page.
    ///
    /// ```
    /// # async fn wait_for_errors(db: tracehouse::Database) -> tracehouse::Result<()> {
    /// let mut traces = db.search_stream(&tracehouse::Search::new("state = 'ERROR'"));
    /// while let Some(trace) = traces.next().await {
    ///     println!("{}", trace?.trace_id);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn search_stream(&self, search: &Search) -> TraceStream {
        let token = CancelToken::new();
        let pages = Some(Pages::of(self.with_cancel(token.clone()), search));
        TraceStream {
            pages,
            reading: None,
            page: Vec::new().into_iter(),
            token,
        }
    }
}

impl TraceStream {
    /// The next trace; `None` after the last one and after an error. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// As [`Database::search_traces`].
    pub async fn next(&mut self) -> Option<Result<TraceRow>> {
        poll_fn(|waker| self.poll_next(waker)).await
    }

    /// The next row for hand-written futures, and for the `poll_fn` that makes a `Stream` of it.
    pub fn poll_next(&mut self, waker: &mut Context<'_>) -> Poll<Option<Result<TraceRow>>> {
        loop {
            if let Some(trace) = self.page.next() {
                return Poll::Ready(Some(Ok(trace)));
            }
            if self.reading.is_none() {
                let Some(pages) = self.pages.take() else {
                    return Poll::Ready(None);
                };
                match read(pages) {
                    Ok(reading) => self.reading = Some(reading),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            let Some(reading) = &mut self.reading else {
                continue;
            };
            let read = ready!(Pin::new(reading).poll(waker));
            self.reading = None;
            match read {
                Ok((pages, Some(Ok(page)))) => {
                    (self.pages, self.page) = (Some(pages), page.into_iter());
                }
                Ok((_, Some(Err(error)))) => return Poll::Ready(Some(Err(error))),
                Ok((_, None)) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}

fn read(mut pages: Pages) -> Result<Blocking<ReadPage>> {
    let runtime = pages.database().runtime()?;
    Ok(runtime.blocking(move || {
        let page = pages.next();
        (pages, page)
    })?)
}

impl Drop for TraceStream {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::runtime::Builder;

    use super::*;
    use crate::{CancelToken, ErrorKind, TraceStart};

    #[test]
    fn a_stream_gives_what_the_iterator_gives() {
        let db = Database::in_memory().unwrap();
        for n in 0..7 {
            db.start_trace(&TraceStart::new(format!("t{n}"), n))
                .unwrap();
        }
        let executor = Builder::new_current_thread().build().unwrap();
        executor.block_on(async {
            for limit in [1, 3, 7, 20] {
                let search = Search::new("").limit(limit);
                let wanted: Vec<TraceRow> = db
                    .iter_traces(&search)
                    .map(|trace| trace.unwrap())
                    .collect();
                let (mut stream, mut got) = (db.search_stream(&search), Vec::new());
                // A future that is dropped before it is done, as `select!` does, takes nothing with it.
                if let Poll::Ready(first) =
                    stream.poll_next(&mut Context::from_waker(Waker::noop()))
                {
                    got.extend(first.map(|trace| trace.unwrap()));
                }
                while let Some(trace) = stream.next().await {
                    got.push(trace.unwrap());
                }
                assert_eq!((got.len(), got), (7, wanted));
                assert!(stream.next().await.is_none());
            }
            let mut wrong = db.search_stream(&Search::new("nonsense ="));
            assert_eq!(
                wrong.next().await.unwrap().unwrap_err().kind(),
                ErrorKind::InvalidInput
            );
            assert!(wrong.next().await.is_none());
            let token = CancelToken::new();
            let mut cancelled = db
                .with_cancel(token.clone())
                .search_stream(&Search::new("").limit(1));
            assert!(cancelled.next().await.unwrap().is_ok());
            token.cancel();
            assert_eq!(
                cancelled.next().await.unwrap().unwrap_err().kind(),
                ErrorKind::Cancelled
            );
        });
    }
}
