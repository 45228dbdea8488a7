//! What a decompressed stream is, told from its start.

use super::source::ZSTD_MAGIC;
use super::{csv, forms, js_literal, proto};

/// Bytes looked at to tell the kind of a stream.
pub(super) const PEEK_BYTES: usize = 64 << 10;

/// The kinds of stream that hold trace requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamKind {
    /// One JSON document per line.
    JsonLines,
    /// One JSON document, or several, over many lines each.
    JsonDocuments,
    /// One JSON array, or several: each element is a document.
    JsonList,
    /// A table with a header, of a product that is known: each row is a record of it.
    Csv,
    /// One protobuf message.
    Protobuf,
    /// Messages, each with its length before it, as the Collector's file exporter writes them: four
    /// bytes, the highest first. A message is protobuf, or either encoding compressed by itself.
    Framed,
    /// Text so far, that goes on: what it is will be told where the first object begins.
    OtherText,
}

/// Starts of well-known other files, for the message.
const OTHER_FILES: &[(&[u8], &str)] = &[
    (b"\x89PNG", "a PNG image"),
    (b"\xFF\xD8\xFF", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (
        b"PAR1",
        "a Parquet file: write its rows as JSON lines first, for example with \
         duckdb -c \"COPY (FROM 'x.parquet') TO 'x.jsonl' (FORMAT JSON)\"",
    ),
    (b"ARROW1", "an Arrow file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "a PDF document"),
    (
        b"SQLite format 3",
        "a SQLite database: one of MLflow is moved by \
         `python -m tracehouse.mlflow import mlflow.db app.traces`",
    ),
    (b"BZh", "bzip2 data"),
    (b"\xFD7zXZ\0", "xz data"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive"),
    (b"\x7FELF", "a program"),
    (b"\x1F\x8B", "gzip inside gzip or zstd"),
    (b"\x28\xB5\x2F\xFD", "zstd inside gzip or zstd"),
    (b"\xFF\xFE", "UTF-16 text (UTF-8 is needed)"),
    (b"\xFE\xFF", "UTF-16 text (UTF-8 is needed)"),
];

/// The kind of a stream from its start (`is_whole`: it ends there); `None` when it is empty.
///
/// # Errors
/// Says what was expected and what was found.
pub(super) fn detect(start: &[u8], is_whole: bool) -> Result<Option<StreamKind>, String> {
    let text = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    if text.is_empty() && is_whole {
        return Ok(None);
    }
    if js_literal::begins(text) {
        return Ok(Some(StreamKind::JsonDocuments));
    }
    if looks_like_json(text) && (start.first() != Some(&0x0A) || is_plain_text(text)) {
        return Ok(Some(match text.first() {
            Some(b'[') => StreamKind::JsonList,
            _ if spans_lines(text) => StreamKind::JsonDocuments,
            _ => StreamKind::JsonLines,
        }));
    }
    if let Some((_, found)) = OTHER_FILES
        .iter()
        .find(|(magic, _)| start.starts_with(magic))
    {
        return Err(wrong_file(found));
    }
    if is_framed(start, is_whole) {
        return Ok(Some(StreamKind::Framed));
    }
    if proto::looks_like_request(start, is_whole) {
        return Ok(Some(StreamKind::Protobuf));
    }
    if csv::columns(start).is_some_and(|columns| forms::is_table(&columns)) {
        return Ok(Some(StreamKind::Csv));
    }
    // First lines that are damaged, or of a log, cost only themselves when requests follow.
    if let Some(rest) = from_object(start) {
        return Ok(Some(if spans_lines(rest) {
            StreamKind::JsonDocuments
        } else {
            StreamKind::JsonLines
        }));
    }
    if let Some(message) = csv::wrong_dialect(start) {
        return Err(message);
    }
    if let Some(columns) = csv::likely_columns(start).filter(|_| is_plain_text(start)) {
        return Err(wrong_table(&columns));
    }
    if text.starts_with(DOTNET) {
        return Err(wrong_file(
            "what the console exporter of .NET prints, which has not all that a span has: export with OTLP, to a \
             Collector with its file exporter for example",
        ));
    }
    match is_plain_text(start) {
        true if !is_whole => Ok(Some(StreamKind::OtherText)),
        true => Err(other_text()),
        false => Err(wrong_file("other data")),
    }
}

/// What the console exporter of .NET begins with.
const DOTNET: &[u8] = b"Activity.TraceId:";

/// What is said of a text in which no object began.
pub(super) fn other_text() -> String {
    wrong_file("other text")
}

fn wrong_table(columns: &[String]) -> String {
    format!(
        "not a trace file: a CSV table with the columns {}; of CSV, exports of Langfuse (traces, observations, scores), \
         LangSmith (runs, feedback), Phoenix (spans, annotations) and MLflow (search_traces) are read. Assessments are \
         imported as JSON lines (--assessments FILE), records of a dataset with `dataset merge`",
        csv::shown(columns)
    )
}

/// A length and as many bytes that look like a request, as far as they are there. A message by itself
/// never begins with a zero, which every length below 16 MiB does.
fn is_framed(start: &[u8], is_whole: bool) -> bool {
    let Some((&[0, high, middle, low], rest)) = start.split_first_chunk() else {
        return false;
    };
    if rest.starts_with(ZSTD_MAGIC) {
        return true;
    }
    let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
    match rest.get(..length) {
        Some(message) => !message.is_empty() && proto::looks_like_request(message, true),
        None => !is_whole && proto::looks_like_request(rest, false),
    }
}

fn wrong_file(found: &str) -> String {
    format!(
        "not a trace file: expected OTLP/JSON (one request per line, or one document) or OTLP/protobuf, \
         plain, gzip or zstd; found {found}"
    )
}

/// A brace or bracket and, after it, what JSON allows there.
fn looks_like_json(text: &[u8]) -> bool {
    let Some((b'{' | b'[', rest)) = text.split_first() else {
        return false;
    };
    matches!(
        rest.trim_ascii_start().first(),
        Some(b'"' | b'{' | b'[' | b'}' | b']') | None
    )
}

/// The rest of a text from the first line on that an object begins with, or that is a request in a line of a log.
fn from_object(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    while !begins_object(rest) {
        let line_end = memchr::memchr(b'\n', rest)?;
        rest = rest.get(line_end + 1..)?;
    }
    Some(rest)
}

/// Whether a text begins with an object that has members, or its first line is a request in a line of a log.
pub(super) fn begins_object(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let begun = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    let first = text.split(|&byte| byte == b'\n').next();
    begun.is_some_and(|begun| begun.starts_with(b"\""))
        || js_literal::begins(text)
        || first.is_some_and(|line| logged(line).is_some())
}

/// The request in a line of a log, behind what the log says of the line (`INFO: {"resource": ...`), as Java's logging
/// exporters write it.
pub(super) fn logged(line: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(line, LOGGED)?;
    let (before, request) = line.split_at_checked(at)?;
    let is_prefix = !before.trim_ascii().is_empty() && !before.contains(&b'{');
    let request = request.trim_ascii_end();
    (is_prefix && request.ends_with(b"}")).then_some(request)
}

/// What such a request begins with: that of one resource, or `resourceSpans`.
const LOGGED: &[u8] = b"{\"resource";

fn is_plain_text(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .take(512)
        .all(|&byte| byte >= 0x20 || matches!(byte, b'\n' | b'\r' | b'\t'))
}

/// Whether the first document goes on after its first line: that line is open, ends where JSON may
/// break, and the next one does not start a request.
fn spans_lines(text: &[u8]) -> bool {
    let mut lines = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty());
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else {
        return false;
    };
    let mut balance = Balance::default();
    balance.feed(first);
    let breaks = matches!(first.last(), Some(b'{' | b'[' | b',' | b':'));
    let is_request = second.split_first().is_some_and(|(&brace, rest)| {
        let rest = rest.trim_ascii_start();
        brace == b'{'
            && (rest.starts_with(b"\"resourceSpans\"") || rest.starts_with(b"\"resource_spans\""))
    });
    !balance.is_closed() && breaks && !is_request
}

/// Finds the end of a JSON value, however the bytes come.
#[derive(Debug, Default)]
pub(super) struct ValueEnd {
    balance: Balance,
    /// Neither an object, nor a list, nor a text.
    is_word: bool,
}

impl ValueEnd {
    /// Takes the next bytes; how many of them belong to the value, when it ends among them.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            if !self.balance.started {
                self.is_word = !matches!(byte, b'{' | b'[' | b'"');
            }
            if self.is_word
                && (byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}') && at > 0)
            {
                return Some(at);
            }
            self.balance.feed(std::slice::from_ref(byte));
            if !self.is_word && self.balance.is_closed() {
                return Some(at + 1);
            }
        }
        None
    }
}

/// Counts brackets outside strings, to find the end of a JSON document, or of an object that Node printed.
#[derive(Debug, Default)]
pub(super) struct Balance {
    depth: u64,
    /// The quote that ends the string.
    string: Option<u8>,
    escaped: bool,
    started: bool,
    /// Whether strings may be in any quotes of JavaScript.
    is_js: bool,
}

impl Balance {
    /// Goes on with the strings of JavaScript.
    pub(super) fn of_js(self) -> Self {
        Self {
            is_js: true,
            ..self
        }
    }

    /// Takes the next bytes of the document.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.escaped {
                self.escaped = false;
            } else if let Some(quote) = self.string {
                self.escaped = byte == b'\\';
                self.string = Some(quote).filter(|quote| byte != *quote);
            } else {
                self.started |= !byte.is_ascii_whitespace();
                match byte {
                    b'"' => self.string = Some(byte),
                    b'\'' | b'`' if self.is_js => self.string = Some(byte),
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
    }

    /// Whether a document began and all its brackets are closed.
    pub(super) fn is_closed(&self) -> bool {
        self.started && self.depth == 0 && self.string.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(start: &[u8]) -> Option<StreamKind> {
        detect(start, true).unwrap()
    }

    #[test]
    fn json_is_lines_unless_its_first_line_stays_open() {
        assert_eq!(kind(b"{\"resourceSpans\":[]}"), Some(StreamKind::JsonLines));
        assert_eq!(
            kind(b"\xEF\xBB\xBF\n {}\n{}\n"),
            Some(StreamKind::JsonLines)
        );
        assert_eq!(
            kind(b"{\n  \"resourceSpans\": [\n  ]\n}"),
            Some(StreamKind::JsonDocuments)
        );
        assert_eq!(
            kind(b"\n{\n  \"resourceSpans\": [\n  ]\n}"),
            Some(StreamKind::JsonDocuments)
        );
        assert_eq!(
            kind(b"{\"resourceSpans\": [{\n{\"resourceSpans\": []}\n"),
            Some(StreamKind::JsonLines)
        );
        assert_eq!(
            kind(b"{\"a\": \"cut\n{\"resourceSpans\": []}\n"),
            Some(StreamKind::JsonLines)
        );
        assert_eq!(
            kind(b"broken\n{\"resourceSpans\": []}\n"),
            Some(StreamKind::JsonLines)
        );
        assert_eq!(
            kind(b"INFO: up\nINFO: {\n{\n  \"name\": 1\n}\n"),
            Some(StreamKind::JsonDocuments)
        );
        assert_eq!(
            kind(b"up\n{\n  resource: {\n    attributes: {}\n"),
            Some(StreamKind::JsonDocuments)
        );
        assert_eq!(
            kind(b"Jan 01, 2026 12:00:00 AM io.x.Exporter export\nINFO: {\"resource\":{}}"),
            Some(StreamKind::JsonLines)
        );
        assert_eq!(
            detect(b"step 1\nstep 2\n", false),
            Ok(Some(StreamKind::OtherText))
        );
        assert_eq!(kind(b" [\n{}]"), Some(StreamKind::JsonList));
        assert_eq!(kind(b" \n"), None);
    }

    #[test]
    fn protobuf_is_told_by_its_outline() {
        assert_eq!(kind(b"\x0A\x00"), Some(StreamKind::Protobuf));
        assert_eq!(kind(b"\x0A\x02\x12\x00"), Some(StreamKind::Protobuf));
        // A message of 123 bytes begins like a blank line and a brace.
        let mut message = vec![0x0A, 123, 0x0A, 0x20, 0x0A, 0x1E];
        message.resize(125, 1);
        assert_eq!(kind(&message), Some(StreamKind::Protobuf));
    }

    #[test]
    fn other_files_are_named() {
        for (start, found) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "PNG"),
            (b"PAR1\x15\x04", "Parquet"),
            (b"hello world\nthis is text\n", "other text"),
            (b"\x00\x9f\x92\x96\x01\x02", "other data"),
            (
                b"Activity.TraceId:  00\nActivity.SpanId: 1\n",
                "console exporter of .NET",
            ),
            (b"up: 1, and\n{ no: 'span', of: 1 }\n", "other text"),
            (b"42\n", "other text"),
            (b"Dear all, hello\nthis is text\n", "other text"),
        ] {
            let error = detect(start, true).unwrap_err();
            assert!(
                error.contains(found) && error.contains("expected OTLP/JSON"),
                "{error}"
            );
        }
    }

    #[test]
    fn tables_are_told_by_their_columns() {
        for known in [
            "\"id\",\"timestamp\",\"name\",\"bookmarked\",\"input\"\n",
            "id,traceId,type,name,startTime,endTime\n",
            "id,traceId,source,name,dataType,value\n",
            ",id,name,run_type,start_time,trace_id\n0,a,b\n",
            "key,run_id,score\n",
            "context.span_id,name,start_time,context.trace_id\n",
            "trace_id,trace,state\n",
        ] {
            assert_eq!(kind(known.as_bytes()), Some(StreamKind::Csv), "{known}");
        }
        for separator in [";", "\t"] {
            for head in ["", "sep=;\n"] {
                let table = format!(
                    "{head}{}",
                    "id,timestamp,name,userId\n1,2,3,4\n".replace(',', separator)
                );
                let error = detect(table.as_bytes(), true).unwrap_err();
                assert!(error.contains("commas"), "{error}");
            }
        }
        for other in [
            "trace_id,name,value\na,b,1\n",
            "id,userIds,countTraces\n",
            "question,answer\nwhy,so\n",
        ] {
            let error = detect(other.as_bytes(), true).unwrap_err();
            assert!(
                error.contains(other.split(',').next().unwrap()) && error.contains("dataset merge"),
                "{error}"
            );
        }
    }
}
