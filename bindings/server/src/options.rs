//! How a server is to work: plain data, units in the names.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
            query_timeout: Duration::from_secs(60),
            rows_max: 1_000_000,
            queries_max: 2 * std::thread::available_parallelism().map_or(1, usize::from),
            drain_timeout: Duration::from_secs(20),
            mcp_writes: false,
            forward: Vec::new(),
        }
    }
}
