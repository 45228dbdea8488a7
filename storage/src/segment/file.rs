//! The two ends of a segment file: bytes hashed on their way out, and positioned reads for the
//! Parquet decoder.

use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use twox_hash::xxhash3_128;

use super::sums::{Sums, SumsWriter};
use crate::env::{EnvReader, EnvWriter, memory_len};
use crate::error::{Error, ErrorKind};
use crate::manifest::{FileEnd, FileMeta};

/// Bytes read at once where the decoder reads without saying how much it needs.
const READ_AHEAD_BYTES: u64 = 64 << 10;

/// Writes a file and hashes what was written.
pub(super) struct HashingWriter {
    inner: Box<dyn EnvWriter>,
    hasher: xxhash3_128::Hasher,
    len: u64,
    sums: SumsWriter,
    /// Hashes the end, once it has begun.
    end: Option<(u64, xxhash3_128::Hasher)>,
}

impl HashingWriter {
    pub(super) fn new(inner: Box<dyn EnvWriter>) -> Self {
        Self {
            inner,
            hasher: xxhash3_128::Hasher::new(),
            len: 0,
            sums: SumsWriter::default(),
            end: None,
        }
    }

    /// The data is written and the end begins; what it begins with.
    pub(super) fn begin_end(&mut self) -> Vec<u8> {
        assert!(self.end.is_none(), "ST-6: the data of a file ends once");
        self.end = Some((self.len, xxhash3_128::Hasher::new()));
        std::mem::take(&mut self.sums).finish()
    }

    /// Syncs the file (ST-2) and describes it.
    pub(super) fn finish(mut self, name: String) -> io::Result<FileMeta> {
        self.inner.flush()?;
        self.inner.sync_data()?;
        assert_eq!(
            self.inner.len(),
            self.len,
            "ST-2: the file has what was hashed"
        );
        let end = self.end.map(|(start, hasher)| FileEnd {
            len: self.len - start,
            hash: hasher.finish_128(),
        });
        Ok(FileMeta {
            name,
            len: self.len,
            hash: self.hasher.finish_128(),
            end,
        })
    }
}

impl Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        let bytes = bytes
            .get(..written)
            .ok_or_else(|| io::Error::other("more was written than was given"))?;
        self.hasher.write(bytes);
        match &mut self.end {
            Some((_, hasher)) => hasher.write(bytes),
            None => self.sums.write(bytes),
        }
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Keeps the error that made the decoder fail: parquet turns errors of callbacks into text.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure(Arc<Mutex<Option<Error>>>);

impl Failure {
    /// Keeps `error` unless an earlier one is kept.
    pub(super) fn set(&self, error: Error) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }

    /// The error kept, else: the decoder itself failed, so the file is damaged.
    pub(super) fn explain(
        &self,
        file: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| {
            Error::with_source(
                ErrorKind::Corrupt,
                format!("segment file {file} cannot be decoded"),
                source,
            )
        })
    }
}

/// A segment file as the Parquet decoder reads it.
#[derive(Debug, Clone)]
pub(super) struct FileInput {
    pub(super) reader: Arc<dyn EnvReader>,
    /// Path, for messages.
    pub(super) name: Arc<str>,
    pub(super) failure: Failure,
    /// What the data is compared with; `None` for the end, which has a hash, and where the manifest is lost.
    pub(super) sums: Option<Arc<Sums>>,
}

impl FileInput {
    /// Runs the Parquet decoder over the file. It panics on some damaged bytes, which is an error here.
    ///
    /// # Errors
    /// `Corrupt` naming the file; `Io`.
    pub(super) fn decode<T>(&self, decode: impl FnOnce() -> ParquetResult<T>) -> Result<T, Error> {
        let panicked = |_| {
            Err(ParquetError::General(
                "the decoder stopped with a panic".into(),
            ))
        };
        let decoded = catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(panicked);
        decoded.map_err(|source| self.failure.explain(&self.name, source))
    }

    /// Reads exactly `len` bytes that are what was written, or keeps the error for `Failure::explain`.
    fn read_checked_at(&self, offset: u64, len: usize) -> ParquetResult<Bytes> {
        let Some(sums) = &self.sums else {
            return self.read_exact_at(offset, len);
        };
        let blocks = offset
            .checked_add(len as u64)
            .and_then(|end| sums.blocks_around(offset..end));
        let blocks = blocks.ok_or_else(|| {
            ParquetError::EOF(format!("{len} bytes at {offset} lie outside the data"))
        })?;
        let blocks_len = usize::try_from(blocks.end - blocks.start)?;
        let bytes = self.read_exact_at(blocks.start, blocks_len)?;
        if let Some(damaged) = sums.first_damaged(blocks.start, &bytes) {
            let message = format!(
                "segment file {} is damaged at byte {damaged} or after it",
                self.name
            );
            self.failure.set(Error::corrupt(&message));
            return Err(ParquetError::General(message));
        }
        let skipped = usize::try_from(offset - blocks.start)?;
        Ok(bytes.slice(skipped..skipped + len))
    }

    /// Reads exactly `len` bytes as they are, or keeps the error for `Failure::explain`.
    pub(super) fn read_exact_at(&self, offset: u64, len: usize) -> ParquetResult<Bytes> {
        let end = offset.checked_add(len as u64);
        if end.is_none_or(|end| end > self.reader.len()) {
            return Err(ParquetError::EOF(format!(
                "{len} bytes at {offset} lie outside the file"
            )));
        }
        let bytes = self.reader.read_at(offset, len).map_err(|source| {
            let message = source.to_string();
            self.failure.set(Error::io(
                format!("cannot read segment file {}", self.name),
                source,
            ));
            ParquetError::General(message)
        })?;
        if bytes.len() != len {
            return Err(ParquetError::EOF(format!(
                "{} of {len} bytes at {offset}",
                bytes.len()
            )));
        }
        Ok(bytes)
    }
}

impl Length for FileInput {
    fn len(&self) -> u64 {
        self.reader.len()
    }
}

impl ChunkReader for FileInput {
    type T = FileCursor;

    fn get_read(&self, start: u64) -> ParquetResult<FileCursor> {
        Ok(FileCursor {
            input: self.clone(),
            offset: start,
            buffered: Bytes::new(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.read_checked_at(start, length)
    }
}

/// Reads a file from an offset on.
#[derive(Debug)]
pub(super) struct FileCursor {
    input: FileInput,
    offset: u64,
    buffered: Bytes,
}

impl Read for FileCursor {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.buffered.is_empty() {
            let end = self
                .input
                .sums
                .as_ref()
                .map_or(self.input.reader.len(), |sums| sums.data_len());
            let left = end.saturating_sub(self.offset);
            let len = memory_len(left.min(READ_AHEAD_BYTES))?;
            self.buffered = self.input.read_checked_at(self.offset, len)?;
            self.offset += len as u64;
        }
        let taken = self
            .buffered
            .split_to(target.len().min(self.buffered.len()));
        assert!(
            taken.len() <= target.len(),
            "no more is taken than there is room for"
        );
        if let Some(part) = target.get_mut(..taken.len()) {
            part.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}

/// The end of a segment file, in memory, as the Parquet decoder parses it.
#[derive(Debug, Clone)]
pub(super) struct EndInput {
    /// Where in the file it begins.
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl EndInput {
    /// The bytes from here on; none before the end begins.
    fn bytes_from(&self, start: u64) -> ParquetResult<Bytes> {
        let skipped = start
            .checked_sub(self.start)
            .and_then(|skipped| usize::try_from(skipped).ok());
        let skipped = skipped.filter(|skipped| *skipped <= self.bytes.len());
        let outside =
            || ParquetError::EOF(format!("byte {start} lies outside the end of the file"));
        skipped
            .map(|skipped| self.bytes.slice(skipped..))
            .ok_or_else(outside)
    }
}

impl Length for EndInput {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for EndInput {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(self.bytes_from(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let mut bytes = self.bytes_from(start)?;
        if length > bytes.len() {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} lie outside the file"
            )));
        }
        Ok(bytes.split_to(length))
    }
}
