//! The scan of one table: units of rows read one after another in each partition.
//!
//! Reading is synchronous and runs on the query runtime's threads, as DataFusion's own decoding does;
//! a stream gives way after every batch and every unit, and stops when dropped, when its limit is
//! reached, or when the query is cancelled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::Result;
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
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use tracehouse_storage::scan::{ScanRequest, Zone};
use tracehouse_storage::schema::Table;

use super::kept_texts::KeptTexts;
use super::late::{LateColumn, LateTable, ROW, STAND_IN_TYPE};
use super::partitions::{Dealt, Partitions};
use super::pushed::{PushedFilter, is_bound_on_expressions, row_filter};
use super::related::{RelatedRows, related_rows};
use super::required::column_of;
use super::scan_stream::ScanStream;
use super::source::TableRows;
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
    /// Columns of the output that are read behind a top-k; see `late`.
    pub late: BTreeSet<usize>,
    /// Their texts that were read lately.
    pub kept: Arc<KeptTexts>,
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

    /// Names of the columns of the output that are late, or are not.
    fn columns(&self, schema: &Schema, are_late: bool) -> Vec<String> {
        let fields = schema.fields().iter().enumerate();
        fields
            .filter(|(at, _)| self.late.contains(at) == are_late)
            .map(|(_, field)| field.name().clone())
            .collect()
    }

    /// What it asks of each source.
    pub(super) fn request(&self, schema: &Schema) -> ScanRequest {
        let mut columns = self.columns(schema, false);
        if columns.is_empty() || !self.late.is_empty() {
            // For late columns, or where nothing but the number of rows is wanted; they cost nothing to read.
            columns.push(ROW.to_string());
        }
        ScanRequest {
            columns,
            rows: None,
            filters: (self.filters.iter())
                .map(|filter| row_filter(filter, &self.cancel))
                .collect(),
            zones: self.zones.clone(),
            batch_rows: self.batch_rows,
            ..ScanRequest::default()
        }
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

    /// Whether a column of the output is large, and of a type that has stand-ins.
    pub(super) fn can_be_late(&self, index: usize) -> bool {
        self.schema.fields().get(index).is_some_and(|field| {
            self.plan.rows.table().is_heavy(field.name()) && *field.data_type() == STAND_IN_TYPE
        })
    }

    /// This scan without these columns, given by their place in another operator's output and in this one's, and what
    /// reads them there.
    pub(super) fn with_late(&self, columns: &[(usize, usize)]) -> Result<(Self, LateTable)> {
        let mut scan = self.clone();
        let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, column) in columns {
            places.entry(*column).or_default().push(*at);
        }
        scan.plan.late = places.keys().copied().collect();
        let table_schema = self.plan.rows.table().public_schema();
        let late = |(column, places): (usize, Vec<usize>)| -> Result<LateColumn> {
            let Some(field) = self.schema.fields().get(column) else {
                return internal_err!("a scan has a late column {column}");
            };
            let name = field.name().clone();
            let index = table_schema.index_of(&name)?;
            Ok(LateColumn {
                name,
                index,
                places,
            })
        };
        let table = LateTable {
            rows: self.plan.rows.clone(),
            cancel: self.plan.cancel.clone(),
            kept: self.plan.kept.clone(),
            batch_bytes: self.plan.batch_bytes,
            columns: places.into_iter().map(late).collect::<Result<_>>()?,
        };
        Ok((scan, table))
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
            plan.columns(&self.schema, false).join(", ")
        )?;
        if !plan.late.is_empty() {
            write!(
                f,
                ", late=[{}]",
                plan.columns(&self.schema, true).join(", ")
            )?;
        }
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
        let stream = ScanStream::new(self.schema.clone(), &self.plan, &self.metrics, partition)?;
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
