//! `/mcp` over HTTP: the token is asked for and the body is read within the limits of all requests before the protocol
//! sees it.
//!
//! Without sessions: a request has one answer of JSON, and nothing is kept between them. Of a server without tokens only
//! requests to a loopback name are answered, and of browsers only pages of loopback, so that no other page reaches it by a
//! name of its own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::Request;
use http_body_util::Full;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use super::answer::BYTES_DEFAULT;
use super::service::{Assistant, Wanted};
use crate::access::Role;
use crate::error::ApiError;
use crate::operate::noted;
use crate::receive::read_body;
use crate::state::Shared;

/// Longest request: arguments of tools have limits of their own, and are far below.
const REQUEST_BYTES_MAX: usize = 4 << 20;

/// Names of loopback.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

type Protocol = StreamableHttpService<Assistant, NeverSessionManager>;

/// The route of assistants.
pub(crate) fn routes(state: &Shared) -> Router<Shared> {
    let (state, protocol) = (state.clone(), protocol(state));
    let serve = move |request: Request<Body>| {
        let (state, protocol) = (state.clone(), protocol.clone());
        async move {
            let served = serve(&state, &protocol, request).await;
            served.unwrap_or_else(IntoResponse::into_response)
        }
    };
    Router::new().route("/mcp", any(serve))
}

fn protocol(state: &Shared) -> Protocol {
    let assistant = Assistant::over_http(state.clone(), BYTES_DEFAULT);
    StreamableHttpService::new(
        move || Ok(assistant.clone()),
        Arc::new(NeverSessionManager::default()),
        config(state.access.is_open()),
    )
}

fn config(is_open: bool) -> StreamableHttpServerConfig {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(REQUEST_BYTES_MAX);
    if !is_open {
        // A token is needed, which no foreign page has; names are whatever the network calls this machine.
        return config.disable_allowed_hosts();
    }
    let pages = ["http", "https"]
        .into_iter()
        .flat_map(|scheme| LOOPBACK.map(|host| format!("{scheme}://{host}:*")));
    // Hosts are those of loopback unless told otherwise.
    config.with_allowed_origins(pages)
}

/// # Errors
/// 401, 403 and 429 as `access` says, 408 and 413 for the body, 503 without memory for it.
async fn serve(
    state: &Shared,
    protocol: &Protocol,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (mut head, body) = request.into_parts();
    let caller = state.access.admit(&head.headers, Role::Read)?;
    let mut reserved = state.budget.begin();
    let options = &state.options;
    let bytes_max = options.request_bytes_max.min(REQUEST_BYTES_MAX);
    let timeout = options.read_timeout;
    let body = read_body(&head.headers, body, bytes_max, timeout, &mut reserved).await?;
    // Tools find them there.
    let wanted = Wanted::default();
    head.extensions.insert(caller);
    head.extensions.insert(wanted.clone());
    let request = Request::from_parts(head, Full::new(body));
    let response = protocol.handle(request).await;
    // Tools run in a task of their own, and what is noted of a request is noted in its task.
    if wanted.is_change() {
        noted::role(Role::Write);
    }
    Ok(response.map(Body::new))
}
