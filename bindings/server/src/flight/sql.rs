//! The commands of Flight SQL.
//!
//! Every method is a few lines: who calls, what is asked (`results`, `prepared`, `catalogue`, `about`), how it is told.
//! What would write is refused with a word on where writing is done; what is not named here is answered by the library
//! with `Unimplemented`.

use std::pin::Pin;

use arrow::record_batch::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::metadata::{SqlInfoData, XdbcTypeInfoData};
use arrow_flight::sql::server::{DoPutError, FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginSavepointRequest, ActionBeginSavepointResult, ActionBeginTransactionRequest,
    ActionBeginTransactionResult, ActionCancelQueryRequest, ActionCancelQueryResult,
    ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, ActionCreatePreparedSubstraitPlanRequest,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementSubstraitPlan, CommandStatementUpdate, DoPutPreparedStatementResult, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, Ticket,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::header;
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};
use tracehouse::SqlQuery;

use super::calls::shown;
use super::gate::Bearer;
use super::handle::Handle;
use super::service::{
    Answer, DoGetStream, NO_TRANSACTIONS, Sql, caller, no_transaction, told, whole,
};
use super::status::{internal, read_only};
use super::{about, catalogue, outgoing, parameters, prepared};

/// The actions that are carried out, and what they do.
pub(super) const ACTIONS: [(&str, &str); 4] = [
    (
        "CreatePreparedStatement",
        "Keeps a statement: ActionCreatePreparedStatementRequest -> ActionCreatePreparedStatementResult",
    ),
    (
        "ClosePreparedStatement",
        "Forgets a statement: ActionClosePreparedStatementRequest -> nothing",
    ),
    (
        "CancelQuery",
        "Gives a result up: ActionCancelQueryRequest -> ActionCancelQueryResult",
    ),
    (
        CANCEL_FLIGHT_INFO,
        "Gives a result up: CancelFlightInfoRequest -> CancelFlightInfoResult",
    ),
];
const CANCEL_FLIGHT_INFO: &str = "CancelFlightInfo";

#[tonic::async_trait]
impl FlightSqlService for Sql {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>> {
        let bearer = request.extensions().get::<Bearer>();
        let bearer = bearer.ok_or_else(|| internal("the handshake has no token"))?;
        let value = MetadataValue::try_from(bearer.0.as_bytes()).map_err(internal)?;
        let payload = Bytes::copy_from_slice(bearer.0.as_bytes());
        let answer = HandshakeResponse {
            protocol_version: 0,
            payload,
        };
        let mut response: Response<Pin<Box<dyn Stream<Item = _> + Send>>> =
            Response::new(Box::pin(stream::iter([Ok(answer)])));
        let metadata = response.metadata_mut();
        metadata.insert(header::AUTHORIZATION.as_str(), value);
        Ok(response)
    }

    // Statements.

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        no_transaction(query.transaction_id.as_ref())?;
        self.started(SqlQuery::from(query.query.as_str()), request)
            .await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        let handle = Handle::of(&ticket.statement_handle);
        let messages = self.results.take(&*caller(&request)?, handle)?;
        Ok(Response::new(Box::pin(messages)))
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let handle = Handle::of(&query.prepared_statement_handle);
        let query = self.statements.query(&*caller(&request)?, handle)?;
        self.started(query, request).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        asked: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        no_transaction(asked.transaction_id.as_ref())?;
        prepared::check_bytes(&asked.query)?;
        let caller = caller(&request)?;
        let names = parameters::names(&asked.query);
        let dataset_schema = self.schema_ahead(&asked.query, &names).await?;
        let parameter_schema = outgoing::schema_bytes(&parameters::schema(&names))?;
        let handle = self.statements.keep(&caller, asked.query, names)?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.to_bytes(),
            dataset_schema,
            parameter_schema,
        })
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let caller = caller(&request)?;
        let handle = Handle::of(&query.prepared_statement_handle);
        let sent = request.into_inner().map_err(FlightError::from);
        let mut batches = FlightRecordBatchStream::new_from_flight_data(sent);
        let mut bound: Option<RecordBatch> = None;
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(Status::from)?;
            if bound.is_some() && batch.num_rows() > 0 {
                return Err(Status::invalid_argument(
                    "parameters have one row of values, and several batches were bound",
                ));
            }
            bound.get_or_insert(batch);
        }
        let bound = bound.ok_or_else(|| {
            Status::invalid_argument("no values were bound: one row of parameters expected")
        })?;
        self.statements.bind(&caller, handle, &bound)?;
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(query.prepared_statement_handle),
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        asked: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let handle = Handle::of(&asked.prepared_statement_handle);
        self.statements.close(&*caller(&request)?, handle);
        Ok(())
    }

    // Giving up.

    async fn do_action_cancel_query(
        &self,
        asked: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let info = FlightInfo::decode(asked.info).map_err(|error| {
            Status::invalid_argument(format!("CancelQuery: no FlightInfo: {error}"))
        })?;
        Ok(ActionCancelQueryResult {
            // The two enumerations have the same numbers.
            result: self.given_up(&info, &request)? as i32,
        })
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Answer<<Self as FlightService>::DoActionStream> {
        let action = request.get_ref();
        if action.r#type != CANCEL_FLIGHT_INFO {
            let known = ACTIONS.map(|(name, _)| name).join(", ");
            return Err(Status::unimplemented(format!(
                "there is no action {:?}: {known} are carried out",
                shown(&action.r#type)
            )));
        }
        let asked = CancelFlightInfoRequest::decode(action.body.clone());
        let info = asked.ok().and_then(|asked| asked.info).ok_or_else(|| {
            Status::invalid_argument("CancelFlightInfo: the body has no FlightInfo")
        })?;
        let result = CancelFlightInfoResult::new(self.given_up(&info, &request)?);
        let result = arrow_flight::Result::new(result.encode_to_vec());
        Ok(Response::new(Box::pin(stream::iter([Ok(result)]))))
    }

    // What would write.

    async fn do_put_statement_update(
        &self,
        _: CommandStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only("an update"))
    }

    async fn do_put_prepared_statement_update(
        &self,
        _: CommandPreparedStatementUpdate,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only("an update"))
    }

    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(read_only("an ingest of rows"))
    }

    async fn do_put_error_callback(
        &self,
        _: Request<PeekableFlightDataStream>,
        error: DoPutError,
    ) -> Answer<<Self as FlightService>::DoPutStream> {
        Err(Status::invalid_argument(format!("DoPut: {error}")))
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        Err(Status::unimplemented(NO_TRANSACTIONS))
    }

    async fn do_action_begin_savepoint(
        &self,
        _: ActionBeginSavepointRequest,
        _: Request<Action>,
    ) -> Result<ActionBeginSavepointResult, Status> {
        Err(Status::unimplemented(NO_TRANSACTIONS))
    }

    // Plans of Substrait would pass by the guard of SQL.

    async fn get_flight_info_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        _: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        Err(Status::unimplemented(NO_SUBSTRAIT))
    }

    async fn do_put_substrait_plan(
        &self,
        _: CommandStatementSubstraitPlan,
        _: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        Err(Status::unimplemented(NO_SUBSTRAIT))
    }

    async fn do_action_create_prepared_substrait_plan(
        &self,
        _: ActionCreatePreparedSubstraitPlanRequest,
        _: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        Err(Status::unimplemented(NO_SUBSTRAIT))
    }

    // The catalogue.

    async fn get_flight_info_catalogs(
        &self,
        asked: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &asked.into_builder().schema(), request)
    }

    async fn do_get_catalogs(
        &self,
        asked: CommandGetCatalogs,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        self.read(move |db| catalogue::catalogues(db, asked)).await
    }

    async fn get_flight_info_schemas(
        &self,
        asked: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &asked.clone().into_builder().schema(), request)
    }

    async fn do_get_schemas(
        &self,
        asked: CommandGetDbSchemas,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        self.read(move |db| catalogue::schemas(db, asked)).await
    }

    async fn get_flight_info_tables(
        &self,
        asked: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &asked.clone().into_builder().schema(), request)
    }

    async fn do_get_tables(
        &self,
        asked: CommandGetTables,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        self.read(move |db| catalogue::tables(db, asked)).await
    }

    async fn get_flight_info_table_types(
        &self,
        asked: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &asked.into_builder().schema(), request)
    }

    async fn do_get_table_types(
        &self,
        asked: CommandGetTableTypes,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        self.read(move |db| catalogue::table_types(db, asked)).await
    }

    async fn get_flight_info_primary_keys(
        &self,
        asked: CommandGetPrimaryKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &catalogue::primary_key_schema(), request)
    }

    async fn do_get_primary_keys(
        &self,
        asked: CommandGetPrimaryKeys,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        whole(catalogue::primary_keys(&asked)?)
    }

    async fn get_flight_info_exported_keys(
        &self,
        asked: CommandGetExportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &catalogue::foreign_key_schema(), request)
    }

    async fn do_get_exported_keys(
        &self,
        _: CommandGetExportedKeys,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        whole(catalogue::foreign_keys())
    }

    async fn get_flight_info_imported_keys(
        &self,
        asked: CommandGetImportedKeys,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &catalogue::foreign_key_schema(), request)
    }

    async fn do_get_imported_keys(
        &self,
        _: CommandGetImportedKeys,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        whole(catalogue::foreign_keys())
    }

    async fn get_flight_info_cross_reference(
        &self,
        asked: CommandGetCrossReference,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        told(&asked, &catalogue::foreign_key_schema(), request)
    }

    async fn do_get_cross_reference(
        &self,
        _: CommandGetCrossReference,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        whole(catalogue::foreign_keys())
    }

    // What the server is.

    async fn get_flight_info_sql_info(
        &self,
        asked: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let facts = sql_info()?;
        told(
            &asked,
            &asked.clone().into_builder(&facts).schema(),
            request,
        )
    }

    async fn do_get_sql_info(
        &self,
        asked: CommandGetSqlInfo,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        whole(asked.into_builder(&sql_info()?).build().map_err(internal)?)
    }

    async fn get_flight_info_xdbc_type_info(
        &self,
        asked: CommandGetXdbcTypeInfo,
        request: Request<FlightDescriptor>,
    ) -> Answer<FlightInfo> {
        let facts = types()?;
        told(&asked, &asked.into_builder(&facts).schema(), request)
    }

    async fn do_get_xdbc_type_info(
        &self,
        asked: CommandGetXdbcTypeInfo,
        _: Request<Ticket>,
    ) -> Answer<DoGetStream> {
        whole(asked.into_builder(&types()?).build().map_err(internal)?)
    }

    /// Facts are told from `about` alone.
    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

const NO_SUBSTRAIT: &str = "plans of Substrait are not run: send SQL";

fn sql_info() -> Result<SqlInfoData, Status> {
    about::sql_info(prepared::LIFETIME).map_err(internal)
}

fn types() -> Result<XdbcTypeInfoData, Status> {
    about::types().map_err(internal)
}
