//! The batches of one partition of a scan, and what reading them has done.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, AsArray, RecordBatchOptions};
use arrow::datatypes::{SchemaRef, UInt32Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::internal_err;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::RecordBatchStream;
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricType,
};
use futures::Stream;
use tracehouse_storage::scan::{RowStream, ScanCounters, ScanRequest};
use tracehouse_storage::schema::Table;

use super::budget::cut;
use super::late::stand_ins;
use super::pushed::PushedFilter;
use super::related::RelatedRows;
use super::scan::{Cancel, ScanPlan};
use super::source::{TableRows, Unit};

/// What a scan has done, as `EXPLAIN ANALYZE` shows it.
struct ScanWork {
    counters: Arc<ScanCounters>,
    rows_read: Count,
    blocks_cached: Count,
    blocks_decoded: Count,
    bytes_decoded: Count,
}

impl ScanWork {
    fn new(metrics: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name| {
            MetricBuilder::new(metrics)
                .with_type(MetricType::Summary)
                .counter(name, partition)
        };
        Self {
            counters: Arc::default(),
            rows_read: count("rows_read"),
            blocks_cached: count("blocks_cached"),
            blocks_decoded: count("blocks_decoded"),
            bytes_decoded: count("bytes_decoded"),
        }
    }

    /// Adds what was done since the last time.
    fn publish(&self, related: &[RelatedRows]) {
        let of_related = related.iter().map(|related| related.related.figures());
        for done in of_related.chain([self.counters.take()]) {
            let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
            self.rows_read.add(count(done.rows));
            self.blocks_cached.add(count(done.cached_blocks));
            self.blocks_decoded.add(count(done.decoded_blocks));
            self.bytes_decoded.add(count(done.decoded_bytes));
        }
    }
}

/// The batches of one partition.
pub(super) struct ScanStream {
    schema: SchemaRef,
    rows: TableRows,
    related: Vec<RelatedRows>,
    /// Filters that may leave out all of a source by its times.
    bounds: Vec<PushedFilter>,
    request: ScanRequest,
    work: ScanWork,
    units: VecDeque<Unit>,
    /// Columns of the output that have stand-ins.
    late: BTreeSet<usize>,
    /// That of the unit which is read.
    source: usize,
    current: Option<RowStream>,
    /// Pieces of a batch that was too large.
    ready: VecDeque<RecordBatch>,
    batch_bytes: usize,
    remaining: Option<usize>,
    cancel: Cancel,
    metrics: BaselineMetrics,
}

impl ScanStream {
    /// A partition of the scan.
    ///
    /// # Errors
    /// What finding the units gives.
    pub(super) fn new(
        schema: SchemaRef,
        plan: &ScanPlan,
        metrics: &ExecutionPlanMetricsSet,
        partition: usize,
    ) -> Result<Self> {
        // Of units that are found late there may be fewer than partitions.
        let dealt = plan.dealt()?.partitions.get(partition);
        let units = dealt.map_or(&[][..], Vec::as_slice);
        let work = ScanWork::new(metrics, partition);
        Ok(Self {
            rows: plan.rows.clone(),
            related: plan.related.clone(),
            bounds: (plan.filters.iter())
                .filter(|filter| filter.columns == ["request_time"])
                .cloned()
                .collect(),
            request: ScanRequest {
                counters: Some(work.counters.clone()),
                ..plan.request(&schema)
            },
            schema,
            work,
            units: units.iter().cloned().collect(),
            late: plan.late.clone(),
            source: 0,
            current: None,
            ready: VecDeque::new(),
            batch_bytes: plan.batch_bytes,
            remaining: plan.limit,
            cancel: plan.cancel.clone(),
            metrics: BaselineMetrics::new(metrics, partition),
        })
    }

    /// One piece of work: a batch, the end of a unit (`Some(None)`), or the end of it all (`None`).
    fn step(&mut self) -> Option<Result<Option<RecordBatch>>> {
        if self.remaining == Some(0) {
            return None;
        }
        if let Err(error) = self.cancel.check() {
            return Some(Err(error.into()));
        }
        if let Some(piece) = self.ready.pop_front() {
            return Some(self.shape(&piece));
        }
        if self.current.is_none() {
            let unit = self.units.pop_front()?;
            match self.is_too_old(&unit) {
                Ok(true) => return Some(Ok(None)),
                Ok(false) => {}
                Err(error) => return Some(Err(error.into())),
            }
            self.source = unit.source();
            match self.rows.scan(&unit, &self.request, &self.related) {
                Ok(stream) => self.current = Some(stream),
                Err(error) => return Some(Err(error.into())),
            }
        }
        match self.current.as_mut()?.next() {
            Some(Ok(batch)) => match cut(batch, self.batch_bytes) {
                Ok(pieces) => {
                    self.ready.extend(pieces);
                    self.ready
                        .pop_front()
                        .map_or(Some(Ok(None)), |piece| Some(self.shape(&piece)))
                }
                Err(error) => Some(Err(error)),
            },
            Some(Err(error)) => Some(Err(DataFusionError::External(Box::new(error)))),
            None => {
                self.current = None;
                Some(Ok(None))
            }
        }
    }

    /// Whether a top-k that runs has no use for any row of the unit's source.
    fn is_too_old(&self, unit: &Unit) -> crate::error::Result<bool> {
        if self.bounds.is_empty() || self.rows.table() != Table::Traces {
            return Ok(false);
        }
        let latest = self.rows.latest_ns(unit)?;
        Ok(latest.is_some_and(|latest| self.bounds.iter().any(|bound| bound.is_above(latest))))
    }

    /// The batch cut at the limit, in the schema promised.
    fn shape(&mut self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows().min(self.remaining.unwrap_or(usize::MAX));
        if let Some(remaining) = &mut self.remaining {
            *remaining -= rows;
        }
        if rows == 0 {
            return Ok(None);
        }
        let batch = batch.slice(0, rows);
        let columns = match (self.schema.fields().is_empty(), self.late.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => batch.columns().to_vec(),
            (false, false) => self.with_stand_ins(&batch)?,
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &options,
        )?))
    }
}

impl ScanStream {
    /// The columns of the output, of which the batch has those that are not late, and behind them the rows' numbers.
    fn with_stand_ins(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let Some((rows, mut read)) = batch
            .columns()
            .split_last()
            .map(|(rows, read)| (rows, read.iter()))
        else {
            return internal_err!("a scan with late columns numbers its rows");
        };
        let stand_ins = stand_ins(self.source, rows.as_primitive::<UInt32Type>())?;
        let columns = (0..self.schema.fields().len()).map(|at| match self.late.contains(&at) {
            true => Some(stand_ins.clone()),
            false => read.next().cloned(),
        });
        match columns.collect() {
            Some(columns) => Ok(columns),
            None => internal_err!("a scan reads all columns that are not late"),
        }
    }
}

impl Stream for ScanStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let timer = this.metrics.elapsed_compute().clone();
        let step = {
            let _timed = timer.timer();
            this.step()
        };
        this.work.publish(&this.related);
        let polled = match step {
            None => Poll::Ready(None),
            Some(Ok(Some(batch))) => Poll::Ready(Some(Ok(batch))),
            Some(Ok(None)) => {
                // Nothing found in this piece: let other tasks run before the next one.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(error)) => {
                this.units.clear();
                this.ready.clear();
                this.current = None;
                Poll::Ready(Some(Err(error)))
            }
        };
        this.metrics.record_poll(polled)
    }
}

impl RecordBatchStream for ScanStream {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
