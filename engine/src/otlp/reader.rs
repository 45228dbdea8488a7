//! The requests of a stream, one by one, whatever its form: JSON lines, JSON documents, rows of CSV or a protobuf
//! message, plain or compressed.
//!
//! Steps: 1. `source` undoes the compression. 2. `kind` tells the form from the first bytes.
//! 3. Lines and documents (`lines`), elements and rows (`values`) or messages (`messages`) are cut out and handed over
//! as bytes; decoding them (`request`) is the caller's, who may do it on other threads.
//!
//! Invariants: memory stays below the cap of one piece plus a read buffer; after a fatal error or
//! the end there is nothing more; everything complete before a fatal error has been handed over.

mod lines;
mod messages;
#[cfg(test)]
mod tests;
mod values;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::container_log::ContainerLog;
use super::kind::{PEEK_BYTES, StreamKind, detect};
use super::request::Request;
use super::source::Source;
use lines::starts_with_document_line;

/// Longest line, document or message. Long traces make long lines; one this long is not a trace.
pub const PIECE_BYTES_MAX: usize = 256 << 20;

const READ_BYTES: usize = 128 << 10;

/// A piece of a stream that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    line: Option<u64>,
    is_fatal: bool,
    message: String,
}

impl ReadError {
    /// The 1-based line at fault, when there is one.
    pub fn line(&self) -> Option<u64> {
        self.line
    }

    /// Whether the stream ends here; otherwise the next piece can be read.
    pub fn is_fatal(&self) -> bool {
        self.is_fatal
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

/// Iterates the requests of a stream.
pub struct RequestReader<R: Read> {
    input: Option<R>,
    source: Option<Source<R>>,
    kind: Option<StreamKind>,
    /// Where the lines are those of a container's log.
    container: Option<ContainerLog>,
    /// Bytes read and not yet handed over, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    block: Vec<u8>,
    /// No more bytes come: the end, or `failure`.
    at_end: bool,
    failure: Option<io::Error>,
    is_done: bool,
    /// Of a stream of lists: whether it stands inside of one, and whether that has no element so far.
    in_list: bool,
    is_empty_list: bool,
    /// Of a table: its columns, once they were read.
    columns: Vec<String>,
    lines: u64,
    bytes: u64,
    input_bytes: Arc<AtomicU64>,
    piece_bytes_max: usize,
}

impl<R: Read> RequestReader<R> {
    /// A reader of `input`, which is looked at on the first `next`.
    pub fn new(input: R) -> Self {
        Self {
            input: Some(input),
            source: None,
            kind: None,
            container: None,
            buffer: Vec::new(),
            start: 0,
            block: Vec::new(),
            at_end: false,
            failure: None,
            is_done: false,
            in_list: false,
            is_empty_list: false,
            columns: Vec::new(),
            lines: 0,
            bytes: 0,
            input_bytes: Arc::default(),
            piece_bytes_max: PIECE_BYTES_MAX,
        }
    }

    /// Bytes handed over or passed so far, decompressed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes read from the input so far, as they are there: what a progress bar compares with a file's size.
    pub fn input_bytes(&self) -> u64 {
        self.input_bytes.load(Ordering::Relaxed)
    }

    /// Lines passed so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads what the source has next; errors end the stream and are kept for later.
    fn fill(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let Some(source) = &mut self.source else {
            self.at_end = true;
            return;
        };
        self.block.resize(READ_BYTES, 0);
        match source.read(&mut self.block) {
            Ok(0) => self.at_end = true,
            Ok(count) => self
                .buffer
                .extend_from_slice(self.block.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.failure = Some(error);
                self.at_end = true;
            }
        }
    }

    fn pass(&mut self, count: usize) {
        self.start += count;
        self.bytes += count as u64;
    }

    fn open(&mut self) -> Result<(), ReadError> {
        let Some(input) = self.input.take() else {
            return Ok(());
        };
        match Source::open(input, Arc::clone(&self.input_bytes)) {
            Ok(source) => self.source = Some(source),
            Err(error) => return Err(fatal(None, format!("cannot be read: {error}"))),
        }
        // A pipe may hold one line for now: enough when that is a whole document.
        while self.buffer.len() < PEEK_BYTES
            && !self.at_end
            && !starts_with_document_line(&self.buffer)
        {
            self.fill();
        }
        let is_whole = self.at_end && self.failure.is_none();
        self.container = ContainerLog::of(&self.buffer);
        match self.told(is_whole) {
            Ok(kind) => self.kind = kind,
            Err(message) if self.failure.is_none() => return Err(fatal(None, message)),
            Err(_) => {}
        }
        Ok(())
    }

    /// The kind that what is pending tells.
    fn told(&self, is_whole: bool) -> Result<Option<StreamKind>, String> {
        match &self.container {
            Some(log) => {
                detect(&log.written(self.pending()), is_whole).map(|kind| kind.map(by_lines))
            }
            None => detect(self.pending(), is_whole),
        }
    }

    fn next_of_kind(&mut self) -> Option<Result<Request, ReadError>> {
        match self.kind? {
            StreamKind::JsonLines => self.next_line(),
            StreamKind::JsonDocuments => self.next_document(),
            StreamKind::JsonList => self.next_element(),
            StreamKind::Csv => self.next_row(),
            StreamKind::Protobuf => self.next_message(),
            StreamKind::Framed => self.next_frame(),
            StreamKind::OtherText => self.next_other_line(),
        }
    }

    fn too_long(&self, line: u64) -> ReadError {
        let message = format!(
            "longer than {} MiB, which no trace request should be",
            self.piece_bytes_max >> 20
        );
        ReadError {
            line: Some(line),
            is_fatal: false,
            message,
        }
    }

    /// The error that ended the stream early, once.
    fn take_failure(&mut self) -> Option<ReadError> {
        let error = self.failure.take()?;
        let compression = self.source.as_ref().map_or("plain", Source::compression);
        let message = match (compression, error.kind()) {
            ("plain", _) => format!("cannot be read: {error}"),
            (_, io::ErrorKind::UnexpectedEof) => format!("the {compression} stream is cut short"),
            _ => format!("the {compression} stream is damaged: {error}"),
        };
        let has_lines = matches!(
            self.kind,
            Some(
                StreamKind::JsonLines
                    | StreamKind::JsonDocuments
                    | StreamKind::JsonList
                    | StreamKind::Csv
                    | StreamKind::OtherText
            )
        );
        let line = has_lines.then_some(self.lines + 1);
        Some(fatal(line, message))
    }
}

/// The kind of a stream whose lines are in others.
fn by_lines(kind: StreamKind) -> StreamKind {
    match kind {
        StreamKind::JsonDocuments | StreamKind::OtherText => kind,
        _ => StreamKind::JsonLines,
    }
}

fn fatal(line: Option<u64>, message: String) -> ReadError {
    ReadError {
        line,
        is_fatal: true,
        message,
    }
}

impl<R: Read> Iterator for RequestReader<R> {
    type Item = Result<Request, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        if let Err(error) = self.open() {
            self.is_done = true;
            return Some(Err(error));
        }
        let next = self.next_of_kind();
        let next = next.or_else(|| self.take_failure().map(Err));
        self.is_done = match &next {
            Some(Ok(_)) => false,
            Some(Err(error)) => error.is_fatal,
            None => true,
        };
        next
    }
}

#[cfg(test)]
impl<R: Read> RequestReader<R> {
    /// This reader with a smaller cap.
    fn with_piece_bytes_max(mut self, piece_bytes_max: usize) -> Self {
        self.piece_bytes_max = piece_bytes_max;
        self
    }
}
