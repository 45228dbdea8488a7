//! The body of a request, read piece by piece: within the limits of size and time, and of the memory of all.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::Reserved;
use crate::error::ApiError;

/// Reads a body to its end.
///
/// # Errors
/// 413 when it is longer than `bytes_max`, by its head or by itself; 503 when that much memory is not there now; 408
/// when a piece takes longer than `pause_max`; 400 when the connection ends early.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    bytes_max: usize,
    pause_max: Duration,
    reserved: &mut Reserved,
) -> Result<Bytes, ApiError>
where
    B: Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let told = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let mut body = pin!(body);
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut bytes = 0_usize;
    loop {
        let frame = tokio::time::timeout(pause_max, body.frame())
            .await
            .map_err(|_| ApiError::too_slow("the body of the request stopped coming"))?;
        let Some(frame) = frame else { break };
        let frame =
            frame.map_err(|error| ApiError::bad_request(format!("the body broke off: {error}")))?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        bytes = bytes.saturating_add(piece.len());
        if bytes > bytes_max {
            return Err(too_large(bytes_max));
        }
        reserved.add(piece.len())?;
        pieces.push(piece);
    }
    if pieces.len() == 1 {
        return Ok(pieces.remove(0));
    }
    // A body is twice there for a moment.
    reserved.add(bytes)?;
    let mut whole = BytesMut::with_capacity(bytes);
    pieces
        .iter()
        .for_each(|piece| whole.extend_from_slice(piece));
    drop(pieces);
    reserved.shrink_to(bytes);
    Ok(whole.freeze())
}

fn too_large(bytes_max: usize) -> ApiError {
    ApiError::too_large(format!("the request has more than {bytes_max} bytes"))
}
