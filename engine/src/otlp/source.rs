//! A byte stream without its compression: gzip (any number of members) and zstd (any number of
//! frames) are told by their magic bytes.

use std::io::{self, BufReader, Chain, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const GZIP_MAGIC: &[u8] = b"\x1F\x8B";
/// What each frame of zstd begins with.
pub(super) const ZSTD_MAGIC: &[u8] = b"\x28\xB5\x2F\xFD";
const READ_BYTES: usize = 128 << 10;

/// Counts what is read from the input.
pub(crate) struct Counted<R> {
    input: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// The input with the bytes that were read to tell its compression put back.
type Input<R> = BufReader<Chain<Cursor<Vec<u8>>, Counted<R>>>;

/// The decompressed stream.
pub(crate) enum Source<R: Read> {
    Plain(Input<R>),
    Gzip(Box<flate2::bufread::MultiGzDecoder<Input<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, Input<R>>>),
}

impl<R: Read> Source<R> {
    /// Reads the first bytes to tell the compression. `count` receives the bytes read from `input`.
    pub(crate) fn open(input: R, count: Arc<AtomicU64>) -> io::Result<Self> {
        let mut counted = Counted { input, count };
        let mut start = Vec::with_capacity(ZSTD_MAGIC.len());
        counted
            .by_ref()
            .take(ZSTD_MAGIC.len() as u64)
            .read_to_end(&mut start)?;
        let (is_gzip, is_zstd) = (start.starts_with(GZIP_MAGIC), start.starts_with(ZSTD_MAGIC));
        let input = BufReader::with_capacity(READ_BYTES, Cursor::new(start).chain(counted));
        if is_gzip {
            return Ok(Source::Gzip(Box::new(
                flate2::bufread::MultiGzDecoder::new(input),
            )));
        }
        if is_zstd {
            return Ok(Source::Zstd(Box::new(
                zstd::stream::read::Decoder::with_buffer(input)?,
            )));
        }
        Ok(Source::Plain(input))
    }

    /// What the stream is compressed with, for messages.
    pub(super) fn compression(&self) -> &'static str {
        match self {
            Source::Plain(_) => "plain",
            Source::Gzip(_) => "gzip",
            Source::Zstd(_) => "zstd",
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Plain(input) => input.read(buffer),
            Source::Gzip(input) => input.read(buffer),
            Source::Zstd(input) => input.read(buffer),
        }
    }
}
