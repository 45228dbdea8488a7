//! Questions to the database: on a thread that may wait, so many at a time, with the limits of the server, and given up
//! when the client goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracehouse::{CancelToken, Database};

use crate::error::ApiError;
use crate::state::Shared;

/// Questions that may wait, for each that may run.
const WAITING_PER_TURN: usize = 128;

/// Questions that run at a time, and those that wait for it, of which there are not more than may have their turn before
/// their clients give up.
#[derive(Debug)]
pub(crate) struct Turns {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// A question that waits; counted until it has its turn, or its client goes.
struct Waiting<'t>(&'t AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    pub(crate) fn new(running_max: usize) -> Self {
        let running_max = running_max.max(1);
        Self {
            free: Arc::new(Semaphore::new(running_max)),
            waiting: AtomicUsize::new(0),
            waiting_max: running_max.saturating_mul(WAITING_PER_TURN),
        }
    }

    /// Waits for a turn, in the order of those that ask.
    ///
    /// # Errors
    /// 503 when too many wait, and when the server stops.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.waiting_max {
            return Err(ApiError::busy(format!(
                "{before} questions wait for their turn: ask again later"
            )));
        }
        let turn = Arc::clone(&self.free).acquire_owned().await;
        turn.map_err(|_| ApiError::busy("the server is stopping"))
    }

    /// Turns that nobody has.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.free.available_permits()
    }
}

/// Cancels a question when it is dropped: hyper drops the handler of a client that went away.
#[derive(Debug, Default)]
pub(crate) struct GivenUp(CancelToken);

impl GivenUp {
    /// The token that is cancelled then.
    pub(crate) fn token(&self) -> CancelToken {
        self.0.clone()
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Asks the database. The handle that `question` gets has the server's limit of time, and its questions are cancelled
/// when the client goes.
///
/// # Errors
/// What the question gives; `Internal` when it panics.
pub(crate) async fn ask<T: Send + 'static>(
    state: &Shared,
    question: impl FnOnce(Database) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let given_up = GivenUp::default();
    let db = limited(state, &given_up);
    run(state, move || question(db)).await
}

/// The handle of a question that `given_up` ends.
pub(crate) fn limited(state: &Shared, given_up: &GivenUp) -> Database {
    state
        .db
        .with_timeout(state.options.query_timeout)
        .with_cancel(given_up.token())
}

/// Runs a question when it is its turn.
async fn run<T: Send + 'static>(
    state: &Shared,
    question: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let mut counted = state.operate.figures.question();
    let turn = state.turns.take().await?;
    counted.run();
    let asked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        question()
    });
    let answer = asked.await;
    counted.end();
    answer.map_err(|_| ApiError::internal("the question ended without an answer"))?
}

/// Changes the database, on a thread that may wait for the log's sync. A change that has begun is carried out, whether
/// or not its client is still there.
///
/// # Errors
/// What the change gives; `Internal` when it panics.
pub(crate) async fn change<T: Send + 'static>(
    state: &Shared,
    change: impl FnOnce(Database) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    if state.options.read_only {
        return Err(ApiError::forbidden("this server is read-only"));
    }
    let db = state.db.clone();
    let changed = tokio::task::spawn_blocking(move || change(db));
    changed
        .await
        .map_err(|_| ApiError::internal("the change ended without an answer"))?
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn too_many_that_wait_are_told_so() {
        let threads = Builder::new_current_thread().build().unwrap();
        threads.block_on(async {
            let turns = Turns::new(1);
            let running = turns.take().await.unwrap();
            let mut waiting: Vec<_> = (0..WAITING_PER_TURN)
                .map(|_| Box::pin(turns.take()))
                .collect();
            let mut context = Context::from_waker(Waker::noop());
            for one in &mut waiting {
                assert!(one.as_mut().poll(&mut context).is_pending());
            }
            let refused = turns.take().await.unwrap_err();
            assert_eq!(refused.status.as_u16(), 503);
            assert!(refused.retry_after.is_some());
            // One whose client goes makes room for another.
            waiting.pop();
            assert!(
                Box::pin(turns.take())
                    .as_mut()
                    .poll(&mut context)
                    .is_pending()
            );
            drop(running);
            assert!(waiting.remove(0).await.is_ok());
        });
    }
}
