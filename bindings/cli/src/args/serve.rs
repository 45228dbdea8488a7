//! The arguments of the server, of its tokens and of MCP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tracehouse_server::LogLevel;

use super::care::parse_age_ms;
use crate::output::units::parse_bytes;

#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The database's folder; made when it is not there
    pub db: PathBuf,
    /// Where HTTP is served: OTLP, REST, MCP and health
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4318")]
    pub http: SocketAddr,
    /// Where gRPC is served: OTLP and Arrow Flight SQL
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4317")]
    pub grpc: SocketAddr,
    /// The file of tokens: without one everybody who reaches the ports may do everything, so only loopback is served
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The certificate chain (PEM) for TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Serve other machines without TLS
    #[arg(long)]
    pub insecure: bool,
    /// The experiment of traces whose sender names none
    #[arg(long, value_name = "ID", default_value = "0")]
    pub experiment: String,
    /// Longest body of a request, decompressed: such as 64MB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "64MiB")]
    pub max_request_bytes: usize,
    /// Only answer questions, beside a process that writes
    #[arg(long)]
    pub read_only: bool,
    /// Let assistants set tags, log feedback and add to datasets by MCP
    #[arg(long)]
    pub allow_writes: bool,
    /// Send what arrives on to this OTLP/HTTP endpoint too, as often as it takes; may be given several times
    #[arg(long, value_name = "URL")]
    pub forward: Vec<String>,
    /// A header for the endpoint, such as a key of it; with several endpoints "URL NAME=VALUE"
    #[arg(long, value_name = "NAME=VALUE", requires = "forward")]
    pub forward_header: Vec<String>,
    /// What may wait for one endpoint while it is away; above that the oldest spans are given up for it, and counted
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "4GiB")]
    pub forward_max_bytes: usize,
    /// Take no more traces instead of giving up spans for an endpoint
    #[arg(long, requires = "forward")]
    pub forward_refuse_writes: bool,
    /// Let go of what waits for an endpoint that was given before
    #[arg(long, value_name = "URL")]
    pub forward_release: Vec<String>,
    /// Traces that began longer ago go, looked at once an hour: such as 12h, 30d or 4w
    #[arg(long, value_name = "AGE", value_parser = parse_age_ms)]
    pub max_age: Option<u64>,
    /// At most so many traces stay, the newest
    #[arg(long, value_name = "N")]
    pub max_traces: Option<u64>,
    /// At most so much stays, the newest: such as 10GB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub max_size: Option<usize>,
    /// What is told on standard error, a JSON object a line: off, error, warn, info or debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
    /// The file to which changes and refused requests are appended
    #[arg(long, value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// What the token is called, in logs
    pub name: String,
    /// What it may do: ingest, read, write, admin
    #[arg(required = true)]
    pub roles: Vec<String>,
    /// Only for this experiment; for all when left out
    #[arg(long, value_name = "ID")]
    pub experiment: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub struct McpArgs {
    /// The database's folder
    pub db: PathBuf,
    /// Offer the tools that set tags, log feedback and add to datasets
    #[arg(long)]
    pub allow_writes: bool,
    /// Longest answer, unless a call says otherwise: such as 20kB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "20kB")]
    pub answer_bytes: usize,
}
