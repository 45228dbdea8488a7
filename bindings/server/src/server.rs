//! A server: its ports, its threads, its end.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tracehouse::Database;

use crate::access::Access;
use crate::error::{ApiError, ServeError};
use crate::listen::Port;
use crate::options::ServeOptions;
use crate::receive;
use crate::state::{Shared, State};

/// Threads that wait for sockets. They decode nothing and ask nothing.
const IO_THREADS: usize = 2;

/// A server whose ports are bound.
///
/// ```
/// use tracehouse::Database;
/// use tracehouse_server::{ServeOptions, Server};
///
/// let mut options = ServeOptions::default();
/// options.http = "127.0.0.1:0".parse().unwrap();
/// options.grpc = "127.0.0.1:0".parse().unwrap();
/// let server = Server::bind(Database::in_memory()?, options)?;
/// let stop = server.shutdown_handle();
/// assert_ne!(server.http_address().port(), 0);
/// let served = std::thread::spawn(move || server.run());
/// stop.shutdown();
/// served.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    runtime: Runtime,
    state: Shared,
    http: Port,
    grpc: Port,
    stop: watch::Sender<bool>,
}

/// Stops a server from another thread.
#[derive(Debug, Clone)]
pub struct ShutdownHandle(watch::Sender<bool>);

impl ShutdownHandle {
    /// Takes no more requests; those in progress are finished.
    pub fn shutdown(&self) {
        self.0.send_replace(true);
    }
}

impl Server {
    /// Binds the ports of a server for `db`.
    ///
    /// # Errors
    /// When an address cannot be had, when the token file is wrong, and when other machines could reach a server without
    /// tokens.
    pub fn bind(db: Database, options: ServeOptions) -> Result<Self, ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(IO_THREADS)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(|error| ServeError::new(format!("cannot start threads: {error}")))?;
        let access = Access::open(&options)?;
        let http = runtime.block_on(Port::bind(options.http))?;
        let grpc = runtime.block_on(Port::bind(options.grpc))?;
        Ok(Self {
            runtime,
            state: Arc::new(State::new(db, options, access)),
            http,
            grpc,
            stop: watch::Sender::new(false),
        })
    }

    /// Where HTTP is served.
    pub fn http_address(&self) -> SocketAddr {
        self.http.address
    }

    /// Where gRPC is served.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc.address
    }

    /// What stops the server.
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(self.stop.clone())
    }

    /// Serves until it is told to stop; then requests in progress are finished and the database is closed.
    ///
    /// # Errors
    /// What closing the database gives; what was acknowledged is in the log then.
    pub fn run(self) -> Result<(), ServeError> {
        let Self {
            runtime,
            state,
            http,
            grpc,
            stop,
        } = self;
        let places = Arc::new(Semaphore::new(state.options.connections_max));
        let options = state.options.clone();
        let serve = |port: Port, routes: Router| {
            runtime.spawn(port.serve(routes, options.clone(), places.clone(), stop.subscribe()))
        };
        let (http, grpc) = (
            serve(http, http_routes(state.clone())),
            serve(grpc, grpc_routes(state.clone())),
        );
        runtime.block_on(async {
            // A panic of a loop is told by tokio.
            let _ = tokio::join!(http, grpc);
        });
        runtime.shutdown_timeout(options.drain_timeout);
        match options.read_only {
            true => Ok(()),
            false => Ok(state.db.close()?),
        }
    }
}

fn http_routes(state: Shared) -> Router {
    Router::new()
        .merge(receive::http_routes())
        .fallback(no_route)
        .with_state(state)
}

fn grpc_routes(state: Shared) -> Router {
    Router::new()
        .merge(receive::grpc_routes())
        .fallback(no_call)
        .with_state(state)
}

async fn no_route() -> ApiError {
    ApiError::not_found("there is no such page: /api/v1/openapi.json lists those that are there")
}

async fn no_call() -> axum::response::Response {
    tonic::Status::unimplemented("there is no such call").into_http()
}
