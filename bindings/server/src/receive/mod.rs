//! OTLP over HTTP and gRPC: from a request to what is durable, and the answer.
//!
//! ```text
//! head (type, compression, token, experiment) -> body, piece by piece -> decompressed, decoded -> stored -> answer
//! ```

mod answer;
mod body;
mod budget;
mod compression;
mod grpc;
mod http;
mod store;

pub(crate) use body::read as read_body;
pub(crate) use budget::{Budget, Reserved};
pub(crate) use grpc::routes as grpc_routes;
pub(crate) use http::routes as http_routes;
