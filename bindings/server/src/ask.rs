//! Questions to the database: on a thread that may wait, so many at a time, with the limits of the server, and given up
//! when the client goes.

use tracehouse::{CancelToken, Database};

use crate::error::ApiError;
use crate::state::Shared;

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
    let turn = state.queries.clone().acquire_owned().await;
    let turn = turn.map_err(|_| ApiError::busy("the server is stopping"))?;
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
