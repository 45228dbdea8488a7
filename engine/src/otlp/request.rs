//! One request: its bytes as `reader` cut them out of a stream, and what they hold.
//!
//! A text that is no OTLP/JSON request is several documents without line ends between them, or one of another form
//! (`forms`), which is written anew as OTLP/JSON.

use super::error::DecodeError;
use super::forms::{self, Form, Found};
use super::kind::ValueEnd;
use super::{Decoded, Decoding, decoded, json, proto};
use crate::ingest::EXPERIMENT_DEFAULT;

/// What a request that needs no other form is called.
const OTLP: &str = "OTLP request";

/// One request as bytes, not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// An OTLP/JSON document.
    Json {
        /// 1-based line of the decompressed stream on which it starts.
        line: u64,
        /// The document's text.
        bytes: Vec<u8>,
    },
    /// An OTLP/protobuf message.
    Protobuf {
        /// The message.
        bytes: Vec<u8>,
    },
}

impl Request {
    /// Decodes the request.
    ///
    /// # Errors
    /// As `decode_json` and `decode_protobuf`.
    pub fn decode(&self, experiment_id: &str) -> Result<Decoded, DecodeError> {
        self.decode_with(Decoding::of(experiment_id))
    }

    /// Decodes the request with limits and redaction.
    pub(crate) fn decode_with(&self, decoding: Decoding<'_, '_>) -> Result<Decoded, DecodeError> {
        match self {
            Request::Json { bytes, .. } => decode_text(bytes, decoding, decode_documents),
            Request::Protobuf { bytes } => Ok(decoded(proto::read(bytes)?, decoding).of_form(OTLP)),
        }
    }

    /// The line on which it starts; `None` for protobuf.
    pub fn line(&self) -> Option<u64> {
        match self {
            Request::Json { line, .. } => Some(*line),
            Request::Protobuf { .. } => None,
        }
    }

    /// The bytes to decode.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Request::Json { bytes, .. } | Request::Protobuf { bytes } => bytes,
        }
    }
}

/// Decodes a text that is no OTLP/JSON request; the error says why it is none.
type Otherwise = fn(&[u8], Decoding<'_, '_>, DecodeError) -> Result<Decoded, DecodeError>;

fn decode_text(
    text: &[u8],
    decoding: Decoding<'_, '_>,
    otherwise: Otherwise,
) -> Result<Decoded, DecodeError> {
    match json::read(text) {
        Ok(request) => Ok(decoded(request, decoding).of_form(OTLP)),
        Err(error) => otherwise(text, decoding, error),
    }
}

/// Decodes each document of a text by itself, when it has several.
fn decode_documents(
    text: &[u8],
    mut decoding: Decoding<'_, '_>,
    error: DecodeError,
) -> Result<Decoded, DecodeError> {
    let Some(documents) = several(text) else {
        return decode_form(text, decoding, error);
    };
    let mut all = Decoded::default();
    for document in documents {
        match decode_text(document, decoding.again(), decode_form) {
            Ok(request) => all.add(request),
            Err(error) => all.rejected.push(error.to_string()),
        }
    }
    Ok(all)
}

/// The objects that a text has one after the other, when they are more than one and nothing else.
fn several(text: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut documents, mut rest) = (Vec::new(), text.trim_ascii());
    while !rest.is_empty() {
        let len = ValueEnd::default()
            .feed(rest)
            .filter(|_| rest.starts_with(b"{"))?;
        let (document, after) = rest.split_at_checked(len)?;
        documents.push(document);
        rest = after.trim_ascii_start();
    }
    (documents.len() > 1).then_some(documents)
}

/// The error of a document of no known form: an object that is whole has the members that it has.
fn of_no_form(document: &[u8], error: DecodeError) -> DecodeError {
    match forms::members_seen(document) {
        Some(seen) => DecodeError::new(format!("{error} (its members: {seen})")),
        None => error,
    }
}

/// Decodes a document of another form; `error` is of one that has none.
fn decode_form(
    document: &[u8],
    mut decoding: Decoding<'_, '_>,
    error: DecodeError,
) -> Result<Decoded, DecodeError> {
    let found = match forms::recognise(document, decoding.now_ns)? {
        Some(Form::Traces(found)) => found,
        Some(Form::OtherSignal) => {
            return Ok(Decoded {
                skipped: 1,
                ..Decoded::default()
            });
        }
        None => return Err(of_no_form(document, error)),
    };
    let mut all = Decoded::default();
    for part in &found.parts {
        let experiment_id = match (decoding.experiment_id, &part.experiment_id) {
            (EXPERIMENT_DEFAULT, Some(own)) => own.as_str(),
            (told, _) => told,
        };
        let decoding = Decoding {
            experiment_id,
            any_ids: part.any_ids,
            ..decoding.again()
        };
        all.add(decoded(json::read(part.request().as_bytes())?, decoding));
    }
    let Found {
        starts,
        assessments,
        rejected,
        forms,
        ..
    } = *found;
    all.rejected.extend(rejected);
    all.forms = forms;
    (all.starts, all.assessments) = (starts, assessments);
    if decoding.experiment_id != EXPERIMENT_DEFAULT {
        all.starts
            .iter_mut()
            .for_each(|start| start.experiment_id = decoding.experiment_id.to_string());
    }
    Ok(all)
}
