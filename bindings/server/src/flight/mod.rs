//! Arrow Flight SQL on the port of gRPC: what ADBC and JDBC speak.
//!
//! ```text
//! gate (token, memory of the request) -> calls (the service of Flight) -> sql (the commands of Flight SQL)
//!   GetFlightInfo, a statement: results (plans; a ticket) -> DoGet: outgoing (messages) -> client
//!   CreatePreparedStatement, DoPut: prepared (kept statements), parameters (values) -> GetFlightInfo as above
//!   catalogue (tables, keys), about (what the server is and has)
//! ```
//!
//! **Invariants**
//! 1. FL-1: a statement runs once: the result that a ticket stands for is the one that was planned for it.
//! 2. FL-2: a ticket and a prepared statement are for the caller who made them, and every call asks `access` again.
//! 3. FL-3: of a result a few messages are in memory at a time; whoever stops reading has it given up.

mod about;
mod calls;
mod catalogue;
mod gate;
mod handle;
mod outgoing;
mod parameters;
mod prepared;
mod results;
mod service;
mod sql;
mod status;
#[cfg(test)]
mod tests;

use arrow_flight::flight_service_server::FlightServiceServer;
use axum::Router;
use axum::middleware;
use tonic::server::NamedService;

use self::calls::Calls;
use crate::state::Shared;

/// Longest message of a client: statements have a limit of their own, far below; parameters may be longer.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Longest message to a client: what protobuf can tell the length of. Results are split far below; one row is not.
const ANSWER_BYTES_MAX: usize = i32::MAX as usize;

/// The calls of Arrow Flight SQL.
pub(crate) fn routes(state: Shared) -> Router {
    type Service = FlightServiceServer<Calls>;
    let service = Service::new(Calls::new(state.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    let path = format!("/{}/{{*call}}", <Service as NamedService>::NAME);
    Router::new()
        .route_service(&path, service)
        .route_layer(middleware::from_fn_with_state(state, gate::admit))
}
