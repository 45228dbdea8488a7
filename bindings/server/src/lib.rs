//! The server of Tracehouse: one process that receives OTLP, answers questions and passes on what it receives.
//!
//! ```text
//! listen (sockets, TLS, limits of connections) -> access (token, role, rate) -> receive   OTLP over HTTP and gRPC
//!                                                                             -> api       REST and OpenAPI
//!                                                                             -> flight    Arrow Flight SQL
//!                                                                             -> mcp       tools of assistants
//! operate (health, metrics, logs, the work between requests), forward (what arrived, sent on)
//! ```
//!
//! Requests are taken by a few IO threads, which never wait for the database: decoding, storing and questions run on
//! threads of their own (`receive/store.rs`, `ask.rs`). The library `tracehouse` does not depend on this crate.
//!
//! **Invariants**
//! 1. SV-1: a sender is told that a request is accepted only after its spans are durable.
//! 2. SV-2: memory that requests take is reserved in one budget before it is taken; what does not fit is refused with a
//!    word to try again.
//! 3. SV-3: every route but `/healthz` and `/readyz` asks `access` first.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::disallowed_methods
    )
)]

mod access;
mod api;
mod ask;
mod error;
mod flight;
mod forward;
mod listen;
mod mcp;
mod operate;
mod options;
mod receive;
mod server;
mod state;

pub use access::make_token;
pub use error::ServeError;
pub use mcp::serve_stdio;
pub use options::{LogLevel, ServeOptions};
pub use server::{ReloadHandle, Server, ShutdownHandle};
