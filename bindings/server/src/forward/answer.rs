//! What an answer of a target means for the spans that it was sent.

use std::time::Duration;

use prost::Message;

/// Longest part of an answer that is told.
const TOLD_CHARS_MAX: usize = 300;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Taken, but for so many spans.
    Taken { rejected: u64, reason: String },
    /// The target is not able to take anything now: the same again, later.
    Later {
        reason: String,
        asked: Option<Duration>,
    },
    /// A failure of the target that may be the spans': as later, and after some tries as refused.
    Fails { reason: String },
    /// These spans, together, are not taken, and would not be later.
    Refused { reason: String },
}

/// A response, or why there is none.
#[derive(Debug)]
pub(super) enum Reply {
    Response {
        status: u16,
        retry_after: Option<String>,
        body: Vec<u8>,
    },
    None(String),
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`, which errors have as their body.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(string, tag = "2")]
    message: String,
}

/// What a reply means (FW-2): only 400, 413, 422 and their like say something of the spans. Who is not let in, or is at the
/// wrong place, is to be put right by whoever runs the server, and the spans wait for that.
pub(super) fn outcome(reply: Reply) -> Outcome {
    let (status, retry_after, body) = match reply {
        Reply::None(reason) => {
            return Outcome::Later {
                reason,
                asked: None,
            };
        }
        Reply::Response {
            status,
            retry_after,
            body,
        } => (status, retry_after, body),
    };
    let reason = told(status, &body);
    match status {
        200..=299 => taken(&body),
        408 | 429 | 502..=504 => Outcome::Later {
            reason,
            // The other form, a date, needs both clocks to be right.
            asked: retry_after
                .and_then(|text| text.trim().parse().ok())
                .map(Duration::from_secs),
        },
        300..=399 | 401 | 403..=405 | 407 | 421 | 508 | 511 => Outcome::Later {
            reason,
            asked: None,
        },
        500..=599 => Outcome::Fails { reason },
        _ => Outcome::Refused { reason },
    }
}

fn taken(body: &[u8]) -> Outcome {
    // A target that answers in JSON, or not at all, took everything as far as can be told.
    let partial = ExportResponse::decode(body)
        .ok()
        .and_then(|answer| answer.partial_success);
    let partial = partial.unwrap_or_default();
    Outcome::Taken {
        rejected: u64::try_from(partial.rejected_spans).unwrap_or(0),
        reason: cut(&partial.error_message),
    }
}

/// An answer in words.
fn told(status: u16, body: &[u8]) -> String {
    let message = RpcStatus::decode(body)
        .map(|status| status.message)
        .unwrap_or_default();
    let text = match message.is_empty() {
        true => std::str::from_utf8(body).unwrap_or_default(),
        false => message.as_str(),
    };
    match cut(text.trim()) {
        text if text.is_empty() => format!("HTTP status {status}"),
        text => format!("HTTP status {status}: {text}"),
    }
}

/// The beginning of a text of somebody else's, in one line.
fn cut(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(TOLD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &[u8]) -> Outcome {
        outcome(Reply::Response {
            status,
            retry_after: Some("7".into()),
            body: body.to_vec(),
        })
    }

    #[test]
    fn only_answers_about_the_spans_refuse_them() {
        for status in [301, 401, 403, 404, 405, 408, 429, 502, 503, 504, 508] {
            assert!(matches!(of(status, b""), Outcome::Later { .. }), "{status}");
        }
        for status in [400, 409, 413, 415, 422, 431] {
            assert!(
                matches!(of(status, b""), Outcome::Refused { .. }),
                "{status}"
            );
        }
        assert!(matches!(of(500, b""), Outcome::Fails { .. }));
        let Outcome::Later { asked, reason } = of(429, b"slow\ndown") else {
            panic!("not later")
        };
        assert_eq!(asked, Some(Duration::from_secs(7)));
        assert_eq!(reason, "HTTP status 429: slow down");
    }

    #[test]
    fn what_is_taken_in_part_says_how_much_is_not() {
        let answer = ExportResponse {
            partial_success: Some(PartialSuccess {
                rejected_spans: 3,
                error_message: "too old".into(),
            }),
        };
        let taken = |rejected, reason: &str| Outcome::Taken {
            rejected,
            reason: reason.into(),
        };
        assert_eq!(of(200, &answer.encode_to_vec()), taken(3, "too old"));
        for body in [&b""[..], b"{}", b"\xff\xff\xff"] {
            assert_eq!(of(202, body), taken(0, ""));
        }
        let status = RpcStatus {
            message: "a span without an id".into(),
        };
        let Outcome::Refused { reason } = of(400, &status.encode_to_vec()) else {
            panic!("not refused")
        };
        assert_eq!(reason, "HTTP status 400: a span without an id");
    }
}
