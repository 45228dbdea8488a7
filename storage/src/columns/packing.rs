//! Attributes and hints without the texts that the inputs and outputs columns hold already.
//!
//! A producer sends inputs and outputs as attributes, so `attributes` repeats both, JSON-escaped, and the
//! hint of a root has the beginning of both as previews. As stored, in memory, the log and segments, each such
//! repetition in attributes is a short mark, in a segment file also that in a hint; reading puts the text back, byte for byte.
//!
//! What such a text looks like is said in `packed`.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::record_batch::RecordBatch;

use super::text_at;
use crate::error::{Error, Result};
use crate::model::cut_preview;
use crate::packed::{PACKED, SOURCES, packed, packed_attributes, unpacked, whole_attributes};
use crate::scan::{RowFilter, ScanRequest};

/// A spans batch in the form it is stored in; one that has it stays as it is.
///
/// # Errors
/// `Internal` when the batch lacks a column.
pub(crate) fn pack(batch: &RecordBatch) -> Result<RecordBatch> {
    let sources = sources(batch)?;
    replace_attributes(batch, |row, attributes| {
        let [inputs, outputs] = sources.map(|texts| text_at(texts, row));
        packed_attributes(attributes, inputs, outputs)
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

/// A hint with marks where it has the previews of these texts.
pub(crate) fn pack_hint<'a>(
    hint: &'a str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Cow<'a, str> {
    let previews = [inputs, outputs].map(|text| text.map(cut_preview));
    let Some(stored) = packed(hint, previews.each_ref().map(Option::as_deref)) else {
        return Cow::Borrowed(hint);
    };
    debug_assert_eq!(
        unpack_hint(&stored, inputs, outputs),
        hint,
        "what is packed reads back byte for byte"
    );
    Cow::Owned(stored)
}

/// What was given to [`pack_hint`] with the same texts.
pub(crate) fn unpack_hint<'a>(
    hint: &'a str,
    inputs: Option<&str>,
    outputs: Option<&str>,
) -> Cow<'a, str> {
    if !hint.starts_with(PACKED) {
        return Cow::Borrowed(hint);
    }
    let previews = [inputs, outputs].map(|text| text.map(cut_preview));
    unpacked(hint, previews.each_ref().map(Option::as_deref))
        .map_or(Cow::Borrowed(hint), Cow::Owned)
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
    use crate::packed::stored_members;

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
