//! Sockets: connections are accepted, limited and served until the server stops.
//!
//! One loop a port. A connection has a place among all (`connections_max`); without one it waits in the backlog of the
//! system. The head of a request has a limit of time and size, so that slow and endless ones end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;

use crate::error::ServeError;
use crate::options::ServeOptions;

/// Most bytes that the head of a request may have.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Most requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;
/// What is waited after the system refused a connection: it has none left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A port that is bound and not served so far.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Port {
    /// # Errors
    /// When the address cannot be had.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, ServeError> {
        let cannot = |error| ServeError::new(format!("cannot listen on {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self { listener, address })
    }

    /// Serves `routes` until `stop` says so; then requests in progress have `drain_timeout` to end.
    pub(crate) async fn serve(
        self,
        routes: Router,
        options: ServeOptions,
        places: Arc<Semaphore>,
        mut stop: watch::Receiver<bool>,
    ) {
        let (builder, graceful) = (builder(&options), GracefulShutdown::new());
        loop {
            let stopped = stop.wait_for(|stop| *stop);
            let accepted = accept(&self.listener, &places);
            let (stream, place) = tokio::select! {
                _ = stopped => break,
                accepted = accepted => accepted,
            };
            let service = TowerToHyperService::new(routes.clone().map_request(
                |request: http::Request<Incoming>| request.map(axum::body::Body::new),
            ));
            let connection = builder
                .serve_connection(TokioIo::new(stream), service)
                .into_owned();
            let served = graceful.watch(connection);
            tokio::spawn(async move {
                // A client that breaks off is none of the server's errors.
                let _ = served.await;
                drop(place);
            });
        }
        drop(self.listener);
        let _ = tokio::time::timeout(options.drain_timeout, graceful.shutdown()).await;
    }
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// The next connection, once it has a place.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, Option<Place>) {
    // The semaphore is never closed.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small and waited for.
                let _ = stream.set_nodelay(true);
                return (stream, place);
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn builder(options: &ServeOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.read_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(options.read_timeout)
        .keep_alive_timeout(options.read_timeout);
    builder
}
