//! The scan of one table: units of rows read one after another in each partition.
//!
//! Reading is synchronous and runs on the query runtime's threads, as DataFusion's own decoding does;
//! a stream gives way after every batch and every unit, and stops when dropped, when its limit is
//! reached, or when the query is cancelled.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use arrow::array::RecordBatchOptions;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{
    BaselineMetrics, Count, ExecutionPlanMetricsSet, MetricBuilder, MetricType, MetricsSet,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, RecordBatchStream,
};
use futures::Stream;
use tracehouse_storage::scan::{RowStream, ScanCounters, ScanRequest, Zone};
use tracehouse_storage::schema::Table;

use super::budget::cut;
use super::partitions::{Dealt, Partitions};
use super::pushed::{PushedFilter, is_bound_on_expressions, row_filter};
use super::related::{RelatedRows, related_rows};
use super::required::column_of;
use super::source::{TableRows, Unit};
use crate::error::{ErrorKind, QueryError};
use crate::plan::Required;

/// Set when a query is given up; every scan of the query looks at it between pieces of work.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancel {
    flag: Arc<AtomicBool>,
}

impl Cancel {
    /// Asks the query to stop.
    pub(super) fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    pub(super) fn check(&self) -> std::result::Result<(), QueryError> {
        if self.flag.load(Ordering::Relaxed) {
            return Err(QueryError::new(
                ErrorKind::Cancelled,
                "the query was cancelled",
            ));
        }
        Ok(())
    }
}

/// What one scan reads.
#[derive(Debug, Clone)]
pub(super) struct ScanPlan {
    /// The table.
    pub rows: TableRows,
    /// What every row has that satisfies the filters.
    pub required: Required,
    /// Of `traces`: the rows of other tables of which a trace must have one each.
    pub related: Vec<RelatedRows>,
    /// Conditions evaluated while reading, in this order.
    pub filters: Vec<PushedFilter>,
    /// What may be skipped.
    pub zones: Vec<Zone>,
    /// The units of each partition, in reading order.
    pub partitions: Partitions,
    /// Rows after which each partition stops.
    pub limit: Option<usize>,
    /// Rows per batch.
    pub batch_rows: usize,
    /// Most bytes of a batch of several rows.
    pub batch_bytes: usize,
    /// Ends the scan early.
    pub cancel: Cancel,
}

impl ScanPlan {
    /// The units, and how they were found.
    ///
    /// # Errors
    /// What reading an index gives.
    pub(super) fn dealt(&self) -> crate::error::Result<&Dealt> {
        let find = || self.rows.units(self.required.clone(), &self.related, None);
        self.partitions.dealt(find)
    }
}

/// The physical operator.
#[derive(Debug, Clone)]
pub(super) struct ScanExec {
    schema: SchemaRef,
    plan: ScanPlan,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    /// A scan that gives the columns of `schema`.
    pub(super) fn new(schema: SchemaRef, plan: ScanPlan) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(plan.partitions.count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Self {
            schema,
            plan,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// This scan of `traces` that also keeps only traces with a row that `rows` gives; `None` where that is not to be
    /// told so.
    pub(super) fn with_related(
        &self,
        rows: &ScanExec,
        partitions_max: usize,
    ) -> Result<Option<ScanExec>> {
        if self.plan.rows.table() != Table::Traces || self.plan.limit.is_some() {
            return Ok(None);
        }
        let Some(related) = related_rows(&rows.plan)? else {
            return Ok(None);
        };
        let mut plan = self.plan.clone();
        plan.related.push(related);
        let units = plan
            .rows
            .units(plan.required.clone(), &plan.related, None)?;
        plan.partitions = Partitions::of(units, partitions_max);
        Ok(Some(Self::new(self.schema.clone(), plan)))
    }

    fn columns(&self) -> Vec<String> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect()
    }

    /// A filter over this scan's output, such as a bound that tightens while a top-k runs, turned
    /// into one over the columns it reads.
    fn pushable(&self, filter: &Arc<dyn PhysicalExpr>) -> Result<PushedFilter> {
        let mut indices: Vec<usize> = collect_columns(filter)
            .iter()
            .map(|column| column.index())
            .collect();
        indices.sort_unstable();
        indices.dedup();
        let schema: Schema = self.schema.project(&indices)?;
        let columns = schema
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let expr = reassign_expr_columns(Arc::clone(filter), &schema)?;
        Ok(PushedFilter::new(columns, expr))
    }

    fn request(&self) -> ScanRequest {
        let mut columns = self.columns();
        if columns.is_empty() {
            // Nothing but the number of rows is wanted; row numbers cost nothing to read.
            columns.push("_row".to_string());
        }
        ScanRequest {
            columns,
            rows: None,
            filters: self
                .plan
                .filters
                .iter()
                .map(|filter| row_filter(filter, &self.plan.cancel))
                .collect(),
            zones: self.plan.zones.clone(),
            batch_rows: self.plan.batch_rows,
            ..ScanRequest::default()
        }
    }

    fn row_statistics(&self) -> Precision<usize> {
        let rows = usize::try_from(self.plan.rows.row_count()).unwrap_or(usize::MAX);
        let keeps_all = self.plan.filters.is_empty() && self.plan.related.is_empty();
        match (keeps_all, self.plan.limit) {
            (true, None) => Precision::Exact(rows),
            (true, Some(limit)) => Precision::Exact(rows.min(limit)),
            (false, limit) => Precision::Inexact(rows.min(limit.unwrap_or(usize::MAX))),
        }
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _kind: DisplayFormatType, f: &mut fmt::Formatter) -> fmt::Result {
        let plan = &self.plan;
        let Dealt { partitions, taken } = plan.dealt().map_err(|_| fmt::Error)?;
        let units: usize = partitions.iter().map(Vec::len).sum();
        write!(
            f,
            "ScanExec: table={}, columns=[{}]",
            plan.rows.table().name(),
            self.columns().join(", ")
        )?;
        write!(f, ", sources={}, units={units}", plan.rows.source_count())?;
        write!(f, ", access={taken}")?;
        for filter in &plan.filters {
            write!(f, ", filter={}", filter.expr)?;
        }
        if !plan.zones.is_empty() {
            let names: Vec<&str> = plan.zones.iter().map(column_of).collect();
            write!(f, ", prune=[{}]", names.join(", "))?;
        }
        for related in &plan.related {
            write!(f, ", with={related}")?;
        }
        match plan.limit {
            Some(limit) => write!(f, ", limit={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in &self.plan.filters {
            if f(&filter.expr)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
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
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        if partition >= self.plan.partitions.count() {
            return internal_err!("scan has no partition {partition}");
        }
        // Of units that are found late there may be fewer than partitions.
        let dealt = self.plan.dealt()?.partitions.get(partition);
        let units = dealt.map_or(&[][..], Vec::as_slice);
        let work = ScanWork::new(&self.metrics, partition);
        let stream = ScanStream {
            schema: self.schema.clone(),
            rows: self.plan.rows.clone(),
            related: self.plan.related.clone(),
            bounds: (self.plan.filters.iter())
                .filter(|filter| filter.columns == ["request_time"])
                .cloned()
                .collect(),
            request: ScanRequest {
                counters: Some(work.counters.clone()),
                ..self.request()
            },
            work,
            units: units.iter().cloned().collect(),
            current: None,
            ready: VecDeque::new(),
            batch_bytes: self.plan.batch_bytes,
            remaining: self.plan.limit,
            cancel: self.plan.cancel.clone(),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        Ok(Box::pin(cooperative(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        if args.partition().is_none() {
            statistics.num_rows = self.row_statistics();
        }
        Ok(Arc::new(statistics))
    }

    /// A limit is kept here. (`supports_limit_pushdown` would pass it on to inputs, of which a scan has none, and lose it.)
    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let mut scan = self.clone();
        scan.plan.limit = limit;
        Some(Arc::new(scan))
    }

    fn fetch(&self) -> Option<usize> {
        self.plan.limit
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // Static filters have come through the table provider; a limit must count filtered rows.
        if phase == FilterPushdownPhase::Pre || self.plan.limit.is_some() {
            return Ok(FilterPushdownPropagation::all_unsupported(result));
        }
        let mut scan = self.clone();
        let mut answers = Vec::with_capacity(result.parent_filters.len());
        for parent in &result.parent_filters {
            if is_bound_on_expressions(&parent.filter)? {
                answers.push(PushedDown::No);
            } else {
                scan.plan.filters.push(self.pushable(&parent.filter)?);
                answers.push(PushedDown::Yes);
            }
        }
        if scan.plan.filters.len() == self.plan.filters.len() {
            return Ok(FilterPushdownPropagation::with_parent_pushdown_result(
                answers,
            ));
        }
        let updated: Arc<dyn ExecutionPlan> = Arc::new(scan);
        Ok(
            FilterPushdownPropagation::with_parent_pushdown_result(answers)
                .with_updated_node(updated),
        )
    }
}

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
struct ScanStream {
    schema: SchemaRef,
    rows: TableRows,
    related: Vec<RelatedRows>,
    /// Filters that may leave out all of a source by its times.
    bounds: Vec<PushedFilter>,
    request: ScanRequest,
    work: ScanWork,
    units: VecDeque<Unit>,
    current: Option<RowStream>,
    /// Pieces of a batch that was too large.
    ready: VecDeque<RecordBatch>,
    batch_bytes: usize,
    remaining: Option<usize>,
    cancel: Cancel,
    metrics: BaselineMetrics,
}

impl ScanStream {
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
        let columns = match self.schema.fields().is_empty() {
            true => Vec::new(),
            false => batch.slice(0, rows).columns().to_vec(),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(
            self.schema.clone(),
            columns,
            &options,
        )?))
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
