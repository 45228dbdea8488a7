//! OTLP: from received bytes to the spans of the model.
//!
//! ```text
//! stream -> source (gzip, zstd) -> reader (lines, documents, messages) -> Request
//! Request -> json | proto -> raw request -> redact -> span (checks, texts) + semconv (typed columns) -> Decoded
//! ```
//!
//! Invariants
//! * **IN-1** every attribute of an accepted span is kept with its type (see `value`).
//! * **IN-2** the two encodings of one request decode to equal spans.
//! * **IN-3** bad input is an error or a rejected span with a reason, never a panic, and never
//!   takes memory out of proportion to the input.

pub(crate) mod base64;
mod cursor;
mod error;
mod extra;
mod forms;
mod id;
mod json;
mod json_value;
mod kind;
mod proto;
mod raw;
mod reader;
mod redact;
mod source;
mod span;
pub(crate) mod value;

#[cfg(test)]
mod tests;

pub use error::DecodeError;
pub use raw::ChangedKeys;
pub use reader::{PIECE_BYTES_MAX, ReadError, Request, RequestReader};

use std::borrow::Cow;

use tracehouse_storage::model::Span;

use crate::redact::Pass;

/// What one request holds.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// The spans, in the order of the request.
    pub spans: Vec<Span>,
    /// For each span left out: its ids as received and the reason.
    pub rejected: Vec<String>,
    /// Keys of attributes that are not stored as they were sent.
    pub changed_keys: ChangedKeys,
    /// Requests of other signals (metrics, logs, profiles), which hold no traces.
    pub skipped: u64,
}

/// How to decode a request.
pub(crate) struct Decoding<'d, 'r> {
    /// The scope that new traces belong to.
    pub(crate) experiment_id: &'d str,
    /// Larger spans are left out.
    pub(crate) span_bytes_max: usize,
    /// What is taken out first.
    pub(crate) pass: Option<&'d mut Pass<'r>>,
}

impl<'d> Decoding<'d, '_> {
    /// Everything as it was sent.
    fn of(experiment_id: &'d str) -> Self {
        Self { experiment_id, span_bytes_max: usize::MAX, pass: None }
    }
}

/// What a JSON string literal says; `None` when it is none.
pub(crate) fn unescape(literal: &str) -> Option<Cow<'_, str>> {
    cursor::Cursor::new(literal).string().ok()
}

/// The bytes of a base64 text.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    base64::decode(text)
}

/// The base64 text of bytes.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    base64::encode(bytes, &mut text);
    text
}

/// Decodes one OTLP/JSON document: an `ExportTraceServiceRequest` or `TracesData`.
///
/// # Errors
/// When the document is not JSON or not a trace request; nothing of it is decoded then.
pub fn decode_json(document: &[u8], experiment_id: &str) -> Result<Decoded, DecodeError> {
    json::read(document).map(|request| decoded(request, Decoding::of(experiment_id)))
}

/// Decodes one OTLP/protobuf message: an `ExportTraceServiceRequest` or `TracesData`.
///
/// # Errors
/// When the message is damaged or not a trace request; nothing of it is decoded then.
pub fn decode_protobuf(message: &[u8], experiment_id: &str) -> Result<Decoded, DecodeError> {
    proto::read(message).map(|request| decoded(request, Decoding::of(experiment_id)))
}

/// Redaction comes first, so that typed columns, previews and tags are made of what is left.
fn decoded(mut request: raw::RawRequest<'_>, decoding: Decoding<'_, '_>) -> Decoded {
    if let Some(pass) = decoding.pass {
        redact::request(pass, &mut request);
    }
    span::assemble(request, decoding.experiment_id, decoding.span_bytes_max)
}
