//! The service of Flight: the commands of Flight SQL (`sql`), and the calls that are told apart without a command.

use std::pin::Pin;

use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use futures::{Stream, stream};
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::service::Sql;
use super::sql::ACTIONS;
use crate::state::Shared;

/// The service.
pub(super) struct Calls(Sql);

type Items<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send + 'static>>;
type Answer<T> = Result<Response<T>, Status>;

impl Calls {
    pub(super) fn new(state: Shared) -> Self {
        Self(Sql::new(state))
    }
}

/// The command in a message, checked here: what is none is the client's mistake, and not the server's.
fn command(bytes: &[u8]) -> Result<Command, Status> {
    let wrong = |error: &dyn std::fmt::Display| {
        Status::invalid_argument(format!(
            "no command of Flight SQL: {error}; clients of ADBC and JDBC send them"
        ))
    };
    let message = Any::decode(bytes).map_err(|error| wrong(&error))?;
    match Command::try_from(message).map_err(|error| wrong(&FlightError::Arrow(error)))? {
        Command::Unknown(other) => Err(wrong(&format!(
            "a message of the type {:?}",
            shown(&other.type_url)
        ))),
        command => Ok(command),
    }
}

/// A name that a client sent, as far as it is told back.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).collect()
}

#[tonic::async_trait]
impl FlightService for Calls {
    type HandshakeStream = Items<HandshakeResponse>;
    type ListFlightsStream = Items<FlightInfo>;
    type DoGetStream = Items<FlightData>;
    type DoPutStream = Items<PutResult>;
    type DoActionStream = Items<arrow_flight::Result>;
    type ListActionsStream = Items<ActionType>;
    type DoExchangeStream = Items<FlightData>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        FlightService::handshake(&self.0, request).await
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        Err(Status::unimplemented(
            "there are no flights to list: GetTables lists tables, statements make results",
        ))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        command(&request.get_ref().cmd)?;
        self.0.get_flight_info(request).await
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<PollInfo> {
        Err(Status::unimplemented(
            "results are not polled for: GetFlightInfo answers at once",
        ))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let command = command(&request.get_ref().cmd)?;
        let schema = self.0.schema_of(command, &request).await?;
        Ok(Response::new(SchemaResult { schema }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        command(&request.get_ref().ticket)?;
        self.0.do_get(request).await
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        self.0.do_put(request).await
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Answer<Self::DoExchangeStream> {
        Err(Status::unimplemented("there is nothing to exchange here"))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        self.0.do_action(request).await
    }

    async fn list_actions(&self, _: Request<Empty>) -> Answer<Self::ListActionsStream> {
        let actions = ACTIONS.map(|(name, description)| {
            Ok(ActionType {
                r#type: name.into(),
                description: description.into(),
            })
        });
        Ok(Response::new(Box::pin(stream::iter(actions))))
    }
}
