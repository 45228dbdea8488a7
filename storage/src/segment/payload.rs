//! The large texts of a span in one stored column: its inputs, its outputs, its hint.
//!
//! The spans of a trace repeat each other's texts (a model is asked with what a retriever answered), so
//! they lie together, where compression sees them. Root spans, which are read alone to make datasets, have
//! a column of their own with small pages. A file says which rows are roots, and whether others have hints:
//! what folds a trace asks for hints alone, and need not read what other spans hold.
//!
//! Invariants:
//! * of each row, exactly one of the two columns has a value: `_root_payload` of a root, `_payload` else;
//! * a value is, for each of [`PARTS`], its length plus one as a varint, 0 for NULL, and then the texts;
//! * above this module and `decode` the columns are those of [`Table::schema`].

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, ByteView, RecordBatch,
    StringViewArray, StringViewBuilder, make_view,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::layout::{FORMAT_VERSION, WITHOUT_COST_SOURCE};
use super::preview::{PREVIEWS, RootPreviews};
use crate::columns::packing::{pack_hint, unpack_hint};
use crate::columns::{text, text_at};
use crate::error::Result;
use crate::schema::{COST_SOURCE, Table};

/// The columns that are stored together, in their order there.
const PARTS: [&str; 3] = ["inputs", "outputs", HINT];
const HINT: &str = "_hint";

/// The stored column of spans with a parent.
pub(super) const PAYLOAD: &str = "_payload";
/// The stored column of spans without one.
pub(super) const ROOT_PAYLOAD: &str = "_root_payload";

/// Texts up to this length lie in their view.
const INLINE_BYTES_MAX: usize = 12;

/// Where a column of a table lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the stored column at this position.
    Own(usize),
    /// In both payload columns, as this part.
    Part(usize),
    /// In the stored column at this position, where a root's text does not give it.
    Preview(usize),
    /// Nowhere: the file is older than the column, which follows from the costs at this position.
    CostSource(usize),
}

struct Stored {
    schema: SchemaRef,
    places: Vec<Place>,
}

static SPANS: LazyLock<Stored> = LazyLock::new(|| stored_spans(FORMAT_VERSION));
static SPANS_BEFORE: LazyLock<Stored> = LazyLock::new(|| stored_spans(WITHOUT_COST_SOURCE));

fn stored_spans(version: u32) -> Stored {
    let mut fields: Vec<Arc<Field>> = Vec::new();
    let mut places = Vec::new();
    for field in Table::Spans.schema().fields() {
        match PARTS.iter().position(|part| part == field.name()) {
            Some(part) => places.push(Place::Part(part)),
            // The costs are the column before it.
            None if version == WITHOUT_COST_SOURCE && field.name() == COST_SOURCE => {
                places.push(Place::CostSource(fields.len().saturating_sub(1)));
            }
            None => {
                places.push(Place::Own(fields.len()));
                fields.push(field.clone());
            }
        }
    }
    assert_eq!(
        places.len(),
        Table::Spans.schema().fields().len(),
        "each column of spans has a place"
    );
    let payload = |name| Arc::new(Field::new(name, DataType::BinaryView, true));
    fields.extend([payload(PAYLOAD), payload(ROOT_PAYLOAD)]);
    Stored {
        schema: Arc::new(Schema::new(fields)),
        places,
    }
}

/// Spans as files of a version have them.
fn spans_of(version: u32) -> &'static Stored {
    if version == WITHOUT_COST_SOURCE {
        &SPANS_BEFORE
    } else {
        &SPANS
    }
}

static PREVIEW_POSITIONS: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let schema = Table::Traces.schema();
    let positions: Vec<usize> = PREVIEWS
        .iter()
        .filter_map(|name| schema.index_of(name).ok())
        .collect();
    assert_eq!(
        positions.len(),
        PREVIEWS.len(),
        "traces have their previews"
    );
    positions
});

/// The schema of a table's file of a version.
pub(super) fn stored_schema(table: Table, version: u32) -> SchemaRef {
    match table {
        Table::Spans => spans_of(version).schema.clone(),
        Table::Traces | Table::Assessments => table.schema(),
    }
}

/// Where the column at `position` of the table's schema lies in a file of a version.
pub(super) fn place(table: Table, version: u32, position: usize) -> Place {
    match table {
        Table::Spans => {
            let places = &spans_of(version).places;
            assert!(
                position < places.len(),
                "column {position} is one of the {} of spans",
                places.len()
            );
            places
                .get(position)
                .copied()
                .unwrap_or(Place::Own(position))
        }
        Table::Traces if PREVIEW_POSITIONS.contains(&position) => Place::Preview(position),
        Table::Traces | Table::Assessments => Place::Own(position),
    }
}

/// Positions of the stored columns, in a file of a version, that have the payload of rows among which are spans
/// with a parent, or roots.
pub(super) fn payload_columns(
    version: u32,
    has_others: bool,
    has_roots: bool,
) -> impl Iterator<Item = usize> {
    let first = spans_of(version).schema.fields().len().saturating_sub(2);
    [(has_others, first), (has_roots, first + 1)]
        .into_iter()
        .filter_map(|(has, at)| has.then_some(at))
}

/// Whether a stored column is one of the large ones, which take the longest to encode.
pub(super) fn is_large(table: Table, column: &str) -> bool {
    table.is_heavy(column) || matches!(column, PAYLOAD | ROOT_PAYLOAD)
}

/// Whether this part is the hint.
pub(super) fn is_hint(part: usize) -> bool {
    PARTS.get(part) == Some(&HINT)
}

/// A spans batch in the columns of its file.
pub(super) struct StoredSpans {
    pub(super) batch: RecordBatch,
    pub(super) roots: Vec<RootPreviews>,
    /// Whether spans that are no roots have hints.
    pub(super) has_other_hints: bool,
}

/// A spans batch for its file; `first_row` is the number of its first row.
///
/// # Errors
/// `Internal` when the batch lacks a column.
pub(super) fn to_stored(batch: &RecordBatch, first_row: u32) -> Result<StoredSpans> {
    let [inputs, outputs, hints] = [
        text(batch, PARTS[0])?,
        text(batch, PARTS[1])?,
        text(batch, PARTS[2])?,
    ];
    let parents = text(batch, "parent_span_id")?;
    let mut columns = [builder(), builder()];
    let (mut roots, mut has_other_hints, mut value) = (Vec::new(), false, Vec::new());
    for (row, number) in (0..batch.num_rows()).zip(first_row..) {
        let (inputs, outputs) = (text_at(inputs, row), text_at(outputs, row));
        let hint = text_at(hints, row).map(|hint| pack_hint(hint, inputs, outputs));
        encode(&mut value, [inputs, outputs, hint.as_deref()]);
        let is_root = parents.is_null(row);
        let [others, own] = &mut columns;
        let (filled, empty) = if is_root {
            (own, others)
        } else {
            (others, own)
        };
        filled.try_append_value(&value)?;
        empty.append_null();
        if is_root {
            roots.push(RootPreviews::of(number, [inputs, outputs]));
        } else {
            has_other_hints |= hint.is_some();
        }
    }
    let schema = batch.schema();
    let kept = schema.fields().iter().zip(batch.columns());
    let kept = kept.filter(|(field, _)| !PARTS.contains(&field.name().as_str()));
    let mut arrays: Vec<ArrayRef> = kept.map(|(_, array)| array.clone()).collect();
    arrays.extend(
        columns
            .iter_mut()
            .map(|column| Arc::new(column.finish()) as ArrayRef),
    );
    let nulls: usize = arrays
        .iter()
        .rev()
        .take(columns.len())
        .map(|array| array.null_count())
        .sum();
    assert_eq!(
        nulls,
        batch.num_rows(),
        "of each row, exactly one of the two columns has a value"
    );
    let batch = RecordBatch::try_new(stored_schema(Table::Spans, FORMAT_VERSION), arrays)?;
    Ok(StoredSpans {
        batch,
        roots,
        has_other_hints,
    })
}

fn builder() -> BinaryViewBuilder {
    BinaryViewBuilder::new().with_fixed_block_size(1 << 20)
}

fn encode(value: &mut Vec<u8>, parts: [Option<&str>; 3]) {
    value.clear();
    for part in parts {
        let mut rest = part.map_or(0, |part| part.len() as u64 + 1);
        while rest >= 0x80 {
            value.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        value.push(rest as u8);
    }
    parts
        .iter()
        .flatten()
        .for_each(|part| value.extend_from_slice(part.as_bytes()));
    let has_length = |(at, part): (Option<(usize, usize)>, Option<&str>)| {
        at.map(|(start, end)| end - start) == part.map(str::len)
    };
    debug_assert!(
        split(value).is_some_and(|places| places.into_iter().zip(parts).all(has_length)),
        "a value comes apart again"
    );
}

/// Where the parts of a value are; `None` when it is none.
fn split(value: &[u8]) -> Option<[Option<(usize, usize)>; 3]> {
    let mut at = 0;
    let mut lengths = [None; 3];
    for length in &mut lengths {
        let mut number = 0_u64;
        for shift in (0..42).step_by(7) {
            let byte = *value.get(at)?;
            at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        *length = number.checked_sub(1);
    }
    let mut parts = [None; 3];
    for (part, length) in parts.iter_mut().zip(lengths) {
        let Some(length) = length else { continue };
        let end = usize::try_from(length)
            .ok()
            .and_then(|length| at.checked_add(length))?;
        *part = Some((at, end));
        at = end;
    }
    (at == value.len()).then_some(parts)
}

/// Rows of the payload columns.
pub(super) struct Payloads {
    columns: Vec<BinaryViewArray>,
    buffers: Arc<[Buffer]>,
    /// Of each row: its view with the buffer counted through all columns, and its parts.
    rows: Vec<Row>,
}

struct Row {
    column: usize,
    parts: [Option<(usize, usize)>; 3],
}

impl Payloads {
    /// Of `count` rows, from the payload columns that were read; `None` when they have not one good value for
    /// each row. With `roots_alone`, rows without a value are such that have none of the parts asked for.
    pub(super) fn new(arrays: &[ArrayRef], count: usize, roots_alone: bool) -> Option<Self> {
        let columns: Vec<BinaryViewArray> = arrays
            .iter()
            .map(|array| array.as_binary_view_opt().cloned())
            .collect::<Option<_>>()?;
        let mut rows = Vec::with_capacity(count);
        for row in 0..count {
            match columns
                .iter()
                .position(|column| column.len() > row && column.is_valid(row))
            {
                Some(column) => rows.push(Row {
                    column,
                    parts: split(columns.get(column)?.value(row))?,
                }),
                None if roots_alone => rows.push(Row {
                    column: 0,
                    parts: [None; 3],
                }),
                None => return None,
            }
        }
        let buffers = columns
            .iter()
            .flat_map(|column| column.data_buffers().iter().cloned())
            .collect();
        Some(Self {
            columns,
            buffers,
            rows,
        })
    }

    /// A part as the column it is; `None` when it is no text.
    pub(super) fn part(&self, part: usize) -> Option<ArrayRef> {
        if is_hint(part) {
            return self.hints();
        }
        let mut first_buffers = vec![0_u32];
        for column in &self.columns {
            first_buffers
                .push(first_buffers.last()? + u32::try_from(column.data_buffers().len()).ok()?);
        }
        let mut views = Vec::with_capacity(self.rows.len());
        for (number, row) in self.rows.iter().enumerate() {
            let Some((start, end)) = *row.parts.get(part)? else {
                views.push(0);
                continue;
            };
            let column = self.columns.get(row.column)?;
            let bytes = column.value(number).get(start..end)?;
            let whole = ByteView::from(*column.views().get(number)?);
            let place = if bytes.len() > INLINE_BYTES_MAX {
                (
                    first_buffers.get(row.column)? + whole.buffer_index,
                    whole.offset + u32::try_from(start).ok()?,
                )
            } else {
                (0, 0)
            };
            views.push(make_view(bytes, place.0, place.1));
        }
        let valid = NullBuffer::from_iter(
            self.rows
                .iter()
                .map(|row| row.parts.get(part).is_some_and(Option::is_some)),
        );
        let nulls = Some(valid).filter(|valid| valid.null_count() > 0);
        let array =
            StringViewArray::try_new(ScalarBuffer::from(views), self.buffers.clone(), nulls)
                .ok()?;
        Some(Arc::new(array))
    }

    fn hints(&self) -> Option<ArrayRef> {
        let mut texts = StringViewBuilder::with_capacity(self.rows.len());
        for (number, row) in self.rows.iter().enumerate() {
            if row.parts.iter().all(Option::is_none) {
                texts.append_null();
                continue;
            }
            let value = self.columns.get(row.column)?.value(number);
            let text = |part: Option<(usize, usize)>| match part {
                Some((start, end)) => Some(Some(std::str::from_utf8(value.get(start..end)?).ok()?)),
                None => Some(None),
            };
            let [inputs, outputs, hint] = row.parts;
            match text(hint)? {
                Some(hint) => texts.append_value(unpack_hint(hint, text(inputs)?, text(outputs)?)),
                None => texts.append_null(),
            }
        }
        Some(Arc::new(texts.finish()))
    }
}
