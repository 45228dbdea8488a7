//! Running one statement: guard, plan, execute, within time and memory.
//!
//! ```text
//! run_sql / SqlStream -> task on the query runtime: guard::parse -> rewrite -> plan -> guard::check_plan
//!                         -> physical plan -> batches
//! ```
//!
//! Invariants: (1) text is parsed, planned and dropped on a thread with a deep stack; (2) a query
//! that is given up (time, dropped stream, dropped caller) stops reading at the next batch.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::MemTable;
use datafusion::common::ParamValues;
use datafusion::common::ScalarValue;
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{
    SendableRecordBatchStream, SessionState, SessionStateBuilder, TaskContext,
};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use futures::{StreamExt, TryStreamExt, stream};
use tracehouse_storage::Snapshot;
use tracehouse_storage::interrupt::Interrupt;
use tracehouse_storage::scan::BATCH_ROWS;
use tracehouse_storage::schema::Table;

use super::absent::AbsentIsNull;
use super::functions;
use super::functions::tables::{BatchFunction, SearchText, TextSearcher};
use super::give_way::give_way;
use super::occurrences::Occurrences;
use super::order_keys::OrderKeys;
use super::provider::SnapshotTable;
use super::results::ResultForm;
use super::scan::Cancel;
use super::session_plans::{change_views, check_free, with_views};
use super::session_views::{self, SessionViews};
use super::source::TableRows;
use super::subqueries::{PlaceSubqueries, check_planned};
use super::summary::Summary;
use super::type_names::{self, type_name};
use super::views::{self, CATALOG, SCHEMA, Tables};
use super::{
    budget, casts, explained, guard, parameters, rewrite, rules, selects, spellings, unnests,
};
use crate::error::{ECHO_CHARS_MAX, ErrorKind, QueryError, Result, shorten};
use crate::runtime::{QueryRuntime, SqlSettings};

/// How much longer than its time limit the caller waits for a query to say so itself.
const TIMEOUT_GRACE: Duration = Duration::from_millis(100);
/// How often a waiting caller looks at tokens that may be cancelled.
pub(super) const TOKEN_PAUSE: Duration = Duration::from_millis(10);

/// The catalogue tables of SQL, as batches.
#[derive(Debug, Clone, Default)]
pub struct SqlTables {
    /// The tables by name: `datasets`, `prices`, `scores` and so on.
    pub catalogue: Vec<(&'static str, CatalogueTable)>,
    /// Table function `segments()`.
    pub segments: Option<RecordBatch>,
    /// Table function `settings()`.
    pub settings: Option<RecordBatch>,
}

/// Rows of a table of the catalogue: many batches of one schema.
#[derive(Debug, Clone)]
pub struct CatalogueTable {
    /// Schema of all batches.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl From<RecordBatch> for CatalogueTable {
    fn from(batch: RecordBatch) -> Self {
        Self {
            schema: batch.schema(),
            batches: vec![batch],
        }
    }
}

/// What a statement runs against. Cheap to clone.
#[derive(Clone)]
pub struct SqlContext {
    /// Threads and limits.
    pub runtime: Arc<QueryRuntime>,
    /// The rows that are visible.
    pub snapshot: Snapshot,
    /// Catalogue tables.
    pub tables: SqlTables,
    /// Behind `search_text`; without it the function is absent.
    pub text_search: Option<TextSearcher>,
    /// Longest time for the statement; `None` means the runtime's.
    pub timeout: Option<Duration>,
    /// Temporary views; without them `CREATE VIEW` is refused.
    pub views: Option<SessionViews>,
}

impl fmt::Debug for SqlContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlContext")
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

impl SqlContext {
    /// A context over `snapshot` without catalogue tables and text search.
    pub fn new(runtime: Arc<QueryRuntime>, snapshot: Snapshot) -> Self {
        Self {
            runtime,
            snapshot,
            tables: SqlTables::default(),
            text_search: None,
            timeout: None,
            views: None,
        }
    }

    /// Longest time for the statement.
    pub(super) fn time_limit(&self) -> Option<Duration> {
        self.timeout.or(self.runtime.settings().timeout)
    }
}

/// The value of a statement's parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A time, in Unix nanoseconds.
    Time(i64),
}

/// A statement with the values of its parameters `$name` or `$1`.
#[derive(Debug, Clone, Default)]
pub struct SqlQuery {
    /// The text.
    pub statement: String,
    /// Parameter names without `$`, and their values.
    pub parameters: Vec<(String, SqlValue)>,
    /// Tables of this statement alone, by name.
    pub tables: Vec<(String, SqlTable)>,
}

/// Rows that a statement reads beside those of the database: a file that the caller read, or a data frame.
#[derive(Debug, Clone)]
pub struct SqlTable {
    /// Schema of all batches.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl From<&str> for SqlQuery {
    fn from(statement: &str) -> Self {
        Self {
            statement: statement.to_string(),
            ..Self::default()
        }
    }
}

/// Runs a statement and collects its result; blocks. Callable from any thread that may block.
///
/// # Errors
/// `InvalidInput` for a wrong or refused statement, `ResourceExhausted`, `Timeout`, or what reading
/// the snapshot failed with.
pub fn run_sql(
    context: &SqlContext,
    query: impl Into<SqlQuery>,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let query = query.into();
    let cancel = Cancel::default();
    let deadline = Deadline::of(context);
    let context = &limited(context, deadline);
    let (sender, receiver) = mpsc::sync_channel(1);
    let task = {
        let (context, cancel) = (context.clone(), cancel.clone());
        async move {
            // A caller that has gone away does not want the result.
            let _ = sender.send(collect(&context, query, &cancel, deadline).await);
        }
    };
    let task = context.runtime.handle()?.spawn(task);
    let given_up = match wait(&receiver, context.snapshot.interrupt(), deadline) {
        Ok(result) => return result,
        Err(error) => error,
    };
    cancel.cancel();
    context.runtime.give_up(&task.abort_handle());
    Err(given_up)
}

/// Waits for a query as long as it may take.
fn wait<T>(
    receiver: &mpsc::Receiver<T>,
    interrupt: &Interrupt,
    deadline: Deadline,
) -> std::result::Result<T, QueryError> {
    loop {
        let answer = match pause(interrupt, deadline)? {
            Some(pause) => receiver.recv_timeout(pause),
            None => receiver
                .recv()
                .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
        };
        match answer {
            Ok(answer) => return Ok(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                return Err(QueryError::internal("the query task failed"));
            }
        }
    }
}

/// How long a caller may sleep before it looks again at what could end its waiting; `None` = until there is an answer.
///
/// # Errors
/// `Cancelled`, or `Timeout` when the query itself had the time to say so.
pub(super) fn pause(interrupt: &Interrupt, deadline: Deadline) -> Result<Option<Duration>> {
    interrupt
        .is_cancelled()
        .then(|| interrupt.check())
        .transpose()?;
    let left = deadline.remaining().map(|left| left + TIMEOUT_GRACE);
    if left.is_some_and(|_| deadline.is_over_by(TIMEOUT_GRACE)) {
        return Err(deadline.error());
    }
    Ok(match (left, interrupt.has_tokens()) {
        (Some(left), true) => Some(left.min(TOKEN_PAUSE)),
        (None, true) => Some(TOKEN_PAUSE),
        (left, false) => left,
    })
}

/// The context with its snapshot read until the deadline.
fn limited(context: &SqlContext, deadline: Deadline) -> SqlContext {
    let mut context = context.clone();
    if let (Some(end), Some(limit)) = (deadline.end, deadline.timeout) {
        let interrupt = context.snapshot.interrupt().clone().by(end, limit);
        context.snapshot = context.snapshot.until(interrupt);
    }
    context
}

/// When a query has to be done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    timeout: Option<Duration>,
    end: Option<Instant>,
}

impl Deadline {
    fn of(context: &SqlContext) -> Self {
        Self::from_now(context.time_limit(), context.snapshot.interrupt())
    }

    /// The end of what begins now and may take `timeout`, or until the interrupt's end.
    pub(super) fn from_now(timeout: Option<Duration>, interrupt: &Interrupt) -> Self {
        if let Some((limit, left)) = interrupt.remaining()
            && timeout.is_none_or(|timeout| left < timeout)
        {
            return Self {
                timeout: Some(limit),
                end: Instant::now().checked_add(left),
            };
        }
        // A limit too far away to be a time is no limit.
        Self {
            timeout,
            end: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        }
    }

    fn remaining(self) -> Option<Duration> {
        self.end
            .map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether it was over so long ago.
    fn is_over_by(self, grace: Duration) -> bool {
        self.end
            .is_some_and(|end| Instant::now().saturating_duration_since(end) >= grace)
    }

    fn error(self) -> QueryError {
        let seconds = self.timeout.unwrap_or_default().as_secs_f64();
        QueryError::new(
            ErrorKind::Timeout,
            format!("the query took longer than its limit of {seconds} s"),
        )
    }

    /// # Errors
    /// `Timeout`, or what the work failed with.
    pub(super) async fn limit<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.remaining() {
            Some(left) => tokio::time::timeout(left, work)
                .await
                .map_err(|_| self.error())?,
            None => work.await,
        }
    }
}

async fn collect(
    context: &SqlContext,
    query: SqlQuery,
    cancel: &Cancel,
    deadline: Deadline,
) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let bytes_max = context.runtime.settings().result_bytes_max;
    let work = async {
        let mut stream = start(context, query, cancel).await?;
        let (mut batches, mut bytes) = (Vec::new(), 0_usize);
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            bytes = bytes.saturating_add(get_record_batch_memory_size(&batch));
            if bytes > bytes_max {
                return Err(QueryError::resource_exhausted(format!(
                    "the result is larger than {bytes_max} bytes; add a LIMIT, or read it as a stream"
                )));
            }
            batches.push(batch);
        }
        Ok((stream.schema(), batches))
    };
    let result = deadline.limit(work).await;
    cancel.cancel();
    result
}

/// From text to the first poll of a result.
pub(super) async fn start(
    context: &SqlContext,
    query: SqlQuery,
    cancel: &Cancel,
) -> Result<SendableRecordBatchStream> {
    if let Some(views) = &context.views
        && let Some(change) = session_views::change_of(&query.statement)?
    {
        change_views(context, views, change, &query, cancel).await?;
        return Ok(Box::pin(MemoryStream::try_new(
            Vec::new(),
            Arc::new(Schema::empty()),
            None,
        )?));
    }
    let session_views = context
        .views
        .as_ref()
        .map(SessionViews::now)
        .unwrap_or_default();
    let (mut state, tables) = with_views(context, &session_views, &query, cancel).await?;
    let plans = context.runtime.plans();
    let is_plain =
        query.parameters.is_empty() && query.tables.is_empty() && session_views.is_empty();
    let kept = match is_plain {
        true => plans.get(&query.statement, &tables)?,
        false => None,
    };
    let mut summary = None;
    let optimized = match kept {
        Some(plan) => plan,
        None => {
            let text = query.statement.clone();
            let planned = plan(&state, query).await;
            let (mut plan, is_summary) = planned
                .map_err(|error| views::with_nearest_table(error, &state, session_views.names()))?;
            if let LogicalPlan::DescribeTable(described) = &plan {
                return describe(&described.schema);
            }
            if is_summary {
                let (of_columns, figures) = Summary::of(plan, &state)?;
                (summary, plan) = (Some(of_columns), figures);
            }
            let optimized = state.optimize(&plan).map_err(QueryError::of_optimizer)?;
            check_planned(&optimized)?;
            if is_plain && summary.is_none() {
                plans.put(&text, &plan, &optimized)?;
            }
            optimized
        }
    };
    budget::fit(&mut state, &optimized, context.runtime.settings())?;
    let physical = state
        .query_planner()
        .create_physical_plan(&optimized, &state)
        .await?;
    let rows = when_asked(give_way(physical, cancel)?, state.task_ctx());
    let rows = match summary {
        Some(summary) => summary.in_rows(rows),
        None => explained::in_lines(&optimized, rows),
    };
    let form = ResultForm::of(&rows.schema());
    let schema = form.schema();
    let batches = rows.map(move |batch| batch.and_then(|batch| form.batch(batch)));
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
}

/// The rows of a plan. Nothing is computed before the first poll, while `execute_stream` itself starts tasks.
fn when_asked(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
) -> SendableRecordBatchStream {
    let schema = plan.schema();
    let rows = stream::once(async move { execute_stream(plan, context) }).try_flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// The plan of a statement, as far as it is allowed, and whether its rows are to be summed up.
pub(super) async fn plan(state: &SessionState, query: SqlQuery) -> Result<(LogicalPlan, bool)> {
    let (mut statement, is_summary) = guard::parse_or_summary(&query.statement)?;
    let parameters = parameters::put(&mut statement, query.parameters)?;
    unnests::join(&mut statement)?;
    // Limits hold for what was put in, too.
    guard::check_statement(&statement)?;
    rewrite::rewrite(&mut statement)?;
    spellings::respell(&mut statement);
    selects::reshape(&mut statement)?;
    casts::tell_apart(&mut statement);
    let plan = state
        .statement_to_plan(Statement::Statement(Box::new(statement)))
        .await?;
    let plan = bind(plan, parameters)?;
    guard::check_plan(&plan)?;
    read_only().verify_plan(&plan)?;
    Ok((type_names::in_catalogue(plan, state).await?, is_summary))
}

fn read_only() -> SQLOptions {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
}

/// What every query's session has: functions, rules and limits, but no tables.
pub(crate) fn session_template(
    settings: &SqlSettings,
    env: Arc<RuntimeEnv>,
) -> Result<SessionState> {
    let config = SessionConfig::new()
        .with_target_partitions(settings.target_partitions.max(1))
        .with_batch_size(BATCH_ROWS)
        // As in DuckDB and SQLite: NULL comes last, ascending and descending.
        .set_str("datafusion.sql_parser.default_null_ordering", "nulls_last")
        .with_information_schema(true)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_collect_statistics(true)
        // What will be done, and not what was meant.
        .set_bool("datafusion.explain.physical_plan_only", true)
        .set_str("datafusion.explain.analyze_level", "summary")
        // The rule pulls members of maps out of expressions and, over joins, names two of them alike. Unneeded
        // once the golden script `values` passes without it.
        .set_bool(
            "datafusion.optimizer.enable_leaf_expression_pushdown",
            false,
        )
        // `x IS TRUE` is never NULL, but the operator that computes it says that it may be, and an aggregate over it
        // compares the two. Unneeded once the golden script `values` passes without it.
        .set_bool(
            "datafusion.execution.skip_physical_aggregate_schema_check",
            true,
        )
        // The bound of `max(a), max(b)` on the scan leaves an aggregate out that has no value yet, and rows that would
        // give it one are passed over. Unneeded once `bounds_of_several_aggregates_keep_every_row` passes without it.
        .set_bool(
            "datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown",
            false,
        )
        // A file of its own for each batch that a repartition puts by. Two that write at a time make two files, of which
        // the reader waits for the first until it ends, while what it was told of is in the second: with nobody left to
        // write, that is for ever. Unneeded once a reader looks at all open files.
        .set_u64("datafusion.execution.max_spill_file_size_bytes", 1);
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(env);
    let mut state = functions::with_allowed(rules::with_rules(builder))?.build();
    functions::register_own(&mut state)?;
    state.add_analyzer_rule(Arc::new(Occurrences));
    state.add_analyzer_rule(Arc::new(AbsentIsNull));
    state.add_analyzer_rule(Arc::new(PlaceSubqueries));
    state.add_analyzer_rule(Arc::new(OrderKeys));
    Ok(state)
}

/// The tables of a statement.
pub(super) fn tables(
    context: &SqlContext,
    own: &[(String, SqlTable)],
    cancel: &Cancel,
) -> Result<Tables> {
    let batch_bytes = budget::batch_bytes(context.runtime.settings());
    let mut tables = Tables::new();
    for table in Table::ALL {
        let rows = TableRows::new(context.snapshot.clone(), table);
        tables.insert(
            table.name().to_string(),
            Arc::new(SnapshotTable::new(
                rows,
                cancel.clone(),
                batch_bytes,
                context.runtime.kept_texts().clone(),
            )),
        );
    }
    for (name, rows) in &context.tables.catalogue {
        let table = MemTable::try_new(rows.schema.clone(), vec![rows.batches.clone()])?;
        tables.insert((*name).to_string(), Arc::new(table));
    }
    add_own(own, &mut tables)?;
    Ok(tables)
}

/// The tables of one statement.
fn add_own(own: &[(String, SqlTable)], tables: &mut Tables) -> Result<()> {
    for (name, table) in own {
        let is_name = !name.is_empty() && !name.contains(['/', '\\', ':', '\'', '"']);
        if !is_name {
            return Err(QueryError::invalid_input(format!(
                "'{}' is no name of a table",
                shorten(name, ECHO_CHARS_MAX)
            )));
        }
        let name = name.to_lowercase();
        check_free(&name, tables)?;
        let rows = MemTable::try_new(table.schema.clone(), vec![table.batches.clone()])?;
        tables.insert(name, Arc::new(rows));
    }
    Ok(())
}

/// The functions that need this database.
pub(super) fn add_functions(context: &SqlContext, state: &mut SessionState) -> Result<()> {
    if let Some(search) = &context.text_search {
        state.register_udtf(
            "search_text",
            Arc::new(SearchText {
                search: search.clone(),
            }),
        );
    }
    let batches = [
        ("segments", &context.tables.segments),
        ("settings", &context.tables.settings),
    ];
    for (name, batch) in batches {
        if let Some(batch) = batch {
            state.register_udtf(
                name,
                Arc::new(BatchFunction {
                    name,
                    batch: batch.clone(),
                }),
            );
        }
    }
    Ok(())
}

fn bind(plan: LogicalPlan, parameters: Vec<(String, SqlValue)>) -> Result<LogicalPlan> {
    if parameters.is_empty() {
        return Ok(plan);
    }
    let values: HashMap<String, ScalarAndMetadata> = parameters
        .into_iter()
        .map(|(name, value)| (name, ScalarAndMetadata::from(scalar(value))))
        .collect();
    Ok(plan.with_param_values(ParamValues::Map(values))?)
}

fn scalar(value: SqlValue) -> ScalarValue {
    match value {
        SqlValue::Null => ScalarValue::Null,
        SqlValue::Boolean(value) => ScalarValue::Boolean(Some(value)),
        SqlValue::Int(value) => ScalarValue::Int64(Some(value)),
        SqlValue::Float(value) => ScalarValue::Float64(Some(value)),
        SqlValue::Text(value) => ScalarValue::Utf8View(Some(value)),
        SqlValue::Time(value) => ScalarValue::TimestampNanosecond(Some(value), Some("UTC".into())),
    }
}

/// `DESCRIBE`: one row per column.
fn describe(described: &Schema) -> Result<SendableRecordBatchStream> {
    let fields = described.fields();
    let schema = Arc::new(Schema::new(vec![
        Field::new("column_name", DataType::Utf8, false),
        Field::new("data_type", DataType::Utf8, false),
        Field::new("is_nullable", DataType::Boolean, false),
    ]));
    let names: StringArray = fields
        .iter()
        .map(|field| Some(field.name().as_str()))
        .collect();
    let types: StringArray = fields
        .iter()
        .map(|field| Some(type_name(field.data_type())))
        .collect();
    let nullable: BooleanArray = fields
        .iter()
        .map(|field| Some(field.is_nullable()))
        .collect();
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(names), Arc::new(types), Arc::new(nullable)];
    let batch = RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| QueryError::internal(error.to_string()))?;
    Ok(Box::pin(MemoryStream::try_new(vec![batch], schema, None)?))
}
