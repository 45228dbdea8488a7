//! Decodes columns of rows of one row group: the one place that runs the Parquet decoder over a
//! segment's files.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::compute::concat;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};

use super::footer::TableFile;
use crate::error::{Error, Result};

/// The columns at `roots` (ascending positions in the stored schema) of rows of row group `group`,
/// `batch_rows` at a time. `rows` are runs of rows, ascending, counted from the group's first.
///
/// # Errors
/// `Corrupt` naming the file; `Io`.
pub(super) fn decode(
    file: &TableFile,
    group: usize,
    rows: impl Iterator<Item = Range<usize>>,
    batch_rows: usize,
    roots: &[usize],
) -> Result<Vec<RecordBatch>> {
    let (start, end) = file.group_rows(group);
    let input = file.input()?;
    let metadata = file.reader_metadata();
    let mask = ProjectionMask::roots(metadata.parquet_schema(), roots.iter().copied());
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

/// As [`decode`], all rows in one array per column; there must be `row_count` of them.
///
/// # Errors
/// As [`decode`].
pub(super) fn decode_rows(
    file: &TableFile,
    group: usize,
    rows: impl Iterator<Item = Range<usize>>,
    row_count: usize,
    roots: &[usize],
) -> Result<Vec<ArrayRef>> {
    let batches = decode(file, group, rows, row_count, roots)?;
    let mut columns = Vec::with_capacity(roots.len());
    for position in 0..roots.len() {
        let pieces: Vec<&dyn arrow::array::Array> =
            batches.iter().filter_map(|batch| batch.columns().get(position).map(AsRef::as_ref)).collect();
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

/// The error for a file that gives fewer rows than its footer says.
pub(super) fn short(file: &TableFile, found: usize, expected: usize) -> Error {
    Error::corrupt(format!("segment file {} gives {found} rows where it has {expected}", file.name()))
}
