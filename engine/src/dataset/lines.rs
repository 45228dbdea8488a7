//! Records from JSON lines: one object a line with `inputs` and perhaps `outputs`, `expectations`,
//! `tags` and `source`, as an export writes them. Other fields are ignored.

use std::io::{BufRead, BufReader, Read};

use super::json::members;
use super::record::Candidate;
use super::source::Source;
use crate::error::{Error, ErrorKind, Result};

/// Rejected lines that are listed one by one; further ones are only counted.
pub(crate) const REJECTED_MAX: usize = 1_000;

/// The number of a line, and its record or why it cannot be kept.
pub(crate) type RecordLine = (u64, Result<Candidate>);

/// Reads the lines, skipping empty ones.
///
/// # Errors
/// `Io` when the input cannot be read.
pub(crate) fn read_lines<R: Read>(input: R) -> Result<Vec<RecordLine>> {
    let mut lines = Vec::new();
    for (number, line) in (1u64..).zip(BufReader::new(input).split(b'\n')) {
        let bytes = line.map_err(|e| Error::new(ErrorKind::Io, format!("line {number}: {e}")))?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let parsed = std::str::from_utf8(&bytes)
            .map_err(|e| Error::invalid_input(format!("not UTF-8: {e}")))
            .and_then(parse_line);
        lines.push((number, parsed));
    }
    Ok(lines)
}

fn parse_line(line: &str) -> Result<Candidate> {
    let fields = match members(line.trim()) {
        Some(fields) => fields,
        None => {
            let error = serde_json::from_str::<serde_json::Value>(line).err();
            let why = error.map_or("a JSON object expected".into(), |error| error.to_string());
            return Err(Error::invalid_input(format!("not a record: {why}")));
        }
    };
    let field = |name: &str| fields.get(name).map(|value| value.get());
    let inputs = field("inputs").ok_or_else(|| Error::invalid_input("a record needs inputs"))?;
    let mut candidate = Candidate::from_json(inputs, field("outputs"), field("expectations"), field("tags"))?;
    if let Some(source) = field("source").map(Source::parse).transpose()?.flatten() {
        candidate.source = Some(source);
    }
    Ok(candidate)
}
