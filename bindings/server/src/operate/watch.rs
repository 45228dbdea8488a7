//! Around every route: the id of a request, the door, and what is told of it.
//!
//! A request is logged and counted when its answer was sent, or its client went: the record travels with the body of the
//! answer and tells when it is dropped.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State as Extract};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use http_body::{Frame, SizeHint};
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::figures::Ended;
use super::noted::{Noted, noting};
use crate::access::check_door;
use crate::error::ApiError;
use crate::listen::Arrival;
use crate::options::LogLevel;
use crate::state::Shared;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const GRPC: &[u8] = b"application/grpc";
/// Longest request id that is taken from a client.
const ID_BYTES_MAX: usize = 128;
/// Longest path that is logged.
const PATH_CHARS_MAX: usize = 512;
/// The route of what has none.
const NO_ROUTE: &str = "none";

/// Carries out a request and sees to it that it is told of.
pub(crate) async fn watch(
    Extract(state): Extract<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let mut record = Record::of(state.clone(), &request);
    let is_chunked = request.version() == Version::HTTP_11
        && request.headers().contains_key(header::TRANSFER_ENCODING);
    let is_grpc = is_grpc(request.headers());
    let (head, body) = request.into_parts();
    let door = check_door(&head, state.access.is_open());
    let is_outside = door.is_err();
    let mut response = match door {
        Err(error) => refusal(error, is_grpc),
        Ok(()) => {
            let request = Request::from_parts(head, body);
            let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
            noting(record.noted.clone(), answer)
                .await
                .unwrap_or_else(|_| {
                    refusal(ApiError::internal("the request ended by a bug"), is_grpc)
                })
        }
    };
    record.answered(&response);
    if is_outside || record.is_unauthenticated() {
        let (failures, address) = (&state.access.failures, record.arrival.address.ip());
        if let Err(after) = failures.count(address, Instant::now()) {
            let why = "too many requests of this address were refused";
            response = refusal(ApiError::too_many(why, after), is_grpc);
            record.answered(&response);
            record.is_muted = true;
        }
    }
    record.audit().await;
    set_headers(&mut response, &record.id, is_chunked, is_grpc);
    response.map(|body| Body::new(Followed::new(body, record)))
}

fn set_headers(response: &mut Response, id: &str, is_chunked: bool, is_grpc: bool) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    if !is_grpc {
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        let no_store = HeaderValue::from_static("no-store");
        headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    }
    if is_chunked {
        // A body whose length was told twice is read by its chunks. Somebody on the way may have read it otherwise: what
        // he sends next on this connection is not taken for another's request.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let told = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    told.is_some_and(|told| told.starts_with(GRPC))
}

fn refusal(error: ApiError, is_grpc: bool) -> Response {
    match is_grpc {
        true => Status::from(error).into_http(),
        false => error.into_response(),
    }
}

/// What is told of a request. It tells when it is dropped.
#[derive(Debug)]
struct Record {
    state: Shared,
    arrival: Arrival,
    noted: Arc<Noted>,
    id: String,
    method: &'static str,
    route: String,
    path: String,
    begun: Instant,
    status: Option<u16>,
    /// The status of gRPC, once it is known.
    code: Option<Code>,
    sent_bytes: u64,
    /// Whether the whole answer was handed over.
    is_ended: bool,
    /// Whether it is one of too many: then it has no entry of its own in the audit log.
    is_muted: bool,
}

impl Record {
    fn of(state: Shared, request: &Request) -> Self {
        state.operate.figures.in_progress.add(1);
        let extensions = request.extensions();
        let arrival = extensions.get::<Arrival>().cloned().unwrap_or_default();
        let route = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        Self {
            state,
            arrival,
            noted: Arc::default(),
            id: request_id(request.headers()),
            method: method(request.method()),
            route: route.unwrap_or(NO_ROUTE).to_string(),
            path: request.uri().path().chars().take(PATH_CHARS_MAX).collect(),
            begun: Instant::now(),
            status: None,
            code: None,
            sent_bytes: 0,
            is_ended: false,
            is_muted: false,
        }
    }

    /// Takes over the status of an answer.
    fn answered(&mut self, response: &Response) {
        self.status = Some(response.status().as_u16());
        self.code = code(response.headers());
    }

    fn is_unauthenticated(&self) -> bool {
        self.status == Some(401) || self.code == Some(Code::Unauthenticated)
    }

    fn is_without_right(&self) -> bool {
        self.status == Some(403) || self.code == Some(Code::PermissionDenied)
    }

    /// OP-2.
    async fn audit(&self) {
        let is_refused = self.is_unauthenticated() || self.is_without_right();
        if self.is_muted || !(is_refused || self.noted.changes()) {
            return;
        }
        let event = if is_refused { "refused" } else { "change" };
        self.state.operate.log.audit(event, &self.fields()).await;
    }

    /// What identifies a request, and how it ended.
    fn fields(&self) -> Value {
        json!({
            "request_id": self.id,
            "caller": self.noted.caller(),
            "address": self.arrival.address.to_string(),
            "method": self.method,
            "path": self.path,
            "status": self.status_text(),
        })
    }

    fn status_text(&self) -> String {
        match (self.code, self.status) {
            (Some(code), _) => format!("{code:?}"),
            (None, Some(status)) => status.to_string(),
            // 499 is what others write for it, too.
            (None, None) => "499".into(),
        }
    }

    fn level(&self) -> LogLevel {
        let is_watching = matches!(self.route.as_str(), "/healthz" | "/readyz" | "/metrics");
        match (self.status, self.code) {
            (Some(500), _) | (_, Some(Code::Internal | Code::Unknown | Code::DataLoss)) => {
                LogLevel::Error
            }
            (Some(429 | 503), _) | (_, Some(Code::Unavailable)) => LogLevel::Warn,
            (Some(200), _) if is_watching => LogLevel::Debug,
            _ => LogLevel::Info,
        }
    }

    fn count(&self, took: Duration) {
        let figures = &self.state.operate.figures;
        figures.in_progress.subtract(1);
        figures.request_bytes.add(self.arrival.received_bytes());
        figures.response_bytes.add(self.sent_bytes);
        if !self.is_ended {
            figures.given_up.add(1);
        }
        if self.is_unauthenticated() || self.is_muted {
            figures.refused_token.add(1);
        } else if self.is_without_right() {
            figures.refused_right.add(1);
        } else if self.noted.is_too_many() {
            figures.refused_rate.add(1);
        }
        let ended = Ended {
            route: self.route.clone(),
            method: self.method,
            status: self.status_text(),
        };
        figures.request(ended, took);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.begun.elapsed();
        self.count(took);
        let (level, log) = (self.level(), &self.state.operate.log);
        if !log.tells(level) {
            return;
        }
        let mut fields = self.fields();
        if let Some(fields) = fields.as_object_mut() {
            let ms = took.as_micros() as f64 / 1000.0;
            fields.insert("ms".into(), json!(ms));
            fields.insert("bytes_in".into(), json!(self.arrival.received_bytes()));
            fields.insert("bytes_out".into(), json!(self.sent_bytes));
            if !self.is_ended {
                fields.insert("given_up".into(), json!(true));
            }
        }
        log.tell(level, "request", &fields);
    }
}

/// The body of an answer, followed to its end.
#[derive(Debug)]
struct Followed {
    body: Body,
    record: Record,
}

impl Followed {
    fn new(body: Body, mut record: Record) -> Self {
        record.is_ended = http_body::Body::is_end_stream(&body);
        Self { body, record }
    }
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Pending => return polled,
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.record.sent_bytes += data.len() as u64;
                }
                if let Some(trailers) = frame.trailers_ref() {
                    self.record.code = code(trailers).or(self.record.code);
                    // Nothing follows, and nobody asks whether it does.
                    self.record.is_ended = true;
                }
            }
            // The answer broke off: its head had said that all was well.
            Poll::Ready(Some(Err(_))) => self.record.status = Some(500),
            Poll::Ready(None) => self.record.is_ended = true,
        }
        self.record.is_ended |= self.body.is_end_stream();
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    let told = headers.get(Status::GRPC_STATUS)?;
    Some(Code::from_bytes(told.as_bytes()))
}

/// The id that a client gave, if it is one to write into logs, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_sane = |id: &&str| {
        !id.is_empty()
            && id.len() <= ID_BYTES_MAX
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    given.filter(is_sane).map_or_else(new_id, str::to_string)
}

fn new_id() -> String {
    let mut random = [0_u8; 16];
    // Without random bits ids repeat, and nothing else happens.
    let _ = rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}

/// Methods are few, so that what clients invent makes no new figures.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_taken_over() {
        let of = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap());
            request_id(&headers)
        };
        assert_eq!(of("a-1_B.c"), "a-1_B.c");
        for id in ["", "a b", "a\"b", "\u{e9}", &"a".repeat(129)] {
            assert_ne!(of(id), id);
            assert_eq!(of(id).len(), 32);
        }
        assert_ne!(new_id(), new_id());
    }
}
