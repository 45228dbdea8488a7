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

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, UInt32Array, new_null_array};
use arrow::compute::interleave;
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
use super::scan::Cancel;
use super::source::TableRows;

/// The column that says which row of its source a row is.
pub(super) const ROW: &str = "_row";
/// The only type that a stand-in has.
pub(super) const STAND_IN_TYPE: DataType = DataType::Utf8View;

/// A row of a source.
type Place = (usize, u32);

/// What stands for a column of these rows of a source.
pub(super) fn stand_ins(source: usize, rows: &UInt32Array) -> ArrayRef {
    let texts = rows.values().iter().map(|row| format!("{source}:{row}"));
    Arc::new(StringViewArray::from_iter_values(texts))
}

fn place(stand_in: &str) -> Option<Place> {
    let (source, row) = stand_in.split_once(':')?;
    Some((source.parse().ok()?, row.parse().ok()?))
}

/// Columns of one table that are read late.
#[derive(Debug, Clone)]
pub(super) struct LateTable {
    pub rows: TableRows,
    pub cancel: Cancel,
    pub batch_bytes: usize,
    /// Where in the input they stand, and what the table calls them; at least one.
    pub columns: Vec<(usize, String)>,
}

impl LateTable {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(_, name)| name.as_str())
    }

    /// `batch` with its stand-ins replaced.
    fn replace(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let places = self.places(batch)?;
        let read = self.read(&places)?;
        let mut columns = batch.columns().to_vec();
        for (at, (index, _)) in self.columns.iter().enumerate() {
            // The last is what a row without a stand-in has: one that an outer join has made.
            let none = new_null_array(&STAND_IN_TYPE, 1);
            let parts = read.batches.iter().map(|part| part.column(at).as_ref());
            let parts: Vec<&dyn Array> = parts.chain([none.as_ref()]).collect();
            let chosen: Vec<(usize, usize)> = places
                .iter()
                .map(|place| match place {
                    Some(place) => read.found(*place),
                    None => Ok((parts.len() - 1, 0)),
                })
                .collect::<Result<_>>()?;
            match columns.get_mut(*index) {
                Some(column) => *column = interleave(&parts, &chosen)?,
                None => return internal_err!("a late column stands at {index}"),
            }
        }
        Ok(RecordBatch::try_new(batch.schema(), columns)?)
    }

    /// What the stand-ins of a batch name; those of all columns are the same.
    fn places(&self, batch: &RecordBatch) -> Result<Vec<Option<Place>>> {
        let first = self.columns.first().map(|(index, _)| batch.column(*index));
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

    /// The late columns of these rows.
    fn read(&self, places: &[Option<Place>]) -> Result<Rows> {
        let mut by_source: BTreeMap<usize, RoaringBitmap> = BTreeMap::new();
        for (source, row) in places.iter().flatten() {
            by_source.entry(*source).or_default().insert(*row);
        }
        let mut read = Rows::default();
        for (source, rows) in by_source {
            self.cancel.check()?;
            let request = ScanRequest {
                rows: Some(rows),
                ..ScanRequest::columns(self.names().chain([ROW]))
            };
            for batch in self.rows.rows_of(source, &request)? {
                read.add(
                    source,
                    batch.map_err(|error| DataFusionError::External(error.into()))?,
                )?;
            }
        }
        Ok(read)
    }
}

/// Batches of late columns, and where in them a row is.
#[derive(Default)]
struct Rows {
    batches: Vec<RecordBatch>,
    found: HashMap<Place, (usize, usize)>,
}

impl Rows {
    fn add(&mut self, source: usize, batch: RecordBatch) -> Result<()> {
        let rows = batch.column_by_name(ROW);
        let Some(rows) = rows.and_then(|rows| rows.as_primitive_opt::<UInt32Type>()) else {
            return internal_err!("a source numbers its rows");
        };
        for (at, row) in rows.values().iter().enumerate() {
            self.found.insert((source, *row), (self.batches.len(), at));
        }
        self.batches.push(batch);
        Ok(())
    }

    fn found(&self, place: Place) -> Result<(usize, usize)> {
        match self.found.get(&place) {
            Some(found) => Ok(*found),
            None => internal_err!("row {} of source {} was there", place.1, place.0),
        }
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
