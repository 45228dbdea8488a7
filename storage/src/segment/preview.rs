//! Previews of traces without the texts that their root spans have.
//!
//! Most previews are the beginning of what the root was asked and answered, and the root lies in the same
//! segment. `traces.parquet` has a mark in their place; reading takes the text from `spans.parquet`.
//!
//! Invariants:
//! * a mark is written only where the preview equals what reading will make of the root, by a 128-bit hash;
//! * U+0001 alone is the mark; a preview that begins with U+0001 is stored with one more of it;
//! * the root is the first root span in the trace's run of spans, as `_first_span_row` and `_span_rows` have it;
//! * without spans (repair leaves them out when their file is damaged) such a preview is NULL.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, StringViewBuilder,
};
use arrow::datatypes::Int64Type;
use roaring::RoaringBitmap;
use twox_hash::XxHash3_128;

use super::decode::decode_rows;
use super::footer::TableFile;
use crate::columns::{ints, text, text_at, value_at};
use crate::error::{Error, Result};
use crate::model::cut_preview;
use crate::schema::Table;

/// The columns of `traces` that may be marks, and those of the root span that they are taken from.
pub(super) const PREVIEWS: [&str; 2] = ["request_preview", "response_preview"];
const SOURCES: [&str; 2] = ["inputs", "outputs"];
/// The columns of `traces` that tell where the root is.
pub(super) const RUN: [&str; 2] = ["_first_span_row", "_span_rows"];

const MARK: &str = "\u{1}";
/// Shorter previews are left alone: a mark would save nothing.
const TEXT_BYTES_MIN: usize = 8;

/// What the previews of a root span's trace would be.
#[derive(Debug)]
pub(super) struct RootPreviews {
    pub(super) row: u32,
    hashes: [Option<u128>; 2],
}

impl RootPreviews {
    /// The previews of the root span at `row` with these inputs and outputs.
    pub(super) fn of(row: u32, texts: [Option<&str>; 2]) -> Self {
        Self {
            row,
            hashes: texts.map(|text| text.map(|text| hash(&cut_preview(text)))),
        }
    }
}

fn hash(preview: &str) -> u128 {
    XxHash3_128::oneshot(preview.as_bytes())
}

/// A traces batch in the form it is stored in. `roots` are those of the same segment's spans, ascending.
///
/// # Errors
/// `Internal` when the batch lacks a column.
pub(super) fn to_stored(batch: &RecordBatch, roots: &[RootPreviews]) -> Result<RecordBatch> {
    debug_assert!(
        roots.is_sorted_by(|a, b| a.row < b.row),
        "roots are in the order of their rows"
    );
    let runs = Runs {
        first: ints(batch, RUN[0])?,
        count: ints(batch, RUN[1])?,
    };
    let root_of = |row: usize| {
        let (first, end) = runs.at(row)?;
        let at = roots.partition_point(|root| root.row < first);
        roots.get(at).filter(|root| root.row < end)
    };
    let mut columns = batch.columns().to_vec();
    for (preview, name) in PREVIEWS.iter().enumerate() {
        let texts = text(batch, name)?;
        let mut stored = StringViewBuilder::with_capacity(texts.len());
        for row in 0..texts.len() {
            let Some(text) = text_at(texts, row) else {
                stored.append_null();
                continue;
            };
            let known = || root_of(row).and_then(|root| *root.hashes.get(preview)?);
            if text.len() >= TEXT_BYTES_MIN && known() == Some(hash(text)) {
                stored.append_value(MARK);
            } else if text.starts_with(MARK) {
                stored.append_value(format!("{MARK}{text}"));
            } else {
                stored.append_value(text);
            }
        }
        if let Some(column) = columns.get_mut(batch.schema().index_of(name)?) {
            *column = Arc::new(stored.finish());
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Where the spans of traces are.
struct Runs<'a> {
    first: &'a Int64Array,
    count: &'a Int64Array,
}

impl Runs<'_> {
    /// First row and one past the last; `None` when the trace has no spans here.
    fn at(&self, row: usize) -> Option<(u32, u32)> {
        let first = u32::try_from(value_at(self.first, row)?).ok()?;
        let count = u32::try_from(value_at(self.count, row)?).ok()?;
        Some((first, first.checked_add(count)?))
    }
}

/// Stored previews as they were given to [`to_stored`]. `run` are the columns [`RUN`], `wanted` stored columns
/// with their place in [`PREVIEWS`].
///
/// # Errors
/// `Corrupt` naming the spans file when it is damaged or has no such root; `Io`.
pub(super) fn restore(
    traces: &TableFile,
    run: [&ArrayRef; 2],
    wanted: &[(usize, &ArrayRef)],
) -> Result<Vec<ArrayRef>> {
    let stored: Vec<&StringViewArray> = wanted
        .iter()
        .map(|(_, array)| array.as_string_view_opt())
        .collect::<Option<_>>()
        .ok_or_else(mistyped)?;
    let [first, count] = run.map(|array| array.as_primitive_opt::<Int64Type>());
    let runs = Runs {
        first: first.ok_or_else(mistyped)?,
        count: count.ok_or_else(mistyped)?,
    };
    let rows = stored.first().map_or(0, |texts| texts.len());
    let is_marked = |row: usize| stored.iter().any(|texts| text_at(texts, row) == Some(MARK));
    let spans = if (0..rows).any(is_marked) {
        traces.spans()?
    } else {
        None
    };
    let root = |row: usize| -> Result<Option<u32>> {
        let Some(spans) = spans.as_ref().filter(|_| is_marked(row)) else {
            return Ok(None);
        };
        let root = runs
            .at(row)
            .and_then(|(first, end)| spans.roots().range(first..end).next());
        root.map(Some).ok_or_else(|| no_root(spans))
    };
    let roots: Vec<Option<u32>> = (0..rows).map(root).collect::<Result<_>>()?;
    let parts: Vec<usize> = wanted.iter().map(|(preview, _)| *preview).collect();
    let read = match &spans {
        Some(spans) => RootTexts::read(spans, roots.iter().flatten().copied().collect(), &parts)?,
        None => RootTexts {
            rows: RoaringBitmap::new(),
            pieces: Vec::new(),
        },
    };
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(stored.len());
    for (column, texts) in stored.iter().enumerate() {
        let mut previews = StringViewBuilder::with_capacity(rows);
        for (row, root) in roots.iter().enumerate() {
            match (text_at(texts, row), root) {
                (Some(MARK), Some(root)) => {
                    previews.append_option(read.text(*root, column).map(cut_preview))
                }
                (Some(MARK), None) | (None, _) => previews.append_null(),
                (Some(text), _) => previews.append_value(text.strip_prefix(MARK).unwrap_or(text)),
            }
        }
        columns.push(Arc::new(previews.finish()));
    }
    Ok(columns)
}

fn mistyped() -> Error {
    Error::internal("previews or their runs have another type")
}

fn no_root(spans: &TableFile) -> Error {
    Error::corrupt(format!(
        "segment file {} has no root span where traces have its preview",
        spans.name()
    ))
}

/// Inputs or outputs of root spans.
struct RootTexts {
    rows: RoaringBitmap,
    /// By row group: the rank of its first row, and its columns.
    pieces: Vec<(u64, Vec<ArrayRef>)>,
}

impl RootTexts {
    fn read(spans: &TableFile, rows: RoaringBitmap, parts: &[usize]) -> Result<Self> {
        let schema = Table::Spans.schema();
        let names = parts.iter().filter_map(|part| SOURCES.get(*part));
        let columns: Vec<usize> = names
            .map(|name| schema.index_of(name))
            .collect::<std::result::Result<_, _>>()?;
        let (mut pieces, mut rank) = (Vec::new(), 0);
        for group in 0..spans.group_count() {
            let (start, end) = spans.group_rows(group);
            let runs: Vec<_> = rows
                .range(start..end)
                .map(|row| (row - start) as usize)
                .map(|row| row..row + 1)
                .collect();
            if !runs.is_empty() {
                pieces.push((
                    rank,
                    decode_rows(spans, group, &runs, runs.len(), &columns)?,
                ));
                rank += runs.len() as u64;
            }
        }
        assert_eq!(rank, rows.len(), "each root is in a row group");
        Ok(Self { rows, pieces })
    }

    fn text(&self, row: u32, column: usize) -> Option<&str> {
        let rank = self.rows.rank(row).checked_sub(1)?;
        let (first, columns) = self.pieces.iter().rfind(|(first, _)| *first <= rank)?;
        text_at(
            columns.get(column)?.as_string_view_opt()?,
            usize::try_from(rank - first).ok()?,
        )
    }
}
