//! Sockets: connections are accepted, limited and served until the server stops.
//!
//! ```text
//! accept -> a place (places) -> TLS (tls) -> bytes (stream) -> hyper -> bodies (body) -> routes
//!                                  connection: what it is doing, and whether it may go on
//! ```
//!
//! One loop a port. Nothing of a connection is without a limit: its handshake, the head of a request, the speed of a
//! body, how long an answer is left lying, how long it has no request at all.
//!
//! **Invariants**
//! 1. LI-1: a connection that has a request keeps its place; one that has none gives it up when others need it.
//! 2. LI-2: what a client does not take or send keeps memory and a place for a bounded time.

mod body;
mod connection;
mod places;
mod stream;
mod tls;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt;

pub(crate) use places::Places;
pub(crate) use tls::{GRPC_PROTOCOLS, HTTP_PROTOCOLS, Tls};

use self::body::{Coming, Going};
use self::connection::{Connection, Times, Verdict};
use self::stream::Stream;
use crate::error::ServeError;
use crate::options::ServeOptions;
use crate::state::Shared;

/// Most bytes that the head of a request may have. A connection can keep as many without having sent a whole head.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// Most requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;
/// What a stream of HTTP/2 may send ahead, and all streams of a connection together: kept outside of the budget until
/// somebody reads it.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Streams that a client took back and nobody has looked at so far; more of them end the connection.
const RESETS_WAITING_MAX: usize = 20;
/// Streams that the server ended for their errors; more of them end the connection.
const RESETS_MADE_MAX: usize = 256;
/// What is waited after the system refused a connection: it has none left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection that was told to end may take to, once it has no request.
const GOODBYE: Duration = Duration::from_millis(500);
/// The same when its place is needed.
const SHORT_GOODBYE: Duration = Duration::from_millis(20);

/// Where a request came from, and how much of it has come. An extension of every request.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) address: SocketAddr,
    received: Arc<AtomicU64>,
}

impl Arrival {
    /// Bytes of its body so far.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Default for Arrival {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            received: Arc::default(),
        }
    }
}

/// A port that is bound and not served so far.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    pub(crate) address: SocketAddr,
}

impl Port {
    /// # Errors
    /// When the address cannot be had.
    pub(crate) async fn bind(
        address: SocketAddr,
        tls: Option<Arc<Tls>>,
    ) -> Result<Self, ServeError> {
        let cannot = |error| ServeError::new(format!("cannot listen on {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self {
            listener,
            tls,
            address,
        })
    }

    /// Serves `routes` until `stop` says so. Connections go on until their requests have ended: see [`Places::all_left`].
    pub(crate) async fn serve(
        self,
        routes: Router,
        state: Shared,
        places: Arc<Places>,
        mut stop: watch::Receiver<bool>,
    ) {
        let served = Arc::new(Served {
            builder: builder(&state.options),
            times: Times::of(&state.options),
            tls: self.tls,
            routes,
            state,
            stop: stop.clone(),
        });
        loop {
            let connection = Connection::new();
            let accepted = async {
                let (stream, address) = accept(&self.listener).await;
                (stream, address, places.take(&connection).await)
            };
            let (stream, address, place) = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = accepted => accepted,
            };
            let served = served.clone();
            tokio::spawn(async move {
                let figures = &served.state.operate.figures;
                figures.accepted.add(1);
                figures.connections.add(1);
                served.run(stream, address, &connection).await;
                figures.connections.subtract(1);
                drop(place);
            });
        }
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                // Answers are small and waited for.
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// What all connections of a port share.
struct Served {
    builder: Builder<TokioExecutor>,
    times: Times,
    tls: Option<Arc<Tls>>,
    routes: Router,
    state: Shared,
    stop: watch::Receiver<bool>,
}

impl Served {
    /// Serves one connection to its end.
    async fn run(&self, stream: TcpStream, address: SocketAddr, connection: &Arc<Connection>) {
        let Some(tls) = &self.tls else {
            return self.drive(stream, address, connection).await;
        };
        let handshake = tls.acceptor().accept(stream);
        let handshake = tokio::time::timeout(self.state.options.handshake_timeout, handshake);
        let (figures, mut stop) = (&self.state.operate.figures, self.stop.clone());
        let stream = tokio::select! {
            done = handshake => done.ok().and_then(Result::ok),
            // Its place is needed.
            () = connection.wake.notified() => return figures.closed_for_room.add(1),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match stream {
            Some(stream) => self.drive(stream, address, connection).await,
            None => figures.failed_handshakes.add(1),
        }
    }

    /// Lets hyper serve, and ends what takes too long.
    async fn drive<S>(&self, stream: S, address: SocketAddr, connection: &Arc<Connection>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service =
            service_fn(|request: Request<Incoming>| self.answer(request, address, connection));
        let stream = TokioIo::new(Stream::new(stream, connection.clone()));
        let mut served = std::pin::pin!(self.builder.serve_connection(stream, service));
        let (mut stop, mut ending) = (self.stop.clone(), None::<(Instant, Duration)>);
        loop {
            let pause = ending.map_or(self.times.pause(), |(_, goodbye)| goodbye);
            tokio::select! {
                // A client that breaks off is none of the server's errors.
                _ = served.as_mut() => return,
                () = connection.wake.notified() => {}
                _ = stop.wait_for(|stop| *stop), if ending.is_none() => {
                    ending = Some((Instant::now(), GOODBYE));
                    served.as_mut().graceful_shutdown();
                }
                () = tokio::time::sleep(pause) => {}
            }
            let verdict = connection.verdict(&self.times);
            if verdict == Verdict::Slow {
                return self.count(verdict);
            }
            match ending {
                None if verdict != Verdict::GoOn => {
                    self.count(verdict);
                    let is_idle = verdict == Verdict::Idle;
                    let goodbye = if is_idle { GOODBYE } else { SHORT_GOODBYE };
                    ending = Some((Instant::now(), goodbye));
                    served.as_mut().graceful_shutdown();
                }
                Some((since, goodbye))
                    if connection.idle_since().is_some() && since.elapsed() >= goodbye =>
                {
                    return;
                }
                _ => {}
            }
        }
    }

    fn count(&self, verdict: Verdict) {
        let figures = &self.state.operate.figures;
        match verdict {
            Verdict::GoOn => {}
            Verdict::Idle => figures.closed_idle.add(1),
            Verdict::Room => figures.closed_for_room.add(1),
            Verdict::Slow => figures.closed_slow.add(1),
        }
    }

    /// One request.
    fn answer(
        &self,
        request: Request<Incoming>,
        address: SocketAddr,
        connection: &Arc<Connection>,
    ) -> impl Future<Output = Result<Response<Going>, Infallible>> + Send + use<> {
        let in_progress = connection.begin();
        let patience = self.state.options.read_timeout.saturating_mul(2);
        let arrival = Arrival {
            address,
            received: Arc::default(),
        };
        let received = arrival.received.clone();
        let mut request = request.map(|body| Body::new(Coming::new(body, received, patience)));
        request.extensions_mut().insert(arrival);
        let routes = self.routes.clone();
        async move {
            let response = routes.oneshot(request).await?;
            let lying = in_progress.answered();
            Ok(response.map(|body| Going::new(body, lying)))
        }
    }
}

fn builder(options: &ServeOptions) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // A head has its limit from its first byte on (`connection.rs`), and not while nothing is asked.
        .header_read_timeout(None)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_pending_accept_reset_streams(RESETS_WAITING_MAX)
        .max_local_error_reset_streams(RESETS_MADE_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(options.read_timeout)
        .keep_alive_timeout(options.read_timeout);
    builder
}
