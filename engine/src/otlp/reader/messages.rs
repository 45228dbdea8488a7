//! Protobuf: a message that is a whole stream, and streams of messages that have their lengths before them.
//!
//! Invariants: a length is checked before its bytes are waited for; a damaged message of a framed stream costs that
//! message alone.

use std::io::{self, Read};

use super::{ReadError, RequestReader, fatal};
use crate::otlp::request::Request;
use crate::otlp::source::ZSTD_MAGIC;

/// Bytes of the length before each message of a framed stream.
const FRAME_LENGTH_BYTES: usize = 4;

impl<R: Read> RequestReader<R> {
    pub(super) fn next_message(&mut self) -> Option<Result<Request, ReadError>> {
        while !self.at_end {
            if self.pending().len() > self.piece_bytes_max {
                return Some(Err(ReadError {
                    line: None,
                    is_fatal: true,
                    ..self.too_long(0)
                }));
            }
            self.fill();
        }
        if self.failure.is_some() || self.pending().is_empty() {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.buffer);
        bytes.drain(..self.start);
        self.start = 0;
        self.bytes += bytes.len() as u64;
        Some(Ok(Request::Protobuf { bytes }))
    }

    /// The next message of a stream in which each has its length before it.
    pub(super) fn next_frame(&mut self) -> Option<Result<Request, ReadError>> {
        let Some(length) = self.take_exactly(FRAME_LENGTH_BYTES) else {
            return self.cut_frame();
        };
        let length = length
            .iter()
            .fold(0, |length, &byte| length << 8 | usize::from(byte));
        if length > self.piece_bytes_max {
            return Some(Err(ReadError {
                line: None,
                is_fatal: true,
                ..self.too_long(0)
            }));
        }
        let Some(bytes) = self.take_exactly(length) else {
            return self.cut_frame();
        };
        self.lines += 1;
        let bytes = match bytes.starts_with(ZSTD_MAGIC) {
            true => match self.decompress(&bytes) {
                Ok(bytes) => bytes,
                Err(error) => return Some(Err(error)),
            },
            false => bytes,
        };
        // No white space before it: a message of 123 bytes begins like a line end and a brace.
        let is_json = bytes.starts_with(b"{");
        Some(Ok(match is_json {
            true => Request::Json {
                line: self.lines,
                bytes,
            },
            false => Request::Protobuf { bytes },
        }))
    }

    /// A message of a framed stream without its compression. Damage costs that message alone.
    fn decompress(&self, message: &[u8]) -> Result<Vec<u8>, ReadError> {
        let damaged = |error: io::Error| {
            let message = format!("message {} is damaged: {error}", self.lines);
            ReadError {
                line: Some(self.lines),
                is_fatal: false,
                message,
            }
        };
        let limit = self.piece_bytes_max as u64 + 1;
        let mut bytes = Vec::new();
        let decoder = zstd::stream::read::Decoder::new(message).map_err(damaged)?;
        decoder
            .take(limit)
            .read_to_end(&mut bytes)
            .map_err(damaged)?;
        match bytes.len() > self.piece_bytes_max {
            true => Err(self.too_long(self.lines)),
            false => Ok(bytes),
        }
    }

    /// Takes so many bytes; `None` when the stream ends before them, and nothing is taken.
    fn take_exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.pending().len() < count && !self.at_end {
            self.fill();
        }
        let bytes = self.pending().get(..count)?.to_vec();
        self.pass(count);
        Some(bytes)
    }

    /// The end of a framed stream: an error when bytes are left that are no whole message.
    fn cut_frame(&mut self) -> Option<Result<Request, ReadError>> {
        let left = self.pending().len();
        let is_cut = left > 0 && self.failure.is_none();
        is_cut.then(|| {
            Err(fatal(
                None,
                format!("the last message is cut short: {left} bytes of it are there"),
            ))
        })
    }
}
