//! The requests of a stream, one by one, whatever its form: JSON lines, JSON documents, rows of CSV or a protobuf
//! message, plain or compressed.
//!
//! Steps: 1. `source` undoes the compression. 2. `kind` tells the form from the first bytes.
//! 3. Lines or documents are cut out and handed over as bytes; decoding them (`request`) is the caller's,
//! who may do it on other threads.
//!
//! Invariants: memory stays below the cap of one piece plus a read buffer; after a fatal error or
//! the end there is nothing more; everything complete before a fatal error has been handed over.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::container_log::ContainerLog;
use super::kind::{
    Balance, PEEK_BYTES, StreamKind, ValueEnd, begins_object, detect, logged, other_text,
};
use super::request::Request;
use super::source::{Source, ZSTD_MAGIC};
use super::{csv, js_literal};

/// Longest line, document or message. Long traces make long lines; one this long is not a trace.
pub const PIECE_BYTES_MAX: usize = 256 << 20;

const READ_BYTES: usize = 128 << 10;

/// Bytes of the length before each message of a framed stream.
const FRAME_LENGTH_BYTES: usize = 4;

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

/// One line of the buffer, without its end.
enum Line {
    Found { bytes: Vec<u8>, is_terminated: bool },
    TooLong,
}

/// What of the input is one value or record.
struct Piece {
    len: usize,
    /// The input ended before it did.
    is_cut: bool,
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

    /// The next line of a text in which no object began so far. From the first one on that does, the stream is of the
    /// kind that it tells; without one it is no file of traces.
    fn next_other_line(&mut self) -> Option<Result<Request, ReadError>> {
        let has_line = |pending: &[u8]| memchr::memchr(b'\n', pending).is_some();
        while !self.at_end && !has_line(self.pending()) && self.pending().len() < PEEK_BYTES {
            self.fill();
        }
        let line = self.pending().split(|&byte| byte == b'\n').next();
        let written = match (&self.container, line) {
            (Some(log), Some(line)) => log.written(line),
            _ => Vec::new(),
        };
        let may_begin = line.is_some_and(|line| line.contains(&b'{'));
        if may_begin && (begins_object(self.pending()) || begins_object(&written)) {
            while self.pending().len() < PEEK_BYTES && !self.at_end {
                self.fill();
            }
            let told = self.told(self.at_end && self.failure.is_none());
            if let Ok(Some(kind)) = told
                && kind != StreamKind::OtherText
            {
                self.kind = Some(kind);
                return self.next_of_kind();
            }
        }
        match self.next_line() {
            None if self.failure.is_none() => Some(Err(fatal(None, other_text()))),
            line => line,
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

    /// Takes the next line, of a container's log what the container wrote; `None` at the end.
    fn take_line(&mut self) -> Option<Line> {
        loop {
            let line = self.take_raw_line();
            let Some(log) = &mut self.container else {
                return line;
            };
            match line {
                Some(Line::Found {
                    bytes,
                    is_terminated,
                }) => match log.take(bytes) {
                    Some(bytes) => {
                        return Some(Line::Found {
                            bytes,
                            is_terminated,
                        });
                    }
                    None if log.waiting_bytes() > self.piece_bytes_max => {
                        log.rest();
                        return Some(Line::TooLong);
                    }
                    None => {}
                },
                Some(Line::TooLong) => return line,
                None => {
                    return log.rest().map(|bytes| Line::Found {
                        bytes,
                        is_terminated: false,
                    });
                }
            }
        }
    }

    fn take_raw_line(&mut self) -> Option<Line> {
        let mut searched = 0;
        loop {
            let unseen = self.pending().get(searched..).unwrap_or_default();
            if let Some(length) = memchr::memchr(b'\n', unseen) {
                let length = searched + length;
                self.lines += 1;
                if length > self.piece_bytes_max {
                    self.pass(length + 1);
                    return Some(Line::TooLong);
                }
                let bytes = self.pending().get(..length).unwrap_or_default().to_vec();
                self.pass(length + 1);
                return Some(Line::Found {
                    bytes,
                    is_terminated: true,
                });
            }
            searched = self.pending().len();
            if searched > self.piece_bytes_max {
                self.pass_line();
                return Some(Line::TooLong);
            }
            if self.at_end {
                return self.take_rest();
            }
            self.fill();
        }
    }

    fn take_rest(&mut self) -> Option<Line> {
        let bytes = self.pending().to_vec();
        if bytes.is_empty() {
            return None;
        }
        self.lines += 1;
        self.pass(bytes.len());
        Some(Line::Found {
            bytes,
            is_terminated: false,
        })
    }

    /// Passes the rest of a line without keeping it.
    fn pass_line(&mut self) {
        self.lines += 1;
        loop {
            match memchr::memchr(b'\n', self.pending()) {
                Some(length) => return self.pass(length + 1),
                None => self.pass(self.pending().len()),
            }
            if self.at_end {
                return;
            }
            self.fill();
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

    fn next_line(&mut self) -> Option<Result<Request, ReadError>> {
        loop {
            match self.take_line()? {
                Line::TooLong => return Some(Err(self.too_long(self.lines))),
                Line::Found { bytes, .. } if is_blank(&bytes) => {}
                Line::Found {
                    bytes,
                    is_terminated,
                } => {
                    if !is_terminated && self.failure.is_some() && !is_closed(&bytes) {
                        self.lines -= 1;
                        return None;
                    }
                    return Some(Ok(Request::Json {
                        line: self.lines,
                        bytes: without_prefix(bytes),
                    }));
                }
            }
        }
    }

    fn next_document(&mut self) -> Option<Result<Request, ReadError>> {
        let (mut document, mut first_line) = (Vec::new(), 0);
        let (mut balance, mut is_js) = (Balance::default(), false);
        while let Some(line) = self.take_line() {
            let Line::Found { bytes, .. } = line else {
                return Some(Err(self.too_long(self.lines)));
            };
            if document.is_empty() && is_blank(&bytes) {
                continue;
            }
            if document.is_empty() {
                first_line = self.lines;
                if !begins_document(&bytes) {
                    // A line of a log between documents.
                    return Some(Ok(Request::Json {
                        line: first_line,
                        bytes: without_prefix(bytes),
                    }));
                }
            }
            // Of an object that Node prints the first line is its brace alone, the second tells.
            let seen = document.len();
            document.extend_from_slice(&bytes);
            document.push(b'\n');
            if !is_js && js_literal::begins(document.trim_ascii_start()) {
                (is_js, balance) = (true, balance.of_js());
            }
            balance.feed(document.get(seen..).unwrap_or_default());
            if document.len() > self.piece_bytes_max {
                return Some(Err(ReadError {
                    is_fatal: true,
                    ..self.too_long(first_line)
                }));
            }
            if balance.is_closed() {
                let json = if is_js {
                    js_literal::to_json(&document)
                } else {
                    None
                };
                return Some(Ok(Request::Json {
                    line: first_line,
                    bytes: json.unwrap_or(document),
                }));
            }
        }
        // What is left is cut short; decoding says where, unless reading it failed.
        let is_cut = document.is_empty() || self.failure.is_some();
        (!is_cut).then_some(Ok(Request::Json {
            line: first_line,
            bytes: document,
        }))
    }

    /// The next element of a list, or a value outside of one.
    fn next_element(&mut self) -> Option<Result<Request, ReadError>> {
        if let Some(line) = self.pass_between_elements() {
            return Some(Ok(Request::Json {
                line,
                bytes: b"[]".to_vec(),
            }));
        }
        let (line, mut end) = (self.lines + 1, ValueEnd::default());
        let len = match self.piece(line, |bytes| end.feed(bytes)) {
            // What is cut short is decoded all the same, which says where.
            Ok(Some(Piece { len, .. })) => len,
            Ok(None) => {
                let is_cut = self.pending().is_empty() && self.failure.is_none() && self.in_list;
                return is_cut.then(|| Err(fatal(Some(line), "the list is cut short".to_string())));
            }
            Err(error) => return Some(Err(error)),
        };
        // A byte that begins no value is passed as if it were one.
        let bytes = self
            .pending()
            .get(..len.max(1))
            .unwrap_or_default()
            .to_vec();
        self.lines += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        self.pass(bytes.len());
        self.is_empty_list = false;
        Some(Ok(Request::Json { line, bytes }))
    }

    /// Passes what stands between elements, the brackets of lists among it; the line of a list that is empty.
    fn pass_between_elements(&mut self) -> Option<u64> {
        loop {
            let Some(byte) = self.pending().first().copied() else {
                if self.at_end {
                    return None;
                }
                self.fill();
                continue;
            };
            match byte {
                b'\n' => self.lines += 1,
                b'[' if !self.in_list => (self.in_list, self.is_empty_list) = (true, true),
                b']' if self.in_list => {
                    self.in_list = false;
                    self.pass(1);
                    if self.is_empty_list {
                        return Some(self.lines + 1);
                    }
                    continue;
                }
                b',' if self.in_list => {}
                // Of a byte order mark.
                0xEF | 0xBB | 0xBF if !self.in_list => {}
                byte if byte.is_ascii_whitespace() => {}
                _ => return None,
            }
            self.pass(1);
        }
    }

    /// The next row of a table, as an object.
    fn next_row(&mut self) -> Option<Result<Request, ReadError>> {
        loop {
            let line = self.lines + 1;
            let record = match self.take_record()? {
                Ok(record) => record,
                Err(error) => return Some(Err(error)),
            };
            if self.columns.is_empty() {
                self.columns = csv::columns(&record).unwrap_or_default();
            } else if !is_blank(&record) {
                let refused = |message| ReadError {
                    line: Some(line),
                    is_fatal: false,
                    message,
                };
                return Some(match csv::object(&self.columns, &record) {
                    Ok(bytes) => Ok(Request::Json { line, bytes }),
                    Err(message) => Err(refused(message)),
                });
            }
        }
    }

    /// How long the next piece is, of which `feed` says where it ends; `None` at the end of the input and after a failure.
    fn piece(
        &mut self,
        line: u64,
        mut feed: impl FnMut(&[u8]) -> Option<usize>,
    ) -> Result<Option<Piece>, ReadError> {
        let mut seen = 0;
        loop {
            let unseen = self.pending().get(seen..).unwrap_or_default();
            if let Some(len) = feed(unseen) {
                return Ok(Some(Piece {
                    len: seen + len,
                    is_cut: false,
                }));
            }
            seen = self.pending().len();
            if seen > self.piece_bytes_max {
                return Err(ReadError {
                    is_fatal: true,
                    ..self.too_long(line)
                });
            }
            if self.at_end {
                let is_piece = seen > 0 && self.failure.is_none();
                return Ok(is_piece.then_some(Piece {
                    len: seen,
                    is_cut: true,
                }));
            }
            self.fill();
        }
    }

    /// Takes the next record of CSV; `None` at the end.
    fn take_record(&mut self) -> Option<Result<Vec<u8>, ReadError>> {
        let (line, mut end) = (self.lines + 1, csv::RecordEnd::default());
        let len = match self.piece(line, |bytes| end.feed(bytes)) {
            Ok(Some(Piece { len, is_cut: true })) if end.is_open() => {
                self.pass(len);
                return Some(Err(fatal(
                    Some(line),
                    "the row is cut short: a quote is not closed".to_string(),
                )));
            }
            Ok(Some(Piece { len, .. })) => len,
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        };
        let record = self.pending().get(..len).unwrap_or_default().to_vec();
        let is_last = !record.ends_with(b"\n");
        self.lines += memchr::memchr_iter(b'\n', &record).count() as u64 + u64::from(is_last);
        self.pass(len);
        Some(Ok(record))
    }

    fn next_message(&mut self) -> Option<Result<Request, ReadError>> {
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
    fn next_frame(&mut self) -> Option<Result<Request, ReadError>> {
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

/// A line of a log without what stands before its request.
fn without_prefix(line: Vec<u8>) -> Vec<u8> {
    match line.trim_ascii_start().first() {
        Some(b'{' | b'[') | None => line,
        _ => logged(&line).map(<[u8]>::to_vec).unwrap_or(line),
    }
}

fn begins_document(line: &[u8]) -> bool {
    line.strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(line)
        .trim_ascii_start()
        .starts_with(b"{")
}

/// Blank, or a byte order mark alone.
fn is_blank(line: &[u8]) -> bool {
    line.strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(line)
        .iter()
        .all(u8::is_ascii_whitespace)
}

fn starts_with_document_line(start: &[u8]) -> bool {
    let mut lines = start.split(|&byte| byte == b'\n');
    let (Some(line), Some(_)) = (lines.next(), lines.next()) else {
        return false;
    };
    let written = ContainerLog::of(line).and_then(|mut log| log.take(line.to_vec()));
    let line = written.as_deref().unwrap_or(line);
    line.starts_with(b"{\"") && is_closed(line)
}

fn is_closed(document: &[u8]) -> bool {
    let mut balance = Balance::default();
    balance.feed(document);
    balance.is_closed()
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn lines(bytes: &[u8]) -> Vec<Result<u64, ReadError>> {
        RequestReader::new(bytes)
            .map(|request| request.map(|request| request.line().unwrap_or(0)))
            .collect()
    }

    fn good(bytes: &[u8]) -> Vec<u64> {
        lines(bytes).into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn lines_documents_and_messages_are_told_apart() {
        assert_eq!(good(b"{\"a\":1}\r\n\r\n{\"b\":2}"), [1, 3]);
        assert_eq!(good(b"\xEF\xBB\xBF{\"a\":1}\n{\"b\":2}\n"), [1, 2]);
        assert_eq!(good(b"{\n \"a\": [\n \"}\"]\n}\n\n{\n}\n"), [1, 6]);
        assert_eq!(
            good(b"INFO: \"up\n{\n \"a\": 1\n}\nsaid \"so\n{\n \"b\": 2\n}\n"),
            [1, 2, 5, 6]
        );
        assert_eq!(good(b"\x0A\x00"), [0]);
        assert_eq!(good(b""), Vec::<u64>::new());
    }

    #[test]
    fn other_output_of_any_length_may_come_before_the_first_span() {
        let noise: String = (0..9_000)
            .map(|i| format!("2026-01-01 12:00:00 INFO step {i}, {{x}} done\n"))
            .collect();
        for (object, lines) in [
            ("{\"a\": 1}\n{\"b\": 2}\n", 2),
            ("{\n  \"a\": [\n  ]\n}\n", 1),
            (
                "{\n  resource: {\n    attributes: { x: 'it\\'s }' }\n  }\n}\n",
                1,
            ),
            ("INFO: {\"resource\":{}}\n", 1),
        ] {
            let all = lines_of(&format!("{noise}{object}"));
            assert_eq!(all.len(), 9_000 + lines, "{object}");
            let last = all.last().unwrap().as_ref().unwrap();
            assert!(last.line() >= Some(9_001), "{object}");
            assert!(
                serde_json::from_slice::<serde_json::Value>(last.bytes()).is_ok(),
                "{object}: {}",
                String::from_utf8_lossy(last.bytes())
            );
        }
        let all = lines_of(&noise);
        let error = all.last().unwrap().as_ref().unwrap_err();
        assert!(error.is_fatal() && error.to_string().contains("other text"));
        assert_eq!(all.len(), 9_001);
        let container: String = (0..3_000)
            .map(|i| format!("2024-01-01T00:00:00.000000000Z stdout F step {i} of a long run\n"))
            .collect();
        let all = lines_of(&format!(
            "{container}2024-01-01T00:00:00.000000000Z stdout F {{\"a\":1}}\n"
        ));
        assert_eq!(all.last().unwrap().as_ref().unwrap().bytes(), b"{\"a\":1}");
    }

    fn lines_of(text: &str) -> Vec<Result<Request, ReadError>> {
        RequestReader::new(text.as_bytes()).collect()
    }

    fn elements(bytes: &[u8]) -> Vec<(u64, String)> {
        let element = |request: Result<Request, ReadError>| {
            let request = request.unwrap();
            (
                request.line().unwrap(),
                String::from_utf8(request.bytes().to_vec()).unwrap(),
            )
        };
        RequestReader::new(bytes).map(element).collect()
    }

    #[test]
    fn elements_of_a_list_are_handed_over_one_by_one() {
        let list =
            b"\xEF\xBB\xBF[\n {\"a\": [1, \"]}\\\"\"]},\n{\n\"b\":2}, [3]\n]\n[{\"c\":3}]\n{\"d\":4}\n";
        let wanted = [
            (2, "{\"a\": [1, \"]}\\\"\"]}"),
            (3, "{\n\"b\":2}"),
            (4, "[3]"),
            (6, "{\"c\":3}"),
            (7, "{\"d\":4}"),
        ];
        assert_eq!(
            elements(list),
            wanted.map(|(line, text)| (line, text.to_string()))
        );
        assert_eq!(elements(b"[\n\n]"), [(3, "[]".to_string())]);
        let words = elements(b"[{},1, true,\"a\",}x]");
        let texts: Vec<&str> = words.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["{}", "1", "true", "\"a\"", "}x"]);
    }

    #[test]
    fn a_list_of_any_length_takes_the_memory_of_an_element() {
        let list = format!(
            "[{}]",
            vec![format!("{{\"a\":\"{}\"}}", "x".repeat(700)); 5_000].join(",")
        );
        let mut reader = RequestReader::new(list.as_bytes()).with_piece_bytes_max(1_000);
        assert_eq!(reader.by_ref().filter(Result::is_ok).count(), 5_000);
        assert_eq!(reader.bytes(), list.len() as u64);
        assert!(
            reader.buffer.capacity() < 1 << 20,
            "{}",
            reader.buffer.capacity()
        );
        let cut = lines(&list.as_bytes()[..list.len() - 1]);
        assert_eq!(cut.len(), 5_001);
        assert!(
            cut[5_000]
                .as_ref()
                .unwrap_err()
                .to_string()
                .contains("cut short")
        );
        let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(1_000_000));
        let long: Vec<_> = RequestReader::new(long.as_bytes())
            .with_piece_bytes_max(1_000)
            .collect();
        assert!(long.len() == 1 && long[0].as_ref().unwrap_err().is_fatal());
    }

    #[test]
    fn the_first_line_of_a_document_is_enough_to_begin() {
        let cri = "2024-01-01T00:00:00.000000000Z stdout F {\"a\":1}\n";
        let docker = "{\"log\":\"{\\\"a\\\":1}\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n";
        for line in ["{\"a\":1}\n", cri, docker] {
            assert!(starts_with_document_line(line.as_bytes()), "{line}");
            let text = line.repeat(2);
            let all: Vec<Vec<u8>> = RequestReader::new(text.as_bytes())
                .map(|request| request.unwrap().bytes().to_vec())
                .collect();
            assert_eq!(all, [b"{\"a\":1}".to_vec(), b"{\"a\":1}".to_vec()]);
        }
        assert!(!starts_with_document_line(
            cri.replace("{\"a\":1}", "{").as_bytes()
        ));
    }

    #[test]
    fn rows_of_a_table_are_objects() {
        let head = "\u{feff}id,run_type,start_time,inputs\r\n";
        let text = format!("{head}a,llm,1,\"{{'q': 'x\ny'}}\"\r\n\r\nb,llm\r\nc,llm,3,\"open");
        let rows: Vec<_> = RequestReader::new(text.as_bytes()).collect();
        let first = rows[0].as_ref().unwrap();
        assert_eq!(first.line(), Some(2));
        let object = r#"{"id":"a","inputs":{"q":"x\ny"},"run_type":"llm","start_time":1}"#;
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(first.bytes()).unwrap(),
            serde_json::from_str::<serde_json::Value>(object).unwrap()
        );
        let short = rows[1].as_ref().unwrap_err();
        assert_eq!((short.line(), short.is_fatal()), (Some(5), false));
        assert!(rows.len() == 3 && rows[2].as_ref().unwrap_err().is_fatal());
        let long = format!("{head}a,llm,1,\"{}", "x\n".repeat(1_000_000));
        let mut reader = RequestReader::new(long.as_bytes()).with_piece_bytes_max(1_000);
        let long: Vec<_> = reader.by_ref().collect();
        assert!(long.len() == 1 && long[0].as_ref().unwrap_err().is_fatal());
        assert!(
            reader.buffer.capacity() < 1 << 20,
            "{}",
            reader.buffer.capacity()
        );
    }

    #[test]
    fn messages_with_lengths_before_them_are_cut_out() {
        let message = [0x0A, 0x02, 0x12, 0x00];
        let frame = [&[0, 0, 0, 4], &message[..]].concat();
        let framed = [&frame[..], &frame, &[0, 0, 0, 0]].concat();
        let all: Vec<Vec<u8>> = RequestReader::new(&framed[..])
            .map(|request| request.unwrap().bytes().to_vec())
            .collect();
        assert_eq!(all, [message.to_vec(), message.to_vec(), Vec::new()]);
        let json = zstd::encode_all(&b"{\"a\":1}"[..], 1).unwrap();
        let length = u32::try_from(json.len()).unwrap().to_be_bytes();
        let compressed = [
            &length[..],
            &json,
            &[0, 0, 0, 6],
            b"\x28\xB5\x2F\xFD\0\0",
            &length,
            &json,
        ]
        .concat();
        let all = lines(&compressed);
        assert_eq!((all[0].clone(), all[2].clone()), (Ok(1), Ok(3)));
        assert!(!all[1].as_ref().unwrap_err().is_fatal());
        let cut = lines(framed.get(..14).unwrap());
        assert_eq!(cut.len(), 2);
        let error = cut[1].as_ref().unwrap_err();
        assert!(
            error.is_fatal() && error.to_string().contains("cut short"),
            "{error}"
        );
    }

    #[test]
    fn compression_is_told_by_its_magic_and_may_have_several_members() {
        let text = b"{\"a\":1}\n{\"b\":2}\n";
        let members = [gzip(text), gzip(text)].concat();
        assert_eq!(good(&members), [1, 2, 3, 4]);
        let frames = [
            zstd::encode_all(&text[..], 1).unwrap(),
            zstd::encode_all(&text[..], 1).unwrap(),
        ]
        .concat();
        assert_eq!(good(&frames), [1, 2, 3, 4]);
        let mut reader = RequestReader::new(&members[..]);
        assert_eq!(reader.by_ref().count(), 4);
        assert_eq!(
            (reader.bytes(), reader.input_bytes()),
            (32, members.len() as u64)
        );
    }

    #[test]
    fn a_cut_stream_gives_what_is_complete_and_one_error() {
        let text: String = (0..20_000)
            .map(|i| format!("{{\"a\":{}}}\n", i * 7919 % 104_729))
            .collect();
        for whole in [
            gzip(text.as_bytes()),
            zstd::encode_all(text.as_bytes(), 1).unwrap(),
        ] {
            let all = lines(whole.get(..whole.len() - 400).unwrap());
            let (last, complete) = all.split_last().unwrap();
            assert!(complete.iter().all(Result::is_ok) && complete.len() > 1_000);
            let error = last.clone().unwrap_err();
            assert!(
                error.is_fatal() && error.to_string().contains("cut short"),
                "{error}"
            );
            assert_eq!(error.line(), Some(complete.len() as u64 + 1));
        }
    }

    #[test]
    fn a_long_line_is_passed_and_the_next_is_read() {
        let text = format!(
            "{{\"a\":1}}\n{{\"b\":\"{}\"}}\n{{\"c\":3}}\n",
            "x".repeat(1_000_000)
        );
        let all: Vec<_> = RequestReader::new(text.as_bytes())
            .with_piece_bytes_max(1000)
            .collect();
        assert_eq!(all.len(), 3);
        let error = all[1].as_ref().unwrap_err();
        assert_eq!((error.line(), error.is_fatal()), (Some(2), false));
        assert_eq!(all[2].as_ref().unwrap().line(), Some(3));
    }

    #[test]
    fn another_file_is_one_error() {
        for bytes in [
            &b"\x89PNG\r\n\x1a\n\0\0"[..],
            b"PAR1....",
            b"just text\n",
            &gzip(b"PAR1"),
        ] {
            let all = lines(bytes);
            assert_eq!(all.len(), 1);
            assert!(
                all[0]
                    .as_ref()
                    .unwrap_err()
                    .to_string()
                    .contains("expected OTLP/JSON")
            );
        }
    }
}
