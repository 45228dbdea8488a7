//! How a server is to work: plain data, units in the names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracehouse::Retention;

/// Which events are told in the log: those of a level and of the levels before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// None.
    Off,
    /// What went wrong in the server.
    Error,
    /// What somebody should look at.
    Warn,
    /// Every request, start and end.
    #[default]
    Info,
    /// Requests for health and metrics, too.
    Debug,
}

impl LogLevel {
    /// Its word in the log and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl std::str::FromStr for LogLevel {
    type Err = crate::ServeError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug]
            .into_iter()
            .find(|level| level.as_str() == word)
            .ok_or_else(|| {
                crate::ServeError::new(format!(
                    "the log level {word:?} is none: off, error, warn, info or debug expected"
                ))
            })
    }
}

/// What a server is told. Start from `ServeOptions::default()`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Where HTTP is served: OTLP, REST, MCP and health. Port 0 takes a free one.
    pub http: SocketAddr,
    /// Where gRPC is served: OTLP and Arrow Flight SQL. Port 0 takes a free one.
    pub grpc: SocketAddr,
    /// The file of tokens; without one, everybody who reaches the port may do everything, and only loopback is served.
    pub token_file: Option<PathBuf>,
    /// Certificate chain and private key (PEM); both or none.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Serve beyond loopback without TLS.
    pub insecure: bool,
    /// The experiment of traces whose sender names none.
    pub experiment_id: String,
    /// Answer questions only.
    pub read_only: bool,
    /// Longest body of a request, as it is sent and decompressed.
    pub request_bytes_max: usize,
    /// Memory that requests may take at a time, bodies and what is made of them.
    pub in_flight_bytes_max: usize,
    /// Connections at a time, both ports together.
    pub connections_max: usize,
    /// How long the head of a request, or the next piece of a body, may take.
    pub read_timeout: Duration,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a client may leave an answer lying before its connection is closed.
    pub write_timeout: Duration,
    /// How long a connection may have no request.
    pub idle_timeout: Duration,
    /// Requests a second of a token whose line in the token file says nothing of it; `None` for any number.
    pub requests_per_second_max: Option<u32>,
    /// How long a question may take.
    pub query_timeout: Duration,
    /// Rows that an answer may have.
    pub rows_max: usize,
    /// Questions that run at a time; others wait.
    pub queries_max: usize,
    /// How long requests in progress may take to end when the server is to stop.
    pub drain_timeout: Duration,
    /// Whether assistants may write by MCP.
    pub mcp_writes: bool,
    /// Where what arrives is sent on, OTLP/HTTP.
    pub forward: Vec<String>,
    /// Headers for targets, `NAME=VALUE`; with more than one target, `URL NAME=VALUE`.
    pub forward_headers: Vec<String>,
    /// Bytes of the log that may be kept for a target alone, while it is away.
    pub forward_bytes_max: u64,
    /// Refuse writes above that, instead of giving up the oldest spans for the target.
    pub forward_refuse_writes: bool,
    /// Targets of earlier times whose part of the log is let go.
    pub forward_release: Vec<String>,
    /// What is told in the log, on standard error.
    pub log_level: LogLevel,
    /// The file to which changes and refused requests are appended.
    pub audit_log: Option<PathBuf>,
    /// Which traces are kept; looked at once an hour.
    pub retention: Vec<Retention>,
    /// The pause between looks of registered scorers at new traces.
    pub scorers_pause: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            http: SocketAddr::from(([127, 0, 0, 1], 4318)),
            grpc: SocketAddr::from(([127, 0, 0, 1], 4317)),
            token_file: None,
            tls: None,
            insecure: false,
            experiment_id: "0".into(),
            read_only: false,
            request_bytes_max: 64 << 20,
            in_flight_bytes_max: 256 << 20,
            connections_max: 12_000,
            read_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(180),
            requests_per_second_max: None,
            query_timeout: Duration::from_secs(60),
            rows_max: 1_000_000,
            queries_max: 2 * std::thread::available_parallelism().map_or(1, usize::from),
            drain_timeout: Duration::from_secs(20),
            mcp_writes: false,
            forward: Vec::new(),
            forward_headers: Vec::new(),
            forward_bytes_max: 4 << 30,
            forward_refuse_writes: false,
            forward_release: Vec::new(),
            log_level: LogLevel::default(),
            audit_log: None,
            retention: Vec::new(),
            scorers_pause: Duration::from_secs(60),
        }
    }
}
