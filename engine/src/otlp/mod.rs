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
mod container_log;
mod csv;
pub(crate) mod encode;
mod error;
mod extra;
mod forms;
mod id;
mod js_literal;
mod json;
mod json_value;
mod kind;
mod logs;
mod proto;
pub(crate) mod python_literal;
mod raw;
mod reader;
mod redact;
mod request;
pub(crate) mod source;
mod span;
mod stored;
pub(crate) mod value;

#[cfg(test)]
mod tests;

pub use error::DecodeError;
pub(crate) use forms::time_ns;
pub(crate) use logs::BODY;
pub use raw::ChangedKeys;
pub(crate) use raw::{SPAN_NODES_MAX, VALUE_DEPTH_MAX, cut_key};
pub use reader::{PIECE_BYTES_MAX, ReadError, RequestReader};
pub use request::Request;

pub(crate) use stored::read_object;

use std::collections::BTreeMap;

use tracehouse_storage::model::{Assessment, Fragment, Span};

use crate::assess::GivenAssessment;
use crate::redact::Pass;
use crate::start::TraceStart;

/// What one request holds.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// The spans, in the order of the request.
    pub spans: Vec<Span>,
    /// For each span left out: its ids as received and the reason.
    pub rejected: Vec<String>,
    /// Keys of attributes that are not stored as they were sent.
    pub changed_keys: ChangedKeys,
    /// Requests of other signals (metrics, profiles, logs that say nothing of spans), which hold no traces.
    pub skipped: u64,
    /// Log records of spans, here or elsewhere.
    pub fragments: Vec<Fragment>,
    /// What events say of the quality of spans.
    pub feedback: Vec<Assessment>,
    /// Evaluations of responses, whose spans are not known.
    pub(crate) unplaced: Vec<Assessment>,
    /// How many log records are in `fragments`, `feedback` and `unplaced`.
    pub records: u64,
    /// Log records left out, by the name of their event.
    pub skipped_records: BTreeMap<String, u64>,
    /// How many documents or records there were of each form.
    pub forms: BTreeMap<&'static str, u64>,
    /// What is said of traces as a whole.
    pub(crate) starts: Vec<TraceStart>,
    /// What is said about traces.
    pub(crate) assessments: Vec<GivenAssessment>,
}

impl Decoded {
    /// Adds what another piece holds.
    fn add(&mut self, other: Self) {
        self.spans.extend(other.spans);
        self.rejected.extend(other.rejected);
        self.changed_keys.cut += other.changed_keys.cut;
        self.changed_keys.repeated += other.changed_keys.repeated;
        self.fragments.extend(other.fragments);
        self.feedback.extend(other.feedback);
        self.unplaced.extend(other.unplaced);
        self.records += other.records;
        for (kind, count) in other.skipped_records {
            *self.skipped_records.entry(kind).or_default() += count;
        }
        for (form, count) in other.forms {
            *self.forms.entry(form).or_default() += count;
        }
        self.skipped += other.skipped;
        self.starts.extend(other.starts);
        self.assessments.extend(other.assessments);
    }

    /// This, counted as one document of a form.
    fn of_form(mut self, form: &'static str) -> Self {
        self.forms.insert(form, 1);
        self
    }
}

/// How to decode a request.
pub(crate) struct Decoding<'d, 'r> {
    /// The scope that new traces belong to.
    pub(crate) experiment_id: &'d str,
    /// Whether ids may be any text; otherwise they are those of OTLP.
    pub(crate) any_ids: bool,
    /// The time of what has none.
    pub(crate) now_ns: i64,
    /// Larger spans are left out.
    pub(crate) span_bytes_max: usize,
    /// What is taken out first.
    pub(crate) pass: Option<&'d mut Pass<'r>>,
}

impl<'d> Decoding<'d, '_> {
    /// Everything as it was sent.
    fn of(experiment_id: &'d str) -> Self {
        Self {
            experiment_id,
            any_ids: false,
            now_ns: 0,
            span_bytes_max: usize::MAX,
            pass: None,
        }
    }
}

impl<'r> Decoding<'_, 'r> {
    /// How to decode a part of the request.
    fn again(&mut self) -> Decoding<'_, 'r> {
        Decoding {
            pass: self.pass.as_deref_mut(),
            ..*self
        }
    }
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
    span::assemble(
        request,
        decoding.experiment_id,
        decoding.span_bytes_max,
        decoding.any_ids,
    )
}
