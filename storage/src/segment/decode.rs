//! Decodes columns of rows of one row group: the one place that runs the Parquet decoder over a
//! segment's files. Columns are named by their positions in the table's schema.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};

use super::footer::TableFile;
use super::payload::{Payloads, Place, is_hint};
use super::preview::{PREVIEWS, RUN, restore};
use crate::error::{Error, Result};
use crate::schema::{Table, cost_sources_before};

/// Light columns, at ascending positions, of a run of rows of row group `group`, `batch_rows` at a time.
/// `rows` are counted from the group's first.
///
/// # Errors
/// `Corrupt` naming the file; `Io`.
pub(super) fn decode(
    file: &TableFile,
    group: usize,
    rows: Range<usize>,
    batch_rows: usize,
    columns: &[usize],
) -> Result<Vec<RecordBatch>> {
    debug_assert!(
        columns.is_sorted_by(|a, b| a < b),
        "positions of columns ascend"
    );
    let places: Vec<Place> = columns.iter().map(|column| file.place(*column)).collect();
    let is_heavy = |place: &Place| matches!(place, Place::Part(_) | Place::Preview(_));
    if places.iter().any(is_heavy) {
        return Err(Error::internal("heavy columns are read for rows alone"));
    }
    let stored: Vec<usize> = stored_columns(&places)?.into_iter().collect();
    let batches = decode_stored(file, group, std::iter::once(rows), batch_rows, &stored)?;
    if places.iter().all(|place| matches!(place, Place::Own(_))) {
        return Ok(batches);
    }
    batches
        .iter()
        .map(|batch| as_placed(file, batch, &stored, &places))
        .collect()
}

/// The columns at these places, of a batch of the stored columns that give them.
fn as_placed(
    file: &TableFile,
    batch: &RecordBatch,
    stored: &[usize],
    places: &[Place],
) -> Result<RecordBatch> {
    let own = |position: usize| {
        let at = stored
            .binary_search(&position)
            .ok()
            .and_then(|at| batch.columns().get(at));
        at.ok_or_else(|| short(file, 0, batch.num_rows()))
    };
    let mut columns = Vec::with_capacity(places.len());
    for (number, place) in places.iter().enumerate() {
        let array = match place {
            Place::CostSource(costs) => Arc::new(cost_sources_before(own(*costs)?)),
            Place::Own(position) | Place::Part(position) | Place::Preview(position) => {
                own(*position)?.clone()
            }
        };
        columns.push((number.to_string(), array, true));
    }
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

/// Stored columns at ascending positions. `rows` are runs of rows, ascending.
fn decode_stored(
    file: &TableFile,
    group: usize,
    rows: impl Iterator<Item = Range<usize>>,
    batch_rows: usize,
    stored: &[usize],
) -> Result<Vec<RecordBatch>> {
    let (start, end) = file.group_rows(group);
    let input = file.input()?;
    let metadata = file.reader_metadata();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), stored.iter().copied());
    let selection = RowSelection::from_consecutive_ranges(rows, (end - start) as usize);
    input.decode(|| {
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(input.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(batch_rows)
            .with_row_selection(selection)
            .build()?;
        Ok(reader.collect::<std::result::Result<Vec<RecordBatch>, ArrowError>>()?)
    })
}

/// Columns at ascending positions of `row_count` rows of row group `group`, one array per column. `rows` are
/// runs of rows, ascending, counted from the group's first.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_rows(
    file: &TableFile,
    group: usize,
    rows: &[Range<usize>],
    row_count: usize,
    columns: &[usize],
) -> Result<Vec<ArrayRef>> {
    debug_assert!(
        columns.is_sorted_by(|a, b| a < b),
        "positions of columns ascend"
    );
    debug_assert_eq!(
        rows.iter().map(Range::len).sum::<usize>(),
        row_count,
        "runs have the rows"
    );
    let places: Vec<Place> = columns.iter().map(|column| file.place(*column)).collect();
    let has_payload = places.iter().any(|place| matches!(place, Place::Part(_)));
    let is_of_roots = |place: &Place| !matches!(place, Place::Part(part) if !is_hint(*part));
    let roots_alone = has_payload && file.hints_are_of_roots() && places.iter().all(is_of_roots);
    let mut stored = stored_columns(&places)?;
    if has_payload {
        let root_count = root_count(file, group, rows);
        assert!(root_count <= row_count as u64, "roots are among the rows");
        let has_others = root_count < row_count as u64 && !roots_alone;
        stored.extend(file.payload_columns(has_others, root_count > 0));
    }
    let stored: Vec<usize> = stored.into_iter().collect();
    let arrays = match stored.as_slice() {
        [] => Vec::new(),
        stored => {
            let batches = decode_stored(file, group, rows.iter().cloned(), row_count, stored)?;
            together(file, &batches, row_count, stored.len())?
        }
    };
    let own = |position: usize| {
        let at = stored
            .binary_search(&position)
            .ok()
            .and_then(|at| arrays.get(at));
        at.ok_or_else(|| short(file, 0, row_count))
    };
    let payloads = if has_payload {
        let payloads: Vec<ArrayRef> = file
            .payload_columns(true, true)
            .filter_map(|column| own(column).ok().cloned())
            .collect();
        Some(Payloads::new(&payloads, row_count, roots_alone).ok_or_else(|| damaged(file))?)
    } else {
        None
    };
    let mut previews = previews(file, &places, own)?.into_iter();
    let array = |place: &Place| match (place, &payloads) {
        (Place::Part(part), Some(payloads)) => payloads.part(*part).ok_or_else(|| damaged(file)),
        (Place::Own(position), _) => own(*position).cloned(),
        (Place::CostSource(costs), _) => {
            Ok(Arc::new(cost_sources_before(own(*costs)?)) as ArrayRef)
        }
        _ => previews.next().ok_or_else(|| short(file, 0, row_count)),
    };
    let columns: Vec<ArrayRef> = places.iter().map(array).collect::<Result<_>>()?;
    debug_assert!(
        columns.iter().all(|column| column.len() == row_count),
        "columns have the rows"
    );
    Ok(columns)
}

/// The positions of the stored columns that give columns at these places, but for payloads.
fn stored_columns(places: &[Place]) -> Result<BTreeSet<usize>> {
    let mut stored = BTreeSet::new();
    for place in places {
        match place {
            Place::Part(_) => {}
            Place::Own(position) | Place::CostSource(position) => {
                stored.insert(*position);
            }
            Place::Preview(position) => {
                stored.insert(*position);
                stored.extend(run_columns()?);
            }
        }
    }
    Ok(stored)
}

fn run_columns() -> Result<[usize; 2]> {
    let schema = Table::Traces.schema();
    Ok([schema.index_of(RUN[0])?, schema.index_of(RUN[1])?])
}

/// The columns at those of the places that are previews, in their order.
fn previews<'a>(
    file: &TableFile,
    places: &[Place],
    own: impl Fn(usize) -> Result<&'a ArrayRef>,
) -> Result<Vec<ArrayRef>> {
    let schema = Table::Traces.schema();
    let mut wanted = Vec::new();
    for place in places {
        let Place::Preview(position) = place else {
            continue;
        };
        let name = schema
            .fields()
            .get(*position)
            .map(|field| field.name().as_str());
        let preview = PREVIEWS.iter().position(|preview| Some(*preview) == name);
        let preview =
            preview.ok_or_else(|| Error::internal(format!("column {position} is no preview")))?;
        wanted.push((preview, own(*position)?));
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let [first, count] = run_columns()?;
    restore(file, [own(first)?, own(count)?], &wanted)
}

/// How many of the rows are root spans.
fn root_count(file: &TableFile, group: usize, rows: &[Range<usize>]) -> u64 {
    let (start, end) = file.group_rows(group);
    let row = |row: usize| u32::try_from(row).map_or(end, |row| start.saturating_add(row));
    rows.iter()
        .map(|run| file.roots().range_cardinality(row(run.start)..row(run.end)))
        .sum()
}

/// All rows of each column in one array; there must be `row_count` of them.
fn together(
    file: &TableFile,
    batches: &[RecordBatch],
    row_count: usize,
    column_count: usize,
) -> Result<Vec<ArrayRef>> {
    let mut columns = Vec::with_capacity(column_count);
    for position in 0..column_count {
        let pieces: Vec<&dyn Array> = batches
            .iter()
            .filter_map(|batch| batch.columns().get(position).map(AsRef::as_ref))
            .collect();
        let column = match (pieces.as_slice(), batches.first()) {
            ([_], Some(batch)) => batch.column(position).clone(),
            ([], _) => return Err(short(file, 0, row_count)),
            (pieces, _) => concat(pieces)?,
        };
        if column.len() != row_count {
            return Err(short(file, column.len(), row_count));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn damaged(file: &TableFile) -> Error {
    Error::corrupt(format!(
        "segment file {} has a row whose payload cannot be decoded",
        file.name()
    ))
}

/// The error for a file that gives fewer rows than its footer says.
pub(super) fn short(file: &TableFile, found: usize, expected: usize) -> Error {
    Error::corrupt(format!(
        "segment file {} gives {found} rows where it has {expected}",
        file.name()
    ))
}
