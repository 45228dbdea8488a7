//! What a call came to: an answer, or a failure with what it means for retries and money.
//!
//! What a failed call cost:
//!
//! | what came | cost |
//! |---|---|
//! | no connection; status 3xx, 4xx, 503, 529 | nothing: the server did no work |
//! | a body with counts of tokens | by these |
//! | anything else: no answer in time, a broken connection or body, any other status | not known, so all that was reserved |

use std::time::Duration;

use serde_json::Value;

use super::super::limits::Stop;
use super::super::settings::ApiKey;
use super::chat::{self, ChatAnswer, Told};
use super::transport::{HttpError, HttpReply, RESPONSE_BYTES_MAX};
use crate::{ScoreError, ScoreErrorKind};

/// What a model answered, and what that took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub answer: ChatAnswer,
    pub told: Told,
    pub cost_usd: Option<f64>,
}

/// A call that brought no answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub error: ScoreError,
    pub next: Next,
    /// Known to have cost nothing.
    pub free: bool,
    pub told: Told,
    /// How long the server asked to wait.
    pub wish: Option<Duration>,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The same again, later.
    Retry,
    /// Nothing: the same would fail again.
    End,
    /// The server refused the request; another form of it may do.
    OtherForm,
}

impl Failure {
    pub fn new(kind: ScoreErrorKind, message: String, next: Next) -> Self {
        Self {
            error: ScoreError::new(kind, message),
            next,
            free: false,
            told: Told::default(),
            wish: None,
        }
    }

    pub fn free(mut self, free: bool) -> Self {
        self.free = free;
        self
    }
}

/// An error for a wait that ended early.
pub(crate) fn stopped(stop: Stop, deadline_ms: u64) -> ScoreError {
    match stop {
        Stop::Cancelled => ScoreError::new(ScoreErrorKind::Cancelled, "the run was cancelled"),
        Stop::Deadline => ScoreError::new(
            ScoreErrorKind::Timeout,
            format!("no answer within deadline_ms = {deadline_ms}, waits and retries counted"),
        ),
    }
}

/// What is needed to name a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub key: &'a ApiKey,
    pub timeout_ms: u64,
    pub deadline_ms: u64,
}

/// Sorts out what HTTP brought.
pub(crate) fn of(
    result: Result<HttpReply, HttpError>,
    context: Context<'_>,
) -> Result<(ChatAnswer, Told), Failure> {
    match result {
        Ok(reply) if (200..300).contains(&reply.status) => of_success(&reply, context.key),
        Ok(reply) => Err(of_status(reply, context.key)),
        Err(error) => Err(of_error(error, context)),
    }
}

fn of_success(reply: &HttpReply, key: &ApiKey) -> Result<(ChatAnswer, Told), Failure> {
    let malformed = |message: String| {
        let start = key.quote(&String::from_utf8_lossy(&reply.body));
        let message = format!("{message}; it begins {start:?}");
        Failure::new(ScoreErrorKind::Malformed, message, Next::Retry)
    };
    let Ok(body) = serde_json::from_slice::<Value>(&reply.body) else {
        return Err(malformed("the response is no JSON".to_owned()));
    };
    let (answer, told) = chat::read(&body);
    let mut failure = match (answer, chat::error_message(&body)) {
        (Ok(answer), _) => return Ok((answer, told)),
        (Err(_), Some(message)) => {
            let message = format!(
                "the server answered {} with an error: {}",
                reply.status,
                key.quote(&message)
            );
            Failure::new(ScoreErrorKind::Server, message, Next::Retry)
        }
        (Err(message), _) => malformed(message),
    };
    failure.told = told;
    Err(failure)
}

fn of_status(reply: HttpReply, key: &ApiKey) -> Failure {
    let status = reply.status;
    let body = String::from_utf8_lossy(&reply.body);
    let message = format!("the server answered {status}: {}", said(&body, key));
    // A quota does not come back while one waits.
    let spent_quota = body.contains("insufficient_quota");
    let failure = match status {
        300..400 => {
            let to = key.quote(reply.location.as_deref().unwrap_or_default());
            let message = format!("{message} (redirects are not followed; it points to {to:?})");
            Failure::new(ScoreErrorKind::Server, message, Next::End)
        }
        429 if spent_quota => Failure::new(ScoreErrorKind::RateLimited, message, Next::End),
        429 => Failure::new(ScoreErrorKind::RateLimited, message, Next::Retry),
        408 | 409 | 425 | 500.. => Failure::new(ScoreErrorKind::Server, message, Next::Retry),
        400 | 422 => Failure::new(ScoreErrorKind::Server, message, Next::OtherForm),
        _ => Failure::new(ScoreErrorKind::Server, message, Next::End),
    };
    let mut failure = failure.free(matches!(status, 300..500 | 503 | 529));
    failure.wish = reply.retry.wish();
    failure
}

fn of_error(error: HttpError, context: Context<'_>) -> Failure {
    match error {
        HttpError::Stop { stop, sent } => {
            let error = stopped(stop, context.deadline_ms);
            Failure::new(error.kind, error.message, Next::End).free(!sent)
        }
        HttpError::Timeout { sent } => {
            let message = format!("no response within timeout_ms = {}", context.timeout_ms);
            Failure::new(ScoreErrorKind::Timeout, message, Next::Retry).free(!sent)
        }
        HttpError::TooLarge => {
            let message = format!("the response is larger than {RESPONSE_BYTES_MAX} bytes");
            Failure::new(ScoreErrorKind::Malformed, message, Next::End)
        }
        HttpError::Connection { sent, message } => {
            let what = match sent {
                true => "the connection broke",
                false => "no connection to the server",
            };
            let message = format!("{what}: {}", context.key.quote(&message));
            Failure::new(ScoreErrorKind::Server, message, Next::Retry).free(!sent)
        }
    }
}

/// What an error response says: its message, or how it begins.
fn said(body: &str, key: &ApiKey) -> String {
    let value = serde_json::from_str::<Value>(body).ok();
    match value.as_ref().and_then(chat::error_message) {
        Some(message) => key.quote(&message),
        None if body.trim().is_empty() => "nothing more".to_owned(),
        None => key.quote(body),
    }
}
