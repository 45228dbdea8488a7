//! Errors of the server as a whole, and errors that a client is told of: one type for all protocols.

use std::fmt;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use tracehouse::ErrorKind;

/// Longest quote of a text in an error.
const QUOTED_BYTES_MAX: usize = 80;

/// A text in an error: short, with quotes and escapes.
pub(crate) fn quoted(text: &str) -> String {
    let end = text.floor_char_boundary(QUOTED_BYTES_MAX);
    match text.get(..end) {
        Some(beginning) if end < text.len() => format!("{beginning:?}.. ({} bytes)", text.len()),
        _ => format!("{text:?}"),
    }
}

/// Why a server cannot start or go on.
#[derive(Debug)]
pub struct ServeError(String);

impl ServeError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

impl From<tracehouse::Error> for ServeError {
    fn from(error: tracehouse::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a client is told when its request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    /// A word for programs: MLflow's where it has one for this.
    pub(crate) code: &'static str,
    /// What the engine calls errors that clients do the same about.
    pub(crate) kind: Option<ErrorKind>,
    pub(crate) message: String,
    /// When trying again may work.
    pub(crate) retry_after: Option<Duration>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            kind: None,
            message: message.into(),
            retry_after: None,
        }
    }

    fn of_kind(status: StatusCode, kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind: Some(kind),
            ..Self::new(status, kind.code(), message)
        }
    }

    /// The request is wrong as it is.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::of_kind(StatusCode::BAD_REQUEST, ErrorKind::InvalidInput, message)
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::of_kind(StatusCode::NOT_FOUND, ErrorKind::NotFound, message)
    }

    /// No token, or none that is known.
    pub(crate) fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message)
    }

    /// The token has not the role, or not the experiment.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", message)
    }

    /// The request is larger than any may be.
    pub(crate) fn too_large(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "REQUEST_LIMIT_EXCEEDED",
            message,
        )
    }

    /// The request was sent on by the server that it has come to.
    pub(crate) fn sent_to_itself(message: impl Into<String>) -> Self {
        Self::new(StatusCode::LOOP_DETECTED, "LOOP_DETECTED", message)
    }

    /// The body is of a type that is not read here.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::of_kind(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorKind::InvalidInput,
            message,
        )
    }

    /// The sender was too slow.
    pub(crate) fn too_slow(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", message)
    }

    /// The token has used up what it may in this time.
    pub(crate) fn too_many(message: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "REQUEST_LIMIT_EXCEEDED",
                message,
            )
        }
    }

    /// There is no room now; trying again will work.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::of_kind(
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorKind::Unavailable,
                message,
            )
        }
    }

    /// A bug of the server.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::of_kind(
            StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Internal,
            message,
        )
    }

    /// The body that a client of REST gets.
    pub(crate) fn body(&self) -> serde_json::Value {
        let mut error = json!({"code": self.code, "message": self.message});
        // A code that was changed says more than the kind.
        let kind = self.kind.filter(|kind| kind.code() == self.code);
        if let (Some(kind), Some(members)) = (kind, error.as_object_mut()) {
            members.insert("kind".into(), format!("{kind:?}").into());
        }
        json!({ "error": error })
    }

    /// The headers that go with it.
    pub(crate) fn add_headers(&self, headers: &mut http::HeaderMap) {
        if let Some(after) = self.retry_after {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(after.as_secs().max(1)),
            );
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }

    /// The code of gRPC for it.
    pub(crate) fn grpc_code(&self) -> tonic::Code {
        match self.status.as_u16() {
            400 | 415 => tonic::Code::InvalidArgument,
            401 => tonic::Code::Unauthenticated,
            403 => tonic::Code::PermissionDenied,
            404 => tonic::Code::NotFound,
            408 => tonic::Code::DeadlineExceeded,
            409 => tonic::Code::AlreadyExists,
            413 => tonic::Code::ResourceExhausted,
            429 | 503 => tonic::Code::Unavailable,
            _ => tonic::Code::Internal,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        self.add_headers(response.headers_mut());
        response
    }
}

impl From<tracehouse::Error> for ApiError {
    fn from(error: tracehouse::Error) -> Self {
        let message = error.to_string();
        let kind = error.kind();
        match kind {
            ErrorKind::InvalidInput => Self::bad_request(message),
            ErrorKind::NotFound => Self::not_found(message),
            ErrorKind::Conflict => Self::of_kind(StatusCode::CONFLICT, kind, message),
            ErrorKind::Unavailable => Self::busy(message),
            // The same question asked again would end the same way: without a word on when to try again.
            ErrorKind::Closed
            | ErrorKind::Timeout
            | ErrorKind::Cancelled
            | ErrorKind::ResourceExhausted => {
                Self::of_kind(StatusCode::SERVICE_UNAVAILABLE, kind, message)
            }
            _ => Self::of_kind(StatusCode::INTERNAL_SERVER_ERROR, kind, message),
        }
    }
}

impl From<ApiError> for tonic::Status {
    fn from(error: ApiError) -> Self {
        Self::new(error.grpc_code(), error.message)
    }
}
