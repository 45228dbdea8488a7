//! Bodies that are compressed, undone within a limit: what a body says of its size is not believed.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::Reserved;
use crate::error::ApiError;

/// Read at a time, and reserved before.
const STEP_BYTES: usize = 256 << 10;
/// The largest window of a zstd frame, as a power of two: what its format asks every decoder to take.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Deflate,
    Zstd,
}

impl Compression {
    /// What `Content-Encoding` or `grpc-encoding` says.
    ///
    /// # Errors
    /// 415 for another one.
    pub(crate) fn of(name: Option<&str>) -> Result<Self, ApiError> {
        match name.map(|name| name.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Ok(Self::None),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("deflate") => Ok(Self::Deflate),
            Some("zstd") => Ok(Self::Zstd),
            Some(other) => Err(ApiError::unsupported(format!(
                "the encoding {other:?} is not read: gzip, deflate, zstd or identity expected"
            ))),
        }
    }

    /// The body as it was before.
    ///
    /// # Errors
    /// 413 when it is longer than `bytes_max`, 503 when that much memory is not there now, 400 when it is damaged.
    pub(crate) fn undo(
        self,
        body: Bytes,
        bytes_max: usize,
        reserved: &mut Reserved,
    ) -> Result<Vec<u8>, ApiError> {
        match self {
            Self::None => Ok(Vec::from(body)),
            Self::Gzip => read(MultiGzDecoder::new(body.as_ref()), bytes_max, reserved),
            Self::Deflate => read(ZlibDecoder::new(body.as_ref()), bytes_max, reserved),
            Self::Zstd => {
                let mut decoder =
                    zstd::Decoder::with_buffer(body.as_ref()).map_err(|error| damaged(&error))?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG_MAX)
                    .map_err(|error| damaged(&error))?;
                read(decoder, bytes_max, reserved)
            }
        }
    }
}

fn read(
    mut input: impl Read,
    bytes_max: usize,
    reserved: &mut Reserved,
) -> Result<Vec<u8>, ApiError> {
    let mut output = Vec::new();
    loop {
        let begin = output.len();
        if begin == output.capacity() {
            let more = begin.max(STEP_BYTES);
            reserved.add(more)?;
            output.reserve_exact(more);
        }
        output.resize(output.capacity(), 0);
        let space = output.get_mut(begin..).unwrap_or_default();
        let count = match input.read(space) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Err(damaged(&error)),
        };
        let is_end = count == 0;
        output.truncate(begin + count);
        if output.len() > bytes_max {
            return Err(ApiError::too_large(format!(
                "the request has more than {bytes_max} bytes when it is decompressed"
            )));
        }
        if is_end {
            return Ok(output);
        }
    }
}

fn damaged(error: &std::io::Error) -> ApiError {
    ApiError::bad_request(format!("the request cannot be decompressed: {error}"))
}
