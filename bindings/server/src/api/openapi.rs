//! The description of the API, written by hand; a test compares its paths with the table of routes.

use axum::response::{IntoResponse, Response};
use http::header;

use super::asked::Asked;
use crate::error::ApiError;

/// OpenAPI 3.1.
pub(super) const TEXT: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`.
pub(super) async fn get(mut asked: Asked) -> Result<Response, ApiError> {
    asked.input().await?.end()?;
    Ok(([(header::CONTENT_TYPE, "application/json")], TEXT).into_response())
}
