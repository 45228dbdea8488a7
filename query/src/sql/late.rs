//! Large columns of the rows that are left: read behind a top-k instead of in the scan.
//!
//! ```text
//! ScanExec (late=[inputs]): reads the others, and puts a stand-in where `inputs` would be
//!   -> .. -> SortExec TopK -> LateColumnsExec: reads `inputs` of the rows that the stand-ins name
//! ```
//! `ORDER BY start_time DESC LIMIT 10` over a million spans wants the inputs of ten. The columns of every operator
//! between stay as they are; the rule `late_columns` sees to it that none of them looks at a stand-in.
//!
//! **Invariant**: a stand-in names a row of one source of one snapshot, and is replaced over the same one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder, UInt32Array};
use arrow::datatypes::{DataType, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use roaring::RoaringBitmap;
use tracehouse_storage::scan::ScanRequest;

use super::budget::cut;
use super::kept_texts::KeptTexts;
use super::scan::Cancel;
use super::source::TableRows;

/// The column that says which row of its source a row is.
pub(super) const ROW: &str = "_row";
/// The only type that a stand-in has.
pub(super) const STAND_IN_TYPE: DataType = DataType::Utf8View;

/// A row of a source.
type Place = (usize, u32);

/// Letters of each of the two numbers that a stand-in has. A view has room for twelve in itself.
const LETTERS: usize = 6;
/// A letter tells six bits: it is one of the 64 from here on.
const FIRST_LETTER: u8 = b'0';
const LETTER_BITS: usize = 6;

/// What stands for a column of these rows of a source.
pub(super) fn stand_ins(source: usize, rows: &UInt32Array) -> Result<ArrayRef> {
    let Ok(source) = u32::try_from(source) else {
        return internal_err!("a snapshot has fewer sources than {source}");
    };
    let mut texts = StringViewBuilder::with_capacity(rows.len());
    let mut text = String::with_capacity(2 * LETTERS);
    for row in rows.values() {
        text.clear();
        text.extend(letters(source));
        text.extend(letters(*row));
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

fn letters(number: u32) -> impl Iterator<Item = char> {
    (0..LETTERS).map(move |at| {
        let bits = (number >> (at * LETTER_BITS)) as u8 & ((1 << LETTER_BITS) - 1);
        char::from(FIRST_LETTER + bits)
    })
}

fn place(stand_in: &str) -> Option<Place> {
    let (source, row) = stand_in.split_at_checked(LETTERS)?;
    Some((usize::try_from(number(source)?).ok()?, number(row)?))
}

fn number(letters: &str) -> Option<u32> {
    let bits = letters.bytes().rev().try_fold(0_u64, |number, letter| {
        let bits = letter.checked_sub(FIRST_LETTER)?;
        (bits < 1 << LETTER_BITS).then_some(number << LETTER_BITS | u64::from(bits))
    });
    u32::try_from(bits?)
        .ok()
        .filter(|_| letters.len() == LETTERS)
}

/// Columns of one table that are read late.
#[derive(Debug, Clone)]
pub(super) struct LateTable {
    pub rows: TableRows,
    pub cancel: Cancel,
    pub kept: Arc<KeptTexts>,
    pub batch_bytes: usize,
    /// At least one.
    pub columns: Vec<LateColumn>,
}

/// A column that is read late.
#[derive(Debug, Clone)]
pub(super) struct LateColumn {
    pub name: String,
    /// Its place in the table's public schema.
    pub index: usize,
    /// Its places in the input.
    pub places: Vec<usize>,
}

impl LateTable {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// `batch` with its stand-ins replaced.
    fn replace(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let places = self.places(batch)?;
        let found = self.find(&places)?;
        let mut columns = batch.columns().to_vec();
        for (at, late) in self.columns.iter().enumerate() {
            let mut texts = StringViewBuilder::with_capacity(places.len());
            for place in &places {
                match place {
                    Some(place) => texts.append_option(found.text(*place, at)?),
                    // A row that an outer join has made.
                    None => texts.append_null(),
                }
            }
            let texts: ArrayRef = Arc::new(texts.finish());
            for index in &late.places {
                match columns.get_mut(*index) {
                    Some(column) => column.clone_from(&texts),
                    None => return internal_err!("a late column stands at {index}"),
                }
            }
        }
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }

    /// What the stand-ins of a batch name; those of all columns are the same.
    fn places(&self, batch: &RecordBatch) -> Result<Vec<Option<Place>>> {
        let mut indices = self.columns.iter().flat_map(|column| &column.places);
        let first = indices.next().map(|index| batch.column(*index));
        let Some(stand_ins) = first.and_then(|column| column.as_string_view_opt()) else {
            return internal_err!("a late column has stand-ins");
        };
        let named = stand_ins.iter().map(|text| match text.map(place) {
            Some(None) => internal_err!("a stand-in names a row"),
            Some(place) => Ok(place),
            None => Ok(None),
        });
        named.collect()
    }

    /// The late columns of these rows: those that are kept, and the others as they are read.
    fn find(&self, places: &[Option<Place>]) -> Result<Found> {
        let table = self.rows.table();
        let mut found = Found::default();
        let mut absent: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
        for place in places.iter().flatten() {
            let (source, row) = *place;
            let segment = self.rows.segment(source)?;
            let kept = segment.and_then(|segment| {
                let key = |column: &LateColumn| (segment, table, row, column.index);
                let kept = self.columns.iter().map(|column| self.kept.get(key(column)));
                kept.collect::<Option<Vec<_>>>()
            });
            match kept {
                Some(texts) => drop(found.kept.insert(*place, texts)),
                None => drop(absent.entry(source).or_default().insert(row)),
            }
        }
        for (source, rows) in absent {
            self.cancel.check()?;
            let request = ScanRequest {
                rows: Some(rows),
                ..ScanRequest::columns(self.names().chain([ROW]))
            };
            for batch in self.rows.rows_of(source, &request)? {
                let batch = batch.map_err(|error| DataFusionError::External(error.into()))?;
                self.keep(source, &batch)?;
                found.add(source, batch)?;
            }
        }
        Ok(found)
    }

    /// Keeps what was read of a segment.
    fn keep(&self, source: usize, batch: &RecordBatch) -> Result<()> {
        let Some(segment) = self.rows.segment(source)? else {
            return Ok(());
        };
        let (table, rows) = (self.rows.table(), row_numbers(batch)?);
        for (at, column) in self.columns.iter().enumerate() {
            for (row, text) in rows.values().iter().zip(texts(batch, at)?) {
                self.kept.put((segment, table, *row, column.index), text);
            }
        }
        Ok(())
    }
}

fn row_numbers(batch: &RecordBatch) -> Result<&UInt32Array> {
    let rows = batch.column_by_name(ROW);
    match rows.and_then(|rows| rows.as_primitive_opt::<UInt32Type>()) {
        Some(rows) => Ok(rows),
        None => internal_err!("a source numbers its rows"),
    }
}

fn texts(batch: &RecordBatch, column: usize) -> Result<&StringViewArray> {
    match batch.column(column).as_string_view_opt() {
        Some(texts) => Ok(texts),
        None => internal_err!("late columns are texts"),
    }
}

/// Late columns of rows: texts that were kept, and batches with where in them a row is.
#[derive(Default)]
struct Found {
    kept: HashMap<Place, Vec<Option<Arc<str>>>>,
    batches: Vec<RecordBatch>,
    read: HashMap<Place, (usize, usize)>,
}

impl Found {
    fn add(&mut self, source: usize, batch: RecordBatch) -> Result<()> {
        for (at, row) in row_numbers(&batch)?.values().iter().enumerate() {
            self.read.insert((source, *row), (self.batches.len(), at));
        }
        self.batches.push(batch);
        Ok(())
    }

    /// What a column has at a place.
    fn text(&self, place: Place, column: usize) -> Result<Option<&str>> {
        if let Some(texts) = self.kept.get(&place) {
            return Ok(texts.get(column).and_then(Option::as_deref));
        }
        let read = self.read.get(&place);
        let read = read.and_then(|(batch, at)| Some((self.batches.get(*batch)?, *at)));
        let Some((batch, at)) = read else {
            return internal_err!("row {} of source {} was there", place.1, place.0);
        };
        let texts = texts(batch, column)?;
        Ok(texts.is_valid(at).then(|| texts.value(at)))
    }
}

/// The physical operator.
#[derive(Debug)]
pub(super) struct LateColumnsExec {
    input: Arc<dyn ExecutionPlan>,
    tables: Arc<Vec<LateTable>>,
    metrics: ExecutionPlanMetricsSet,
}

impl LateColumnsExec {
    /// Replaces the stand-ins in the rows of `input`.
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, tables: Vec<LateTable>) -> Self {
        Self {
            input,
            tables: Arc::new(tables),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

/// `batch` with the stand-ins of all tables replaced, in pieces that are not too large.
fn replaced(mut batch: RecordBatch, tables: &[LateTable]) -> Result<Vec<RecordBatch>> {
    let mut bytes_max = usize::MAX;
    for table in tables {
        batch = table.replace(&batch)?;
        bytes_max = bytes_max.min(table.batch_bytes);
    }
    cut(batch, bytes_max)
}

impl DisplayAs for LateColumnsExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<String> = (self.tables.iter())
            .flat_map(|table| {
                let of = table.rows.table().name();
                table.names().map(move |name| format!("{of}.{name}"))
            })
            .collect();
        write!(f, "LateColumnsExec: columns=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for LateColumnsExec {
    fn name(&self) -> &str {
        "LateColumnsExec"
    }

    /// Those of the input: rows, their order and their columns stay.
    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self {
                input,
                tables: self.tables.clone(),
                metrics: ExecutionPlanMetricsSet::new(),
            })),
            Err(_) => internal_err!("LateColumnsExec has one input"),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let tables = self.tables.clone();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let pieces = (self.input.execute(partition, context)?)
            .map(move |batch| -> Result<Vec<RecordBatch>> {
                let batch = batch?;
                let _timed = metrics.elapsed_compute().timer();
                let pieces = replaced(batch, &tables)?;
                metrics.record_output(pieces.iter().map(RecordBatch::num_rows).sum());
                Ok(pieces)
            })
            .map_ok(|pieces| stream::iter(pieces.into_iter().map(Ok)))
            .try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(
            self.schema(),
            pieces,
        )))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn fetch(&self) -> Option<usize> {
        self.input.fetch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stand_ins_name_their_rows() {
        let rows = [0, 1, 63, 64, 4_095, 1_000_000, u32::MAX];
        for source in [0, 1, 70_000, u32::MAX as usize] {
            let texts = stand_ins(source, &UInt32Array::from(rows.to_vec())).unwrap();
            let texts = texts.as_string_view();
            assert!(texts.data_buffers().is_empty(), "all are in their views");
            let named: Vec<Option<Place>> = texts.iter().map(|text| place(text?)).collect();
            assert_eq!(named, rows.map(|row| Some((source, row))));
        }
        for other in [
            "",
            "00000000000",
            "0000000000000",
            "ooooooooooo~",
            "/00000000000",
            "é00000000000",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
