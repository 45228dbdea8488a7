//! A server: its ports, its threads, its end.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tracehouse::Database;

use crate::access::Access;
use crate::api;
use crate::error::{ApiError, ServeError};
use crate::flight;
use crate::forward::Forward;
use crate::listen::{GRPC_PROTOCOLS, HTTP_PROTOCOLS, Places, Port, Tls};
use crate::mcp;
use crate::operate::{self, Operate};
use crate::options::{LogLevel, ServeOptions};
use crate::receive;
use crate::state::{Shared, State};

/// Threads that wait for sockets. They decode nothing and ask nothing.
const IO_THREADS: usize = 2;

/// Files that the database and the process itself may have open; what is left is for connections.
const OWN_FILES: u64 = 1024;

/// A server whose ports are bound.
///
/// ```
/// use tracehouse::Database;
/// use tracehouse_server::{LogLevel, ServeOptions, Server};
///
/// let mut options = ServeOptions::default();
/// options.http = "127.0.0.1:0".parse().unwrap();
/// options.grpc = "127.0.0.1:0".parse().unwrap();
/// options.log_level = LogLevel::Warn;
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
    tls: Vec<Arc<Tls>>,
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

/// Lets a server read its token file and its certificate again, from another thread.
#[derive(Debug, Clone)]
pub struct ReloadHandle {
    state: Shared,
    tls: Vec<Arc<Tls>>,
}

impl ReloadHandle {
    /// Reads the token file and the certificate again, and begins a new audit log where the old one was moved away. What
    /// cannot be used is told in the log, and what was used before stays.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn reload(&self) -> Result<(), ServeError> {
        let log = &self.state.operate.log;
        log.reopen();
        let tokens = self.state.access.reload();
        let certificates: Result<Vec<()>, ServeError> =
            self.tls.iter().map(|tls| tls.reload()).collect();
        let failed = [tokens.as_ref().err(), certificates.as_ref().err()];
        for error in failed.into_iter().flatten() {
            let fields = json!({"error": error.to_string()});
            log.tell(LogLevel::Error, "reload_failed", &fields);
        }
        let tokens = tokens?;
        certificates?;
        log.tell(LogLevel::Info, "reloaded", &json!({"tokens": tokens}));
        Ok(())
    }
}

impl Server {
    /// Binds the ports of a server for `db`.
    ///
    /// # Errors
    /// When an address cannot be had, when the token file, the certificate, the audit log or a target of forwarding cannot
    /// be used, and when other machines could reach a server without tokens or TLS.
    pub fn bind(db: Database, options: ServeOptions) -> Result<Self, ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(IO_THREADS)
            .thread_name("serve")
            .enable_all()
            .build()
            .map_err(|error| ServeError::new(format!("cannot start threads: {error}")))?;
        let access = Access::open(&options)?;
        let tls = |protocols| {
            let opened = options
                .tls
                .as_ref()
                .map(|files| Tls::open(files, protocols));
            Ok::<_, ServeError>(opened.transpose()?.map(Arc::new))
        };
        let (http_tls, grpc_tls) = (tls(HTTP_PROTOCOLS)?, tls(GRPC_PROTOCOLS)?);
        let http = runtime.block_on(Port::bind(options.http, http_tls.clone()))?;
        let grpc = runtime.block_on(Port::bind(options.grpc, grpc_tls.clone()))?;
        let operate = Operate::start(&options, connections_max(&options))?;
        let forward = Forward::start(&db, &options, &[http.address, grpc.address])?;
        Ok(Self {
            runtime,
            state: Arc::new(State::new(db, options, access, forward, operate)),
            http,
            grpc,
            tls: http_tls.into_iter().chain(grpc_tls).collect(),
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

    /// What lets the server read its files again.
    pub fn reload_handle(&self) -> ReloadHandle {
        ReloadHandle {
            state: self.state.clone(),
            tls: self.tls.clone(),
        }
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
            tls: _,
            stop,
        } = self;
        let log = state.operate.log.clone();
        tell_begin(&state, [http.address, grpc.address]);
        let places = Places::new(state.operate.connections_max);
        let serve = |port: Port, routes: Router| {
            runtime.spawn(port.serve(routes, state.clone(), places.clone(), stop.subscribe()))
        };
        let (http, grpc) = (
            serve(http, http_routes(state.clone())),
            serve(grpc, grpc_routes(state.clone())),
        );
        let upkeep = runtime.spawn(operate::upkeep(state.clone(), stop.subscribe()));
        let drain_timeout = state.options.drain_timeout;
        runtime.block_on(async {
            // A panic of a loop is told by tokio.
            let _ = tokio::join!(http, grpc);
            state.operate.stop();
            log.tell(LogLevel::Info, "stopping", &json!({}));
            if tokio::time::timeout(drain_timeout, places.all_left())
                .await
                .is_err()
            {
                let why = "requests in progress took longer than they may";
                log.tell(LogLevel::Warn, "requests_cut_off", &json!({"reason": why}));
            }
            let _ = tokio::time::timeout(drain_timeout, upkeep).await;
        });
        // What is being stored is finished.
        runtime.shutdown_timeout(drain_timeout);
        state.forward.stop(drain_timeout);
        let closed = match state.options.read_only {
            true => Ok(()),
            false => state.db.close().map_err(ServeError::from),
        };
        match &closed {
            Ok(()) => log.tell(LogLevel::Info, "stopped", &json!({})),
            Err(error) => {
                let fields = json!({"error": error.to_string()});
                log.tell(LogLevel::Error, "close_failed", &fields);
            }
        }
        log.flush();
        closed
    }
}

/// How many connections there may be: each is a file, and the database needs some, too.
fn connections_max(options: &ServeOptions) -> usize {
    let Some(files) = operate::open_files_max() else {
        return options.connections_max;
    };
    let left = files.saturating_sub(OWN_FILES).max(files / 2);
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    options.connections_max.min(left)
}

fn tell_begin(state: &State, [http, grpc]: [SocketAddr; 2]) {
    let (options, log) = (&state.options, &state.operate.log);
    let fields = json!({
        "http": http.to_string(),
        "grpc": grpc.to_string(),
        "tls": options.tls.is_some(),
        "tokens": options.token_file.is_some(),
        "read_only": options.read_only,
        "connections_max": state.operate.connections_max,
    });
    log.tell(LogLevel::Info, "started", &fields);
    if state.operate.connections_max < options.connections_max {
        let why = "the system lets the process have fewer files open: raise the limit (ulimit -n, LimitNOFILE)";
        let fields = json!({"asked": options.connections_max, "reason": why});
        log.tell(LogLevel::Warn, "fewer_connections", &fields);
    }
}

fn http_routes(state: Shared) -> Router {
    Router::new()
        .merge(receive::http_routes())
        .merge(operate::routes())
        .merge(api::routes())
        .merge(mcp::routes(&state))
        .fallback(no_route)
        .layer(from_fn_with_state(state.clone(), operate::watch))
        .with_state(state)
}

fn grpc_routes(state: Shared) -> Router {
    Router::new()
        .merge(receive::grpc_routes())
        .fallback(no_call)
        .merge(flight::routes(state.clone()).with_state(()))
        .layer(from_fn_with_state(state.clone(), operate::watch))
        .with_state(state)
}

async fn no_route() -> ApiError {
    ApiError::not_found("there is no such page: /api/v1/openapi.json lists those that are there")
}

async fn no_call() -> axum::response::Response {
    tonic::Status::unimplemented("there is no such call").into_http()
}
