//! An append-only sequence of Arrow rows with stable row numbers, a mask of superseded rows, and an
//! index by trace in each chunk.
//!
//! Chunks are immutable and shared with snapshots. Small neighbours are merged as they come, so that
//! a thousand one-row appends leave a dozen chunks; merging never changes a row number.
//!
//! **Invariants** (1) chunk bases are ascending and contiguous; (2) a chunk's index has one entry per
//! row, sorted by (key, row).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewArray, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::{concat_batches, interleave_record_batch, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use roaring::RoaringBitmap;

use crate::columns::packing;
use crate::columns::required_text;
use crate::error::{Error, Result};
use crate::model::{TraceKey, row_number};
use crate::scan::{BATCH_ROWS, RowFilter, RowStream, STORED_ATTRIBUTES, ScanFigures, ScanRequest};
use crate::schema::Table;

/// Neighbouring chunks are merged up to this size, so a merge copies a bounded number of rows.
const MERGED_ROWS_MAX: usize = BATCH_ROWS;

#[derive(Debug)]
struct Chunk {
    base: u32,
    batch: RecordBatch,
    /// (trace, row in this chunk), sorted.
    index: Vec<(TraceKey, u32)>,
    bytes: usize,
}

impl Chunk {
    fn new(base: u32, batch: RecordBatch) -> Result<Self> {
        let ids = required_text(&batch, "trace_id")?;
        let mut index: Vec<(TraceKey, u32)> = ids
            .iter()
            .zip(0u32..)
            .map(|(id, row)| (TraceKey::of(id), row))
            .collect();
        index.sort_unstable();
        assert_eq!(
            index.len(),
            batch.num_rows(),
            "(2) the index of a chunk has an entry for each row"
        );
        let bytes = batch.get_array_memory_size() + index.len() * size_of::<(TraceKey, u32)>();
        Ok(Self {
            base,
            batch,
            index,
            bytes,
        })
    }

    fn rows_of(&self, key: TraceKey) -> impl Iterator<Item = u32> + '_ {
        let start = self.index.partition_point(|(other, _)| *other < key);
        self.index
            .iter()
            .skip(start)
            .take_while(move |(other, _)| *other == key)
            .map(|(_, row)| self.base + row)
    }
}

/// The rows of one table in memory.
#[derive(Debug, Clone)]
pub struct RowLog {
    table: Table,
    chunks: Vec<Arc<Chunk>>,
    rows: u32,
    mask: Arc<RoaringBitmap>,
}

impl RowLog {
    /// An empty log of `table`.
    pub fn new(table: Table) -> Self {
        Self {
            table,
            chunks: Vec::new(),
            rows: 0,
            mask: Arc::default(),
        }
    }

    /// Rows ever appended.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Rows superseded or deleted within this log.
    pub fn mask(&self) -> &Arc<RoaringBitmap> {
        &self.mask
    }

    /// Memory held by the chunks, in bytes.
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes).sum()
    }

    /// Appends a batch of the stored schema and gives the number of its first row.
    ///
    /// # Errors
    /// `Internal` when the batch has another schema or the log is full (2^32 rows).
    pub fn append(&mut self, batch: RecordBatch) -> Result<u32> {
        debug_assert_eq!(
            batch.schema_ref().fields(),
            self.table.schema().fields(),
            "rows are as they are stored"
        );
        let base = self.rows;
        if batch.num_rows() == 0 {
            return Ok(base);
        }
        let rows = base.checked_add(row_number(batch.num_rows())?);
        let rows = rows
            .ok_or_else(|| Error::internal(format!("memtable of {} is full", self.table.name())))?;
        self.chunks.push(Arc::new(Chunk::new(base, batch)?));
        self.rows = rows;
        self.merge_tail()?;
        let end = self
            .chunks
            .last()
            .map(|chunk| chunk.base as usize + chunk.batch.num_rows());
        assert_eq!(
            end,
            Some(self.rows as usize),
            "(1) the last chunk ends with the last row"
        );
        debug_assert!(
            self.chunks
                .is_sorted_by(|a, b| a.base as usize + a.batch.num_rows() == b.base as usize),
            "(1) chunk bases are ascending and contiguous"
        );
        Ok(base)
    }

    /// Merges the last two chunks while the last is at least half of the one before it.
    fn merge_tail(&mut self) -> Result<()> {
        while let [.., left, right] = self.chunks.as_slice() {
            let (left_rows, right_rows) = (left.batch.num_rows(), right.batch.num_rows());
            if left_rows + right_rows > MERGED_ROWS_MAX || right_rows * 2 < left_rows {
                break;
            }
            let batch = concat_batches(&self.table.schema(), [&left.batch, &right.batch])?;
            let merged = Chunk::new(left.base, compact(&batch)?)?;
            assert_eq!(
                merged.batch.num_rows(),
                left_rows + right_rows,
                "merging changes no row number"
            );
            self.chunks.truncate(self.chunks.len() - 2);
            self.chunks.push(Arc::new(merged));
        }
        Ok(())
    }

    /// Marks a row as superseded or deleted.
    pub fn mask_row(&mut self, row: u32) {
        assert!(
            row < self.rows,
            "ST-3: row {row} of {} is masked",
            self.rows
        );
        let is_new = Arc::make_mut(&mut self.mask).insert(row);
        debug_assert!(
            is_new,
            "ST-3: row {row} was visible until it was superseded"
        );
    }

    /// The rows of a trace that this log does not mask.
    pub fn rows_of(&self, key: TraceKey) -> RoaringBitmap {
        let rows = self.all_rows_of(key);
        if self.mask.is_empty() {
            rows
        } else {
            rows - self.mask.as_ref()
        }
    }

    /// All rows of a trace.
    pub fn all_rows_of(&self, key: TraceKey) -> RoaringBitmap {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.rows_of(key))
            .collect()
    }

    /// The chunk that holds `row`, by position, and the row inside it.
    fn locate(&self, row: u32) -> Result<(usize, usize)> {
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.base <= row)
            .checked_sub(1);
        let found = chunk.and_then(|index| {
            self.chunks
                .get(index)
                .map(|chunk| (index, (row - chunk.base) as usize))
        });
        match found {
            Some((index, inside)) if row < self.rows => Ok((index, inside)),
            _ => Err(self.no_row(row)),
        }
    }

    fn no_row(&self, row: u32) -> Error {
        Error::internal(format!(
            "row {row} of {} rows of {}",
            self.rows,
            self.table.name()
        ))
    }

    /// These rows, in the given order, with `columns`.
    ///
    /// # Errors
    /// `Internal` for a row that does not exist, `InvalidInput` for an unknown column.
    pub fn gather(&self, rows: &[u32], columns: &[&str]) -> Result<RecordBatch> {
        let asked: Vec<String> = columns.iter().map(|column| column.to_string()).collect();
        if self.table != Table::Spans || !packing::reads_attributes(&asked) {
            return self.gather_stored(rows, columns);
        }
        let stored = packing::widened(&asked);
        let stored: Vec<&str> = stored.iter().map(String::as_str).collect();
        packing::restore(&self.gather_stored(rows, &stored)?, &asked)
    }

    /// As [`RowLog::gather`], with attributes as they are stored.
    fn gather_stored(&self, rows: &[u32], columns: &[&str]) -> Result<RecordBatch> {
        let schema = projected_schema(&self.table.schema(), columns)?;
        if rows.is_empty() {
            return Ok(RecordBatch::new_empty(schema));
        }
        let mut used: BTreeMap<usize, usize> = BTreeMap::new();
        let mut batches = Vec::new();
        let mut indices = Vec::with_capacity(rows.len());
        for row in rows {
            let (chunk, inside) = self.locate(*row)?;
            let batch = match used.get(&chunk) {
                Some(batch) => *batch,
                None => {
                    let source = self.chunks.get(chunk).ok_or_else(|| self.no_row(*row))?;
                    batches.push(project(&source.batch, columns)?);
                    used.insert(chunk, batches.len() - 1);
                    batches.len() - 1
                }
            };
            indices.push((batch, inside));
        }
        assert_eq!(
            indices.len(),
            rows.len(),
            "each row that is asked for is given"
        );
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        Ok(interleave_record_batch(&batches, &indices)?)
    }

    /// Scans the log; `mask` are the rows to leave out (it includes this log's own).
    ///
    /// # Errors
    /// `InvalidInput` for an unknown column.
    pub fn scan(&self, request: &ScanRequest, mask: Option<&RoaringBitmap>) -> Result<RowStream> {
        if self.table != Table::Spans || !packing::concerns(request) {
            return self.scan_stored(request, mask);
        }
        let (stored, columns) = (packing::stored_request(request), request.columns.clone());
        let batches = self.scan_stored(&stored, mask)?;
        Ok(Box::new(
            batches.map(move |batch| packing::restore(&batch?, &columns)),
        ))
    }

    fn scan_stored(
        &self,
        request: &ScanRequest,
        mask: Option<&RoaringBitmap>,
    ) -> Result<RowStream> {
        let names: Vec<&str> = request.columns.iter().map(String::as_str).collect();
        projected_schema(&self.table.schema(), &names)?;
        let batch_rows = if request.batch_rows == 0 {
            BATCH_ROWS
        } else {
            request.batch_rows
        };
        let mut pieces = Vec::new();
        for chunk in &self.chunks {
            let rows = row_number(chunk.batch.num_rows())?;
            for start in (0..rows).step_by(batch_rows) {
                let length = row_number(batch_rows.min((rows - start) as usize))?;
                let selected = selection(chunk.base + start, length, request.rows.as_ref(), mask);
                if selected.as_ref().is_none_or(|rows| !rows.is_empty()) {
                    pieces.push(Piece {
                        chunk: chunk.clone(),
                        start,
                        length,
                        selected,
                    });
                }
            }
        }
        let request = request.clone();
        Ok(Box::new(
            pieces
                .into_iter()
                .filter_map(move |piece| piece.read(&request).transpose()),
        ))
    }
}

/// Copies the texts of a batch into buffers of their own where that takes less room: those of many small
/// batches are mostly empty blocks, but a text that repeats is there once.
pub fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    let held = |texts: &StringViewArray| {
        texts
            .data_buffers()
            .iter()
            .map(Buffer::capacity)
            .sum::<usize>()
    };
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.as_string_view_opt() {
            Some(texts) if texts.total_buffer_bytes_used() < held(texts) => {
                Arc::new(texts.gc()) as ArrayRef
            }
            _ => column.clone(),
        });
    Ok(RecordBatch::try_new(batch.schema(), columns.collect())?)
}

/// A run of rows of one chunk and the rows of it that are wanted (`None` = all), relative to it.
struct Piece {
    chunk: Arc<Chunk>,
    start: u32,
    length: u32,
    selected: Option<Vec<u32>>,
}

impl Piece {
    fn read(self, request: &ScanRequest) -> Result<Option<RecordBatch>> {
        debug_assert!(
            self.selected.iter().flatten().all(|row| *row < self.length),
            "rows are counted from the piece's first"
        );
        let slice = self
            .chunk
            .batch
            .slice(self.start as usize, self.length as usize);
        let first = self.chunk.base + self.start;
        let mut rows = self.selected;
        if let Some(counters) = &request.counters {
            let rows = rows
                .as_ref()
                .map_or(u64::from(self.length), |rows| rows.len() as u64);
            counters.add(ScanFigures {
                rows,
                ..ScanFigures::default()
            });
        }
        for filter in &request.filters {
            rows = Some(keep(&slice, first, rows, filter)?);
            if rows.as_ref().is_some_and(Vec::is_empty) {
                return Ok(None);
            }
        }
        let names: Vec<&str> = request.columns.iter().map(String::as_str).collect();
        select(&slice, first, rows, &names).map(Some)
    }
}

/// The rows of `[first, first + length)` that are wanted, relative to `first`; `None` = all.
fn selection(
    first: u32,
    length: u32,
    rows: Option<&RoaringBitmap>,
    mask: Option<&RoaringBitmap>,
) -> Option<Vec<u32>> {
    // Fits: the rows of a log have numbers of 32 bits, and so has what is behind the last.
    debug_assert!(
        first.checked_add(length).is_some(),
        "row {first} and {length} more of one log"
    );
    let end = first + length;
    let masked = mask.is_some_and(|mask| mask.range_cardinality(first..end) > 0);
    match rows {
        None if !masked => None,
        None => Some(
            (0..length)
                .filter(|row| !mask.is_some_and(|mask| mask.contains(first + row)))
                .collect(),
        ),
        Some(rows) => Some(
            rows.range(first..end)
                .filter(|row| !mask.is_some_and(|mask| mask.contains(*row)))
                .map(|row| row - first)
                .collect(),
        ),
    }
}

fn keep(
    slice: &RecordBatch,
    first: u32,
    rows: Option<Vec<u32>>,
    filter: &RowFilter,
) -> Result<Vec<u32>> {
    let names: Vec<&str> = filter.columns.iter().map(String::as_str).collect();
    let batch = select(slice, first, rows.clone(), &names)?;
    let kept = (filter.keep)(&batch)?;
    if kept.len() != batch.num_rows() {
        let (answered, asked) = (kept.len(), batch.num_rows());
        return Err(Error::internal(format!(
            "a filter answered {answered} rows of {asked}"
        )));
    }
    let survivors = kept
        .iter()
        .enumerate()
        .filter(|(_, keep)| *keep == Some(true))
        .map(|(index, _)| index);
    Ok(match rows {
        Some(rows) => survivors
            .filter_map(|index| rows.get(index).copied())
            .collect(),
        None => survivors.map(|index| index as u32).collect(),
    })
}

/// `columns` of the chosen rows of a slice whose first physical row is `first`.
fn select(
    slice: &RecordBatch,
    first: u32,
    rows: Option<Vec<u32>>,
    columns: &[&str],
) -> Result<RecordBatch> {
    let schema = projected_schema(&slice.schema(), columns)?;
    let count = rows.as_ref().map_or(slice.num_rows(), Vec::len);
    let indices = rows.map(UInt32Array::from);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for column in columns {
        arrays.push(match (slice.column_by_name(own_name(column)), &indices) {
            (Some(array), Some(indices)) => take(array.as_ref(), indices, None)?,
            (Some(array), None) => array.clone(),
            (None, Some(indices)) => Arc::new(UInt32Array::from_iter_values(
                indices.values().iter().map(|i| first + i),
            )),
            (None, None) => Arc::new(UInt32Array::from_iter_values(first..first + count as u32)),
        });
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(count));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

fn project(batch: &RecordBatch, columns: &[&str]) -> Result<RecordBatch> {
    let mut indices = Vec::with_capacity(columns.len());
    for column in columns {
        indices.push(
            batch
                .schema()
                .index_of(own_name(column))
                .map_err(|_| unknown_column(column))?,
        );
    }
    let projected = batch.project(&indices)?;
    let schema = projected_schema(batch.schema_ref(), columns)?;
    Ok(RecordBatch::try_new(schema, projected.columns().to_vec())?)
}

/// The schema of `columns`, where `_row` is the physical row number.
///
/// # Errors
/// `InvalidInput` for an unknown column.
pub fn projected_schema(schema: &Schema, columns: &[&str]) -> Result<SchemaRef> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        fields.push(match schema.column_with_name(own_name(column)) {
            Some((index, _)) => schema.field(index).clone().with_name(*column),
            None if *column == "_row" => Field::new("_row", DataType::UInt32, false),
            None => return Err(unknown_column(column)),
        });
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The name of a column in the batches, whose attributes are packed (see `packing`).
fn own_name(column: &str) -> &str {
    if column == STORED_ATTRIBUTES {
        "attributes"
    } else {
        column
    }
}

fn unknown_column(column: &str) -> Error {
    Error::invalid_input(format!("unknown column {column}"))
}

#[cfg(test)]
mod tests {
    use arrow::array::BooleanArray;
    use arrow::datatypes::UInt32Type;

    use super::*;
    use crate::columns::{spans_batch, text};
    use crate::model::Span;

    fn log(spans: usize) -> RowLog {
        let mut log = RowLog::new(Table::Spans);
        for i in 0..spans {
            let span = Span {
                trace_id: format!("t{}", i % 7),
                span_id: format!("s{i}"),
                ..Span::default()
            };
            assert_eq!(log.append(spans_batch(&[span]).unwrap()).unwrap(), i as u32);
        }
        log
    }

    fn rows(log: &RowLog, request: &ScanRequest, mask: Option<&RoaringBitmap>) -> Vec<u32> {
        let batches: Vec<RecordBatch> = log
            .scan(request, mask)
            .unwrap()
            .collect::<Result<_>>()
            .unwrap();
        batches
            .iter()
            .flat_map(|b| {
                b.column_by_name("_row")
                    .unwrap()
                    .as_primitive::<UInt32Type>()
                    .values()
                    .to_vec()
            })
            .collect()
    }

    #[test]
    fn many_small_appends_leave_few_chunks_and_stable_numbers() {
        let log = log(300);
        assert!(log.chunks.len() < 12, "{} chunks", log.chunks.len());
        assert!(
            log.bytes() < 300 * 2000,
            "{} bytes for 300 small spans",
            log.bytes()
        );
        let key = TraceKey::of("t3");
        let found: Vec<u32> = log.rows_of(key).iter().collect();
        assert_eq!(found, (0..300).filter(|i| i % 7 == 3).collect::<Vec<u32>>());
        let gathered = log.gather(&[299, 0, 150], &["span_id"]).unwrap();
        let ids: Vec<_> = text(&gathered, "span_id")
            .unwrap()
            .iter()
            .flatten()
            .collect();
        assert_eq!(ids, ["s299", "s0", "s150"]);
    }

    #[test]
    fn scans_honour_rows_mask_and_filters() {
        let mut log = log(50);
        log.mask_row(4);
        let mut request = ScanRequest::columns(["_row"]);
        request.batch_rows = 7;
        assert_eq!(rows(&log, &request, Some(log.mask().as_ref())).len(), 49);
        request.rows = Some((0..10).collect());
        let odd = RowFilter {
            columns: vec!["_row".into()],
            keep: Arc::new(|batch| {
                let rows = batch.column(0).as_primitive::<UInt32Type>();
                Ok(BooleanArray::from_iter(
                    rows.values().iter().map(|row| Some(row % 2 == 0)),
                ))
            }),
        };
        request.filters = vec![odd];
        assert_eq!(
            rows(&log, &request, Some(log.mask().as_ref())),
            [0, 2, 6, 8]
        );
        assert!(log.scan(&ScanRequest::columns(["nope"]), None).is_err());
    }
}
