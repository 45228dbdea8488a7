//! Attributes and hints without the texts that the inputs and outputs columns hold already.
//!
//! A producer sends inputs and outputs as attributes, so `attributes` repeats both, JSON-escaped, and the
//! hint of a root has the beginning of both as previews. As stored, in memory, the log and segments, each such
//! repetition in attributes is a short mark, in a segment file also that in a hint; reading puts the text back, byte for byte.
//!
//! A packed text begins with U+0001, which no JSON text does (attributes and hints are JSON object text), so
//! other texts need no escape. Packing is a plain substitution of bytes and only done when no mark can occur in
//! the text, which makes it invertible whatever the JSON looks like.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::record_batch::RecordBatch;

use super::text_at;
use crate::error::{Error, Result};
use crate::json::{literal_len, write_string};
use crate::model::cut_preview;
use crate::scan::{RowFilter, ScanRequest};

const PACKED: char = '\u{1}';
/// What each mark begins with. JSON text has no such byte: a text that does is not packed.
const MARK_START: u8 = 2;
/// Column and mark.
const SOURCES: [(&str, &str); 2] = [("inputs", "\u{2}i"), ("outputs", "\u{2}o")];
/// Shorter texts are left alone: a mark would save nothing.
const TEXT_BYTES_MIN: usize = 24;
/// Texts up to this are read back when they are packed, in debug builds.
const READ_BACK_BYTES_MAX: usize = 8 << 10;

/// A spans batch in the form it is stored in; one that has it stays as it is.
///
/// # Errors
/// `Internal` when the batch lacks a column.
pub(crate) fn pack(batch: &RecordBatch) -> Result<RecordBatch> {
    let sources = sources(batch)?;
    replace_attributes(batch, |row, attributes| {
        if attributes.starts_with(PACKED)
            || memchr::memchr(MARK_START, attributes.as_bytes()).is_some()
        {
            return None;
        }
        let [inputs, outputs] = sources.map(|texts| text_at(texts, row));
        let packed = marked(attributes, [inputs, outputs])?;
        let stored = format!("{PACKED}{packed}");
        debug_assert!(
            attributes.len() > READ_BACK_BYTES_MAX
                || whole_attributes(&stored, inputs, outputs).as_deref() == Some(attributes),
            "what is packed reads back byte for byte"
        );
        Some(stored)
    })
}

/// A stored spans batch with `attributes`, `inputs` and `outputs` as it was given to `pack`.
///
/// # Errors
/// As [`pack`].
pub(crate) fn unpack(batch: &RecordBatch) -> Result<RecordBatch> {
    let sources = sources(batch)?;
    replace_attributes(batch, |row, attributes| {
        let [inputs, outputs] = sources.map(|texts| text_at(texts, row));
        whole_attributes(attributes, inputs, outputs)
    })
}

/// What a value in [`stored_members`] has where a text is left out that only `inputs` or `outputs` have.
pub const ABSENT_TEXT: char = MARK_START as char;

/// Stored attributes as JSON object text, but for the marks that stand for values; `None` when a mark
/// stands for a key, so that they must be made whole to be read.
pub fn stored_members(stored: &str) -> Option<&str> {
    let Some(packed) = stored.strip_prefix(PACKED) else {
        return Some(stored);
    };
    // A mark is two bytes; what only begins like one, at the very end, has nothing after it.
    let after_mark = |at| packed.get(at + SOURCES[0].1.len()..);
    let is_key = |at| after_mark(at).is_some_and(|after: &str| after.trim_start().starts_with(':'));
    let mut marks = memchr::memchr_iter(MARK_START, packed.as_bytes());
    (!marks.any(is_key)).then_some(packed)
}

/// The marks that may stand for strings in what [`stored_members`] tells: for the inputs, for the outputs.
pub const MARKS: [&str; 2] = [SOURCES[0].1, SOURCES[1].1];

/// Stored attributes of a row as they were given to `pack`.
pub fn whole_attributes(
    stored: &str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Option<String> {
    let packed = stored.strip_prefix(PACKED)?;
    Some(unmarked(packed, [inputs, outputs]).unwrap_or_else(|| packed.to_string()))
}

/// `text` with some of its parts replaced, from left to right; `None` when there is none. `part` tells how long a
/// part is that a text begins with, and what stands for it. Every part begins with the byte `start`, which is ASCII.
fn replace<'a>(
    text: &str,
    start: u8,
    part: impl Fn(&str) -> Option<(usize, &'a str)>,
) -> Option<String> {
    let (mut replaced, mut done, mut looked) = (String::new(), 0, 0);
    while let Some(at) = memchr::memchr(start, text.as_bytes().get(looked..)?).map(|at| looked + at)
    {
        looked = at + 1;
        if let Some((len, other)) = text.get(at..).and_then(&part) {
            if done == 0 {
                replaced.reserve(text.len());
            }
            replaced.push_str(text.get(done..at)?);
            replaced.push_str(other);
            (done, looked) = (at + len, at + len);
        }
    }
    if done == 0 {
        return None;
    }
    replaced.push_str(text.get(done..)?);
    Some(replaced)
}

/// `json` with marks for the literals of these texts, if it has any.
fn marked(json: &str, texts: [Option<&str>; 2]) -> Option<String> {
    let texts: Vec<(&str, &str)> = worth_packing(texts).collect();
    let mark = |literal: &str| {
        texts
            .iter()
            .find_map(|(mark, text)| Some((literal_len(literal, text)?, *mark)))
    };
    replace(json, b'"', mark)
}

/// What was given to [`marked`] with the same texts.
fn unmarked(packed: &str, texts: [Option<&str>; 2]) -> Option<String> {
    let literals = worth_packing(texts).map(|(mark, text)| {
        let mut literal = String::new();
        write_string(text, &mut literal);
        (mark, literal)
    });
    let literals: Vec<(&str, String)> = literals.collect();
    replace(packed, MARK_START, |marked| {
        let found = literals.iter().find(|(mark, _)| marked.starts_with(mark));
        found.map(|(mark, literal)| (mark.len(), literal.as_str()))
    })
}

/// The texts that are long enough, with their marks.
fn worth_packing(texts: [Option<&str>; 2]) -> impl Iterator<Item = (&'static str, &str)> {
    let is_long = |text: &&str| text.len() >= TEXT_BYTES_MIN;
    MARKS
        .into_iter()
        .zip(texts)
        .filter_map(move |(mark, text)| Some((mark, text.filter(is_long)?)))
}

/// A hint with marks where it has the previews of these texts.
pub(crate) fn pack_hint<'a>(
    hint: &'a str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Cow<'a, str> {
    if memchr::memchr(MARK_START, hint.as_bytes()).is_some() {
        return Cow::Borrowed(hint);
    }
    let previews = [inputs, outputs].map(|text| text.map(cut_preview));
    match marked(hint, previews.each_ref().map(Option::as_deref)) {
        Some(packed) => {
            let stored = format!("{PACKED}{packed}");
            debug_assert_eq!(
                unpack_hint(&stored, inputs, outputs),
                hint,
                "what is packed reads back byte for byte"
            );
            Cow::Owned(stored)
        }
        None => Cow::Borrowed(hint),
    }
}

/// What was given to [`pack_hint`] with the same texts.
pub(crate) fn unpack_hint<'a>(
    hint: &'a str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Cow<'a, str> {
    let Some(packed) = hint.strip_prefix(PACKED) else {
        return Cow::Borrowed(hint);
    };
    let previews = [inputs, outputs].map(|text| text.map(cut_preview));
    unmarked(packed, previews.each_ref().map(Option::as_deref))
        .map_or(Cow::Borrowed(packed), Cow::Owned)
}

fn text_column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringViewArray> {
    crate::columns::text(batch, name)
}

fn sources(batch: &RecordBatch) -> Result<[&StringViewArray; 2]> {
    let [(inputs, _), (outputs, _)] = SOURCES;
    Ok([text_column(batch, inputs)?, text_column(batch, outputs)?])
}

/// The batch with other attributes where `change` gives some.
fn replace_attributes(
    batch: &RecordBatch,
    mut change: impl FnMut(usize, &str) -> Option<String>,
) -> Result<RecordBatch> {
    let attributes = text_column(batch, "attributes")?;
    let mut texts = StringViewBuilder::with_capacity(attributes.len());
    for (row, text) in attributes.iter().enumerate() {
        match text.and_then(|text| change(row, text)) {
            Some(changed) => texts.append_value(changed),
            None => texts.append_option(text),
        }
    }
    let mut columns = batch.columns().to_vec();
    let position = batch.schema().index_of("attributes")?;
    if let Some(column) = columns.get_mut(position) {
        *column = Arc::new(texts.finish()) as ArrayRef;
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Whether a scan of spans reads attributes.
pub(crate) fn concerns(request: &ScanRequest) -> bool {
    reads_attributes(&request.columns)
        || request
            .filters
            .iter()
            .any(|filter| reads_attributes(&filter.columns))
}

/// Whether whole attributes are among these columns.
pub(crate) fn reads_attributes(columns: &[String]) -> bool {
    columns.iter().any(|column| column == "attributes")
}

/// The request over stored columns: whoever reads attributes reads inputs and outputs too.
pub(crate) fn stored_request(request: &ScanRequest) -> ScanRequest {
    let mut stored = request.clone();
    stored.columns = widened(&request.columns);
    stored.filters = request.filters.iter().map(stored_filter).collect();
    stored
}

/// These columns, and those that attributes are made whole of.
pub(crate) fn widened(columns: &[String]) -> Vec<String> {
    let mut all = columns.to_vec();
    if reads_attributes(columns) {
        for (name, _) in SOURCES {
            if !all.iter().any(|column| column == name) {
                all.push(name.to_string());
            }
        }
    }
    debug_assert!(
        all.starts_with(columns),
        "the columns that are asked for come first"
    );
    all
}

fn stored_filter(filter: &RowFilter) -> RowFilter {
    if !reads_attributes(&filter.columns) {
        return filter.clone();
    }
    let (columns, keep) = (filter.columns.clone(), filter.keep.clone());
    RowFilter {
        columns: widened(&filter.columns),
        keep: Arc::new(move |batch| keep(&restore(batch, &columns)?)),
    }
}

/// The asked columns of a batch read with [`stored_request`], as they were before packing.
///
/// # Errors
/// As [`pack`].
pub(crate) fn restore(batch: &RecordBatch, columns: &[String]) -> Result<RecordBatch> {
    let packed = batch
        .column_by_name("attributes")
        .and_then(|column| column.as_string_view_opt());
    let any =
        packed.is_some_and(|texts| texts.iter().flatten().any(|text| text.starts_with(PACKED)));
    let whole = if any { unpack(batch)? } else { batch.clone() };
    let mut positions = Vec::with_capacity(columns.len());
    for column in columns {
        let position = whole.schema().index_of(column);
        positions.push(
            position.map_err(|_| Error::internal(format!("no column {column} after a scan")))?,
        );
    }
    assert_eq!(
        whole.num_rows(),
        batch.num_rows(),
        "a row that is made whole is one row"
    );
    Ok(whole.project(&positions)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{spans_batch, text};
    use crate::model::Span;

    fn span(inputs: &str, attributes: String) -> Span {
        Span {
            inputs: Some(inputs.into()),
            outputs: Some("the very same answer, forty times over".into()),
            attributes,
            ..Span::default()
        }
    }

    #[test]
    fn a_hint_with_the_previews_of_its_span_is_a_few_marks() {
        let long = "tell \"me\" more \u{1f4f6}\n".repeat(100);
        let hint = |request: &str| {
            let preview = cut_preview(request);
            serde_json::json!({"request_preview": preview, "tags": {"env": "prod"}}).to_string()
        };
        for (inputs, outputs, packed_max) in [
            (
                Some(long.as_str()),
                Some("an answer that is no preview"),
                60,
            ),
            (None, Some(long.as_str()), 60),
            (Some("another question, of some length"), None, usize::MAX),
            (None, None, usize::MAX),
        ] {
            let hint = hint(&long);
            let packed = pack_hint(&hint, inputs, outputs);
            assert!(packed.len() < packed_max, "{packed}");
            assert_eq!(unpack_hint(&packed, inputs, outputs), hint);
        }
        let marked = format!("{{\"a\":\"{}\u{2}i\"}}", "x".repeat(40));
        assert_eq!(pack_hint(&marked, Some(&"x".repeat(40)), None), marked);
    }

    #[test]
    fn packing_is_undone_byte_for_byte() {
        let long = "say \"hi\"\n\u{1f4f6} and then some more text";
        let quoted = serde_json::to_string(long).unwrap();
        let answer = "\"the very same answer, forty times over\"";
        let spans = [
            span(
                long,
                format!("{{\"input.value\":{quoted},\"output.value\":{answer}}}"),
            ),
            span(long, format!("{{\"a\":[{quoted},{quoted}],\"k\":1}}")),
            span(
                "\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"",
                "{\"a\":[\"x\",\"\",\"\",\"\",\"\",\"y\"]}".into(),
            ),
            span("short", "{\"input.value\":\"short\"}".into()),
            span(long, format!("{{{quoted}:1,\"input.value\":{quoted}}}")),
        ];
        let batch = spans_batch(&spans).unwrap();
        let packed = pack(&batch).unwrap();
        let stored = text(&packed, "attributes").unwrap();
        assert!(stored.value(0).len() < 45, "{:?}", stored.value(0));
        assert_eq!(stored.value(3), "{\"input.value\":\"short\"}");
        assert_eq!(stored_members(stored.value(3)), Some(stored.value(3)));
        assert_eq!(
            stored_members(stored.value(1)),
            Some("{\"a\":[\u{2}i,\u{2}i],\"k\":1}")
        );
        assert_eq!(stored_members(stored.value(4)), None);
        let names: Vec<String> = batch
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        assert_eq!(restore(&packed, &names).unwrap(), batch);
    }
}
