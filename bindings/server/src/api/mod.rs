//! REST: questions and small changes as JSON, rows also as Arrow, under `/api/v1`.
//!
//! ```text
//! ROUTES (method, path, role) -> asked (caller, path, parameters, body) -> search, text, sql, traces, ..
//!                                     -> answer (JSON, all of it or an error) or batches (rows as Arrow, as they are read)
//! ```
//!
//! **Invariants**
//! 1. A route is in `ROUTES` with the role it needs, and its handler runs only for a caller who has that role.
//! 2. Every error has the form `{"error":{"code","message","kind"}}`, those of routing and of bodies as well.
//! 3. No parameter or member is passed over: what a route does not know, or what is there twice, is an error.
//! 4. A caller for some experiments sees nothing of others; what cannot be told apart by experiment is refused.
//! 5. No answer is cut in silence: a JSON answer is whole or an error, an Arrow stream is whole or its connection breaks.
//!
//! **Numbers in JSON**: whole numbers have all their digits, also beyond 2^53. A number that JSON has no form for is the
//! text of its name, as in OTLP/JSON: `"NaN"`, `"Infinity"`, `"-Infinity"`. Times are RFC 3339 in UTC.

mod answer;
mod asked;
mod assessments;
mod batches;
mod datasets;
mod experiments;
mod export;
mod figures;
mod import;
mod input;
mod metrics;
mod openapi;
mod operations;
mod parameters;
mod period;
mod pieces;
mod records;
mod rows;
mod search;
mod sessions;
mod sight;
mod sql;
mod stream;
mod tags;
mod text;
mod traces;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::extract::path::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use futures::future::BoxFuture;
use http::{HeaderValue, Request, StatusCode, header};

use crate::access::Role;
use crate::error::ApiError;
use crate::state::Shared;
use asked::Asked;

type Answer = Result<Response, ApiError>;

/// What is done on a path.
struct Route {
    verb: Verb,
    path: &'static str,
    role: Role,
    handler: fn(Asked) -> BoxFuture<'static, Answer>,
}

/// The methods that routes have; `HEAD` goes with `GET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// A row of the table: the handler is an async function, boxed here.
macro_rules! route {
    ($verb:ident $path:literal $role:ident $handler:path) => {
        Route {
            verb: Verb::$verb,
            path: $path,
            role: Role::$role,
            handler: |asked| Box::pin($handler(asked)),
        }
    };
}

/// All routes. A change of what is there needs `write`; what takes something away for good needs `admin`.
static ROUTES: [Route; 36] = [
    route!(Get "/api/v1/openapi.json" Read openapi::get),
    route!(Get "/api/v1/search" Read search::search),
    route!(Post "/api/v1/search" Read search::search),
    route!(Get "/api/v1/text" Read text::search),
    route!(Post "/api/v1/text" Read text::search),
    route!(Get "/api/v1/sql" Read sql::query),
    route!(Post "/api/v1/sql" Read sql::query),
    route!(Get "/api/v1/sessions" Read sessions::search),
    route!(Post "/api/v1/sessions" Read sessions::search),
    route!(Get "/api/v1/metrics" Read metrics::compute),
    route!(Post "/api/v1/metrics" Read metrics::compute),
    route!(Get "/api/v1/stats" Read figures::stats),
    route!(Get "/api/v1/experiments" Read experiments::list),
    route!(Post "/api/v1/traces:batch" Read traces::batch),
    route!(Get "/api/v1/traces/{trace_id}" Read traces::get),
    route!(Delete "/api/v1/traces/{trace_id}" Admin traces::delete),
    route!(Get "/api/v1/traces/{trace_id}/spans" Read traces::spans),
    route!(Post "/api/v1/traces/{trace_id}/tags" Write tags::set),
    route!(Delete "/api/v1/traces/{trace_id}/tags/{key}" Write tags::remove),
    route!(Get "/api/v1/assessments" Read assessments::list),
    route!(Post "/api/v1/assessments" Write assessments::create),
    route!(Get "/api/v1/assessments/{assessment_id}" Read assessments::get),
    route!(Patch "/api/v1/assessments/{assessment_id}" Write assessments::update),
    route!(Delete "/api/v1/assessments/{assessment_id}" Admin assessments::delete),
    route!(Get "/api/v1/datasets" Read datasets::list),
    route!(Post "/api/v1/datasets" Write datasets::create),
    route!(Get "/api/v1/datasets/{name}" Read datasets::get),
    route!(Delete "/api/v1/datasets/{name}" Admin datasets::delete),
    route!(Get "/api/v1/datasets/{name}/versions" Read datasets::versions),
    route!(Get "/api/v1/datasets/{name}/records" Read records::list),
    route!(Post "/api/v1/datasets/{name}/records" Write records::merge),
    route!(Delete "/api/v1/datasets/{name}/records" Admin records::delete),
    route!(Post "/api/v1/datasets/{name}/traces" Write records::add_traces),
    route!(Get "/api/v1/datasets/{name}/export" Read export::export),
    route!(Post "/api/v1/import" Ingest import::import),
    // Each operation has roles of its own besides.
    route!(Post "/api/v1/operations" Read operations::call),
];

/// The routes of the API.
pub(crate) fn routes() -> Router<Shared> {
    let mut router = Router::new();
    for route in &ROUTES {
        let handler =
            move |state: Extract<Shared>,
                  path: Result<RawPathParams, RawPathParamsRejection>,
                  request: Request<Body>| { answer(route, state.0, path, request) };
        router = router.route(route.path, on(route.verb.filter(), handler));
    }
    router.method_not_allowed_fallback(no_method)
}

async fn answer(
    route: &Route,
    state: Shared,
    path: Result<RawPathParams, RawPathParamsRejection>,
    request: Request<Body>,
) -> Response {
    let asked = match Asked::admit(route.role, state, path, request) {
        Ok(asked) => asked,
        Err(error) => return refused(error),
    };
    (route.handler)(asked).await.unwrap_or_else(refused)
}

fn refused(error: ApiError) -> Response {
    let is_too_large = error.status == StatusCode::PAYLOAD_TOO_LARGE;
    let mut response = error.into_response();
    if is_too_large {
        // The rest of the body is not read.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

async fn no_method(request: Request<Body>) -> ApiError {
    let (method, path) = (request.method(), request.uri().path());
    ApiError {
        status: StatusCode::METHOD_NOT_ALLOWED,
        ..ApiError::bad_request(format!(
            "{path} is not there for {method}: the header Allow of this answer says for what"
        ))
    }
}
