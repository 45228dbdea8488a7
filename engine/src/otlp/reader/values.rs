//! Elements of a JSON list and rows of a table: pieces that end where their own syntax says, over any number of lines.
//!
//! Invariant: of a piece no more than the cap is kept, however long it is.

use std::io::Read;

use super::lines::is_blank;
use super::{ReadError, RequestReader, fatal};
use crate::otlp::csv;
use crate::otlp::kind::ValueEnd;
use crate::otlp::request::Request;

/// What of the input is one value or record.
struct Piece {
    len: usize,
    /// The input ended before it did.
    is_cut: bool,
}

impl<R: Read> RequestReader<R> {
    /// The next element of a list, or a value outside of one.
    pub(super) fn next_element(&mut self) -> Option<Result<Request, ReadError>> {
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
    pub(super) fn next_row(&mut self) -> Option<Result<Request, ReadError>> {
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
}
