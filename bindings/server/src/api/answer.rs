//! A JSON answer, written piece by piece within the limits of one answer and of the memory of all requests.

use std::fmt::Display;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde::Serialize;

use crate::error::ApiError;
use crate::receive::Reserved;
use crate::state::Shared;

/// Longest JSON answer; what is longer is asked for in parts, or as Arrow.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Room that an answer begins with.
const FIRST_BYTES: usize = 16 << 10;

/// An answer that is being written.
#[derive(Debug)]
pub(super) struct Text {
    bytes: Vec<u8>,
    reserved: Reserved,
}

impl Text {
    /// An empty one.
    pub(super) fn begin(state: &Shared) -> Self {
        Self {
            bytes: Vec::new(),
            reserved: state.budget.begin(),
        }
    }

    /// # Errors
    /// 400 when the answer becomes longer than any may be, 503 when that much memory is not there now.
    pub(super) fn push(&mut self, text: impl AsRef<[u8]>) -> Result<(), ApiError> {
        let text = text.as_ref();
        let (length, room) = (self.bytes.len(), self.bytes.capacity());
        let needed = length.saturating_add(text.len());
        if needed > ANSWER_BYTES_MAX {
            return Err(too_long(format_args!("{} MiB", ANSWER_BYTES_MAX >> 20)));
        }
        if needed > room {
            let more = needed.max(2 * room).max(FIRST_BYTES) - room;
            self.reserved.add(more)?;
            self.bytes.reserve_exact(room + more - length);
        }
        self.bytes.extend_from_slice(text);
        Ok(())
    }

    /// # Errors
    /// As [`Self::push`]; `Internal` for what has no form in JSON.
    pub(super) fn push_json(&mut self, value: &impl Serialize) -> Result<(), ApiError> {
        let text = serde_json::to_vec(value)
            .map_err(|error| ApiError::internal(format!("an answer cannot be written: {error}")))?;
        self.push(text)
    }

    /// An array of what is given.
    ///
    /// # Errors
    /// As [`Self::push_json`].
    pub(super) fn push_list(
        &mut self,
        items: impl IntoIterator<Item = impl Serialize>,
    ) -> Result<(), ApiError> {
        self.push("[")?;
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.push(",")?;
            }
            self.push_json(&item)?;
        }
        self.push("]")
    }

    /// The answer; its memory is given back when it was sent.
    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(Bytes::from_owner(Sent(self))));
        let media_type = HeaderValue::from_static("application/json");
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, media_type);
        response
    }
}

/// An answer of so much that it is refused.
pub(super) fn too_long(limit: impl Display) -> ApiError {
    ApiError {
        code: "REQUEST_LIMIT_EXCEEDED",
        ..ApiError::bad_request(format!(
            "the answer has more than {limit}: ask for less (LIMIT, limit, columns), or for an Arrow stream \
             (Accept: application/vnd.apache.arrow.stream)"
        ))
    }
}

/// What is sent, with its memory.
struct Sent(Text);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// A small answer.
///
/// # Errors
/// As [`Text::push_json`].
pub(super) fn json(state: &Shared, value: &impl Serialize) -> Result<Response, ApiError> {
    let mut text = Text::begin(state);
    text.push_json(value)?;
    Ok(text.into_response())
}
