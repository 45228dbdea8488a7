//! Before any call of Flight: who calls, and memory for what is sent.
//!
//! A client has a bearer token from the start, or shows it once as the password of a `Handshake` and gets it back as the
//! bearer of its further calls; the user's name counts nothing. Statements see every experiment, so a token for some
//! alone is refused.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State as Extract};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use tonic::Status;

use crate::access::Role;
use crate::error::ApiError;
use crate::receive::Reserved;
use crate::state::Shared;

/// What a client without a token gets as one where nobody needs a token.
const NO_TOKEN: &str = "none";
const BASIC: &str = "Basic ";
const HANDSHAKE: &str = "/Handshake";

/// The token that a handshake gives back, as a value of `authorization`.
#[derive(Debug, Clone)]
pub(super) struct Bearer(pub(super) HeaderValue);

/// Lets a call through with its caller, or answers it.
pub(super) async fn admit(
    Extract(state): Extract<Shared>,
    request: Request,
    next: Next,
) -> Response {
    match admitted(&state, request) {
        Ok(request) => next.run(request).await,
        Err(error) => Status::from(error).into_http(),
    }
}

fn admitted(state: &Shared, mut request: Request) -> Result<Request, ApiError> {
    if request.uri().path().ends_with(HANDSHAKE) {
        let bearer = bearer_of(request.headers())?;
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, bearer.0.clone());
        request.extensions_mut().insert(bearer);
    }
    let caller = state.access.admit(request.headers(), Role::Read)?;
    caller.check_all_experiments("Arrow Flight SQL")?;
    request.extensions_mut().insert(caller);
    let (reserved, pause_max) = (state.budget.begin(), state.options.read_timeout);
    Ok(request.map(|body| counted(body, reserved, pause_max)))
}

/// The token of a handshake: the password of `Basic`, or what stands there already.
///
/// # Errors
/// 400 when the header is not what `Basic` says.
fn bearer_of(headers: &HeaderMap) -> Result<Bearer, ApiError> {
    let wrong = || ApiError::bad_request("the header authorization is no Basic USER:TOKEN");
    let token = match headers.get(header::AUTHORIZATION) {
        None => String::new(),
        Some(value) => {
            let value = value.to_str().map_err(|_| wrong())?;
            let (scheme, rest) = value.split_at_checked(BASIC.len()).unwrap_or((value, ""));
            if !scheme.eq_ignore_ascii_case(BASIC) {
                let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
                return Ok(Bearer(value));
            }
            let decoded = STANDARD.decode(rest.trim()).map_err(|_| wrong())?;
            let decoded = String::from_utf8(decoded).map_err(|_| wrong())?;
            let (_, token) = decoded.split_once(':').ok_or_else(wrong)?;
            token.to_string()
        }
    };
    let token = match token.is_empty() {
        true => NO_TOKEN,
        false => &token,
    };
    let value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong())?;
    Ok(Bearer(value))
}

/// The body, each piece of it reserved until the call has taken it all (SV-2), and none waited for too long.
fn counted(body: Body, reserved: Reserved, pause_max: Duration) -> Body {
    let pieces = stream::unfold(
        Some((body.into_data_stream(), reserved)),
        move |rest| async move {
            let (mut pieces, mut reserved) = rest?;
            match next(&mut pieces, &mut reserved, pause_max).await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(piece), Some((pieces, reserved)))),
                Err(error) => Some((Err(Status::from(error)), None)),
            }
        },
    );
    Body::from_stream(pieces)
}

async fn next(
    pieces: &mut BodyDataStream,
    reserved: &mut Reserved,
    pause_max: Duration,
) -> Result<Option<Bytes>, ApiError> {
    let piece = tokio::time::timeout(pause_max, pieces.next())
        .await
        .map_err(|_| ApiError::too_slow("the body of the request stopped coming"))?;
    let piece = piece
        .transpose()
        .map_err(|error| ApiError::bad_request(format!("the body broke off: {error}")))?;
    if let Some(piece) = &piece {
        reserved.add(piece.len())?;
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(value: Option<&str>) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        match bearer_of(&headers) {
            Ok(bearer) => Ok(bearer.0.to_str().unwrap().to_string()),
            Err(error) => Err(error.status.as_u16()),
        }
    }

    #[test]
    fn the_password_of_a_handshake_is_the_token() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(bearer(Some(&basic("ana:s3cret"))).unwrap(), "Bearer s3cret");
        assert_eq!(bearer(Some(&basic(":a:b"))).unwrap(), "Bearer a:b");
        assert_eq!(
            bearer(Some(&basic("x:y").replace("Basic", "basic"))).unwrap(),
            "Bearer y"
        );
        assert_eq!(bearer(Some(&basic("ana:"))).unwrap(), "Bearer none");
        assert_eq!(bearer(None).unwrap(), "Bearer none");
        assert_eq!(bearer(Some("Bearer t")).unwrap(), "Bearer t");
        for wrong in ["Basic ???", &basic("no colon"), &basic("a:\n")] {
            assert_eq!(bearer(Some(wrong)), Err(400), "{wrong}");
        }
    }

    #[test]
    fn a_body_is_reserved_piece_by_piece_and_given_back() {
        let budget = crate::receive::Budget::new(10);
        let threads = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        threads.block_on(async {
            let pieces = || {
                let pieces = [b"12345", b"67890", b"12345"];
                Body::from_stream(stream::iter(
                    pieces.map(|piece| Ok::<_, Status>(Bytes::from_static(piece))),
                ))
            };
            let pause_max = Duration::from_secs(5);
            let mut body = counted(pieces(), budget.begin(), pause_max).into_data_stream();
            assert!(body.next().await.unwrap().is_ok());
            assert!(body.next().await.unwrap().is_ok());
            assert_eq!(budget.used(), 10);
            assert!(body.next().await.unwrap().is_err());
            assert!(body.next().await.is_none());
            drop(body);
            assert_eq!(budget.used(), 0);
        });
    }
}
