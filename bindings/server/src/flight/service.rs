//! What the commands of Flight SQL have in common: what they work on, and the forms of their answers.

use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Any, Command, ProstMessageExt, TicketStatementQuery};
use arrow_flight::{CancelStatus, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use bytes::Bytes;
use futures::stream;
use prost::Message;
use tonic::{Request, Response, Status};
use tracehouse::{Database, SqlQuery, SqlValue};

use super::handle::Handle;
use super::outgoing;
use super::prepared::{self, Statements};
use super::results::Results;
use super::status::internal;
use crate::access::Caller;
use crate::ask::ask;
use crate::error::ApiError;
use crate::state::Shared;

/// Messages of a result.
pub(super) type DoGetStream = <Sql as FlightService>::DoGetStream;
/// What a call answers.
pub(super) type Answer<T> = Result<Response<T>, Status>;

/// Why there are none.
pub(super) const NO_TRANSACTIONS: &str =
    "there are no transactions: each statement reads what is there when it begins";

/// What the commands work on.
pub(super) struct Sql {
    pub(super) state: Shared,
    pub(super) results: Arc<Results>,
    pub(super) statements: Statements,
}

/// Who calls: the gate has put it there.
///
/// # Errors
/// `Internal` when it has not.
pub(super) fn caller<T>(request: &Request<T>) -> Result<Arc<Caller>, Status> {
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    caller.ok_or_else(|| internal("the call has no caller"))
}

/// What is told of an answer that is got by showing a command as a ticket.
///
/// # Errors
/// `Internal` for a schema that cannot be written.
pub(super) fn told<C: ProstMessageExt>(
    command: &C,
    schema: &Schema,
    request: Request<FlightDescriptor>,
) -> Answer<FlightInfo> {
    let ticket = Ticket::new(command.as_any().encode_to_vec());
    let endpoint = FlightEndpoint::new().with_ticket(ticket);
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(internal)?
        .with_descriptor(request.into_inner())
        .with_endpoint(endpoint)
        .with_ordered(true);
    Ok(Response::new(info))
}

/// A small answer, all of it.
///
/// # Errors
/// As [`outgoing::messages`].
pub(super) fn whole(batch: RecordBatch) -> Answer<DoGetStream> {
    let messages = outgoing::messages(batch)?.into_iter().map(Ok);
    Ok(Response::new(Box::pin(stream::iter(messages))))
}

/// The result that the first ticket of an answer stands for.
fn handle_in(info: &FlightInfo) -> Option<Handle> {
    let ticket = info.endpoint.first()?.ticket.as_ref()?;
    let message = Any::decode(ticket.ticket.as_ref()).ok()?;
    match Command::try_from(message).ok()? {
        Command::TicketStatementQuery(ticket) => Handle::of(&ticket.statement_handle),
        _ => None,
    }
}

/// # Errors
/// `InvalidArgument` for a statement in a transaction.
pub(super) fn no_transaction(transaction: Option<&Bytes>) -> Result<(), Status> {
    match transaction.is_some_and(|id| !id.is_empty()) {
        true => Err(Status::invalid_argument(NO_TRANSACTIONS)),
        false => Ok(()),
    }
}

impl Sql {
    pub(super) fn new(state: Shared) -> Self {
        Self {
            results: Arc::new(Results::new(state.clone())),
            statements: Statements::default(),
            state,
        }
    }

    /// Begins to run a statement; the answer has the ticket of its result.
    ///
    /// # Errors
    /// As [`Results::start`].
    pub(super) async fn started(
        &self,
        query: SqlQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let caller = caller(&request)?;
        let (handle, schema) = self.results.start(&caller, query).await?;
        let ticket = TicketStatementQuery {
            statement_handle: handle.to_bytes(),
        };
        told(&ticket, &schema, request)
    }

    /// Reads a table of the catalogue.
    ///
    /// # Errors
    /// What the question gives.
    pub(super) async fn read(
        &self,
        question: impl FnOnce(&Database) -> Result<RecordBatch, ApiError> + Send + 'static,
    ) -> Answer<DoGetStream> {
        whole(ask(&self.state, move |db| question(&db)).await?)
    }

    /// The schema of what a command gives, for those that give one.
    ///
    /// # Errors
    /// What planning gives; `Unimplemented` for other commands.
    pub(super) async fn schema_of<T>(
        &self,
        command: Command,
        request: &Request<T>,
    ) -> Result<Bytes, Status> {
        let query = match command {
            Command::CommandStatementQuery(query) => {
                no_transaction(query.transaction_id.as_ref())?;
                SqlQuery::from(query.query.as_str())
            }
            Command::CommandPreparedStatementQuery(query) => {
                let handle = Handle::of(&query.prepared_statement_handle);
                self.statements.query(&*caller(request)?, handle)?
            }
            other => {
                return Err(Status::unimplemented(format!(
                    "GetSchema of {}: ask for its FlightInfo",
                    other.type_url()
                )));
            }
        };
        prepared::check_bytes(&query.statement)?;
        outgoing::schema_bytes(&*self.results.schema(query).await?)
    }

    /// The schema that a statement's result will have. With parameters it may depend on their types, or be planned with
    /// some types alone: values of several types are tried, and it is left out when none goes.
    ///
    /// # Errors
    /// What planning gives whatever the values are.
    pub(super) async fn schema_ahead(&self, text: &str, names: &[String]) -> Result<Bytes, Status> {
        let query = |value: Option<&SqlValue>| {
            let mut query = SqlQuery::from(text);
            let values = value.into_iter();
            query.parameters = values
                .flat_map(|value| names.iter().map(|name| (name.clone(), value.clone())))
                .collect();
            query
        };
        if names.is_empty() {
            return outgoing::schema_bytes(&*self.results.schema(query(None)).await?);
        }
        let mut errors: Vec<Status> = Vec::new();
        for value in [
            SqlValue::Null,
            SqlValue::Int(1),
            SqlValue::Text("a".into()),
            SqlValue::Time(0),
        ] {
            match self.results.schema(query(Some(&value))).await {
                Ok(schema) => return outgoing::schema_bytes(&schema),
                // Only what the statement is at fault for may be mended by another value.
                Err(error) if error.code() != tonic::Code::InvalidArgument => return Err(error),
                Err(error) => errors.push(error),
            }
        }
        // What is said whatever the values are is said of the statement.
        let mut messages = errors.iter().map(Status::message);
        let first = messages.next();
        match errors.first() {
            Some(error) if messages.all(|message| Some(message) == first) => Err(error.clone()),
            _ => Ok(Bytes::new()),
        }
    }

    /// Gives up the result that an answer told of.
    ///
    /// # Errors
    /// `Internal` for a call without a caller.
    pub(super) fn given_up<T>(
        &self,
        info: &FlightInfo,
        request: &Request<T>,
    ) -> Result<CancelStatus, Status> {
        let was_there = self.results.cancel(&*caller(request)?, handle_in(info));
        Ok(match was_there {
            true => CancelStatus::Cancelled,
            // It is over, or was never there.
            false => CancelStatus::NotCancellable,
        })
    }
}
