//! `/healthz`: the process lives. `/readyz`: it takes requests and can carry them out. Both are answered without a token.

use std::time::Instant;

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::ask::ask;
use crate::state::Shared;

pub(super) async fn healthz() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

pub(super) async fn readyz(Extract(state): Extract<Shared>) -> Response {
    match not_ready(&state).await {
        None => Json(json!({"status": "ready"})).into_response(),
        Some(why) => {
            let body = Json(json!({"status": "not ready", "reason": why}));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

/// Why the server is to get no requests now. Anybody may read it, so it has no names of files: those are in the log.
async fn not_ready(state: &Shared) -> Option<&'static str> {
    if state.operate.is_stopping() {
        return Some("the server is stopping");
    }
    if state
        .operate
        .figures
        .recent_failure(Instant::now())
        .is_some()
    {
        return Some("the last write failed");
    }
    // A reader looks what the writer has done: that fails when its files do.
    if state.options.read_only {
        let refreshed = ask(state, |db| Ok(db.refresh()?)).await;
        return refreshed.err().map(|_| "the database cannot be read");
    }
    // Not a question: it does not wait for the turn of one.
    let db = state.db.clone();
    match tokio::task::spawn_blocking(move || db.check_writable()).await {
        Ok(Ok(())) => None,
        Ok(Err(_)) | Err(_) => Some("the database takes no writes"),
    }
}
