//! A request that was admitted: who asks, for what, and with which parameters.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::path::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, header};
use http_body::Body as _;

use super::batches::MEDIA_TYPE;
use super::input::Input;
use crate::access::{Caller, Role};
use crate::error::ApiError;
use crate::receive::{self, Reserved};
use crate::state::Shared;

/// Longest body of a call.
pub(super) const BODY_BYTES_MAX: usize = 8 << 20;
/// From this size on a body is read as JSON on a thread that may take a core.
const LARGE_BODY_BYTES: usize = 64 << 10;
const JSON: &str = "application/json";
/// JSON lines.
const LINES: [&str; 2] = ["application/x-ndjson", "application/jsonl"];

/// A request whose caller has the role that the route needs.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) state: Shared,
    pub(super) caller: Arc<Caller>,
    path: Vec<(String, String)>,
    head: Parts,
    /// Taken once; in a lock because a body alone cannot be looked at from two threads.
    body: Mutex<Body>,
    /// Memory of the body, until the request is answered.
    reserved: Reserved,
}

impl Asked {
    /// # Errors
    /// What `access` says of the caller; 400 for a path that is no text.
    pub(super) fn admit(
        role: Role,
        state: Shared,
        path: Result<RawPathParams, RawPathParamsRejection>,
        request: Request<Body>,
    ) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let caller = state.access.admit(&head.headers, role)?;
        let path = path.map_err(|error| ApiError::bad_request(error.body_text()))?;
        let owned = |(name, value): (&str, &str)| (name.to_string(), value.to_string());
        Ok(Self {
            path: path.iter().map(owned).collect(),
            reserved: state.budget.begin(),
            state,
            caller,
            head,
            body: Mutex::new(body),
        })
    }

    /// A part of the path, decoded.
    ///
    /// # Errors
    /// `Internal` when the route has no such part.
    pub(super) fn path(&self, name: &str) -> Result<String, ApiError> {
        let part = self.path.iter().find(|(known, _)| known == name);
        part.map(|(_, value)| value.clone())
            .ok_or_else(|| ApiError::internal(format!("the route has no {name}")))
    }

    /// The parameters: of the query, and the members of a JSON body where the method has one.
    ///
    /// # Errors
    /// 400 for what is no JSON object or no text, 413 and 408 by the limits of bodies, 415 for another type.
    pub(super) async fn input(&mut self) -> Result<Input, ApiError> {
        self.input_within(BODY_BYTES_MAX).await
    }

    /// As [`Self::input`], with a body of so many bytes at most.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub(super) async fn input_within(&mut self, bytes_max: usize) -> Result<Input, ApiError> {
        let mut input = Input::of_query(self.head.uri.query())?;
        let body = self.take_body();
        if !matches!(self.head.method, Method::POST | Method::PATCH) {
            return match body.is_end_stream() {
                true => Ok(input),
                false => Err(ApiError::bad_request(format!(
                    "{} takes no body: parameters go into the query",
                    self.head.method
                ))),
            };
        }
        let is_json = self.is_json();
        let body = self.read(body, bytes_max).await?;
        match (body.is_empty(), is_json) {
            (true, _) => Ok(input),
            (false, true) => {
                input.add_json(body).await?;
                Ok(input)
            }
            (false, false) => Err(ApiError::unsupported(format!(
                "the header Content-Type has to be {JSON}"
            ))),
        }
    }

    /// The parameters of the query alone, and the body as JSON lines; `None` when the body is not said to be such.
    ///
    /// # Errors
    /// As [`Self::input`].
    pub(super) async fn lines(&mut self) -> Result<Option<(Input, Bytes)>, ApiError> {
        if !LINES.iter().any(|lines| self.has_type(lines)) {
            return Ok(None);
        }
        let input = Input::of_query(self.head.uri.query())?;
        let body = self.take_body();
        Ok(Some((input, self.read(body, BODY_BYTES_MAX).await?)))
    }

    /// The parameters of the query alone, and the body as it is, of any type and of so many bytes at most.
    ///
    /// # Errors
    /// As [`Self::input`], but for the type.
    pub(super) async fn bytes(&mut self, bytes_max: usize) -> Result<(Input, Bytes), ApiError> {
        let input = Input::of_query(self.head.uri.query())?;
        let body = self.take_body();
        Ok((input, self.read(body, bytes_max).await?))
    }

    fn take_body(&mut self) -> Body {
        let body = self.body.get_mut();
        std::mem::take(body.unwrap_or_else(PoisonError::into_inner))
    }

    async fn read(&mut self, body: Body, bytes_max: usize) -> Result<Bytes, ApiError> {
        let encoding = self.head.headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(ApiError::unsupported(
                "bodies of calls are not compressed: the header Content-Encoding is identity or left out",
            ));
        }
        let pause_max = self.state.options.read_timeout;
        let headers = &self.head.headers;
        receive::read_body(headers, body, bytes_max, pause_max, &mut self.reserved).await
    }

    fn is_json(&self) -> bool {
        self.has_type(JSON)
    }

    fn has_type(&self, name: &str) -> bool {
        let told = self.head.headers.get(header::CONTENT_TYPE);
        told.and_then(media_type)
            .is_some_and(|told| told.eq_ignore_ascii_case(name))
    }

    /// Whether the client asks for rows as Arrow.
    pub(super) fn wants_arrow(&self) -> bool {
        let accepted = self.head.headers.get_all(header::ACCEPT).iter();
        let mut types = accepted.flat_map(|value| {
            let value = value.to_str().unwrap_or_default();
            value.split(',').map(str::to_string).collect::<Vec<_>>()
        });
        types.any(|accepted| {
            let name = accepted.split(';').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case(MEDIA_TYPE)
        })
    }

    /// The experiments that are looked at: those asked for, all of which the caller may see; else those he may see.
    ///
    /// # Errors
    /// 403 naming one that he may not see.
    pub(super) fn experiments(&self, asked: Vec<String>) -> Result<Option<Vec<String>>, ApiError> {
        asked
            .iter()
            .try_for_each(|id| self.caller.check_experiment(id))?;
        match (asked.is_empty(), self.caller.experiments()) {
            (false, _) => Ok(Some(asked)),
            (true, None) => Ok(None),
            (true, Some([])) => Err(ApiError::forbidden("the token is for no experiment")),
            (true, Some(own)) => Ok(Some(own.to_vec())),
        }
    }
}

fn media_type(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    text.split(';').next().map(str::trim)
}

/// Whether JSON of this size is read elsewhere than on a thread that waits for sockets.
pub(super) fn is_large(body: &Bytes) -> bool {
    body.len() >= LARGE_BODY_BYTES
}
