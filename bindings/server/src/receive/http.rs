//! OTLP/HTTP: `POST /v1/traces` and `/v1/logs`, protobuf and JSON; and the paths that SDKs of products send traces to unless
//! they are told another one.

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use tracehouse::{ImportReport, OtlpEncoding};

use super::answer::{self, Signal};
use super::body;
use super::compression::Compression;
use super::store::Export;
use crate::access::{Caller, Role};
use crate::error::ApiError;
use crate::forward;
use crate::state::Shared;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Where traces come: OTLP's path, that of Langfuse's SDK, and that of the SDKs of LangSmith and Braintrust.
const TRACES: [&str; 3] = [
    "/v1/traces",
    "/api/public/otel/v1/traces",
    "/otel/v1/traces",
];

/// The routes of senders.
pub(crate) fn routes() -> Router<Shared> {
    let routes = TRACES.iter().fold(Router::new(), |routes, path| {
        routes.route(path, post(traces))
    });
    routes
        .route("/v1/logs", post(logs))
        .route("/v1/metrics", post(metrics))
}

async fn traces(state: Extract<Shared>, request: Request<Body>) -> Response {
    receive(state, request, Signal::Traces).await
}

async fn logs(state: Extract<Shared>, request: Request<Body>) -> Response {
    receive(state, request, Signal::Logs).await
}

async fn metrics(Extract(state): Extract<Shared>, headers: HeaderMap) -> ApiError {
    if let Err(error) = state.access.admit(&headers, Role::Ingest) {
        return error;
    }
    ApiError::not_found(
        "metrics are not kept here: send traces, and logs of GenAI events; \
         OTEL_METRICS_EXPORTER=none turns the exporter off",
    )
}

async fn receive(
    Extract(state): Extract<Shared>,
    request: Request<Body>,
    signal: Signal,
) -> Response {
    let admitted = state.access.admit(request.headers(), Role::Ingest);
    let told = admitted.and_then(|caller| Ok((caller, encoding(request.headers())?)));
    let (caller, encoding) = match told {
        Ok(told) => told,
        Err(error) => return error.into_response(),
    };
    match export(&state, &caller, request, encoding).await {
        Ok(report) => answered(&report, encoding, signal),
        Err(error) => refused(&error, encoding),
    }
}

/// # Errors
/// 415 for a type that is no OTLP.
fn encoding(headers: &HeaderMap) -> Result<OtlpEncoding, ApiError> {
    let told = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let told = told.map(|told| told.split(|byte| *byte == b';').next().unwrap_or(told));
    match told.map(<[u8]>::trim_ascii) {
        Some(told) if told.eq_ignore_ascii_case(JSON.as_bytes()) => Ok(OtlpEncoding::Json),
        Some(told)
            if told.eq_ignore_ascii_case(PROTOBUF.as_bytes())
                || told.eq_ignore_ascii_case(b"application/protobuf") =>
        {
            Ok(OtlpEncoding::Protobuf)
        }
        _ => Err(ApiError::unsupported(format!(
            "the header Content-Type has to be {PROTOBUF} or {JSON}"
        ))),
    }
}

async fn export(
    state: &Shared,
    caller: &Caller,
    request: Request<Body>,
    encoding: OtlpEncoding,
) -> Result<ImportReport, ApiError> {
    let (head, body) = request.into_parts();
    forward::check_loop(&state.db, &head.headers)?;
    let compression = head.headers.get(header::CONTENT_ENCODING);
    let compression = Compression::of(compression.map(|told| told.to_str().unwrap_or("?")))?;
    let export = Export::of(state, caller, &head.headers, encoding, compression)?;
    let mut reserved = state.budget.begin();
    let options = &state.options;
    let (bytes_max, pause_max) = (options.request_bytes_max, options.read_timeout);
    let body = body::read(&head.headers, body, bytes_max, pause_max, &mut reserved).await?;
    let report = export.store(state, body, reserved).await?;
    answer::check(&report)?;
    Ok(report)
}

fn answered(report: &ImportReport, encoding: OtlpEncoding, signal: Signal) -> Response {
    match encoding {
        OtlpEncoding::Protobuf => {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF))];
            (headers, answer::protobuf(report)).into_response()
        }
        OtlpEncoding::Json => axum::Json(answer::json(report, signal)).into_response(),
    }
}

fn refused(error: &ApiError, encoding: OtlpEncoding) -> Response {
    let mut response = match encoding {
        OtlpEncoding::Protobuf => {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF))];
            (error.status, headers, answer::status_protobuf(error)).into_response()
        }
        OtlpEncoding::Json => {
            (error.status, axum::Json(answer::status_json(error))).into_response()
        }
    };
    error.add_headers(response.headers_mut());
    if error.status == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body is not read.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
