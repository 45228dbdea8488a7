//! Bodies on their way through a connection: those of requests have to come at some speed, those of answers tell whether
//! the client takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::connection::Lying;

/// The least that a body has to bring each second, once it has had its time to begin.
const BYTES_PER_SECOND_MIN: u64 = 16 << 10;

/// The body of a request. One that is slower than any line breaks off.
#[derive(Debug)]
pub(super) struct Coming {
    body: Incoming,
    received: Arc<AtomicU64>,
    begun: Instant,
    /// How long it may take beside what its bytes take.
    patience: Duration,
    limit: Option<Pin<Box<Sleep>>>,
}

impl Coming {
    pub(super) fn new(body: Incoming, received: Arc<AtomicU64>, patience: Duration) -> Self {
        Self {
            body,
            received,
            begun: Instant::now(),
            patience,
            limit: None,
        }
    }

    /// When the next piece has to be there.
    fn deadline(&self) -> Instant {
        let bytes = self.received.load(Ordering::Relaxed);
        self.begun + self.patience + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN)
    }

    /// Whether it is too late, while nothing comes.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let deadline = self.deadline();
        let limit = self
            .limit
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if limit.deadline() != deadline {
            limit.as_mut().reset(deadline);
        }
        limit.as_mut().poll(context).is_ready()
    }
}

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.received.fetch_add(bytes, Ordering::Relaxed);
                match Instant::now() > self.deadline() {
                    true => Poll::Ready(Some(Err(too_slow()))),
                    false => Poll::Ready(Some(Ok(frame))),
                }
            }
            Poll::Ready(ended) => Poll::Ready(ended.map(|failed| failed.map_err(Into::into))),
            Poll::Pending if self.is_late(context) => Poll::Ready(Some(Err(too_slow()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn too_slow() -> BoxError {
    "it comes too slowly".into()
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Going {
    body: Body,
    lying: Lying,
}

impl Going {
    pub(super) fn new(body: Body, lying: Lying) -> Self {
        Self { body, lying }
    }
}

impl http_body::Body for Going {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // More is only asked for when there is room for it.
        self.lying.taken();
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(Some(_))) {
            self.lying.given();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
