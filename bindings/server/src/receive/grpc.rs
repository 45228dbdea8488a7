//! OTLP/gRPC: `TraceService/Export` and `LogsService/Export`.
//!
//! A unary call is one framed message: a byte that says whether it is compressed, four bytes of length, the message. It
//! is read here and not by tonic so that gRPC goes the way of HTTP: memory reserved piece by piece, decompressed and
//! decoded on a thread that may take a core.

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use tonic::Status;
use tracehouse::{ImportReport, OtlpEncoding};

use super::answer;
use super::body;
use super::compression::Compression;
use super::store::Export;
use crate::access::Role;
use crate::error::ApiError;
use crate::state::Shared;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const ENCODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,deflate,zstd");
/// The flag and the length before a message.
const FRAME_BYTES: usize = 5;

/// The calls of senders.
pub(crate) fn routes() -> Router<Shared> {
    const COLLECTOR: &str = "/opentelemetry.proto.collector";
    Router::new()
        .route(
            &format!("{COLLECTOR}.trace.v1.TraceService/Export"),
            post(receive),
        )
        .route(
            &format!("{COLLECTOR}.logs.v1.LogsService/Export"),
            post(receive),
        )
}

async fn receive(Extract(state): Extract<Shared>, request: Request<Body>) -> Response {
    match export(&state, request).await {
        Ok(report) => answered(&answer::protobuf(&report)),
        Err(error) => refused(error),
    }
}

async fn export(state: &Shared, request: Request<Body>) -> Result<ImportReport, ApiError> {
    let (head, body) = request.into_parts();
    let caller = state.access.admit(&head.headers, Role::Ingest)?;
    let told = head.headers.get("grpc-encoding");
    let compression = Compression::of(told.map(|told| told.to_str().unwrap_or("?")))?;
    let mut reserved = state.budget.begin();
    let options = &state.options;
    let bytes_max = options.request_bytes_max.saturating_add(FRAME_BYTES);
    let body = body::read(
        &head.headers,
        body,
        bytes_max,
        options.read_timeout,
        &mut reserved,
    )
    .await?;
    let (message, is_compressed) = unframed(body)?;
    let compression = match is_compressed {
        true if compression == Compression::None => {
            return Err(ApiError::bad_request(
                "the message is compressed and grpc-encoding does not say how",
            ));
        }
        true => compression,
        false => Compression::None,
    };
    let encoding = OtlpEncoding::Protobuf;
    let export = Export::of(state, &caller, &head.headers, encoding, compression)?;
    let report = export.store(state, message, reserved).await?;
    answer::check(&report)?;
    Ok(report)
}

/// The one message of a unary call, and whether it is compressed.
///
/// # Errors
/// 400 when there is none, or more than one.
fn unframed(mut body: Bytes) -> Result<(Bytes, bool), ApiError> {
    if body.len() < FRAME_BYTES {
        return Err(ApiError::bad_request("the call has no message"));
    }
    let (flag, length) = (body.get_u8(), body.get_u32() as usize);
    if flag > 1 || length != body.len() {
        return Err(ApiError::bad_request(format!(
            "the call has {} bytes after a head that tells of {length}: one message expected",
            body.len()
        )));
    }
    Ok((body, flag == 1))
}

fn answered(message: &[u8]) -> Response {
    let mut framed = BytesMut::with_capacity(FRAME_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    response
}

fn refused(error: ApiError) -> Response {
    // The encodings that would be read stand beside a refusal.
    let (details, is_encoding) = (
        answer::status_protobuf(&error),
        error.status.as_u16() == 415,
    );
    let mut response = match is_encoding {
        true => Status::unimplemented(error.message),
        false => Status::from(error),
    }
    .into_http::<Body>();
    let details = HeaderValue::from_str(&STANDARD_NO_PAD.encode(details));
    let headers = response.headers_mut();
    headers.insert("grpc-accept-encoding", ENCODINGS);
    if let Ok(details) = details {
        headers.insert(Status::GRPC_STATUS_DETAILS, details);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_message() {
        let whole = unframed(Bytes::from_static(b"\x01\0\0\0\x02ab")).unwrap();
        assert_eq!(whole, (Bytes::from_static(b"ab"), true));
        for wrong in [
            b"".as_slice(),
            b"\0\0\0\0",
            b"\0\0\0\0\x02a",
            b"\0\0\0\0\x01ab",
            b"\x02\0\0\0\0",
            b"\0\xff\xff\xff\xffab",
        ] {
            assert!(unframed(Bytes::from_static(wrong)).is_err(), "{wrong:?}");
        }
    }
}
