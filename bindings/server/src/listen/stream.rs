//! The bytes of a connection on their way: they tell when a head began, and whether it is HTTP/2.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Connection;

/// What every connection of HTTP/2 begins with. No method of HTTP/1 does.
const HTTP2_BEGIN: &[u8] = b"PRI ";

/// A socket, or TLS over one.
#[derive(Debug)]
pub(super) struct Stream<S> {
    inner: S,
    connection: Arc<Connection>,
    /// How many of the first bytes are those of HTTP/2.
    matched: usize,
}

impl<S> Stream<S> {
    pub(super) fn new(inner: S, connection: Arc<Connection>) -> Self {
        Self {
            inner,
            connection,
            matched: 0,
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        if self.matched < HTTP2_BEGIN.len() {
            let wanted = HTTP2_BEGIN.get(self.matched..).unwrap_or_default();
            let compared = wanted.len().min(bytes.len());
            match wanted.get(..compared) == bytes.get(..compared) {
                true => self.matched += compared,
                // Never looked at again.
                false => self.matched = usize::MAX,
            }
            if self.matched == HTTP2_BEGIN.len() {
                self.connection.is_http2();
            }
        }
        self.connection.received();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if let Some(bytes) = buffer
            .filled()
            .get(before..)
            .filter(|bytes| !bytes.is_empty())
        {
            self.look(bytes);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
