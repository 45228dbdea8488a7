//! The body of a request, read piece by piece: within the limits of size and time, and of the memory of all.

use std::pin::{Pin, pin};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;
use http_body_util::BodyExt;

use super::Reserved;
use crate::error::ApiError;

/// How long the rest of a refused body is waited for.
const DISCARD_MAX: Duration = Duration::from_secs(5);

/// Reads a body to its end; what is refused for want of memory is read, too, and not kept.
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
        if let Err(busy) = reserved.add(piece.len()) {
            drop((pieces, piece));
            reserved.shrink_to(0);
            discard(body, bytes_max - bytes).await;
            return Err(busy);
        }
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

/// Takes what still comes of a body, as far as it comes soon: a client that is writing when its connection is closed sees
/// a broken connection, and not that it is to try again.
async fn discard<B: Body<Data = Bytes>>(mut body: Pin<&mut B>, bytes_max: usize) {
    let rest = async {
        let mut left = bytes_max;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(bytes) else {
                return;
            };
            left = rest;
        }
    };
    // It was refused before; that it went on too long changes nothing.
    let _ = tokio::time::timeout(DISCARD_MAX, rest).await;
}

fn too_large(bytes_max: usize) -> ApiError {
    ApiError::too_large(format!("the request has more than {bytes_max} bytes"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::receive::Budget;

    #[test]
    fn a_body_that_finds_no_memory_is_taken_to_its_end_and_not_kept() {
        let threads = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        threads.block_on(async {
            let (budget, mut left) = (Budget::new(10), 5);
            let pieces = stream::iter(0..5).inspect(|_| left -= 1);
            let frames =
                pieces.map(|_| Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"1234"))));
            let mut reserved = budget.begin();
            let (headers, pause_max) = (HeaderMap::new(), Duration::from_secs(5));
            let read = read(
                &headers,
                StreamBody::new(frames),
                100,
                pause_max,
                &mut reserved,
            );
            let refused = read.await.unwrap_err();
            assert_eq!(refused.status.as_u16(), 503);
            assert_eq!(budget.used(), 0);
            assert_eq!(left, 0);
        });
    }
}
