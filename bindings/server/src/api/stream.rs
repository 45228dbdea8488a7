//! An answer that is written as the client reads it: made on a thread that may wait, a few pieces ahead.
//!
//! ```text
//! thread: question -> pieces -> channel of PIECES_AHEAD -> body -> client
//! ```
//!
//! What fails before the first piece is an error of the answer. What fails later breaks the connection: the body ends well
//! only when the thread said that it wrote all (`Piece::End`). A client that goes away drops the body, and with it the
//! question; one that stops reading has until the limit of time of the question.

use std::io::{self, Write};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracehouse::Database;

use super::pieces::PIECE_BYTES;
use crate::ask::{GivenUp, limited};
use crate::error::ApiError;
use crate::state::Shared;

/// Pieces that wait for the client.
const PIECES_AHEAD: usize = 2;
/// What a stream takes of the memory of requests: pieces that wait, one that is sent, one that is made.
const STREAM_BYTES: usize = (PIECES_AHEAD + 2) * PIECE_BYTES;

/// Part of a body.
enum Piece {
    Bytes(Bytes),
    /// All was written.
    End,
}

/// Headers of the answer besides its type.
type Headers = Vec<(&'static str, String)>;

/// Where a thread writes what the client reads. The answer begins with the first piece.
pub(super) struct Pieces {
    sender: mpsc::Sender<Piece>,
    begin: Option<oneshot::Sender<Result<Headers, ApiError>>>,
    headers: Headers,
    runtime: Handle,
    /// When the client must have taken all.
    deadline: Instant,
}

impl Pieces {
    /// Adds a header, as long as nothing was sent.
    pub(super) fn add_header(&mut self, name: &'static str, value: String) {
        self.headers.push((name, value));
    }

    /// Sends a piece when there is room for it.
    ///
    /// # Errors
    /// 408 when the client does not read, or is gone: then there is nobody to be told.
    pub(super) fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), ApiError> {
        self.push(Piece::Bytes(bytes.into()))
    }

    fn push(&mut self, piece: Piece) -> Result<(), ApiError> {
        if let Some(begin) = self.begin.take() {
            // The client may be gone; then the piece cannot be sent either.
            let _ = begin.send(Ok(std::mem::take(&mut self.headers)));
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.runtime
            .block_on(self.sender.send_timeout(piece, left))
            .map_err(|_| ApiError::too_slow("the answer was not read"))
    }

    /// Ends the answer: well, as an error, or, when it has begun, by breaking off.
    fn end(mut self, written: Result<(), ApiError>) {
        match (written, self.begin.take()) {
            (Ok(()), begin) => {
                self.begin = begin;
                let _ = self.push(Piece::End);
            }
            (Err(error), Some(begin)) => drop(begin.send(Err(error))),
            // Without the end the body breaks off, and the client knows.
            (Err(_), None) => {}
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
        self.send(Bytes::copy_from_slice(part))
            .map_err(|error| io::Error::other(error.message))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers with what `write` writes on a thread of its own, within the server's limit of time and `timeout`.
///
/// # Errors
/// What `write` fails with before its first piece; 503 without memory for the stream; `Internal` when it panics.
pub(super) async fn stream(
    state: &Shared,
    media_type: &'static str,
    timeout: Option<Duration>,
    write: impl FnOnce(Database, &mut Pieces) -> Result<(), ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let given_up = GivenUp::default();
    let limit_max = state.options.query_timeout;
    let limit = timeout.map_or(limit_max, |timeout| timeout.min(limit_max));
    let turn = state.turns.take().await?;
    let mut reserved = state.budget.begin();
    reserved.add(STREAM_BYTES)?;
    let db = limited(state, &given_up).with_timeout(limit);
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    let (begin, begun) = oneshot::channel();
    let mut pieces = Pieces {
        sender,
        begin: Some(begin),
        headers: Vec::new(),
        runtime: Handle::current(),
        deadline: Instant::now() + limit,
    };
    tokio::task::spawn_blocking(move || {
        let _held = (turn, reserved);
        let written = write(db, &mut pieces);
        pieces.end(written);
    });
    let headers = begun
        .await
        .map_err(|_| ApiError::internal("the question ended without an answer"))??;
    let mut response = Response::new(body(receiver, given_up));
    let told = response.headers_mut();
    told.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value)
            .map_err(|_| ApiError::internal(format!("the header {name} has no text")))?;
        told.insert(name, value);
    }
    Ok(response)
}

/// The pieces as a body, which gives the question up when it is dropped.
fn body(mut receiver: mpsc::Receiver<Piece>, given_up: GivenUp) -> Body {
    let mut has_ended = false;
    Body::from_stream(futures::stream::poll_fn(move |context| {
        let _question = &given_up;
        if has_ended {
            return Poll::Ready(None);
        }
        receiver.poll_recv(context).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::End) => {
                has_ended = true;
                None
            }
            None => {
                has_ended = true;
                Some(Err(io::Error::other("the answer broke off")))
            }
        })
    }))
}
