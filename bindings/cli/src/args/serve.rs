//! The arguments of the server.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

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
    /// The experiment of traces whose sender names none
    #[arg(long, value_name = "ID", default_value = "0")]
    pub experiment: String,
    /// Longest body of a request, decompressed: such as 64MB
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "64MiB")]
    pub max_request_bytes: usize,
    /// Only answer questions, beside a process that writes
    #[arg(long)]
    pub read_only: bool,
}
