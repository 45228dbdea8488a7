//! Lines, and documents over several of them: what loggers and containers wrote before them is taken away, and text
//! that is no trace is handed over like a line, so that decoding says what is wrong with it.
//!
//! Invariants: those of `reader`; of a stream that failed, a last line is handed over when it is whole.

use std::io::Read;

use super::{ReadError, RequestReader, fatal};
use crate::otlp::container_log::ContainerLog;
use crate::otlp::js_literal;
use crate::otlp::kind::{Balance, PEEK_BYTES, StreamKind, begins_object, logged, other_text};
use crate::otlp::request::Request;

/// One line of the buffer, without its end.
enum Line {
    Found { bytes: Vec<u8>, is_terminated: bool },
    TooLong,
}

impl<R: Read> RequestReader<R> {
    /// The next line of a text in which no object began so far. From the first one on that does, the stream is of the
    /// kind that it tells; without one it is no file of traces.
    pub(super) fn next_other_line(&mut self) -> Option<Result<Request, ReadError>> {
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

    pub(super) fn next_line(&mut self) -> Option<Result<Request, ReadError>> {
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

    pub(super) fn next_document(&mut self) -> Option<Result<Request, ReadError>> {
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
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(line)
        .iter()
        .all(u8::is_ascii_whitespace)
}

pub(super) fn starts_with_document_line(start: &[u8]) -> bool {
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
